"""hope-bench compare, transfer and trend: is one model better than another, who chose whom, and do checkpoints get better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import app, check_one_format, line, print_numbers, print_tables, say
from hope_bench.cli.options import AsCsv, AsJson, Replicates, Results, RunBenchmark
from hope_bench.files.places import RESULTS, RUNS

_PAIRS_IN_WORDS = 3


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
    questions: Annotated[int, typer.Option(min=0, help="How many of the questions on which they differ most to list.")] = 10,
    results: Results = RESULTS,
    replicates: Replicates = 2000,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Compare models on the same questions: numbers, ranks as intervals, differences paired by image, p-values.

    Only result files are needed. Holm's correction covers every pair shown. Where the benchmark is at hand, the questions
    on which the models differ most are listed. --json and --csv print the pairs.

    Examples:

    hope-bench compare pope-coco/model-a pope-coco/model-b

    hope-bench compare pope-coco --split popular --metric hallucination_rate
    """
    from hope_bench.api import numbers
    from hope_bench.scoring import comparison_tables as tables
    from hope_bench.scoring.comparing import check_metric, model_names

    check_one_format(as_json, as_csv)
    check_metric(metric)
    loaded = numbers.load_results(given, results, say)
    found = numbers.compare_loaded(loaded, split=split, metric=metric, against=against, replicates=replicates)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        return
    each = list(loaded.values())
    print_tables([tables.standing_table(found)])
    for words in filter(None, (*tables.caveats(found), tables.without_looking(each, found))):
        line(words)
    print_tables([tables.pair_table(found)])
    for pair in found.pairs if len(found.pairs) <= _PAIRS_IN_WORDS else ():
        line(tables.verdict_on(pair, metric))
    listed = numbers.differing(each, found.split, questions, benchmark) if questions else ()
    if listed:
        print_tables([tables.differing_table(model_names(each), found.split, listed)])
    elif listed is None:
        line(f"Give --benchmark FOLDER ({each[0].benchmark.name}) to list the questions on which they differ most.")


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
    from hope_bench.api.numbers import transfer as who_chose_whom
    from hope_bench.scoring import transfer_tables as tables

    check_one_format(as_json, as_csv)
    found = who_chose_whom(given, strategy=strategy, results=results, say=say)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        return
    print_tables([tables.matrix_table(found)])
    for words in tables.captions(found):
        line(words)
    print_tables([tables.home_table(found)])


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
    out: Annotated[
        Path | None, typer.Option(help="Write the chart here, as a page of its own. Default: build/trend/BENCHMARK.html.")
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show how checkpoints of one training run change: hallucination rate, balanced accuracy and precision drop over steps.

    A table, and a chart as a page that loads nothing from elsewhere. Each checkpoint is compared with the one before, paired by
    image; intervals and p-values of these changes are corrected for their number.

    Examples:

    hope-bench trend hope-coco/run-checkpoint-500 hope-coco/run-checkpoint-1000

    hope-bench trend hope-coco/first hope-coco/second --step 500 --step 1000 --csv
    """
    from hope_bench.api.numbers import trend as follow
    from hope_bench.scoring.comparison_tables import trend_table

    check_one_format(as_json, as_csv)
    found = follow(runs, steps=step, split=split, baseline=baseline, benchmark=benchmark, replicates=replicates, runs=runs_folder)
    if as_json or as_csv:
        print_numbers(found.to_frame(), as_json=as_json)
        return
    print_tables([trend_table(found)])
    line(f"\nChart: {found.write_page(out or Path('build') / 'trend' / f'{found.benchmark}.html').resolve()}")
