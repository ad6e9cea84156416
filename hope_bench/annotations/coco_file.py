"""COCO-format instances files (COCO, LVIS, Objects365): their rows, decoded with msgspec, as columns.

Only the fields needed become Python objects. Layouts: cocodataset.org/#format-data, lvisdataset.org/dataset, and the
Objects365 v2 files zhiyuan_objv2_{train,val}.json.
"""

from __future__ import annotations

import mmap
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.annotations.columns import InstanceRows
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.records import Image, no_collector

Id = int | str

STREAM_ABOVE = 2 << 30
"""Files of more bytes are read as a stream: slower by the row, but never in memory as a whole."""

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


class _WholeFile(msgspec.Struct):
    images: list[ImageRow]
    annotations: list[InstanceRow]
    categories: list[CategoryRow]


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


def load_instances(path: Path) -> InstancesFile:
    """Decode a COCO-format instances file, as a stream where it is larger than STREAM_ABOVE.

    Raises HopeBenchError where the file isn't JSON or isn't such a file, an id or name occurs twice, or an annotation names an
    unknown image or category.
    """
    if path.stat().st_size > STREAM_ABOVE:
        from hope_bench.annotations.coco_stream import stream_instances

        return stream_instances(path)
    with no_collector():
        file = decode(path, _WholeFile, DESCRIPTION)
        category_index = index_categories(path, file.categories)
        images = image_table(path, file.images)
        rows = instance_rows(path, file.annotations, images.index, category_index)
        attributes = {row: given.attributes for row, given in enumerate(file.annotations) if given.attributes}
        made = InstancesFile(path, file.categories, category_index, images, rows, attributes)
        del file  # before the collector is back and looks at each of its objects
    return made


_File = TypeVar("_File")


def decode(path: Path, kind: type[_File], description: str) -> _File:
    """A JSON file as `kind`. Raises HopeBenchError naming the file, the place and what to do."""
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
            no_collector(),
        ):
            marked = data[: len(BOM_UTF8)] == BOM_UTF8  # as Windows programs write it
            return msgspec.json.decode(view[len(BOM_UTF8) :] if marked else view, type=kind)
    except msgspec.ValidationError as error:
        raise HopeBenchError(f"{path} is JSON, but not {description}: {error}.") from None
    except msgspec.DecodeError as error:
        raise not_json(path, str(error)) from None
    except ValueError:
        raise HopeBenchError(f"{path} is empty.") from None  # an empty file can't be mapped
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None


def not_json(path: Path, words: str) -> HopeBenchError:
    """Why a file can't be read as JSON, and what to do."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    if packed:
        return HopeBenchError(f"{path} is compressed. Unpack it (gunzip) and name the file that comes out.")
    return HopeBenchError(f"{path} is not JSON ({words}). If it was downloaded, it may be cut off: get it again.")


def index_categories(path: Path, categories: Sequence[CategoryRow]) -> dict[Id, int]:
    """Category index by id; ids and names must be unique, and there must be a name."""
    nameless = [repr(category.id) for category in categories if not category.name.strip()]
    if nameless:
        raise HopeBenchError(f"{path}: {len(nameless)} categories have no name (ids {first_few(nameless)}). Give each its name.")
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


def unique_index(path: Path, what: str, values: Sequence[Id]) -> dict[Id, int]:
    """Position by value. Raises HopeBenchError where a value occurs twice."""
    index = {value: position for position, value in enumerate(values)}
    if len(index) < len(values):
        twice = [repr(value) for value, count in Counter(values).items() if count > 1]
        raise HopeBenchError(f"{path}: {len(twice)} {what}(s) occur more than once ({first_few(twice)}). Each must be unique.")
    return index


def look_up(path: Path, what: str, ids: Sequence[Id], index: dict[Id, int]) -> NDArray[np.int32]:
    """The index of each id. Raises HopeBenchError listing unknown ones."""
    found = np.fromiter(map(index.get, ids, repeat(-1)), dtype=np.int32, count=len(ids))
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        names = dict.fromkeys(repr(ids[row]) for row in unknown.tolist())
        raise HopeBenchError(
            f"{path}: {unknown.size} annotation(s) name {len(names)} {what} id(s) it does not define ({first_few(names)}). "
            f"Add them to its {'categories' if what == 'category' else 'images'}, or remove those annotations."
        )
    return found
