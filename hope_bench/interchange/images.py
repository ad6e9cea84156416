"""Image files on their way into another tool's files."""

from __future__ import annotations

import io
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.images import UnreadableImageError, decode_rgb, read_image_bytes, shown_by_all


def image_names(benchmark: Benchmark) -> list[str]:
    """Every image that a question is about, once. Their names were checked when the benchmark was read (`files.names`)."""
    return list(dict.fromkeys(question.image for questions in benchmark.splits.values() for question in questions))


def image_bytes(folder: Path, name: str) -> bytes:
    """An image file's bytes, as they are. Raises HopeBenchError: an export with a hole in it would be another benchmark."""
    try:
        return read_image_bytes(folder / name)
    except UnreadableImageError as error:
        raise HopeBenchError(f"{folder / name}: {error}. Is {folder} the benchmark's image folder?") from None


def shown_bytes(folder: Path, name: str) -> bytes:
    """An image file for a tool that opens it and takes its RGB: as it is where that shows what hope-bench shows, else a PNG of
    what hope-bench shows, such as of pictures that are turned by EXIF or transparent. Raises HopeBenchError."""
    data = image_bytes(folder, name)
    if shown_by_all(data):
        return data
    try:
        picture = decode_rgb(data)
    except UnreadableImageError as error:
        raise HopeBenchError(f"{folder / name}: {error}. Replace the file, or leave its questions out.") from None
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    return encoded.getvalue()
