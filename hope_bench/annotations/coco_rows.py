"""The rows of COCO-format instances files (COCO, LVIS, Objects365), checked and turned into columns.

Only the fields needed become Python objects. Layouts: cocodataset.org/#format-data, lvisdataset.org/dataset, and the
Objects365 v2 files zhiyuan_objv2_{train,val}.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hope_bench.annotations.columns import InstanceRows
from hope_bench.annotations.ids import Id, look_up, unique_index
from hope_bench.errors import HopeBenchError, counted, first_few
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
    """One of the file's annotations."""

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
    index: dict[Id, int]
    negative: dict[int, list[Id]] | None = None
    not_exhaustive: dict[int, list[Id]] = field(default_factory=dict)


@dataclass(slots=True)
class InstancesFile:
    """A decoded file; `attributes` are keyed by row of `rows`."""

    path: Path
    categories: list[CategoryRow]
    category_index: dict[Id, int]
    images: ImageTable
    rows: InstanceRows
    attributes: dict[int, dict[str, Any]]


def index_categories(path: Path, categories: Sequence[CategoryRow]) -> dict[Id, int]:
    """Category index by id; ids and names must be unique, and there must be a name."""
    nameless = [repr(category.id) for category in categories if not category.name.strip()]
    if nameless:
        raise HopeBenchError(
            f"{path}: {counted(len(nameless), 'category has', 'categories have')} no name (ids "
            f"{first_few(nameless)}). Give each its name."
        )
    unique_index(path, "category name", [category.name for category in categories])
    return unique_index(path, "category id", [category.id for category in categories])


def image_table(path: Path, rows: Iterable[ImageRow]) -> ImageTable:
    """The images; their ids and file names must be unique. LVIS v1 names images by URL: the last two parts are the file."""
    table = ImageTable((), {})
    ids: list[Id] = []
    images: list[Image] = []
    for row in rows:
        name = row.file_name or "/".join((row.coco_url or "").rsplit("/", 2)[-2:])
        if not name:
            raise HopeBenchError(f"{path}: image {row.id!r} has neither file_name nor coco_url. Give each image its file_name.")
        if row.neg_category_ids is not None:
            table.negative = {} if table.negative is None else table.negative
            table.negative[len(ids)] = row.neg_category_ids
        if row.not_exhaustive_category_ids:
            table.not_exhaustive[len(ids)] = row.not_exhaustive_category_ids
        ids.append(row.id)
        images.append(Image(name, row.width, row.height))
    table.images, table.index = tuple(images), unique_index(path, "image id", ids)
    unique_index(path, "image file_name", [image.file_name for image in images])
    return table


def instance_rows(
    path: Path, rows: Sequence[InstanceRow], image_index: dict[Id, int], category_index: dict[Id, int]
) -> InstanceRows:
    """Annotations as columns. Raises HopeBenchError where one names an unknown image or category."""
    areas = [np.nan if row.area is None else row.area for row in rows]
    return InstanceRows(
        image_of=look_up(path, "image", [row.image_id for row in rows], image_index),
        category_of=look_up(path, "category", [row.category_id for row in rows], category_index),
        boxes=np.fromiter(chain.from_iterable([row.bbox for row in rows]), np.float32, 4 * len(rows)).reshape(-1, 4),
        areas=np.array(areas, dtype=np.float32),
        crowd=np.array([row.iscrowd for row in rows], dtype=np.bool_),
    )
