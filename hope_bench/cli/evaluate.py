"""hope-bench evaluate: put a benchmark's questions to a model."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import INTERRUPTED, INTERRUPTED_CODE, app, console, errors, say_next
from hope_bench.cli.data import benchmark_flag
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.card import ModelCard, check_name, find_card
from hope_bench.files.run import RunRecord
from hope_bench.files.validation import validate
from hope_bench.inference.processes import check_count, is_first
from hope_bench.inference.progress import ProgressMode
from hope_bench.records import Verdict

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark
    from hope_bench.files.paraphrases import Paraphrase
    from hope_bench.inference.engine import EvaluateOptions
    from hope_bench.inference.estimate import Estimate

_LOADING = "Loading the model"
"""These options' own panel of the help, narrow enough for 80 columns."""

_VERDICTS: dict[Verdict, str] = {"yes": "yes", "no": "no", "unparsed": "neither (unparsed)", "error": "error"}


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="A model card (name or .toml), a checkpoint folder or a Hugging Face id (ORG/NAME)."),
    ],
    benchmark: Annotated[str, typer.Option("--benchmark", "-b", help="A generated benchmark: its folder or name.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images. Default: what the spec.toml names.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Ask only this many questions of each split (half yes, half no, of the same images). The result is unranked.",
        ),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Ask only this split; may be given several times.")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. Default: the model's.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of runs; in it, the answers go to BENCHMARK/NAME.")] = Path("runs"),
    dtype: Annotated[
        str | None,
        typer.Option(rich_help_panel=_LOADING, help="auto (bfloat16 on a GPU, float32 on a CPU), float32, bfloat16 or float16."),
    ] = None,
    device: Annotated[str | None, typer.Option(rich_help_panel=_LOADING, help="auto, cpu, cuda or cuda:N.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Questions asked in one step, and at once.")] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens computed at once at most, those of images included.")
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The longest answer, where the first token is neither yes nor no. Default: 16, or 4096 of a model that thinks.",
        ),
    ] = None,
    thinking: Annotated[
        str | None,
        typer.Option(
            help="Whether the model thinks before it answers: on, off, or auto, as its chat template does by itself. After a "
            "thought there is no P(yes); one that is cut off is an error."
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(rich_help_panel=_LOADING, help="Branch, tag or commit of a Hugging Face id.")
    ] = None,
    device_map: Annotated[
        str | None,
        typer.Option(rich_help_panel=_LOADING, help="Spread one model over several GPUs: auto, balanced or sequential."),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(rich_help_panel=_LOADING, help="Load the weights in fewer bits with bitsandbytes, on a GPU: 4bit or 8bit."),
    ] = None,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", rich_help_panel=_LOADING, help="Run the model through torch.compile.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that read and encode images ahead of the model. 0: threads. Default: 0 on a CPU."),
    ] = None,
    authors_prompt: Annotated[
        bool,
        typer.Option("--authors-prompt", help="Ask as the model's authors do, if the card knows. The result is unranked."),
    ] = False,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help='Ask once in each way that this TOML file declares (NAME = "... {question} ..."), each a run of its own.'
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Write out every answer, for the scoring conventions that read whole answers. Slower."),
    ] = False,
    path: Annotated[
        str | None,
        typer.Option(
            help="auto: questions of an image share its computed prefix where a self-check on this model passes; shared: stop "
            "where it fails; plain: never share."
        ),
    ] = None,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code",
            rich_help_panel=_LOADING,
            help="Run the Python code that the checkpoint brings along, if its card says so, too.",
        ),
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Refuse to run unless a launcher (torchrun) started exactly this many processes.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be asked: counts, and tokens, time or price where known."),
    ] = False,
    progress: Annotated[
        ProgressMode, typer.Option(help="auto: a bar or lines; json: one JSON object a line on stderr; quiet: messages only.")
    ] = "auto",
) -> None:
    """Ask a vision-language model every question of a benchmark, each once.

    Writes answers.jsonl and run.json. Interrupt it as you like: the same command goes on where it stopped, and asks again what
    failed (an unreadable image, a crash of the model). Flags override the model's card.

    Examples:

    hope-bench evaluate --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014

    hope-bench evaluate --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014 --prompts paraphrases.toml

    hope-bench evaluate --model ./my-checkpoint --benchmark hope-coco --images val2014 --limit 60 --name quick-look

    Exit code: 0 all answered, 1 some answers are errors.
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.inference.engine import EvaluateOptions, evaluate_paraphrases, run_folder, ways
    from hope_bench.inference.engine import evaluate as run

    with _told_in_json(progress == "json"):
        if name is not None:
            check_name(name, "A run's name")
        chosen = read_benchmark(find_benchmark(benchmark))
        overrides: dict[str, Any] = {
            "dtype": dtype,
            "device": device,
            "batch_size": batch_size,
            "batch_tokens": batch_tokens,
            "quantize": quantize,
            "compile": compiled,
            "max_new_tokens": max_new_tokens,
            "thinking": thinking,
            "revision": revision,
            "path": path,
            "device_map": device_map,
            "complete": True if complete else None,
        }
        found = find_card(model)
        if authors_prompt:
            overrides["prompt"] = _authors_prompt(found)
        card = _override(found, overrides)
        if workers and card.adapter != "transformers":
            raise HopeBenchError(f"--workers would have no effect: they encode images for transformers, not for {card.adapter}.")
        options = EvaluateOptions(
            images, limit, name, tuple(split or ()), runs, processes, progress, trust_remote_code, workers=workers
        )
        paraphrases = () if prompts is None else _paraphrases(prompts, authors_prompt)
        tell = _say_json if progress == "json" else _say
        if dry_run:
            check_count(processes)
            if not is_first():
                return
            for way in ways(card, paraphrases, options) or [options]:
                _show_estimate(chosen, card, way, tell)
            return
        made = (
            [(run(chosen, card, options, tell), run_folder(chosen, card, options))]
            if prompts is None
            else evaluate_paraphrases(chosen, card, paraphrases, options, tell)
        )
        failed = False
        for record, folder in made:
            failed |= record.errors > 0
            if is_first():
                reasons = _reasons(folder)
                if progress == "json":
                    _write_json(_done(record, folder, reasons))
                else:
                    for reason, count in reasons.items():
                        errors.print(f"{count:,} failed: {escape(reason)}", highlight=False, soft_wrap=True)
                _show(record, folder, chosen)
        if failed:
            raise typer.Exit(1)


def _paraphrases(path: Path, authors_prompt: bool) -> tuple[Paraphrase, ...]:
    from hope_bench.files.paraphrases import read_paraphrases

    if authors_prompt:
        raise HopeBenchError("--prompts says how to ask, and so does --authors-prompt. Give one of them.")
    return read_paraphrases(path)


def _show_estimate(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions, warn: Callable[[str], None]) -> None:
    from hope_bench.inference.estimate import estimate

    if options.paraphrase is not None:
        _line(f"Prompt {options.paraphrase.name}:")
    found = estimate(benchmark, card, options)
    _line(f"{found.questions:,} questions in {found.splits} splits, of which {found.unique:,} unique ones would be asked,")
    _line(f"about {found.images:,} images in {found.steps:,} steps (of one image or more, up to {card.batch_size} questions).")
    if found.left < found.unique:
        same = "" if card.adapter == "endpoint" else ", if the model's files are still the same"
        _line(f"{found.unique - found.left:,} are answered in {found.folder} already{same}.")
        if not found.left:
            _line("Nothing is left to ask.")
            return
        _line(f"{found.left:,} are left, about {found.left_images:,} images. What follows is about these.")
    if found.stops is not None:
        warn(f"The run would stop at once: {found.stops}")
    if found.missing:
        warn(f"Images that are missing: {len(found.missing):,} ({first_few(found.missing, 3)}). Their questions would be errors.")
    if found.tokens is not None and found.shared is not None:
        whole, shared = found.left * found.tokens, found.left * found.shared + found.left_images * (found.tokens - found.shared)
        _line(f"Tokens, from a sample: {whole:,.0f} asked one by one, {shared:,.0f} where an image's questions share its prompt.")
    if card.adapter == "endpoint":
        _show_price(card, found)
    if found.seconds is not None:
        _line(f"Time: about {found.seconds:,.0f} s at the speed of {found.like}.")
    else:
        _line("Time: unknown, as no finished run of this model is in the runs folder (a quick look: --limit 60 --name look).")


def _show_price(card: ModelCard, found: Estimate) -> None:
    """By what an earlier run's questions took; else only what can be counted here: no server says what a picture costs."""
    prices = (card.price_input, card.price_output)
    if found.per_question is not None:
        sent, got = (found.left * tokens for tokens in found.per_question)
        _line(f"Tokens, as the questions of {found.like} took: {sent:,.0f} in, {got:,.0f} out.")
        if prices[0] is not None and prices[1] is not None:
            _line(f"Price: about ${(sent * prices[0] + got * prices[1]) / 1e6:,.2f}.")
        return
    _line(f"To send: about {found.text_tokens:,} tokens of text and {found.left:,} pictures, which the server counts.")
    if prices[0] is not None and prices[1] is not None:
        from hope_bench.adapters.endpoint_asks import thinks

        text, answers = found.text_tokens * prices[0] / 1e6, found.left * card.new_tokens(thinks(card)) * prices[1] / 1e6
        _line(f"Price: ${text:,.4f} for the text, at most ${answers:,.4f} for the answers, and the pictures.")
        _line("What the pictures take shows in a quick look (--limit 60 --name look); then this says the price of all.")


def _say(line: str) -> None:
    errors.print(escape(line), highlight=False, soft_wrap=True)


def _say_json(line: str) -> None:
    _write_json({"event": "message", "text": line})


def _write_json(event: dict[str, Any]) -> None:
    sys.stderr.write(json.dumps(event) + "\n")


def _done(record: RunRecord, folder: Path, reasons: Mapping[str, int]) -> dict[str, Any]:
    """The summary for machines."""
    return {
        "event": "done", "run": str(folder), "questions": record.questions, "errors": record.errors, "seconds": record.seconds,
        "path": record.run.path, "unranked": record.unranked, "reasons": reasons,
    }  # fmt: skip


def _show(record: RunRecord, folder: Path, benchmark: Benchmark) -> None:
    if record.run.prompt_name is not None:
        _line(f"\nPrompt {record.run.prompt_name} of {record.run.prompt_set}: {record.run.prompt!r}")
    console.print(_summary(folder))
    run = record.run
    if run.path is not None:
        checks = [check.difference for check in run.self_checks if check.passed and check.difference is not None]
        checked = f", self-checked to {max(checks):.1g} relative difference" if checks else ""
        _line(f"Path: {run.path}{checked}. Time asking: {record.seconds:,.0f} s.")
    if run.input_tokens is not None:
        cost = "" if run.cost_usd is None else f", ${run.cost_usd:,.4f} at the card's prices"
        _line(f"Tokens: {run.input_tokens:,} in, {run.output_tokens or 0:,} out{cost}. Time asking: {record.seconds:,.0f} s.")
    if record.unranked is not None:
        _line(f"A result of this run is not ranked: {record.unranked}.")
    _line(f"Answers: {folder / 'answers.jsonl'}")
    if record.errors:
        _line("The same command asks again what failed.")
    say_next("Next:", "score", folder, *benchmark_flag(benchmark))


def _line(text: str) -> None:
    console.print(escape(text), soft_wrap=True, highlight=False)


def _authors_prompt(card: ModelCard) -> str:
    if card.authors_prompt is None:
        raise HopeBenchError(f"The card {card.name} doesn't say how the model's authors ask (authors_prompt).")
    return card.authors_prompt


def _override(card: ModelCard, flags: dict[str, Any]) -> ModelCard:
    given = {key: value for key, value in flags.items() if value is not None}
    return validate({**card.model_dump(), **given}, ModelCard, f"Card {card.name!r} with these flags") if given else card


def _summary(folder: Path) -> Table:
    from hope_bench.scoring.verdicts import read_answers

    answers = read_answers(folder / "answers.jsonl").answers
    counts = Counter(answer.verdict for answer in answers)
    table = Table(title=f"{len(answers):,} questions asked", title_justify="left")
    table.add_column("answer")
    table.add_column("questions", justify="right")
    for verdict, words in _VERDICTS.items():
        table.add_row(words, f"{counts[verdict]:,}")
    return table


def _reasons(folder: Path) -> dict[str, int]:
    """The commonest reasons of errors, and how many questions each concerns."""
    from hope_bench.scoring.verdicts import read_answers

    answers = read_answers(folder / "answers.jsonl").answers
    return dict(Counter(answer.error for answer in answers if answer.error is not None).most_common(3))


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
