"""The pages of the models: each result, the same model on other benchmarks, and the questions behind the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hope_bench.reporting.content import Shown
from hope_bench.reporting.model_page import Drill, Elsewhere, ModelPage
from hope_bench.site.data import badge_path
from hope_bench.site.questions import Wall, claim_pages, wall_page
from hope_bench.site.views import ModelRow, Section


def model_page(section: Section, row: ModelRow, pictures: Mapping[str, str], same: SameModel, drill: Drill) -> dict[str, Any]:
    """What the template of a model's page is given; `pictures` are the addresses of the images that may be shown."""
    result = row.entry.result
    page = ModelPage(
        result,
        standing="" if row.rank is None else f"Rank {row.place} of {len(section.ranked)}, by balanced accuracy on",
        warning=row.reason or "",
        worst=tuple(Shown(one, (one.split,), None, pictures.get(one.image)) for one in result.worst or ()),
        elsewhere=same.of(row),
        drill=drill,
    )
    return {
        "section": section,
        "page": page,
        "download": Path(row.entry.page).with_suffix(".json").name,
        "badge": "../" + badge_path(row),
        "root": "../",
    }


class SameModel:
    """Which results are of the same model: of one checkpoint, or where none is told of one name."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._rows: dict[str, list[tuple[Section, ModelRow]]] = {}
        for section in sections:
            for row in section.rows:
                self._rows.setdefault(_identity(row), []).append((section, row))

    def of(self, row: ModelRow) -> tuple[Elsewhere, ...]:
        """A model's results but this one, as its page lists them."""
        return tuple(
            Elsewhere(
                title=section.about.benchmark.title,
                page="../" + other.entry.page,
                place=other.place,
                hallucination_rate=other.headline.hallucination_rate,
                balanced_accuracy=other.headline.balanced_accuracy,
            )
            for section, other in self._rows[_identity(row)]
            if other.entry.result.benchmark.hash != row.entry.result.benchmark.hash
        )


def _identity(row: ModelRow) -> str:
    model = row.entry.result.model
    return f"{model.checkpoint or model.name}\n{model.revision or ''}"


def drill_down(wall: Wall | None) -> Drill:
    """Where the questions behind a benchmark's numbers are shown, from the pages of a folder of the site."""
    if wall is None:
        return Drill()
    return Drill("../" + wall_page(wall.key), {place: "../" + page for place, page in claim_pages(wall).items()})


def drill_of(drill: Drill, wall: Wall | None, row: ModelRow) -> Drill:
    """The same with this model's answers, where the wall shows them."""
    shown = wall is not None and any(one is row for one in wall.models)
    return replace(drill, model=Path(row.entry.page).stem) if shown else drill
