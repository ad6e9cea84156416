"""The data behind a benchmark: the images and annotations that a caller names, else those that its own files name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hope_bench.annotations.fitting import fit_names
from hope_bench.annotations.of_spec import read_dataset
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.remembered import remembered_images
from hope_bench.files.spec import DatasetSpec, read_spec
from hope_bench.progress import Say, say_nothing
from hope_bench.records import Annotations


def images_folder(benchmark: Benchmark, given: Path | None) -> Path | None:
    """The images folder: the one given, else the one that the benchmark was generated from, if it is still there, else the one
    that its spec.toml names, if any."""
    if given is not None:
        return given
    remembered = remembered_images(benchmark.folder)
    if remembered is not None and any((remembered / name).is_file() for name in benchmark.manifest.images):
        return remembered
    named = _dataset(benchmark).images
    return None if named is None else Path(named)


def find_images(benchmark: Benchmark, given: Path | None) -> Path:
    """The folder of the benchmark's images. Raises HopeBenchError where there is none, or it holds none of them."""
    return check_images_folder(images_folder(benchmark, given), list(benchmark.manifest.images), benchmark)


def check_images_folder(folder: Path | None, images: Sequence[str], benchmark: Benchmark) -> Path:
    """The folder, if it holds at least one of `images`; else HopeBenchError, since every answer would be an error."""
    if folder is None:
        named = (benchmark.folder / "spec.toml").is_file()
        why = "its spec.toml names no folder" if named else f"{benchmark.folder} holds no spec.toml that could name their folder"
        if benchmark.manifest.spec is not None and benchmark.manifest.spec.dataset.images is not None:
            why = f"the folder {benchmark.manifest.spec.dataset.images} that it was generated from is not where it was"
        raise HopeBenchError(
            f"Nothing says where the images of {benchmark.manifest.name} are: {why}. Give it with --images FOLDER."
        )
    if not folder.is_dir():
        raise HopeBenchError(f"The images folder {folder} does not exist or is no folder. Give the right one with --images.")
    if not any((folder / name).is_file() for name in images):
        raise HopeBenchError(
            f"The images folder {folder} holds none of the {counted(len(images), 'image')} to ask about "
            f"({first_few(images, 3)}). "
            "Give the right one with --images FOLDER."
        )
    return folder


def find_annotations(
    benchmark: Benchmark, given: Path | None, most_bytes: int | None = None, say: Say = say_nothing
) -> Annotations | None:
    """The annotations the benchmark was made from, its images named as the benchmark names them. A given file is read as the
    spec says. None where nothing names them, where what the spec names isn't here, and (`say` is told) where that is a
    file of more than `most_bytes`, which takes minutes to read."""
    dataset = _dataset(benchmark)
    paths = dataset.annotation_paths if given is None else (given,)
    if not paths or (given is None and not all(path.exists() for path in paths)):
        return None
    if given is None and most_bytes is not None:
        large = next((path for path in paths if path.is_file() and path.stat().st_size > most_bytes), None)
        if large is not None:
            say(f"Object sizes are left out, as {large.name} takes long to read. Pass --annotations to have them.")
            return None
    annotations = read_dataset(dataset, paths, captions=False)
    return fit_names(annotations, benchmark.manifest.images.__contains__, lambda: benchmark.manifest.images)


def _dataset(benchmark: Benchmark) -> DatasetSpec:
    """The spec's dataset, its paths relative to the working directory; without a spec.toml, how the manifest says that the files
    were read."""
    spec = benchmark.folder / "spec.toml"
    if spec.is_file():
        return read_spec(spec, searched=False).dataset
    known = benchmark.manifest.spec
    if known is None:
        return DatasetSpec()
    read = {"format", "files", "columns", "boxes", "orientation"}
    return DatasetSpec.model_validate(known.dataset.model_dump(include=read))
