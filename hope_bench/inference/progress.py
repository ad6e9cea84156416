"""How far a run is: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hope_bench.records import Answer

_LINE_SECONDS = 30.0
_LINE_SHARE = 0.1


class RunProgress:
    """Counts answers and shows them. `asked` are those of this sitting, `done` all that the run has."""

    def __init__(self, done: int, total: int, say: Callable[[str], None], progress: Progress | None) -> None:
        self._total, self._done, self._asked = total, done, 0
        self._unparsed = self._errors = 0
        self._say, self._progress = say, progress
        self._task = progress.add_task("", total=total, completed=done, words="") if progress else None
        self._start = self._line_time = time.monotonic()
        self._line_done = done

    def add(self, answers: Iterable[Answer]) -> None:
        """Count a step's answers and show where the run is."""
        for answer in answers:
            self._done += 1
            self._asked += 1
            self._unparsed += answer.verdict == "unparsed"
            self._errors += answer.verdict == "error"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._done, words=self._words())
        else:
            self._line()

    def _line(self) -> None:
        now = time.monotonic()
        due = now - self._line_time >= _LINE_SECONDS or self._done - self._line_done >= _LINE_SHARE * self._total
        if due or self._done == self._total:
            self._line_time, self._line_done = now, self._done
            left = (self._total - self._done) / self._speed()
            self._say(f"{self._done:,} of {self._total:,} questions, {self._words()}, about {left:,.0f} s left")

    def _words(self) -> str:
        return f"{self._speed():,.1f} questions/s, {self._unparsed} unparsed, {self._errors} errors"

    def _speed(self) -> float:
        return max(self._asked, 1) / max(time.monotonic() - self._start, 1e-6)


@contextmanager
def run_progress(done: int, total: int, say: Callable[[str], None]) -> Iterator[RunProgress]:
    """Progress over `total` questions of which `done` are answered already: a bar on stderr if that is a terminal, else lines
    through `say`, one each tenth of the way or 30 seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield RunProgress(done, total, say, None)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"), TextColumn("ETA"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield RunProgress(done, total, say, progress)
