"""Answers about images, drawn with known rates: clusters of equal and unequal size, alike within an image or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from hope_bench.scoring.metrics import Counts, Floats

Ints = NDArray[np.int64]

SIZES = ("1", "3", "1-6", "1-20")
"""Questions of an image: as many each, uniform, or geometric with a mean of 4 (at most 20)."""


def sizes(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    """How many questions each image has, int64 of that shape."""
    if kind == "1-6":
        return rng.integers(1, 7, shape)
    if kind == "1-20":
        return np.minimum(rng.geometric(0.25, shape), 20)
    return np.full(shape, int(kind), dtype=np.int64)


def affirmed(rate: float, correlation: float, asked: Ints, level: Floats, rng: np.random.Generator) -> tuple[Ints, float]:
    """How many of each image's questions are answered yes, and the true rate.

    An image's own rate is Beta with mean `rate`, such that two of its questions correlate by `correlation`; `level` in [0, 1)
    is its quantile, so that images may be hard in several ways at once.
    """
    if correlation == 0 or rate in (0, 1):
        return rng.binomial(asked, rate), rate
    if correlation == 1:
        return np.where(level < rate, asked, 0), rate
    spread = 1 / correlation - 1
    steps = beta.ppf((np.arange(2000) + 0.5) / 2000, rate * spread, (1 - rate) * spread)
    return rng.binomial(asked, steps[np.minimum((level * 2000).astype(np.int64), 1999)]), float(steps.mean())


def tables(yes: tuple[Ints, Ints], asked: tuple[Ints, Ints]) -> Counts:
    """Count tables, int64 [trials, images, labels, verdicts], of (recalled, false alarms) among (yes-, no-questions)."""
    made = np.zeros((*asked[0].shape, 2, 5), dtype=np.int64)
    for label in (0, 1):
        made[..., label, 0], made[..., label, 1] = yes[label], asked[label] - yes[label]
    return made


def truths(recall: float, rate: float) -> dict[str, float]:
    """Every metric of a model with these rates, on as many yes- as no-questions."""
    return {
        "recall": recall,
        "hallucination_rate": rate,
        "accuracy": (recall + 1 - rate) / 2,
        "balanced_accuracy": (recall + 1 - rate) / 2,
        "precision": recall / (recall + rate),
        "f1": 2 * recall / (1 + recall + rate),
        "yes_ratio": (recall + rate) / 2,
    }
