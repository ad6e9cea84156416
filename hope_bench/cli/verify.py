"""hope-bench verify: does a model give here what was published of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hope_bench.cli.app import app, line, print_json, print_tables, say
from hope_bench.cli.options import AsJson, BatchSize, Device, DeviceMap, Dtype, Revision, RunBenchmark, RunName, Runs
from hope_bench.files.places import RUNS

if TYPE_CHECKING:
    from hope_bench.api.asking import CardSettings


@app.command()
def verify(
    model: Annotated[
        str | None, typer.Argument(help="A model card (name or .toml), a checkpoint folder or a Hugging Face id (ORG/NAME).")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Ask nothing: compare this run, a folder or BENCHMARK/NAME under runs/.")
    ] = None,
    pope: Annotated[
        list[Path] | None, typer.Option(help="POPE's official files (coco_pope_random.json, ...) or their folder.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images of MS-COCO val2014.")] = None,
    published_as: Annotated[
        str | None, typer.Option("--as", help="Whose published figures, where MODEL is a copy under another name.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="A TOML file of figures. Default: leaderboard/published.toml.")] = None,
    benchmark: RunBenchmark = None,
    name: RunName = None,
    runs: Runs = RUNS,
    out: Annotated[Path | None, typer.Option(help="Where POPE's files are imported. Default: benchmarks/pope-published.")] = None,
    dtype: Dtype = None,
    device: Device = None,
    batch_size: BatchSize = None,
    revision: Revision = None,
    device_map: DeviceMap = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model POPE's questions as a paper did, and say whether its figures come out here.

    The first thing to run on a new machine: download, pictures, prompt, model, parsing and scoring in one command. What it
    needs is said first. Interrupt it as you like: the same command goes on. How far two honest runs may differ is derived from
    the number of questions (docs/inference.md).

    Examples:

    hope-bench verify llava-hf/llava-1.5-7b-hf --pope POPE/output/coco --images val2014

    hope-bench verify --run pope-coco/llava-v1.5-13b

    Exit code: 0 all figures agree, 1 one differs or some answers are errors.
    """
    from hope_bench.api.verifying import verify as compare
    from hope_bench.scoring.published import explanations
    from hope_bench.scoring.published_tables import verdict, verification_tables

    settings: CardSettings = {
        "dtype": dtype, "device": device, "batch_size": batch_size, "revision": revision, "device_map": device_map,
    }  # fmt: skip
    found = compare(
        model, run=run, pope=pope or (), images=images, published_as=published_as, figures=figures, benchmark=benchmark,
        name=name, runs=runs, out=out, say=say, **settings,
    )  # fmt: skip
    hints = explanations(found)
    if as_json:
        about = {
            "model": found.model,
            "agrees": found.agrees,
            "errors": found.errors,
            "runs": [str(one.folder) for one in found.runs],
        }
        written = about | {"figures": found.rows(), "notes": [*found.notes, *hints]}
        print_json(written)
    else:
        line(verdict(found))
        print_tables(verification_tables(found))
        for text in (*found.notes, *hints):
            line(text)
    if not found.agrees:
        raise typer.Exit(1)
