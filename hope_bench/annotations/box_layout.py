"""What a file's four numbers of a box are: corner and size, two corners or centre and size, in pixels or in fractions.

COCO's are (x, y, width, height) in pixels; what tools write in COCO's name isn't always. A file is judged as a whole: a reading
is contradicted by each box that has no size under it, or leaves its picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.annotations.columns import BoxUnits, InstanceRows, single
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import BoxLayout, Image

Boxes = NDArray[np.float32]

_SHAPES = ("xywh", "xyxy", "cxcywh")
_IN_WORDS = {
    "xywh": "(x, y, width, height)",
    "xyxy": "corners (left, top, right, bottom)",
    "cxcywh": "(centre x, centre y, width, height)",
}
_OPTION = {(shape, False): shape for shape in _SHAPES} | {
    ("xywh", True): "fractions", ("xyxy", True): "xyxy-fractions", ("cxcywh", True): "cxcywh-fractions",
}  # fmt: skip

_BLOCK = 1 << 18
_LOOKED_AT = 100_000
"""Boxes, spread over the file, that tell the layout of all."""
_FEW_PIXELS = 4
"""Pictures of so few pixels hold boxes that might be fractions."""
_OVERHANG = 0.02
"""The share of a picture's side by which a box may leave it and still count as inside."""
_CONTRADICTED = 0.2
"""COCO's own reading holds unless more of the boxes than this contradict it; files have boxes that overhang."""
_CLEAN = 0.05
"""Another reading takes its place if no more of the boxes than this contradict that one."""
_TELLING = 3
"""Fewer boxes are no evidence."""
_MANY = 20
"""So many boxes reach beyond the first half of their pictures somewhere."""
_PERCENT = 10
"""So many boxes that end below 100 in larger pictures, one near it, may be percentages."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A file's layout, and why where it isn't COCO's own (in words, for whoever generates)."""

    layout: BoxLayout
    why: str | None = None


_INFINITE = np.errstate(over="ignore", invalid="ignore")
"""What is beyond float32 is infinite, and that by zero no number: outside of any picture, and of no area that a file gives."""


def image_sizes(images: Sequence[Image]) -> Boxes:
    """Widths and heights [N, 2], NaN where unknown."""
    sizes = single([(image.width or 0, image.height or 0) for image in images]).reshape(len(images), 2)
    sizes[(sizes[:, 0] <= 0) | (sizes[:, 1] <= 0)] = np.nan
    return sizes


def settle_boxes(
    path: Path,
    rows: InstanceRows,
    images: Sequence[Image],
    said: BoxLayout | None,
    unless: Callable[[BoxLayout], None] = lambda _: None,
) -> tuple[BoxUnits, list[str]]:
    """Make the boxes (x, y, width, height), in place; returns their unit, and in words what whoever generates should know.

    They are read as is `said`, else as all of them tell; `unless` may refuse that. Raises HopeBenchError where it can't be told.
    """
    if rows.boxes is None:
        return "pixels", []
    sizes = image_sizes(images)
    settled = Settled(said or "xywh")
    if said is None:
        settled = tell_layout(path, rows.boxes, rows.image_of, sizes, areas=rows.areas)
        unless(settled.layout)
    told = [] if settled.why is None else [settled.why]
    to_xywh(rows.boxes, settled.layout)
    if not in_fractions(settled.layout):
        return "pixels", told + (drop_first_pixel(path.name, rows.boxes, rows.image_of, sizes) if said is None else [])
    if rows.areas is not None:
        rows.areas[rows.areas > 1] = np.nan  # in pixels: the boxes' own are used instead
    return "fractions", told


def tell_layout(
    path: Path,
    boxes: Boxes,
    image_of: NDArray[np.int32],
    sizes: Boxes,
    option: str = "dataset.boxes",
    areas: NDArray[np.float32] | None = None,
) -> Settled:
    """The layout of boxes [A, 4] in images [A] of sizes [N, 2] (`image_sizes`); `areas` [A] are what the file says of them, NaN
    where it says nothing.

    Raises HopeBenchError with the readings, and the `option` that says which, where the boxes speak for several.
    """
    step = max(1, len(boxes) // _LOOKED_AT)
    known = np.all(np.isfinite(boxes[::step]), axis=1)
    looked, extent = boxes[::step][known], sizes[image_of[::step][known]]
    if not len(looked):
        return Settled("xywh")
    fractions = _are_fractions(path, looked, extent, option)
    if fractions:
        extent = np.ones((len(looked), 2), dtype=np.float32)
    shape = _shape(path, looked, extent, fractions, option)
    doubt = None
    if not fractions:
        told = np.full(len(looked), np.nan, np.float32) if areas is None else areas[::step][known]
        shape = _as_areas_say(looked, told, shape)
        doubt = _doubt_of_scale(_as_xywh(looked, shape), extent, told)
    layout: BoxLayout = _OPTION[shape, fractions]  # type: ignore[assignment]
    doubts = "" if doubt is None else f"{path.name}: its boxes may be of pictures of another size: {doubt}."
    if layout == "xywh":
        return Settled(layout, doubts or None)
    unit = "fractions of the picture's width and height" if fractions else "pixels"
    return Settled(
        layout,
        f"{path.name}: its boxes are read as {_IN_WORDS[shape]} in {unit}, which they fit. "
        f'{option} = "{layout}" says so for good, or what they are instead. {doubts}'.rstrip(),
    )


def _are_fractions(path: Path, boxes: Boxes, extent: Boxes, option: str) -> bool:
    """Whether the boxes are fractions of their pictures; pixels of a picture's first corner are hardly ever annotated."""
    small = _in_first_pixel(boxes, extent, 1 + _OVERHANG)
    broken = small & np.any(boxes != np.round(boxes), axis=1)
    if small.mean() >= 1 - _CLEAN and broken.mean() > 0.5:
        return True
    if small.mean() < 1 - _CLEAN and broken.mean() <= _CLEAN:
        return False
    count = int(small.sum())
    mixed = " (the file seems to hold both)" if count < len(boxes) else ""
    raise _ask(
        path,
        f"{count:,} of {len(boxes):,} boxes hold no number above 1: they may be fractions of the picture's width and "
        f"height{mixed}, or pixels in its first corner",
        ("fractions", "xywh"),
        option,
    )


def _in_first_pixel(boxes: Boxes, extent: Boxes, most: float) -> NDArray[np.bool_]:
    """Where no number of a box is above `most`, and its picture isn't tiny (or of unknown size)."""
    return np.asarray(np.all(np.abs(boxes) <= most, axis=1) & np.any(boxes != 0, axis=1) & ~np.all(extent <= _FEW_PIXELS, axis=1))


def _shape(path: Path, boxes: Boxes, extent: Boxes, fractions: bool, option: str) -> str:
    """Which of _SHAPES the boxes fit. COCO's own, unless it is contradicted and another isn't."""
    sized = np.all(np.isfinite(extent), axis=1) & np.any(boxes != 0, axis=1)
    boxes, extent = boxes[sized], extent[sized]
    if not len(boxes):
        return "xywh"
    leaves = {shape: _leaves(_as_xywh(boxes, shape), extent) for shape in _SHAPES}
    wrong = {shape: float(rows.mean()) for shape, rows in leaves.items()}
    if wrong["xywh"] <= _CONTRADICTED:
        return "xywh"
    fitting = [shape for shape in _SHAPES[1:] if wrong[shape] <= _CLEAN]
    if len(fitting) == 1 and len(boxes) >= _TELLING:
        return fitting[0]
    mixed = [shape for shape in _SHAPES[1:] if np.mean(leaves["xywh"] & leaves[shape]) <= _CLEAN]  # each box fits one of them
    if not fitting and not mixed:
        # Nothing fits better: a few of many are cut to their pictures, and counted.
        if _beyond(boxes, extent).mean() > (0.5 if len(boxes) < _MANY else _CONTRADICTED) and len(boxes) >= _TELLING:
            raise _doubt(path, f"{wrong['xywh']:.0%} of {len(boxes):,} leave their picture or have no size", "xywh", option)
        return "xywh"
    readings = ["xywh", *(fitting or mixed)]
    told = ", ".join(f"as {_IN_WORDS[shape]} {wrong[shape]:.0%}" for shape in readings)
    raise _ask(
        path,
        f"of {len(boxes):,} boxes, {told} leave their picture or have no size",
        tuple(_OPTION[shape, fractions] for shape in readings),
        option,
    )


def _leaves(boxes: Boxes, extent: Boxes) -> NDArray[np.bool_]:
    """Where (x, y, width, height) have no size, or leave the picture by more than _OVERHANG of its side and a pixel."""
    return np.asarray(np.any(boxes[:, 2:] <= 0, axis=1) | _beyond(boxes, extent))


@_INFINITE
def _beyond(boxes: Boxes, extent: Boxes) -> NDArray[np.bool_]:
    slack = np.maximum(extent * _OVERHANG, np.where(extent > 1, 1, 0))
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return np.asarray(np.any((low < -slack) | (high > extent + slack), axis=1))


@_INFINITE
def _as_areas_say(boxes: Boxes, areas: NDArray[np.float32], shape: str) -> str:
    """Corners, where the areas that a file gives are theirs and not those of width and height; else the shape that was told."""
    given = areas > 0
    if given.sum() < _TELLING or shape == "xyxy":
        return shape
    fits = {
        one: np.isclose(
            np.prod(np.maximum(_as_xywh(boxes[given], one)[:, 2:], 0), axis=1), areas[given], rtol=0.02, atol=1
        ).mean()
        for one in (shape, "xyxy")
    }
    return "xyxy" if fits["xyxy"] >= 1 - _CLEAN and fits[shape] <= _CLEAN else shape


@_INFINITE
def _doubt_of_scale(boxes: Boxes, extent: Boxes, areas: NDArray[np.float32]) -> str | None:
    """Why boxes (x, y, width, height) in pixels may be percentages, or those of smaller pictures, in words; None where nothing
    speaks for it."""
    own = np.prod(boxes[:, 2:], axis=1)
    compared = (areas > 0) & np.all(boxes[:, 2:] > 0, axis=1)
    if compared.sum() >= _TELLING and np.mean(areas[compared] > 2 * own[compared] + 4) > 1 - _CLEAN:
        return "nearly all are less than half of the areas that the file gives"
    sized = np.all(np.isfinite(extent), axis=1) & np.all(boxes[:, 2:] > 0, axis=1)
    high, extent = (boxes[:, :2] + boxes[:, 2:])[sized], extent[sized]
    if len(high) < _PERCENT or extent.min() <= 150:
        return None
    if 80 < high.max() <= 101:
        return "none reaches beyond 100, though all pictures are larger, so they may be percentages"
    if len(high) >= _MANY and np.all(high < extent / 2):
        return f"none of {len(high):,} leaves the first quarter of its picture"
    return None


def _as_xywh(boxes: Boxes, shape: str) -> Boxes:
    made = boxes.copy()
    to_xywh(made, shape)
    return made


@_INFINITE
def to_xywh(boxes: Boxes, layout: str) -> None:
    """Make boxes [A, 4] of a layout (x, y, width, height), in place and in their unit."""
    if layout.startswith("xyxy"):
        boxes[:, 2:] -= boxes[:, :2]
    elif layout.startswith("cxcywh"):
        boxes[:, :2] -= boxes[:, 2:] / 2


def drop_first_pixel(name: str, boxes: Boxes, image_of: NDArray[np.int32], sizes: Boxes) -> list[str]:
    """Make boxes [A, 4] NaN, in place, that are broken numbers within their picture's first pixel: fractions among pixels, which
    would be on the left and in the top half. Returns what was done, in words."""
    found = [np.zeros(0, dtype=np.intp)]
    for start in range(0, len(boxes), _BLOCK):
        block = boxes[start : start + _BLOCK]
        rows = np.flatnonzero((block[:, 2] < 1) & (block[:, 3] < 1))  # few
        own = block[rows]
        rows = rows[_in_first_pixel(own, sizes[image_of[start + rows]], 1) & np.any(own != np.round(own), axis=1)]
        block[rows] = np.nan
        found.append(rows + start)
    rows = np.concatenate(found)
    if not rows.size:
        return []
    return [
        f"{name}: {counted(rows.size, 'box lies', 'boxes lie')} within the first pixel of the image, as "
        "fractions would, and are not used "
        f"(annotations {first_few((rows + 1).tolist())})."
    ]


def in_fractions(layout: str) -> bool:
    """Whether a layout's unit is the picture's width and height, not pixels."""
    return layout.endswith("fractions")


def _doubt(path: Path, why: str, shape: str, option: str) -> HopeBenchError:
    return HopeBenchError(
        f"{path}: its boxes can't be right as {_IN_WORDS[shape]} in pixels: {why}. They may be of pictures of another size, have "
        "y before x, or their images width and height swapped. Export them again, or, if they are right, set "
        f'{option} = "{shape}".'
    )


def _ask(path: Path, why: str, readings: Sequence[str], option: str) -> HopeBenchError:
    choices = " or ".join(f'{option} = "{reading}"' for reading in dict.fromkeys(readings))
    return HopeBenchError(f"{path}: what its boxes are can't be told: {why}. Say which: {choices}.")
