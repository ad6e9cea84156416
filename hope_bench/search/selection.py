"""From scores to distractors: written once for every strategy that ranks the categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.description import Description

DIGITS = 9
"""Scores that are equal to so many digits are ties: as much may come of the order of a sum."""

_TIE = 2 * 10.0**-DIGITS
"""More than scores of one rounding differ by."""


@dataclass(frozen=True, slots=True)
class Positive:
    """What a yes-question claims: a present category, or a true description of one."""

    name: str
    description: Description | None = None


@dataclass(frozen=True, slots=True)
class Distractor:
    """What a no-question claims: an absent category `name`, or of a present one a false `description` (with a true one of the
    same object, its `twin`, where there is one). `score` is what its strategy ranked it by, None for draws; `found_by` names that
    strategy where the split joins several.
    """

    name: str
    score: float | None = None
    description: Description | None = None
    twin: Description | None = None
    found_by: str | None = None

    @property
    def claim(self) -> str:
        """What tells two distractors of one image apart: the category, or the question about a described object."""
        return self.name if self.description is None else self.description.question


Positives = Mapping[int, Sequence[Positive]]
"""A split's yes-questions by image."""

Distractors = Mapping[int, Sequence[Distractor]]
"""A split's distractors by image (index in the annotations); an image that got none is absent."""


def top_columns(scores: NDArray[np.floating], names: Sequence[str], allowed: NDArray[np.bool_], k: int) -> list[list[int]]:
    """For each row of `scores` [N, C] the columns of its k allowed entries of highest score, best first, ties by name.

    `allowed` is [N, C], `names` [C]. Rows with fewer allowed entries give fewer columns. Scores that are equal to
    DIGITS digits are ties.
    """
    name_rank = np.empty(len(names), dtype=np.intp)
    name_rank[np.argsort(np.array(names, dtype=np.str_), kind="stable")] = np.arange(len(names))
    scores = np.where(allowed, scores, -np.inf)
    # Only what reaches a row's k-th score, or ties with it, is sorted: a vocabulary may have thousands of words.
    k = min(k, scores.shape[1])
    kth = np.partition(scores, -k, axis=1)[:, [-k]]
    rows, columns = np.nonzero(allowed & (scores >= kth - _TIE))
    order = np.lexsort((name_rank[columns], -np.round(scores[rows, columns], DIGITS), rows))
    edges = np.searchsorted(rows, np.arange(len(scores) + 1))  # `rows` is sorted already
    best = columns[order]
    return [best[start : min(start + k, end)].tolist() for start, end in pairwise(edges.tolist())]


def in_turn(sources: Sequence[Sequence[Distractor]], k: int) -> list[Distractor]:
    """One image's k distractors from several rankings: the best that isn't taken yet from each in turn.

    An exhausted source is passed over; a claim that stands in two of them is taken once.
    """
    waiting = [list(source) for source in sources]
    taken: list[Distractor] = []
    claimed: set[str] = set()
    while len(taken) < k and any(waiting):
        for source in waiting:
            while source and source[0].claim in claimed:
                source.pop(0)
            if source and len(taken) < k:
                claimed.add(source[0].claim)
                taken.append(source.pop(0))
    return taken
