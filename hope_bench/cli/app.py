"""The typer application that every command registers itself with, and how commands print."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from hope_bench import __version__
from hope_bench.errors import HopeBenchError, visible
from hope_bench.provenance import short_hash
from hope_bench.tables import SafeConsole, no_formula, print_prose, print_table, print_whole, visible_json

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from hope_bench.files.benchmark import Benchmark

console = SafeConsole(emoji=False)  # ":cat:" in a path or a title is no cat
"""Results go to stdout."""

errors = SafeConsole(stderr=True, emoji=False)
"""Progress, warnings and errors go to stderr, so that stdout can be piped."""

INTERRUPTED, INTERRUPTED_CODE = "Interrupted. What was written stays; run the same command again to go on.", 130
"""What is said on Ctrl-C, and the exit code, which is typer's."""

FAULT_CODE = 3
"""The exit code of what nobody foresaw: a traceback, to be reported. Python's own would be 1, which says something else here."""

app = typer.Typer(
    name="hope-bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How much does a vision-language model make up, and how hard did we look?\n\n"
    "generate questions about objects that are [b]not[/b] in the picture (POPE's, and HOPE's more misleading ones), evaluate a "
    "model on them, score its answers, and publish a leaderboard. Start with: [b]hope-bench demo[/b]\n\n"
    "Exit codes: 0 done, 1 done but some answers are errors (verify: a figure differs), 2 bad input, 3 a fault of hope-bench, "
    "130 interrupted, 143 ended by SIGTERM.",
)


def line(text: str) -> None:
    """Print a line of a result, its text taken as it is; a terminal breaks it at words."""
    print_prose(console, Text(text))


def say(text: str) -> None:
    """Print a message in the same way."""
    print_prose(errors, Text(text))


def print_tables(tables: Iterable[Table | None], *, whole: bool = False) -> None:
    """Print tables, each after an empty line: to fit 80 columns, or `whole`, however wide the details are."""
    for table in tables:
        if table is not None:
            console.print()
            (print_whole if whole else print_table)(console, table)


def print_numbers(frame: pd.DataFrame, *, as_json: bool) -> None:
    """Print a frame for programs: JSON (a list of rows, null where undefined) or CSV (empty where undefined)."""
    if as_json:
        _write_json(json.loads(frame.to_json(orient="records", double_precision=15)))
    else:
        text = frame.map(lambda cell: no_formula(cell) if isinstance(cell, str) else cell).to_csv(index=False)
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def print_json(value: object) -> None:
    """Print a value for programs, records and models by their fields: JSON and nothing else; what can't be computed is null."""
    import msgspec

    _write_json(json.loads(msgspec.json.encode(value, enc_hook=_plain)))


def _write_json(plain: object) -> None:
    sys.stdout.write(visible_json(json.dumps(plain, indent=1, ensure_ascii=False)) + "\n")


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def benchmark_json(benchmark: Benchmark) -> dict[str, object]:
    """A benchmark for programs: where it is, which it is, and its counts."""
    about = benchmark.manifest
    splits = {name: split.model_dump(include={"kind", "questions", "yes", "no"}) for name, split in about.splits.items()}
    return {
        "benchmark": about.name, "folder": str(benchmark.folder), "hash": about.hash, "images": len(about.images),
        "splits": splits, "notes": about.notes,
    }  # fmt: skip


def check_one_format(as_json: bool, as_csv: bool, **for_people: bool) -> None:
    """Raises HopeBenchError where both were asked for, or one with an option (`details`) that only adds to what people read."""
    if as_json and as_csv:
        raise HopeBenchError("--json and --csv exclude each other. Give one of them.")
    extra = [f"--{name}" for name, given in for_people.items() if given and (as_json or as_csv)]
    if extra:
        raise HopeBenchError(f"{extra[0]} adds to the tables for people, which --json and --csv replace. Leave one of them out.")


def say_next(before: str, *words: object) -> None:
    """Print which command comes next, to be pasted into a shell: `before`, then `hope-bench` and its words, quoted as needed."""
    console.print(Text(f"{before} {shlex.join(['hope-bench', *map(str, words)])}"), soft_wrap=True, highlight=False)


def benchmark_flag(benchmark: Benchmark) -> tuple[str, ...]:
    """What a command about a run needs to find its benchmark: nothing where the name finds it, else --benchmark FOLDER, or
    hf:ORG/NAME@COMMIT where it is on the Hub."""
    from hope_bench.files.registry import known_benchmarks
    from hope_bench.hub.names import name_of

    if (at_hub := name_of(benchmark.folder)) is not None:
        return ("--benchmark", str(at_hub))
    name, folder = benchmark.name, benchmark.folder
    known = known_benchmarks().get(name)
    found = known is not None and known.resolve() == folder.resolve()
    return () if found else ("--benchmark", str(folder))


def say_written(benchmark: Benchmark) -> None:
    """Where a new benchmark lies, and which it is."""
    line(f"Benchmark written to {benchmark.folder} (hash {short_hash(benchmark.manifest.hash)}).")


def as_values(value: Any) -> Any:
    """A typer option's value as the API takes it: an empty list for one that wasn't given."""
    return () if value is None else tuple(value)


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Global options."""
    if version:
        console.print(__version__)
        raise typer.Exit
