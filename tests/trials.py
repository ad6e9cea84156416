"""Commands run in forks of a process that has imported what they need, with a fault at the n-th change of a file.

Faults are placed by progress, never by seconds: a hook counts the files that a command opens for writing, renames, removes and
so on in its working folder, and strikes at the n-th. A trial then costs what the command itself does.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from tests.forks import forked

FaultKind = Literal["kill", "cut", "interrupt", "terminate", "full", "read-only", "pause"]
"""kill: SIGKILL. cut: SIGKILL in the middle of a file, `size` bytes into it. interrupt: SIGINT. terminate: SIGTERM. full: from
then on no file takes more than `size` bytes. read-only: from then on the folder takes nothing. pause: wait for
another command."""

Stdout = Literal["kept", "closed", "unread", "full"]
"""closed: `>&-`. unread: a reader that is gone. full: a full disk."""

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.symlink", "os.link", "sqlite3.connect")
_PATIENCE = 0.3
"""Seconds that a command waits for another one that a test has paused."""

_LONGEST = 600.0
_CAP_DAC_OVERRIDE = 1


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the change number `at`, from 0 on."""

    kind: FaultKind
    at: int
    size: int = 0


@dataclass(frozen=True)
class Trial:
    """`hope-bench WORDS` in `folder`, or Python code in its place (`script`), and what goes wrong meanwhile."""

    words: Sequence[str]
    folder: str
    script: str = ""
    fault: Fault | None = None
    stdout: Stdout = "kept"
    impatient: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (of one that a signal ended at once, minus its number) and output; how many changes it
    made, and which files it opened under the names that readers know (None where it couldn't tell any more)."""

    code: int
    out: str
    err: str
    changes: int | None = None
    in_place: tuple[str, ...] | None = None


class Trials:
    """A process whose forks are the commands."""

    def __init__(self) -> None:
        self._asks, answers = Pipe()
        self._process = forked(serve, answers)
        answers.close()

    def run(self, *trials: Trial) -> list[Outcome]:
        """Run a command; or two, the second one while the first one pauses."""
        self._asks.send(trials)
        return list(self._asks.recv())

    def close(self) -> None:
        self._asks.close()
        self._process.join()


def serve(asked: Connection) -> None:
    """Run what is asked for until nobody asks any more."""
    sys.dont_write_bytecode = True
    while True:
        try:
            first, *others = asked.recv()
        except EOFError:
            return
        gc.freeze()
        ran = _Ran(first)
        ran.wait(until_paused=True)
        outcomes = [done.outcome() for done in map(_Ran, others) if done.wait()]
        ran.go_on()
        ran.wait()
        outcomes.insert(0, ran.outcome())
        asked.send(outcomes)


def _import(names: Sequence[str]) -> None:
    for name in names:
        if name not in sys.modules and not name.startswith(("__main__", "tests")):
            with suppress(Exception):
                importlib.import_module(name)


class _Ran:
    """A forked command."""

    def __init__(self, trial: Trial) -> None:
        self._out, self._err, self._told, self._go = (_pipe() for _ in range(4))
        self._status: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _become(trial, self._out[1], self._err[1], self._told[1], self._go[0])
        for pipe in (self._out, self._err, self._told):
            os.close(pipe[1])
        self._report = ""

    def wait(self, until_paused: bool = False) -> bool:
        """Until it has ended, or waits itself."""
        until = time.monotonic() + _LONGEST
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
            elif until_paused and select.select([self._told[0]], [], [], 0)[0] and self._read_paused():
                return True
            elif time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
            else:
                time.sleep(0.003)
        return True

    def _read_paused(self) -> bool:
        self._report += os.read(self._told[0], 1 << 20).decode()
        return self._report.startswith("paused\n")

    def go_on(self) -> None:
        os.write(self._go[1], b"\n")

    def outcome(self) -> Outcome:
        assert self._status is not None
        out, err, told = (_rest(pipe[0]) for pipe in (self._out, self._err, self._told))
        for end in (*self._go, self._out[0], self._err[0], self._told[0]):
            os.close(end)
        report: dict[str, Any] = json.loads((self._report + told).removeprefix("paused\n") or "{}")
        _import(report.get("modules", []))
        code = os.waitstatus_to_exitcode(self._status)
        in_place = None if "in_place" not in report else tuple(report["in_place"])
        return Outcome(code, out, err, report.get("changes"), in_place)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    return ends


def _rest(end: int) -> str:
    data = b""
    while select.select([end], [], [], 0)[0] and (more := os.read(end, 1 << 20)):
        data += more
    return data.decode(errors="replace")


def _become(trial: Trial, out: int, err: int, told: int, go: int) -> None:
    """Be the command, in a forked process; never returns."""
    code = 99
    report: dict[str, Any] = {}
    try:
        gc.enable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _stdout(trial.stdout, out)
        os.dup2(err, 2)
        sys.stdout = None if trial.stdout == "closed" else os.fdopen(1, "w", closefd=False)  # type: ignore[assignment]
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        os.environ.update(trial.environment)
        os.chdir(trial.folder)
        if trial.impatient:
            importlib.import_module("hope_bench.provenance")._LONGEST_WAIT = _PATIENCE
        if trial.fault is not None and trial.fault.kind == "cut":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python's own is to ignore it: then a write fails
        hook = _Hook(Path(trial.folder), trial.fault, told, go)
        sys.addaudithook(hook)
        code = _exit_code(trial)
        report = {"changes": hook.count, "in_place": sorted(hook.in_place), "modules": list(sys.modules)}
        hook.off = True
        with suppress(Exception):
            sys.stderr.flush()
    finally:
        if report:
            os.write(told, json.dumps(report).encode())
        os._exit(code)


def _exit_code(trial: Trial) -> int:
    """The code that a process would have had which runs nothing else; what Python says at its end goes to stderr as it would."""
    from hope_bench.cli import main

    sys.argv = ["hope-bench", *trial.words]
    try:
        if trial.script:
            exec(compile(trial.script, "<trial>", "exec"), {"__name__": "__main__"})
        else:
            main()
        code: object = 0
    except SystemExit as stop:
        code = stop.code
    except KeyboardInterrupt:
        sys.stderr.write("Traceback: KeyboardInterrupt\n")
        code = 130
    except BaseException as error:  # noqa: BLE001 - as Python itself would
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
        code = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"Exception ignored: {error}\n")
        code = 120
    return code if isinstance(code, int) else int(code is not None)


def _stdout(kind: Stdout, out: int) -> None:
    if kind == "closed":
        os.close(1)
        return
    if kind == "unread":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        return
    os.dup2(os.open("/dev/full", os.O_WRONLY) if kind == "full" else out, 1)


class _Hook:
    """Counts what changes files in a folder, and strikes at the fault's number."""

    def __init__(self, folder: Path, fault: Fault | None, told: int, go: int) -> None:
        self._inside = f"{folder}{os.sep}"
        self._folder, self._fault, self._told, self._go = folder, fault, told, go
        self.count, self.off = 0, False
        self.in_place: set[str] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.off or not (event == "open" or event in _CHANGES):
            return
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
        inside = os.path.abspath(path)  # noqa: PTH100 (a link is what it's called)
        if not path or not inside.startswith(self._inside):
            return
        if event == "open":
            if not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
            if not inside.endswith((".partial", ".lock")) and not Path(inside).is_dir():
                self.in_place.add(inside.removeprefix(self._inside))
        at, self.count = self.count, self.count + 1
        if self._fault is not None and at == self._fault.at:
            self._strike(self._fault)

    def _strike(self, fault: Fault) -> None:
        if fault.kind in ("full", "cut"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.size, resource.RLIM_INFINITY))
        elif fault.kind == "read-only":
            self.off = True
            make_read_only(self._folder)
            self.off = False
        elif fault.kind == "pause":
            os.write(self._told, b"paused\n")
            os.read(self._go, 1)
        else:
            number = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}[fault.kind]
            os.kill(os.getpid(), number)


def make_read_only(folder: Path) -> None:
    """Take away the permission to write from a folder and all in it; and from root, in this process, the right not to care."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    if os.geteuid() == 0:
        _give_up(_CAP_DAC_OVERRIDE)


def make_writable(folder: Path) -> None:
    """Give the permission back."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


def _give_up(capability: int) -> None:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) == 0:
        for place in (0, 1):  # effective, permitted
            sets[place] &= ~(1 << capability)
        libc.capset(header, sets)
