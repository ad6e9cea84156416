"""Images read and encoded in processes of their own: the same bytes, whatever happens to a worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hope_bench.adapters.encoding import pack, unpack
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from tests.checkpoints import pictures, prompts
from tests.e2e.test_evaluate import World, quiet, world  # noqa: F401 - the fixtures
from tests.e2e.test_processes import _children
from tests.forks import run

SOAK = "HOPE_BENCH_SOAK" in os.environ
WITH_FORKS = """
from tests.forks import fork_workers
fork_workers()
from hope_bench.cli import main
main()
"""
LOSING_ONE = """
import os, signal
from hope_bench.inference.asking import Asker
from hope_bench.inference.workers import Workers
started, answer, killed = Workers.__init__, Asker.answer, []
def start(workers, *arguments):
    started(workers, *arguments)
    first = workers._processes[0]
    def answer_once_it_is_lost(*arguments):
        if first.returncode is None and not killed:
            killed.append(os.kill(first.pid, signal.SIGKILL))
        return answer(*arguments)
    Asker.answer = answer_once_it_is_lost
Workers.__init__ = start
"""
"""The first worker is killed at the first answer."""


@pytest.mark.parametrize("how", ["forks", "fresh"] if SOAK else ["forks"])
def test_with_workers_the_bytes_are_the_same(how: str, world: World) -> None:  # noqa: F811
    (world.images / "01.png").write_bytes((world.images / "01.png").read_bytes()[:-40])
    (world.images / "02.png").unlink()
    more = ("--dtype", "bfloat16", "--workers")
    assert world.evaluate("threads", *more, "0").exit_code == 1
    if how == "forks":
        done = run(["-c", WITH_FORKS, *world.arguments("workers", *more, "2")])
        assert (done.returncode, "worker process" in done.stderr) == (1, False), done.stderr
    else:
        assert world.evaluate("workers", *more, "2").exit_code == 1
    runs = [world.run(name) / "answers.jsonl" for name in ("threads", "workers")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def test_a_lost_worker_is_survived(world: World, quiet: bytes) -> None:  # noqa: F811
    lost = run(["-c", LOSING_ONE + WITH_FORKS, *world.arguments("lost", "--workers", "1")])
    assert lost.returncode == 0, lost.stderr
    assert "A worker process was lost (killed by signal 9" in " ".join(lost.stderr.split())
    assert (world.run("lost") / "answers.jsonl").read_bytes() == quiet


def test_workers_do_not_outlive_a_killed_run(world: World, quiet: bytes) -> None:  # noqa: F811
    """Workers as they are started for a user, which import all they need."""
    count = 2 if SOAK else 1
    process = world.start("killed", 1, "--workers", str(count))
    answers = world.run("killed") / "answers.jsonl"
    while not (answers.exists() and answers.stat().st_size):
        assert process.poll() is None, process.said()
        time.sleep(0.05)
    workers = _children(process.pid)
    assert len(workers) == count
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
