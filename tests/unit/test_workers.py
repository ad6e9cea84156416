"""Worker processes: what they send is taken as it is, and the work goes on without them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from hope_bench.adapters.base import EncodesElsewhere
from hope_bench.inference.answers import shard_path
from hope_bench.inference.asking import Batch
from hope_bench.inference.shared_folder import check_shared
from hope_bench.inference.workers import Workers, default_workers
from hope_bench.processes import Processes
from hope_bench.records import Request
from tests.checkpoints import pictures
from tests.forks import interpreter

LARGE = 1_000_000
"""Bytes."""


class Large:
    """An adapter whose inputs are larger than a pipe holds: a worker is always midway through sending some."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.prepared: list[str] = []

    def elsewhere(self) -> Callable[[], Callable[[Batch], bytes]]:
        return large

    def take(self, batch: Batch, encoded: bytes) -> None:
        assert len(encoded) == LARGE
        self.taken.append(batch[0][1])

    def prepare(self, batch: Batch) -> None:
        self.prepared.append(batch[0][1])


def large() -> Callable[[Batch], bytes]:
    return lambda _: bytes(LARGE)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers are forks of an interpreter that has imported what they need."""
    with interpreter() as python:
        monkeypatch.setattr(sys, "executable", str(python))
        yield


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.usefixtures("forked")
def test_a_worker_lost_midway_through_sending_is_survived(count: int, tmp_path: Path) -> None:
    picture = pictures(1)[0]
    picture.save(tmp_path / "0.png")
    steps = [(Request("0.png", text, text),) for text in map(str, range(12))]
    model, said = Large(), list[str]()
    with Workers(count, said.append) as workers:
        ready = workers.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})
        seen = [next(ready)]
        time.sleep(0.5)  # by now it is held up by a full pipe
        workers._processes[-1].kill()
        seen.extend(ready)
    assert [step for step, _ in seen] == steps
    assert all(images["0.png"].tobytes() == picture.convert("RGB").tobytes() for _, images in seen)
    assert said == ["A worker process was lost (killed by signal 9; out of memory?); going on without workers."]
    assert model.taken + model.prepared == [step[0].text for step in steps]
    assert model.prepared


def test_what_a_site_customisation_prints_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text('print("configuring things\\nmore", flush=True)\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    pictures(1)[0].save(tmp_path / "0.png")
    steps = [(Request("0.png", text, text),) for text in map(str, range(3))]
    model, said = Large(), list[str]()
    with Workers(1, said.append) as workers:
        assert [step for step, _ in workers.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})] == steps
    assert (said, model.taken) == ([], ["0", "1", "2"])


class Loud(Large):
    """An adapter whose libraries print while they encode."""

    def elsewhere(self) -> Callable[[], Callable[[Batch], bytes]]:
        return loud


def loud() -> Callable[[Batch], bytes]:
    def encode(_: Batch) -> bytes:
        print("fetching things", flush=True)
        return bytes(LARGE)

    return encode


@pytest.mark.usefixtures("forked")
def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    pictures(1)[0].save(tmp_path / "0.png")
    steps = [(Request("0.png", text, text),) for text in map(str, range(3))]
    model, said = Loud(), list[str]()
    with Workers(1, said.append) as workers:
        assert [step for step, _ in workers.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})] == steps
    assert (said, model.taken) == ([], ["0", "1", "2"])


def test_a_worker_that_can_not_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    at_first = subprocess.Popen

    def start(*arguments: object, **options: object) -> object:
        if started:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(at_first(*arguments, **options))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr("hope_bench.inference.workers.subprocess.Popen", start)
    said: list[str] = []
    with Workers(2, said.append) as workers:
        assert workers.count == 0
    assert said == ["A worker process can't be started (Resource temporarily unavailable); going on without workers."]
    assert started[0].returncode is not None


def test_a_ctrl_c_at_the_terminal_is_not_for_workers() -> None:
    """It goes to every process of the terminal's session, and the one that writes the answers ends the others."""
    with Workers(2) as workers:
        sessions = [os.getsid(process.pid) for process in workers._processes]
    assert len({os.getsid(0), *sessions}) == 3


@pytest.mark.parametrize(("cores", "beside", "workers"), [(4, None, 3), (8, "2", 3), (2, None, 1), (1, None, 0), (64, "1", 4)])
def test_workers_take_the_cores_that_models_leave(
    cores: int, beside: str | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if beside is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", beside)
    assert default_workers("cuda") == workers
    assert default_workers("cpu") == 0


class OfTwo:
    """What a process of two knows of the other: nothing that is wrong."""

    rank, size = 1, 2

    def gather(self, mine: str | None) -> list[str | None]:
        return [None, mine]

    def by_first(self, work: Callable[[], None]) -> None:
        work()


def test_a_folder_and_a_file_that_show_later_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        folder.mkdir(exist_ok=True)
        if len(waited) > 1:
            shard_path(folder, 0).touch()

    monkeypatch.setattr(time, "sleep", sleep)
    check_shared(folder, cast("Processes", OfTwo()), patience=60)
    assert len(waited) == 2
    assert all(shard_path(folder, rank).is_file() for rank in range(2))
