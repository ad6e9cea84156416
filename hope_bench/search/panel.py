"""The content-aware search by several encoders together: the absent categories that rank highest with all of them on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.content import content
from hope_bench.search.selection import DIGITS
from hope_bench.search.space import SearchSpace


def mean_ranks(space: SearchSpace, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[N, C]: each category's rank by `content` among those `allowed` [N, C] in its image, 1 being the likeliest, averaged over
    every encoder of the space; infinite where not allowed.

    Categories that an encoder scores alike (to the digits that rankings tell apart) share the mean of their ranks.
    """
    from scipy.stats import rankdata

    scores = (np.where(allowed, np.round(content(space, encoded), DIGITS), -np.inf) for encoded in space.encoded.values())
    ranks: NDArray[np.float64] = np.mean([rankdata(-one, axis=1) for one in scores], axis=0)
    return np.where(allowed, ranks, np.inf)
