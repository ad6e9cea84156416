"""What a COCO-format file itself shows, before any reader puts it right: boxes of other kinds, and ids of two types."""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hope_bench.annotations import detect_format
from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, read_bytes
from hope_bench.preparing.finding import SHOWN, Finding, Level

MOST_BYTES = 1 << 30
"""Larger files are not looked at as they are: they would be in memory as a whole."""

_STILL_PRESENT = "Their objects are present and counted; nothing is claimed of their places."

_EDGE = 1.0
"""Pixels by which a box may reach beyond its image: files round."""


def look_at_file(path: Path) -> Iterator[Finding]:
    """Findings on the boxes and ids of a COCO-format file; nothing for files of other formats and what isn't JSON."""
    rows = _rows(path)
    if rows is None:
        return
    images, annotations = rows
    sizes = {_plain(row.get("id")): (_number(row.get("width")), _number(row.get("height"))) for row in images}
    yield from _ids(images, annotations)
    missing: list[str] = []
    empty: list[str] = []
    outside: list[str] = []
    fractions = corners = boxes = 0
    for row in annotations:
        name = f"annotation {row.get('id', '?')}"
        box = _box(row.get("bbox"))
        if box is None:
            missing.append(name)
            continue
        boxes += 1
        x, y, third, fourth = box
        width, height = sizes.get(_plain(row.get("image_id")), (None, None))
        beyond = width is not None and height is not None and (
            min(x, y) < -_EDGE or x + third > width + _EDGE or y + fourth > height + _EDGE
        )  # fmt: skip
        if third <= 0 or fourth <= 0:
            empty.append(name)
        elif beyond:
            outside.append(name)
        fractions += min(box) >= 0 and max(box) <= 1
        fits = width is None or height is None or (third <= width + _EDGE and fourth <= height + _EDGE)
        corners += third > x and fourth > y and fits
    if missing:
        yield _listed("boxes_missing", "note", missing, "annotations have no usable box", _STILL_PRESENT)
    if boxes and fractions == boxes:
        what = f"all {boxes:,} boxes lie between 0 and 1: they are fractions"
        advice = "COCO's are pixels. Multiply them by the image's width and height."
        yield Finding("boxes_as_fractions", "wrong", boxes, what, advice)
    elif fractions:
        what, advice = f"{fractions:,} boxes lie between 0 and 1", "Are they fractions of the image among boxes in pixels?"
        yield Finding("boxes_as_fractions", "doubtful", fractions, what, advice)
    if outside and corners == boxes:
        advice = f"COCO's are x, y, width, height: read so, {len(outside):,} reach beyond their image."
        yield Finding("boxes_as_corners", "wrong", boxes, f"the {boxes:,} boxes are corners (x1, y1, x2, y2)", advice)
    elif outside:
        yield _listed("boxes_outside", "doubtful", outside, "boxes reach beyond their image", "They are cut to it.")
    if empty:
        yield _listed("boxes_empty", "note", empty, "boxes have no size", _STILL_PRESENT)


def _listed(key: str, level: Level, rows: Sequence[str], what: str, advice: str) -> Finding:
    return Finding(key, level, len(rows), f"{len(rows):,} {what}", advice, tuple(rows[:SHOWN]))


def _ids(images: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    known = {_hashable(row.get("id")) for row in images}
    alike = {_plain(one) for one in known}
    used = dict.fromkeys(_hashable(row.get("image_id")) for row in annotations)
    other = [repr(one) for one in used if one not in known and _plain(one) in alike]
    unknown = [repr(one) for one in used if _plain(one) not in alike]
    if other:
        yield Finding("ids_of_two_types", "doubtful", len(other), f"{len(other):,} image ids match only as text or as number",
                      "Write them as the images have them.", tuple(other[:3]))  # fmt: skip
    if unknown:
        yield Finding("ids_unknown", "wrong", len(unknown), f"{len(unknown):,} image ids of annotations are of no image",
                      "Add the images, or remove those annotations.", tuple(unknown[:3]))  # fmt: skip


def _rows(path: Path) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]] | None:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    try:
        if detect_format(path) not in ("coco", "lvis"):
            return None
        data = decode(read_bytes(path).removeprefix(BOM_UTF8), Any)
    except (HopeBenchError, msgspec.DecodeError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("images"), list) or not isinstance(data.get("annotations"), list):
        return None
    rows = [[row for row in data[key] if isinstance(row, dict)] for key in ("images", "annotations")]
    return rows[0], rows[1]


def _box(given: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(given, list) or len(given) != 4:
        return None
    numbers = [_number(one) for one in given]
    return None if None in numbers else (numbers[0], numbers[1], numbers[2], numbers[3])  # type: ignore[return-value]


def _number(given: Any) -> float | None:
    try:
        number = float(given)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _hashable(given: Any) -> Any:
    return given if isinstance(given, int | str | float) else repr(given)


def _plain(given: Any) -> str:
    """An id as text: 7, "7" and 7.0 are one, and so are "007" and 7."""
    text = str(given).strip()
    number = _number(text)
    return str(int(number)) if number is not None and number == int(number) else text
