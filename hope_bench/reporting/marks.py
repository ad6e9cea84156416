"""Where marks go on a chart's axis: points with intervals, in percent of the axis' width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis: `at` in percent of its width."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis over shares from `low` to `high`, with its ticks."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """A share's place, in percent of the axis' width, two digits."""
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with its interval, in percent of the axis' width; `start` is where the line from its baseline begins, and `beyond`
    says that the point lies past the axis' end."""

    kind: Kind
    at: float
    low: float | None
    high: float | None
    start: float | None = None
    beyond: bool = False


def axis_over(estimates: Iterable[Estimate], *, from_zero: bool) -> Axis:
    """The tightest axis with round ends that holds every value and interval; from 0 where `from_zero`, never beyond 0 and 1."""
    shares = [share for one in estimates for share in (one.value, one.low, one.high) if share is not None] or [0.0, 1.0]
    least, most = (0.0 if from_zero else min(shares)), max(shares)
    step = next((step for step in _STEPS if (most - least) / step <= _MOST_TICKS - 1), _STEPS[-1])
    first = math.floor(least / step + 1e-9)
    last = max(math.ceil(most / step - 1e-9), first + 2)
    if last * step > 1 + 1e-9:
        first, last = max(0, first - (last - round(1 / step))), round(1 / step)
    low, high = first * step, last * step
    ticks = tuple(Tick(round(100 * (n - first) / (last - first), 2), f"{100 * n * step:g}") for n in range(first, last + 1))
    return Axis(low, high, ticks)


_FAR, _MOST = 2.5, 0.8


def axis_of_most(estimates: Sequence[Estimate]) -> Axis:
    """An axis from 0 over all rates; where the largest is more than 2.5 times what four in five stay below, over those four, so
    that a few outliers don't squeeze the others into a corner: marks past its end say so (`Mark.beyond`)."""
    values = sorted(one.value for one in estimates if one.value is not None)
    bulk = values[math.ceil(_MOST * len(values)) - 1] if values else 0.0
    squeezed = bool(values) and bulk > 0 and values[-1] > _FAR * bulk
    return axis_over((one for one in estimates if not squeezed or (one.value or 0) <= bulk), from_zero=True)


def mark(kind: Kind, estimate: Estimate, axis: Axis, baseline: Estimate | None = None) -> Mark | None:
    """An estimate on an axis, None where it has no value; a line leads to it from the `baseline` value, if one is given."""
    if estimate.value is None:
        return None
    return Mark(
        kind=kind,
        at=axis.place(estimate.value),
        low=None if estimate.low is None else axis.place(estimate.low),
        high=None if estimate.high is None else axis.place(estimate.high),
        start=None if baseline is None or baseline.value is None or baseline.value > axis.high else axis.place(baseline.value),
        beyond=estimate.value > axis.high + 1e-9,
    )
