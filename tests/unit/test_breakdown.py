"""Numbers by category, kind and size; rates corrected for wrong labels; the spread over prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hope_bench.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Category, Image, Verdict
from hope_bench.result import Bootstrap, Estimate, Result
from hope_bench.review.noise import LabelNoise, share
from hope_bench.scoring.breakdown import break_down, by_category, by_kind, by_size, object_sizes
from hope_bench.scoring.label_noise import correct
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
    found = {part.name: part for part in break_down(benchmark, result, ["category", "content"], by_category)}
    assert {name: (part.on_yes.yes, part.on_yes.no, part.on_no.yes, part.on_no.no) for name, part in found.items()} == {
        "dog": (15, 5, 0, 0), "fox": (0, 0, 4, 16), "wolf": (0, 0, 10, 5),
    }  # fmt: skip
    rate = found["wolf"].metrics["hallucination_rate"]
    assert rate.value == pytest.approx(10 / 15, abs=1e-6)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 10 / 15 < rate.high
    assert found["wolf"].metrics["recall"] == Estimate(value=None)
    assert found["dog"].metrics["hallucination_rate"] == Estimate(value=None)


def test_the_intervals_are_the_splits_own_where_a_part_is_a_split(benchmark: Benchmark, result: Result) -> None:
    (whole,) = break_down(benchmark, result, ["category"], lambda _: "all")
    assert whole.metrics["accuracy"] == result.splits["category"].accuracy


def test_a_part_of_few_images_has_no_interval(benchmark: Benchmark, result: Result) -> None:
    parts = break_down(benchmark, result, ["category"], lambda one: "few" if one.image in IMAGES[:9] else "many")
    assert {part.name: part.metrics["accuracy"].low is None for part in parts} == {"few": True, "many": False}


def test_kinds(benchmark: Benchmark, result: Result, tmp_path: Path) -> None:
    described = [
        replace(one, description="a red fox", description_kind="attribute") if one.object == "fox" else one
        for one in benchmark.splits["category"]
    ]
    write_benchmark(
        tmp_path / "d", {"category": described}, {"category": "hope"}, name="d", title="", prompt="{question}",
        headline="category", k=None, dataset="", images=dict(benchmark.manifest.images),
    )  # fmt: skip
    found = {part.name: part for part in break_down(read_benchmark(tmp_path / "d"), result, ["category"], by_kind)}
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
    sizes = object_sizes(annotations)
    assert sizes == {("0.jpg", "dog"): "medium", ("0.jpg", "cat"): "small", ("1.jpg", "dog"): "large"}
    found = {part.name: part.on_yes.yes for part in break_down(benchmark, result, ["category", "content"], by_size(sizes))}
    assert found == {"medium": 1, "large": 1}
    assert break_down(benchmark, result, ["category"], by_size({})) == ()


def noise(label: str, wrong: int, total: int) -> LabelNoise:
    return LabelNoise(split="category", label=label, sampled=total, wrong=share(wrong, total), unsure=share(0, total))  # type: ignore[arg-type]


def test_wrong_labels_are_corrected_by_hand(result: Result) -> None:
    # Observed recall 15/20, rate 4/20; 10% of yes-labels and 20% of no-labels are wrong.
    (found,) = correct(result, [noise("yes", 10, 100), noise("no", 20, 100)])
    recall, rate = np.linalg.solve([[0.9, 0.1], [0.2, 0.8]], [0.75, 0.2])
    assert found.corrected_recall.value == pytest.approx(recall, abs=1e-6)
    assert found.corrected_hallucination_rate.value == pytest.approx(max(rate, 0), abs=1e-6)
    assert found.ceiling.value == pytest.approx(0.85)
    assert found.reviewed == 200
    assert found.corrected_recall.low is not None
    assert found.corrected_recall.low < recall < (found.corrected_recall.high or 0)
    assert correct(result, [noise("yes", 1, 100)]) == ()


def test_right_labels_change_nothing_but_the_interval(result: Result) -> None:
    (found,) = correct(result, [noise("yes", 0, 400), noise("no", 0, 400)])
    assert found.corrected_recall.value == found.recall.value
    assert found.corrected_hallucination_rate.value == found.hallucination_rate.value


def test_hopeless_labels_give_null(result: Result) -> None:
    (found,) = correct(result, [noise("yes", 60, 100), noise("no", 60, 100)])
    assert found.corrected_recall == Estimate(value=None)


def test_the_correction_recovers_the_truth() -> None:
    """A simulated model on 20,000 questions with wrong labels."""
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.5
    said = np.where(truth, rng.random(20_000) < 0.8, rng.random(20_000) < 0.3)
    label = np.where(truth, rng.random(20_000) > 0.05, rng.random(20_000) < 0.15)
    d, e = 1 - truth[label].mean(), truth[~label].mean()
    recall, rate = np.linalg.solve([[1 - d, d], [e, 1 - e]], [said[label].mean(), said[~label].mean()])
    assert recall == pytest.approx(0.8, abs=0.015)
    assert rate == pytest.approx(0.3, abs=0.015)


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
