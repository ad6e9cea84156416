"""hope-bench compare, transfer and trend: is one model better than another, who chose whom, and do checkpoints get better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import app, check_one_format, console, line, print_numbers, print_tables, say
from hope_bench.cli.options import AsCsv, AsJson, Details, Replicates, Results, RunBenchmark
from hope_bench.files.places import RESULTS, RUNS

_QUESTIONS = 10
"""How many questions the details list."""


@app.command()
def compare(
    given: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="Result files, BENCHMARK/RUN, or BENCHMARK for all of its results.")
    ],
    split: Annotated[str | None, typer.Option(help="The split to compare on. Default: the headline split.")] = None,
    metric: Annotated[str, typer.Option(help="The number to compare by.")] = "balanced_accuracy",
    against: Annotated[
        str | None, typer.Option(help="Compare every model with this one alone. Default: all pairs; above 8 models, the best.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="The benchmark's folder or name, to list questions. Default: found.")
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(min=0, help="List so many questions on which they differ most. Default: 10 with --details, -b."),
    ] = None,
    results: Results = RESULTS,
    replicates: Replicates = 2000,
    details: Details = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Compare models on the same questions: numbers, ranks as intervals, differences paired by image, p-values.

    Only result files are needed. Holm's correction covers every pair. --details adds every pair, all tests, and, where the
    benchmark is at hand, the questions on which the models differ most. --json and --csv print the pairs.

    Examples:

    hope-bench compare pope-coco/model-a pope-coco/model-b

    hope-bench compare pope-coco --split popular --metric hallucination_rate
    """
    from hope_bench.api import comparing
    from hope_bench.scoring import comparison_tables as tables
    from hope_bench.scoring.comparing import check_metric, model_names

    check_one_format(as_json, as_csv, details=details, questions=bool(questions))
    check_metric(metric)
    loaded = comparing.load_results(given, results, say)
    found = comparing.compare_loaded(loaded, split=split, metric=metric, against=against, replicates=replicates)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        return
    found.summary().show(console)
    each = list(loaded.values())
    if blind := tables.without_looking(each, found):
        line(blind)
    print_tables([tables.pair_table(found)] if details else (), whole=True)
    most = questions if questions is not None else _QUESTIONS if details or benchmark else 0
    listed = comparing.differing(each, found.split, most, benchmark) if most else ()
    if listed:
        print_tables([tables.differing_table(model_names(each), found.split, listed)])
    elif listed is None or not details:
        every = "" if details else "All pairs and tests: --details. "
        line(f"{every}The questions on which they differ most: --benchmark FOLDER ({each[0].benchmark.name}).")


@app.command()
def transfer(
    given: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="Result files, BENCHMARK/RUN, or BENCHMARK for all of its results.")
    ],
    strategy: Annotated[
        str | None, typer.Option(help="The strategy of several encoders. Default: the headline split's, else the first one.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show who chose whom: hallucination rates by searching encoder and model.

    For benchmarks that search with several encoders (content, content@NAME).
    Home advantage: how much more a model is fooled by what an encoder of its
    own vision tower's family chose than by what others chose, minus the same
    of the models of other families. Only result files are needed. --json and
    --csv print a row a model and encoder.

    Examples:

    hope-bench transfer my-benchmark

    hope-bench transfer my-benchmark/model-a my-benchmark/model-b --csv
    """
    from hope_bench.api.comparing import transfer as who_chose_whom

    check_one_format(as_json, as_csv)
    found = who_chose_whom(given, strategy=strategy, results=results, say=say)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        return
    found.summary().show(console)
    print_tables([found.home_table()])


@app.command()
def trend(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or BENCHMARK/NAME under runs/.")],
    step: Annotated[
        list[int] | None,
        typer.Option(help="A run's training step; one for each RUN, in the same order. Default: what the run or its name says."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="The split to follow. Default: the headline split.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The POPE split that it is held against. Default: adversarial, else the first.")
    ] = None,
    benchmark: RunBenchmark = None,
    runs_folder: Annotated[Path, typer.Option("--runs", help="Folder of runs; in it, a run is BENCHMARK/NAME.")] = RUNS,
    replicates: Replicates = 2000,
    details: Details = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the chart here, as a page. Default: build/trend/BENCHMARK.html; with --json or --csv, none."),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show how checkpoints of one training run change: hallucination rate, balanced accuracy and precision drop over steps.

    A table, and a chart as a page that loads nothing from elsewhere. Each checkpoint is compared with the one before, paired by
    image; intervals and p-values of these changes, which --details shows, are corrected for their number.

    Examples:

    hope-bench trend hope-coco/run-checkpoint-500 hope-coco/run-checkpoint-1000

    hope-bench trend hope-coco/first hope-coco/second --step 500 --step 1000 --csv
    """
    from hope_bench.api.following import trend as follow
    from hope_bench.scoring.comparison_tables import changes_table

    check_one_format(as_json, as_csv, details=details)
    found = follow(runs, steps=step, split=split, baseline=baseline, benchmark=benchmark, replicates=replicates, runs=runs_folder)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        if out is not None:
            say(f"Chart: {found.write_page(out).resolve()}")
        return
    found.summary().show(console)
    if details:
        print_tables([changes_table(found)], whole=True)
    line(f"\nChart: {found.write_page(out or Path('build') / 'trend' / f'{found.benchmark}.html').resolve()}")
