"""hope-bench compare: is one model really better than another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from hope_bench.cli.app import app, console, errors
from hope_bench.errors import HopeBenchError, did_you_mean, first_few

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark
    from hope_bench.files.result import Result

_WIDTH = 140
_MOST_FOR_ALL_PAIRS = 8


@app.command()
def compare(
    given: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="Result files, BENCHMARK/MODEL, or BENCHMARK for all of its results.")
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
    results: Annotated[Path, typer.Option(help="Where RESULTS/BENCHMARK/MODEL.json lie.")] = Path("leaderboard/results"),
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap replicates, for MCC.")] = 2000,
) -> None:
    """Compare models on the same questions: numbers, ranks as intervals, differences paired by image, p-values.

    Only result files are needed. Holm's correction covers every pair shown. Where the benchmark is at hand, the questions
    on which the models differ most are listed.

    Examples:

    hope-bench compare pope-coco/model-a pope-coco/model-b

    hope-bench compare pope-coco --split popular --metric hallucination_rate
    """
    from hope_bench.files.result import read_result
    from hope_bench.scoring import comparison_tables as tables
    from hope_bench.scoring.comparing import compare as compare_results
    from hope_bench.scoring.comparing import model_names
    from hope_bench.scoring.differing import differing_questions
    from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
    from hope_bench.scoring.metrics import METRICS

    if metric not in METRICS:
        raise HopeBenchError(f"No metric {metric!r}. " + did_you_mean(metric, METRICS))
    files = find_results(given, results)
    loaded = [read_result(path) for path in files]
    files, loaded = _ranked_or_named(given, files, loaded)
    bootstrap = DEFAULT_BOOTSTRAP.model_copy(update={"replicates": replicates})
    base = against or (_best(loaded, split, metric) if len(loaded) > _MOST_FOR_ALL_PAIRS else None)
    found = compare_results(loaded, split, metric, base, bootstrap, files)
    wide = Console(file=console.file, emoji=False, force_terminal=console.is_terminal, width=max(console.width, _WIDTH))
    wide.print(tables.standing_table(found))
    for caveat in tables.caveats(found):
        wide.print(Text(caveat), soft_wrap=True)
    if blind := tables.without_looking(loaded, found):
        wide.print(Text(blind), soft_wrap=True)
    wide.print()
    wide.print(tables.pair_table(found))
    wide.print()
    if len(found.pairs) <= 3:
        for pair in found.pairs:
            console.print(Text(tables.verdict_on(pair, metric)), soft_wrap=True)
    chosen = _benchmark(benchmark, loaded[0]) if questions else None
    if chosen is not None:
        listed = differing_questions(chosen, loaded, found.split, questions)
        wide.print()
        wide.print(tables.differing_table(model_names(loaded), found.split, listed))
    elif questions:
        console.print(f"Give --benchmark FOLDER ({loaded[0].benchmark.name}) to list the questions on which they differ most.")


def find_results(given: Sequence[str], results: Path) -> list[Path]:
    """The result files that are meant, each once. Raises HopeBenchError naming the nearest known one."""
    found: dict[Path, None] = {}
    for name in given:
        if Path(name).is_file():
            found[Path(name)] = None
        elif (results / f"{name}.json").is_file():
            found[results / f"{name}.json"] = None
        elif files := sorted((results / name).glob("*.json")):
            found.update(dict.fromkeys(files))
        else:
            known = [str(path.relative_to(results).with_suffix("")) for path in results.glob("*/*.json")]
            raise HopeBenchError(f"No result {name!r}: give a file, BENCHMARK/MODEL or BENCHMARK. " + did_you_mean(name, known))
    return list(found)


def _ranked_or_named(given: Sequence[str], files: list[Path], loaded: list[Result]) -> tuple[list[Path], list[Result]]:
    """Without the unranked results that only BENCHMARK stood for: a quick look must be asked for by its name."""
    named = {path.stem for path in map(Path, given)}
    left_out = [path for path, one in zip(files, loaded, strict=True) if one.unranked is not None and path.stem not in named]
    if left_out:
        errors.print(f"Left out, as they are not ranked: {escape(first_few([path.stem for path in left_out]))}.", soft_wrap=True)
    kept = [place for place, path in enumerate(files) if path not in left_out]
    return [files[place] for place in kept], [loaded[place] for place in kept]


def _best(loaded: Sequence[Result], split: str | None, metric: str) -> str:
    """The model with the best number on the split, to hold the others against."""
    from hope_bench.scoring.comparing import LOWER_IS_BETTER, model_names

    sign = -1 if metric in LOWER_IS_BETTER else 1
    place = split or loaded[0].benchmark.headline

    def number(result: Result) -> float:
        estimate = getattr(result.splits[place], metric) if place in result.splits else None
        return float("-inf") if estimate is None or estimate.value is None else sign * estimate.value

    numbers = [number(result) for result in loaded]
    return model_names(loaded)[numbers.index(max(numbers))]


def _benchmark(name: str | None, result: Result) -> Benchmark | None:
    """The benchmark that was named, or the one of that name and hash, if it is at hand."""
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark, known_benchmarks

    if name is not None:
        return read_benchmark(find_benchmark(name))
    folder = known_benchmarks().get(result.benchmark.name)
    if folder is None or not (folder / "manifest.json").is_file():
        return None
    found = read_benchmark(folder)
    return found if found.manifest.hash == result.benchmark.hash else None
