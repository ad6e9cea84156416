"""hope-bench inspect: what a benchmark holds, as tables and as a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import app, check_one_format, line, print_json, print_tables, say
from hope_bench.cli.options import AnnotationFile, AsJson, BenchmarkArgument, Details, Images


@app.command()
def inspect(
    benchmark: BenchmarkArgument,
    images: Images = None,
    run: Annotated[
        str | None, typer.Option(help="Show this run's answers beside the questions: a folder, or BENCHMARK/NAME under runs/.")
    ] = None,
    annotations: AnnotationFile = None,
    out: Annotated[Path | None, typer.Option(help="Where the gallery goes. Default: build/inspect/NAME.")] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="A gallery of the questions alone, without pictures.")] = False,
    training: Annotated[
        Path | None,
        typer.Option(help="Images that a model was trained on: an annotation file, any file that names them, or their folder."),
    ] = None,
    most_frequent: Annotated[int, typer.Option(min=1, help="How many distractors to list per split.")] = 5,
    categories: Annotated[int, typer.Option(min=0, help="How many categories to count, the most asked about first.")] = 20,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Print what a benchmark holds, and write a gallery of its images and questions to look through.

    Counts by split, label balance and the published label noise; with --details also the most frequent distractors, counts by
    category, how large the objects asked about are, how much the splits overlap, and the risks. Then a static page with every
    question's score, risk and evidence, filtered by split, label and text.

    With --run, the page shows what a model answered, and finds what it got wrong; a click enlarges a picture, with its boxes.

    Examples:

    hope-bench inspect my-benchmark --images val2014

    hope-bench inspect my-benchmark --images val2014 --run my-benchmark/llava-1.5-7b
    """
    from hope_bench.api.looking import inspect as look
    from hope_bench.cli.review import noise_table
    from hope_bench.inspection.tables import sizes_table, summary_tables

    check_one_format(as_json, False, details=details)
    found = look(
        benchmark, images=images, out=out, no_images=no_images, run=run, annotations=annotations, training=training, say=say
    )
    if as_json:
        print_json(found)
        return
    first, *rest = summary_tables(found.summary, most_frequent, categories)
    print_tables([first, noise_table(found.noise) if found.noise else None])
    rest += [sizes_table(found.sizes)] if found.sizes else []
    print_tables(rest if details else (), whole=True)
    if found.training is not None:
        seen, of = len(found.training.seen), found.training
        share = "" if of.share is None else f" ({of.share:.1%})"
        line(f"In {of.name} ({of.listed:,} images): {seen:,} of the benchmark's {of.images:,} images{share}.")
    line(f"Gallery: {found.gallery.resolve()}")
