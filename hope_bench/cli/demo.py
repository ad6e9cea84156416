"""hope-bench demo: the whole path on the embedded world, offline, in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hope_bench.cli.app import app, console, line, print_numbers, say
from hope_bench.cli.options import AsJson

if TYPE_CHECKING:
    from hope_bench.demo.run import DemoOutcome


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Keep everything in this folder. Default: a new temporary folder.")] = None,
    scenes: Annotated[int, typer.Option(min=10, help="How many scenes to draw and ask about.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Show the whole path: draw scenes, search distractors with a tiny CLIP, ask a tiny LVLM, score, build the leaderboard.

    Both models are really trained and ship with hope-bench; nothing is downloaded. The same steps then take your own data:
    hope-bench generate, evaluate, score, leaderboard build.

    Example: hope-bench demo --out demo
    """
    from hope_bench.demo.run import run_demo

    show_demo(run_demo(out, scenes, say), as_json=as_json)


def show_demo(outcome: DemoOutcome, *, as_json: bool) -> None:
    """The demo's numbers, and where its page is. Exits with 1 where some answers are errors."""
    if as_json:
        print_numbers(outcome.result.to_frame(), as_json=True)
    else:
        outcome.result.summary().show(console)
        line(f"\n{outcome.result.benchmark.description}")
        line(f"\nThe leaderboard page: {outcome.page}")
    if outcome.errors:
        raise typer.Exit(1)
