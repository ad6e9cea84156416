"""Publishing: results in, a static leaderboard out."""

from __future__ import annotations

from pathlib import Path

from hope_bench.api.making import PathOr, load_benchmark, path_or_none, teller
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.places import RESULTS, SITE
from hope_bench.files.validation import checked
from hope_bench.progress import Say


@checked
def build_leaderboard(results: PathOr = RESULTS, out: PathOr = SITE, *, say: Say | None = None) -> Path:
    """Build the leaderboard from RESULTS/BENCHMARK/RUN.json files and return its first page; the same results, the same bytes.

    Every result is checked first: its schema, and its numbers against its own verdicts. `out` is a new or empty folder, or an
    earlier site. `say` is told (default: on stderr) which benchmark that no result is of can't be read. Raises HopeBenchError
    saying which file is wrong, and for a folder without results.

    Example: hb.build_leaderboard("leaderboard/results", "build/site")
    """
    from hope_bench.site import build_site
    from hope_bench.site.reading import check_not_empty

    check_not_empty(Path(results))
    return build_site(Path(results), Path(out), say=teller("auto", say)).index


@checked
def add_result(result: PathOr, results: PathOr = RESULTS, *, new_version: bool = False, replace: bool = False) -> Path:
    """Check a result file and put it onto the leaderboard, dated today; returns where it went.

    Checked are its schema, sizes, names and links, the hash of its questions against the results already there (`new_version`:
    its questions are meant to be new), and every number and interval against its own verdicts. `replace` replaces the model's
    earlier result for the same questions. Raises HopeBenchError saying what to mend; nothing is written then.

    Example: hb.add_result("/tmp/results/pope-coco/mine.json")
    """
    from hope_bench.site.adding import add_result as add

    return add(Path(result), Path(results), new_version=new_version, replace=replace)


@checked
def check_results(results: PathOr = RESULTS) -> int:
    """Check every result as `add_result` does, write nothing, and return how many hold. Raises HopeBenchError naming each file
    that doesn't.

    Example: hb.check_results("leaderboard/results")
    """
    from hope_bench.site.adding import check_results as check

    return check(Path(results))


@checked
def describe_benchmark(
    benchmark: Benchmark | PathOr, results: PathOr = RESULTS, *, images: PathOr | None = None, licence: str = ""
) -> Path:
    """Write a benchmark's sheet, what its page tells where only results are at hand, beside `results`; returns its path.

    With `images` and the `licence` by which they may be published, small copies of some images go with it. Raises HopeBenchError.

    Example: hb.describe_benchmark("hope-coco")
    """
    from hope_bench.site.sheet import describe_benchmark as describe

    return describe(load_benchmark(benchmark), Path(results), path_or_none(images), licence)
