"""COCO-format instances files too large for memory (Objects365 train: 1.7 million images, 25 million boxes), read with ijson."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import ijson
import msgspec
import numpy as np

from hope_bench.annotations.coco_rows import (
    DESCRIPTION,
    CategoryRow,
    ImageRow,
    InstanceRow,
    InstancesFile,
    image_table,
    index_categories,
    instance_rows,
)
from hope_bench.annotations.columns import InstanceRows
from hope_bench.annotations.ids import Id
from hope_bench.annotations.json_file import not_json
from hope_bench.errors import HopeBenchError, counted
from hope_bench.records import no_collector

_BATCH = 10_000

_Row = TypeVar("_Row")


def stream_instances(path: Path) -> InstancesFile:
    """The same as decoding the whole file, in memory that grows with the columns only.

    Goes through the file three times, for its keys may come in any order. Raises HopeBenchError as `load_instances` does.
    """
    with no_collector():
        categories = [row for batch in _batches(path, "categories", CategoryRow) for row in batch]
        category_index = index_categories(path, categories)
        images = image_table(path, (row for batch in _batches(path, "images", ImageRow) for row in batch))
        if not categories or not images.images:
            raise HopeBenchError(f"{path} is JSON, but not {DESCRIPTION}: it lists no categories or no images.")
        rows, attributes = _stream_rows(path, images.index, category_index)
    return InstancesFile(path, categories, category_index, images, rows, attributes)


def _stream_rows(
    path: Path, image_index: dict[Id, int], category_index: dict[Id, int]
) -> tuple[InstanceRows, dict[int, dict[str, Any]]]:
    parts: list[InstanceRows] = []
    attributes: dict[int, dict[str, Any]] = {}
    for batch in _batches(path, "annotations", InstanceRow):
        start = len(parts) * _BATCH
        parts.append(instance_rows(path, batch, image_index, category_index))
        attributes |= {start + row: given.attributes for row, given in enumerate(batch) if given.attributes}
    return InstanceRows(**{name: _joined(parts, name) for name in InstanceRows.__slots__}), attributes


def _joined(parts: list[InstanceRows], name: str) -> Any:
    """One column of all parts; the parts let go of it, so that only one column is ever held twice."""
    column = np.concatenate([getattr(part, name) for part in parts])
    for part in parts:
        setattr(part, name, None)
    return column


def _batches(path: Path, key: str, kind: type[_Row]) -> Iterator[list[_Row]]:
    """The rows of one of the file's lists, validated, _BATCH at a time."""
    done = 0
    try:
        with path.open("rb") as stream:
            if stream.read(len(BOM_UTF8)) != BOM_UTF8:
                stream.seek(0)
            rows = ijson.items(stream, f"{key}.item", use_float=True)
            while batch := list(islice(rows, _BATCH)):
                yield msgspec.convert(batch, list[kind])  # type: ignore[valid-type]
                done += len(batch)
    except msgspec.ValidationError as error:
        raise HopeBenchError(f"{path} is JSON, but not {DESCRIPTION}: {error}, after {counted(done, 'row')} of {key}.") from None
    except ijson.JSONError as error:
        words = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise not_json(path, words) from None
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None
