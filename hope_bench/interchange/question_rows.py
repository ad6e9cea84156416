"""Rows of questions from tables and Hugging Face datasets, wherever they lie: files, folders, or an id of the Hub."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.annotations.hf_source import load_saved, reading_dataset, sound
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.parquet import open_parquet, read_batches
from hope_bench.images import UnreadableImageError, open_picture
from hope_bench.interchange.tables import SUFFIXES, read_table

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_PICTURE = 500
"""A name is shorter than this, a picture written as text (base64) longer."""
_DATA = re.compile(r"data:image/|/9j/[A-Za-z0-9+/]{60}|iVBORw0KGgo|R0lGOD[A-Za-z0-9+/]{40}|UklGR[A-Za-z0-9+/]{40}")
"""How a picture written as text begins: a data URI, or JPEG, PNG, GIF and WebP in base64."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One row, its values as they are, and where it stands; `split` is the dataset's split it is in, "" where it has none."""

    where: str
    data: Mapping[str, Any]
    split: str
    file: Path


@dataclass(frozen=True, slots=True)
class Picture:
    """What a row has of its picture: the bytes, and a name; each None where it has none."""

    data: bytes | None
    name: str | None


def find_source(source: str | Path) -> Path:
    """A path as it is; an id of the Hub ("lmms-lab/POPE") as the folder that huggingface_hub keeps it in, downloaded if need be.

    Raises HopeBenchError for what is neither, and where the Hub can't be reached.
    """
    path = Path(source)
    if path.exists():
        return path
    if not _ID.fullmatch(str(source)):
        raise HopeBenchError(f"{source} does not exist, and is no id of the Hub (ORG/NAME).")
    from huggingface_hub import snapshot_download

    wanted = ["*.parquet", "*.jsonl", "*.json", "*.csv", "*.tsv"]
    try:
        return Path(snapshot_download(str(source), repo_type="dataset", allow_patterns=wanted))
    except Exception as error:  # noqa: BLE001  # offline, unknown, gated, no such revision: huggingface_hub's own words say which
        raise HopeBenchError(f"{source} is no file here, and the Hub doesn't give it: {short_reason(error)}.") from None


def question_files(path: Path) -> list[tuple[Path, str]]:
    """The files of a source that hold rows, each with the dataset's split that it is of ("" where its name tells none).

    Of a folder its parquet files, else those of its data/, else its tables. Raises HopeBenchError where there are none.
    """
    if path.is_file():
        return [(path, _split_of(path))]
    if any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return [(path, "")]
    for folder in (path, path / "data"):
        for pattern in ("*.parquet", *(f"*{suffix}" for suffix in SUFFIXES)):
            found = sorted(folder.glob(pattern))
            if found:
                return [(one, _split_of(one)) for one in found]
    raise HopeBenchError(f"{path} holds no parquet file and no table ({', '.join(SUFFIXES)}).")


def _split_of(path: Path) -> str:
    """The "test" of test-00000-of-00003.parquet."""
    return re.sub(r"-\d+-of-\d+$", "", path.stem) if re.search(r"-\d+-of-\d+$", path.stem) else ""


def read_rows(files: Sequence[tuple[Path, str]]) -> Iterator[QuestionRow]:
    """The rows of the files, one after the other, so that pictures need not all be in memory. Raises HopeBenchError."""
    for path, split in files:
        if path.is_dir():
            yield from _saved(path)
        elif path.suffix == ".parquet":
            yield from _parquet(path, split)
        else:
            yield from (QuestionRow(line.where, line.data, split, path) for line in read_table(path))


def _parquet(path: Path, split: str) -> Iterator[QuestionRow]:
    number = 0
    with reading_dataset(path), open_parquet(path) as opened:
        names = _class_names(opened.schema_arrow.metadata)
        for batch in read_batches(path, opened, 100):
            for row in batch.to_pylist():
                number += 1
                yield QuestionRow(f"{path}, row {number}", _with_names(row, names), split, path)


def _saved(path: Path) -> Iterator[QuestionRow]:
    import datasets

    with reading_dataset(path):
        held = load_saved(path)
        for split, data in held.items() if isinstance(held, datasets.DatasetDict) else [("", held)]:
            number, names = 0, _class_names(data.data.table.schema.metadata)
            for batch in data.data.table.to_batches(max_chunksize=100):
                for row in sound(batch).to_pylist():
                    number += 1
                    yield QuestionRow(f"{path}, {split} row {number}".replace(",  ", ", "), _with_names(row, names), split, path)


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """What the numbers of ClassLabel columns stand for, as datasets notes it in a file's schema: 0 may well be a yes."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(one) for one in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _with_names(row: dict[str, Any], names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    meant = {
        name: words[row[name]] for name, words in names.items() if isinstance(row.get(name), int) and 0 <= row[name] < len(words)
    }
    return {**row, **meant}


def picture_of(value: Any) -> Picture:
    """What an image's cell holds: a struct of bytes and path as datasets have it, bytes, base64 as VLMEvalKit's tables do, or a
    name; or a list of one of these."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, bytes):
        return Picture(value, None)
    if isinstance(value, dict):
        data, name = value.get("bytes"), value.get("path")
        return Picture(data if isinstance(data, bytes) else None, name if isinstance(name, str) and name else None)
    if isinstance(value, str) and (len(value) >= _PICTURE or _DATA.match(value)):
        try:
            return Picture(base64.b64decode(value.partition("base64,")[2] or value, validate=True), None)
        except ValueError:
            return Picture(None, None)
    return Picture(None, value if isinstance(value, str) and value else None)


def ending_of(data: bytes) -> str:
    """The ending that a picture's bytes call for: ".jpg", ".png"; "" for what is no picture."""
    try:
        with open_picture(io.BytesIO(data)) as picture:
            kind = (picture.format or "").lower()
    except UnreadableImageError:
        return ""
    return f".{'jpg' if kind == 'jpeg' else kind}"
