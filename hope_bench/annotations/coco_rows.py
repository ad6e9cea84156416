"""The rows of COCO-format instances files (COCO, LVIS, Objects365), checked and turned into columns.

Only the fields needed become Python objects. Layouts: cocodataset.org/#format-data, lvisdataset.org/dataset, and the
Objects365 v2 files zhiyuan_objv2_{train,val}.json. What tools write in other ways is understood in `coco_entries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hope_bench.annotations.columns import InstanceRows, repeated_rows
from hope_bench.annotations.ids import Id, IdIndex, canonical, check_first_number, unique_index, unknown_ids
from hope_bench.errors import HopeBenchError, counted
from hope_bench.records import Image

DESCRIPTION = "a COCO instances file (images, annotations with image_id, category_id and bbox, categories)"


class CategoryRow(msgspec.Struct, gc=False):
    """One of the file's categories; synset and synonyms are LVIS's."""

    id: Id
    name: str
    supercategory: str | None = None
    synset: str | None = None
    synonyms: list[str] = []


class ImageRow(msgspec.Struct, gc=False):
    """One of the file's images; the two lists of category ids are LVIS's."""

    id: Id
    file_name: str | None = None
    coco_url: str | None = None
    width: int | None = None
    height: int | None = None
    neg_category_ids: list[Id] | None = None
    not_exhaustive_category_ids: list[Id] | None = None


class InstanceRow(msgspec.Struct, gc=False):
    """One of the file's annotations; `bbox` holds NaN where there is none."""

    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: bool | int = 0
    attributes: dict[str, Any] | None = None


@dataclass(slots=True)
class ImageTable:
    """The images, their index by id, and by image index the category ids that LVIS lists as absent or not exhaustive
    (`negative` is None where no image has such a list)."""

    images: tuple[Image, ...]
    index: IdIndex
    negative: dict[int, list[Id]] | None = None
    not_exhaustive: dict[int, list[Id]] = field(default_factory=dict)


@dataclass(slots=True)
class InstancesFile:
    """A decoded file; `attributes` are keyed by row of `rows`, `left_out` the places in the file of the annotations that `rows`
    lack, sorted. `problems` says in words what was wrong and survived."""

    path: Path
    categories: list[CategoryRow]
    category_index: IdIndex
    images: ImageTable
    rows: InstanceRows
    attributes: dict[int, dict[str, Any]]
    left_out: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


def image_name(row: ImageRow) -> str:
    """An image's file. LVIS v1 names images by URL: the last two parts are the file."""
    return row.file_name or "/".join((row.coco_url or "").split("/")[-2:])


def image_table(path: Path, rows: Iterable[ImageRow]) -> ImageTable:
    """The images; ids and file names must be unique. A side of no length is unknown."""
    table = ImageTable((), IdIndex({}))
    ids: list[Id] = []
    images: list[Image] = []
    for row in rows:
        if row.neg_category_ids is not None:
            table.negative = {} if table.negative is None else table.negative
            table.negative[len(ids)] = row.neg_category_ids
        if row.not_exhaustive_category_ids:
            table.not_exhaustive[len(ids)] = row.not_exhaustive_category_ids
        ids.append(row.id)
        width, height = (side if side is not None and side > 0 else None for side in (row.width, row.height))
        images.append(Image(image_name(row), width, height))
    table.images, table.index = tuple(images), IdIndex(unique_index(path, "image id", ids))
    unique_index(path, "image file_name", [image.file_name for image in images])
    return table


@dataclass(slots=True)
class Instances:
    """Annotations as columns while a file is read, part by part: what is good is kept, the rest counted."""

    path: Path
    image_index: IdIndex
    category_index: IdIndex
    parts: list[InstanceRows] = field(default_factory=list)
    attributes: dict[int, dict[str, Any]] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    unknown: dict[str, list[Id]] = field(default_factory=dict)
    seen: int = 0
    kept: int = 0
    repeats: int = 0

    def add(self, rows: Sequence[InstanceRow | None]) -> None:
        """Add the file's next annotations; None stands for one that can't be used, and was counted by others."""
        good = [row for row in rows if row is not None]
        columns = instance_columns(good, self.image_index, self.category_index)
        usable = np.array([row is not None for row in rows], dtype=np.bool_)
        places = (self.seen + np.flatnonzero(usable)).tolist()
        self.left_out += (self.seen + np.flatnonzero(~usable)).tolist()
        lost = (columns.image_of < 0) | (columns.category_of < 0)
        if lost.any():
            for row in np.flatnonzero(lost).tolist():
                self.left_out.append(places[row])
                what = "image" if columns.image_of[row] < 0 else "category"
                one = good[row]
                self.unknown.setdefault(what, []).append(one.image_id if what == "image" else one.category_id)
            good = [row for row, gone in zip(good, lost.tolist(), strict=True) if not gone]
            columns = columns.where(~lost)
        self.attributes |= {self.kept + number: row.attributes for number, row in enumerate(good) if row.attributes}
        self.parts.append(columns)
        self.seen += len(rows)
        self.kept += len(good)

    def columns(self) -> InstanceRows:
        """All of them. The parts are used up. Raises HopeBenchError where every annotation names what the file doesn't define,
        and where category ids seem to be counted from another number than the annotations'."""
        if self.unknown and not self.kept:
            what, ids = next(iter(self.unknown.items()))
            raise HopeBenchError(
                f"{self.path}: {unknown_ids(what, ids, range(len(ids)))}. "
                f"Add them to its {'categories' if what == 'category' else 'images'}, or remove those annotations."
            )
        rows = InstanceRows(**{name: self._joined(name) for name in InstanceRows.__slots__})
        used = frozenset(np.unique(rows.category_of).tolist())
        known = {one: place in used for one, place in self.category_index.exact.items() if isinstance(canonical(one), int)}
        check_first_number(self.path, known, self.unknown.get("category", ()), self.seen)
        return self._once(rows)

    def _once(self, rows: InstanceRows) -> InstanceRows:
        """Rows without those that an exporter wrote again: one object would be counted twice."""
        again = repeated_rows(rows)
        if not again.size:
            return rows
        self.repeats = again.size
        kept = np.ones(len(rows.image_of), dtype=np.bool_)
        kept[again] = False
        places = np.setdiff1d(np.arange(self.seen), np.array(self.left_out, dtype=np.int64))
        self.left_out += places[again].tolist()
        position = np.cumsum(kept) - 1
        self.attributes = {int(position[row]): held for row, held in self.attributes.items() if kept[row]}
        return rows.where(kept)

    def _joined(self, name: str) -> Any:
        """One column of all parts; the parts let go of it, so that only one column is ever held twice."""
        if len(self.parts) == 1:
            return getattr(self.parts[0], name)
        parts = self.parts or [instance_columns([], self.image_index, self.category_index)]
        column = np.concatenate([getattr(part, name) for part in parts])
        for part in parts:
            setattr(part, name, None)
        return column

    def problems(self) -> list[str]:
        """What was left out because of ids that the file doesn't define, or since it is there before, in words."""
        told = [
            f"{self.path.name}: {unknown_ids(what, ids, range(len(ids)))}, and are left out."
            for what, ids in self.unknown.items()
        ]
        if self.repeats:
            again = counted(self.repeats, "annotation repeats", "annotations repeat")
            told.append(f"{self.path.name}: {again} one before it, box and category alike, and counts once.")
        return told


def instance_columns(rows: Sequence[InstanceRow], image_index: IdIndex, category_index: IdIndex) -> InstanceRows:
    """Annotations as columns, -1 where one names an unknown image or category."""
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which no box can be
        boxes = np.fromiter(chain.from_iterable([row.bbox for row in rows]), np.float32, 4 * len(rows)).reshape(len(rows), 4)
        areas = np.array([row.area for row in rows], dtype=np.float32)  # None is NaN
    return InstanceRows(
        image_of=image_index.find([row.image_id for row in rows]),
        category_of=category_index.find([row.category_id for row in rows]),
        boxes=boxes,
        areas=areas,
        crowd=np.array([row.iscrowd for row in rows], dtype=np.bool_),
    )


def supercategories(categories: Sequence[CategoryRow]) -> Mapping[str, tuple[str, ...]]:
    """The category that a category's supercategory is, by name, where it is one of the file's own (Roboflow puts one first)."""
    names = {" ".join(category.name.casefold().split()): category.name for category in categories}
    found = {one.name: names.get(" ".join((one.supercategory or "").casefold().split())) for one in categories}
    return {name: (above,) for name, above in found.items() if above is not None and above != name}
