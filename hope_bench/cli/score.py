"""hope-bench score: from a run's answers to a result file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console
from hope_bench.errors import HopeBenchError, did_you_mean


@app.command()
def score(
    run: Annotated[str, typer.Argument(help="A run folder, or BENCHMARK/NAME under runs/.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="The benchmark's folder or name. Default: the one the run names.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where RESULTS/BENCHMARK/MODEL.json goes.")] = Path("leaderboard/results"),
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap replicates behind the 95% intervals.")] = 2000,
) -> None:
    """Score a run: metrics of every split, HOPE against POPE, error bars; written as a result file for the leaderboard.

    Unparsed answers and errors are counted apart and never read as a no. The same answers give the same bytes.

    Examples:

    hope-bench score hope-coco/llava-1.5-7b

    hope-bench score runs/hope-coco/llava-1.5-7b --results /tmp/results
    """
    from hope_bench.benchmark import read_benchmark
    from hope_bench.card import slug
    from hope_bench.registry import find_benchmark
    from hope_bench.result import write_result
    from hope_bench.runs import read_run
    from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.tables import print_result

    folder = _run_folder(run)
    questions = read_benchmark(find_benchmark(benchmark or read_run(folder).benchmark))
    result = score_run(questions, folder, DEFAULT_BOOTSTRAP.model_copy(update={"replicates": replicates}))
    path = results / slug(result.benchmark.name) / f"{slug(result.model.name)}.json"
    write_result(path, result)
    print_result(console, result)
    console.print(f"\nResult: {escape(str(path))}", soft_wrap=True, highlight=False)
    console.print("Next: hope-bench leaderboard build", highlight=False)


def _run_folder(run: str) -> Path:
    for folder in (Path(run), Path("runs") / run):
        if (folder / "run.json").is_file():
            return folder
    known = [str(path.parent.relative_to("runs")) for path in Path("runs").glob("*/*/run.json")]
    raise HopeBenchError(f"No run {run!r}: give its folder, or BENCHMARK/NAME under runs/. " + did_you_mean(run, known))
