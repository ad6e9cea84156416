"""hope-bench score and baselines: from a run's answers to a result file, and what answering without looking gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hope_bench.cli.app import app, as_values, check_one_format, console, line, print_numbers, print_tables, say, say_next
from hope_bench.cli.options import (
    AnnotationFile,
    AsCsv,
    AsJson,
    BenchmarkArgument,
    Convention,
    Details,
    Replicates,
    Results,
    RunArgument,
    RunBenchmark,
)
from hope_bench.files.places import RESULTS

if TYPE_CHECKING:
    from hope_bench.files.result import Result
    from hope_bench.files.split_score import Blind


@app.command()
def score(
    run: RunArgument,
    benchmark: RunBenchmark = None,
    results: Results = RESULTS,
    replicates: Replicates = 2000,
    convention: Convention = "strict",
    language: Annotated[
        list[str] | None, typer.Option(help="Read this language's yes and no too (de, fr, zh, ...); may be given several times.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Score under this file's or folder's labels (RePOPE's, say); may be given several times."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the relabelled benchmark is called. Default: NAME-relabelled.")] = None,
    annotations: AnnotationFile = None,
    reviewed: Annotated[
        list[Path] | None,
        typer.Option(help="A decisions file of a reviewed sample; may be given several times. Default: what is published."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace another model's result of the same run name.")] = False,
    details: Annotated[
        bool,
        typer.Option(
            "--details", help="Print every metric, P(yes), averages, categories, kinds, sizes and answers without looking too."
        ),
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Score a run: metrics of every split, HOPE against POPE, error bars; written as a result file for the leaderboard.

    Unparsed answers and errors are counted apart and never read as a no. The same answers give the same bytes. A result is named
    after its run: RESULTS/BENCHMARK/RUN.json. What is not ranked (a quick look, another prompt) goes to a folder unranked/ there,
    and other conventions than strict to one of their name; the leaderboard leaves both alone (docs/scoring.md).

    Examples:

    hope-bench score hope-coco/llava-1.5-7b

    hope-bench score pope-coco/llava-v1.5-13b --convention vlmevalkit

    hope-bench score pope-coco/llava-v1.5-13b --labels coco_repope_random.json --labels coco_repope_popular.json
    """
    from hope_bench.api.scoring import score_and_write
    from hope_bench.scoring.detail_tables import corrected_table, relabelled_table

    check_one_format(as_json, as_csv, details=details)
    scored = score_and_write(
        run, benchmark=benchmark, results=results, convention=convention, languages=as_values(language), replicates=replicates,
        labels=as_values(labels), name=name, annotations=annotations, reviewed=as_values(reviewed),
        replace=replace, say=say,
    )  # fmt: skip
    result = scored.result
    if as_json or as_csv:
        print_numbers(result.to_frame(), as_json=as_json)
        return
    result.summary().show(console)
    for text in scored.unread:
        line(text)
    moved = None if scored.moved is None else relabelled_table(scored.moved)
    print_tables([corrected_table(result), moved])
    if details:
        _print_details(result)
    line(f"\nResult: {scored.path}")
    there = () if results == RESULTS else ("--results", results)
    if result.unranked is not None and result.convention == "strict":
        before = f"It is not ranked ({result.unranked}), so the leaderboard leaves it alone. To show it there all the same:"
        say_next(before, "leaderboard", "add", scored.path, *there)
    elif result.convention == "strict":
        say_next("Next:", "leaderboard", "build", *there)


@app.command()
def baselines(benchmark: BenchmarkArgument, details: Details = False, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """What answering without looking gives on a benchmark: always yes, always no, by the asked category, by the question's words.

    What is learnt is learnt from questions about other images, made in the same way (docs/scoring.md). Where a way beats a
    balanced accuracy of 50, or stays as far below it ("either way"), part of the benchmark can be solved without the pictures.
    Tossing coins gets both of a pair right 25 times in 100. --json and --csv print fractions, not percent.

    Example:

    hope-bench baselines hope-coco
    """
    from hope_bench.api.making import load_benchmark
    from hope_bench.api.scoring import baselines as blind
    from hope_bench.scoring.detail_tables import blind_summary, blind_table

    check_one_format(as_json, as_csv)
    chosen = load_benchmark(benchmark)
    found = blind(chosen)
    if as_json or as_csv:
        import pandas as pd

        rows = [{"split": split} | _flat(one) for split, ones in found.items() for one in ones]
        print_numbers(pd.DataFrame(rows), as_json=as_json)
        return
    blind_summary(chosen.manifest.title, found).show(console)
    print_tables([blind_table(chosen.manifest.title, found)] if details else (), whole=True)


def _flat(one: Blind) -> dict[str, object]:
    """Its numbers by name; an estimate's limits as NAME_low and NAME_high."""
    flat: dict[str, object] = {}
    for name in type(one).model_fields:
        value = getattr(one, name)
        if name in ("either_way", "auroc"):
            for part in ("value", "low", "high"):
                flat[name if part == "value" else f"{name}_{part}"] = None if value is None else getattr(value, part)
        else:
            flat[name] = value
    return flat


def _print_details(result: Result) -> None:
    from hope_bench.scoring.detail_tables import average_table, blind_table, part_table, probability_table, sensitivity_table
    from hope_bench.scoring.tables import comparison_table, remarks, split_table

    parts = [part_table(result, "category"), part_table(result, "description-kind"), part_table(result, "object-size")]
    blind = blind_table(result.benchmark.title, {name: split.blind for name, split in result.splits.items()})
    compared = comparison_table(result) if result.comparisons else None
    tables = [split_table(result), compared, sensitivity_table(result), probability_table(result), average_table(result), *parts]
    print_tables([*tables, blind], whole=True)
    for text in remarks(result):
        line(text)
