"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hope_bench.progress import ProgressMode

LOADING = "Loading the model"
SERVERS = "Servers"
"""These options' own panels of the help, narrow enough for 80 columns."""

BenchmarkArgument = Annotated[str, typer.Argument(help="A generated benchmark: its folder, its name, or hf:ORG/NAME.")]
RunArgument = Annotated[str, typer.Argument(help="A run folder, or BENCHMARK/NAME under runs/.")]
RunBenchmark = Annotated[
    str | None,
    typer.Option("--benchmark", "-b", help="The benchmark's folder, name or hf:ORG/NAME. Default: the one the run names."),
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
Convention = Annotated[
    str,
    typer.Option(help="How answers are read and counted: strict, pope, vlmevalkit, lmms-eval, repope, evalscope or helm."),
]
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
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        rich_help_panel=LOADING,
        help="Let a card that is found by its name in ./models run the Python file it names (not needed with the card's path).",
    ),
]

TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        rich_help_panel=LOADING,
        help="Run the Python code that the checkpoint brings along, if its card says so, too.",
    ),
]

# What else hope-bench evaluate takes, and run_eval.py.
Step = Annotated[
    int | None, typer.Option(min=0, help="The checkpoint's training step (hope-bench trend). Default: N of checkpoint-N.")
]
BatchTokens = Annotated[int | None, typer.Option(min=1, help="Tokens computed at once at most, those of images included.")]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The longest answer, where the first token is neither yes nor no. Default: 16, or 4096 of a model that thinks.",
    ),
]
Thinking = Annotated[
    str | None,
    typer.Option(
        help="Whether the model thinks before it answers: on, off, or auto, as its chat template does by itself. After a "
        "thought there is no P(yes); one that is cut off is an error."
    ),
]
Revision = Annotated[str | None, typer.Option(rich_help_panel=LOADING, help="Branch, tag or commit of a Hugging Face id.")]
Processor = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=LOADING, help="Folder or id of the processor, where a checkpoint from training was saved without one."
    ),
]
DeviceMap = Annotated[
    str | None,
    typer.Option(rich_help_panel=LOADING, help="Spread one model over several GPUs: auto, balanced or sequential."),
]
Quantize = Annotated[
    str | None,
    typer.Option(rich_help_panel=LOADING, help="Load the weights in fewer bits with bitsandbytes, on a GPU: 4bit or 8bit."),
]
Compiled = Annotated[
    bool | None, typer.Option("--compile/--no-compile", rich_help_panel=LOADING, help="Run the model through torch.compile.")
]
WorkerCount = Annotated[
    int | None,
    typer.Option(min=0, help="Processes that read and encode images ahead of the model. 0: threads. Default: 0 on a CPU."),
]
AuthorsPrompt = Annotated[
    bool,
    typer.Option("--authors-prompt", help="Ask as the model's authors do, if the card knows. The result is unranked."),
]
Complete = Annotated[
    bool,
    typer.Option("--complete", help="Write out every answer, for the scoring conventions that read whole answers. Slower."),
]
SharedPath = Annotated[
    str | None,
    typer.Option(
        help="auto: questions of an image share its computed prefix where a self-check on this model passes; shared: stop "
        "where it fails; plain: never share."
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=SERVERS, help="Ask the OpenAI-compatible server there (http://HOST/v1); --model is its name there."
    ),
]
ServerKind = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=SERVERS, help="Start a server of the checkpoint here, ask it, end it: vllm, sglang or transformers."
    ),
]
ServerArgs = Annotated[
    str | None,
    typer.Option(rich_help_panel=SERVERS, help='More arguments for it, in one string: "--tensor-parallel-size 2".'),
]
ServerTimeout = Annotated[
    float | None, typer.Option(min=1, rich_help_panel=SERVERS, help="Seconds until it must be ready. Default: 1800.")
]
ProcessCount = Annotated[
    int | None, typer.Option(min=1, help="Refuse to run unless a launcher (torchrun) started exactly this many processes.")
]
Progress = Annotated[
    ProgressMode, typer.Option(help="auto: a bar or lines; json: one JSON object a line on stderr; quiet: messages only.")
]
