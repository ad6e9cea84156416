"""hope-bench report: one run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.cli.app import app, as_values, line, print_json, say
from hope_bench.cli.options import AnnotationFile, AsJson, Convention, Images, Replicates, RunArgument, RunBenchmark


@app.command()
def report(
    run: RunArgument,
    benchmark: RunBenchmark = None,
    images: Images = None,
    annotations: AnnotationFile = None,
    paraphrase: Annotated[
        list[str] | None, typer.Option(help="A run of the same model with another prompt, beside those of evaluate --prompts.")
    ] = None,
    convention: Convention = "strict",
    worst: Annotated[int, typer.Option(min=0, help="How many hallucinations to show.")] = 12,
    out: Annotated[
        Path | None, typer.Option(help="The page; .md writes Markdown. Default: BENCHMARK/NAME.html in build/report.")
    ] = None,
    replicates: Replicates = 2000,
    as_json: AsJson = False,
) -> None:
    """Write a run's report: every number, charts, the categories that fool this model, and its worst hallucinations.

    One file that loads nothing from elsewhere. The model is not needed; without images the pictures are left out.

    Examples:

    hope-bench report hope-coco/llava-1.5-7b --images val2014

    hope-bench report hope-coco/llava-1.5-7b --out report.md
    """
    from hope_bench.api.reporting import write_report

    done = write_report(
        run, benchmark=benchmark, images=images, annotations=annotations, paraphrases=as_values(paraphrase),
        convention=convention, worst=worst, out=out, replicates=replicates, say=say,
    )  # fmt: skip
    if as_json:
        print_json({"page": str(done.page.resolve()), "result": done.result, "prompts": done.others})
        return
    line(f"Report: {done.page.resolve()}")
