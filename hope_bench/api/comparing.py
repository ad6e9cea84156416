"""Results in, comparisons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.api.making import PathOr, load_benchmark, teller
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.places import RESULTS
from hope_bench.files.registry import known_benchmarks
from hope_bench.files.result import Result
from hope_bench.files.result_file import find_results, read_result
from hope_bench.files.validation import checked
from hope_bench.progress import Say

if TYPE_CHECKING:
    from hope_bench.scoring.comparison import ModelComparison
    from hope_bench.scoring.differing import Differing
    from hope_bench.scoring.transfer import Transfer

_MOST_FOR_ALL_PAIRS = 8


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


def _at_hand(result: Result) -> Benchmark | None:
    """The benchmark of that name and hash, if it is here."""
    folder = known_benchmarks().get(result.benchmark.name)
    if folder is None or not (folder / "manifest.json").is_file():
        return None
    found = read_benchmark(folder)
    return found if found.manifest.hash == result.benchmark.hash else None
