"""Ranks as ranges that hold for all models at once: one method for `compare` and the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.intervals import weight_chunks
from hope_bench.scoring.metrics import Floats

RESAMPLES = Bootstrap(replicates=1000, seed=0, confidence=0.95)

_CHUNK_PAIRS = 4_000_000
"""Replicates x pairs of models held at once."""

_IMAGES_A_MODEL = 10
"""Fewer images a model tell too little of how the models' errors go together (chosen by simulation: tests/studies)."""


def rank_ranges(values: Floats, influence: Floats, resamples: Bootstrap = RESAMPLES) -> list[tuple[int, int]]:
    """(best, worst) rank of every model, from its number [models], the higher the better, and what each image adds to the
    number's error [models, images], on the same questions.

    With probability `confidence` all true ranks lie in their ranges at once (Mogstad, Romano, Shaikh and Wilhelm 2024): a model
    is surely better than another where their difference over its standard error exceeds what the largest such ratio of *all*
    pairs stays below, when images are resampled, in `confidence` of the replicates. The best rank is 1 + how many are surely
    better, the worst the number of models less those surely worse. A pair without spread is never told apart. With fewer than
    _IMAGES_A_MODEL images a model Bonferroni's bound takes the resamples' place, which would put the largest ratio too low.
    """
    models = len(values)
    if models < 2 or influence.shape[1] < 2:
        return [(1, models)] * models
    error = _standard_errors(influence)
    with np.errstate(divide="ignore"):
        scale = np.where(error > 0, 1 / error, 0).astype(np.float32)
    few = influence.shape[1] < _IMAGES_A_MODEL * models
    critical = _bonferroni(influence, resamples.confidence) if few else _critical(influence, scale, resamples)
    surely = (values[:, None] - values[None, :]) * scale > critical  # row better than column
    best = 1 + surely.sum(axis=0)
    worst = models - surely.sum(axis=1)
    return list(zip(best.tolist(), worst.tolist(), strict=True))


def _standard_errors(influence: Floats) -> Floats:
    """Of every pair's difference, float64 [models, models]; 0 where the two don't differ on any image."""
    products = influence @ influence.T
    own = np.diagonal(products)
    squares = own[:, None] + own[None, :] - 2 * products
    images = influence.shape[1]
    variance: Floats = np.where(squares > 1e-12 * (own[:, None] + own[None, :]), squares, 0) * images / (images - 1)
    return np.sqrt(variance)


def _bonferroni(influence: Floats, confidence: float) -> float:
    """What any of all pairs' ratios exceeds with at most the chance 1 - confidence, however they go together."""
    from scipy.special import stdtrit

    models, images = influence.shape
    return float(-stdtrit(images - 1, (1 - confidence) / (models * (models - 1))))


def _critical(influence: Floats, scale: NDArray[np.float32], resamples: Bootstrap) -> float:
    """What the largest ratio of all pairs stays below in `confidence` of the replicates, as Student's t for so few images."""
    from scipy.special import ndtr, stdtrit

    models, images = influence.shape
    rows = max(1, _CHUNK_PAIRS // models**2)
    largest: list[NDArray[np.float32]] = []
    for weights in weight_chunks(images, resamples):
        moved = ((weights - 1) @ influence.T).astype(np.float32)
        for start in range(0, len(moved), rows):
            some = moved[start : start + rows]
            gaps = np.abs(some[:, :, None] - some[:, None, :])
            largest.append((gaps * scale).max(axis=(1, 2)))
    # Resamples spread by (images - 1) / images less than the standard errors that they are held against.
    normal = float(np.quantile(np.concatenate(largest), resamples.confidence)) * math.sqrt(images / (images - 1))
    return float(-stdtrit(images - 1, ndtr(-normal)))


def ranges_of(
    values: Sequence[float | None], influence: Floats, *, lower: bool = False, resamples: Bootstrap = RESAMPLES
) -> list[tuple[int, int] | None]:
    """As `rank_ranges` for those models that have a number; None for the others. `lower` says that lower is better."""
    known = [place for place, value in enumerate(values) if value is not None]
    made: list[tuple[int, int] | None] = [None] * len(values)
    numbers = np.array([value for value in values if value is not None], dtype=np.float64)
    turned = (-numbers, -influence[known]) if lower else (numbers, influence[known])
    for place, found in zip(known, rank_ranges(*turned, resamples), strict=True):
        made[place] = found
    return made
