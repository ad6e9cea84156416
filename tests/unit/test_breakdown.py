"""Numbers by category, kind and size; rates corrected for wrong labels; the spread over prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap, Estimate, Result
from hope_bench.records import Annotations, Category, Image, Question, Verdict
from hope_bench.reviewing.noise import LabelNoise, share
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
    rows = unique_rows(benchmark, result, ["category", "content"])
    found = {part.name: part for part in break_down(rows, by_category)}
    assert {name: (part.on_yes.yes, part.on_yes.no, part.on_no.yes, part.on_no.no) for name, part in found.items()} == {
        "dog": (15, 5, 0, 0), "fox": (0, 0, 4, 16), "wolf": (0, 0, 10, 5),
    }  # fmt: skip
    assert {name: part.images for name, part in found.items()} == {"dog": 20, "fox": 20, "wolf": 15}
    low, high = binomtest(10, 15).proportion_ci(method="wilson")  # one question an image: next to nothing to cluster
    rate = found["wolf"].hallucination_rate
    assert rate.value == pytest.approx(10 / 15, abs=1e-6)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
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
    assert part.hallucination_rate.high == pytest.approx(binomtest(0, 10).proportion_ci(method="wilson").high, abs=1e-5)


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


def noise(label: str, wrong: int, total: int) -> LabelNoise:
    return LabelNoise(split="category", label=label, sampled=total, wrong=share(wrong, total), unsure=share(0, total))  # type: ignore[arg-type]


def test_wrong_labels_are_corrected_by_hand(result: Result) -> None:
    # Observed recall 15/20, rate 4/20; 10% of yes-labels and 20% of no-labels are wrong.
    found = correct(result, [noise("yes", 10, 100), noise("no", 20, 100)])["category"]
    recall, rate = np.linalg.solve([[0.9, 0.1], [0.2, 0.8]], [0.75, 0.2])
    assert found.recall.value == pytest.approx(recall, abs=1e-6)
    assert found.hallucination_rate.value == pytest.approx(max(rate, 0), abs=1e-6)
    assert found.ceiling.value == pytest.approx(0.85)
    assert found.reviewed == 200
    assert found.recall.low is not None
    assert found.recall.low < recall < (found.recall.high or 0)
    assert correct(result, [noise("yes", 1, 100)]) == {}


def test_right_labels_change_nothing_but_the_interval(result: Result) -> None:
    found = correct(result, [noise("yes", 0, 400), noise("no", 0, 400)])["category"]
    raw = result.splits["category"]
    assert found.recall.value == raw.recall.value
    assert found.hallucination_rate.value == raw.hallucination_rate.value


def test_no_wrong_label_found_leaves_the_ceiling_at_its_top(result: Result) -> None:
    found = correct(result, [noise("yes", 0, 5), noise("no", 0, 5)])["category"]
    assert (found.ceiling.value, found.ceiling.high) == (1.0, 1.0)
    assert 0.6 < (found.ceiling.low or 0) < 0.9, "five labels a side tell little"


def reviewed_counts() -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(yes=reviewed_counts(), no=reviewed_counts(), affirmed=st.tuples(st.integers(0, 200), st.integers(0, 200)))
@example(yes=(0, 1), no=(0, 400), affirmed=(180, 20))
@example(yes=(1, 400), no=(0, 3), affirmed=(200, 0))
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_corrected_number_lies_in_its_interval(
    result: Result, yes: tuple[int, int], no: tuple[int, int], affirmed: tuple[int, int]
) -> None:
    """200 images with a question of each label, so many of which are affirmed."""
    said = "".join("yn"[place >= affirmed[0]] + "yn"[place >= affirmed[1]] for place in range(200))
    split = result.splits["category"].model_copy(update={
        "labels": "yn" * 200, "verdicts": said, "questions_per_image": (2,) * 200,
        "recall": Estimate(value=affirmed[0] / 200), "hallucination_rate": Estimate(value=affirmed[1] / 200),
    })  # fmt: skip
    made = result.model_copy(update={
        "splits": {"category": split}, "benchmark": result.benchmark.model_copy(update={"images": 200}),
    })  # fmt: skip
    found = correct(made, [noise("yes", *yes), noise("no", *no)])["category"]
    for one in (found.wrong_yes, found.wrong_no, found.recall, found.hallucination_rate, found.ceiling):
        if one.low is not None:
            assert one.value is not None
            assert one.high is not None
            assert 0 <= one.low <= one.value <= one.high <= 1, one


def test_hopeless_labels_give_null(result: Result) -> None:
    found = correct(result, [noise("yes", 60, 100), noise("no", 60, 100)])["category"]
    assert found.recall == Estimate(value=None)


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


def test_corrected_intervals_cover(result: Result) -> None:
    """200 simulated models under 10% and 15% wrong labels, estimated from reviews of 150 labels each."""
    rng = np.random.default_rng(3)
    images, per_label, d, e = 150, 2, 0.10, 0.15
    covered = {"recall": 0, "hallucination_rate": 0}
    for trial in range(200):
        labels = "yn" * (images * per_label)
        present = np.where(rng.random(2 * images * per_label) < np.tile([d, e], images * per_label), "ny", "yn")
        truth = np.array([one[place % 2] for place, one in enumerate(present.tolist())]) == "y"
        said = rng.random(len(truth)) < np.where(truth, 0.8, 0.25)
        split = result.splits["category"].model_copy(update={
            "labels": labels, "verdicts": "".join(np.where(said, "y", "n")), "questions_per_image": (2 * per_label,) * images,
        })  # fmt: skip
        split = split.model_copy(update={
            "recall": Estimate(value=float(said[::2].mean())), "hallucination_rate": Estimate(value=float(said[1::2].mean())),
        })  # fmt: skip
        made = result.model_copy(update={
            "bootstrap": Bootstrap(replicates=400, seed=trial, confidence=0.95),
            "splits": {"category": split}, "benchmark": result.benchmark.model_copy(update={"images": images}),
        })  # fmt: skip
        reviewed = [noise("yes", int(rng.binomial(150, d)), 150), noise("no", int(rng.binomial(150, e)), 150)]
        found = correct(made, reviewed)["category"]
        for name, rate in (("recall", 0.8), ("hallucination_rate", 0.25)):
            interval = getattr(found, name)
            covered[name] += interval.low <= rate <= interval.high
    assert all(0.9 <= count / 200 <= 0.99 for count in covered.values()), covered


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
