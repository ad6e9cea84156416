"""Pascal VOC: one XML file per picture, read with supervision. Boxes are whole pixels from 1 on, the last one included."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from hope_bench.annotations.collected import Collected, corners_as_boxes, each_or_none, parsers
from hope_bench.annotations.segments import NO_BOX, Box, number
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.records import Annotations, Image

_HEAD = 1 << 12
"""Bytes of a file that tell whose it is."""


def voc_files(path: Path) -> tuple[Path, tuple[Path, ...]]:
    """The folder that pictures are named relative to, and its XML files: those of Annotations/ where there is one."""
    inner = path / "Annotations"
    folder = inner if inner.is_dir() else path
    return folder, tuple(sorted(folder.rglob("*.xml")))


def is_voc(path: Path) -> bool:
    """Whether a folder holds Pascal VOC's XML files."""
    _, files = voc_files(path)
    if not files:
        return False
    with files[0].open("rb") as stream:
        return b"<annotation>" in stream.read(_HEAD).replace(b"<annotation verified", b"<annotation>")


def read_voc(path: Path) -> Annotations:
    """Read a folder of Pascal VOC files.

    A picture's file is named as its XML file, with the ending that `filename` gives. Files and objects that can't be read are
    left out and counted; an object without a box is present. Raises HopeBenchError where none can be used.
    """
    folder, files = voc_files(path)
    parse = _parser()
    voc = parsers("pascal_voc")
    collected = Collected(path)
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            root = parse(file).getroot()
        except Exception as error:  # noqa: BLE001 - defusedxml raises its own beside the parser's
            collected.leave_out("file left out: no XML", f"{name}: {short_reason(error, 80)}")
            continue
        if root.tag != "annotation":
            collected.leave_out("file left out: not Pascal VOC's", name)
            continue
        width, height = (number((root.findtext(f"size/{side}") or "").strip() or None) for side in ("width", "height"))
        ending = Path((root.findtext("filename") or "").strip().replace("\\", "/")).suffix
        known = 1 <= width < inf and 1 <= height < inf
        size = (round(width), round(height)) if known else (None, None)
        collected.add_image(Image(_picture(folder, Path(name).with_suffix(ending)), *size))
        _add_objects(collected, voc, root, name)
    if not files:
        raise HopeBenchError(f"{path} holds no XML files.")
    return collected.annotations("pixels")


def _picture(folder: Path, name: Path) -> str:
    """A picture's name from its annotations', which lie beside the folder of the pictures where there are several such pairs
    (VOC2007/Annotations, VOC2007/JPEGImages)."""
    parts = list(name.parts)
    if "Annotations" in parts[:-1]:
        place = parts.index("Annotations")
        if folder.joinpath(*parts[:place], "JPEGImages").is_dir():
            parts[place] = "JPEGImages"
    return "/".join(parts)


def _add_objects(collected: Collected, voc: Any, root: Any, name: str) -> None:
    objects = root.findall("object")
    for one in objects:
        for polygon in one.findall("polygon"):  # would be drawn as masks, pixel by pixel
            one.remove(polygon)
    parent = root.makeelement("annotation", {})

    def boxes(elements: Sequence[Any]) -> list[Box]:
        parent[:] = list(elements)
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which no box can be
            found, _ = voc.detections_from_xml_obj(parent, [], (1, 1))
        return corners_as_boxes(found.xyxy)

    for element, box, _ in each_or_none(boxes, objects):
        called = (element.findtext("name") or "").strip()
        if called:
            collected.add(called, NO_BOX if box is None else box)
        else:
            collected.leave_out("object left out, without a name", name)


def _parser() -> Any:
    parsers("pascal_voc")  # tells what to install
    from defusedxml.ElementTree import parse

    return parse
