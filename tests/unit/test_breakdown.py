"""Numbers by category, kind and size; the spread over prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.split_score import Estimate
from hope_bench.records import Annotations, Category, Image, Question, Verdict
from hope_bench.scoring.breakdown import (
    Rows,
    break_down,
    breakdowns,
    by_category,
    by_kind,
    by_size,
    common_categories,
    object_sizes,
    unique_rows,
)
from hope_bench.scoring.prompt_spread import prompt_spread
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

FAST = Bootstrap(replicates=200, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(20)]


def rows(distractor: str) -> list[Row]:
    return [row for image in IMAGES for row in ((image, "dog", "yes"), (image, distractor, "no"))]  # type: ignore[misc]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return make_benchmark(tmp_path / "b", {"category": rows("fox"), "content": [*rows("fox")[:10], *rows("wolf")[10:]]})


@pytest.fixture
def result(benchmark: Benchmark, tmp_path: Path) -> Result:
    """Affirms 15 of 20 dogs, 4 foxes of 20 and 10 wolves of 15."""
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES):
        said |= {(image, "dog"): "yes" if number < 15 else "no", (image, "fox"): "yes" if number < 4 else "no"}
        if number >= 5:
            said[image, "wolf"] = "yes" if number < 15 else "no"
    return score(benchmark, make_run(tmp_path / "r", benchmark, said), FAST)


def test_categories_count_each_question_once(benchmark: Benchmark, result: Result) -> None:
    rows = unique_rows(benchmark, result, ["category", "content"])
    found = {part.name: part for part in break_down(rows, by_category)}
    assert {name: (part.on_yes.yes, part.on_yes.no, part.on_no.yes, part.on_no.no) for name, part in found.items()} == {
        "dog": (15, 5, 0, 0), "fox": (0, 0, 4, 16), "wolf": (0, 0, 10, 5),
    }  # fmt: skip
    assert {name: part.images for name, part in found.items()} == {"dog": 20, "fox": 20, "wolf": 15}
    low, high = binomtest(10, 15).proportion_ci(method="exact")  # one question an image: next to nothing to cluster
    rate = found["wolf"].hallucination_rate
    assert rate.value == pytest.approx(10 / 15, abs=1e-6)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert found["wolf"].recall == Estimate(value=None)
    assert found["dog"].hallucination_rate == Estimate(value=None)


def test_a_part_of_few_images_has_no_interval(benchmark: Benchmark, result: Result) -> None:
    rows = unique_rows(benchmark, result, ["category"])
    parts = break_down(rows, lambda one: "few" if one.image in IMAGES[:9] else "many")
    assert {part.name: part.hallucination_rate.low is None for part in parts} == {"few": True, "many": False}


def test_what_is_always_affirmed_still_has_an_interval() -> None:
    """Ten images, every claim denied: a bootstrap would say 0 to 0."""
    asked = [Question(n, f"{n // 3}.jpg", str(n), "no", "content", "fox") for n in range(30)]
    (part,) = break_down(Rows(asked, "n" * 30, "n" * 30, np.arange(30) // 3), by_category)
    assert (part.hallucination_rate.value, part.hallucination_rate.low) == (0, 0)
    assert part.hallucination_rate.high == pytest.approx(binomtest(0, 10).proportion_ci(method="exact").high, abs=1e-5)


def test_intervals_of_parts_cover_where_naive_ones_do_not() -> None:
    """40 images, 5 questions each, answers alike within an image: the clustered interval holds its 95%, Wilson's own doesn't."""
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(40), 5)
    asked = [Question(n, str(image[n]), str(n), "no", "content", "fox") for n in range(200)]
    covered, naive = 0, 0
    for _ in range(600):
        rate = rng.beta(0.6, 1.4, size=40)[image]
        verdicts = "".join(np.where(rng.random(200) < rate, "y", "n").tolist())
        (part,) = break_down(Rows(asked, "n" * 200, verdicts, image), by_category)
        found = part.hallucination_rate
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.3 <= found.high
        interval = binomtest(part.on_no.yes, 200).proportion_ci(method="wilson")
        naive += interval.low <= 0.3 <= interval.high
    assert 0.92 <= covered / 600 <= 0.97
    assert naive / 600 < 0.85


def test_rare_categories_are_counted_together() -> None:
    """Twelve categories, of which a result tells apart the three most asked; the rest has no name and nothing is lost."""
    asked = [Question(n, f"{n}.jpg", str(n), "no", "content", f"thing {min(n % 16, 11):02}") for n in range(160)]
    common = common_categories([asked], most=3)
    assert common == {"thing 11", "thing 00", "thing 01"}
    (parts,) = breakdowns(Rows(asked, "n" * 160, "y" * 160, np.arange(160)), common, {}).values()
    assert [(part.name, part.on_no.yes) for part in parts] == [
        ("thing 00", 10), ("thing 01", 10), ("thing 11", 50), (None, 90),
    ]  # fmt: skip


def test_kinds(benchmark: Benchmark, result: Result, tmp_path: Path) -> None:
    described = [
        replace(one, description="a red fox", description_kind="attribute") if one.object == "fox" else one
        for one in benchmark.splits["category"]
    ]
    write_benchmark(
        tmp_path / "d", {"category": described}, {"category": "hope"}, name="d", title="", prompt="{question}",
        headline="category", k=None, dataset="", images=dict(benchmark.manifest.images),
    )  # fmt: skip
    found = {part.name: part for part in break_down(unique_rows(read_benchmark(tmp_path / "d"), result, ["category"]), by_kind)}
    assert (found["plain"].on_yes.yes, found["attribute"].on_no.yes) == (15, 4)


def test_sizes_are_the_largest_ones_share_of_the_image(benchmark: Benchmark, result: Result) -> None:
    annotations = Annotations(
        categories=(Category("dog"), Category("cat")),
        images=(Image("0.jpg", 100, 100), Image("1.jpg", 100, 100), Image("2.jpg", None, None)),
        starts=np.array([0, 3, 5, 6]),
        category_of=np.array([0, 0, 1, 0, 1, 0], dtype=np.int32),
        crowd=np.array([False, False, False, False, True, False]),
        boxes=np.array(
            [[0, 0, 5, 5], [0, 0, 20, 20], [0, 0, 9, 9], [0, 0, 50, 20], [0, 0, 9, 9], [0, 0, 9, 9]], dtype=np.float32
        ),
    )
    sizes = object_sizes(annotations, {"0.jpg", "1.jpg", "2.jpg"})
    assert sizes == {("0.jpg", "dog"): "medium", ("0.jpg", "cat"): "small", ("1.jpg", "dog"): "large"}
    assert object_sizes(annotations, {"1.jpg"}) == {("1.jpg", "dog"): "large"}
    rows = unique_rows(benchmark, result, ["category", "content"])
    found = {part.name: part.on_yes.yes for part in break_down(rows, by_size(sizes))}
    assert found == {"medium": 1, "large": 1, None: 13}
    by_name = breakdowns(rows, frozenset(), sizes)
    assert [part.name for part in by_name["object-size"]] == ["medium", "large"]


def test_spread_over_prompts(result: Result) -> None:
    split = result.splits["category"]
    other = result.model_copy(update={"splits": {
        **result.splits, "category": split.model_copy(update={"balanced_accuracy": Estimate(value=0.9, low=0.8, high=1.0)})
    }})  # fmt: skip
    found = {one.split: one for one in prompt_spread([result, other])}
    first = split.balanced_accuracy.value
    assert first == pytest.approx(0.775)
    one = found["category"]
    assert (one.mean, one.low, one.high) == (pytest.approx(0.8375), first, 0.9)
    assert one.deviation == pytest.approx(np.std([first, 0.9], ddof=1), abs=1e-6)
    assert found["content"].deviation == 0
    assert one.sampling_error is not None
    assert prompt_spread([result])[0].deviation is None
    with pytest.raises(HopeBenchError, match="the same questions"):
        prompt_spread([result, result.model_copy(update={"benchmark": result.benchmark.model_copy(update={"hash": "x"})})])
