"""A server's process, its guard and a checkpoint behind one, step by step with a process that is made up."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hope_bench.adapters import served, server, server_guard
from hope_bench.adapters.base import AdapterReport, RawAnswer
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard


class Process:
    """A process that ends when it is told, or never."""

    pid = 4321

    def __init__(self, code: int | None = None, ends: bool = True) -> None:
        self.returncode, self._ends = code, ends
        self.waits: list[float | None] = []
        self.killed = 0
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(b"77\n")

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        self.waits.append(seconds)
        if not self._ends and not self.killed:
            raise subprocess.TimeoutExpired("x", seconds or 0)
        if self.returncode is None:
            self.returncode = -9 if self.killed else 0
        return self.returncode

    def kill(self) -> None:
        self.killed += 1


def started(process: Process, log: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[server.Server, list[Any]]:
    calls: list[Any] = []

    def popen(command: list[str], **how: Any) -> Process:
        calls.append((command, how))
        return process

    monkeypatch.setattr(server.subprocess, "Popen", popen)
    monkeypatch.setattr(server.tempfile, "mkstemp", lambda **_: (os.open(log, os.O_CREAT), str(log)))
    return server.Server(["serve", "it"], 8123), calls


def test_a_server_is_started_through_its_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, calls = started(Process(), tmp_path / "log", monkeypatch)
    guard = [sys.executable, "-I", server_guard.__file__, str(tmp_path / "log"), "serve", "it"]
    pipe = subprocess.PIPE
    assert calls == [(guard, {"stdin": pipe, "stdout": pipe, "stderr": subprocess.DEVNULL, "start_new_session": True})]
    assert (one.base_url, one._health) == ("http://127.0.0.1:8123/v1", "http://127.0.0.1:8123/health")
    assert (one._pid, one.ended, one._closing.is_set()) == (77, False, False)
    process = Process(3)
    process.stdout = io.BytesIO(b"")
    other, _ = started(process, tmp_path / "log", monkeypatch)
    assert (other._pid, other.ended) == (None, True)

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(server.subprocess, "Popen", fails)
    with pytest.raises(HopeBenchError, match=r"^The server can't be started: Too many open files\.$"):
        server.Server(["serve"], 1)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("process", "told", "waits", "kills", "group"),
    [
        (lambda: Process(), "77", [30.0], 0, []),
        (lambda: Process(5), "77", [30.0], 0, []),
        (lambda: Process(ends=False), "77", [30.0, None], 2, [(77, 9)]),
        (lambda: Process(-15), "77", [30.0], 1, [(77, 9)]),
        (lambda: Process(-15), "", [30.0], 1, []),
    ],
    ids=["ends", "had ended", "never ends", "was killed", "never began"],
)
def test_a_closed_server_has_ended(
    process: Callable[[], Process], told: str, waits: list[Any], kills: int, group: list[Any], keep: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    guard, groups = process(), []
    guard.stdout = io.BytesIO(told.encode())
    one, _ = started(guard, tmp_path / "log", monkeypatch)

    def killpg(*which: int) -> None:
        groups.append(which)
        raise ProcessLookupError

    monkeypatch.setattr(server.os, "killpg", killpg)
    one.close(keep) if keep else one.close()
    assert (guard.waits, guard.killed, groups) == (waits, kills, group)
    assert (guard.stdin.closed, guard.stdout.closed, one._closing.is_set()) == (True, True, True)
    assert (tmp_path / "log").exists() == keep
    one.close()
    assert not (tmp_path / "log").exists()


def test_an_end_is_told_only_where_nobody_closed_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for closed in (False, True):
        one, _ = started(Process(), tmp_path / "log", monkeypatch)
        threads: list[Any] = []

        def thread(target: Callable[[], None], daemon: bool, threads: list[Any] = threads) -> Any:
            threads.append((target, daemon))
            return SimpleNamespace(start=lambda: None)

        monkeypatch.setattr(server.threading, "Thread", thread)
        ended: list[int] = []
        one.when_it_ends(lambda ended=ended: ended.append(1))  # type: ignore[misc]
        if closed:
            one._closing.set()
        ((watch, daemon),) = threads
        watch()
        assert (daemon, ended) == (True, [] if closed else [1])
        monkeypatch.undo()


def test_a_servers_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    process = Process()
    one, _ = started(process, log, monkeypatch)
    assert one.last_words() == f"The end of its log ({log}):\n(nothing)"
    log.write_bytes(b"".join(b"\x1b[31m%d\x1b[0m\x07\xff\n" % place for place in range(30)))
    lines = "\n".join(f"{place}\ufffd" for place in range(5, 30))
    process.returncode = 3
    assert one.last_words() == f"Exit code 3. The end of its log ({log}):\n{lines}"
    monkeypatch.setenv("HF_TOKEN", "hf_secret_1234")
    log.write_text("a" * 100 + "b" * 3989 + " hf_secret_1234")
    said = one.last_words().partition(":\n")[2]
    assert len(said) == 4000
    assert "hf_secret" not in said
    assert server.LONGEST_LOG == 5000


@pytest.mark.parametrize(
    ("reply", "healthy"),
    [(200, True), (503, False), (204, False), (OSError("refused"), False), (server.http.client.BadStatusLine("x"), False)],
    ids=str,
)
def test_a_server_is_healthy_that_says_so(reply: Any, healthy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = started(Process(), tmp_path / "log", monkeypatch)
    asked: list[Any] = []

    class Reply:
        status = reply

        def __enter__(self) -> Reply:
            return self

        def __exit__(self, *_: object) -> None: ...

    def opened(url: str, timeout: float) -> Reply:
        asked.append((url, timeout))
        if isinstance(reply, Exception):
            raise reply
        return Reply()

    def opener(handler: Any) -> Any:
        assert handler.proxies == {}
        return SimpleNamespace(open=opened)

    monkeypatch.setattr(server.urllib.request, "build_opener", opener)
    assert one._is_healthy() == healthy
    assert asked == [("http://127.0.0.1:8123/health", 5)]


SERVING = {"fastapi", "uvicorn"}


@pytest.mark.parametrize(
    ("kind", "packages", "beside", "on_path", "command"),
    [
        ("vllm", set(), True, None, "beside serve"),
        ("vllm", set(), True, "/bin/vllm", "beside serve"),
        ("vllm", set(), False, "/bin/vllm", "/bin/vllm serve"),
        ("vllm", SERVING, False, None, None),
        ("sglang", {"sglang"}, False, None, f"{sys.executable} -m sglang.launch_server"),
        ("sglang", SERVING, True, None, None),
        ("transformers", SERVING, False, "/bin/t", "/bin/t serve"),
        ("transformers", SERVING, True, None, "beside serve"),
        ("transformers", {"fastapi"}, False, "/bin/t", None),
        ("transformers", {"uvicorn"}, False, "/bin/t", None),
        ("transformers", SERVING, False, None, None),
        ("transformers", {"sglang"}, False, "/bin/t", None),
        ("vllm", {"sglang"}, False, "/bin/vllm", "/bin/vllm serve"),
    ],
)
def test_a_servers_program(
    kind: str, packages: set[str], beside: bool, on_path: str | None, command: str | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if kind != "sglang":
        monkeypatch.setattr(server.sys, "executable", str(tmp_path / "python"))
    if beside:
        (tmp_path / kind).touch()
    monkeypatch.setattr(server.shutil, "which", lambda _: on_path)
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: 1 if name in packages else None)
    if command is None:
        with pytest.raises(HopeBenchError, match=rf"^--server {kind}: {kind} isn't installed here\. Install it: pip install "):
            server._program(kind)
    else:
        assert server._program(kind) == command.replace("beside", str(tmp_path / kind)).split()


def test_a_port_that_nobody_listens_on() -> None:
    assert 1024 <= server.free_port() <= 65535


# The guard.


@pytest.mark.parametrize(
    ("code", "ended_by", "expected"),
    [(7, "itself", 7), (0, "itself", 0), (-9, "itself", -9), (7, "owner", 0), (7, "signal", 0)],
)
def test_a_guard_waits_for_its_server_and_its_owner(
    code: int, ended_by: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Told(io.StringIO):
        said = ""

        def flush(self) -> None:
            self.said = self.getvalue()

    told = Told()
    monkeypatch.setattr(server_guard.sys, "stdout", told)
    server_ends, owner_ends = threading.Event(), threading.Event()
    handlers: dict[int, Callable[..., None]] = {}
    groups: list[Any] = []

    class Served(Process):
        def wait(self, _: float | None = None) -> int:
            server_ends.wait(60)
            return code

    def popen(command: list[str], stdin: int, stdout: Any, stderr: int, start_new_session: bool) -> Served:
        assert (command, stdin, stderr, start_new_session) == (["it"], subprocess.DEVNULL, subprocess.STDOUT, True)
        stdout.write(b"begun\n")
        if ended_by == "itself":
            server_ends.set()
        elif ended_by == "owner":
            owner_ends.set()
        else:
            handlers[signal.SIGTERM](signal.SIGTERM, None)
        return Served(code)

    monkeypatch.setattr(server_guard.subprocess, "Popen", popen)
    monkeypatch.setattr(server_guard.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(server_guard.sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=lambda: owner_ends.wait(60))))
    monkeypatch.setattr(server_guard, "end_group", lambda group, ended: groups.append((group, ended.is_set())))
    (tmp_path / "log").write_text("before\n")
    try:
        assert server_guard.main(str(tmp_path / "log"), ["it"]) == expected
    finally:
        server_ends.set()
        owner_ends.set()
    assert groups == [(4321, ended_by == "itself")]
    assert set(handlers) == {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
    assert (tmp_path / "log").read_text() == "before\nbegun\n"
    assert told.said == "4321\n", "said at once: whoever started the guard waits for it"


def test_a_guard_says_what_can_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_guard.signal, "signal", lambda *_: None)
    assert server_guard.main(str(tmp_path / "log"), [str(tmp_path / "nowhere")]) == 127
    assert (tmp_path / "log").read_text() == f"{tmp_path / 'nowhere'}: No such file or directory\n"


# A checkpoint behind one.


@pytest.mark.parametrize("ends", ["closed", "never ready", "in the middle"])
@pytest.mark.parametrize(("kind", "template"), [("vllm", None), ("sglang", "{{ it }}"), ("transformers", None)])
def test_a_served_checkpoint_step_by_step(
    kind: str, template: str | None, ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, said = list[Any](), list[str]()
    checkpoint, copied = tmp_path / "it", list[Path]()
    checkpoint.mkdir()

    class Started:
        base_url, ended = "http://127.0.0.1:8123/v1", ends == "in the middle"

        def __init__(self, *given: Any) -> None:
            done.append(given)

        def wait_until_ready(self, seconds: float, _: Any) -> None:
            done.append(seconds)
            if ends == "never ready":
                raise HopeBenchError("never ready")

        def when_it_ends(self, work: Callable[[], None]) -> None:
            work()

        def last_words(self) -> str:
            return "Its words."

        def close(self, keep_log: bool) -> None:
            done.append(("log kept", keep_log))

    class Asked:
        report = AdapterReport(input_tokens=7)

        def __init__(self, card: ModelCard, _: Any) -> None:
            done.append((card.adapter, card.base_url, card.checkpoint, card.api_key_env))

        def give_up(self, why: str) -> None:
            done.append(why)

        def answer(self, batch: Any, samples: Any) -> list[RawAnswer]:
            return [RawAnswer(f"{batch} {samples}")]

        def close(self) -> None:
            done.append("disconnected")

    def command_line(_: ModelCard, folder: Path, port: int, file: Path | None) -> list[str]:
        if port:  # else only whether it is possible is asked
            assert (file is None) == (template is None)
            assert file is None or file.read_text() == template
        return ["serve", str(folder)]

    def plain_copy(folder: Path, into: Path) -> Path:
        assert (folder, into.name, into.parent.is_dir()) == (checkpoint.resolve(), "it", True)
        copied.append(into)
        return into

    found = SimpleNamespace(folder=checkpoint, adapter=None)
    for name, stub in {
        "Server": Started, "Endpoint": Asked, "command_line": command_line, "plain_copy": plain_copy, "free_port": lambda: 8123,
        "find_checkpoint": lambda *_, **__: found,
    }.items():  # fmt: skip
        monkeypatch.setattr(served, name, stub)
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    card = ModelCard(name="m", checkpoint="ORG/IT", server=cast(Any, kind), chat_template=template, server_timeout=99)
    model = served.Served(card, said.append)
    assert model.report == AdapterReport()
    if ends == "never ready":
        with pytest.raises(HopeBenchError, match="never ready"):
            model.load()
    else:
        model.load()
        assert model.report.input_tokens == 7
    folder = str(copied[0] if kind == "transformers" else checkpoint.resolve())
    name = folder if kind == "transformers" else "ORG/IT"
    asked = ("endpoint", "http://127.0.0.1:8123/v1", name, "HOPE_BENCH_SERVER_KEY")
    last = {"closed": [], "never ready": [("log kept", True)], "in the middle": [("log kept", True), "disconnected"]}[ends]
    if ends == "in the middle":
        with pytest.raises(HopeBenchError, match=r"^The server ended in the middle of the run; .* from here\. Its words\.$"):
            model.answer(cast(Any, "batch"), (1,))
    elif ends == "closed":
        assert model.answer(cast(Any, "batch"), (1,)) == [RawAnswer("batch (1,)")]
    expected = [(["serve", folder], 8123), 99.0, *([asked, "the server ended"] if ends != "never ready" else []), *last]
    assert done == expected
    assert said == [f"Starting {kind} for ORG/IT on port 8123 of this machine ..."]
    assert len(copied) == (kind == "transformers")
    model.close()
    assert done[len(expected) :] == {"closed": [("log kept", False), "disconnected"], "never ready": []}.get(
        ends, ["disconnected"]
    )
    assert list(tmp_path.iterdir()) == [checkpoint], "nothing of it is left"


def test_a_served_checkpoint_is_one_process_and_a_whole_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "command_line", lambda *_: [])
    monkeypatch.setattr(served, "find_checkpoint", lambda *_, **__: SimpleNamespace(folder=tmp_path, adapter=tmp_path))
    for size, kind, template, words in (
        ("2", "vllm", None, "--server starts one server, and torchrun several of these processes"),
        ("1", "transformers", "t", "transformers serve can't be given the chat template of the card m."),
        ("1", "transformers", None, "is an adapter of PEFT's, and --server transformers is given whole models only"),
        ("", "vllm", "t", "is an adapter of PEFT's, and --server vllm is given whole models only"),
    ):
        monkeypatch.setenv("WORLD_SIZE", size)
        with pytest.raises(HopeBenchError) as refused:
            served.Served(ModelCard(name="m", checkpoint="c", server=cast(Any, kind), chat_template=template))
        assert words in str(refused.value)
