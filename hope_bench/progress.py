"""Progress of long work on stderr: a bar with ETA on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Literal, TypeVar

from rich.console import Console

from hope_bench.tables import SafeConsole

T = TypeVar("T")

ProgressMode = Literal["auto", "json", "quiet"]
"""auto: a bar if stderr is a terminal, else lines; json: one JSON object a line on stderr; quiet: none."""

Say = Callable[[str], None]
"""What is told, in words, what is going on and what was survived."""

_MODE: ContextVar[ProgressMode] = ContextVar("progress", default="auto")

_SECONDS, _MOST_SECONDS, _SHARE = 5.0, 30.0, 0.1
"""Lines are this many seconds apart at least; then one comes with the next tenth of the way, or after this many at most."""


@contextmanager
def progress_shown(mode: ProgressMode) -> Iterator[None]:
    """Show the progress of long work in this way meanwhile; "json" is for evaluating alone, and shows no other bar."""
    token = _MODE.set(mode)
    try:
        yield
    finally:
        _MODE.reset(token)


def say_on_stderr(line: str) -> None:
    """A message as the command line shows it: on stderr, so that stdout can be piped; its text taken as it is."""
    SafeConsole(stderr=True, emoji=False).print(line, markup=False, highlight=False, soft_wrap=True)


def say_nothing(_: str) -> None:
    """What a script passes as `say` that wants no messages."""


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress over `total` items, with how many a second and when it will be done; yields the function that advances it by a
    number of items. Short work prints no line. What the first call counts was there before: it tells nothing of the speed."""
    console = SafeConsole(stderr=True, emoji=False)
    if _MODE.get() != "auto" or not total:
        yield lambda _: None
        return
    if not console.is_terminal:
        yield _Lines(console, description, total).advance
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if not task.speed else f"{_few_digits(task.speed)}/s")

    # The description gives way where a line has no room for it; the numbers stay whole.
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=16),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}", table_column=Column(no_wrap=True, justify="right")),
        Speed(table_column=Column(no_wrap=True, justify="right")),
        TextColumn("ETA"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


def shown(items: Sequence[T], description: str) -> Iterator[T]:
    """The items, with progress over them."""
    with progress_bar(description, len(items)) as advance:
        for item in items:
            yield item
            advance(1)


class _Lines:
    def __init__(self, console: Console, description: str, total: int) -> None:
        self._console, self._description, self._total = console, description, total
        self._done = self._shown = 0
        self._time = time.monotonic()
        self._began: tuple[float, int] | None = None

    def advance(self, count: int) -> None:
        now = time.monotonic()
        self._done += count
        if self._began is None:
            self._began = now, self._done
        waited = now - self._time
        if waited < _SECONDS or (waited < _MOST_SECONDS and self._done - self._shown < _SHARE * self._total):
            return
        self._time, self._shown = now, self._done
        self._console.print(
            f"{self._description}: {self._done:,} of {self._total:,}{self._speed(now)}",
            markup=False, soft_wrap=True, highlight=False,
        )  # fmt: skip

    def _speed(self, now: float) -> str:
        began, before = self._began or (now, self._done)
        if now <= began or self._done <= before:
            return ""
        speed = (self._done - before) / (now - began)
        left = timedelta(seconds=round((self._total - self._done) / speed))
        return f" ({_few_digits(speed)}/s" + (f", {left} left)" if self._done < self._total else ")")


def _few_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"
