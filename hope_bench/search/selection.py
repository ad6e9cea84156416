"""From an image's ranked candidates to its distractors: written once for every strategy that ranks by score."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Distractor:
    """An absent category claimed to be present; `score` is what its strategy ranked it by, None for draws."""

    name: str
    score: float | None = None


def top_candidates(scores: NDArray[np.floating], names: Sequence[str], allowed: Set[str], k: int) -> list[str]:
    """The k allowed names of highest score, best first, ties by name. `scores` is [C], aligned with `names`.

    Fewer come back where fewer are allowed.
    """
    ranked = sorted((-float(score), name) for score, name in zip(scores, names, strict=True) if name in allowed)
    return [name for _, name in ranked[:k]]
