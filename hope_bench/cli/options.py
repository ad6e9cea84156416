"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOADING = "Loading the model"
"""These options' own panel of the help, narrow enough for 80 columns."""

BenchmarkArgument = Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")]
RunArgument = Annotated[str, typer.Argument(help="A run folder, or BENCHMARK/NAME under runs/.")]
RunBenchmark = Annotated[
    str | None, typer.Option("--benchmark", "-b", help="The benchmark's folder or name. Default: the one the run names.")
]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder of the images. Default: the one it was generated from, or its spec.toml's."),
]
AnnotationFile = Annotated[
    Path | None, typer.Option(help="The annotation file, for the sizes of objects. Default: the spec's, if it is there.")
]
Split = Annotated[list[str] | None, typer.Option(help="Only this split; may be given several times.")]
Runs = Annotated[Path, typer.Option(help="Folder of runs; in it, a run is BENCHMARK/NAME.")]
Results = Annotated[Path, typer.Option(help="Folder of RESULTS/BENCHMARK/RUN.json files.")]
SiteOut = Annotated[Path, typer.Option(help="Where the site goes: a new or empty folder, or an earlier site.")]
Replicates = Annotated[int, typer.Option(min=100, help="Bootstrap replicates, for what no formula serves (docs/scoring.md).")]
Convention = Annotated[str, typer.Option(help="How answers are read and counted: strict, pope, vlmevalkit, lmms-eval or repope.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, and nothing else.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the numbers as CSV, and nothing else.")]
Details = Annotated[bool, typer.Option("--details", help="Print all numbers too, in wider tables.")]

Limit = Annotated[
    int | None,
    typer.Option(
        min=1, help="Ask only this many questions of each split (half yes, half no, of the same images). The result is unranked."
    ),
]
RunName = Annotated[str | None, typer.Option(help="The run's name. Default: the model's.")]
Dtype = Annotated[
    str | None,
    typer.Option(rich_help_panel=LOADING, help="auto (bfloat16 on a GPU, float32 on a CPU), float32, bfloat16 or float16."),
]
Device = Annotated[str | None, typer.Option(rich_help_panel=LOADING, help="auto, cpu, cuda or cuda:N.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Questions asked at once.")]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        rich_help_panel=LOADING,
        help="Run the Python code that the checkpoint brings along, if its card says so, too.",
    ),
]
