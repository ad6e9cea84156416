"""Numbers: runs in, results, comparisons, trends and reports out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.annotations.of_benchmark import find_annotations, find_images
from hope_bench.api.asking import load_run
from hope_bench.api.making import PathOr, hub_images, load_benchmark, path_or_none, teller
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.places import RESULTS, RUNS
from hope_bench.files.registry import known_benchmarks
from hope_bench.files.result import Result
from hope_bench.files.result_file import find_results, read_result, result_path, write_result
from hope_bench.files.run import Run, asked_otherwise, find_run
from hope_bench.files.split_score import Blind
from hope_bench.files.validation import FromZero, checked
from hope_bench.progress import ProgressMode, Say

if TYPE_CHECKING:
    from hope_bench.scoring.comparison import ModelComparison
    from hope_bench.scoring.differing import Differing
    from hope_bench.scoring.labels import Relabelled
    from hope_bench.scoring.score import Known
    from hope_bench.scoring.transfer import Transfer
    from hope_bench.scoring.trend import Trend

_LARGEST_UNASKED = 2**30
"""Bytes of an annotation file that is read without being asked for."""
_MOST_FOR_ALL_PAIRS = 8
_PAGES = (".html", ".md")


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
    questions = _asked(found, benchmark)
    bootstrap = bootstrap_of(replicates)
    way, spoken = find_convention(convention), tuple(languages)
    known, moved = _known(questions, path_or_none(annotations), teller(progress, say)), None
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
    answers = reread(found.answers(), questions.manifest.language).answers
    return Scored(
        result, path, moved, unread_report(answers, reader(answers, way, spoken, questions.labels, questions.manifest.language))
    )


@checked
def load_result(result: Result | PathOr, results: PathOr = RESULTS) -> Result:
    """A result: its file, or BENCHMARK/RUN under `results`. Raises HopeBenchError naming the nearest known one.

    Example: hb.load_result("hope-coco/llava-1.5-7b").to_frame()
    """
    if isinstance(result, Result):
        return result
    paths = find_results([result if isinstance(result, str) else Path(result)], Path(results))
    if len(paths) > 1:
        raise HopeBenchError(f"{result} are {len(paths)} results ({first_few([path.stem for path in paths])}). Name one.")
    return read_result(paths[0])


def load_results(given: Sequence[Result | PathOr], results: PathOr = RESULTS, say: Say | None = None) -> Mapping[str, Result]:
    """The results that are meant, by file (or by name where they are no files), each once. Unranked results that only a
    benchmark's name stood for are left out, and told: a quick look must be asked for by its name."""
    objects = [one for one in given if isinstance(one, Result)]
    found = {f"{one.model.name} ({place})": one for place, one in enumerate(objects, 1)}
    names = [str(one) for one in given if not isinstance(one, Result)]
    loaded = {path: read_result(path) for path in find_results(names, Path(results))}
    named = {Path(name).stem for name in names}
    left_out = [path for path, one in loaded.items() if one.unranked is not None and path.stem not in named]
    if left_out:
        teller("auto", say)(f"Left out, as they are not ranked: {first_few([path.stem for path in left_out])}.")
    return found | {str(path): one for path, one in loaded.items() if path not in left_out}


@checked
def compare(
    given: Sequence[Result | PathOr] | str,
    *,
    split: str | None = None,
    metric: str = "balanced_accuracy",
    against: str | None = None,
    replicates: int = 2000,
    results: PathOr = RESULTS,
    say: Say | None = None,
) -> ModelComparison:
    """Is one model really better than another: numbers, ranks as intervals, differences paired by image, p-values.

    `given` are results, their files, BENCHMARK/RUN under `results`, or BENCHMARK for all of its ranked ones. `split` is by
    default the headline one. The pairs are all there are, or each model with the one called `against`; above 8 models by default
    each with the best. Holm's correction covers all pairs. Raises HopeBenchError for different questions or conventions.

    Example: print(hb.compare(["pope-coco/model-a", "pope-coco/model-b"]).to_frame())
    """
    from hope_bench.scoring.comparing import check_metric

    check_metric(metric)
    loaded = load_results([given] if isinstance(given, str) else given, results, say)
    return compare_loaded(loaded, split=split, metric=metric, against=against, replicates=replicates)


def compare_loaded(
    loaded: Mapping[str, Result], *, split: str | None, metric: str, against: str | None, replicates: int
) -> ModelComparison:
    """`compare` of what `load_results` gave."""
    from hope_bench.scoring.comparing import best
    from hope_bench.scoring.comparing import compare as compare_results
    from hope_bench.scoring.intervals import bootstrap_of

    each = list(loaded.values())
    if against is None and len(each) > _MOST_FOR_ALL_PAIRS:
        against = best(each, split, metric)
    bootstrap = bootstrap_of(replicates)
    return compare_results(each, split, metric, against, bootstrap, list(loaded))


@checked
def transfer(
    given: Sequence[Result | PathOr] | str,
    *,
    strategy: str | None = None,
    results: PathOr = RESULTS,
    say: Say | None = None,
) -> Transfer:
    """Who chose whom: hallucination rates by searching encoder and model, and whether a model is fooled more by the distractors
    that an encoder of its own vision tower's family chose than other models are.

    `given` are results, their files, BENCHMARK/RUN under `results`, or BENCHMARK for all of its ranked ones, of a benchmark that
    searched by `strategy` with several encoders (content, content@NAME; default: the headline split's, else the first such one).
    Intervals are at 95% and paired by image. Raises HopeBenchError for other benchmarks, questions or conventions.

    Example: hb.transfer("my-benchmark").to_frame()
    """
    from hope_bench.scoring.who_chose_whom import transfer as who_chose_whom

    loaded = load_results([given] if isinstance(given, str) else given, results, say)
    return who_chose_whom(list(loaded.values()), strategy, list(loaded))


def differing(
    given: Sequence[Result], split: str, most: int, benchmark: Benchmark | PathOr | None = None
) -> Sequence[Differing] | None:
    """At most `most` questions of `split` on which results differ most; None where their benchmark is neither given nor here."""
    from hope_bench.scoring.differing import differing_questions

    chosen = _at_hand(given[0]) if benchmark is None else load_benchmark(benchmark)
    return None if chosen is None else differing_questions(chosen, given, split, most)


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


@checked
def trend(
    given: Sequence[Run | PathOr],
    *,
    steps: Sequence[FromZero] | None = None,
    split: str | None = None,
    baseline: str | None = None,
    benchmark: Benchmark | PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
) -> Trend:
    """How checkpoints of one training run change: hallucination rate, balanced accuracy and precision drop over steps.

    `given` are runs, their folders, or BENCHMARK/NAME under `runs`; `steps` their training steps in the same order (default: what
    each run says, or N of a checkpoint-N it was made by). `split` is by default the headline split, `baseline` the POPE split
    that it is held against (default: adversarial, else the first). Only questions that all runs were asked count. Differences
    between neighbours are paired by image, their intervals and p-values corrected for their number.

    Raises HopeBenchError for runs of different questions or prompts, for a run without a step, and where two have the same.

    Example: hb.trend(["demo/run-100", "demo/run-200"], steps=[100, 200]).plot()
    """
    from hope_bench.scoring.intervals import bootstrap_of
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.trend import trend_of

    found = [load_run(run, runs) for run in given]
    if steps is not None and len(steps) != len(found):
        raise HopeBenchError(
            f"{counted(len(found), 'run')}, but {counted(len(steps), 'step')}: give each run's step, in the same order."
        )
    if not found:
        raise HopeBenchError("A trend takes two runs or more.")
    if len(prompts := dict.fromkeys(run.record.run.prompt for run in found)) > 1:
        raise HopeBenchError(
            f"The runs were asked with {len(prompts)} prompts ({first_few(map(repr, prompts))}): that is no trend."
        )
    questions = _asked(found[0], benchmark)
    bootstrap = bootstrap_of(replicates)
    scored = [score_run(questions, run.folder, bootstrap) for run in found]
    asked = [str(run.record.settings["splits"]).split(", ") for run in found if run.record.settings.get("splits")]
    whole = set(questions.splits).intersection(*asked)
    return trend_of(scored, [run.name for run in found], steps, split, baseline, bootstrap, whole)


@checked
def report(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    images: PathOr | None = None,
    annotations: PathOr | None = None,
    paraphrases: Sequence[Run | PathOr] = (),
    convention: str = "strict",
    worst: FromZero = 12,
    out: PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Path:
    """Write a run's report, and say where: every number, charts, the categories that fool this model, its worst hallucinations.

    One page that loads nothing from elsewhere; `out` is by default build/report/BENCHMARK/NAME.html, and a name in .md gives
    Markdown. `paraphrases` are runs of the same model with other prompts, beside those that `evaluate_prompts` made. `worst` is
    how many hallucinations to show. The model is not needed; without images the pictures are left out. Raises HopeBenchError.

    Example: hb.report("hope-coco/llava-1.5-7b", images="val2014")
    """
    return write_report(
        run, benchmark=benchmark, images=images, annotations=annotations, paraphrases=paraphrases, convention=convention,
        worst=worst, out=out, replicates=replicates, runs=runs, progress=progress, say=say,
    ).page  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reported:
    """A report's `page`, the `result` that it shows, and those of the same model asked in `others` ways."""

    page: Path
    result: Result
    others: tuple[Result, ...]


def write_report(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    images: PathOr | None = None,
    annotations: PathOr | None = None,
    paraphrases: Sequence[Run | PathOr] = (),
    convention: str = "strict",
    worst: int = 12,
    out: PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Reported:
    """`report`, with the numbers that it shows."""
    from hope_bench.reporting.content import Extras, gather
    from hope_bench.reporting.page import write_report as write
    from hope_bench.scoring.conventions import find_convention
    from hope_bench.scoring.intervals import bootstrap_of
    from hope_bench.scoring.prompt_spread import check_other_prompts, check_same_asked, how_asked, prompt_spread
    from hope_bench.scoring.score import score as score_run

    tell = teller(progress, say)
    page = path_or_none(out)
    if page is not None and page.suffix.lower() not in _PAGES:
        raise HopeBenchError(f"--out {page}: name a page {' or '.join(_PAGES)}, such as {page}.html.")
    own = load_run(run, runs)
    chosen = _asked(own, benchmark)
    found = {path.resolve(): path for path in asked_otherwise(own.folder)}
    folders = [one.folder if isinstance(one, Run) else find_run(Path(one), Path(runs)) for one in paraphrases]
    given = {path.resolve(): path for path in folders if path.resolve() not in found}
    check_other_prompts(own.folder, list(given.values()), found.values())
    bootstrap, way = bootstrap_of(replicates), find_convention(convention)
    page = page or Path("build") / "report" / own.folder.resolve().parent.name / f"{own.name}.html"
    pictures = None if page.suffix.lower() == ".md" else _pictures(chosen, hub_images(chosen, images), tell)
    known = _known(chosen, path_or_none(annotations), tell)
    result = score_run(chosen, own.folder, bootstrap, way, known=known)
    others = [score_run(chosen, other, bootstrap, way) for other in (*found.values(), *given.values())]
    for path, other in zip(given.values(), others[len(found) :], strict=True):
        check_same_asked(result, other, path)
    extras = Extras(
        sizes=known.sizes,
        prompts=tuple(map(how_asked, (result, *others))) if others else (),
        spreads=prompt_spread([result, *others]) if others else (),
    )
    content = gather(chosen, result, own.answers().answers, worst, extras)
    failed = write(content, page, pictures)
    if failed:
        tell(f"{counted(len(failed), 'image')} can't be shown: {first_few(failed.items(), 3)}.")
    return Reported(page, result, tuple(others))


def _asked(run: Run, benchmark: Benchmark | PathOr | None) -> Benchmark:
    """What a run was asked: `benchmark`, else what the call that made the run had, else the one that its record names."""
    return load_benchmark(benchmark or run.benchmark or run.record.benchmark)


def _pictures(benchmark: Benchmark, given: PathOr | None, say: Say) -> Path | None:
    """The images' folder; where none was given, a missing one only leaves the pictures out."""
    if given is not None:
        return find_images(benchmark, Path(given))
    try:
        return find_images(benchmark, None)
    except HopeBenchError:
        say("No images at hand, so the report has no pictures. Pass --images FOLDER to have them.")
        return None


def _known(benchmark: Benchmark, annotations: Path | None, say: Say) -> Known:
    """What lies beside a benchmark: the sizes of its objects, by the annotation file given or the one its spec names (unless
    reading that takes minutes), and what its published review found; each empty where there is none."""
    from hope_bench.reviewing.noise import read_label_noise
    from hope_bench.scoring.breakdown import object_sizes
    from hope_bench.scoring.score import Known

    published = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    found = find_annotations(benchmark, annotations, _LARGEST_UNASKED, say)
    sizes = {} if found is None else object_sizes(found, set(benchmark.manifest.images))
    return Known(sizes, () if published is None else published.reviewed)


def _at_hand(result: Result) -> Benchmark | None:
    """The benchmark of that name and hash, if it is here."""
    folder = known_benchmarks().get(result.benchmark.name)
    if folder is None or not (folder / "manifest.json").is_file():
        return None
    found = read_benchmark(folder)
    return found if found.manifest.hash == result.benchmark.hash else None


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
    which = model.revision or (sha256 and f"weights {sha256[:12]}")
    return " ".join(filter(None, (model.name, model.checkpoint if model.checkpoint != model.name else None, which)))
