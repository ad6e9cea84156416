"""hope-bench inspect: what a benchmark holds, as tables and as a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hope_bench.cli.app import app, console, errors
from hope_bench.errors import first_few
from hope_bench.progress import progress_bar


@app.command()
def inspect(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images. Default: what the spec.toml names.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the gallery goes. Default: build/inspect/NAME.")] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="A gallery of the questions alone, without pictures.")] = False,
    most_frequent: Annotated[int, typer.Option(min=1, help="How many distractors to list per split.")] = 5,
    categories: Annotated[int, typer.Option(min=0, help="How many categories to count, the most asked about first.")] = 20,
) -> None:
    """Print what a benchmark holds, and write a gallery of its images and questions to look through.

    Counts by split and category, label balance, the most frequent distractors, how much the splits overlap, the risks, and the
    published label noise; then a static page with every question's score, risk and evidence, filtered by split, label and text.

    Example: hope-bench inspect my-benchmark --images val2014
    """
    from hope_bench.cli.data import find_images
    from hope_bench.cli.review import noise_table
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.inspection.gallery import check_gallery, write_gallery
    from hope_bench.inspection.summary import summarize
    from hope_bench.inspection.tables import summary_tables
    from hope_bench.review.noise import LABEL_NOISE_FILE, read_label_noise

    chosen = read_benchmark(find_benchmark(benchmark))
    folder = out or Path("build") / "inspect" / chosen.manifest.name
    check_gallery(folder)
    pictures = None if no_images else find_images(chosen, images)
    noise = read_label_noise(chosen.folder, chosen.manifest.hash)
    if noise is None and (chosen.folder / LABEL_NOISE_FILE).is_file():
        errors.print(f"{LABEL_NOISE_FILE} is of other questions than these, and left out. Review a new sample.", soft_wrap=True)
    summary = summarize(chosen, () if noise is None else noise.estimates)
    # Numbers cut off in a narrow pipe would be no numbers.
    wide = Console(file=console.file, emoji=False, force_terminal=console.is_terminal, width=max(console.width, 110))
    for table in summary_tables(summary, most_frequent, categories):
        wide.print(table)
    if noise is not None:
        wide.print(noise_table(noise.estimates))
    with progress_bar("Thumbnails", len(chosen.manifest.images) if pictures else 0) as advance:
        failed = write_gallery(chosen, summary, folder, pictures, advance)
    if failed:
        listed = first_few((f"{name} ({reason})" for name, reason in failed.items()), 3)
        errors.print(escape(f"{len(failed):,} image(s) could not be shown: {listed}."), soft_wrap=True, highlight=False)
    console.print(f"Gallery: {escape(str((folder / 'index.html').resolve()))}", soft_wrap=True, highlight=False)
