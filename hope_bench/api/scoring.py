"""Runs in, results out; and what a benchmark gives without looking."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.annotations.of_benchmark import find_annotations
from hope_bench.api.asking import load_run
from hope_bench.api.making import PathOr, load_benchmark, path_or_none, teller
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.places import RUNS
from hope_bench.files.result import Result
from hope_bench.files.result_file import other_path, read_result, result_path, write_result
from hope_bench.files.run import Run
from hope_bench.files.split_score import Blind
from hope_bench.files.validation import checked
from hope_bench.progress import ProgressMode, Say
from hope_bench.provenance import short_hash

if TYPE_CHECKING:
    from hope_bench.scoring.labels import Relabelled
    from hope_bench.scoring.score import Known

_LARGEST_UNASKED = 2**30
"""Bytes of an annotation file that is read without being asked for."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A run's `result`, the `path` it was written to (None: it was not), under --labels what `moved`, and in lines for people
    what was said where too many answers can't be judged (`unread`)."""

    result: Result
    path: Path | None
    moved: Relabelled | None = None
    unread: Sequence[str] = ()


@checked
def score(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    results: PathOr | None = None,
    convention: str = "strict",
    languages: Sequence[str] = (),
    replicates: int = 2000,
    annotations: PathOr | None = None,
    reviewed: Sequence[PathOr] = (),
    replace: bool = False,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Result:
    """The numbers of a run: every split's metrics in [0, 1], HOPE against POPE, each with its 95% interval.

    `run` is a Run, its folder, or BENCHMARK/NAME under `runs`; `benchmark` is by default the one that the run names. `convention`
    is how answers are read and counted: strict, pope, vlmevalkit, lmms-eval or repope (docs/scoring.md). `languages` are read
    besides English. `replicates` are those of the bootstrap. `annotations` is the annotation file, for the sizes of objects
    (default: the spec's, if it is there), `reviewed` are decisions files of people who reviewed a sample, for the rates under
    the truth (default: what is published with the benchmark). With `results` the result is written, too, to
    RESULTS/BENCHMARK/RUN.json, as `hope-bench score` does; another model's result of that name is only replaced with `replace`.

    Raises HopeBenchError where the run belongs to other questions, has no answers, or its answers contradict each other.

    Example: hb.score("hope-coco/llava-1.5-7b").splits["hope"].hallucination_rate.value
    """
    return score_and_write(
        run, benchmark=benchmark, results=results, convention=convention, languages=languages, replicates=replicates,
        annotations=annotations, reviewed=reviewed, replace=replace, runs=runs, progress=progress, say=say,
    ).result  # fmt: skip


@checked
def score_and_write(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    results: PathOr | None = None,
    convention: str = "strict",
    languages: Sequence[str] = (),
    replicates: int = 2000,
    labels: Sequence[PathOr] = (),
    name: str | None = None,
    annotations: PathOr | None = None,
    reviewed: Sequence[PathOr] = (),
    replace: bool = False,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Scored:
    """`score`, also under the labels of other files (RePOPE's, say), of a relabelled benchmark called `name`; with where the
    result went and what moved."""
    from hope_bench.provenance import check_folder, locked
    from hope_bench.reviewing.noise import read_reviewed
    from hope_bench.scoring.conventions import find_convention, reader
    from hope_bench.scoring.intervals import bootstrap_of
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.unread import unread_report
    from hope_bench.scoring.verdicts import reread

    if results is not None:
        check_folder(Path(results))
    if name is not None and not labels:
        raise HopeBenchError("--name is what a relabelled benchmark is called; it needs --labels.")
    if labels:
        from hope_bench.interchange.relabel import label_files

        labels = label_files([Path(one) for one in labels])
    found = load_run(run, runs)
    questions = questions_of(found, benchmark)
    bootstrap = bootstrap_of(replicates)
    way, spoken = find_convention(convention), tuple(languages)
    tell = teller(progress, say)
    known, moved = known_of(questions, path_or_none(annotations), tell), None
    if reviewed:
        known = dataclasses.replace(known, reviewed=read_reviewed([Path(one) for one in reviewed]))
    if labels:
        from hope_bench.interchange.relabel import label_files, relabelled
        from hope_bench.scoring.labels import score_relabelled

        other = relabelled(questions, label_files([Path(one) for one in labels]), name or f"{questions.name}-relabelled")
        moved = score_relabelled(questions, other, found.folder, bootstrap, way, spoken, known.sizes)
        result = moved.after
    else:
        result = score_run(questions, found.folder, bootstrap, way, spoken, known)
    path = None
    if results is not None:
        path = result_path(result, Path(results))
        with locked(Path(results)):
            _check_replaced(path, result, found, replace)
            write_result(path, result)
        if (earlier := other_path(result, Path(results))).is_file():
            kind = "unranked" if result.unranked is None else "ranked"
            tell(f"An earlier, {kind} result of a run of this name stays at {earlier}. Remove it if it is out of date.")
    answers = reread(found.answers(), questions.manifest.language).answers
    return Scored(
        result, path, moved, unread_report(answers, reader(answers, way, spoken, questions.labels, questions.manifest.language))
    )


@checked
def baselines(benchmark: Benchmark | PathOr) -> Mapping[str, tuple[Blind, ...]]:
    """What answering without looking gives on every split: always yes, always no, by the asked category, and by the question's
    words.

    Where one of them beats a balanced accuracy of 0.5 either way round, part of the benchmark can be solved without the pictures.
    Raises HopeBenchError for an unknown benchmark.

    Example: hb.baselines("hope-coco")["hope"]
    """
    from hope_bench.scoring.blind import blind_suite

    return blind_suite(load_benchmark(benchmark))


def questions_of(run: Run, benchmark: Benchmark | PathOr | None) -> Benchmark:
    """What a run was asked: `benchmark`, else what the call that made the run had, else the one that its record names."""
    return load_benchmark(benchmark or run.benchmark or run.record.benchmark)


def known_of(benchmark: Benchmark, annotations: Path | None, say: Say) -> Known:
    """What lies beside a benchmark: the sizes of its objects, by the annotation file given or the one its spec names (unless
    reading that takes minutes), and what its published review found; each empty where there is none."""
    from hope_bench.reviewing.noise import read_label_noise
    from hope_bench.scoring.breakdown import object_sizes
    from hope_bench.scoring.score import Known

    published = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    found = find_annotations(benchmark, annotations, _LARGEST_UNASKED, say)
    sizes = {} if found is None else object_sizes(found, set(benchmark.manifest.images))
    return Known(sizes, () if published is None else published.reviewed)


def _check_replaced(path: Path, result: Result, run: Run, replace: bool) -> None:
    """A result is never replaced by one of another model, other weights or another revision, nor a ranked one by one of fewer
    questions or with more failures, unless that is asked for. Raises HopeBenchError."""
    from hope_bench.scoring.score import answered

    there = None
    if path.is_file() and not replace:
        with contextlib.suppress(HopeBenchError):  # a file of an older or broken kind: to score again is its remedy
            there = read_result(path)
    if there is None:
        return
    if there.made_by != result.made_by:
        raise HopeBenchError(
            f"{path} holds the result of another model ({_words(there)}), and {run.folder} is of {_words(result)}. Give the run "
            "another --name when evaluating, pass another folder with --results, or --replace if it is to take its place."
        )
    if there.benchmark.hash == result.benchmark.hash and result.unranked is None and answered(there) > answered(result):
        raise HopeBenchError(
            f"{path} holds this model's answers to {answered(there):,} questions, and {run.folder} holds {answered(result):,}. "
            "It stays as it is: pass another folder with --results, or --replace if this run is to take its place."
        )


def _words(result: Result) -> str:
    model, sha256 = result.model, result.run.weights_sha256
    which = model.revision or (sha256 and f"weights {short_hash(sha256)}")
    return " ".join(filter(None, (model.name, model.checkpoint if model.checkpoint != model.name else None, which)))
