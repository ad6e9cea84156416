"""COCO instances and captions files, decoded with msgspec: only the fields needed become Python objects."""

from __future__ import annotations

import gc
import mmap
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.records import Annotations, Category, Image

Id = int | str


class _Category(msgspec.Struct, gc=False):
    id: Id
    name: str
    supercategory: str | None = None


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: int | None = None
    height: int | None = None


class _Instance(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: bool | int = 0
    attributes: dict[str, Any] | None = None


class _InstancesFile(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Instance]
    categories: list[_Category]


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _CaptionsFile(msgspec.Struct):
    annotations: list[_Caption]


_File = TypeVar("_File", _InstancesFile, _CaptionsFile)


def read_coco(path: Path, captions: Path | None = None) -> Annotations:
    """Read a COCO instances file (and a captions file for the same images).

    Crowd regions (`iscrowd`) are kept and marked; `attributes` are kept as written. Captions of images that the instances file
    does not list are left out. Raises HopeBenchError where the file isn't JSON or isn't such a file, an id or name occurs
    twice, or an annotation names an unknown image or category.
    """
    file = _decode(
        path, _InstancesFile, "a COCO instances file (images, annotations with image_id, category_id and bbox, categories)"
    )
    category_index = _index(path, "category id", [category.id for category in file.categories])
    _index(path, "category name", [category.name for category in file.categories])
    image_index = _index(path, "image id", [image.id for image in file.images])
    _index(path, "image file_name", [image.file_name for image in file.images])
    image_of = _look_up(path, "image", [row.image_id for row in file.annotations], image_index)
    category_of = _look_up(path, "category", [row.category_id for row in file.annotations], category_index)

    rows = file.annotations
    order = np.argsort(image_of, kind="stable")
    position = np.argsort(order)
    boxes = np.fromiter(chain.from_iterable([row.bbox for row in rows]), np.float32, 4 * len(rows)).reshape(-1, 4)
    areas = np.array([row.bbox[2] * row.bbox[3] if row.area is None else row.area for row in rows], dtype=np.float32)
    crowd = np.array([row.iscrowd for row in rows], dtype=np.bool_)
    return Annotations(
        categories=tuple(Category(category.name, category.supercategory) for category in file.categories),
        images=tuple(Image(image.file_name, image.width, image.height) for image in file.images),
        starts=np.searchsorted(image_of[order], np.arange(len(file.images) + 1)).astype(np.int64),
        category_of=category_of[order],
        crowd=crowd[order],
        boxes=boxes[order],
        areas=areas[order],
        attributes={int(position[index]): row.attributes for index, row in enumerate(rows) if row.attributes},
        captions={} if captions is None else _read_captions(captions, image_index),
    )


def _decode(path: Path, kind: type[_File], description: str) -> _File:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data, _no_collector():
            return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise HopeBenchError(f"{path} is JSON, but not {description}: {error}.") from None
    except msgspec.DecodeError as error:
        raise HopeBenchError(f"{path} is not JSON ({error}). If it was downloaded, it may be cut off: get it again.") from None
    except ValueError:
        raise HopeBenchError(f"{path} is empty.") from None  # an empty file can't be mapped
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None


@contextmanager
def _no_collector() -> Iterator[None]:
    """Hundreds of thousands of small objects are made and none is garbage: collector passes would only re-scan them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _index(path: Path, what: str, values: Sequence[Id]) -> dict[Id, int]:
    index = {value: position for position, value in enumerate(values)}
    if len(index) < len(values):
        twice = [repr(value) for value, count in Counter(values).items() if count > 1]
        raise HopeBenchError(f"{path}: {len(twice)} {what}(s) occur more than once ({first_few(twice)}). Each must be unique.")
    return index


def _look_up(path: Path, what: str, ids: Sequence[Id], index: dict[Id, int]) -> NDArray[np.int32]:
    found = np.fromiter(map(index.get, ids, repeat(-1)), dtype=np.int32, count=len(ids))
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        names = dict.fromkeys(repr(ids[row]) for row in unknown.tolist())
        raise HopeBenchError(
            f"{path}: {unknown.size} annotation(s) name {len(names)} {what} id(s) it does not define ({first_few(names)}). "
            f"Add them to its {'categories' if what == 'category' else 'images'}, or remove those annotations."
        )
    return found


def _read_captions(path: Path, image_index: dict[Id, int]) -> dict[int, tuple[str, ...]]:
    file = _decode(path, _CaptionsFile, "a COCO captions file (annotations with image_id and caption)")
    captions: dict[int, list[str]] = {}
    for row in file.annotations:
        if row.image_id in image_index:
            captions.setdefault(image_index[row.image_id], []).append(row.caption)
    if file.annotations and not captions:
        raise HopeBenchError(f"{path}: none of its {len(file.annotations)} captions is for an image of the instances file.")
    return {image: tuple(texts) for image, texts in captions.items()}
