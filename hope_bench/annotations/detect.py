"""Which format annotations have, told from the files themselves."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from hope_bench.annotations.csv_file import csv_header
from hope_bench.annotations.hf_source import is_hf_dataset
from hope_bench.annotations.known_tools import another_tool, is_packed
from hope_bench.annotations.labelme import is_labelme
from hope_bench.annotations.open_images import BOX_COLUMNS, LABEL_COLUMNS
from hope_bench.annotations.voc import is_voc
from hope_bench.annotations.yolo import classes_of, yaml_of
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.reading import no_text, open_bytes, reading
from hope_bench.files.spec import NamedFormat

_MAYBE_OURS = (".json", ".jsonl", ".csv", ".parquet")
"""Endings of files whose insides tell more."""

_LONGEST_LINE, _FOLLOWING, _FIRST_KEYS, _FIRST_ENTRY = 1 << 20, 1 << 10, 1 << 12, 1 << 16
"""Bytes that are looked at: of a first line, after it, and where COCO's first keys and Visual Genome's first entry lie."""
_MOST_FILES = 50
"""Files of a folder that are looked into for COCO's keys."""


def detect_format(path: Path) -> NamedFormat:
    """The format of a file or folder ("coco" for LVIS too: they differ in their images only).

    Raises HopeBenchError for a folder or CSV file of no known format, another tool's file, and an empty list; every other file
    that is no object list is taken for COCO's, whose reader explains itself.
    """
    with reading(path):
        return _detect(path)


def _detect(path: Path) -> NamedFormat:
    if path.is_dir():
        return _detect_folder(path)
    if is_hf_dataset(path):
        return "hf-dataset"
    if yaml_of(path) is not None:
        return "yolo"
    if _is_open_images(path):
        return "open-images"
    if path.suffix.lower() not in _MAYBE_OURS and (named := another_tool(path)) is not None:
        raise HopeBenchError(named)
    with open_bytes(path) as stream:
        line = stream.readline(_LONGEST_LINE)
        following = stream.read(_FOLLOWING)
    utf16 = line.startswith((BOM_UTF16_LE, BOM_UTF16_BE))  # as PowerShell writes JSON: that is read
    if not utf16 and (error := no_text(line + following, path)) is not None:
        raise error
    line = line.removeprefix(BOM_UTF8)
    if re.match(rb"\s*\[\s*\]", line + following):
        raise HopeBenchError(f"{path} holds an empty list: no annotations, of whatever format. Name the file that has them.")
    if line.lstrip().startswith(b"["):
        if _is_visual_genome(path):
            return "visual-genome"
        raise HopeBenchError(
            another_tool(path)
            or f"{path} is a list, as no format that is read has it but Visual Genome's objects.json (image_id, objects). "
            "Export COCO (object detection) from the tool that wrote it."
        )
    if _is_object_list(line):
        return "object-list"
    if not line.lstrip().startswith(b"{") and (named := another_tool(path)) is not None:
        raise HopeBenchError(named)
    if path.suffix.lower() == ".csv":
        raise HopeBenchError(
            f"{path} is no Open Images CSV: its first line lacks {', '.join(BOX_COLUMNS)} (boxes) or "
            f"{', '.join(LABEL_COLUMNS)} (image labels)."
        )
    return "coco"


def _detect_folder(folder: Path) -> NamedFormat:
    if is_hf_dataset(folder):
        return "hf-dataset"
    if (folder / "objects.json").is_file():
        return "visual-genome"
    if any(_is_open_images(file) for file in sorted(folder.glob("*.csv"))):
        return "open-images"
    if yaml_of(folder) is not None:
        return "yolo"
    if is_voc(folder):
        return "voc"
    if is_labelme(folder):
        return "labelme"
    if classes_of(folder) is not None:
        return "yolo"
    for file in _likely(folder):
        if (named := another_tool(file)) is not None:
            raise HopeBenchError(f"{folder} holds no annotations known by folder, but {named}")
    packed = [file for file in sorted(folder.iterdir()) if file.is_file() and is_packed(file)]
    if packed:
        raise HopeBenchError(f"{folder} holds no annotations known by folder, but {another_tool(packed[0])}")
    listed = [file.relative_to(folder).as_posix() for file in _coco_files(folder)]
    found = f" It holds {first_few(listed, 3)}." if listed else ""
    raise HopeBenchError(
        f"{folder} holds no annotations known by folder: a saved Hugging Face dataset, an imagefolder (pictures and a "
        "metadata.jsonl) or parquet files, Visual Genome's objects.json, Open Images' CSV files, YOLO's data.yaml, or Pascal "
        f"VOC's or LabelMe's files. For COCO, LVIS, Objects365 or an object list, name the file itself.{found}"
    )


def _likely(folder: Path) -> list[Path]:
    """Files that may tell whose folder this is."""
    names = (
        "meta.json",
        "samples.json",
        "labels.json",
        "obj.names",
        "annotations.xml",
        "*.xml",
        "*.json",
        "*.csv",
        "*.txt",
        "*.tfrecord",
    )
    inner = [file for name in names for at in ("", "*/", "annotations/", "*/ann/") for file in sorted(folder.glob(at + name))[:1]]
    return list(dict.fromkeys(inner))


def _coco_files(folder: Path) -> list[Path]:
    """JSON files that say they are COCO's in their first keys."""
    found = sorted(folder.glob("*.json")) + sorted(folder.glob("*/*.json"))
    return [file for file in found[:_MOST_FILES] if _says_coco(file)]


def _says_coco(file: Path) -> bool:
    with open_bytes(file) as stream:
        head = stream.read(_FIRST_KEYS)
    return any(key in head for key in (b'"images"', b'"annotations"', b'"info"'))


def _is_visual_genome(path: Path) -> bool:
    """Whether a list's first entry is one of objects.json."""
    with open_bytes(path) as stream:
        head = stream.read(_FIRST_ENTRY)
    return b'"objects"' in head and b'"image_id"' in head


def _is_open_images(file: Path) -> bool:
    header = set(csv_header(file))
    return set(BOX_COLUMNS) <= header or set(LABEL_COLUMNS) <= header


def _is_object_list(line: bytes) -> bool:
    """Whether a first line alone is a JSON object with POPE's two keys."""
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and {"image", "objects"} <= first.keys()
