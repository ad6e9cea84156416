"""What run_eval.py does: evaluate, score and rebuild the leaderboard in one go; without arguments, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import console, line, say
from hope_bench.cli.options import BatchSize, Device, Dtype, Limit, RunName, TrustRemoteCode
from hope_bench.errors import HopeBenchError


def run_eval(
    model: Annotated[str | None, typer.Option("--model", "-m", help="A card, a checkpoint folder or a Hugging Face id.")] = None,
    benchmark: Annotated[str | None, typer.Option("--benchmark", "-b", help="A generated benchmark: its folder or name.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the benchmark's images.")] = None,
    limit: Limit = None,
    name: RunName = None,
    dtype: Dtype = None,
    device: Device = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    out: Annotated[
        Path | None, typer.Option(help="Where everything goes. Default: the working directory; for the demo, a temporary folder.")
    ] = None,
) -> None:
    """Evaluate a model on a benchmark, score its answers and rebuild the leaderboard. With no arguments: run the demo.

    Writes runs/, leaderboard/results/ and build/site/. The same command goes on where it was interrupted. What --limit gives is
    not ranked, and the leaderboard leaves it alone.

    Example: python run_eval.py --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014

    Exit code: 0 done, 1 some answers are errors, 2 bad input.
    """
    import hope_bench as hb
    from hope_bench.cli.evaluate import show_run
    from hope_bench.demo.run import run_demo
    from hope_bench.inference.processes import is_first

    if (model is None) != (benchmark is None):
        raise HopeBenchError("Give both --model and --benchmark (or neither: that runs the demo).")
    if model is None or benchmark is None:
        outcome = run_demo(out, say=say)
        outcome.result.summary().show(console)
        line(f"\nThe leaderboard page: {outcome.page}")
        raise typer.Exit(bool(outcome.errors))
    base = out or Path()
    results = base / "leaderboard" / "results"
    run = hb.evaluate(
        model, benchmark, images=images, limit=limit, name=name, runs=base / "runs", dtype=dtype, device=device,
        batch_size=batch_size, trust_remote_code=trust_remote_code, say=say,
    )  # fmt: skip
    if not is_first():  # of several processes, which have asked together
        raise typer.Exit(bool(run.errors))
    show_run(run, benchmark)
    hb.score(run, benchmark=benchmark, results=results, say=say).summary().show(console)
    if any(results.glob("*/*.json")):  # a quick look alone is no leaderboard
        line(f"Leaderboard: {hb.build_leaderboard(results, base / 'build' / 'site').resolve()}")
    if run.errors:
        raise typer.Exit(1)
