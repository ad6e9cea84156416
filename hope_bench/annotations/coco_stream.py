"""COCO-format instances files too large for memory (Objects365 train: 1.7 million images, 25 million boxes), read with ijson."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import ijson
import msgspec
import numpy as np

from hope_bench.annotations.coco_entries import KINDS, LISTS, BadEntries, Key, is_placeholder, rows_of
from hope_bench.annotations.coco_joined import made_of
from hope_bench.annotations.coco_rows import DESCRIPTION, InstancesFile
from hope_bench.annotations.json_file import not_json
from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import reading
from hope_bench.records import no_collector

_BATCH = 10_000


def stream_instances(path: Path) -> InstancesFile:
    """The same as decoding the whole file, in memory that grows with the columns only.

    Goes through the file three times, for its keys may come in any order. Raises HopeBenchError as `load_instances` does.
    """
    with no_collector():
        bad: dict[Key, BadEntries] = {key: BadEntries(key) for key in KINDS}
        categories = [row for batch in _batches(path, "categories", bad) for row in batch]
        images = [row for batch in _batches(path, "images", bad) for row in batch]
        if not categories or not images:
            raise HopeBenchError(f"{path} is JSON, but not {DESCRIPTION}: it lists no categories or no images.")
        return made_of(path, categories, images, _batches(path, "annotations", bad), bad)


def _batches(path: Path, key: Key, bad: dict[Key, BadEntries]) -> Iterator[list[Any]]:
    """The rows of one of the file's lists, _BATCH at a time; None for those that can't be used."""
    done = 0
    try:
        with reading(path), path.open("rb") as stream:
            if stream.read(len(BOM_UTF8)) != BOM_UTF8:
                stream.seek(0)
            entries = ijson.items(_Shallow(stream, path), f"{key}.item", use_float=True)
            while batch := list(islice(entries, _BATCH)):
                yield _rows(key, batch, done, bad[key])
                done += len(batch)
    except ijson.JSONError as error:
        said = error.args[0]  # bytes where it shows some that are no text
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise not_json(path, words.partition("\n")[0]) from None


def _rows(key: Key, batch: list[Any], start: int, bad: BadEntries) -> list[Any]:
    try:
        rows: list[Any] = msgspec.convert(batch, LISTS[key])
    except msgspec.ValidationError:
        return rows_of(key, batch, start, bad)
    if any(map(is_placeholder, rows)):
        return rows_of(key, batch, start, bad)
    return rows


_DEEPEST = 1000
"""Levels of lists and objects; Python's own limit is about this."""
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))


class _Shallow:
    """A JSON file's bytes, as long as they aren't nested deeply: ijson keeps every level's whole path, in the square of them."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._path = stream, path
        self._depth, self._in_text, self._left = 0, 0, b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises HopeBenchError where they are nested too deeply."""
        data = self._stream.read(size)
        plain = _ESCAPED.sub(b"", self._left + data)
        self._left = b"\\" if plain.endswith(b"\\") else b""  # half of an escape
        parts = plain.translate(None, _NO_MARKS).split(b'"')
        marks = np.frombuffer(b"".join(parts[self._in_text :: 2]), dtype=np.uint8)
        if len(parts) % 2 == 0:  # an odd number of quotes
            self._in_text = 1 - self._in_text
        depth = self._depth + np.cumsum(np.where((marks == ord("[")) | (marks == ord("{")), 1, -1))
        if len(depth):
            self._depth = int(depth[-1])
            if depth.max() > _DEEPEST:
                raise HopeBenchError(f"{self._path} can't be read: it is nested too deeply.")
        return data
