"""Worker processes: what they send is taken as it is, and the work goes on without them."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from hope_bench.adapters.base import EncodesElsewhere
from hope_bench.errors import HopeBenchError
from hope_bench.inference import workers
from hope_bench.inference.answers import shard_path
from hope_bench.inference.asking import Batch
from hope_bench.inference.plan import Step
from hope_bench.inference.shared_folder import check_shared
from hope_bench.inference.workers import Workers, default_workers
from hope_bench.processes import Processes
from hope_bench.records import Request
from tests.checkpoints import pictures
from tests.forks import fork_of, interpreter

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
    with Workers(count, said.append) as started:
        ready = started.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})
        seen = [next(ready)]
        time.sleep(0.5)  # by now it is held up by a full pipe
        os.kill(fork_of(Path(sys.executable), started._processes[-1].pid), signal.SIGKILL)
        seen.extend(ready)
    assert [step for step, _ in seen] == steps
    assert all(images["0.png"].tobytes() == picture.convert("RGB").tobytes() for _, images in seen)
    assert said == ["A worker process was lost (killed by signal 9; out of memory?); going on without workers."]
    texts = [step[0].text for step in steps]
    assert {*model.taken, *model.prepared} == {*texts}
    assert model.prepared == texts[-len(model.prepared) :], "what one had sent ahead is prepared again, with all after the lost"
    assert model.prepared


def test_what_a_site_customisation_prints_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text('print("configuring things\\nmore", flush=True)\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    pictures(1)[0].save(tmp_path / "0.png")
    steps = [(Request("0.png", text, text),) for text in map(str, range(3))]
    model, said = Large(), list[str]()
    with Workers(1, said.append) as started:
        assert [step for step, _ in started.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})] == steps
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
    with Workers(1, said.append) as started:
        assert [step for step, _ in started.steps(cast(EncodesElsewhere, model), steps, tmp_path, {})] == steps
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
    with Workers(2, said.append) as none:
        assert none.count == 0
    assert said == ["A worker process can't be started (Resource temporarily unavailable); going on without workers."]
    assert started[0].returncode is not None


def test_a_ctrl_c_at_the_terminal_is_not_for_workers() -> None:
    """It goes to every process of the terminal's session, and the one that writes the answers ends the others."""
    with Workers(2) as started:
        sessions = [os.getsid(process.pid) for process in started._processes]
    assert len({os.getsid(0), *sessions}) == 3


@pytest.mark.parametrize(
    ("cores", "beside", "expected"),
    [
        (4, None, 3),
        (8, "2", 3),
        (2, None, 1),
        (1, None, 0),
        (64, "1", 4),
        (3, "", 2),
        (3, "0", 2),
        (9, "3", 2),
        (4, "9", 0),
        (7, "2", 2),
    ],
)
def test_workers_take_the_cores_that_models_leave(
    cores: int, beside: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if beside is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", beside)
    assert default_workers("cuda") == expected
    assert default_workers("cpu") == default_workers("mps") == 0
    monkeypatch.delattr(os, "sched_getaffinity")  # a Mac: nobody says how many cores this process may use
    assert default_workers("cuda") == 0


def one_image_twice() -> list[Step]:
    """Steps of which one asks twice about an image, and one about two, of which one isn't there."""
    asked = [["0.png", "0.png"], ["1.png", "no.png"], ["0.png"]]
    return [tuple(Request(name, f"{place}", f"{place} {name}") for name in names) for place, names in enumerate(asked)]


class Said(Large):
    """An adapter that encodes what it is asked as a list of words."""

    def elsewhere(self) -> Callable[[], Callable[[Batch], Any]]:
        return said

    def take(self, _: Batch, encoded: Any) -> None:
        self.taken.append(encoded)


def said() -> Callable[[Batch], Any]:
    def encode(batch: Batch) -> list[str]:
        if batch[0][1].startswith("2"):
            raise ValueError("no such picture")
        return [f"{text} {image.size} {torch.get_num_threads()}" for image, text in batch]

    return encode


@pytest.mark.skipif(sys.platform == "win32", reason="forks are POSIX")
@pytest.mark.parametrize("unread", [False, True])
def test_a_workers_life(unread: bool, tmp_path: Path) -> None:
    """As a fork of this process: what it is told is done, what is printed goes elsewhere, and without a reader it ends."""
    for place, picture in enumerate(pictures(2)):
        picture.save(tmp_path / f"{place}.png")
    steps = one_image_twice() * (20 if unread else 1)
    job = pickle.dumps(workers._Job(said, steps, tmp_path, {"1.png": "another"}))
    (told, tell), (hear, say), (errors, err) = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        for ours, end in enumerate((told, say, err)):
            os.dup2(end, ours)
        for end in (told, tell, hear, say, errors, err):
            os.close(end)
        sys.stdin = os.fdopen(0)
        try:
            workers.work()
            os.write(1, b"printed")
        finally:
            os._exit(7)
    for end in (told, say, err):
        os.close(end)
    if unread:
        os.close(hear)
    with os.fdopen(tell, "wb") as stream:
        stream.write(job)
    if unread:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        os.close(errors)
        return
    with os.fdopen(hear, "rb") as stream:
        assert stream.readline() == b"\n"
        assert stream.readline() == b"hope-bench worker\n"
        made = [pickle.load(stream) for _ in steps]
        assert stream.read() == b""
    with os.fdopen(errors, "rb") as stream:
        assert stream.read().endswith(b"printed")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    shown = [
        {name: str(one) if isinstance(one, Exception) else (one.size, one.info["file_name"]) for name, one in images.items()}
        for images, _ in made
    ]
    first = {"0.png": ((96, 64), "0.png")}
    differs = "the image differs from the benchmark's (SHA-256)"
    assert shown == [first, {"1.png": differs, "no.png": "the file is missing"}, first]
    assert [encoded for _, encoded in made] == [["0 0.png (96, 64) 1"] * 2, None, None]


@pytest.mark.skipif(sys.platform == "win32", reason="forks are POSIX")
@pytest.mark.parametrize("job", [b"", b"garbage", pickle.dumps(1)[:-1]], ids=["none", "garbage", "half"])
def test_a_worker_without_a_job_ends_quietly(job: bytes) -> None:
    (told, tell), (hear, say) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(told, 0)
        os.dup2(say, 1)
        for end in (told, tell, hear, say):
            os.close(end)
        sys.stdin = os.fdopen(0)
        code = 8
        try:
            workers.work()
            code = 7
        finally:
            os._exit(code)
    os.close(told)
    os.close(say)
    with os.fdopen(tell, "wb") as stream:
        stream.write(job)
    with os.fdopen(hear, "rb") as stream:
        assert stream.read() == b""
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


WORKER = """
import pickle, sys
job = pickle.load(sys.stdin.buffer)
sys.stdout.write("noise")
sys.stdout.flush()
out = sys.stdout.buffer
out.write(b"\\nhope-bench worker\\n")
for step in job.steps:
    {}
    out.write(pickle.dumps(({{request.image: request.image for request in step}}, job.sha256)))
    out.flush()
"""


def without_torch(monkeypatch: pytest.MonkeyPatch, each: str = "pass") -> None:
    """Workers that are what they tell, and start in no time: of each step the names of its images, and the hashes told."""
    monkeypatch.setattr(workers, "_COMMAND", WORKER.format(each))
    monkeypatch.setattr(workers, "batch_of", lambda step, images: [(images, step[0].text)])
    monkeypatch.setattr(workers, "steps_with_images", lambda steps, *_: ((step, {"here": step}) for step in steps))


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("count", [1, 3])
def test_workers_take_turns_and_are_told_what_they_need(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch)
    steps: list[Step] = [(Request(f"{place % 3}.png", str(place), str(place)),) for place in range(7)]
    model, lines = Said(), list[str]()
    with Workers(count, lines.append) as started:
        assert started.count == count
        found = list(started.steps(cast(EncodesElsewhere, model), steps, tmp_path, {"0.png": "aa", "2.png": "bb", "9.png": "cc"}))
    assert found == [(step, {step[0].image: step[0].image}) for step in steps]
    hashes: dict[str, str | None] = {"0.png": "aa", "1.png": None, "2.png": "bb"}
    of = [{steps[other][0].image for other in range(place % count, 7, count)} for place in range(7)]
    assert model.taken == [{name: hashes[name] for name in names} for names in of]
    assert lines == []


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("sys.exit(0)", "exit code 0"),
        ("sys.exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9; out of memory?"),
        ("out.write(bytes([255]) * 99); out.flush(); import time; time.sleep(60)", "what it sent can't be read"),
    ],
    ids=["ends", "fails", "killed", "garbled"],
)
def test_what_became_of_a_lost_worker_is_said(end: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its third step; the rest is made ready here."""
    without_torch(monkeypatch, f"if step[0].text == '2': {end}")
    monkeypatch.setattr(workers, "_DYING_SECONDS", 0.1 if "sleep" in end else 30)
    steps: list[Step] = [(Request("0.png", str(place), str(place)),) for place in range(5)]
    lines: list[str] = []
    with Workers(1, lines.append) as started:
        found = list(started.steps(cast(EncodesElsewhere, Said()), steps, tmp_path, {}))
    assert [step for step, _ in found] == steps
    assert [images for _, images in found] == [{"0.png": "0.png"}] * 2 + [{"here": step} for step in steps[2:]]
    assert lines == [f"A worker process was lost ({said}); going on without workers."]


class OfTwo:
    """What a process of two knows of the other: nothing that is wrong."""

    rank, size = 1, 2

    def gather(self, mine: str | None) -> list[str | None]:
        return [None, mine]

    def by_first(self, work: Callable[[], None]) -> None:
        work()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every sleep, by which alone time passes."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(slept))
    return slept


MUST = "The run folder {} must be one that all processes share, such as on a network disk (--runs)."


def test_a_folder_that_is_not_shared_is_waited_for_up_to_its_time(tmp_path: Path, clock: list[float]) -> None:
    folder = tmp_path / "run"
    check_shared(folder, Processes())
    with pytest.raises(HopeBenchError) as refused:
        check_shared(folder, cast("Processes", OfTwo()), patience=1.0)
    assert str(refused.value) == f"{MUST.format(folder)} Process 1 finds no such folder."
    assert clock == [0.2] * 6, "the last one when a second is over"
    folder.mkdir()
    clock.clear()
    with pytest.raises(HopeBenchError) as refused:
        check_shared(folder, cast("Processes", OfTwo()), patience=1.0)
    assert str(refused.value) == f"{MUST.format(folder)} On the first process's machine it holds no answers.process-0.jsonl."
    assert clock == [0.2] * 6


@pytest.mark.parametrize(
    ("error", "words"), [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")]
)
def test_a_folder_that_can_not_be_written_to_is_said_at_once(
    error: OSError, words: str, tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(HopeBenchError) as refused:
        check_shared(tmp_path, cast("Processes", OfTwo()))
    assert str(refused.value) == f"{MUST.format(tmp_path)} Process 1 can't write there: {words}."
    assert clock == []


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
