"""hope-bench leaderboard: from result files to a static site."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console

leaderboard = typer.Typer(no_args_is_help=True, help="Publish results as a static site.")
app.add_typer(leaderboard, name="leaderboard")

Results = Annotated[Path, typer.Option(help="Folder of RESULTS/BENCHMARK/MODEL.json files.")]
Out = Annotated[Path, typer.Option(help="Where the site goes: a new or empty folder, or an earlier site.")]
RESULTS, SITE = Path("leaderboard/results"), Path("build/site")


@leaderboard.callback()
def _family() -> None:
    """Publish results as a static site."""


@leaderboard.command()
def build(results: Results = RESULTS, out: Out = SITE) -> None:
    """Build the leaderboard: an overview, a ranking for every benchmark, a page per result, and the data for programs.

    Every result file is checked first (its schema, and its numbers against its own verdicts). The site is static and fetches
    nothing: open it from disk, or put the folder on any web server.

    Examples:

    hope-bench leaderboard build

    hope-bench leaderboard build --results /tmp/results --out /tmp/page
    """
    from hope_bench.site import build_site
    from hope_bench.site.reading import check_not_empty

    check_not_empty(results)
    pages = build_site(results, out)
    console.print(f"{len(pages.results)} result(s) checked and published.", highlight=False)
    console.print(f"Leaderboard: {escape(str(pages.index.resolve()))}", soft_wrap=True, highlight=False)


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
    from hope_bench.site.adding import add_result

    target = add_result(result, results, new_version=new_version, replace=replace)
    console.print(f"Checked, and added as {escape(str(target))}", soft_wrap=True, highlight=False)


@leaderboard.command()
def check(results: Results = RESULTS) -> None:
    """Check every result as `add` does, intervals included, and write nothing.

    Examples:

    hope-bench leaderboard check
    """
    from hope_bench.site.adding import check_results

    console.print(f"{check_results(results)} result(s) hold.", highlight=False)


@leaderboard.command()
def describe(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
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
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.site.sheet import describe_benchmark

    path = describe_benchmark(read_benchmark(find_benchmark(benchmark)), results, images, licence)
    console.print(f"Described in {escape(str(path))}", soft_wrap=True, highlight=False)


@leaderboard.command()
def serve(
    results: Results = RESULTS,
    out: Out = SITE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")] = 8000,
) -> None:
    """Serve the leaderboard on this computer only, and build it again whenever a result changes. Ctrl-C ends it.

    Examples:

    hope-bench leaderboard serve

    hope-bench leaderboard serve --port 0
    """
    import threading

    from hope_bench.site import build_site
    from hope_bench.site.serve import ADDRESS, start, watch

    def say(words: str) -> None:
        console.print(escape(words), soft_wrap=True, highlight=False)

    build_site(results, out)
    server = start(out, port)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # how serving ends
            say(f"Leaderboard: http://{ADDRESS}:{server.server_port}/")
            watch(results, out, say, threading.Event())
    finally:
        server.shutdown()
