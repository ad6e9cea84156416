"""The command line: a module holds one command or family of commands, which parses, calls the API, and shows.

Exit codes: 0 done; 1 done, but some answers are errors (verify: or a published figure differs); 2 bad input or an impossible
request; 3 a fault of hope-bench's own, with a traceback; 130 interrupted. docs/programs.md promises them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import Any, NoReturn, TextIO

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
    _let_help_wrap(app)
    _run(app)


def run_command(command: Callable[..., None]) -> None:
    """Run one function as a command line of its own, as run_eval.py does, and exit with its code."""
    single = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    single.command()(command)
    _let_help_wrap(single)
    _run(single)


def _let_help_wrap(application: typer.Typer) -> None:
    """Make each paragraph of the commands' help one line, which a terminal breaks: typer keeps the docstring's own line ends."""
    for command in application.registered_commands:
        if command.callback is not None:
            paragraphs = (getdoc(command.callback) or "").split("\n\n")
            command.help = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    for group in application.registered_groups:
        if group.typer_instance is not None:
            _let_help_wrap(group.typer_instance)


def _run(application: typer.Typer) -> None:
    """An expected failure is a paragraph on stderr and exit code 2, never a traceback; an unexpected one a traceback and 3."""
    with _outputs() as failed, _terminable() as received:
        try:
            _call(application)
        except HopeBenchError as error:
            _refuse(str(error))
        except Exception as error:  # noqa: BLE001 - shown whole, under a code of its own
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                _refuse(f"{error.filename or 'The output'} can't be written: {error.strerror}. Make room, and run it again.")
            sys.stderr.write(visible(_told(traceback.format_exc())))
            sys.exit(FAULT_CODE)
        except SystemExit as stop:
            sys.stdout.flush()
            if failed:
                _refuse(f"The output can't be written: {failed[0].strerror}. Make room, and run it again.")
            if stop.code == INTERRUPTED_CODE or received:
                errors.print(INTERRUPTED)
            if received:
                sys.exit(128 + received[0])
            raise


def _call(application: typer.Typer) -> None:
    """Typer ends a command that is interrupted with its exit code, but not itself while it reads what commands there are."""
    try:
        application()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_CODE)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _refuse(message: str) -> NoReturn:
    sys.stdout.flush()
    errors.print(f"[bold red]Error:[/] {escape(_told(message))}", soft_wrap=True, highlight=False)
    sys.exit(2)


class _Output(io.FileIO):
    """stdout or stderr, which never break a command off: what can't be written there is left out from then on. Why is kept,
    unless the reader had enough (`| head`)."""

    def __init__(self, number: int, failed: list[OSError]) -> None:
        super().__init__(number, "w", closefd=False)
        self._failed = failed

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno != errno.EPIPE:
                self._failed.append(error)
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)


@contextlib.contextmanager
def _outputs() -> Iterator[list[OSError]]:
    """stdout and stderr as `_Output` meanwhile, also where they are closed (`>&-`), so that no file is opened in their place;
    with what went wrong with stdout."""
    failed: list[OSError] = []
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number
    before = sys.stdout, sys.stderr
    if sys.stdout is None or _is_stream(sys.stdout, 1):
        sys.stdout = _wrapped(sys.stdout, 1, failed)
    if sys.stderr is None or _is_stream(sys.stderr, 2):
        sys.stderr = _wrapped(sys.stderr, 2, [])
    try:
        yield failed
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def _is_stream(stream: TextIO, number: int) -> bool:
    """Whether a stream writes there, and isn't a caller's own."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _wrapped(stream: TextIO | None, number: int, failed: list[OSError]) -> TextIO:
    output = io.BufferedWriter(_Output(number, failed))
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(output, encoding="utf-8", errors="backslashreplace")
    stream.flush()
    return io.TextIOWrapper(
        output, stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


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
