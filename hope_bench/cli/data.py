"""The data behind a benchmark, as commands find them: what flags name, else what its spec.toml names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.inference.images import check_images_folder
from hope_bench.spec import DatasetSpec, read_spec

if TYPE_CHECKING:
    from hope_bench.benchmark import Benchmark
    from hope_bench.records import Annotations


def find_images(benchmark: Benchmark, given: Path | None) -> Path:
    """The folder of the benchmark's images. Raises HopeBenchError where there is none, or it holds none of them."""
    named = _dataset(benchmark).images
    folder = given if given is not None or named is None else Path(named)
    return check_images_folder(folder, list(benchmark.manifest.images), benchmark.manifest.name)


def find_annotations(benchmark: Benchmark, given: Path | None) -> Annotations | None:
    """The annotations the benchmark was made from; None where nothing names them or what the spec names isn't here."""
    from hope_bench.annotations import read_annotations

    if given is not None:
        return read_annotations(given)
    dataset = _dataset(benchmark)
    if dataset.annotations is None or not Path(dataset.annotations).exists():
        return None
    return read_annotations(Path(dataset.annotations), dataset.format, files=dataset.files, columns=dataset.columns)


def _dataset(benchmark: Benchmark) -> DatasetSpec:
    """The spec's dataset, its paths relative to the working directory."""
    spec = benchmark.folder / "spec.toml"
    return read_spec(spec).dataset if spec.is_file() else DatasetSpec()
