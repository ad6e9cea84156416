"""What a benchmark's numbers are worth: what answering blind gets on its splits, and what its searches add to their controls."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.files.benchmark import Balance
from hope_bench.files.result import Comparison
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate
from hope_bench.reporting.rows import KINDS
from hope_bench.scoring.blind import above_blind
from hope_bench.site.sheet import Sheet
from hope_bench.site.views import Section

WAYS = {"category": "the asked category", "words": "the words", "words-and-others": "the words and the other questions"}
"""What blind answering goes by, in words."""


@dataclass(frozen=True, slots=True)
class BlindRow:
    """A split: the balanced accuracy of each of the WAYS of answering without looking, either way round (None where unknown); how
    far it is from as many no- as yes-questions about each claim; and over the ranked models the median balanced accuracy, and how
    much of it is above the best of these ways. `told` is whether it is known what they say to each question."""

    name: str
    kind: Kind
    ways: tuple[Estimate | None, ...]
    balance: Balance | None
    accuracy: float | None
    above: float | None
    told: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What a split's search adds to a baseline: the rise of the hallucination rate, and the drop of AUROC (None without P(yes)).
    Of a single model with its interval; of several the median, and as ends the least and the most."""

    split: str
    baseline: str
    rise: Estimate
    auroc_drop: Estimate | None


def blind_rows(section: Section, sheet: Sheet | None) -> list[BlindRow]:
    """Every split of which blind answers are known, POPE's first."""
    order = list(KINDS)
    balance: Mapping[str, Balance] = {} if sheet is None else sheet.balance
    rows = []
    for name, split in sorted(section.about.splits.items(), key=lambda item: order.index(item[1].kind)):
        known: dict[str, Estimate | None] = {one.name: one.either_way for one in split.blind}
        if not any(way in known for way in WAYS):
            continue
        scores = [row.entry.result.splits[name] for row in section.ranked]
        accuracies = [one.balanced_accuracy.value for one in scores]
        rows.append(
            BlindRow(
                name=name, kind=split.kind, ways=tuple(known.get(way) for way in WAYS), balance=balance.get(name),
                accuracy=_median(accuracies), above=_median([above_blind(one, split.blind) for one in accuracies]),
                told=any(one.levels is not None for one in split.blind),
            )
        )  # fmt: skip
    return rows


def added(section: Section) -> list[Added]:
    """What the searches add to the same search by another image (the controls), and what balanced ones add to chance."""
    results = [row.entry.result for row in section.ranked]
    pairs: dict[tuple[str, str], list[Comparison]] = {}
    for result in results:
        for pair in result.comparisons:
            kind = section.about.splits[pair.baseline].kind
            if kind == "control" or pair.baseline == "random-balanced":
                pairs.setdefault((pair.split, pair.baseline), []).append(pair)
    return [
        Added(split, baseline, _over([one.hallucination_rise for one in found]), _drop([one.auroc_drop for one in found]))
        for (split, baseline), found in pairs.items()
    ]


def _drop(found: Sequence[Estimate | None]) -> Estimate | None:
    known = [one for one in found if one is not None and one.value is not None]
    return _over(known) if known else None


def _over(found: Sequence[Estimate]) -> Estimate:
    values = [one.value for one in found if one.value is not None]
    if len(found) == 1 or not values:
        return found[0]
    return Estimate(value=statistics.median(values), low=min(values), high=max(values))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
