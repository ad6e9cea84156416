"""What a benchmark's page says of its own worth, held against the study that found the same on its own (docs/validity.md)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hope_bench.site import views
from hope_bench.site.reading import read_groups
from hope_bench.site.sheet import read_sheets
from hope_bench.site.validity import added, blind_rows

ROOT = Path(__file__).resolve().parents[2]
NUMBER = r"([-+]?[0-9.]+) \[([-0-9.]+), ([-0-9.]+)\]"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> views.Section:
    folder = tmp_path_factory.mktemp("results")
    shutil.copytree(ROOT / "leaderboard" / "results" / "demo", folder / "demo")
    (group,) = read_groups(folder)
    return views.section(group, alone=True)


def study(begin: str) -> dict[str, list[str]]:
    """The first table after a heading, its cells by the first."""
    text = (ROOT / "docs" / "validity.md").read_text().split(begin, 1)[1].split("\n\n| split", 1)[1]
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in text.split("\n\n", 1)[0].splitlines()[2:]
    ]
    return {row[0] + (f" {row[1]}" if "search adds" in begin else ""): row[1:] for row in rows}


def numbers(cell: str) -> list[float]:
    found = re.fullmatch(NUMBER, cell)
    return [] if found is None else [float(one) for one in found.groups()]


def test_what_answering_blind_gets(demo: views.Section) -> None:
    sheet = read_sheets(ROOT / "leaderboard" / "benchmarks")["demo", demo.about.benchmark.hash].sheet
    found = {row.name: row for row in blind_rows(demo, sheet)}
    known = study("## The demo's scenes")
    assert known.keys() <= found.keys()
    for name, cells in known.items():
        row = found[name]
        for cell, way in zip(cells[:3], row.ways, strict=True):
            assert way is not None
            assert numbers(cell) == pytest.approx([100 * (end or 0) for end in (way.value, way.low, way.high)], abs=0.051), name
        assert row.accuracy == pytest.approx(numbers(cells[6])[0] / 100, abs=0.00051)
        assert (f"{100 * row.above:.1f}" if row.above is not None else "-") == cells[8]
        unbalanced = "" if row.balance is None else f"{row.balance.unbalanced} of 1500, at most {row.balance.largest}"
        assert unbalanced == cells[4], name


def test_what_the_search_adds(demo: views.Section) -> None:
    found = {f"{one.split} {one.baseline}": one for one in added(demo)}
    known = study("### What the search adds")
    assert found.keys() == known.keys()
    for pair, (_, rise, drop) in known.items():
        for cell, estimate in ((rise, found[pair].rise), (drop, found[pair].auroc_drop)):
            assert estimate is not None
            ends = [100 * (end or 0) for end in (estimate.value, estimate.low, estimate.high)]
            assert numbers(cell) == pytest.approx(ends, abs=0.051), pair
