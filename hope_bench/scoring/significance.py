"""Is it more than chance: tests of paired differences, corrections for many of them, and what a comparison could have found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.scoring.metrics import Floats

POWER = 0.8
LEVEL = 0.05


def bootstrap_p(differences: Floats) -> float | None:
    """The two-sided p-value of "no difference" from bootstrap differences [replicates], in (0, 1].

    Twice the smaller share of replicates on either side of 0, with one added to both counts so that it is never 0 (Davison and
    Hinkley 1997, section 4.2). Where no replicate lies on the other side, that says no more than "below 2 in the number of
    replicates", which Holm's correction for hundreds of models would lift above any level; there the normal tail at the
    replicates' mean over their standard deviation says how much less. None where no difference is defined.
    """
    from scipy.stats import norm

    known = differences[~np.isnan(differences)]
    if not len(known):
        return None
    fewer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * (fewer + 1) / (len(known) + 1))
    if fewer or not np.ptp(known):
        return p
    tail = float(2 * norm.sf(abs(np.mean(known)) / np.std(known)))
    return min(p, max(tail, float(np.finfo(np.float64).tiny)))


def clustered_mcnemar(
    one_only: NDArray[np.bool_], other_only: NDArray[np.bool_], image: NDArray[np.int64], images: int
) -> float | None:
    """McNemar's test for questions clustered by image: whether two models are right equally often; p in [0, 1].

    With b and c an image's questions that only the one, or only the other, got right, the statistic (sum of b - c)^2 / sum of
    (b - c)^2 is chi-squared with 1 degree of freedom (Yang, Sun and Hardin 2010); with one question an image it is McNemar's own,
    without continuity correction. None where no image tells the two apart.
    """
    from scipy.stats import chi2

    balance = np.bincount(image, weights=one_only.astype(np.float64) - other_only, minlength=images)
    spread = float((balance**2).sum())
    return float(chi2.sf(balance.sum() ** 2 / spread, df=1)) if spread else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) step-down correction: p-values whose smallest stays below 0.05 in at most 5% of families without any true
    difference. None stays None and is not counted among the tests."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for step, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - step)))
        corrected[place] = largest
    return corrected


def detectable_difference(differences: Floats, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest true difference that a two-sided test at `level` finds with probability `power`, from the spread of bootstrap
    differences [replicates]: (z(1 - level / 2) + z(power)) times their standard deviation; 2.8 of them at the defaults."""
    from scipy.stats import norm

    known = differences[~np.isnan(differences)]
    return float((norm.ppf(1 - level / 2) + norm.ppf(power)) * np.std(known)) if len(known) else math.nan
