"""Where a benchmark's images were when it was generated (BENCHMARK/images.json), so that nobody has to say it again."""

from __future__ import annotations

import os
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import reading
from hope_bench.files.validation import Strict, read_json
from hope_bench.provenance import write_text

_FILE = "images.json"


class Remembered(Strict):
    """images.json: the images' folder, relative to the benchmark's."""

    images: str


def remember_images(benchmark: Path, images: Path | None) -> None:
    """Write down the images' folder, relative to the benchmark's, so that both may be moved together; forget an earlier one where
    there is none, or none can be written relative to it (on another drive)."""
    file = benchmark / _FILE
    try:
        relative = None if images is None else Path(os.path.relpath(images.absolute(), benchmark.resolve())).as_posix()
    except ValueError:
        relative = None
    if relative is None:
        file.unlink(missing_ok=True)
    else:
        write_text(file, Remembered(images=relative).model_dump_json() + "\n")


def remembered_images(benchmark: Path) -> Path | None:
    """The folder that was written down, if it is still there."""
    file = benchmark / _FILE
    try:
        folder = benchmark.resolve() / read_json(file, Remembered).images
        with reading(file):
            return Path(os.path.relpath(folder)) if folder.is_dir() else None
    except HopeBenchError:  # never written, or by somebody else
        return None
