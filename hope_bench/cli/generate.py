"""hope-bench generate: from a spec and an annotation file to a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from hope_bench.cli.app import app, benchmark_json, console, print_json, say, say_written
from hope_bench.cli.init import K, Language, Name, SampleImages, Strategies, Title, chosen_strategies, images_wanted, show_health
from hope_bench.cli.options import AsJson, Images


@app.command()
def generate(
    spec: Annotated[
        str | None,
        typer.Argument(
            help="A spec.toml, the folder that holds one, or a benchmark's name. Default: one that fits the annotations.",
            show_default=False,
        ),
    ] = None,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(help="The annotations: a file or folder of any dataset in docs/datasets.md. Repeat it for train and val."),
    ] = None,
    images: Images = None,
    image_list: Annotated[
        Path | None, typer.Option(help="A text file of the images that may be asked about, one file name a line. Default: all.")
    ] = None,
    captions: Annotated[
        list[Path] | None, typer.Option(help="COCO captions file of the same images (COCO and LVIS). May be repeated.")
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(
            help="The encoder that searches: NAME:TAG as open_clip lists them (ViT-L-14:openai), NAME:CHECKPOINT-FILE, "
            "local-dir:FOLDER or hf-hub:ORG/NAME."
        ),
    ] = None,
    activation: Annotated[
        Literal["gelu", "quick_gelu"] | None,
        typer.Option(help="What a checkpoint file given with --clip was trained with, where its architecture has both."),
    ] = None,
    reviewed: Annotated[
        Path | None, typer.Option(help="People's decisions (hope-bench review): rejected claims give way to the next best.")
    ] = None,
    name: Name = None,
    title: Title = None,
    sample_images: SampleImages = None,
    k: K = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="What the images and POPE's negatives are drawn by. Default: 0.")
    ] = None,
    strategies: Strategies = None,
    language: Language = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Make nothing: check the data, and say what would be done and how long it takes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where the benchmark goes. Default: benchmarks/NAME in the working directory.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where embeddings are kept. Default: the user's cache folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a benchmark: yes/no questions about present objects and about misleading absent ones.

    Writes splits/*.jsonl (one file per strategy, the same images and yes-questions in each) and manifest.json. The same inputs
    and seed give the same bytes. Flags override the spec.

    Without a spec the benchmark gets the data's own name and settings that its images allow (as hope-bench init writes them).

    Examples:

    hope-bench generate --annotations instances.json --images photos --name my-photos

    hope-bench generate hope-coco --annotations instances_val2014.json --images val2014 --clip ViT-L-14:openai

    Several GPUs share the encoding: torchrun --nproc-per-node 8 -m hope_bench generate hope-coco ...
    """
    from hope_bench.api.making import Files, encode_for_first, planned
    from hope_bench.api.making import generate as make
    from hope_bench.processes import is_first

    if not is_first():  # of several processes, all of which the first one speaks for
        if not dry_run:
            encode_for_first()
        return
    given = {
        "name": name,
        "title": title,
        "sample_images": images_wanted(sample_images),
        "k": k,
        "seed": seed,
        "language": language,
    }
    settings: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if strategies is not None:
        settings |= chosen_strategies(strategies)
    if dry_run:
        from hope_bench.api.starting import check_data

        chosen = planned(spec, Files.of(annotations, images, image_list, captions), clip, activation, reviewed, settings, say)
        health = check_data(chosen)
        if as_json:
            print_json({"benchmark": chosen.name, "splits": chosen.strategies, "health": health.as_json()})
        else:
            splits = ", ".join(chosen.strategies)
            console.print(escape(f"{chosen.name}: {len(chosen.strategies)} splits ({splits})."), highlight=False)
            show_health(health)
        raise typer.Exit(2 if health.wrong else 0)
    made = make(
        spec,
        annotations=annotations or None,
        images=images,
        image_list=image_list,
        captions=captions or None,
        clip=clip,
        activation=activation,
        reviewed=reviewed,
        out=out,
        cache=cache,
        say=say,
        **settings,
    )
    if as_json:
        print_json(benchmark_json(made))
        return
    made.summary().show(console)
    say_written(made)
