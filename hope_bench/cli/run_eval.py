"""What run_eval.py does: evaluate, score and rebuild the leaderboard in one go; without arguments, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import as_values, console, line, print_json, say
from hope_bench.cli.demo import show_demo
from hope_bench.cli.options import (
    AllowCode,
    AsJson,
    AuthorsPrompt,
    BaseUrl,
    BatchSize,
    BatchTokens,
    Compiled,
    Complete,
    Device,
    DeviceMap,
    Dtype,
    Images,
    Limit,
    MaxNewTokens,
    ProcessCount,
    Processor,
    Quantize,
    Revision,
    RunName,
    ServerArgs,
    ServerKind,
    ServerTimeout,
    SharedPath,
    Split,
    Step,
    Thinking,
    TrustRemoteCode,
    WorkerCount,
)
from hope_bench.errors import HopeBenchError


def run_eval(
    model: Annotated[str | None, typer.Option("--model", "-m", help="A card, a checkpoint folder or a Hugging Face id.")] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="A benchmark: its folder, name, or hf:ORG/NAME[@REVISION].")
    ] = None,
    images: Images = None,
    limit: Limit = None,
    split: Split = None,
    name: RunName = None,
    step: Step = None,
    dtype: Dtype = None,
    device: Device = None,
    batch_size: BatchSize = None,
    batch_tokens: BatchTokens = None,
    max_new_tokens: MaxNewTokens = None,
    thinking: Thinking = None,
    revision: Revision = None,
    processor: Processor = None,
    device_map: DeviceMap = None,
    quantize: Quantize = None,
    compiled: Compiled = None,
    workers: WorkerCount = None,
    authors_prompt: AuthorsPrompt = False,
    complete: Complete = False,
    path: SharedPath = None,
    trust_remote_code: TrustRemoteCode = False,
    allow_code: AllowCode = False,
    base_url: BaseUrl = None,
    server: ServerKind = None,
    server_args: ServerArgs = None,
    server_timeout: ServerTimeout = None,
    processes: ProcessCount = None,
    out: Annotated[
        Path | None, typer.Option(help="Where everything goes. Default: the working directory; for the demo, a temporary folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on a benchmark, score its answers and rebuild the leaderboard. With no arguments: run the demo.

    Writes runs/, leaderboard/results/ and build/site/. The same command goes on where it was interrupted. What --limit gives is
    not ranked, and the leaderboard leaves it alone. The options are hope-bench evaluate's.

    Examples:

    python run_eval.py --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014

    python run_eval.py --base-url http://127.0.0.1:8000/v1 --model SERVED-NAME --benchmark hope-coco --images val2014

    Exit code: 0 done, 1 some answers are errors, 2 bad input.
    """
    import hope_bench as hb
    from hope_bench.cli.evaluate import run_json, show_run
    from hope_bench.demo.run import run_demo
    from hope_bench.processes import is_first

    if (model is None) != (benchmark is None):
        raise HopeBenchError("Give both --model and --benchmark (or neither: that runs the demo).")
    if model is None or benchmark is None:
        show_demo(run_demo(out, say=say), as_json=as_json)
        return
    base = out or Path()
    results = base / "leaderboard" / "results"
    run = hb.evaluate(
        model, benchmark, images=images, limit=limit, splits=as_values(split), name=name, runs=base / "runs", step=step,
        processor=processor, authors_prompt=authors_prompt, workers=workers, processes=processes,
        trust_remote_code=trust_remote_code, allow_code=allow_code, say=say, dtype=dtype, device=device, batch_size=batch_size,
        batch_tokens=batch_tokens, max_new_tokens=max_new_tokens, thinking=thinking, revision=revision, device_map=device_map,
        quantize=quantize, compile=compiled, complete=complete or None, path=path, base_url=base_url, server=server,
        server_args=server_args, server_timeout=server_timeout,
    )  # fmt: skip
    if not is_first():  # of several processes, which have asked together
        raise typer.Exit(bool(run.errors))
    show_run(run, benchmark, quiet=as_json)
    result = hb.score(run, benchmark=benchmark, results=results, say=say)
    # A quick look alone is no leaderboard.
    page = hb.build_leaderboard(results, base / "build" / "site").resolve() if any(results.glob("*/*.json")) else None
    if as_json:
        print_json({"run": run_json(run, benchmark), "result": result, "leaderboard": None if page is None else str(page)})
    else:
        result.summary().show(console)
        if page is not None:
            line(f"Leaderboard: {page}")
    if run.errors:
        raise typer.Exit(1)
