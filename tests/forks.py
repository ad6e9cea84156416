"""Commands in processes of their own that needn't import torch and transformers first: forks of a server that has.

Starting a command takes seconds of CPU time, nearly all of it imports. multiprocessing's fork server has done them once
(tests/preloaded.py), and nothing else, so that its forks are as fresh as a new interpreter, with signals and exit codes as any
process has them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
_LONGEST = 500.0
"""Seconds in which a process ends, on however busy a machine: shorter than the suite lets a test hang."""


_SHARED = "HOPE_BENCH_TESTS_FORK_SERVER"
"""Names the address of the server that whoever started this process has for it and others."""


def _context() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    if _SHARED in os.environ:
        _join(os.environ[_SHARED])
        return found
    found.set_forkserver_preload(["tests.preloaded"])
    with pytest.MonkeyPatch.context() as patch:  # what huggingface_hub reads once, when it is imported
        patch.setenv("HF_HUB_OFFLINE", "1")
        forkserver.ensure_running()
    return found


def share() -> None:
    """Start the server now, for the processes that this one starts: it imports as much as all tests of one of them."""
    _context()
    os.environ[_SHARED] = _SERVER._forkserver_address


@cache
def _join(address: str) -> None:
    """Ask a server that another process started, and will end."""
    _SERVER._forkserver_address = address
    _, _SERVER._forkserver_alive_fd = os.pipe()  # by which a server knows that its starter lives
    _SERVER.ensure_running = lambda: None


_SERVER: Any = vars(forkserver)["_forkserver"]


def _into_files(arguments: Sequence[str], environment: Mapping[str, str], cwd: str, out: str, err: str) -> None:
    """Run what `python ARGUMENTS` would, in this forked process; what it writes goes to files."""
    for path, stream in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, stream)
        os.close(file)
    _become(arguments, environment, cwd)


def _become(arguments: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    _read_again(environment)
    how, *rest = arguments
    sys.argv = {"-c": ["-c", *rest[1:]], "-m": rest}.get(how, [how, *rest])
    if how == "-c":
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif how == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(how, run_name="__main__")


def _read_again(environment: Mapping[str, str]) -> None:
    """What Python, huggingface_hub and transformers read from their surroundings when they were started and imported."""
    from huggingface_hub import constants
    from transformers import dynamic_module_utils

    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    constants.HF_HUB_CACHE = environment.get("HF_HUB_CACHE", constants.HF_HUB_CACHE)
    dynamic_module_utils.HF_MODULES_CACHE = environment.get("HF_MODULES_CACHE", dynamic_module_utils.HF_MODULES_CACHE)
    if hub := environment.get("HF_ENDPOINT"):
        constants.HF_HUB_OFFLINE = False
        constants.ENDPOINT, constants.HUGGINGFACE_CO_URL_TEMPLATE = hub, hub + "/{repo_id}/resolve/{revision}/{filename}"


def forked(work: Callable[..., object], *given: object) -> BaseProcess:
    """A fork of the server that does some work of a module of tests."""
    process = _context().Process(target=work, args=given)
    process.start()
    return process


class Fork:
    """What `subprocess.Popen([sys.executable, *arguments], ...)` gives, as far as tests need it: its output is kept in files."""

    def __init__(self, arguments: Sequence[object], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="fork-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._said = (folder / "out", folder / "err")
        for path in self._said:
            path.touch()
        words = [str(argument) for argument in arguments]
        environment = dict(os.environ if env is None else env)
        self._process = forked(_into_files, words, environment, str(cwd or Path.cwd()), *map(str, self._said))
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def is_alive(self) -> bool:
        return self.poll() is None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = _LONGEST) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("fork", timeout, *self.said())
        return self._process.exitcode

    def said(self) -> tuple[str, str]:
        """What it has written so far."""
        out, err = (path.read_text(encoding="utf-8") for path in self._said)
        return out, err

    def communicate(self, timeout: float = _LONGEST) -> tuple[str, str]:
        self.wait(timeout)
        return self.said()

    def wait_for_line(self, line: str) -> None:
        """Until it has written that line on stdout."""
        while line not in self.said()[0].splitlines():
            assert self.poll() is None, self.said()
            time.sleep(0.001)


def run(
    arguments: Sequence[object], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([sys.executable, *arguments], capture_output=True, text=True)` gives."""
    process = Fork(arguments, env, cwd)
    out, err = process.communicate()
    return subprocess.CompletedProcess(list(map(str, arguments)), process.wait(), out, err)


def afresh(folder: Path) -> str:
    """Code with which a fork forgets the project, though none of its libraries, and takes what is in a folder."""
    return f"""
import os, sys
for name in list(sys.modules):
    if name.split(".")[0] in ("hope_bench", "tests"):
        del sys.modules[name]
sys.path[:] = [{str(folder)!r}, *(path for path in sys.path if path and os.path.abspath(path) != {str(ROOT)!r})]
import hope_bench
assert hope_bench.__file__ == {str(folder / "hope_bench" / "__init__.py")!r}
"""


_ASKS = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
words = [word for word in sys.argv[1:] if word not in ("-I", "-P", "-u")]
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([words, dict(os.environ), os.getcwd()]).encode() + b"\\n")
said = server.makefile()
child = int(said.readline())
with open({address!r} + str(os.getpid()), "w") as file:
    file.write(str(child))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(child, number))
code = int(said.readline() or 1)
if code < 0:
    if code != -signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


def fork_of(program: Path, pid: int) -> int:
    """Of a process that was started by `interpreter`'s program, the one that does its work: who kills that loses no time."""
    return int(Path(f"{program.parent}/address{pid}").read_text())


@contextmanager
def interpreter() -> Iterator[Path]:
    """A program that others start as they start Python (`-m`, `-c` or a script, with arguments), whose work a fork does: with the
    program's surroundings and streams, ended with it, and with its exit code."""
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:
        program, address = Path(folder, "python"), f"{folder}/address"
        server = Fork(["-c", f"from tests.forks import _serve; _serve({address!r})"])
        program.write_text(_ASKS.format(python=sys.executable, address=address), encoding="utf-8")
        program.chmod(0o755)
        try:
            server.wait_for_line("ready")
            yield program
        finally:
            server.kill()
            server.wait()


def _serve(address: str) -> None:
    """Fork for whoever asks, until this process is killed."""
    import torch.distributed.run  # noqa: F401 - the launcher that asks, mostly
    from torch.distributed.elastic.rendezvous import dynamic_rendezvous

    # For its own records it looks for its caller in the source of every module that is imported, which are many here: 3 s of CPU.
    dynamic_rendezvous.get_method_name = lambda *_: "a method"

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("ready", flush=True)
    forks: dict[socket.socket, multiprocessing.process.BaseProcess] = {}
    while True:
        ended = {fork.sentinel: asked for asked, fork in forks.items()}
        for ready in wait([listening, *forks, *ended]):
            if ready is listening:
                asked, _ = listening.accept()
                forks[asked] = _fork_for(asked)
            elif ready in ended and (fork := forks.pop(ended[ready], None)) is not None:
                fork.join()
                with ended[ready] as asked, suppress(OSError):
                    asked.sendall(b"%d\n" % (fork.exitcode or 0))
            elif ready in forks:  # nothing is said after the question: whoever asked is gone
                forks[ready].kill()


def _fork_for(asked: socket.socket) -> multiprocessing.process.BaseProcess:
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    words, environment, cwd = json.loads(asked.makefile().readline())
    fork = multiprocessing.get_context("fork").Process(target=_with_streams, args=(streams, words, environment, cwd))
    fork.start()
    for stream in streams:
        os.close(stream)
    asked.sendall(b"%d\n" % (fork.pid or 0))
    return fork


def _with_streams(streams: Sequence[int], words: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing reads from nothing
    _become(words, environment, cwd)
