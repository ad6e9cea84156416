"""One input for one reader, watched: what came of it, and whether that is allowed.

Allowed is a result, or one HopeBenchError whose message is bounded and commands no terminal; within bounds of CPU time and
memory; with nothing left behind half written, nothing written elsewhere, no program run, and no connection to another machine.
"""

# ruff: noqa: PTH115, PTH118, PTH119
from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hope_bench.errors import HopeBenchError
from tests.fuzz.files import Maker
from tests.fuzz.mutate import mutated

LONGEST_MESSAGE = 2000
"""Characters."""
MOST_SECONDS = 10.0
"""Of CPU for one input, of 2 MB at most: what takes the square of a text takes hours."""
MOST_MEMORY = 3 * 2**28
"""Bytes by which one input may raise the process's peak."""
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LEFT = re.compile(r"\.partial$|\.tmp$|^tmp")
_WRITING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "shutil.rmtree"}
_RUNNING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
_OURS = ("git", "uname")
"""Asked for the commit, and by the openai client for its machine: the same whatever is read."""


@dataclass(slots=True)
class Tally:
    """What came of one reader's inputs. `faults` are (input number, what was wrong)."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    faults: list[tuple[int, str]] = field(default_factory=list)


class TooLong(BaseException):
    """More CPU time than one input may take."""


class _Guard:
    """Python's audit events, of which those are kept that nothing read from outside may cause. Once set up it stays."""

    def __init__(self) -> None:
        self.within: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._look)

    def _look(self, event: str, given: tuple[Any, ...]) -> None:
        if self.within is None:
            return
        if event == "open":
            path, _, flags = given
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
                self._wrote(event, path)
        elif event in _WRITING:
            self._wrote(event, given[0], given[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") else -1)
        elif event in _RUNNING and given[0] not in _OURS:
            self.seen.append(f"{event}: {given[0]!r}"[:200])
        elif event == "socket.connect" and given[1][0] not in ("127.0.0.1", "::1"):
            self.seen.append(f"connects to {given[1]!r}")

    def printed(self, told: sys.UnraisableHookArgs) -> None:
        """A traceback that Python prints where nobody can catch it."""
        self.seen.append(f"printed a traceback: {told.exc_value!r}"[:300])

    def _wrote(self, event: str, path: object, at: int = -1) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            place = os.path.realpath(os.path.join(os.readlink(f"/proc/self/fd/{at}") if at >= 0 else "", os.fsdecode(path)))
            if not place.startswith((self.within or "", "/dev/null")) and "__pycache__" not in place:
                self.seen.append(f"{event} outside: {place}"[:300])


_guard: _Guard | None = None


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[list[str]]:
    """What was done meanwhile that may not be: written outside the folder, run, connected to."""
    global _guard
    _guard = _guard or _Guard()
    _guard.within, _guard.seen = os.path.realpath(folder), []
    before = sys.unraisablehook
    sys.unraisablehook = _guard.printed
    try:
        yield _guard.seen
    finally:
        _guard.within = None
        sys.unraisablehook = before


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """TooLong once this much CPU time is gone (as soon as Python's own code runs again)."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Watched:
    """One reader with its whole file in a folder of its own, to which any number of damaged ones is fed in turn."""

    def __init__(self, name: str, maker: Maker) -> None:
        self.name = name
        self.root = Path(tempfile.mkdtemp(prefix="fuzz"))
        self.folder = self.root / "outer" / "given"
        self.folder.mkdir(parents=True)
        self.path, self.read = maker(self.folder)
        self._before = tempfile.tempdir
        (self.root / "tmp").mkdir()
        tempfile.tempdir = str(self.root / "tmp")
        self.whole = self.path.read_bytes()
        self._fresh = self._listed()
        self._kept = {name: (self.root / name).read_bytes() for name, kind in self._fresh.items() if kind is not None}
        self.tally = Tally()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        tempfile.tempdir = self._before
        shutil.rmtree(self.root, ignore_errors=True)

    def input(self, seed: int, number: int) -> bytes:
        """The damaged file of a number; 0 is the whole one."""
        return self.whole if number == 0 else mutated(self.whole, self.path.suffix, random.Random(f"{seed}/{self.name}/{number}"))

    def feed(self, seed: int, number: int) -> None:
        """Read the damaged file of a number, and put all back."""
        self.path.write_bytes(self.input(seed, number))
        self._fresh = self._listed()
        peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with guarded(self.root) as done:
            refusal, wrong = self._attempt()
        spent, more = time.process_time() - start, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
        wrong += done
        if spent > MOST_SECONDS:
            wrong.append(f"{spent:.1f} CPU seconds")
        if more > MOST_MEMORY:
            wrong.append(f"{more / 2**20:.0f} MB more memory")
        wrong += self._put_back()
        tally = self.tally
        tally.inputs += 1
        tally.seconds += spent
        tally.slowest = max(tally.slowest, spent)
        if refusal is None and not wrong:
            tally.accepted += 1
        elif not wrong:
            tally.refused += 1
        tally.faults += [(number, one) for one in wrong]

    def _attempt(self) -> tuple[str | None, list[str]]:
        """The refusal, if any, and what was wrong."""
        try:
            with limited(MOST_SECONDS), warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # numbers that overflow unseen
                self.read()
        except HopeBenchError as error:
            said = str(error)
            wrong = [f"a message of {len(said):,} characters: {said[:300]!r}"] if len(said) > LONGEST_MESSAGE else []
            if raw := _RAW.search(said):
                wrong.append(f"a raw {raw[0]!r} in the message {said[:300]!r}")
            return said, wrong + ([] if said.strip() else ["an empty message"])
        except TooLong:
            return None, [f"more than {MOST_SECONDS} CPU seconds: {_where(sys.exc_info()[1])}"]
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return None, [f"{type(error).__name__}: {error}"[:300] + f" {_where(error)}"]
        return None, []

    def _listed(self) -> dict[str, tuple[int, int] | None]:
        """What lies there: files by size and time, folders by None."""
        found: dict[str, tuple[int, int] | None] = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders:
                found[os.path.relpath(os.path.join(folder, name), self.root)] = None
            for name in files:
                told = os.lstat(os.path.join(folder, name))
                found[os.path.relpath(os.path.join(folder, name), self.root)] = (told.st_size, told.st_mtime_ns)
        return found

    def _put_back(self) -> list[str]:
        """Remove what is new, write anew what is changed; what of it is a fault."""
        now, wrong = self._listed(), []
        for name in sorted(now.keys() - self._fresh.keys(), reverse=True):
            if _LEFT.search(os.path.basename(name)):
                wrong.append(f"left behind: {name}")
            place = self.root / name
            shutil.rmtree(place) if now[name] is None and not place.is_symlink() else place.unlink()
        for name in self._fresh.keys() - now.keys():
            if self._fresh[name] is None:
                (self.root / name).mkdir(parents=True, exist_ok=True)
        for name, content in self._kept.items():
            if now.get(name) != self._fresh[name]:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                (self.root / name).write_bytes(content)
        return wrong


def _where(error: BaseException | None) -> str:
    """The last line of the project's own code in a traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__ if error else None) if "/hope_bench/" in frame.filename]
    return f"[{frames[-1].filename.rpartition('/hope_bench/')[2]}:{frames[-1].lineno}]" if frames else ""
