"""Annotation files in, `Annotations` out: one module per format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from hope_bench.annotations.coco import read_coco
from hope_bench.annotations.object_list import read_object_list
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations

Format = Literal["auto", "coco", "object-list"]


def read_annotations(path: Path, format: Format = "auto", captions: Path | None = None) -> Annotations:
    """Read an annotation file; "auto" tells the format from the file itself.

    Raises HopeBenchError where a file is missing or isn't what it should be.
    """
    for file in (path, captions):
        if file is not None and not file.is_file():
            raise HopeBenchError(f"{file} does not exist or is not a file.")
    if format == "object-list" or (format == "auto" and _is_object_list(path)):
        if captions is not None:
            raise HopeBenchError(f"{captions}: captions go with COCO annotations, but {path} is an object list.")
        return read_object_list(path)
    return read_coco(path, captions)


def _is_object_list(path: Path) -> bool:
    """Whether the first line alone is a JSON object with POPE's two keys."""
    with path.open("rb") as stream:
        line = stream.readline(1 << 20)
    try:
        first = json.loads(line)
    except ValueError:
        return False
    return isinstance(first, dict) and {"image", "objects"} <= first.keys()
