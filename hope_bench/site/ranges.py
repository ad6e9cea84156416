"""Ranks as ranges: which models the headline split tells apart, each pair compared over the same resampled images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.result import Bootstrap, SplitScore
from hope_bench.scoring.intervals import bootstrap_counts
from hope_bench.scoring.metrics import LABELS, VERDICTS, count_table

RESAMPLES = Bootstrap(replicates=1000, seed=0, confidence=0.95)


def rank_ranges(splits: Sequence[SplitScore], bootstrap: Bootstrap = RESAMPLES) -> list[tuple[int, int]]:
    """(best, worst) rank of every model, from its score on the same split as all others.

    A model is surely better than another where its balanced accuracy is higher in all but (1 - confidence) / 2 of the resamples
    of images, both resampled alike. Its best rank counts the models surely better than it, its worst rank those not surely worse.
    """
    if not splits:
        return []
    scores = _balanced_accuracy(splits, bootstrap)
    enough = bootstrap.replicates * (1 + bootstrap.confidence) / 2
    lowest, highest = scores.min(axis=1), scores.max(axis=1)
    better, never = lowest[:, None] > highest, highest[:, None] <= lowest  # most pairs, without counting
    for one, own, others in zip(scores, better, ~(better | never), strict=True):
        own[others] = np.count_nonzero(one > scores[others], axis=1) >= enough
    best = 1 + better.sum(axis=0)
    worst = len(splits) - better.sum(axis=1)
    return list(zip(best.tolist(), worst.tolist(), strict=True))


def _balanced_accuracy(splits: Sequence[SplitScore], bootstrap: Bootstrap) -> NDArray[np.float32]:
    """[models, replicates], NaN where a label was never drawn. Right and asked answers are all it needs."""
    images = len(splits[0].questions_per_image)
    needed = np.empty((len(splits), images, len(LABELS), 2), dtype=np.int64)
    for index, split in enumerate(splits):
        table = count_table(split.labels, split.verdicts, split.questions_per_image)
        needed[index, ..., 0] = np.diagonal(table[:, :, : len(LABELS)], axis1=1, axis2=2)
        needed[index, ..., 1] = table[:, :, : VERDICTS.index("unasked")].sum(axis=2)
    drawn = bootstrap_counts(needed, bootstrap)
    right, asked = drawn[..., 0], drawn[..., 1]
    rates = np.divide(right, asked, out=np.full(right.shape, np.nan), where=asked > 0)
    return np.ascontiguousarray(rates.mean(axis=-1).T, dtype=np.float32)
