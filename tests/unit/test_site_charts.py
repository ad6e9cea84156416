"""What charts and the heat map show, against numbers counted by hand; and the libraries that draw them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Result
from hope_bench.files.result_file import write_result
from hope_bench.files.split_score import Estimate, Part
from hope_bench.records import Answer
from hope_bench.reporting.heat import heat_map, parts_tables
from hope_bench.reporting.marks import axis_of_most, axis_over, mark
from hope_bench.reporting.rows import split_rows
from hope_bench.scoring.score import score
from hope_bench.site import build_site, charts, libraries
from hope_bench.site.board import size
from hope_bench.site.reading import read_groups
from hope_bench.site.views import section
from tests.runs import Row, make_benchmark, make_run, write_answers
from tests.unit.test_site import FAST, make_result

IMAGES = [f"{number:02}.jpg" for number in range(12)]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Twelve images with a dog; absent are a cat in `adversarial`, and in `content` a wolf (ten images) or a fox (two)."""
    absent = {"adversarial": ["cat"] * 12, "content": ["wolf"] * 10 + ["fox"] * 2}
    splits: dict[str, list[Row]] = {
        name: [row for image, other in zip(IMAGES, others, strict=True) for row in ((image, "dog", "yes"), (image, other, "no"))]  # type: ignore[misc]
        for name, others in absent.items()
    }
    return make_benchmark(tmp_path / "b", splits)


def scored(tmp_path: Path, benchmark: Benchmark, p_yes: dict[str, float]) -> Result:
    """A model that says yes where P(yes), by what is asked about, is above one half."""
    folder = make_run(tmp_path / "run", benchmark, {})
    asked = {(one.image, one.text, one.object or "") for split in benchmark.splits.values() for one in split}
    answers = []
    for image, text, thing in sorted(asked):
        sure = p_yes[thing] > 0.5
        answers.append(Answer(image, text, "Yes" if sure else "No", "yes" if sure else "no", p_yes[thing]))
    write_answers(folder, answers)
    return score(benchmark, folder, FAST)


def test_the_reliability_diagram_holds_the_bins(tmp_path: Path, benchmark: Benchmark) -> None:
    result = scored(tmp_path, benchmark, {"dog": 0.93, "cat": 0.12, "wolf": 0.91, "fox": 0.31})
    write_result(tmp_path / "results" / "tiny" / "m.json", result)
    build_site(tmp_path / "results", tmp_path / "site")
    page = (tmp_path / "site" / "tiny" / "m.html").read_text()
    diagram = page[page.index('<svg class="reliability"') :].partition("</svg>")[0]
    titles = re.findall(r"<title>(\w+): P\(yes\) ([0-9.]+), labelled yes (\d+)% of (\d+)</title>", diagram)
    assert titles == [
        ("adversarial", "0.12", "0", "12"), ("adversarial", "0.93", "100", "12"), ("content", "0.31", "0", "2"),
        ("content", f"{(12 * 0.93 + 10 * 0.91) / 22:.2f}", "55", "22"),
    ]  # fmt: skip
    assert "Its surest hallucinations" in page
    assert "Is there a wolf in the image?" in page
    for place, one in enumerate(result.worst or ()):
        assert (result.splits[one.split].labels[one.place], one.object, place < 10) == ("n", "wolf", True)


def test_only_known_sizes_days_and_steps_are_drawn(tmp_path: Path) -> None:
    """The frontier holds whom no model as small or smaller beats, the trend who was better than all before."""
    made = (
        ("a", 3, "7B", 1, None),
        ("b", 1, "2B", 5, 100),
        ("c", 2, "3B", 3, 200),
        ("d", 0, None, 2, None),
        ("e", 4, "2B", 4, None),
    )
    for name, affirmed, parameters, day, step in made:
        result = make_result(tmp_path, name, affirmed)
        model = result.model.model_copy(
            update={"parameters": parameters, "checkpoint": f"runs/x/checkpoint-{step}" if step else None}
        )
        run = result.run.model_copy(update={"step": step})
        changed = {"model": model, "run": run, "added": date(2026, 1, day)}
        write_result(tmp_path / "results" / "tiny" / f"{name}.json", result.model_copy(update=changed))
    (group,) = read_groups(tmp_path / "results")
    found = section(group, alone=True)
    sizes = {row.entry.page: size(row.entry.result) for row in found.rows}
    names = [(one.row.entry.result.model.name, one.frontier) for one in charts.by_size(sizes, found.ranked)]
    assert names == [("b", True), ("e", False), ("c", False), ("a", False)]
    days = [(row.entry.result.model.name, leads) for row, leads in charts.by_day(found.ranked)]
    assert days == [("a", True), ("d", True), ("c", False), ("e", False), ("b", False)]
    ((run, some),) = charts.checkpoints(found.rows)
    assert (run, [row.entry.result.run.step for row in some]) == ("runs/x", [100, 200])


def test_a_few_far_larger_rates_squeeze_no_axis() -> None:
    most = [Estimate(value=0.01 * number) for number in range(1, 9)]
    assert axis_of_most(most).high == pytest.approx(0.08)
    axis = axis_of_most([*most, Estimate(value=0.9), Estimate(value=0.95)])
    assert axis.high == pytest.approx(0.08)
    beyond, within = mark("hope", Estimate(value=0.9), axis), mark("hope", Estimate(value=0.07), axis)
    assert beyond is not None
    assert within is not None
    assert (beyond.beyond, beyond.at, within.beyond) == (True, 100, False)


def test_no_diagram_without_probabilities(tmp_path: Path) -> None:
    write_result(tmp_path / "results" / "tiny" / "m.json", make_result(tmp_path, "M", 3))
    build_site(tmp_path / "results", tmp_path / "site")
    page = (tmp_path / "site" / "tiny" / "m.html").read_text()
    assert "charts.js" not in page
    assert "plotly" not in page
    assert "Does P(yes) mean" not in page


def test_the_heat_map_counts_by_category(tmp_path: Path, benchmark: Benchmark) -> None:
    result = scored(tmp_path, benchmark, {"dog": 0.9, "cat": 0.1, "wolf": 0.9, "fox": 0.1})
    axis = axis_over((), from_zero=True)
    found = heat_map(split_rows(result, "adversarial", axis))
    assert found is not None
    assert [split.name for split in found.splits] == ["adversarial", "content"]
    cells = {row.name: [cell and (cell.rate, cell.questions, cell.few, cell.shade) for cell in row.cells] for row in found.rows}
    assert cells == {
        "wolf": [None, (1.0, 10, False, 10)],
        "fox": [None, (0.0, 2, True, 0)],
        "cat": [(0.0, 12, False, 0), None],
    }
    assert next(iter(cells)) == "wolf"
    assert found.darkest == 1.0
    bare = {name: split.model_copy(update={"breakdowns": {}}) for name, split in result.splits.items()}
    assert heat_map(split_rows(result.model_copy(update={"splits": bare}), None, axis)) is None
    assert parts_tables(result) == []


def test_kinds_and_sizes_come_from_the_headline_split(tmp_path: Path) -> None:
    result = make_result(tmp_path, "M", 3)
    split = result.splits["content"]
    (whole,) = split.breakdowns["category"][:1]
    sizes = tuple(Part.model_validate({**whole.model_dump(), "name": name}) for name in ("small", "large"))
    content = split.model_copy(update={"breakdowns": {**split.breakdowns, "object-size": sizes}})
    (table,) = parts_tables(result.model_copy(update={"splits": {**result.splits, "content": content}}))
    assert (table.title, table.split, [part.name for part in table.parts]) == (
        "By size of the object",
        "content",
        ["small", "large"],
    )


def test_the_libraries_are_those_of_the_packages() -> None:
    files = libraries.library_files()
    assert b"globalThis.DataTable=" in files[libraries.TABLES]
    assert not re.search(rb"\bexport\s*\{", files[libraries.TABLES])
    assert b"plotly.js v" in files[libraries.CHARTS][:500]
    assert b".js-plotly-plot .plotly .main-svg{" in files[libraries.CHART_STYLE]
    for name, content in files.items():
        assert not re.search(rb"@import|url\(http|src=\"http", content) or name == libraries.CHARTS, name


@pytest.mark.parametrize("package", ["itables", "plotly"])
def test_another_version_of_a_library_is_refused_in_words(package: str) -> None:
    change = libraries._tables if package == "itables" else libraries._chart_styles_elsewhere
    with pytest.raises(HopeBenchError, match=f"The installed {package} .* constraints.txt"):
        change("console.log('put together otherwise')")
