"""Progress where nobody watches a bar: a line now and then, and none for short work."""

from __future__ import annotations

import json

import pytest

from hope_bench import progress
from hope_bench.adapters.base import AdapterReport
from hope_bench.inference.progress import run_progress
from hope_bench.progress import progress_bar
from hope_bench.records import Answer, Verdict


def left(seconds: int) -> str:
    return f", 0:{seconds // 60:02}:{seconds % 60:02} left" if seconds else ""


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [
        (0.01, []),  # the whole takes one second
        (1.0, [f"Embedding [x]: {done} of 100 (1.0/s{left(100 - done)})" for done in range(10, 101, 10)]),  # each tenth
        (10.0, [f"Embedding [x]: {done} of 100 (0.1/s{left(1000 - 10 * done)})" for done in range(3, 101, 3)]),  # every 30 s
    ],
)
def test_lines_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, lines: list[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress_bar("Embedding [x]", 100) as advance:
        for _ in range(100):
            clock[0] += seconds
            advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == lines


def test_what_was_there_before_says_nothing_of_the_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An embedding costs seconds, one that is stored nothing."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress_bar("Embedding", 100_000) as advance:
        advance(90_000)
        clock[0] += 40
        advance(80)
    assert capsys.readouterr().err == "Embedding: 90,080 of 100,000 (2.0/s, 1:22:40 left)\n"


def answered(image: str, verdict: Verdict = "yes") -> Answer:
    return Answer(image=image, question="Is there a dog in the image?", text="Yes", verdict=verdict)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One number: the seconds that a run's clock shows."""
    seconds = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


@pytest.mark.parametrize(
    ("path", "gpu_bytes", "more"),
    [
        (None, None, ""),
        ("shared", None, ", shared path"),
        ("plain", 12_345_678_901, ", plain path, 12.3 GB GPU"),
        (None, 139_050_000_001, ", 139.1 GB GPU"),
    ],
)
def test_a_run_that_goes_on_says_a_line_each_tenth_of_the_way(
    path: str | None, gpu_bytes: int | None, more: str, clock: list[float]
) -> None:
    said: list[str] = []
    with run_progress(40, 100, said.append, report=lambda: AdapterReport(path=path, gpu_bytes=gpu_bytes)) as run:
        for _ in range(60):
            clock[0] += 0.5
            run.add([answered("a.png")])
    assert said == [
        f"{done} of 100 questions, ETA 0:00:{(100 - done) // 2:02}, 2.0 questions/s, 2.00 images/s, 0 unparsed, 0 errors{more}"
        for done in range(50, 101, 10)
    ]


def test_a_slow_run_says_a_line_every_half_minute_and_the_last_one(clock: list[float]) -> None:
    said: list[str] = []
    with run_progress(5000, 5015, said.append) as run:
        for place in range(5):
            clock[0] += 15
            verdicts: list[Verdict] = ["yes", "error", "unparsed"]
            run.add([answered(f"{place}{'ab'[one % 2]}.png", verdict) for one, verdict in enumerate(verdicts)])
    assert said == [
        "5,006 of 5,015 questions, ETA 0:00:45, 0.2 questions/s, 0.13 images/s, 2 unparsed, 2 errors",
        "5,012 of 5,015 questions, ETA 0:00:15, 0.2 questions/s, 0.13 images/s, 4 unparsed, 4 errors",
        "5,015 of 5,015 questions, ETA 0:00:00, 0.2 questions/s, 0.13 images/s, 5 unparsed, 5 errors",
    ]


def test_progress_for_logs_is_a_json_line_a_step(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    report = AdapterReport(path="shared", gpu_bytes=7)
    with run_progress(4, 20, said.append, "json", lambda: report) as run:
        assert run.seconds_left == 16e-6, "at a question a moment, before any was asked"
        for verdict in ("yes", "error"):
            clock[0] += 0.75
            run.add([answered("a.png", verdict), answered("b.png", "unparsed"), answered("b.png"), answered("b.png")])
    with run_progress(4, 20, said.append, "quiet") as run:
        run.add([answered("a.png")])
    assert said == []
    first = {
        "event": "progress", "done": 8, "total": 20, "questions_per_second": 5.333, "images_per_second": 2.667,
        "seconds_left": 2.2, "unparsed": 1, "errors": 0, "path": "shared", "gpu_bytes": 7,
    }  # fmt: skip
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [first, first | {"done": 12, "seconds_left": 1.5, "unparsed": 2, "errors": 1}]
