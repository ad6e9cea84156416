"""POPE's three baselines, drawn exactly as its public code draws them (Li et al. 2023, arXiv 2305.10355; docs/method.md)."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

Objects = Sequence[str]
"""One image's present objects: distinct categories in order of first annotation."""


def sample_images(rng: random.Random, present: Sequence[Objects], count: int, k: int) -> list[int]:
    """The indices of `count` images drawn among those with at least k present objects, in drawn order.

    The caller makes sure that there are enough (`eligible_images`).
    """
    return rng.sample(eligible_images(present, k), count)


def eligible_images(present: Sequence[Objects], k: int) -> list[int]:
    """The indices of the images with at least k present objects, in the file's order."""
    return [index for index, objects in enumerate(present) if len(objects) >= k]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts within the sampled images; ties keep first-seen order.

    `seen` holds every category in first-seen order; `popular` the same by falling number of images; `co_occurring[c]` the
    categories seen together with c, by falling number of images.
    """

    seen: Sequence[str]
    popular: Sequence[str]
    co_occurring: Mapping[str, Sequence[str]]


def statistics(sampled: Sequence[Objects]) -> Statistics:
    """Count categories and pairs over the sampled images (an image counts a category once)."""
    frequency: Counter[str] = Counter()
    pairs: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for objects in sampled:
        frequency.update(objects)
        for one in objects:
            pairs[one].update(other for other in objects if other != one)

    def falling(counts: Counter[str]) -> list[str]:
        return sorted(counts, key=counts.__getitem__, reverse=True)

    return Statistics(list(frequency), falling(frequency), {one: falling(others) for one, others in pairs.items()})


def pope_negatives(
    rng: random.Random, sampled: Sequence[Objects], k: int, forbidden: Sequence[Set[str]] | None = None
) -> dict[str, list[list[str] | None]]:
    """The k negatives of every sampled image, per strategy: `random`, `popular`, `adversarial`, drawn in this order from `rng`.

    The i-th negative follows the i-th positive (the image's i-th object). A negative is never present in the image, never
    `forbidden` there (what guards remove; nothing by POPE's definition) and never repeats within it. An image that has fewer than
    k allowed categories among those seen gets None, and costs no draw.
    """
    counts = statistics(sampled)
    seen = set(counts.seen)
    barred = [set(objects) | set(more) for objects, more in zip(sampled, forbidden or [set()] * len(sampled), strict=True)]

    def candidates(strategy: str, positive: str) -> Sequence[str]:
        return {"random": (), "popular": counts.popular, "adversarial": counts.co_occurring[positive]}[strategy]

    negatives: dict[str, list[list[str] | None]] = {"random": [], "popular": [], "adversarial": []}
    for strategy in negatives:
        for objects, out in zip(sampled, barred, strict=True):
            if len(seen - out) < k:
                negatives[strategy].append(None)
                continue
            taken = set(out)
            chosen: list[str] = []
            for positive in objects[:k]:
                negative = next((name for name in candidates(strategy, positive) if name not in taken), None)
                while negative is None or negative in taken:
                    negative = rng.choice(counts.seen)
                taken.add(negative)
                chosen.append(negative)
            negatives[strategy].append(chosen)
    return negatives
