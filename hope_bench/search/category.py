"""HOPE's category-oriented search: the absent categories most associated with those present (docs/method.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hope_bench.records import Annotations

Aggregate = Literal["mean", "max"]
"""How the associations with several present objects become one score."""


def cooccurrence(annotations: Annotations) -> NDArray[np.float64]:
    """P(c | p) over the *whole* annotation set: the share of the images with p that also hold c. [C, C], row p, column c.

    Rows of categories that never occur are 0.
    """
    count = len(annotations.categories)
    rows = np.repeat(np.arange(len(annotations.images)), np.diff(annotations.starts))
    ones = np.ones(len(rows), dtype=np.float32)
    member = sparse.csr_matrix((ones, (rows, annotations.category_of)), shape=(len(annotations.images), count))
    member.data[:] = 1.0  # an image counts a category once
    pairs = np.asarray((member.T @ member).todense(), dtype=np.float64)
    occurrences = np.diag(pairs).copy()
    return np.divide(pairs, occurrences[:, None], out=np.zeros_like(pairs), where=occurrences[:, None] > 0)


def similarity(prototypes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of the categories' unit prototypes, [C, D] -> [C, C]."""
    return (prototypes @ prototypes.T).astype(np.float64)


def association(table: NDArray[np.float64], present: Sequence[int], aggregate: Aggregate = "mean") -> NDArray[np.float64]:
    """One image's scores [C] from a table [C, C] of associations: the mean (or max) of its present objects' rows."""
    rows = table[list(present)]
    return np.asarray(rows.mean(axis=0) if aggregate == "mean" else rows.max(axis=0))


def standardized_sum(sources: Sequence[NDArray[np.float64]], present: Sequence[int]) -> NDArray[np.float64]:
    """The sum of several scores [C], each z-scored over the categories that are not present (before any guard).

    A source that says the same of all of them adds nothing.
    """
    absent = np.ones(len(sources[0]), dtype=np.bool_)
    absent[list(present)] = False
    total = np.zeros(len(sources[0]))
    for source in sources:
        spread = source[absent].std() if absent.any() else 0.0
        if spread > 0:
            total += (source - source[absent].mean()) / spread
    return total
