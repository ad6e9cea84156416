"""hope-bench score and baselines: from a run's answers to a result file, and what answering without looking gives."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console, errors, say_next
from hope_bench.cli.leaderboard import RESULTS
from hope_bench.errors import HopeBenchError, did_you_mean

if TYPE_CHECKING:
    from rich.table import Table

    from hope_bench.files.benchmark import Benchmark
    from hope_bench.files.result import Result
    from hope_bench.scoring.score import Known

_LARGEST_UNASKED = 2**30
"""Bytes of an annotation file that is read without being asked for."""


@app.command()
def score(
    run: Annotated[str, typer.Argument(help="A run folder, or BENCHMARK/NAME under runs/.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="The benchmark's folder or name. Default: the one the run names.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where RESULTS/BENCHMARK/MODEL.json goes.")] = RESULTS,
    replicates: Annotated[
        int, typer.Option(min=100, help="Bootstrap replicates, for what no formula serves (docs/scoring.md).")
    ] = 2000,
    convention: Annotated[
        str, typer.Option(help="How answers are read and counted: strict, pope, vlmevalkit, lmms-eval or repope.")
    ] = "strict",
    language: Annotated[
        list[str] | None, typer.Option(help="Read this language's yes and no too (de, fr, zh, ...); may be given several times.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Score under this file's or folder's labels (RePOPE's, say); may be given several times."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the relabelled benchmark is called. Default: NAME-relabelled.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="The annotation file, for the sizes of objects. Default: the spec's, if it is there.")
    ] = None,
    reviewed: Annotated[
        list[Path] | None,
        typer.Option(help="A decisions file of a reviewed sample; may be given several times. Default: what is published."),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Print P(yes), averages, categories, kinds, sizes and answers without looking too.")
    ] = False,
) -> None:
    """Score a run: metrics of every split, HOPE against POPE, error bars; written as a result file for the leaderboard.

    Unparsed answers and errors are counted apart and never read as a no. The same answers give the same bytes. What is not ranked
    (a quick look, another prompt) goes to RESULTS/BENCHMARK/unranked/RUN.json, and other conventions than strict to
    RESULTS/BENCHMARK/CONVENTION/MODEL.json; the leaderboard leaves both alone (docs/scoring.md).

    Examples:

    hope-bench score hope-coco/llava-1.5-7b

    hope-bench score pope-coco/llava-v1.5-13b --convention vlmevalkit

    hope-bench score pope-coco/llava-v1.5-13b --labels coco_repope_random.json --labels coco_repope_popular.json
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.files.result import write_result
    from hope_bench.files.run import read_run
    from hope_bench.provenance import check_folder
    from hope_bench.review.noise import read_reviewed
    from hope_bench.scoring.conventions import find_convention
    from hope_bench.scoring.detail_tables import corrected_table
    from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.tables import print_result

    check_folder(results)
    folder = find_run(run)
    questions = read_benchmark(find_benchmark(benchmark or read_run(folder).benchmark))
    bootstrap = DEFAULT_BOOTSTRAP.model_copy(update={"replicates": replicates})
    way, spoken = find_convention(convention), tuple(language or ())
    known, moves = find_known(questions, annotations), None
    if reviewed:
        known = replace(known, reviewed=read_reviewed(reviewed))
    if labels:
        from hope_bench.interchange.relabel import label_files
        from hope_bench.scoring.detail_tables import relabelled_table
        from hope_bench.scoring.labels import score_relabelled

        called = name or f"{questions.manifest.name}-relabelled"
        scored = score_relabelled(questions, folder, label_files(labels), called, bootstrap, way, spoken, known.sizes)
        result, moves = scored.after, relabelled_table(scored)
    elif name is not None:
        raise HopeBenchError("--name is what a relabelled benchmark is called; it needs --labels.")
    else:
        result = score_run(questions, folder, bootstrap, way, spoken, known)
    path = _result_path(result, results, folder.resolve().name)
    _keep_fuller(path, result, folder)
    write_result(path, result)
    print_result(console, result)
    _print_wide([corrected_table(result), moves, *(_details(result) if details else [])])
    console.print(f"\nResult: {escape(str(path))}", soft_wrap=True, highlight=False)
    _say_next(result, path, results)


@app.command()
def baselines(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
) -> None:
    """What answering without looking gives on a benchmark: always yes, always no, and by the asked category alone.

    The category prior says yes to what the split's other images more often have than not. Where it beats a balanced accuracy of
    50, part of the benchmark can be solved without the pictures.

    Example:

    hope-bench baselines hope-coco
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.scoring.blind import blind_scores
    from hope_bench.scoring.detail_tables import blind_table

    chosen = read_benchmark(find_benchmark(benchmark))
    _print_wide([blind_table(chosen.manifest.title, {split: blind_scores(asked) for split, asked in chosen.splits.items()})])


def _result_path(result: Result, results: Path, run: str) -> Path:
    """MODEL.json for what is ranked; what isn't goes by its run's name to a folder of its own, so that a quick look never takes
    the place of a full result."""
    from hope_bench.files.card import slug

    folder = results / slug(result.benchmark.name)
    folder = folder if result.convention == "strict" else folder / result.convention
    if result.unranked is not None:
        return folder / "unranked" / f"{slug(run)}.json"
    asked = () if result.run.prompt_set is None else (result.run.prompt_set, result.run.prompt_name or "")
    return folder / f"{slug(' '.join((result.model.name, *asked)))}.json"


def _keep_fuller(path: Path, result: Result, run: Path) -> None:
    """A ranked result of fewer splits, or with failed questions, never takes the place of a fuller one. Raises HopeBenchError."""
    from hope_bench.files.result import read_result
    from hope_bench.scoring.score import unasked

    def answered(one: Result) -> int:
        failed = sum(split.on_yes.error + split.on_no.error for split in one.splits.values())
        return sum(len(split.labels) - unasked(split) for split in one.splits.values()) - failed

    there = None
    if result.unranked is None and path.is_file():
        with contextlib.suppress(HopeBenchError):  # a file of an older or broken kind: to score again is its remedy
            there = read_result(path)
    if there is not None and there.benchmark.hash == result.benchmark.hash and answered(there) > answered(result):
        raise HopeBenchError(
            f"{path} holds this model's answers to {answered(there):,} questions, and {run} holds {answered(result):,}. It "
            "stays as it is: pass another folder with --results, or delete the file if this run is to take its place."
        )


def _say_next(result: Result, path: Path, results: Path) -> None:
    there = () if results == RESULTS else ("--results", results)
    if result.convention != "strict":
        return
    if result.unranked is None:
        say_next("Next:", "leaderboard", "build", *there)
    else:
        before = f"It is not ranked ({result.unranked}), so the leaderboard leaves it alone. To show it there all the same:"
        say_next(before, "leaderboard", "add", path, *there)


def _details(result: Result) -> list[Table | None]:
    from hope_bench.scoring.detail_tables import average_table, blind_table, part_table, probability_table, sensitivity_table

    blind = {name: split.blind for name, split in result.splits.items()}
    parts = [part_table(result, "category"), part_table(result, "description-kind"), part_table(result, "object-size")]
    return [
        sensitivity_table(result), probability_table(result), average_table(result), *parts,
        blind_table(result.benchmark.title, blind),
    ]  # fmt: skip


def _print_wide(tables: list[Table | None]) -> None:
    """Tables with whole lines, even in a narrow pipe."""
    from hope_bench.scoring.tables import print_whole

    for table in tables:
        if table is not None:
            console.print()
            print_whole(console, table)


def find_known(benchmark: Benchmark, annotations: Path | None) -> Known:
    """What lies beside a benchmark: the sizes of its objects, by the annotation file given or the one its spec names (unless
    reading that takes minutes), and what its published review found; each empty where there is none."""
    from hope_bench.cli.data import annotation_bytes, find_annotations
    from hope_bench.review.noise import read_label_noise
    from hope_bench.scoring.breakdown import object_sizes
    from hope_bench.scoring.score import Known

    published = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    reviewed = () if published is None else published.reviewed
    if annotations is None and annotation_bytes(benchmark) > _LARGEST_UNASKED:
        errors.print("Object sizes are left out, as the annotation file takes long to read. Pass --annotations to have them.")
        return Known(reviewed=reviewed)
    found = find_annotations(benchmark, annotations)
    return Known({} if found is None else object_sizes(found, set(benchmark.manifest.images)), reviewed)


def find_run(run: str) -> Path:
    """The folder of a run: a path, or BENCHMARK/NAME under runs/. Raises HopeBenchError naming the nearest known one."""
    for folder in (Path(run), Path("runs") / run):
        if (folder / "run.json").is_file():
            return folder
    known = [str(path.parent.relative_to("runs")) for path in Path("runs").glob("*/*/run.json")]
    raise HopeBenchError(f"No run {run!r}: give its folder, or BENCHMARK/NAME under runs/. " + did_you_mean(run, known))
