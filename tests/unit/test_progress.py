"""Progress where nobody watches a bar: a line now and then, and none for short work."""

from __future__ import annotations

import pytest

from hope_bench import progress
from hope_bench.adapters.base import AdapterReport
from hope_bench.inference.progress import run_progress
from hope_bench.progress import progress_bar
from hope_bench.records import Answer


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


@pytest.mark.parametrize(("path", "more"), [(None, ""), ("shared", ", shared path")])
def test_a_run_that_goes_on_says_a_line_each_tenth_of_the_way(
    path: str | None, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    answer = Answer(image="a.png", question="Is there a dog in the image?", text="Yes", verdict="yes")
    said: list[str] = []
    with run_progress(40, 100, said.append, report=lambda: AdapterReport(path=path)) as run:
        for _ in range(60):
            clock[0] += 0.5
            run.add([answer])
    assert said == [
        f"{done} of 100 questions, ETA 0:00:{(100 - done) // 2:02}, 2.0 questions/s, 2.00 images/s, 0 unparsed, 0 errors{more}"
        for done in range(50, 101, 10)
    ]
