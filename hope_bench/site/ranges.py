"""Ranks as ranges: which models the headline split tells apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.measuring import measure
from hope_bench.scoring.metrics import answer_table
from hope_bench.scoring.ranks import RESAMPLES, rank_ranges


def headline_ranges(splits: Sequence[SplitScore], resamples: Bootstrap = RESAMPLES) -> list[tuple[int, int]]:
    """(best, worst) rank of every model by balanced accuracy, from its score on the same split as all others: those that
    `hope-bench compare` gives (scoring/ranks.py)."""
    tables = np.stack([answer_table(split) for split in splits])
    found = measure(tables, resamples, metrics=["balanced_accuracy"])["balanced_accuracy"]
    return rank_ranges(found.value, found.influence, resamples)
