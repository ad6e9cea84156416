"""hope-bench push and pull: benchmarks, runs and results to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import app, as_values, console, line, print_json, print_tables, say, say_next, say_written
from hope_bench.cli.options import AsJson, Results, Runs
from hope_bench.errors import counted
from hope_bench.files.places import RESULTS, RUNS
from hope_bench.provenance import short_hash
from hope_bench.tables import plain_table

if TYPE_CHECKING:
    from hope_bench.hub.push import Pushed


@app.command()
def push(
    what: Annotated[
        str,
        typer.Argument(
            help="A benchmark's name or folder, a run (folder or BENCHMARK/NAME) or a result (file or BENCHMARK/RUN)."
        ),
    ],
    to: Annotated[str | None, typer.Argument(help="The dataset repository: hf:ORG/NAME, or hf:ORG/NAME@BRANCH.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images, to send them too: mind their licence.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the questions, by the Hub's name for it (cc-by-4.0). Default: none is stated.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="In which language it asks; may be given several times. Default: the benchmark's.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="For all the world to see. Default: a private repository.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let this take the place of other contents there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent. The Hub is not asked.")] = False,
    model_card: Annotated[
        str | None, typer.Option(metavar="ORG/MODEL", help="Put a result's numbers into its model's card, as a pull request.")
    ] = None,
    direct: Annotated[bool, typer.Option("--direct", help="With --model-card: commit, without a pull request.")] = False,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="With --model-card: where the questions are, hf:ORG/NAME.")
    ] = None,
    runs: Runs = RUNS,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Send a benchmark, a run or a result to the Hugging Face Hub.

    A repository is made where there is none, private. What is there with other contents is never replaced without --overwrite.
    A benchmark goes with a dataset card, Croissant metadata and Parquet files that the Hub's viewer and datasets.load_dataset
    read; its pictures only with --images. The token is that of hf auth login, or HF_TOKEN.

    Examples:

    hope-bench push my-benchmark hf:my-org/my-benchmark --licence cc-by-4.0 --dry-run

    hope-bench push runs/my-benchmark/llava-1.5-7b hf:my-org/my-answers

    hope-bench push leaderboard/results/my-benchmark/llava-1.5-7b.json --model-card llava-hf/llava-1.5-7b-hf
    """
    from hope_bench.api.sharing import push as send

    done = send(
        what, to, images=images, licence=licence, languages=as_values(language), public=public, overwrite=overwrite,
        dry_run=dry_run, model_card=model_card, direct=direct, benchmark=benchmark, runs=runs, results=results, say=say,
    )  # fmt: skip
    if as_json:
        print_json([_as_json(one) for one in done])
        return
    for one in done:
        _show(one, dry_run=dry_run)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="hf:ORG/NAME, or hf:ORG/NAME@REVISION: a branch, a tag or a commit.")],
    out: Annotated[Path | None, typer.Option(help="Where the benchmark goes. Default: benchmarks/NAME.")] = None,
    images: Annotated[Path | None, typer.Option(help="Write the pictures that it holds to this folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is here with other contents.")] = False,
    runs: Runs = RUNS,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Bring a benchmark, runs and results from the Hugging Face Hub: same hash, same bytes.

    All that hope-bench push put into the repository comes, checked before anything is written. To ask a benchmark's questions
    no pull is needed: wherever a benchmark is named, hf:ORG/NAME[@REVISION] is one on the Hub.

    Examples:

    hope-bench pull hf:my-org/my-benchmark --images pictures

    hope-bench evaluate --model llava-hf/llava-1.5-7b-hf --benchmark hf:my-org/my-benchmark
    """
    from hope_bench.api.sharing import pull as bring

    done = bring(name, out=out, images=images, overwrite=overwrite, runs=runs, results=results)
    if as_json:
        held = done.benchmark
        print_json(
            {
                "name": done.name, "commit": done.commit,
                "benchmark": None if held is None else {"folder": str(held.folder), "hash": held.manifest.hash},
                "runs": [str(one.folder) for one in done.runs], "results": [str(path) for path in done.results],
                "images": None if done.images is None else str(done.images),
            }
        )  # fmt: skip
        return
    if done.benchmark is not None:
        done.benchmark.summary().show(console)
        say_written(done.benchmark)
    for run in done.runs:
        line(f"Run: {run.folder}")
    for path in done.results:
        line(f"Result: {path}")
    if done.images is not None:
        line(f"Pictures: {done.images}")
    line(f"From {done.name}, commit {done.commit}.")
    if done.benchmark is not None:
        say_next("Next:", "evaluate", "--model", "MODEL", "--benchmark", done.benchmark.folder)


def _as_json(one: Pushed) -> dict[str, object]:
    files = [{"path": file.path, "bytes": file.bytes, "change": file.change} for file in one.files]
    return {"name": one.name, "url": one.url, "commit": one.commit, "files": files}


def _show(one: Pushed, *, dry_run: bool) -> None:
    """What was sent, a line a file, and where it is."""
    sent = [file for file in one.files if file.change != "the same"]
    table = plain_table("", "file", ">bytes", *([] if dry_run else ["change"]))
    for file in sent:
        table.add_row(Text(file.path), f"{file.bytes:,}", *([] if dry_run else [file.change or ""]))
    print_tables([table] if sent else ())
    total = f"{counted(len(sent), 'file')}, {sum(file.bytes for file in sent):,} bytes"
    if dry_run:
        line(f"Would be sent to {one.name}: {total}. Nothing was sent.")
    elif not sent:
        line(f"{one.name} holds the same already (commit {short_hash(one.commit or '')}): nothing was sent.")
    else:
        line(f"Sent to {one.name}: {total}, commit {short_hash(one.commit or '')}.")
        console.print(Text(one.url), soft_wrap=True, highlight=False)
