"""hope-bench export and import labels: a benchmark for other tools, and under other labels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import app, as_values, benchmark_json, line, print_json, print_tables, say_written
from hope_bench.cli.interchange import importer
from hope_bench.cli.options import AsJson, BenchmarkArgument, Split
from hope_bench.errors import counted
from hope_bench.tables import plain_table


class Target(StrEnum):
    """The tools that a benchmark can be exported for."""

    LLAVA = "llava"
    VLMEVALKIT = "vlmevalkit"
    LMMS_EVAL = "lmms-eval"
    DATASETS = "datasets"


@app.command()
def export(
    benchmark: BenchmarkArgument,
    to: Annotated[Target, typer.Option(help="The tool to export for.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder to write to.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, to put them into the files.")] = None,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Write a benchmark as another tool's files, with its own prompt and all that they can hold.

    llava: question and label files of LLaVA's POPE evaluation. vlmevalkit: a TSV. lmms-eval: a task folder. datasets: a Hugging
    Face dataset (Parquet, dataset card, Croissant metadata).

    Examples:

    hope-bench export my-benchmark --to vlmevalkit --images val2014 --out exported

    hope-bench export my-benchmark --to datasets --images val2014 --out my-dataset
    """
    from hope_bench.api.exchange import export as write
    from hope_bench.api.making import load_benchmark

    chosen = load_benchmark(benchmark)
    rows = write(chosen, to.value, out, images=images, splits=as_values(split))
    chosen = chosen.select(split) if split else chosen
    asked = sum(map(len, chosen.splits.values()))
    if as_json:
        print_json({"out": str(out), "rows": rows, "questions": asked, "splits": list(chosen.splits)})
        return
    merged = "" if rows == asked else f" ({counted(asked, 'question')}; those that several splits share are one row)"
    line(f"{counted(rows, 'row')}{merged} of {counted(len(chosen.splits), 'split')} written to {out}")


@importer.command()
def labels(
    benchmark: Annotated[str, typer.Argument(help="The benchmark whose labels to replace: its folder or name.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="Labels, as POPE's JSON lines (image, text, label); or a folder of such files.", metavar="FILE..."),
    ],
    name: Annotated[str | None, typer.Option(help="The new benchmark's name. Default: NAME-relabelled.")] = None,
    title: Annotated[str | None, typer.Option(help="Its title. Default: TITLE, relabelled.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep questions that the files don't label, as they are.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where it goes. Default: benchmarks/NAME.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace a benchmark's labels by those of files, such as RePOPE's corrections of POPE.

    Questions match by image and object, whatever the split and the wording. What the files don't label is left out and counted.

    Example: hope-bench import labels pope-coco coco_repope_random.json coco_repope_popular.json --name repope-coco
    """
    from hope_bench.api.exchange import import_labels

    made, changes = import_labels(benchmark, files, name=name, title=title, keep=keep, out=out)
    if as_json:
        counts = {
            split: {"kept": len(one.kept), "same": one.same, "yes_to_no": one.yes_to_no, "no_to_yes": one.no_to_yes,
                    "left_out": one.left_out}
            for split, one in changes.items()
        }  # fmt: skip
        print_json(benchmark_json(made) | {"changes": counts})
        return
    table = plain_table(made.manifest.title, "split", ">questions", ">label kept", ">yes to no", ">no to yes", ">left out")
    for split, change in changes.items():
        numbers = (len(change.kept), change.same, change.yes_to_no, change.no_to_yes, change.left_out)
        table.add_row(Text(split), *(f"{number:,}" for number in numbers))
    print_tables([table])
    say_written(made)
