"""What the commands show in a pseudo-terminal: a golden at 80 and 120 columns, and no line that is wider than the terminal."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from hope_bench.errors import counted
from hope_bench.tables import Summary, plain_table

if sys.platform == "win32":
    pytest.skip("Windows has no pty", allow_module_level=True)

from tests.soak import SOAK
from tests.terminal import WIDTHS, golden, in_terminal, lines_of, prepare, screen

BARS = """
import time
from hope_bench.adapters.base import AdapterReport
from hope_bench.inference.progress import run_progress
from hope_bench.progress import progress_bar
from hope_bench.records import Answer

with progress_bar("Embedding tiles of the images [of 336 px] with ViT-L-14-336:openai, in float32", 1_234_567) as advance:
    advance(1_000_000)
    time.sleep(0.2)
report = lambda: AdapterReport(path="shared and plain", gpu_bytes=139_000_000_000)
with run_progress(0, 1_234_567, print, "auto", report) as run:
    run.add([Answer("a.jpg", "Is there a cat?", "?", "unparsed")] * 1000)
    time.sleep(0.2)
"""


SOURCES = sorted((Path(__file__).resolve().parents[2] / "hope_bench").rglob("*.py"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:  # a short path, as where the golden files were written: lines break alike
        prepare(Path(made))
        yield Path(made)


@pytest.mark.parametrize("width", WIDTHS if SOAK else WIDTHS[:1])
def test_the_main_output_of_the_commands(folder: Path, width: int) -> None:
    """`python -m tests.terminal` writes the golden files again."""
    shown = screen(width, folder)
    assert shown == golden(width).read_text().split("\n")
    pasted = ("$ ", "Next: ", "Chart: ", "Gallery: ", "Result: ")  # commands and paths stay whole
    assert max(len(line) for line in shown if not line.startswith(pasted)) <= width


def test_the_list_of_models_fits(tmp_path: Path) -> None:
    listed = lines_of(in_terminal(80, tmp_path, "-m", "hope_bench", "models"))
    assert max(map(len, listed)) <= 80


@pytest.mark.parametrize("width", [60, *WIDTHS])
def test_progress_bars_fit_and_keep_their_numbers(tmp_path: Path, width: int) -> None:
    lines = lines_of(in_terminal(width, tmp_path, "-c", BARS))
    assert max(map(len, lines)) <= width
    assert any(re.search(r"1,000,000 of 1,234,567 +(\S+/s +)?ETA", line) for line in lines), lines
    assert any("1,000 of 1,234,567 questions" in line for line in lines), lines
    assert any("139.0 GB GPU" in line for line in lines), lines


def test_sentences_of_wide_characters_fit() -> None:
    """A Chinese character takes two columns; a path stays whole, and so does what stands before the first word."""
    path = "runs/" + "a-name-" * 15
    summary = Summary(("日本語のモデル " * 12 + path, "  indented"), plain_table("", "model"), ("note " * 40,))
    lines = summary.as_text().splitlines()
    assert path in lines
    assert "  indented" in lines
    assert [line for line in lines if cell_len(line) > 80] == [path]
    assert lines[0] == " ".join(["日本語のモデル"] * 5)


def test_numbers_agree_with_their_nouns() -> None:
    assert [counted(n, "step") for n in (0, 1, 2, 2000)] == ["0 steps", "1 step", "2 steps", "2,000 steps"]
    assert [counted(n, "box reaches", "boxes reach") for n in (1, 2)] == ["1 box reaches", "2 boxes reach"]
    left = [path.name for path in SOURCES if re.search(r"[a-z]\((?:s|es)\) ", path.read_text(encoding="utf-8"))]
    assert left == [], "a message leaves it to the reader how many there are; use errors.counted"


def test_tables_are_made_in_one_place() -> None:
    assert [path.name for path in SOURCES if re.search(r"\bTable\(", path.read_text(encoding="utf-8"))] == ["tables.py"]
