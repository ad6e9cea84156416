"""Progress where nobody watches a bar: a line now and then, and none for short work."""

from __future__ import annotations

import pytest

from hope_bench import progress
from hope_bench.progress import progress_bar


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [
        (0.01, []),  # the whole takes one second
        (1.0, [f"Embedding [x]: {done} of 100" for done in range(10, 101, 10)]),  # each tenth
        (3.0, [f"Embedding [x]: {done} of 100" for done in range(10, 101, 10)]),
        (10.0, [f"Embedding [x]: {done} of 100" for done in range(3, 101, 3)]),  # every 30 seconds
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
