"""What comes from the Hub: a benchmark to ask, straight from the cache; or all of a repository, into folders of one's own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.annotations.hf_source import BROKEN
from hope_bench.errors import HopeBenchError, counted, first_few, short_reason
from hope_bench.files.benchmark import Benchmark, check_own, read_benchmark
from hope_bench.files.card import check_name, slug
from hope_bench.files.parquet import open_parquet, read_batches
from hope_bench.files.places import RESULTS, RUNS
from hope_bench.files.remembered import remember_images
from hope_bench.files.result_file import read_result
from hope_bench.files.run import ANSWERS, Run, load_run, read_answers
from hope_bench.hub.client import fetch
from hope_bench.hub.names import HubName
from hope_bench.progress import progress_bar
from hope_bench.provenance import check_folder, file_sha256, locked, write_bytes
from hope_bench.reviewing.noise import LABEL_NOISE_FILE

_QUESTIONS = ("manifest.json", "croissant.json", LABEL_NOISE_FILE, "splits/*.jsonl", "blind/*.jsonl")
_ANSWERED = ("runs/*/*/run.json", f"runs/*/*/{ANSWERS}", "results/*.json")
_PICTURES = ("data/*.parquet",)


@dataclass(frozen=True, slots=True)
class Places:
    """Where what is pulled goes: the benchmark to `benchmark` (None: benchmarks/NAME), its pictures to `images` (None: they stay
    where they are), runs and results to folders of these."""

    benchmark: Path | None = None
    images: Path | None = None
    runs: Path = RUNS
    results: Path = RESULTS


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a repository held at a `commit`, and where it lies now; `benchmark` is None where it held none, `images` the pictures'
    folder (None: not asked for)."""

    name: str
    commit: str
    benchmark: Benchmark | None
    runs: tuple[Run, ...] = ()
    results: tuple[Path, ...] = ()
    images: Path | None = None


def fetch_benchmark(name: HubName) -> Benchmark:
    """The benchmark of a repository, as it lies in huggingface_hub's cache, every hash checked. Raises HopeBenchError."""
    folder = fetch(name, _QUESTIONS)
    if not (folder / "manifest.json").is_file():
        raise HopeBenchError(
            f"{name} holds no benchmark of hope-bench (no manifest.json). Questions of another dataset become one with: "
            f"hope-bench import questions {name.repo} --name NAME"
        )
    with _of(name, folder):
        return read_benchmark(folder)


def pinned(name: HubName, benchmark: Benchmark) -> HubName:
    """The name with the commit that a benchmark of `fetch_benchmark` is of."""
    return HubName(name.repo, benchmark.folder.name)


def pull(name: HubName, places: Places, *, overwrite: bool = False) -> Pulled:
    """Bring all that hope-bench put into a repository into folders of one's own; what is there already, byte for byte, stays.

    Everything is checked before anything is written. Raises HopeBenchError where it holds nothing of hope-bench's, for what is
    malformed or doesn't have its own hash, and where other contents are in the way (unless `overwrite`).
    """
    folder = fetch(name, (*_QUESTIONS, *_ANSWERED))
    held = (folder / "manifest.json").is_file()
    benchmark = fetch_benchmark(HubName(name.repo, folder.name)) if held else None
    with _of(name, folder):
        runs = _runs(folder, places.runs)
        results = _results(folder, places.results)
    if benchmark is None and not runs and not results:
        raise HopeBenchError(f"{name} holds nothing of hope-bench's: no manifest.json, no runs/ and no results/.")
    if benchmark is None and (places.benchmark or places.images) is not None:
        raise HopeBenchError(f"{name} holds no benchmark, but runs and results. Leave --out and --images out.")
    out = None if benchmark is None else places.benchmark or Path("benchmarks") / _folder_name(name, benchmark)
    wanted = runs | results
    if benchmark is not None and out is not None:
        check_own(out, imported=False)
        wanted = {out / path: folder / path for path in _paths(benchmark)} | wanted
    _check_in_the_way(wanted, overwrite)
    if benchmark is not None and places.images is not None:
        write_pictures(pinned(name, benchmark), benchmark, places.images)
    with ExitStack() as holding:
        for place in dict.fromkeys([*([] if out is None else [out]), *(target.parent for target in runs), places.results]):
            holding.enter_context(locked(place))
        _check_in_the_way(wanted, overwrite)  # by now another process may have written there
        if overwrite and out is not None:
            _remove_stale(out, set(wanted))
        for target, source in wanted.items():
            _copy(source, target)
        if out is not None and places.images is not None:
            remember_images(out, places.images)
    return Pulled(
        str(name),
        folder.name,
        None if out is None else read_benchmark(out),
        tuple(load_run(target.parent) for target in runs if target.name == "run.json"),
        tuple(results),
        places.images,
    )


@contextmanager
def _of(name: HubName, folder: Path) -> Iterator[None]:
    """What is wrong with a file is told as the repository's fault, not as that of a file in the cache."""
    try:
        yield
    except HopeBenchError as error:
        said = str(error).replace(f"{folder}{os.sep}", "").removesuffix(" Generate the benchmark again.")
        raise HopeBenchError(f"What {name} holds can't be used: {said}") from None


def _folder_name(name: HubName, benchmark: Benchmark) -> str:
    with _of(name, benchmark.folder):
        check_name(benchmark.name, "A benchmark's name")
    return benchmark.name


def _paths(benchmark: Benchmark) -> list[str]:
    """A benchmark's files, the manifest first, so that what an interruption leaves can be told from others' files."""
    noise = [LABEL_NOISE_FILE] if (benchmark.folder / LABEL_NOISE_FILE).is_file() else []
    splits = [f"splits/{name}.jsonl" for name in benchmark.manifest.splits]
    return ["manifest.json", *splits, *(f"blind/{name}.jsonl" for name in benchmark.others), *noise]


def _runs(folder: Path, into: Path) -> dict[Path, Path]:
    """Where each file of a run goes, and where it lies. Raises HopeBenchError for a run that can't be read."""
    found: dict[Path, Path] = {}
    for record in sorted(folder.glob("runs/*/*/run.json")):
        load_run(record.parent)
        read_answers(record.parent / ANSWERS)
        target = into / slug(record.parent.parent.name) / slug(record.parent.name)
        found |= {target / name: record.parent / name for name in ("run.json", ANSWERS)}
    return found


def _results(folder: Path, into: Path) -> dict[Path, Path]:
    found = {}
    for path in sorted((folder / "results").rglob("*.json")):
        read_result(path)
        parts = [slug(part) for part in path.relative_to(folder / "results").with_suffix("").parts]
        found[into.joinpath(*parts[:-1]) / f"{parts[-1]}.json"] = path
    return found


def _check_in_the_way(wanted: Mapping[Path, Path], overwrite: bool) -> None:
    for folder in {target.parent for target in wanted}:
        check_folder(folder)
    others = [target for target, source in wanted.items() if target.exists() and not _alike(target, source)]
    if others and not overwrite:
        raise HopeBenchError(
            f"{counted(len(others), 'file is', 'files are')} here with other contents ({first_few(others, 3)}). Pull to other "
            "folders (--out, --runs, --results), or --overwrite if they are to be replaced."
        )


def _alike(one: Path, other: Path) -> bool:
    return one.is_file() and one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _remove_stale(out: Path, wanted: set[Path]) -> None:
    """Remove the questions of the benchmark that another takes the place of."""
    for path in [*(out / "splits").glob("*.jsonl"), *(out / "blind").glob("*.jsonl"), out / LABEL_NOISE_FILE]:
        if path not in wanted:
            path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if not (target.is_file() and _alike(target, source)):
        write_bytes(target, source.read_bytes())


def write_pictures(name: HubName, benchmark: Benchmark, out: Path) -> None:
    """Write the pictures that a repository's Parquet files hold to a folder, each once, under the names the benchmark gives them.

    Raises HopeBenchError where they hold none, one is missing or not the one that the benchmark was made with, and where another
    file is in the way of one.
    """
    with locked(out):
        _write_pictures(name, benchmark, out)


def _write_pictures(name: HubName, benchmark: Benchmark, out: Path) -> None:
    missing = {image for image in benchmark.manifest.images if not (out / image).is_file()}
    for image, known in benchmark.manifest.images.items():
        if image not in missing and known is not None and file_sha256(out / image) != known:
            raise HopeBenchError(f"{out / image} is another picture than the benchmark's. Give an empty or a new folder.")
    if not missing:
        return
    folder = fetch(name, _PICTURES, bar=True)
    with progress_bar("Pictures", len(missing)) as advance:
        for image, data in _pictures(sorted((folder / "data").glob("*.parquet")), missing, name):
            _check_picture(name, benchmark, image, data)
            write_bytes(out / image, data)
            missing.discard(image)
            advance(1)
    asked = {one.image for questions in benchmark.splits.values() for one in questions}
    if lacking := sorted(missing & asked):
        raise HopeBenchError(f"{name} lacks {counted(len(lacking), 'picture')} of its own questions: {first_few(lacking, 3)}.")


def has_pictures(benchmark: Benchmark) -> bool:
    """Whether the repository of a benchmark of `fetch_benchmark` holds its pictures, by what its croissant.json says."""
    path = benchmark.folder / "croissant.json"
    return path.is_file() and b'"sc:ImageObject"' in path.read_bytes()


def _pictures(files: Sequence[Path], wanted: set[str], name: HubName) -> Iterator[tuple[str, bytes]]:
    """The pictures of Parquet files that are wanted, each once."""
    import pyarrow

    done: set[str] = set()
    for file in files:
        try:
            with open_parquet(file) as opened:
                schema = opened.schema_arrow
                if not {"image", "image_file"} <= {*schema.names} or not pyarrow.types.is_struct(schema.field("image").type):
                    continue
                for batch in read_batches(file, opened, 32, ["image", "image_file"]):
                    rows: list[dict[str, Any]] = batch.to_pylist()
                    for row in rows:
                        image, data = row["image_file"], (row["image"] or {}).get("bytes")
                        if image in wanted and image not in done and isinstance(data, bytes):
                            done.add(image)
                            yield image, data
        except BROKEN as error:
            raise HopeBenchError(f"What {name} holds can't be used: data/{file.name}: {short_reason(error)}.") from None
    if not done:
        raise HopeBenchError(f"{name} holds no pictures, only their names. Give the folder that has them: --images FOLDER.")


def _check_picture(name: HubName, benchmark: Benchmark, image: str, data: bytes) -> None:
    known = benchmark.manifest.images.get(image)
    if known is not None and hashlib.sha256(data).hexdigest() != known:
        raise HopeBenchError(f"{name}: {image} is not the picture that the benchmark was made with (its SHA-256 differs).")
