"""Ranks as ranges: which models the headline split tells apart, by each of the numbers that the pages sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.comparison import LOWER_IS_BETTER
from hope_bench.scoring.measuring import measure
from hope_bench.scoring.metrics import answer_table, optional
from hope_bench.scoring.probability import evidence, measure_auroc
from hope_bench.scoring.ranks import RESAMPLES, ranges_of

Range = tuple[int, int]

RATES = ("balanced_accuracy", "hallucination_rate")
"""What every split has; AUROC takes P(yes)."""


def headline_ranges(splits: Sequence[SplitScore], resamples: Bootstrap = RESAMPLES) -> Mapping[str, list[Range | None]]:
    """(best, worst) rank of every model by balanced accuracy, hallucination rate (the lower, the better) and AUROC, from its
    score on the same split as all others: those that `hope-bench compare` gives (scoring/ranks.py). None where a number is
    undefined: ranks by AUROC are among the models that give P(yes)."""
    tables = np.stack([answer_table(split) for split in splits])
    ranges = {}
    for metric, found in measure(tables, resamples, metrics=RATES).items():
        values = [optional(float(value)) for value in found.value]
        ranges[metric] = ranges_of(values, found.influence, lower=metric in LOWER_IS_BETTER, resamples=resamples)
    return ranges | {"auroc": _by_auroc(splits, resamples)}


def _by_auroc(splits: Sequence[SplitScore], resamples: Bootstrap) -> list[Range | None]:
    images = len(splits[0].questions_per_image)
    values, influence = [], np.zeros((len(splits), images))
    for place, split in enumerate(splits):
        known = split.probabilities
        values.append(None if known is None else known.auroc.value)
        if known is not None:
            found = evidence(split.labels, split.verdicts, split.questions_per_image, known.packed)
            influence[place] = measure_auroc(found, images, resamples.confidence).influence
    return ranges_of(values, influence, resamples=resamples)
