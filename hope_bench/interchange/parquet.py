"""A benchmark's splits as Parquet files that Hugging Face `datasets` reads, images included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hope_bench.files.benchmark import Benchmark
from hope_bench.interchange.images import image_bytes
from hope_bench.progress import progress_bar
from hope_bench.provenance import atomic_path, file_sha256
from hope_bench.records import Question

if TYPE_CHECKING:
    from datasets import Features

_COLUMNS = {
    "question_id": "int64", "image_file": "string", "text": "string", "label": "string", "strategy": "string", "object": "string",
    "distractor_score": "float64", "description": "string", "description_kind": "string", "twin_of": "int64", "risk": "float64",
    "evidence": "string", "found_by": "string",
}  # fmt: skip
"""Every field of a question; `image` is called image_file beside the picture itself, `evidence` is JSON."""
_IMAGES_A_GROUP = 32
_ONE_PAGE = 1 << 30


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One written split: the benchmark's name for it, and the one that `datasets` allows (letters, digits, underscores)."""

    split: str
    hub_split: str
    file: str
    rows: int
    sha256: str


def hub_split_names(splits: Sequence[str]) -> dict[str, str]:
    """A name that `datasets` allows for every split, each different: "content@siglip" -> "content_siglip"."""
    names: dict[str, str] = {}
    for split in splits:
        name = plain = re.sub(r"\W", "_", split, flags=re.ASCII)
        number = 2
        while name in names.values():
            name, number = f"{plain}_{number}", number + 1
        names[split] = name
    return names


def question_features(images: bool) -> Features:
    """The columns, in order; the picture stands first."""
    from datasets import Features, Image, Value

    columns = {name: Value(kind) for name, kind in _COLUMNS.items()}
    return Features({"image": Image(), **columns} if images else columns)


def write_parquet(benchmark: Benchmark, out: Path, images: Path | None) -> list[ParquetFile]:
    """Write `out`/data/SPLIT.parquet for every split; with the folder of the images, each row holds its picture.

    An image's questions share one copy of it in a split's file; every split's file holds its own, since `datasets` loads each
    alone. Raises HopeBenchError where an image can't be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = question_features(images is not None).arrow_schema
    written = []
    with progress_bar("Writing questions", sum(map(len, benchmark.splits.values()))) as advance:
        for split, hub_split in hub_split_names(list(benchmark.splits)).items():
            path = out / "data" / f"{hub_split}.parquet"
            with (
                atomic_path(path) as temporary,
                parquet.ParquetWriter(temporary, schema, compression="zstd", dictionary_pagesize_limit=_ONE_PAGE) as writer,
            ):
                for group in _groups(benchmark.splits[split]):
                    writer.write_table(pa.Table.from_pylist(list(_rows(group, images)), schema=schema))
                    advance(len(group))
            written.append(ParquetFile(split, hub_split, f"data/{path.name}", len(benchmark.splits[split]), file_sha256(path)))
    return written


def _groups(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """The questions in order, in groups about a few images each."""
    by_image = groupby(questions, key=lambda question: question.image)
    while group := [question for _, asked in islice(by_image, _IMAGES_A_GROUP) for question in list(asked)]:
        yield group


def _rows(questions: Sequence[Question], images: Path | None) -> Iterator[dict[str, Any]]:
    pictures: dict[str, Mapping[str, Any]] = {}
    for question in questions:
        row = asdict(question)
        name = row["image_file"] = row.pop("image")
        row["evidence"] = None if question.evidence is None else json.dumps(row["evidence"])
        if images is not None:
            if name not in pictures:
                pictures[name] = {"bytes": image_bytes(images, name), "path": name}
            row["image"] = pictures[name]
        yield row
