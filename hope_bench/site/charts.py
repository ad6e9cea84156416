"""What the charts draw, as data blocks for the script: the numbers stand in tables beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.site.sheet import Sheet
from hope_bench.site.views import ModelRow


def data_block(value: Any) -> Markup:
    """JSON for a data block of a page: no character in it can end the block."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@dataclass(frozen=True, slots=True)
class Sized:
    """A ranked model by its size in billions of parameters; on the `frontier` where none as small or smaller makes up less."""

    row: ModelRow
    size: float
    rate: float
    frontier: bool


def by_size(sizes: Mapping[str, float | None], rows: Sequence[ModelRow]) -> list[Sized]:
    """The models whose size is known, the smallest first; `sizes` are by page."""
    known = [
        (size, rate, row)
        for row in rows
        if (size := sizes[row.entry.page]) is not None
        and size > 0
        and (rate := row.headline.hallucination_rate.value) is not None
    ]
    made, least = [], math.inf
    for size, rate, row in sorted(known, key=lambda one: (one[0], one[1], one[2].entry.page)):
        made.append(Sized(row, size, rate, rate < least))
        least = min(least, rate)
    return made


def size_chart(models: Sequence[Sized]) -> dict[str, Any]:
    """Size against hallucination rate."""
    points = [[one.row.called, one.size, _percent(one.row.headline.hallucination_rate), one.frontier] for one in models]
    return {"points": points, "kind": models[0].row.headline.kind}


def by_day(rows: Sequence[ModelRow]) -> list[tuple[ModelRow, bool]]:
    """The ranked models whose day is known, the earliest first, and whether each made up less than all before it; empty where all
    came on one day."""
    known = [row for row in rows if row.entry.result.added is not None and row.headline.hallucination_rate.value is not None]
    if len({row.entry.result.added for row in known}) < 2:
        return []
    made, least = [], math.inf
    for row in sorted(
        known, key=lambda row: (str(row.entry.result.added), row.headline.hallucination_rate.value, row.entry.page)
    ):
        rate = row.headline.hallucination_rate.value
        assert rate is not None
        made.append((row, rate < least))
        least = min(least, rate)
    return made


def day_chart(models: Sequence[tuple[ModelRow, bool]]) -> dict[str, Any]:
    """Hallucination rates by the day on which results were added."""
    points = [
        [row.called, str(row.entry.result.added), _percent(row.headline.hallucination_rate), leads] for row, leads in models
    ]
    return {"points": points, "kind": models[0][0].headline.kind}


def checkpoints(rows: Sequence[ModelRow]) -> list[tuple[str, list[ModelRow]]]:
    """The checkpoints of each training run of which there are several, in order of their steps, by the run's name."""
    runs: dict[str, list[ModelRow]] = {}
    for row in rows:
        if row.entry.result.run.step is not None:
            model = row.entry.result.model
            run = _CHECKPOINT.sub("", model.checkpoint or "") or model.name
            runs.setdefault(run, []).append(row)
    return [
        (run, sorted(some, key=lambda row: (row.entry.result.run.step or 0, row.entry.page)))
        for run, some in sorted(runs.items())
        if len({row.entry.result.run.step for row in some}) > 1
    ]


_CHECKPOINT = re.compile(r"/?(checkpoint|step)-[0-9]+/?$")


def step_chart(rows: Sequence[ModelRow]) -> dict[str, Any]:
    """Hallucination rates of a run's checkpoints by training step, on the headline split and on its POPE baseline."""
    lines = [{"kind": rows[0].headline.kind, "points": [_step(row, row.headline) for row in rows]}]
    if all(row.baseline is not None for row in rows):
        lines.append({"kind": "pope", "points": [_step(row, row.baseline) for row in rows if row.baseline is not None]})
    return {"lines": lines}


def _step(row: ModelRow, split: SplitScore) -> list[Any]:
    return [row.entry.result.run.step, _percent(split.hallucination_rate)]


def _percent(one: Estimate) -> list[float | None]:
    return [None if share is None else round(100 * share, 2) for share in (one.value, one.low, one.high)]


def risk(sheet: Sheet | None, headline: str) -> dict[str, Any] | None:
    """How many questions of the headline split have which risk, in tenths; None where no guard estimated it."""
    split = None if sheet is None else sheet.splits.get(headline)
    if split is None or split.risk is None:
        return None
    return {"splits": [{"name": headline, "kind": split.kind, "counts": list(split.risk.tenths)}]}
