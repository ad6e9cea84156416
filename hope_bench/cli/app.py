"""The typer application that every command registers itself with, and the consoles they print to."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hope_bench import __version__

console = Console(emoji=False)  # ":cat:" in a path or a title is no cat
"""Results go to stdout."""

errors = Console(stderr=True, emoji=False)
"""Progress, warnings and errors go to stderr, so that stdout can be piped."""

INTERRUPTED, INTERRUPTED_CODE = "Interrupted. What was written stays; run the same command again to go on.", 130
"""What is said on Ctrl-C, and the exit code, which is typer's."""

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
    "Exit codes: 0 done, 1 done but some answers are errors, 2 bad input, 130 interrupted.",
)


def say_next(before: str, *words: object) -> None:
    """Print which command comes next, to be pasted into a shell: `before`, then `hope-bench` and its words, quoted as needed."""
    console.print(escape(f"{before} {shlex.join(['hope-bench', *map(str, words)])}"), soft_wrap=True, highlight=False)


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Global options."""
    if version:
        console.print(__version__)
        raise typer.Exit
