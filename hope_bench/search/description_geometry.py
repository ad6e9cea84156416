"""What boxes say for certain: how many, on which side, beside what; with margins, so that borderline cases are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

Box = tuple[float, float, float, float]
"""(x, y, width, height)."""

MARGIN = 0.05
"""How far from the image's middle (as a share of its width or height) the whole of a box must be to be clearly on one side."""
MOST_COUNTED = 4
"""Objects in larger numbers are not counted: annotators stop counting too."""

Where = Literal["side", "half"]

_PLACES: tuple[tuple[Where, tuple[str, str]], ...] = (("side", ("left", "right")), ("half", ("top", "bottom")))
"""Across (axis 0) and down (axis 1)."""

ROUNDING = 1e-4
"""How far boxes that are fractions, written with five digits, may pass an edge that they touch in pixels."""

SIDES = ("left", "right")
"""Of another object."""


def counts(count: int) -> Iterator[tuple[int, bool]]:
    """Numbers of things, and whether each is true, where there are few of them."""
    if count <= MOST_COUNTED:
        for number in range(1, MOST_COUNTED + 2):
            yield number, number == count


def places(boxes: Sequence[Box | None], extent: tuple[float, float], slack: float = 0.0) -> Iterator[tuple[Where, str, bool]]:
    """The image's sides and halves, as (kind, value, whether true): true where an instance is wholly there, false where all are
    wholly on the other side, each beyond the margin (less `slack`, a share of the image). `boxes` are all usable."""
    for axis, (kind, names) in enumerate(_PLACES):
        sides = [_side(box, axis, extent[axis], slack) for box in boxes if box is not None]
        for index, value in enumerate(names):
            true = index in sides
            if true or all(side == 1 - index for side in sides):
                yield kind, value, true


def place_words(kind: Where, value: str) -> str:
    """The words of a caption that follow what is there: "on the left side"."""
    return f"on the {value} side" if kind == "side" else f"in the {value} half"


def _side(box: Box, axis: int, extent: float, slack: float) -> int | None:
    """0 or 1 where a box lies wholly on the first or second side, the margin away from the middle; else None."""
    start, size = box[axis::2]
    low, high = start / extent, (start + size) / extent
    return 0 if high <= 0.5 - MARGIN + slack else 1 if low >= 0.5 + MARGIN - slack else None


def beside(single: Mapping[str, Box | None], slack: float = 0.0) -> Iterator[tuple[str, str, str]]:
    """On which of its SIDES an object has another, as (name, other, side), where the boxes don't overlap sideways, by more than
    `slack`.

    `single` are the boxes of objects that occur once.
    """
    boxes = {name: box for name, box in single.items() if box is not None and usable(box)}
    for name, mine in boxes.items():
        for other, its in boxes.items():
            if name == other:
                continue
            if mine[0] + mine[2] <= its[0] + slack:
                yield name, other, "left"
            elif its[0] + its[2] <= mine[0] + slack:
                yield name, other, "right"


def usable(box: Box | None) -> bool:
    """Whether there is a box, and it has a size."""
    return box is not None and box[2] > 0 and box[3] > 0
