"""Images read and encoded in processes of their own: the same bytes, whatever happens to a worker."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from hope_bench.adapters.base import EncodesElsewhere
from hope_bench.adapters.encoding import pack, unpack
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from hope_bench.inference.asking import Asker, Batch
from hope_bench.inference.workers import Workers
from hope_bench.records import Request
from tests.checkpoints import pictures, prompts
from tests.e2e.test_evaluate import World, quiet, world  # noqa: F401 - the fixtures
from tests.e2e.test_processes import _children

LARGE = 1_000_000
"""Bytes."""


def test_with_workers_the_bytes_are_the_same(world: World) -> None:  # noqa: F811
    (world.images / "01.png").write_bytes((world.images / "01.png").read_bytes()[:-40])
    (world.images / "02.png").unlink()
    for name, workers in (("threads", "0"), ("workers", "2")):
        assert world.evaluate(name, "--dtype", "bfloat16", "--workers", workers).exit_code == 1
    runs = [world.run(name) / "answers.jsonl" for name in ("threads", "workers")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def test_a_lost_worker_is_survived(world: World, quiet: bytes, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    killed: list[int] = []
    before = set(_children(os.getpid()))  # of tests that ran before, such as a browser's driver
    at_first = Asker.answer

    def answer(asker: Asker, step: object, images: object) -> object:
        if not killed:
            killed.extend(set(_children(os.getpid())) - before)
            assert len(killed) == 1
            os.kill(killed[0], signal.SIGKILL)
        return at_first(asker, step, images)  # type: ignore[arg-type]

    monkeypatch.setattr(Asker, "answer", answer)
    lost = world.evaluate("lost", "--workers", "1")
    assert killed
    assert "A worker process was lost" in lost.stderr
    assert lost.exit_code == 0
    assert (world.run("lost") / "answers.jsonl").read_bytes() == quiet


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


@pytest.mark.parametrize("count", [1, 2])
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


def test_workers_do_not_outlive_a_killed_run(world: World, quiet: bytes) -> None:  # noqa: F811
    process = world.start("killed", "--workers", "2")
    answers = world.run("killed") / "answers.jsonl"
    while not (answers.exists() and answers.stat().st_size):
        time.sleep(0.05)
    workers = _children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait(timeout=60)
    lines = [Path(f"/proc/{worker}/cmdline") for worker in workers]
    for _ in range(12_000):
        if not any(line.exists() and line.read_bytes() for line in lines):
            break
        time.sleep(0.005)
    else:
        raise AssertionError("a worker outlived its run")
    assert world.evaluate("killed").exit_code == 0
    assert answers.read_bytes() == quiet


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
