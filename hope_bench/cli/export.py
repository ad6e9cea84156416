"""hope-bench export and import labels: a benchmark for other tools, and under other labels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import app, console
from hope_bench.cli.interchange import importer
from hope_bench.errors import HopeBenchError

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark


class Target(StrEnum):
    """The tools that a benchmark can be exported for."""

    LLAVA = "llava"
    VLMEVALKIT = "vlmevalkit"
    LMMS_EVAL = "lmms-eval"
    DATASETS = "datasets"


@app.command()
def export(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
    to: Annotated[Target, typer.Option(help="The tool to export for.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder to write to.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, to put them into the files.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be given several times.")] = None,
) -> None:
    """Write a benchmark as another tool's files, with its own prompt and all that they can hold.

    llava: question and label files of LLaVA's POPE evaluation. vlmevalkit: a TSV. lmms-eval: a task folder. datasets: a Hugging
    Face dataset (Parquet, dataset card, Croissant metadata).

    Examples:

    hope-bench export my-benchmark --to vlmevalkit --images val2014 --out exported

    hope-bench export my-benchmark --to datasets --images val2014 --out my-dataset
    """
    from hope_bench.cli.data import find_images
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.provenance import check_new

    check_new(out)
    chosen = read_benchmark(find_benchmark(benchmark))
    chosen = chosen.select(split) if split else chosen
    rows = _export(chosen, to, out, None if images is None else find_images(chosen, images))
    asked = sum(len(questions) for questions in chosen.splits.values())
    merged = "" if rows == asked else f" ({asked:,} questions; those that several splits share are one row)"
    console.print(
        f"{rows:,} rows{merged} of {len(chosen.splits)} split(s) written to {escape(str(out))}", soft_wrap=True, highlight=False
    )


def _export(benchmark: Benchmark, to: Target, out: Path, images: Path | None) -> int:
    if to is Target.LLAVA:
        from hope_bench.interchange.export_llava import export_llava

        if images is not None:
            raise HopeBenchError("LLaVA's files name the images and don't hold them: leave --images out.")
        return export_llava(benchmark, out)
    if to is Target.VLMEVALKIT:
        from hope_bench.interchange.export_vlmevalkit import export_vlmevalkit

        return export_vlmevalkit(benchmark, out, images)
    if to is Target.LMMS_EVAL:
        from hope_bench.interchange.export_lmms_eval import export_lmms_eval

        return export_lmms_eval(benchmark, out, images)
    from hope_bench.interchange.export_datasets import export_datasets

    return export_datasets(benchmark, out, images)


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
) -> None:
    """Replace a benchmark's labels by those of files, such as RePOPE's corrections of POPE.

    Questions match by image and object, whatever the split and the wording. What the files don't label is left out and counted.

    Example: hope-bench import labels pope-coco coco_repope_random.json coco_repope_popular.json --name repope-coco
    """
    from hope_bench.files.benchmark import check_own, read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.interchange.relabel import label_files, relabel

    chosen = read_benchmark(find_benchmark(benchmark))
    called = name or f"{chosen.manifest.name}-relabelled"
    folder = out or Path("benchmarks") / called
    if folder.resolve() == chosen.folder.resolve():
        raise HopeBenchError(f"{folder} is the benchmark itself. Choose another --name or --out.")
    check_own(folder, imported=True)
    manifest, changes = relabel(chosen, label_files(files), called, title or f"{chosen.manifest.title}, relabelled", folder, keep)
    table = Table(title=escape(manifest.title), title_justify="left")
    table.add_column("split", no_wrap=True)
    for column in ("questions", "label kept", "yes to no", "no to yes", "left out"):
        table.add_column(column, justify="right")
    for split, change in changes.items():
        numbers = (len(change.kept), change.same, change.yes_to_no, change.no_to_yes, change.left_out)
        table.add_row(split, *(f"{number:,}" for number in numbers))
    console.print(table)
    console.print(f"Benchmark written to {escape(str(folder))} (hash {manifest.hash[:12]}).", highlight=False, soft_wrap=True)
