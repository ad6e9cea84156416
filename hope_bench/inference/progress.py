"""How far a run is: a bar on a terminal, else a line now and then, JSON lines for logs, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hope_bench.adapters.base import AdapterReport
from hope_bench.errors import counted
from hope_bench.progress import ProgressMode
from hope_bench.tables import SafeConsole

if TYPE_CHECKING:
    from hope_bench.records import Answer

_LINE_SECONDS = 30.0
_LINE_SHARE = 0.1


class RunProgress:
    """Counts answers and tells `show` where the run is: `done` counts all questions answered, `asked` those of this sitting."""

    def __init__(self, done: int, total: int, report: Callable[[], AdapterReport], show: Callable[[RunProgress], None]) -> None:
        self.total, self.done = total, done
        self.asked = self.images = self.unparsed = self.errors = 0
        self._report, self._show = report, show
        self._start = time.monotonic()

    def add(self, answers: Sequence[Answer]) -> None:
        """Count a step's answers and show where the run is."""
        self.done += len(answers)
        self.asked += len(answers)
        self.images += len({answer.image for answer in answers})
        self.unparsed += sum(answer.verdict == "unparsed" for answer in answers)
        self.errors += sum(answer.verdict == "error" for answer in answers)
        self._show(self)

    @property
    def seconds(self) -> float:
        """Time since the first question of this sitting."""
        return max(time.monotonic() - self._start, 1e-6)

    @property
    def seconds_left(self) -> float:
        """At the speed so far."""
        return (self.total - self.done) * self.seconds / max(self.asked, 1)

    def words(self) -> str:
        """Speed, failures, the path taken and GPU memory, as part of a line."""
        report = self._report()
        parts = [
            f"{self.asked / self.seconds:,.1f} questions/s",
            f"{self.images / self.seconds:,.2f} images/s",
            f"{self.unparsed:,} unparsed",
            f"{counted(self.errors, 'error')}",
        ]
        if report.path is not None:
            parts.append(f"{report.path} path")
        if report.gpu_bytes is not None:
            parts.append(f"{report.gpu_bytes / 1e9:,.1f} GB GPU")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The same for machines."""
        report = self._report()
        return {
            "event": "progress",
            "done": self.done,
            "total": self.total,
            "questions_per_second": round(self.asked / self.seconds, 3),
            "images_per_second": round(self.images / self.seconds, 3),
            "seconds_left": round(self.seconds_left, 1),
            "unparsed": self.unparsed,
            "errors": self.errors,
            "path": report.path,
            "gpu_bytes": report.gpu_bytes,
        }


@contextmanager
def run_progress(
    done: int,
    total: int,
    say: Callable[[str], None],
    mode: ProgressMode = "auto",
    report: Callable[[], AdapterReport] = AdapterReport,
) -> Iterator[RunProgress]:
    """Progress over `total` questions of which `done` are answered already. Lines go through `say`, one each tenth of the way or
    30 seconds; JSON lines come with every step."""
    console = SafeConsole(stderr=True, emoji=False)
    if mode == "quiet":
        yield RunProgress(done, total, report, lambda _: None)
    elif mode == "json":
        yield RunProgress(done, total, report, _write_json)
    elif not console.is_terminal:
        yield RunProgress(done, total, report, _Lines(done, say))
    else:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        # The words may take several lines: in a narrow terminal nothing is cut off.
        words = TextColumn("{task.fields[words]}", table_column=Column(ratio=1, no_wrap=False))
        with Progress(BarColumn(bar_width=16), words, console=console, transient=True, expand=True) as bar:
            task = bar.add_task("", total=total, completed=done, words="")
            yield RunProgress(done, total, report, lambda run: bar.update(task, completed=run.done, words=_line(run)))


def _line(run: RunProgress) -> str:
    left = timedelta(seconds=round(run.seconds_left))
    return f"{run.done:,} of {counted(run.total, 'question')}, ETA {left}, {run.words()}"


class _Lines:
    def __init__(self, done: int, say: Callable[[str], None]) -> None:
        self._say, self._done, self._time = say, done, time.monotonic()

    def __call__(self, run: RunProgress) -> None:
        now = time.monotonic()
        due = now - self._time >= _LINE_SECONDS or run.done - self._done >= _LINE_SHARE * run.total
        if due or run.done == run.total:
            self._time, self._done = now, run.done
            self._say(_line(run))


def _write_json(run: RunProgress) -> None:
    sys.stderr.write(json.dumps(run.as_dict()) + "\n")
    sys.stderr.flush()
