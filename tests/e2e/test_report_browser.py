"""A report in a real browser, opened from disk: nothing is loaded from elsewhere, nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.result import RunInfo
from hope_bench.records import Answer
from tests.chromium import opened
from tests.cli import hope_bench
from tests.e2e.site_views import Look, fits, in_turn
from tests.runs import make_run, write_answers
from tests.small_benchmark import write_small

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    small = write_small(tmp_path / "small")
    chosen = read_benchmark(small.folder)
    run = make_run(tmp_path / "run", chosen, {})
    asked = {(one.image, one.text): one for questions in chosen.splits.values() for one in questions}
    other = make_run(tmp_path / "other", chosen, {}, run=RunInfo(prompt="Really? {question}"))
    for folder in (run, other):
        write_answers(folder, [Answer(image, text, "Yes", "yes", p_yes=0.1 + 0.02 * n) for n, (image, text) in enumerate(asked)])
    options = ["-b", small.folder, "--images", small.images, "--annotations", small.annotations, "--replicates", 100]
    out = tmp_path / "report.html"
    assert hope_bench(capsys, "report", run, *options, "--paraphrase", other, "--out", out).code == 0
    return out


@pytest.mark.parametrize("looks", in_turn([(390, "light"), (820, "dark"), (1280, "light")]))
def test_it_opens_at_every_width(browser: Browser, report: Path, looks: Sequence[Look]) -> None:
    page, problems = opened(browser, report, looks[0][0], scheme=looks[0][1])
    assert fits(page, looks)
    assert problems == []
    images = page.locator(".gallery img")
    assert images.count() == 3
    assert images.first.evaluate("node => node.naturalWidth") > 0
    marks = page.locator("svg.strip .point")
    assert marks.count() >= 3
    box = page.locator("svg.reliability").bounding_box()
    assert box is not None
    assert box["width"] > 200
