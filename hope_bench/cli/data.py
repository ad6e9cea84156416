"""The data behind a benchmark, as commands find them: what flags name, else what its spec.toml names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark
    from hope_bench.files.spec import DatasetSpec
    from hope_bench.records import Annotations


def find_images(benchmark: Benchmark, given: Path | None) -> Path:
    """The folder of the benchmark's images. Raises HopeBenchError where there is none, or it holds none of them."""
    from hope_bench.inference.images import check_images_folder

    named = _dataset(benchmark).images
    folder = given if given is not None or named is None else Path(named)
    return check_images_folder(folder, list(benchmark.manifest.images), benchmark)


def find_annotations(benchmark: Benchmark, given: Path | None) -> Annotations | None:
    """The annotations the benchmark was made from, its images named as the benchmark names them; None where nothing names them
    or what the spec names isn't here. A given file is read as the spec says."""
    from hope_bench.annotations import read_annotations
    from hope_bench.annotations.fitting import fit_names

    dataset = _dataset(benchmark)
    path = given if given is not None or dataset.annotations is None else Path(dataset.annotations)
    if path is None or (given is None and not path.exists()):
        return None
    annotations = read_annotations(path, dataset.format, files=dataset.files, columns=dataset.columns)
    return fit_names(annotations, benchmark.manifest.images.__contains__)


def benchmark_flag(benchmark: Benchmark) -> tuple[str, ...]:
    """What a command about a run needs to find its benchmark: nothing where the name finds it, else --benchmark FOLDER."""
    from hope_bench.files.registry import known_benchmarks

    known = known_benchmarks().get(benchmark.manifest.name)
    found = known is not None and known.resolve() == benchmark.folder.resolve()
    return () if found else ("--benchmark", str(benchmark.folder))


def annotation_bytes(benchmark: Benchmark) -> int:
    """The size of the annotation file that the benchmark's spec names; 0 where it names none, a folder, or what isn't here."""
    named = _dataset(benchmark).annotations
    return Path(named).stat().st_size if named is not None and Path(named).is_file() else 0


def _dataset(benchmark: Benchmark) -> DatasetSpec:
    """The spec's dataset, its paths relative to the working directory; without a spec.toml, how the manifest says that the files
    were read."""
    from hope_bench.files.spec import DatasetSpec, read_spec

    spec = benchmark.folder / "spec.toml"
    if spec.is_file():
        return read_spec(spec).dataset
    known = benchmark.manifest.spec
    if known is None:
        return DatasetSpec()
    return DatasetSpec(format=known.dataset.format, files=known.dataset.files, columns=known.dataset.columns)
