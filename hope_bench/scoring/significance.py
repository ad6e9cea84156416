"""Is it more than chance: exact tests of paired differences, corrections for many of them, and what could have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.scoring.metrics import Floats

POWER = 0.8
LEVEL = 0.05

_UNITS = 720_720
"""Divisible by every number up to 16: differences that are ratios of small whole numbers become whole in these units."""

_MOST_STEPS = 2**27
"""Images times attainable sums: a fraction of a second."""

_FINEST = 2**18
"""Attainable sums of differences that have no unit."""


def sign_flip(differences: Floats | NDArray[np.int64]) -> float | None:
    """The exact two-sided sign-flip test of "no difference" from each image's difference between two models: p in (0, 1].

    Under the null an image's difference might as well have had the other sign, so p is the share of all 2^images ways to sign
    them whose sum is at least as far from 0 as the one seen; at every number of images, by convolution. With one question an
    image it is McNemar's exact test. None where no image differs.

    Differences are taken in whole units: exactly where they are multiples of one (counts of questions are), else rounded to a
    fine grid, where sums that rounding may have told apart count as equal, so that p is never too small.
    """
    if not differences.any():
        return None
    whole, slack = _in_units(np.asarray(differences, dtype=np.float64))
    seen, largest = abs(int(whole.sum())), int(np.abs(whole).sum())
    ways = np.zeros(largest + 1)
    ways[0], reached = 1.0, 0
    for step in np.sort(np.abs(whole)).tolist():
        # halved at every step, so that shares are held and nothing overflows; each image's sign puts its size in or leaves it out
        ways[step : reached + step + 1] += ways[: reached + 1].copy()
        reached += step
        ways[: reached + 1] /= 2
    sums = 2 * np.arange(largest + 1) - largest
    p = float(ways[np.abs(sums) >= seen - slack].sum())
    return min(1.0, max(p, float(np.finfo(np.float64).tiny)))


def _in_units(differences: Floats) -> tuple[NDArray[np.int64], int]:
    """The differences other than 0, at least one, as whole numbers, int64, and by how much rounding may have moved their sum."""
    largest = float(np.abs(differences).max())
    known: Floats = differences[np.abs(differences) > 1e-9 * largest]
    exact = known / largest * _UNITS
    whole: NDArray[np.int64] = np.rint(exact).astype(np.int64)
    if np.allclose(exact, whole, rtol=0, atol=0.01):
        smallest: NDArray[np.int64] = whole // int(np.gcd.reduce(whole))
        if len(smallest) * int(np.abs(smallest).sum()) <= _MOST_STEPS:
            return smallest, 0
    scale = min(_MOST_STEPS / len(known), _FINEST) / float(np.abs(known).sum())
    return np.rint(known * scale).astype(np.int64), len(known)


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


def detectable_difference(influence: Floats, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest true difference that a two-sided test at `level` finds with probability `power`, from what each image adds to
    the difference's error [images]: (z(1 - level / 2) + z(power)) standard errors; 2.8 of them at the defaults."""
    from scipy.special import ndtri

    return float((ndtri(1 - level / 2) + ndtri(power)) * math.sqrt(float((influence**2).sum())))
