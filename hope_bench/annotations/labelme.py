"""LabelMe: one JSON file per picture with its shapes, read with supervision."""

from __future__ import annotations

import posixpath
import warnings
from codecs import BOM_UTF8
from collections.abc import Sequence
from math import inf
from pathlib import Path, PureWindowsPath
from typing import Any

import msgspec

from hope_bench.annotations.collected import Collected, corners_as_boxes, parsers
from hope_bench.annotations.segments import NO_BOX, Box, number
from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, read_bytes
from hope_bench.records import Annotations, Image

_LARGE = 1 << 27
"""One picture's file is smaller, even with the picture in it."""
_BOXED = ("rectangle", "polygon")
_LABEL, _BESIDES = {"label": "x"}, ({"x": 0}, (1, 1), False)
"""What supervision wants to know besides, and no box depends on: one label for all, its number, a size, and no masks."""


def is_labelme(path: Path) -> bool:
    """Whether a folder, or one in it, holds LabelMe's files."""
    found = sorted(path.glob("*.json")) or sorted(path.glob("*/*.json"))
    return any(_is_one(file) for file in found[:3] if file.stat().st_size < _LARGE)


def _is_one(file: Path) -> bool:
    data = _decoded(file)
    return isinstance(data, dict) and {"shapes", "imagePath"} <= data.keys()


def _decoded(file: Path) -> Any:
    try:
        return decode(read_bytes(file).removeprefix(BOM_UTF8), Any)
    except (HopeBenchError, msgspec.DecodeError):
        return None


def labelme_files(path: Path) -> tuple[Path, ...]:
    """A folder's JSON files."""
    return tuple(sorted(path.rglob("*.json")))


def read_labelme(path: Path) -> Annotations:
    """Read a folder of LabelMe files.

    A picture's file is what `imagePath` says, relative to its JSON file. Rectangles, polygons and masks give boxes; shapes of one
    label and group are one object; objects of other shapes are present without a box. Files and shapes that can't be read are
    left out and counted. Raises HopeBenchError where none can be used.
    """
    labelme = parsers("labelme")
    collected = Collected(path)
    files = labelme_files(path)
    for file in files:
        data, name = _decoded(file), file.relative_to(path).as_posix()
        if not isinstance(data, dict) or not isinstance(data.get("shapes"), list) or not data.get("imagePath"):
            collected.leave_out("file left out: not LabelMe's", name)
            continue
        width, height = (number(data.get(f"image{side}")) for side in ("Width", "Height"))
        size = (round(width), round(height)) if 1 <= width < inf and 1 <= height < inf else (None, None)
        picture = posixpath.join(posixpath.dirname(name), PureWindowsPath(str(data["imagePath"])).as_posix())
        collected.add_image(Image(posixpath.normpath(picture), *size))
        for label, shapes in _objects(data["shapes"]):
            if label:
                collected.add(label, _box(labelme, shapes))
            else:
                collected.leave_out("shape left out, without a label", name)
    if not files:
        raise HopeBenchError(f"{path} holds no JSON files.")
    return collected.annotations("pixels")


def _objects(shapes: Sequence[Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each object's label and shapes, in the file's order: those of one label and group are one."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for shape in shapes:
        given = shape if isinstance(shape, dict) else {}
        label, group = str(given.get("label") or "").strip(), given.get("group_id")
        if label and group is not None and (label, str(group)) in groups:
            groups[label, str(group)].append(given)
            continue
        own = [given]
        found.append((label, own))
        if group is not None:
            groups[label, str(group)] = own
    return found


def _box(labelme: Any, shapes: Sequence[dict[str, Any]]) -> Box:
    """The box around an object's shapes, NO_BOX where one of them has none."""
    boxed = [{**one, "shape_type": "rectangle"} if one.get("shape_type") == "mask" else one for one in shapes]
    if any(one.get("shape_type", "polygon") not in _BOXED for one in boxed):
        return NO_BOX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = labelme.labelme_shapes_to_detections([{"shape_type": "polygon", **one, **_LABEL} for one in boxed], *_BESIDES)
    except (ValueError, TypeError, OverflowError, Warning):
        return NO_BOX
    boxes = corners_as_boxes(found.xyxy)
    return boxes[0] if len(boxes) == 1 else NO_BOX
