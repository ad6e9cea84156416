"""A result's numbers by what was asked about: the heat map of categories, and small tables of kinds and sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hope_bench.files.result import Result
from hope_bench.files.split_score import Part
from hope_bench.reporting.rows import SplitRow

STEPS = 10
"""Shades of the heat map: 0 is none, 10 the darkest."""

_LEAST_SCALE = 0.2
"""A model that hardly hallucinates doesn't get dark cells for what little it does."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A category's hallucination rate on a split over `questions`, and its shade in 0 to 10; `few` images give it no interval
    and no shade."""

    rate: float
    shade: int
    questions: int
    few: bool


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A category (None: all others together) and its cell on each split, None where nothing was asked."""

    name: str | None
    cells: tuple[HeatCell | None, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Categories by splits, those most hallucinated on the headline split first; `darkest` is the rate that has shade 10."""

    splits: tuple[SplitRow, ...]
    rows: tuple[HeatRow, ...]
    darkest: float


def heat_map(splits: Sequence[SplitRow]) -> HeatMap | None:
    """The heat map of a result's splits, twins left out; None where the result isn't taken apart by category."""
    taken = tuple(split for split in splits if split.score.kind != "twin" and split.score.breakdowns.get("category"))
    if not taken:
        return None
    found = [{part.name: part for part in split.score.breakdowns["category"]} for split in taken]
    rates = [part.hallucination_rate for parts in found for part in parts.values()]
    highest = max((rate.value for rate in rates if rate.value is not None and rate.low is not None), default=0.0)
    darkest = max(math.ceil(10 * highest - 1e-9) / 10, _LEAST_SCALE)
    lead = next((index for index, split in enumerate(taken) if split.headline), len(taken) - 1)

    def place(name: str | None) -> tuple[bool, bool, float, str]:
        part = found[lead].get(name)
        rate = None if part is None else part.hallucination_rate.value
        return name is None, rate is None, -(rate or 0.0), name or ""

    names = sorted({name for parts in found for name in parts}, key=place)
    rows = [HeatRow(name, tuple(_cell(parts.get(name), darkest) for parts in found)) for name in names]
    return HeatMap(taken, tuple(row for row in rows if any(row.cells)), darkest)


def _cell(part: Part | None, darkest: float) -> HeatCell | None:
    if part is None or part.hallucination_rate.value is None:
        return None
    rate, asked = part.hallucination_rate.value, part.on_no
    questions = asked.yes + asked.no + asked.unparsed + asked.error
    few = part.hallucination_rate.low is None
    return HeatCell(rate, 0 if few else round(STEPS * rate / darkest), questions, few)


@dataclass(frozen=True, slots=True)
class PartsTable:
    """A split taken apart in another way: each part's recall and hallucination rate."""

    title: str
    split: str
    parts: tuple[Part, ...]


def parts_tables(result: Result) -> list[PartsTable]:
    """Kinds of claims and sizes of objects, on the headline split, or else on the first split that tells them."""
    headline = result.benchmark.headline
    order = [headline, *(name for name in result.splits if name != headline)]
    tables = []
    for key, title, least in (("description-kind", "By kind of claim", 2), ("object-size", "By size of the object", 1)):
        for name in order:
            parts = next((found for one, found in result.splits[name].breakdowns.items() if one == key), ())
            if result.splits[name].kind != "twin" and len(parts) >= least:
                tables.append(PartsTable(title, name, parts))
                break
    return tables
