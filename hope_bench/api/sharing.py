"""Sharing: benchmarks, runs and results to and from the Hugging Face Hub."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.annotations.of_benchmark import find_images
from hope_bench.api.asking import load_run
from hope_bench.api.making import PathOr, load_benchmark, path_or_none, teller
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.places import RESULTS, RUNS
from hope_bench.files.registry import find_benchmark
from hope_bench.files.result import Result
from hope_bench.files.result_file import read_result
from hope_bench.files.run import Run
from hope_bench.files.validation import checked
from hope_bench.hub.names import hub_name, is_hub_name
from hope_bench.progress import Say

if TYPE_CHECKING:
    from hope_bench.hub.parcel import Parcel
    from hope_bench.hub.pull import Pulled
    from hope_bench.hub.push import Pushed, PushOptions

_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")


@checked
def push(
    what: Benchmark | Run | Result | PathOr,
    to: str | None = None,
    *,
    images: PathOr | None = None,
    licence: str | None = None,
    languages: Sequence[str] = (),
    public: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    model_card: str | None = None,
    direct: bool = False,
    benchmark: str | None = None,
    runs: PathOr = RUNS,
    results: PathOr = RESULTS,
    say: Say | None = None,
) -> tuple[Pushed, ...]:
    """Send a benchmark, a run or a result to the dataset repository `to` of the Hugging Face Hub (hf:ORG/NAME[@BRANCH]).

    `what` is one, its folder or file, a benchmark's name, or BENCHMARK/NAME of a run or result. A benchmark takes its card,
    Croissant metadata and Parquet files along, with the pictures of `images` only where that is given; the card says the
    `licence` of the questions ("cc-by-4.0") and their `languages` (default: the benchmark's). The repository is made, private
    unless `public`. Other contents are replaced only with `overwrite`; one commit, refused where somebody else was faster.
    `dry_run` sends nothing and asks nobody. `model_card` (ORG/MODEL) puts a result's numbers into its model's card, as a pull
    request unless `direct`; `benchmark` (hf:ORG/NAME) says there which dataset they are of. Returns what was sent, each place
    once. Raises HopeBenchError.

    Example: hb.push("my-benchmark", "hf:my-org/my-benchmark", licence="cc-by-4.0")
    """
    from hope_bench.hub.push import PushOptions
    from hope_bench.hub.push import push as send

    tell = teller("auto", say)
    if to is None and model_card is None:
        raise HopeBenchError("Say where to: hf:ORG/NAME, or for a result --model-card ORG/MODEL.")
    chosen = _found(what, Path(runs), Path(results))
    _check_fitting(chosen, images, licence, languages, model_card, direct, benchmark)
    options = PushOptions(public, overwrite, dry_run)
    sent = []
    with tempfile.TemporaryDirectory() as temporary:
        if to is not None:
            name = hub_name(to)
            parcel = _parcel(chosen, name.repo, Path(temporary), images, licence, languages)
            sent.append(send(name, parcel, options, tell))
        if model_card is not None:
            sent.append(_to_card(chosen, model_card, benchmark, options, direct=direct))
    return tuple(sent)


@checked
def pull(
    name: str,
    *,
    out: PathOr | None = None,
    images: PathOr | None = None,
    overwrite: bool = False,
    runs: PathOr = RUNS,
    results: PathOr = RESULTS,
) -> Pulled:
    """Bring what `push` sent from a dataset repository of the Hugging Face Hub (hf:ORG/NAME[@REVISION]): same hash, same bytes.

    A benchmark goes to `out` (default: benchmarks/NAME), runs and results to folders of `runs` and `results`; with `images` the
    pictures that it holds go there. Everything is checked first. What is here with other contents is replaced only with
    `overwrite`. Raises HopeBenchError, and writes nothing, for what is malformed or not what its hash says.

    Example: hb.pull("hf:my-org/my-benchmark", images="pictures").benchmark
    """
    from hope_bench.hub.pull import Places
    from hope_bench.hub.pull import pull as bring

    return bring(hub_name(name), Places(path_or_none(out), path_or_none(images), Path(runs), Path(results)), overwrite=overwrite)


def _found(what: Benchmark | Run | Result | PathOr, runs: Path, results: Path) -> Benchmark | Run | Result | Path:
    """What is to be sent; a result's file as its path. Raises HopeBenchError for what is none, and for what may be two things."""
    if isinstance(what, Benchmark | Run | Result):
        return what
    name = str(what)
    if is_hub_name(name):
        raise HopeBenchError(f"{name} is on the Hub already. Name what is here: a benchmark, a run or a result.")
    found: dict[str, Callable[[], Benchmark | Run | Path]] = {}
    for folder in dict.fromkeys((Path(name), runs / name)):
        if (folder / "run.json").is_file():
            found[f"the run {folder}"] = lambda folder=folder: load_run(folder)  # type: ignore[misc]
    for file in dict.fromkeys((Path(name), results / f"{name}.json")):
        if file.is_file() and file.suffix == ".json":
            found[f"the result {file}"] = lambda file=file: file  # type: ignore[misc]
    if not found:
        try:
            find_benchmark(name)
        except HopeBenchError as error:
            raise HopeBenchError(
                f"{name} is nothing that can be sent: no run ({runs / name}), no result ({results / name}.json). {error}"
            ) from None
        return load_benchmark(name)
    if len(found) > 1:
        raise HopeBenchError(f"{name!r} may be {' or '.join(found)}. Give the one that is meant by its path.")
    return next(iter(found.values()))()


def _check_fitting(
    chosen: Benchmark | Run | Result | Path,
    images: PathOr | None,
    licence: str | None,
    languages: Sequence[str],
    model_card: str | None,
    direct: bool,
    benchmark: str | None,
) -> None:
    """Raise HopeBenchError for what would have no effect, or no meaning."""
    if not isinstance(chosen, Benchmark) and (images is not None or licence is not None or languages):
        raise HopeBenchError("--images, --licence and --language are for a benchmark's card. Leave them out.")
    if model_card is not None and not isinstance(chosen, Result | Path):
        raise HopeBenchError("--model-card takes a result: hope-bench score writes one, RESULTS/BENCHMARK/RUN.json.")
    if model_card is None and (direct or benchmark is not None):
        raise HopeBenchError("--direct and --benchmark go with --model-card. Leave them out.")
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise HopeBenchError(f"--licence {licence!r}: give the Hub's name for it, such as cc-by-4.0, apache-2.0 or other.")
    if wrong := next((one for one in languages if not _LANGUAGE.fullmatch(one)), None):
        raise HopeBenchError(f"--language {wrong!r}: give a language's code, such as en or de.")


def _parcel(
    chosen: Benchmark | Run | Result | Path,
    repo: str,
    folder: Path,
    images: PathOr | None,
    licence: str | None,
    languages: Sequence[str],
) -> Parcel:
    from hope_bench.hub.parcel import benchmark_parcel, result_parcel, run_parcel
    from hope_bench.interchange.export_datasets import About

    if isinstance(chosen, Run):
        return run_parcel(load_run(chosen), repo)
    if not isinstance(chosen, Benchmark):
        return result_parcel(chosen, repo)
    if list(chosen.splits) != list(chosen.manifest.splits):
        raise HopeBenchError("Some splits alone are another benchmark. Send all of it, or export these.")
    pictures = None if images is None else find_images(chosen, Path(images))
    about = About(repo, licence, tuple(languages))
    try:
        return benchmark_parcel(chosen, about, pictures, folder / "dataset")
    except OSError as error:
        raise HopeBenchError(
            f"What is to be sent can't be put together in {folder}: {error.strerror or error}. Make room, or set TMPDIR to a "
            "folder that has some."
        ) from None


def _to_card(
    chosen: Benchmark | Run | Result | Path, model_card: str, benchmark: str | None, options: PushOptions, *, direct: bool
) -> Pushed:
    from hope_bench.hub.model_card import push_to_card
    from hope_bench.hub.pull import fetch_benchmark, pinned

    result = read_result(chosen) if isinstance(chosen, Path) else chosen
    assert isinstance(result, Result)
    dataset = None
    if benchmark is not None:
        name = hub_name(benchmark)
        asked = fetch_benchmark(name)
        if asked.manifest.hash != result.benchmark.hash:
            raise HopeBenchError(
                f"{name} asks other questions than this result is of ({result.benchmark.name}): the hashes differ."
            )
        dataset = pinned(name, asked)
    return push_to_card(result, hub_name(model_card), dataset, options, direct=direct)
