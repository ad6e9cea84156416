"""The box around a segmentation as COCO files hold it: polygons, or run lengths (cocodataset.org/#format-data)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""(x, y, width, height)."""

NO_BOX: Box = (nan, nan, nan, nan)


def box_around(segmentation: Any) -> Box:
    """The box around polygons (lists of coordinates, or of points) or a mask of run lengths; NO_BOX where there is none."""
    if isinstance(segmentation, dict):
        return _box_around_runs(segmentation.get("counts"), segmentation.get("size"))
    numbers = list(_flat(segmentation))
    if len(numbers) < 6 or len(numbers) % 2 or not all(map(isfinite, numbers)):
        return NO_BOX
    across, down = numbers[::2], numbers[1::2]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _flat(nested: Any) -> Iterator[float]:
    """The numbers of nested lists, in order; nan for whatever is no number."""
    if not isinstance(nested, list | tuple):
        yield number(nested)
        return
    for one in nested:
        yield from _flat(one)


def number(value: Any) -> float:
    """A number, or text that is one; nan for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return nan


def _box_around_runs(counts: Any, size: Any) -> Box:
    """Runs are counted down the columns, background first."""
    if isinstance(counts, str):
        counts = _unpacked(counts)
    if not isinstance(counts, list) or not isinstance(size, list) or len(size) != 2:
        return NO_BOX
    height, width = (number(one) for one in size)
    runs = np.array([number(one) for one in counts], dtype=np.float64)
    if not (height >= 1 and width >= 1 and np.all(runs >= 0) and runs.sum() <= height * width):
        return NO_BOX
    ends = np.cumsum(runs)
    starts = ends - runs
    inside = (np.arange(runs.size) % 2 == 1) & (runs > 0)
    return _box_of_runs(starts[inside], ends[inside] - 1, height)


def _box_of_runs(first: NDArray[np.float64], last: NDArray[np.float64], height: float) -> Box:
    """`first` and `last` are each run's pixels, counted down the columns."""
    if not first.size:
        return NO_BOX
    left, right = float(first.min() // height), float(last.max() // height)
    one_column = first // height == last // height  # a run that goes on in the next column touches bottom and top
    top = float(np.where(one_column, first % height, 0).min())
    bottom = float(np.where(one_column, last % height, height - 1).max())
    return left, top, right - left + 1, bottom - top + 1


def _unpacked(text: str) -> list[int] | None:
    """Compressed run lengths: 5 bits a character from "0" on, the lowest first, bit 5 saying that more follow; from the third
    run on each is the difference to the one before the last. None where the text is no such thing."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs if not shift else None
