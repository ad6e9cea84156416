"""Which format annotations have, told from the files themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hope_bench.annotations.csv_file import csv_header
from hope_bench.annotations.hf_source import is_hf_dataset
from hope_bench.annotations.open_images import BOX_COLUMNS, LABEL_COLUMNS
from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import NamedFormat


def detect_format(path: Path) -> NamedFormat:
    """The format of a file or folder ("coco" for LVIS too: they differ in their images only). Raises HopeBenchError for a folder
    or CSV file of no known format, and for an empty list; every other file that is no object list is taken for COCO's, whose
    reader explains itself."""
    if path.is_dir():
        return _detect_folder(path)
    if is_hf_dataset(path):
        return "hf-dataset"
    if _is_open_images(path):
        return "open-images"
    with path.open("rb") as stream:
        line = stream.readline(1 << 20)
        following = stream.read(1 << 10)
    if re.match(rb"\s*\[\s*\]", line + following):
        raise HopeBenchError(f"{path} holds an empty list: no annotations, of whatever format. Name the file that has them.")
    if line.lstrip().startswith(b"["):
        return "visual-genome"
    if _is_object_list(line):
        return "object-list"
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
    raise HopeBenchError(
        f"{folder} holds no annotations known by folder: a saved Hugging Face dataset or parquet files, Visual Genome's "
        "objects.json, or Open Images' CSV files. For COCO, LVIS, Objects365 or an object list, name the file itself."
    )


def _is_open_images(file: Path) -> bool:
    header = set(csv_header(file))
    return set(BOX_COLUMNS) <= header or set(LABEL_COLUMNS) <= header


def _is_object_list(line: bytes) -> bool:
    """Whether a first line alone is a JSON object with POPE's two keys."""
    try:
        first = json.loads(line)
    except ValueError:
        return False
    return isinstance(first, dict) and {"image", "objects"} <= first.keys()
