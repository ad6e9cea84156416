"""COCO-format instances files (COCO, LVIS, Objects365): decoded at once, or as a stream where they are large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hope_bench.annotations.coco_entries import KINDS, BadEntries, Key, is_placeholder, row_of
from hope_bench.annotations.coco_joined import made_of, no_coco_file
from hope_bench.annotations.coco_rows import CategoryRow, ImageRow, InstanceRow, InstancesFile
from hope_bench.annotations.json_file import decode_with_nan, json_text
from hope_bench.records import no_collector

STREAM_ABOVE = 2 << 30
"""Files of more bytes are read as a stream: slower by the row, but never in memory as a whole."""


class _WholeFile(msgspec.Struct):
    images: list[ImageRow]
    annotations: list[InstanceRow]
    categories: list[CategoryRow]


class _LooseFile(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]


class _Lists(msgspec.Struct):
    """A file's rows, None for entries that can't be used."""

    images: Sequence[ImageRow | None]
    annotations: Sequence[InstanceRow | None]
    categories: Sequence[CategoryRow | None]


def load_instances(path: Path) -> InstancesFile:
    """Decode a COCO-format instances file, as a stream where it is larger than STREAM_ABOVE.

    Entries that can't be used are left out and counted. Raises HopeBenchError where the file isn't JSON or isn't such a file, an
    id or name occurs twice, or none of its images, categories or annotations can be used.
    """
    if path.stat().st_size > STREAM_ABOVE:
        from hope_bench.annotations.coco_stream import stream_instances  # ijson, which few files need

        return stream_instances(path)
    with no_collector():
        made = _made(path, _at_once)
        # Where tools write four zeros for a box, there may be a polygon, which only a look at each entry sees.
        assert made.rows.boxes is not None
        if not made.rows.boxes.any(axis=1).all():
            made = _made(path, _one_by_one)
        return made


def _made(path: Path, lists: Callable[[Path, dict[Key, BadEntries]], _WholeFile | _Lists]) -> InstancesFile:
    bad: dict[Key, BadEntries] = {key: BadEntries(key) for key in KINDS}
    file = lists(path, bad)
    return made_of(path, file.categories, file.images, [file.annotations], bad)


def _at_once(path: Path, bad: dict[Key, BadEntries]) -> _WholeFile | _Lists:
    """The file's three lists, decoded at once where all entries are as COCO's are, else entry by entry."""
    with json_text(path) as text, suppress(msgspec.DecodeError):  # a row of another type, or no JSON
        file = msgspec.json.decode(text, type=_WholeFile)
        if not any(map(is_placeholder, file.images)):
            return file
    return _one_by_one(path, bad)


def _one_by_one(path: Path, bad: dict[Key, BadEntries]) -> _Lists:
    """The file's three lists, entry by entry."""
    with json_text(path) as text:
        try:
            return _loosely(msgspec.json.decode(text, type=_LooseFile), bad)
        except msgspec.ValidationError as error:
            raise no_coco_file(path, str(error)) from None
        except msgspec.DecodeError:
            plain = decode_with_nan(text)
            if plain is None:
                raise
            return _of_plain(path, plain, bad)


def _loosely(file: _LooseFile, bad: dict[Key, BadEntries]) -> _Lists:
    def rows(key: Key, entries: Sequence[msgspec.Raw]) -> list[Any]:
        strictly: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(KINDS[key]).decode
        found: list[Any] = []
        for place, raw in enumerate(entries, 1):
            try:
                row = strictly(raw)
            except msgspec.ValidationError:
                row = None
            if row is None or is_placeholder(row):
                row = row_of(key, msgspec.json.decode(raw), place, bad[key])
            found.append(row)
        return found

    return _Lists(rows("images", file.images), rows("annotations", file.annotations), rows("categories", file.categories))


def _of_plain(path: Path, plain: Any, bad: dict[Key, BadEntries]) -> _Lists:
    """A file that holds NaN, already decoded as dicts and lists."""
    if not isinstance(plain, dict) or not all(isinstance(plain.get(key), list) for key in KINDS):
        raise no_coco_file(path, "not an object with lists of images, annotations and categories")
    return _Lists(
        *(
            [row_of(key, entry, place, bad[key]) for place, entry in enumerate(plain[key], 1)]
            for key in ("images", "annotations", "categories")
        )
    )
