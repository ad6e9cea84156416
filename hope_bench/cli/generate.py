"""hope-bench generate: from a spec and an annotation file to a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import app, console, errors

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Manifest
    from hope_bench.files.spec import BenchmarkSpec


@app.command()
def generate(
    spec: Annotated[str, typer.Argument(help="A spec.toml, the folder that holds one, or a benchmark's name.")],
    annotations: Annotated[
        Path | None, typer.Option(help="The annotations: a file or folder of any dataset in docs/datasets.md.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the image files.")] = None,
    captions: Annotated[Path | None, typer.Option(help="COCO captions file of the same images (COCO and LVIS).")] = None,
    clip: Annotated[
        str | None,
        typer.Option(
            help="The encoder that searches: NAME:TAG as open_clip lists them (ViT-L-14:openai), NAME:CHECKPOINT-FILE, "
            "local-dir:FOLDER or hf-hub:ORG/NAME."
        ),
    ] = None,
    reviewed: Annotated[
        Path | None, typer.Option(help="People's decisions (hope-bench review): rejected claims give way to the next best.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the benchmark goes. Default: benchmarks/NAME in the working directory.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where image embeddings are kept. Default: the user's cache folder.")] = None,
) -> None:
    """Make a benchmark: yes/no questions about present objects and about misleading absent ones.

    Writes splits/*.jsonl (one file per strategy, the same images and yes-questions in each) and manifest.json. The same inputs
    and seed give the same bytes. Flags override the spec.

    Example: hope-bench generate hope-coco --annotations instances_val2014.json --images val2014 --clip ViT-L-14:openai
    """
    from hope_bench.clip.store import default_cache
    from hope_bench.files.registry import find_spec
    from hope_bench.files.spec import read_spec
    from hope_bench.search.generate import generate as run

    chosen = _override(read_spec(find_spec(spec)), annotations, images, captions, clip, reviewed)
    folder = out or Path("benchmarks") / chosen.name
    manifest = run(
        chosen, folder, cache or default_cache(), lambda line: errors.print(escape(line), highlight=False, soft_wrap=True)
    )
    console.print(split_counts(manifest))
    console.print(f"Benchmark written to {escape(str(folder))} (hash {manifest.hash[:12]}).", highlight=False, soft_wrap=True)


def split_counts(manifest: Manifest) -> Table:
    """The splits of a benchmark and how many questions each holds."""
    table = Table(title=escape(f"{manifest.title}: {len(manifest.images)} images"), title_justify="left")
    table.add_column("split")
    table.add_column("kind")
    for column in ("questions", "yes", "no"):
        table.add_column(column, justify="right")
    for name, split in manifest.splits.items():
        table.add_row(name, split.kind, f"{split.questions:,}", f"{split.yes:,}", f"{split.no:,}")
    return table


def _override(
    spec: BenchmarkSpec,
    annotations: Path | None,
    images: Path | None,
    captions: Path | None,
    clip: str | None,
    reviewed: Path | None,
) -> BenchmarkSpec:
    from hope_bench.files.spec import ClipSpec

    given = {"annotations": annotations, "images": images, "captions": captions}
    dataset = spec.dataset.model_copy(update={key: str(path) for key, path in given.items() if path is not None})
    guards = spec.guards if reviewed is None else spec.guards.model_copy(update={"review": str(reviewed)})
    encoder = spec.clip
    if clip is not None:
        encoder = ClipSpec(model=clip) if encoder is None else encoder.model_copy(update={"model": clip})
    return spec.model_copy(update={"dataset": dataset, "clip": encoder, "guards": guards})
