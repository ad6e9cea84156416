"""Images read and encoded in processes of their own: the same bytes, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hope_bench.adapters.encoding import pack, unpack
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.card import ModelCard
from hope_bench.inference.asking import Asker
from hope_bench.scoring.verdicts import read_answers
from tests.checkpoints import pictures, prompts
from tests.e2e.test_evaluate import World, world  # noqa: F401 - the fixture
from tests.e2e.test_processes import _children


def test_with_workers_the_bytes_are_the_same(world: World) -> None:  # noqa: F811
    (world.images / "01.png").write_bytes((world.images / "01.png").read_bytes()[:-40])
    (world.images / "02.png").unlink()
    for name, workers in (("threads", "0"), ("workers", "2")):
        assert world.evaluate(name, "--dtype", "bfloat16", "--workers", workers).exit_code == 1
    runs = [world.run(name) / "answers.jsonl" for name in ("threads", "workers")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def test_a_lost_worker_is_survived(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    killed: list[int] = []
    before = set(_children(os.getpid()))  # of tests that ran before, such as a browser's driver
    at_first = Asker.answer

    def answer(asker: Asker, step: object, images: object) -> object:
        if not killed:
            killed.extend(set(_children(os.getpid())) - before)
            assert len(killed) == 1
            os.kill(killed[0], signal.SIGKILL)
        return at_first(asker, step, images)  # type: ignore[arg-type]

    assert world.evaluate("threads").exit_code == 0
    monkeypatch.setattr(Asker, "answer", answer)
    lost = world.evaluate("lost", "--workers", "1")
    assert killed
    assert "A worker process was lost" in lost.stderr
    assert lost.exit_code == 0
    answers, others = (read_answers(world.run(name) / "answers.jsonl").answers for name in ("lost", "threads"))
    for mine, other in zip(answers, others, strict=True):
        # Once, a last digit of P(yes) was seen to differ (docs/inference.md).
        assert replace(mine, p_yes=None, mass=None) == replace(other, p_yes=None, mass=None)
        assert mine.p_yes == pytest.approx(other.p_yes, abs=1e-5)
        assert mine.mass == pytest.approx(other.mass, abs=1e-5)


def test_workers_do_not_outlive_a_killed_run(world: World) -> None:  # noqa: F811
    process = world.start("killed", "--workers", "2")
    answers = world.run("killed") / "answers.jsonl"
    while not (answers.exists() and answers.stat().st_size):
        time.sleep(0.05)
    workers = _children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.communicate(timeout=60)  # ends when nobody holds the pipe any more
    assert not any(
        Path(f"/proc/{worker}/cmdline").exists() and Path(f"/proc/{worker}/cmdline").read_bytes() for worker in workers
    )
    assert world.evaluate("killed").exit_code == world.evaluate("quiet").exit_code == 0
    assert answers.read_bytes() == (world.run("quiet") / "answers.jsonl").read_bytes()


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
