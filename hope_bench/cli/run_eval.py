"""What run_eval.py does: evaluate, score and rebuild the leaderboard in one go; without arguments, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.demo import demo
from hope_bench.cli.evaluate import evaluate
from hope_bench.cli.leaderboard import build
from hope_bench.cli.score import score
from hope_bench.errors import HopeBenchError


def run_eval(
    model: Annotated[str | None, typer.Option("--model", "-m", help="A card, a checkpoint folder or a Hugging Face id.")] = None,
    benchmark: Annotated[str | None, typer.Option("--benchmark", "-b", help="A generated benchmark: its folder or name.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the benchmark's images.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only this many questions of each split; not ranked.")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. Default: the model's.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Questions asked at once.")] = None,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code", help="Run the Python code that the checkpoint brings along, if its card says so, too."
        ),
    ] = False,
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
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.card import find_card
    from hope_bench.files.registry import find_benchmark
    from hope_bench.inference.engine import EvaluateOptions, run_folder

    if model is None and benchmark is None:
        demo(out=out)
        return
    if model is None or benchmark is None:
        raise HopeBenchError("Give both --model and --benchmark (or neither: that runs the demo).")
    base = out or Path()
    failed = False
    try:
        evaluate(
            model=model, benchmark=benchmark, images=images, limit=limit, name=name, runs=base / "runs",
            dtype=dtype, device=device, batch_size=batch_size, trust_remote_code=trust_remote_code,
        )  # fmt: skip
    except typer.Exit:
        failed = True  # some answers are errors: they are scored as such, and the exit code says so
    options = EvaluateOptions(name=name, runs=base / "runs")
    folder = run_folder(read_benchmark(find_benchmark(benchmark)), find_card(model), options)
    results = base / "leaderboard" / "results"
    score(run=str(folder), benchmark=benchmark, results=results)
    if any(results.glob("*/*.json")):  # a quick look alone is no leaderboard
        build(results=results, out=base / "build" / "site")
    if failed:
        raise typer.Exit(1)
