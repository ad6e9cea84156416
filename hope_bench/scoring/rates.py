"""Intervals that hold near 0 and 1 and for few images: Korn-Graubard for a rate, MOVER for what is combined of rates.

Everything is clustered by image: a number's `influence` is what each image adds to its linearised error (Taylor), so that the sum
of squares over images is its variance, and products over images are covariances. All functions take any leading axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.split_score import Estimate
from hope_bench.scoring.metrics import Floats, divide, optional

CONFIDENCE = 0.95

FEW_IMAGES = 10
"""With so many images that hold a case, or that hold a counter-case, or fewer, the spread that is seen says too little alone."""

_PRIOR_IMAGES = 2
"""How many images' weight the design effect of full correlation has there (chosen by simulation: tests/studies)."""

_STEPS = 40
"""Halvings by which the ends of a ratio's interval are found."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Numbers with their intervals, float64 [...] each, NaN where undefined, and their `influence`, float64 [..., images], the
    image's share of the number's linearised error (0 where undefined). A weighted sum knows its `parts`, so that what is combined
    further is combined of those: two sums may err alike in one part and show no spread in another."""

    value: Floats
    low: Floats
    high: Floats
    influence: Floats
    parts: tuple[Weighted, ...] = ()

    def __getitem__(self, place: int) -> Measured:
        parts = tuple((np.broadcast_to(weight, self.value.shape)[place], one[place]) for weight, one in self.parts)
        return Measured(self.value[place], self.low[place], self.high[place], self.influence[place], parts)

    def estimate(self) -> Estimate:
        """A single number as results hold it."""
        value, low, high = (float(one) for one in (self.value, self.low, self.high))
        return as_estimate(optional(value), low, high)


Weighted = tuple[Floats | float, Measured]
"""A number's part in a sum, with its weight."""


def as_estimate(value: float | None, low: float, high: float) -> Estimate:
    """A value with its ends as results hold them: no interval where an end is undefined or infinite."""
    if value is None or not np.isfinite(low) or not np.isfinite(high):
        return Estimate(value=value)
    return Estimate(value=value, low=optional(float(min(low, value))), high=optional(float(max(high, value))))


def korn_graubard(yes: NDArray[np.int64] | Floats, asked: NDArray[np.int64] | Floats, confidence: float = CONFIDENCE) -> Measured:
    """The share of "yes" among questions clustered by image, [..., images] of each, with its interval.

    Clopper and Pearson's exact interval on the effective number of questions: their number over the design effect, t-adjusted for
    the number of images (Korn and Graubard 1998). Where all or none are "yes" no spread is seen; there answers about one image
    count as one, and where at most FEW_IMAGES images hold a "yes", or lack one, the design effect is drawn towards that. No
    interval from fewer than two images.
    """
    total = asked.sum(axis=-1)
    share = divide(yes.sum(axis=-1), total)
    influence = np.nan_to_num(divide(yes - share[..., None] * asked, total[..., None]))
    few = np.minimum((yes > 0).sum(axis=-1), (yes < asked).sum(axis=-1))
    whole = divide((np.asarray(asked, dtype=np.float64) ** 2).sum(axis=-1), np.asarray(total, dtype=np.float64) ** 2)
    low, high = rate_limits(share, influence, Design(total, (asked > 0).sum(axis=-1), whole, few), confidence)
    return Measured(share, low, high, influence)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What a rate rests on, [...] each: `questions`, `images` with a question, `whole`, the reciprocal of the effective number
    where answers about one image are all alike, and `few`, how many images hold a case, or lack one, whichever is fewer."""

    questions: NDArray[np.int64] | Floats
    images: NDArray[np.int64]
    whole: Floats
    few: NDArray[np.int64]


def rate_limits(share: Floats, influence: Floats, design: Design, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """The Korn-Graubard limits of rates [...] with this influence [..., images]; NaN where there are fewer than two images."""
    return limits_of(share, (influence**2).sum(axis=-1), design, confidence)


def limits_of(share: Floats, squares: Floats, design: Design, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """As `rate_limits`, from the sums of squared influence, [...]."""
    from scipy.special import stdtrit

    questions, degrees = np.asarray(design.questions, dtype=np.float64), np.asarray(design.images - 1, dtype=np.float64)
    spread, tail = share * (1 - share), (1 - confidence) / 2
    with np.errstate(divide="ignore", invalid="ignore"):  # what fewer than two images leave undefined
        seen = np.maximum(divide(squares * (degrees + 1) / degrees, spread), 1 / questions)
        whole = np.maximum(design.whole, 1 / questions)
        weight = np.where(design.few > FEW_IMAGES, 0.0, _PRIOR_IMAGES / (design.few + _PRIOR_IMAGES))
        inverse = np.where(spread > 0, np.maximum(seen, weight * whole + (1 - weight) * seen), whole)
        adjusted = (stdtrit(questions - 1, 1 - tail) / stdtrit(degrees, 1 - tail)) ** 2
        effective = np.where(spread > 0, adjusted, 1.0) / inverse
    return clopper_pearson(share, np.where(degrees > 0, effective, np.nan), confidence)


def clopper_pearson(share: Floats, number: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """The exact binomial limits of a share of `number` trials, which needn't be whole; NaN where either is."""
    from scipy.special import betaincinv

    tail, count = (1 - confidence) / 2, share * number
    low = np.where(share > 0, betaincinv(count, number - count + 1, tail), 0)
    high = np.where(share < 1, betaincinv(count + 1, number - count, 1 - tail), 1)
    return np.where(np.isnan(count), np.nan, low), np.where(np.isnan(count), np.nan, high)


def correlation_of(one: Measured, other: Measured) -> Floats:
    """The correlation of two numbers' errors, [...] in [-1, 1]; 0 where it is undefined, as where one shows no spread."""
    product = (one.influence * other.influence).sum(axis=-1)
    scale = np.sqrt((one.influence**2).sum(axis=-1) * (other.influence**2).sum(axis=-1))
    return np.clip(np.nan_to_num(divide(product, scale)), -1, 1)


def _distances(weight: Floats | float, one: Measured, *, upper: bool) -> Floats:
    """How far a weighted number's own limit lies above (`upper`) or below it, signed by the weight."""
    down, up = np.nan_to_num(one.value - one.low), np.nan_to_num(one.high - one.value)
    near, far = (up, down) if upper else (down, up)
    reach: Floats = np.maximum(weight, 0) * near + np.minimum(weight, 0) * far
    return reach


def _half_width(parts: tuple[Weighted, ...], correlations: dict[tuple[int, int], Floats], *, upper: bool) -> Floats:
    reach = [_distances(weight, one, upper=upper) for weight, one in parts]
    # What one part leaves unbounded the whole leaves unbounded, or unknown.
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.sum([one**2 for one in reach], axis=0)
        for (i, j), correlation in correlations.items():
            squares = squares + 2 * correlation * reach[i] * reach[j]
    width: Floats = np.sqrt(np.maximum(squares, 0))
    return width


def _correlations(parts: tuple[Weighted, ...]) -> dict[tuple[int, int], Floats]:
    places = range(len(parts))
    return {(i, j): correlation_of(parts[i][1], parts[j][1]) for i in places for j in places if i < j}


def combined(*parts: Weighted) -> Measured:
    """The weighted sum of numbers, by MOVER: the limits' distances squared and added, with the numbers' correlation (Zou and
    Donner 2008; Zou 2007 for correlated ones). A part of weight 0 may be undefined."""
    parts = tuple((weight * inner, one) for weight, whole in parts for inner, one in (whole.parts or ((1.0, whole),)))
    value = np.sum([np.where(np.asarray(weight) == 0, 0, one.value * weight) for weight, one in parts], axis=0)
    correlations = _correlations(parts)
    undefined = np.any([(np.asarray(weight) != 0) & np.isnan(one.low) for weight, one in parts], axis=0)
    low, high = value - _half_width(parts, correlations, upper=False), value + _half_width(parts, correlations, upper=True)
    influence = np.sum([np.asarray(weight)[..., None] * one.influence for weight, one in parts], axis=0)
    return Measured(value, np.where(undefined, np.nan, low), np.where(undefined, np.nan, high), influence, parts)


def difference(more: Measured, less: Measured) -> Measured:
    """One number minus another, of the same images."""
    return combined((1.0, more), (-1.0, less))


def quotient(value: Floats, influence: Floats, line: Callable[[Floats], tuple[Floats | float, tuple[Weighted, ...]]]) -> Measured:
    """A quotient's interval by MOVER: the values in [0, 1] at which the interval of `line` holds 0.

    `line` gives a constant and the weighted numbers whose sum is above the line minus the quotient times what is below it, which
    falls as the quotient grows; solved in closed form this is the ratio form of Donner and Zou (2012).
    """
    ends, correlations = [], _correlations(line(value)[1])
    for upper in (False, True):
        inner, outer = np.nan_to_num(value), np.full_like(value, upper)
        for _ in range(_STEPS):
            middle = (inner + outer) / 2
            constant, parts = line(middle)
            centre = np.sum([np.nan_to_num(one.value) * weight for weight, one in parts], axis=0) + constant
            half = _half_width(parts, correlations, upper=upper)
            inside = centre + half >= 0 if upper else centre - half <= 0
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        _, parts = line(inner)
        undefined = np.isnan(value) | np.any([np.isnan(one.low) for _, one in parts], axis=0)
        ends.append(np.where(undefined, np.nan, inner))
    return Measured(value, ends[0], ends[1], influence)
