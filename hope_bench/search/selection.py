"""From scores to distractors: written once for every strategy that ranks the categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.description import Description


@dataclass(frozen=True, slots=True)
class Distractor:
    """What a no-question claims: an absent category `name`, or of a present one a false `description` (with a true one of the
    same object, its `twin`, where there is one). `score` is what its strategy ranked it by, None for draws.
    """

    name: str
    score: float | None = None
    description: Description | None = None
    twin: Description | None = None


def top_columns(scores: NDArray[np.floating], names: Sequence[str], allowed: NDArray[np.bool_], k: int) -> list[list[int]]:
    """For each row of `scores` [N, C] the columns of its k allowed entries of highest score, best first, ties by name.

    `allowed` is [N, C], `names` [C]. Rows with fewer allowed entries give fewer columns.
    """
    by_name = np.argsort(np.array(names, dtype=np.str_), kind="stable")
    ranked = np.where(allowed, scores, -np.inf)[:, by_name]
    # A stable sort keeps equal scores in the order of their names.
    best = by_name[np.argsort(-ranked, axis=1, kind="stable")[:, :k]]
    keep = np.take_along_axis(allowed, best, axis=1)
    return [columns[good].tolist() for columns, good in zip(best, keep, strict=True)]
