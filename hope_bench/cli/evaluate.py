"""hope-bench evaluate: put a benchmark's questions to a model."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hope_bench.cli.app import (
    INTERRUPTED,
    INTERRUPTED_CODE,
    app,
    as_values,
    benchmark_flag,
    errors,
    line,
    print_json,
    print_tables,
    say,
    say_next,
)
from hope_bench.cli.options import (
    AllowCode,
    AsJson,
    AuthorsPrompt,
    BaseUrl,
    BatchSize,
    BatchTokens,
    Compiled,
    Complete,
    Device,
    DeviceMap,
    Dtype,
    Images,
    Limit,
    MaxNewTokens,
    ProcessCount,
    Processor,
    Progress,
    Quantize,
    Revision,
    RunName,
    Runs,
    ServerArgs,
    ServerKind,
    ServerTimeout,
    SharedPath,
    Split,
    Step,
    Thinking,
    TrustRemoteCode,
    WorkerCount,
)
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.places import RUNS
from hope_bench.progress import Say
from hope_bench.tables import plain_table

if TYPE_CHECKING:
    from hope_bench.files.run import Run
    from hope_bench.inference.estimate import Estimate
    from hope_bench.records import Answer, Verdict

_VERDICTS: dict[Verdict, str] = {"yes": "yes", "no": "no", "unparsed": "neither (unparsed)", "error": "error"}
_REASONS = 3


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="A model card (name or .toml), a checkpoint folder or a Hugging Face id (ORG/NAME)."),
    ],
    benchmark: Annotated[
        str, typer.Option("--benchmark", "-b", help="A benchmark: its folder, name, or hf:ORG/NAME[@REVISION].")
    ],
    images: Images = None,
    limit: Limit = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Dollars that an endpoint with prices may cost: whole images are asked, in a drawn order. Unranked."),
    ] = None,
    split: Split = None,
    name: RunName = None,
    runs: Runs = RUNS,
    step: Step = None,
    dtype: Dtype = None,
    device: Device = None,
    batch_size: BatchSize = None,
    batch_tokens: BatchTokens = None,
    max_new_tokens: MaxNewTokens = None,
    thinking: Thinking = None,
    revision: Revision = None,
    processor: Processor = None,
    device_map: DeviceMap = None,
    quantize: Quantize = None,
    compiled: Compiled = None,
    workers: WorkerCount = None,
    authors_prompt: AuthorsPrompt = False,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help='Ask once in each way that this TOML file declares (NAME = "... {question} ..."), each a run of its own.'
        ),
    ] = None,
    blind: Annotated[
        str | None,
        typer.Option(
            help="Ask with gray pictures (gray) or other images in place of each (shuffled): NAME-blind-gray, unranked."
        ),
    ] = None,
    complete: Complete = False,
    path: SharedPath = None,
    trust_remote_code: TrustRemoteCode = False,
    allow_code: AllowCode = False,
    base_url: BaseUrl = None,
    server: ServerKind = None,
    server_args: ServerArgs = None,
    server_timeout: ServerTimeout = None,
    processes: ProcessCount = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be asked: counts, and tokens, time or price where known."),
    ] = False,
    progress: Progress = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask a vision-language model every question of a benchmark, each once.

    Writes answers.jsonl and run.json. Interrupt it as you like: the same command goes on where it stopped, and asks again what
    failed (an unreadable image, a crash of the model). Flags override the model's card.

    Examples:

    hope-bench evaluate --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014

    hope-bench evaluate --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014 --prompts paraphrases.toml

    hope-bench evaluate --model ./my-checkpoint --benchmark hope-coco --images val2014 --limit 60 --name quick-look

    hope-bench evaluate --base-url http://127.0.0.1:8000/v1 --model SERVED-NAME --benchmark hope-coco --images val2014

    hope-bench evaluate --server vllm --model Qwen/Qwen2.5-VL-7B-Instruct --benchmark hope-coco --images val2014

    Exit code: 0 all answered, 1 some answers are errors.
    """
    from hope_bench.api import asking
    from hope_bench.inference.estimate import in_words
    from hope_bench.processes import check_count, is_first

    settings: asking.CardSettings = {
        "dtype": dtype, "device": device, "batch_size": batch_size, "batch_tokens": batch_tokens, "quantize": quantize,
        "compile": compiled, "max_new_tokens": max_new_tokens, "thinking": thinking, "revision": revision, "path": path,
        "device_map": device_map, "complete": complete or None, "base_url": base_url, "server": server,
        "server_args": server_args, "server_timeout": server_timeout,
    }  # fmt: skip
    asked: dict[str, Any] = {"images": images, "limit": limit, "splits": as_values(split), "name": name, "runs": runs, **settings}
    asked["processor"] = processor
    how: dict[str, Any] = {
        "step": step, "workers": workers, "processes": processes, "trust_remote_code": trust_remote_code,
        "allow_code": allow_code, "progress": progress, "say": _say_json if progress == "json" else say,
    }  # fmt: skip
    with _told_in_json(progress == "json"):
        if prompts is not None and authors_prompt:
            raise HopeBenchError("--prompts says how to ask, and so does --authors-prompt. Give one of them.")
        if prompts is not None and blind is not None:
            raise HopeBenchError("--blind asks in the benchmark's own way. Leave --prompts out.")
        if prompts is not None and budget is not None:
            raise HopeBenchError("--budget is for one way of asking: leave --prompts out.")
        if dry_run:
            check_count(processes)
            if not is_first():
                return
            estimates = asking.estimate(
                model, benchmark, prompts=prompts, authors_prompt=authors_prompt, blind=blind, budget=budget, **asked
            )
            if as_json:
                print_json(estimates)
                return
            for found in estimates:
                _show_estimate(found, in_words(found), how["say"])
            return
        made = (
            [asking.evaluate(model, benchmark, authors_prompt=authors_prompt, blind=blind, budget=budget, **asked, **how)]
            if prompts is None
            else asking.evaluate_prompts(model, benchmark, prompts, **asked, **how)
        )
        failed, shown = False, []
        for run in made:
            failed |= run.errors > 0
            if is_first():
                shown.append(run_json(run, benchmark))
                show_run(run, benchmark, as_events=progress == "json", quiet=as_json)
        if as_json and is_first():
            print_json(shown)
        if failed:
            raise typer.Exit(1)


def run_json(run: Run, benchmark: str) -> dict[str, object]:
    """What became of a run, for programs: where it is, how it was asked, and how often the model said what."""
    from hope_bench.api.making import load_benchmark
    from hope_bench.scoring.verdicts import reread

    asked = run.benchmark or load_benchmark(benchmark)
    counts = Counter(answer.verdict for answer in reread(run.answers(), asked.manifest.language).answers)
    kept = {"benchmark", "benchmark_hash", "model", "unranked", "questions", "errors", "complete", "seconds", "notes"}
    about = run.record.model_dump(mode="json", include=kept)
    how = run.record.run.model_dump(mode="json", include={"prompt", "prompt_set", "prompt_name", "path", "cost_usd"})
    tokens = {"input_tokens": run.record.run.input_tokens, "output_tokens": run.record.run.output_tokens}
    return {"run": str(run.folder), **about, **how, **tokens, "verdicts": {one: counts[one] for one in _VERDICTS}}


def show_run(run: Run, benchmark: str, *, as_events: bool = False, quiet: bool = False) -> None:
    """What became of a run: failures, how often the model said what, how it was asked, and the command that comes next; `quiet`,
    the failures alone, which go to stderr."""
    from hope_bench.api.making import load_benchmark
    from hope_bench.scoring.unread import unread_report
    from hope_bench.scoring.verdicts import reread

    asked = run.benchmark or load_benchmark(benchmark)
    answers = reread(run.answers(), asked.manifest.language).answers
    reasons = Counter(answer.error for answer in answers if answer.error is not None).most_common(_REASONS)
    record = run.record
    if as_events:
        _write_json(
            {
                "event": "done", "run": str(run.folder), "questions": record.questions, "errors": record.errors,
                "seconds": record.seconds, "path": record.run.path, "unranked": record.unranked, "reasons": dict(reasons),
            }
        )  # fmt: skip
    else:
        for reason, count in reasons:
            say(f"{count:,} failed: {reason}")
    if quiet:
        return
    if record.run.prompt_name is not None:
        line(f"\nPrompt {record.run.prompt_name} of {record.run.prompt_set}: {record.run.prompt!r}")
    print_tables([_summary(answers)])
    if record.run.path is not None:
        checks = [check.difference for check in record.run.self_checks if check.passed and check.difference is not None]
        checked = f", self-checked to {max(checks):.1g} relative difference" if checks else ""
        line(f"Path: {record.run.path}{checked}. Time asking: {record.seconds:,.0f} s.")
    if record.run.input_tokens is not None:
        cost = "" if record.run.cost_usd is None else f", ${record.run.cost_usd:,.4f} at the card's prices"
        tokens = f"{record.run.input_tokens:,} in, {record.run.output_tokens or 0:,} out"
        line(f"Tokens: {tokens}{cost}. Time asking: {record.seconds:,.0f} s.")
    if record.unranked is not None:
        line(f"A result of this run is not ranked: {record.unranked}.")
    for text in unread_report(answers):
        line(text)
    line(f"Answers: {run.folder / 'answers.jsonl'}")
    if record.errors:
        line("The same command asks again what failed.")
    say_next("Next:", "score", run.folder, *benchmark_flag(asked))


def _show_estimate(found: Estimate, words: list[str], tell: Say) -> None:
    for text in words:
        line(text)
    if found.stops is not None:
        tell(f"The run would stop at once: {found.stops}")
    if found.missing:
        tell(f"Images that are missing: {len(found.missing):,} ({first_few(found.missing, 3)}). Their questions would be errors.")


def _say_json(text: str) -> None:
    _write_json({"event": "message", "text": text})


def _write_json(event: dict[str, Any]) -> None:
    sys.stderr.write(json.dumps(event) + "\n")


def _summary(answers: Sequence[Answer]) -> Table:
    counts = Counter(answer.verdict for answer in answers)
    drawn = 1 + max((answer.sample for answer in answers), default=0)
    asked = counted(len(answers), "question") + " asked"
    title = asked if drawn == 1 else f"{counted(len(answers), 'answer')}, {drawn:,} to each question"
    table = plain_table(title, "answer", ">questions" if drawn == 1 else ">answers")
    for verdict, words in _VERDICTS.items():
        table.add_row(words, f"{counts[verdict]:,}")
    return table


@contextmanager
def _told_in_json(wanted: bool) -> Iterator[None]:
    """Where logs are read by machines, so is what ends a run."""
    try:
        yield
    except HopeBenchError as error:
        if not wanted:
            raise
        _write_json({"event": "error", "text": str(error)})
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        if not wanted:
            raise
        _write_json({"event": "interrupted", "text": INTERRUPTED})
        errors.quiet = True  # it is said already
        raise typer.Exit(INTERRUPTED_CODE) from None
