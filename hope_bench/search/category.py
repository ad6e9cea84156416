"""HOPE's category-oriented search: the absent categories most associated with those present (docs/method.md)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hope_bench.records import Annotations
from hope_bench.search.space import ROWS_AT_ONCE, Encoded, SearchSpace

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Aggregate = Literal["mean", "max"]
"""How the associations with several present objects become one score."""


def category_cooccurrence(space: SearchSpace, _: Encoded | None = None) -> Floats:
    """[N, C]: how often c occurs with the image's present objects, over the whole annotation set."""
    return association(cooccurrence(space.annotations), space.present_mask, space.spec.category.aggregate)


def category_similarity(space: SearchSpace, encoded: Encoded | None) -> Floats:
    """[N, C]: how much c looks like the image's present objects."""
    assert encoded is not None
    return association(similarity(encoded.prototypes), space.present_mask, space.spec.category.aggregate)


def category(space: SearchSpace, encoded: Encoded | None) -> Floats:
    """[N, C]: the z-scored sum of both."""
    return standardized_sum((category_cooccurrence(space), category_similarity(space, encoded)), space.present_mask)


def cooccurrence(annotations: Annotations) -> Floats:
    """P(c | p) over the *whole* annotation set: the share of the images with p that also hold c. [C, C], row p, column c.

    Rows of categories that never occur are 0.
    """
    shape = (len(annotations.images), len(annotations.categories))
    rows = np.repeat(np.arange(shape[0]), np.diff(annotations.starts))
    columns = annotations.category_of
    if annotations.also_present:
        more = [(image, column) for image, names in annotations.also_present.items() for column in names]
        rows = np.concatenate([rows, [image for image, _ in more]])
        columns = np.concatenate([columns, [column for _, column in more]])
    from scipy import sparse

    member = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()
    member.data[:] = 1.0  # an image counts a category once
    pairs = np.asarray((member.T @ member).todense(), dtype=np.float64)
    occurrences = np.diag(pairs)[:, None]
    return np.divide(pairs, occurrences, out=np.zeros_like(pairs), where=occurrences > 0)


def similarity(prototypes: NDArray[np.float32]) -> Floats:
    """Cosine of the categories' unit prototypes, [C, D] -> [C, C]."""
    exact = prototypes.astype(np.float64)  # the digits that questions carry depend on no processor's sums
    return np.asarray(exact @ exact.T)


def association(table: Floats, present: Mask, aggregate: Aggregate = "mean") -> Floats:
    """Scores [N, C] from a table [C, C] of associations: the mean (or max) of the rows of each image's present objects.

    An image without present objects scores 0 everywhere.
    """
    if aggregate == "max":
        rows = [table[mask].max(axis=0) if mask.any() else np.zeros(len(table)) for mask in present]
        return np.stack(rows)
    from scipy import sparse

    sizes = np.maximum(present.sum(axis=1, keepdims=True), 1)
    return np.asarray(sparse.csr_matrix(present, dtype=np.float64) @ table / sizes)


def standardized_sum(sources: tuple[Floats, ...], present: Mask) -> Floats:
    """The sum of several scores [N, C], each z-scored per image over the categories that are not present (before any guard).

    A source that says the same of all of an image's absent categories adds nothing there.
    """
    total = np.zeros(present.shape)
    for source in sources:
        for first in range(0, len(total), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            total[rows] += _standardized(source[rows], present[rows])
    return total


def _standardized(source: Floats, present: Mask) -> Floats:
    absent = np.where(present, np.nan, source)
    some = ~present.all(axis=1)
    mean, spread = np.zeros((len(source), 1)), np.zeros((len(source), 1))
    mean[some, 0] = np.nanmean(absent[some], axis=1)
    spread[some, 0] = np.nanstd(absent[some], axis=1)
    return np.divide(source - mean, spread, out=np.zeros_like(source), where=spread > 1e-12)
