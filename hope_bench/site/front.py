"""The first page: what a benchmark's results say in one sentence, and the models that lead."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.files.split_score import Estimate
from hope_bench.reporting.marks import Axis, Mark, axis_of_most, mark
from hope_bench.site.board import size
from hope_bench.site.charts import by_size
from hope_bench.site.views import ModelRow, Section, place_in_words

TOP = 20
"""Models of each benchmark on the first page; all are on its ranking page."""

SORTS = {"balanced_accuracy": "balanced accuracy", "hallucination_rate": "hallucination rate", "auroc": "AUROC"}
"""What the table can be sorted by, in words; the first is what ranks."""

_MUCH_LESS_SEEN = 0.05
"""A model that makes up least because it seldom says yes at all is said to: by this much less recall than the best one's."""

DEMO = "demo"
"""The embedded benchmark: it stands last where there are others."""


@dataclass(frozen=True, slots=True)
class FrontRow:
    """A model in the first page's table: its hallucination rate on the table's axis, and by each of the sorts its place in words
    and its order, from 0."""

    row: ModelRow
    mark: Mark | None
    places: Mapping[str, str]
    orders: Mapping[str, int]

    @property
    def shown(self) -> bool:
        """Whether it is among the first as the page opens."""
        return self.orders["balanced_accuracy"] < TOP


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ranked models of a benchmark say: the one that makes up `least`, the one that is `best` overall, and the `median`
    hallucination rate on POPE's baseline and on the headline split. `seen` is the recall of `least` where it is much lower than
    that of `best`; `before` and the medians are None where nothing is held against POPE, or no model is ranked."""

    models: int
    least: ModelRow | None
    best: ModelRow | None
    seen: float | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Front:
    """A benchmark on the first page; `sized` says that its ranking page draws hallucination by size."""

    section: Section
    verdict: Verdict
    axis: Axis
    rows: tuple[FrontRow, ...]
    sorts: Mapping[str, str]
    sized: bool


def in_order(sections: Sequence[Section]) -> list[Section]:
    """Benchmarks as the first page shows them: those with most ranked models first, the demo last."""
    return sorted(sections, key=lambda one: (one.about.benchmark.name == DEMO, -len(one.ranked), -len(one.rows), one.key))


def front(section: Section) -> Front:
    """What the first page shows of a benchmark: of its ranked models the first by each of the sorts."""
    ranked = section.ranked
    sorts = {key: words for key, words in SORTS.items() if key != "auroc" or any(row.auroc for row in ranked)}
    orders = {key: _order(ranked, key) for key in sorts}
    chosen = [row for number, row in enumerate(ranked) if min(order[number] for order in orders.values()) < TOP]
    place = {row.entry.page: number for number, row in enumerate(ranked)}
    rates = [one for row in chosen for one in (row.headline.hallucination_rate, row.before) if one is not None]
    axis = axis_of_most(rates)
    rows = tuple(
        FrontRow(
            row=row,
            mark=mark(row.headline.kind, row.headline.hallucination_rate, axis, row.before),
            places={key: place_in_words(row.ranges.get(key)) for key in sorts},
            orders={key: orders[key][place[row.entry.page]] for key in sorts},
        )
        for row in chosen
    )
    sizes = {row.entry.page: size(row.entry.result) for row in ranked}
    return Front(section, verdict(section), axis, rows, sorts, len(by_size(sizes, ranked)) > 1)


def _order(ranked: Sequence[ModelRow], key: str) -> list[int]:
    """Each model's place by a number, from 0; equal ones as they are ranked, and those without it last."""

    def better(number: int) -> tuple[bool, float]:
        row = ranked[number]
        found: Estimate | None = row.auroc if key == "auroc" else getattr(row.headline, key)
        value = None if found is None else found.value
        return value is None, 0.0 if value is None else value if key == "hallucination_rate" else -value

    places = [0] * len(ranked)
    for place, number in enumerate(sorted(range(len(ranked)), key=better)):
        places[number] = place
    return places


def verdict(section: Section) -> Verdict:
    """The verdict on a benchmark's ranked models."""
    ranked = section.ranked
    rated = [(rate, row) for row in ranked if (rate := row.headline.hallucination_rate.value) is not None]
    if not rated:
        return Verdict(len(ranked), None, ranked[0] if ranked else None, None, None, None)
    least, best = min(rated, key=lambda one: one[0])[1], ranked[0]
    seen, best_seen = least.headline.recall.value, best.headline.recall.value
    much_less = seen is not None and best_seen is not None and seen < best_seen - _MUCH_LESS_SEEN
    befores = [row.before.value for row in ranked if row.before is not None and row.before.value is not None]
    return Verdict(
        models=len(ranked),
        least=least,
        best=best,
        seen=seen if much_less else None,
        before=statistics.median(befores) if len(befores) == len(rated) else None,
        after=statistics.median([rate for rate, _ in rated]),
    )
