"""Images read and encoded in processes of their own: the same bytes, whatever happens to a worker."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from hope_bench.adapters.encoding import pack, unpack
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from hope_bench.inference.asking import Asker
from tests.checkpoints import pictures, prompts
from tests.e2e.test_evaluate import World, quiet, world  # noqa: F401 - the fixtures
from tests.e2e.test_processes import _children
from tests.forks import fork_of, interpreter
from tests.soak import SOAK
from tests.waiting import wait_until


@pytest.mark.parametrize("how", ["forks", "fresh"] if SOAK else ["forks"])
def test_with_workers_the_bytes_are_the_same(how: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (world.images / "01.png").write_bytes((world.images / "01.png").read_bytes()[:-40])
    (world.images / "02.png").unlink()
    with interpreter() as python:
        if how == "forks":
            monkeypatch.setattr(sys, "executable", str(python))
        for name, workers in (("threads", "0"), ("workers", "2")):
            result = world.evaluate(name, "--dtype", "bfloat16", "--workers", workers)
            assert (result.exit_code, "worker process" in result.stderr) == (1, False), result.stderr
    runs = [world.run(name) / "answers.jsonl" for name in ("threads", "workers")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def test_a_lost_worker_is_survived(world: World, quiet: bytes, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    killed: list[int] = []
    at_first, started = Asker.answer, list[Popen[bytes]]()

    def start(command: list[str], **options: Any) -> Popen[bytes]:
        process = Popen(command, **options)
        if command[0] == sys.executable:
            assert process.stdout is not None
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # too little for a worker to have sent all ahead
            started.append(process)
        return process

    def answer(asker: Asker, step: object, images: object) -> object:
        if not killed:
            (worker,) = started
            killed.append(worker.pid)
            os.kill(fork_of(Path(sys.executable), worker.pid), signal.SIGKILL)
        return at_first(asker, step, images)  # type: ignore[arg-type]

    monkeypatch.setattr(Asker, "answer", answer)
    monkeypatch.setattr("hope_bench.inference.workers.subprocess.Popen", start)
    with interpreter() as python:
        monkeypatch.setattr(sys, "executable", str(python))
        lost = world.evaluate("lost", "--workers", "1")
    assert killed
    assert "A worker process was lost" in lost.stderr
    assert lost.exit_code == 0
    assert (world.run("lost") / "answers.jsonl").read_bytes() == quiet


def test_workers_do_not_outlive_a_killed_run(world: World, quiet: bytes) -> None:  # noqa: F811
    """Workers as they are started for a user, which import all they need."""
    count = 2 if SOAK else 1
    process = world.start("killed", 1, "--workers", str(count))
    answers = world.run("killed") / "answers.jsonl"
    wait_until(lambda: answers.exists() and answers.stat().st_size, process.is_alive, process.said)
    workers = _children(process.pid)
    assert len(workers) == count
    process.kill()
    process.wait()
    lines = [Path(f"/proc/{worker}/cmdline") for worker in workers]
    wait_until(lambda: not any(map(_is_running, lines)), said=lambda: "a worker outlived its run")
    assert world.evaluate("killed").exit_code == 0
    assert answers.read_bytes() == quiet


def _is_running(command_line: Path) -> bool:
    try:
        return bool(command_line.read_bytes())
    except OSError:  # it ended meanwhile
        return False


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_travels_between_processes_is_what_was_made(dtype: str, checkpoint: Callable[[str], Path]) -> None:
    model = TransformersModel(ModelCard(name="m", checkpoint=str(checkpoint("llava")), device="cpu", dtype=dtype))  # type: ignore[arg-type]
    model.load()
    assert model._encoder is not None
    rows = model._encoder.rows([(picture, prompt) for picture in pictures(2) for prompt in prompts(3)])
    packed = pack(rows)
    assert len({id(row["pixel_values"]) for row in rows}) == len({id(row["pixel_values"]) for row in unpack(packed)}) == 2
    for row, other in zip(rows, unpack(packed), strict=True):
        assert row.keys() == other.keys()
        assert all(row[key].dtype == other[key].dtype and row[key].equal(other[key]) for key in row)
        assert all(value.data_ptr() % 64 == 0 for value in other.values())  # laid out as torch does, for the same last bit
