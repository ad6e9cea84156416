"""hope-bench init and check-data: what is in somebody's files, what is wrong with it, and a spec that fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console, line, print_json, say, say_next
from hope_bench.cli.options import AsJson
from hope_bench.errors import HopeBenchError

if TYPE_CHECKING:
    from hope_bench.preparing.health import Health

Data = Annotated[list[Path], typer.Argument(help="A folder, or files: annotations, captions.", show_default=False)]
Name = Annotated[str | None, typer.Option(help="What the benchmark is called. Default: the spec's, or as the data is called.")]
Title = Annotated[str | None, typer.Option(help="What pages call it.")]
SampleImages = Annotated[
    str | None, typer.Option(metavar="N|all", help="How many images to ask about. Default: the spec's, or at most 500.")
]
K = Annotated[
    int | None, typer.Option(min=1, help="Yes- and no-questions per image. Default: the spec's, or what most images allow.")
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(help="Only these splits, with commas between them, or given several times (docs/method.md)."),
]
Language = Annotated[
    str | None,
    typer.Option(
        help="What questions are asked in: en, de, es or the file of a table (docs/languages.md). Default: the spec's, else en."
    ),
]
ImagesHere = Annotated[Path | None, typer.Option("--images", help="Folder of the images. Default: looked for.")]
CaptionsHere = Annotated[Path | None, typer.Option("--captions", help="COCO captions file. Default: looked for.")]
Clip = Annotated[str | None, typer.Option(help="The encoder that searches. Default: ViT-L-14:openai.")]


def images_wanted(text: str | None) -> int | Literal["all"] | None:
    """--sample-images as a number, or "all". Raises HopeBenchError."""
    if text is None or text == "all":
        return text  # type: ignore[return-value]
    if not text.isdecimal() or not int(text):
        raise HopeBenchError(f"--sample-images {text!r} is no number of images. Give a whole number, 1 or more, or all.")
    return int(text)


def chosen_strategies(given: list[str]) -> dict[str, Any]:
    """--strategies as a spec's keys; the headline is the strongest of them."""
    names = [name.strip() for one in given for name in one.split(",") if name.strip()]
    if not names:
        raise HopeBenchError("--strategies names none. Give some, such as --strategies popular,content.")
    return {"strategies": names, "headline": next((one for one in ("hope", "content") if one in names), names[-1])}


@app.command()
def init(
    data: Data,
    name: Name = None,
    title: Title = None,
    images: ImagesHere = None,
    captions: CaptionsHere = None,
    clip: Clip = None,
    sample_images: SampleImages = None,
    k: K = None,
    seed: Annotated[int, typer.Option(min=0, help="What the images and POPE's negatives are drawn by.")] = 0,
    strategies: Strategies = None,
    language: Language = None,
    out: Annotated[Path | None, typer.Option(help="Where the spec goes. Default: benchmarks/NAME/spec.toml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look at your data, and write a short spec.toml for it.

    Finds annotations, captions and images, says what is there and what is wrong with it, and chooses what the images allow.

    Example: hope-bench init my-data
    """
    from hope_bench.api.starting import init as start

    chosen = {} if strategies is None else chosen_strategies(strategies)
    made = start(
        data,
        name=name,
        title=title,
        images=images,
        captions=captions,
        clip=clip,
        sample_images=images_wanted(sample_images),
        k=k,
        seed=seed,
        strategies=chosen.get("strategies"),
        language=language,
        out=out,
        say=say,
    )
    if as_json:
        print_json({"spec": str(made.path), "health": made.health.as_json()})
        return
    show_health(made.health)
    what = f"{made.spec.sample_images} images, k = {made.spec.k}, {len(made.spec.strategies)} splits"
    console.print(f"Spec written ({what}):", highlight=False)
    line(str(made.path))
    say_next("Next:", "generate", made.path.parent.name if made.path.parent.parent == Path("benchmarks") else made.path)


@app.command()
def check_data(
    data: Data,
    images: ImagesHere = None,
    captions: CaptionsHere = None,
    clip: Clip = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Load the encoder, and say how long embedding takes on this machine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check data: images, boxes, categories and ids, what can be asked about, and what CLIP will do.

    Exit code 2 where something makes wrong or no questions.

    Example: hope-bench check-data instances.json --images photos
    """
    from hope_bench.api.starting import check_data as check

    health = check(data, images=images, captions=captions, clip=clip, measure=measure)
    if as_json:
        print_json(health.as_json())
    else:
        show_health(health)
    if health.wrong:
        raise typer.Exit(2)


def show_health(health: Health) -> None:
    """Print a health report, in lines no longer than the terminal's."""
    from hope_bench.preparing.health import in_words

    for name, path in health.paths.items():
        console.print(f"{name + ':':13}{escape(path or 'none found')}", highlight=False, soft_wrap=True)
    for text in in_words(health):
        console.print(escape(text), highlight=False)
    styles = {"wrong": "bold red", "doubtful": "yellow", "note": "dim"}
    for one in health.findings:
        console.print(f"[{styles[one.level]}]{one.level}[/]: {escape(str(one))}", highlight=False)
    if not health.findings:
        console.print("Nothing is wrong with it.", highlight=False)
