"""hope-bench report: one run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hope_bench.cli.app import app, console, errors
from hope_bench.cli.score import find_known, find_run
from hope_bench.errors import HopeBenchError, first_few

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark

_ENDINGS = (".html", ".md")


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run folder, or BENCHMARK/NAME under runs/.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="The benchmark's folder or name. Default: the one the run names.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images. Default: what the spec.toml names, if it is there.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="The annotation file, for the sizes of objects. Default: the spec's, if it is there.")
    ] = None,
    paraphrase: Annotated[
        list[str] | None, typer.Option(help="A run of the same model with another prompt, beside those of evaluate --prompts.")
    ] = None,
    convention: Annotated[str, typer.Option(help="How answers are read and counted (docs/scoring.md).")] = "strict",
    worst: Annotated[int, typer.Option(min=0, help="How many hallucinations to show.")] = 12,
    out: Annotated[
        Path | None, typer.Option(help="The page; .md writes Markdown. Default: BENCHMARK/NAME.html in build/report.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap replicates behind the 95% intervals.")] = 2000,
) -> None:
    """Write a run's report: every number, charts, the categories that fool this model, and its worst hallucinations.

    One file that loads nothing from elsewhere. The model is not needed.

    Examples:

    hope-bench report hope-coco/llava-1.5-7b --images val2014

    hope-bench report hope-coco/llava-1.5-7b --out report.md
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.files.run import asked_otherwise, read_run
    from hope_bench.report.content import Extras, gather
    from hope_bench.report.page import write_report
    from hope_bench.scoring.conventions import find_convention
    from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
    from hope_bench.scoring.prompt_spread import check_other_prompts, check_same_asked, how_asked, prompt_spread
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.verdicts import read_answers

    if out is not None and out.suffix.lower() not in _ENDINGS:
        raise HopeBenchError(f"--out {out}: name a page {' or '.join(_ENDINGS)}, such as {out}.html.")
    folder = find_run(run)
    chosen = read_benchmark(find_benchmark(benchmark or read_run(folder).benchmark))
    found = {path.resolve(): path for path in asked_otherwise(folder)}
    given = {path.resolve(): path for path in map(find_run, paraphrase or ()) if path.resolve() not in found}
    check_other_prompts(folder, list(given.values()), found.values())
    bootstrap, way = DEFAULT_BOOTSTRAP.model_copy(update={"replicates": replicates}), find_convention(convention)
    known = find_known(chosen, annotations)
    result = score_run(chosen, folder, bootstrap, way, known=known)
    others = [score_run(chosen, other, bootstrap, way) for other in (*found.values(), *given.values())]
    for path, other in zip(given.values(), others[len(found) :], strict=True):
        check_same_asked(result, other, path)
    extras = Extras(
        sizes=known.sizes,
        prompts=tuple(map(how_asked, (result, *others))) if others else (),
        spreads=prompt_spread([result, *others]) if others else (),
    )
    content = gather(chosen, result, read_answers(folder / "answers.jsonl").answers, worst, extras)
    page = out or Path("build") / "report" / folder.parent.name / f"{folder.name}.html"
    failed = write_report(content, page, None if page.suffix.lower() == ".md" else _images(chosen, images))
    if failed:
        errors.print(f"{len(failed):,} image(s) can't be shown: {escape(first_few(failed.items(), 3))}.", soft_wrap=True)
    console.print(f"Report: {escape(str(page.resolve()))}", soft_wrap=True, highlight=False)


def _images(benchmark: Benchmark, given: Path | None) -> Path | None:
    """The images' folder; without --images, a missing one only leaves the pictures out."""
    from hope_bench.cli.data import find_images

    if given is not None:
        return find_images(benchmark, given)
    try:
        return find_images(benchmark, None)
    except HopeBenchError:
        errors.print("No images at hand, so the report has no pictures. Pass --images FOLDER to have them.")
        return None
