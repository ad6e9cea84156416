"""What balance does to a search: how often its distractors are affirmed, beside those of the same search without balance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from hope_bench.files.benchmark import Benchmark
from hope_bench.records import Question

Said = Mapping[tuple[str, str], bool]
"""Whether the model said yes, by image and question."""

PAIRS = {
    "content-balanced": "content", "category-balanced": "category", "control-balanced": "control-content",
    "description-balanced": "description", "hope-balanced": "hope",
}  # fmt: skip
"""Each balanced split and the same search without balance."""


class Change(NamedTuple):
    """By how much more often distractors are affirmed with balance than without (`low` to `high`: 95% over images), and how much
    of that lies in `which` claims are asked about, and how much `within` them: one claim, of other images. In [-1, 1]."""

    without: float
    balanced: float
    low: float
    high: float
    which: float
    within: float


def change(free: Sequence[Question], balanced: Sequence[Question], said: Said) -> Change:
    """Two splits' no-questions over the same images, as many of each image.

    The two parts are Kitagawa's (1955): the claims' shares by their mean rate, and the claims' rates by their mean share. A
    claim that one of them doesn't ask about has the other's rate.
    """
    first, second = _rates(free, said), _rates(balanced, said)
    images = sorted(first[0])
    assert images == sorted(second[0])
    differences = np.array([second[0][image] - first[0][image] for image in images])
    half = 1.96 * differences.std(ddof=1) / sqrt(len(images))
    (_, shares, rates), (_, other_shares, other_rates) = first, second
    which = within = 0.0
    for claim in shares.keys() | other_shares.keys():
        share, other_share = shares.get(claim, 0.0), other_shares.get(claim, 0.0)
        rate, other_rate = rates.get(claim, other_rates.get(claim, 0.0)), other_rates.get(claim, rates.get(claim, 0.0))
        which += (other_share - share) * (rate + other_rate) / 2
        within += (other_rate - rate) * (share + other_share) / 2
    without, mean = sum(first[0].values()) / len(images), float(differences.mean())
    return Change(without, without + mean, mean - half, mean + half, which, within)


def _rates(questions: Sequence[Question], said: Said) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """The share affirmed by image; and by claim its share of the questions, and the share of it affirmed."""
    by_image, by_claim = defaultdict(list), defaultdict(list)
    for one in questions:
        if one.label == "no":
            by_image[one.image].append(said[one.image, one.text])
            by_claim[one.text].append(said[one.image, one.text])
    total = sum(map(len, by_claim.values()))
    return (
        {image: float(np.mean(each)) for image, each in by_image.items()},
        {claim: len(each) / total for claim, each in by_claim.items()},
        {claim: float(np.mean(each)) for claim, each in by_claim.items()},
    )


def table(benchmark: Benchmark, said: Said) -> Iterable[str]:
    """In Markdown."""
    yield "\n### What balance does to a search"
    yield "The hallucination rate on the same images, without balance and with it; in points, how much of the difference lies in"
    yield "*which* claims are asked about, and how much *within* the same claims, asked of other images.\n"
    yield "| split | without | balanced | minus | which | within |"
    yield "|---|---|---|---|---|---|"
    outside = []
    for balanced, free in PAIRS.items():
        one = change(benchmark.splits[free], benchmark.splits[balanced], said)
        minus = one.balanced - one.without
        yield (
            f"| `{free}` | {100 * one.without:.1f} | {100 * one.balanced:.1f} | {100 * minus:+.1f} [{100 * one.low:.1f}, "
            f"{100 * one.high:.1f}] | {100 * one.which:+.1f} | {100 * one.within:+.1f} |"
        )
        if abs(minus) > 0.02:
            outside.append(f"`{balanced}`" + (" (harder)" if minus > 0 else " (easier)"))
    listed = ", ".join(outside) if outside else "none"
    yield f"\nMore than 2 points from the search without balance: {listed}.\n"
    yield from _kinds(benchmark, said)


def _kinds(benchmark: Benchmark, said: Said) -> Iterable[str]:
    names = ("description", "description-balanced", "hope", "hope-balanced")
    found = {name: _by_kind(benchmark.splits[name], said) for name in names}
    yield "By kind of description: how many are asked with no, and how many of these are affirmed.\n"
    yield "| kind | " + " | ".join(f"`{name}`" for name in names) + " |"
    yield "|---|" + "---|" * len(names)
    for kind in sorted({kind for each in found.values() for kind in each}):
        cells = [f"{len(each[kind])}: {100 * np.mean(each[kind]):.0f}%" if kind in each else "-" for each in found.values()]
        yield f"| {kind} | " + " | ".join(cells) + " |"


def _by_kind(questions: Sequence[Question], said: Said) -> dict[str, list[bool]]:
    found = defaultdict(list)
    for one in questions:
        if one.label == "no" and one.description_kind is not None:
            found[one.description_kind].append(said[one.image, one.text])
    return found
