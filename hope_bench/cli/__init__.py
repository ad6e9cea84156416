"""The command line: a module holds one command or family of commands, which parses, calls the API, and shows.

Exit codes: 0 done; 1 done, but some answers are errors (verify: or a published figure differs); 2 bad input or an impossible
request; 3 a fault of hope-bench's own, with a traceback; 130 interrupted. docs/programs.md promises them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

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
from hope_bench.errors import HopeBenchError, visible

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
    with _terminable() as received:
        try:
            application()
        except HopeBenchError as error:
            _refuse(str(error))
        except Exception as error:  # noqa: BLE001 - shown whole, under a code of its own
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                _refuse(f"{error.filename or 'The output'} can't be written: {error.strerror}. Make room, and run it again.")
            sys.stderr.write(visible(_told(traceback.format_exc())))
            sys.exit(FAULT_CODE)
        except SystemExit as stop:
            _flush()
            if stop.code == INTERRUPTED_CODE or received:
                errors.print(INTERRUPTED)
            if received:
                sys.exit(128 + received[0])
            raise


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _refuse(message: str) -> NoReturn:
    _flush(quietly=True)
    errors.print(f"[bold red]Error:[/] {escape(_told(message))}", soft_wrap=True, highlight=False)
    sys.exit(2)


def _flush(*, quietly: bool = False) -> None:
    """Write what stdout still holds: what can't be written there is said and not left to Python's end, and no reader is none."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not quietly and error.errno != errno.EPIPE:
            _refuse(f"The output can't be written: {error.strerror}. Make room, and run it again.")


@contextlib.contextmanager
def _terminable() -> Iterator[list[int]]:
    """SIGTERM ends a command meanwhile as Ctrl-C does, with everything put away; then its number is in the list. A second one
    ends it at once, and so does the first one a process that was forked off."""
    received: list[int] = []
    own = os.getpid()

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != own:
            os.kill(os.getpid(), number)
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(text: str) -> str:
    """What ends a command, without any key of the environment, whatever library put it there."""
    return without_secrets(text, environment_secrets())
