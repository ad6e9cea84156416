"""hope-bench leaderboard: from result files to a static site."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import app, line, print_json, say
from hope_bench.cli.options import AsJson, BenchmarkArgument, Results, SiteOut
from hope_bench.errors import counted
from hope_bench.files.places import RESULTS, SITE

leaderboard = typer.Typer(no_args_is_help=True, help="Publish results as a static site.")
app.add_typer(leaderboard, name="leaderboard")


@leaderboard.callback()
def _family() -> None:
    """Publish results as a static site."""


@leaderboard.command()
def build(results: Results = RESULTS, out: SiteOut = SITE) -> None:
    """Build the leaderboard: an overview, a ranking for every benchmark, a page per result, and the data for programs.

    Every result file is checked first (its schema, and its numbers against its own verdicts). The site is static and fetches
    nothing: open it from disk, or put the folder on any web server.

    Examples:

    hope-bench leaderboard build

    hope-bench leaderboard build --results /tmp/results --out /tmp/page
    """
    from hope_bench.api.publishing import build_leaderboard

    line(f"Leaderboard: {build_leaderboard(results, out, say=say).resolve()}")


@leaderboard.command()
def add(
    result: Annotated[Path, typer.Argument(help="A result file, as `hope-bench score` writes it.")],
    results: Results = RESULTS,
    new_version: Annotated[bool, typer.Option("--new-version", help="Its questions are meant to be new: rank it apart.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the model's earlier result for the same questions.")
    ] = False,
) -> None:
    """Check a result and put it onto the leaderboard, dated today.

    Checked are its schema, sizes, names and links, the hash of its questions against the results already there, and every
    number and interval against its own verdicts. What is wrong is said, and nothing is written then.

    Examples:

    hope-bench leaderboard add /tmp/results/pope-coco/mine.json
    """
    from hope_bench.api.publishing import add_result

    line(f"Checked, and added as {add_result(result, results, new_version=new_version, replace=replace)}")


@leaderboard.command()
def check(results: Results = RESULTS, as_json: AsJson = False) -> None:
    """Check every result as `add` does, intervals included, and write nothing. Every file that doesn't hold is listed.

    Examples:

    hope-bench leaderboard check
    """
    from hope_bench.api.publishing import check_results

    held = check_results(results)
    if as_json:
        print_json({"results": held})
        return
    line(f"{counted(held, 'result holds', 'results hold')}.")


@leaderboard.command()
def describe(
    benchmark: BenchmarkArgument,
    results: Results = RESULTS,
    images: Annotated[Path | None, typer.Option(help="Folder of the benchmark's images, of which some are published.")] = None,
    licence: Annotated[str, typer.Option(help="The licence by which these images may be published.")] = "",
) -> None:
    """Write a benchmark's sheet: what its page tells of its questions, guards and labels, where only results are at hand.

    It goes to the folder `benchmarks` beside the results, and is committed with them. With --images and --licence, small copies
    of the images of example questions, and of the results' surest hallucinations, go with it and are published; without, images
    are named only. Describe a benchmark again when results are added whose images are to be shown.

    Examples:

    hope-bench leaderboard describe hope-coco

    hope-bench leaderboard describe build/demo/benchmarks/demo --images build/demo/world/images --licence Apache-2.0
    """
    from hope_bench.api.publishing import describe_benchmark

    line(f"Described in {describe_benchmark(benchmark, results, images=images, licence=licence)}")


@leaderboard.command()
def serve(
    results: Results = RESULTS,
    out: SiteOut = SITE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")] = 8000,
) -> None:
    """Serve the leaderboard on this computer only, and build it again whenever a result changes. Ctrl-C ends it.

    Examples:

    hope-bench leaderboard serve

    hope-bench leaderboard serve --port 0
    """
    import threading

    from hope_bench.site import build_site
    from hope_bench.site.serve import ADDRESS, start, state, watch

    seen = state(results)
    build_site(results, out, say=say)
    server = start(out, port)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # how serving ends
            line(f"Leaderboard: http://{ADDRESS}:{server.server_port}/")
            watch(results, out, seen, line, threading.Event())
    finally:
        server.shutdown()
