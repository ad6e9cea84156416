"""hope-bench leaderboard: from result files to a static page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console

leaderboard = typer.Typer(no_args_is_help=True, help="Publish results as a static page.")
app.add_typer(leaderboard, name="leaderboard")


@leaderboard.callback()
def _family() -> None:
    """Publish results as a static page."""


@leaderboard.command()
def build(
    results: Annotated[Path, typer.Option(help="Folder of RESULTS/BENCHMARK/MODEL.json files.")] = Path("leaderboard/results"),
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("build/site"),
) -> None:
    """Build the leaderboard: one page over all results, and one page per result.

    Every result file is checked first (its schema, and its numbers against its own verdicts). The page is plain HTML and CSS:
    open it from disk, or put the folder on any web server.

    Examples:

    hope-bench leaderboard build

    hope-bench leaderboard build --results /tmp/results --out /tmp/page
    """
    from hope_bench.site import build_site

    pages = build_site(results, out)
    console.print(f"{len(pages.results)} result(s) checked and published.", highlight=False)
    console.print(f"Leaderboard: {escape(str(pages.index.resolve()))}", soft_wrap=True, highlight=False)
