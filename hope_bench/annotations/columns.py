"""What the readers share: instances as columns, boxes checked against their images, and sets of categories per image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import counted
from hope_bench.records import Annotations, Category, Image

BoxUnits = Literal["pixels", "fractions"]

TOLERANCE: dict[BoxUnits, float] = {"pixels": 1.0, "fractions": 0.001}
"""How far a box may reach beyond its image before it is cut: published files round."""

_BLOCK = 1 << 20  # boxes checked at a time, so that temporary arrays stay small beside 25 million boxes

Kept = TypeVar("Kept")


def single(values: Any) -> NDArray[np.float32]:
    """Numbers as float32; what is beyond its range is infinite, which no box can be."""
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(values, dtype=np.float64), dtype=np.float32)


@dataclass(slots=True)
class InstanceRows:
    """Instances in the file's order: `image_of` and `category_of` int32 [A], `boxes` float32 [A, 4] (x, y, width, height) or
    None, `areas` float32 [A] (NaN where the file gives none), `crowd` bool [A]."""

    image_of: NDArray[np.int32]
    category_of: NDArray[np.int32]
    boxes: NDArray[np.float32] | None
    areas: NDArray[np.float32] | None
    crowd: NDArray[np.bool_]

    def where(self, kept: NDArray[np.bool_]) -> InstanceRows:
        """Only the rows that are `kept`."""
        boxes, areas = self.boxes, self.areas
        return InstanceRows(
            self.image_of[kept],
            self.category_of[kept],
            None if boxes is None else boxes[kept],
            None if areas is None else areas[kept],
            self.crowd[kept],
        )


_SPREAD, _FOLDED = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
"""They mix a row into one number: equal rows have equal ones, and others hardly ever."""


def repeated_rows(rows: InstanceRows) -> NDArray[np.intp]:
    """The rows [R], ascending, that say what one before them says: the same category in the very same box of the same image."""
    if rows.boxes is None:
        return np.zeros(0, dtype=np.intp)
    key = np.zeros(len(rows.boxes), dtype=np.uint64)
    for part in (rows.image_of, rows.category_of, rows.crowd, *np.ascontiguousarray(rows.boxes).view(np.uint64).T):
        key = (key ^ part.astype(np.uint64)) * _SPREAD
        key ^= key >> _FOLDED
    order = np.argsort(key, kind="stable")
    later = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    earlier, again = order[later], order[later + 1]
    same = np.all(rows.boxes[earlier] == rows.boxes[again], axis=1)
    for column in (rows.image_of, rows.category_of, rows.crowd):
        same &= column[earlier] == column[again]
    return np.sort(again[same])  # rows without a box, NaN, equal none


def assemble(
    name: str,
    images: tuple[Image, ...],
    categories: tuple[Category, ...],
    rows: InstanceRows,
    attributes: Mapping[int, Mapping[str, Any]],
    units: BoxUnits = "pixels",
    left_out: Sequence[int] = (),
) -> Annotations:
    """Annotations with the rows grouped by image, in the file's order within each; `attributes` are keyed by row.

    `left_out` are the places in the file (from 0, sorted) of what the rows lack. Boxes are cut to their image; a box without size
    becomes NaN (its object stays present). Both are counted in `problems`, under the file's `name`. The rows' arrays are used up:
    boxes and areas are changed in place.
    """
    problems: list[str] = []
    if rows.boxes is not None:
        problems = clean_boxes(rows.boxes, rows.image_of, images, name, units, left_out)
        if rows.areas is not None:
            unknown = np.flatnonzero(np.isnan(rows.areas))
            rows.areas[unknown] = rows.boxes[unknown, 2] * rows.boxes[unknown, 3]
    if np.any(rows.image_of[1:] < rows.image_of[:-1]):  # a file already grouped needs no copy of its columns
        order = np.argsort(rows.image_of, kind="stable")
        if attributes:
            position = np.empty_like(order)
            position[order] = np.arange(len(order))
            attributes = {int(position[row]): value for row, value in attributes.items()}
        _reorder(rows, order)
    return Annotations(
        categories=categories,
        images=images,
        starts=np.searchsorted(rows.image_of, np.arange(len(images) + 1)).astype(np.int64),
        category_of=rows.category_of,
        crowd=rows.crowd,
        boxes=rows.boxes,
        areas=rows.areas,
        attributes=attributes,
        problems=tuple(problems),
        box_units=units,
    )


def _reorder(rows: InstanceRows, order: NDArray[np.intp]) -> None:
    rows.image_of = rows.image_of[order]
    rows.category_of = rows.category_of[order]
    rows.crowd = rows.crowd[order]
    rows.boxes = None if rows.boxes is None else rows.boxes[order]
    rows.areas = None if rows.areas is None else rows.areas[order]


def clean_boxes(
    boxes: NDArray[np.float32],
    image_of: NDArray[np.int32],
    images: Sequence[Image],
    name: str,
    units: BoxUnits,
    left_out: Sequence[int] = (),
) -> list[str]:
    """Cut boxes [A, 4] to their images and make those without size NaN, in place; what was done, in words."""
    if units == "fractions":
        sizes = np.ones((len(images), 2), dtype=np.float32)
    else:
        sizes = single([(image.width or np.inf, image.height or np.inf) for image in images]).reshape(len(images), 2)
    found: list[tuple[NDArray[np.intp], ...]] = []
    for start in range(0, len(boxes), _BLOCK):
        block = boxes[start : start + _BLOCK]
        unknown = np.flatnonzero(np.isnan(block[:, 0]))
        outside, unusable = _clean_block(block, sizes[image_of[start : start + _BLOCK]], TOLERANCE[units])
        found.append((outside + start, unusable + start, unknown + start))
    none = np.zeros(0, dtype=np.intp)
    cut, empty, missing = (np.concatenate([none, *rows]) for rows in (zip(*found, strict=True) if found else ((), (), ())))
    problems = []
    for rows, words in (
        (cut, counted(len(cut), "box reaches", "boxes reach") + " beyond the image, cut to it"),
        (
            missing,
            counted(len(missing), "object has", "objects have") + " no usable box: present, and nothing is claimed of the place",
        ),
        (empty, counted(len(empty), "box has", "boxes have") + " no size within the image: present, without a box"),
    ):
        if len(rows):
            problems.append(f"{name}: {words} (annotations {_numbers(rows, left_out)}, in file order).")
    return problems


def _clean_block(
    block: NDArray[np.float32], sizes: NDArray[np.float32], tolerance: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows cut and the rows without size, of a view that is changed in place."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 is infinite, and left out below
        low, high = block[:, :2], block[:, :2] + block[:, 2:]
        rows = np.flatnonzero(np.any((low < -tolerance) | (high > sizes + tolerance), axis=1))
        block[rows, :2] = np.maximum(low[rows], 0)
        block[rows, 2:] = np.minimum(high[rows], sizes[rows]) - block[rows, :2]
    usable = np.all(block[:, 2:] > 0, axis=1) & np.all(np.isfinite(block), axis=1)
    empty = np.flatnonzero(~usable & ~np.isnan(block[:, 0]))
    block[~usable] = np.nan
    return rows[usable[rows]], empty


def _numbers(rows: NDArray[np.intp], left_out: Sequence[int]) -> str:
    """The rows' numbers in the file, from 1."""
    before = np.searchsorted(np.array(left_out, dtype=np.int64) - np.arange(len(left_out)), rows[:5], side="right")
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return ", ".join(str(place) for place in (rows[:5] + before + 1).tolist()) + more


class ByImage(Mapping[int, Kept], Generic[Kept]):
    """Category indices of every image in two arrays: image i has values[starts[i]:starts[i+1]], given as `kind` (tuple or
    frozenset). A mapping that costs a few bytes a value where a dict of sets costs hundreds."""

    def __init__(self, starts: NDArray[np.int64], values: NDArray[np.int32], kind: Callable[[list[int]], Kept]) -> None:
        self._starts, self._values, self._kind = starts, values, kind

    def __getitem__(self, image: int) -> Kept:
        if not 0 <= image < len(self):
            raise KeyError(image)
        return self._kind(self._values[self._starts[image] : self._starts[image + 1]].tolist())

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._starts) - 1


def by_image(
    image_of: NDArray[np.int32], values: NDArray[np.int32], images: int, kind: Callable[[list[int]], Kept]
) -> ByImage[Kept]:
    """Pairs (image, category) [P] as a mapping over all `images`, in the pairs' order within each image."""
    order = np.argsort(image_of, kind="stable")
    return ByImage(np.searchsorted(image_of[order], np.arange(images + 1)).astype(np.int64), values[order], kind)
