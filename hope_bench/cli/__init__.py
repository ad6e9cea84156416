"""The command line: a module holds one command or family of commands, which parses, calls the API, and shows.

Exit codes: 0 done; 1 done, but some answers are errors (verify: or a published figure differs); 2 bad input or an impossible
request; 3 a fault of hope-bench's own, with a traceback; 130 interrupted. docs/programs.md promises them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import typer
from rich.markup import escape

from hope_bench.adapters.secrets import environment_secrets, without_secrets
from hope_bench.cli import (
    compare,
    demo,
    environment,
    evaluate,
    export,
    generate,
    hub,
    init,
    inspect,
    interchange,
    leaderboard,
    models,
    report,
    review,
    schema,
    score,
    verify,
)
from hope_bench.cli.app import FAULT_CODE, INTERRUPTED, INTERRUPTED_CODE, app, errors
from hope_bench.errors import HopeBenchError
from hope_bench.tables import visible

__all__ = [
    "compare",
    "demo",
    "environment",
    "evaluate",
    "export",
    "generate",
    "hub",
    "init",
    "inspect",
    "interchange",
    "leaderboard",
    "main",
    "models",
    "report",
    "review",
    "run_command",
    "schema",
    "score",
    "verify",
]


def main() -> None:
    """Run `hope-bench` and exit with its code."""
    _run(app)


def run_command(command: Callable[..., None]) -> None:
    """Run one function as a command line of its own, as run_eval.py does, and exit with its code."""
    single = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    single.command()(command)
    _run(single)


def _run(application: typer.Typer) -> None:
    """An expected failure is a paragraph on stderr and exit code 2, never a traceback; an unexpected one a traceback and 3."""
    try:
        application()
    except HopeBenchError as error:
        errors.print(f"[bold red]Error:[/] {escape(_told(str(error)))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except Exception:  # noqa: BLE001 - shown whole, under a code of its own
        sys.stderr.write(visible(_told(traceback.format_exc())))
        sys.exit(FAULT_CODE)
    except SystemExit as stop:
        if stop.code == INTERRUPTED_CODE:
            errors.print(INTERRUPTED)
        raise


def _told(text: str) -> str:
    """What ends a command, without any key of the environment, whatever library put it there."""
    return without_secrets(text, environment_secrets())
