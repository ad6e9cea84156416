"""Sensitivity apart from bias: by hand, and unchanged where only a model's readiness to say yes changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.records import Answer
from hope_bench.scoring.score import score
from hope_bench.scoring.sensitivity import best_threshold, fixed_thresholds, folds, forced_choice, placements
from hope_bench.scoring.tables import comparison_table
from tests.runs import Row, make_benchmark, make_run, write_answers

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(40)]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    def rows(what: str) -> list[Row]:
        return [row for image in IMAGES for row in ((image, "dog", "yes"), (image, what, "no"))]  # type: ignore[misc]

    return make_benchmark(tmp_path / "b", {"random": rows("cat"), "content": rows("wolf")})


def answered(benchmark: Benchmark, folder: Path, bend: Callable[[float], float], threshold: float = 0.5) -> Result:
    """The same model with its log-odds bent; a wolf is harder than a cat."""
    rng = np.random.default_rng(0)
    rows = []
    for question in {(one.image, one.text): one for asked in benchmark.splits.values() for one in asked}.values():
        odds = rng.normal({"dog": 1.5, "cat": -1.5, "wolf": 0.2}[question.object or ""], 1.2)
        p_yes = 1 / (1 + math.exp(-bend(odds)))
        rows.append(Answer(question.image, question.text, None, "yes" if p_yes > threshold else "no", p_yes=p_yes))
    run = make_run(folder, benchmark, {})
    write_answers(run, rows)
    return score(benchmark, run, FAST)


def test_no_monotone_shift_moves_what_p_yes_gives(benchmark: Benchmark, tmp_path: Path) -> None:
    bends: tuple[Callable[[float], float], ...] = (lambda x: x, lambda x: x + 2, lambda x: 0.5 * x - 2, lambda x: x + x**3 / 20)
    found = [answered(benchmark, tmp_path / str(number), bend) for number, bend in enumerate(bends)]
    first = found[0]
    drop, content = first.comparisons[0].auroc_drop, first.splits["content"].probabilities
    assert drop is not None
    assert (drop.value or 0) > 0.1
    assert content is not None
    assert content.fixed_balanced_accuracy is not None
    assert content.fixed_balanced_accuracy.low is not None
    assert content.d_a.value == pytest.approx(math.sqrt(2) * norm.ppf(content.auroc.value), abs=1e-5)
    for other in found[1:]:
        assert other.comparisons[0].auroc_drop == drop
        for split in ("random", "content"):
            one, two = first.splits[split].probabilities, other.splits[split].probabilities
            assert one is not None
            assert two is not None
            assert (two.auroc, two.d_a, two.fixed_balanced_accuracy) == (one.auroc, one.d_a, one.fixed_balanced_accuracy)
    assert len({one.comparisons[0].precision_drop.value for one in found}) >= 3, "the precision drop moves"
    assert len({one.splits["content"].criterion.value for one in found if one.splits["content"].criterion}) >= 3
    assert any("AUROC drop" in str(column.header) for column in comparison_table(first).columns)


def test_d_prime_and_criterion_by_hand(benchmark: Benchmark, tmp_path: Path) -> None:
    said = {(image, what): "yes" if number < most else "no"
            for number, image in enumerate(IMAGES) for what, most in (("dog", 34), ("cat", 0), ("wolf", 10))}  # fmt: skip
    result = score(benchmark, make_run(tmp_path / "r", benchmark, said), FAST)  # type: ignore[arg-type]
    hits, alarms = norm.ppf(34.5 / 41), norm.ppf(10.5 / 41)
    content, random = result.splits["content"], result.splits["random"]
    assert content.d_prime is not None
    assert content.criterion is not None
    assert content.d_prime.value == pytest.approx(hits - alarms, abs=1e-6)
    assert content.criterion.value == pytest.approx(-(hits + alarms) / 2, abs=1e-6)
    assert content.d_prime.low is not None
    assert content.d_prime.low < hits - alarms < (content.d_prime.high or 0)
    assert random.d_prime is not None
    assert random.d_prime.value == pytest.approx(hits - norm.ppf(0.5 / 41), abs=1e-6)
    assert random.d_prime.low is None, "a rate of 0 has no finite end"
    assert content.probabilities is None
    assert result.comparisons[0].auroc_drop is None


def test_forced_choice_by_hand() -> None:
    p_yes = np.array([0.2, 0.9, 0.6, 0.6, 0.8, 0.7, 0.1, np.nan])  # false, true: right, tied, wrong, unknown
    found = forced_choice(p_yes, "nyyyyynn", (2, 2, 4), 0.95)
    assert float(found.value) == pytest.approx(1.5 / 3)
    assert math.isnan(forced_choice(p_yes, "--------", (2, 2, 4), 0.95).value)
    shifted = forced_choice(p_yes**3, "nyyyyynn", (2, 2, 4), 0.95)
    assert (shifted.value, shifted.low, shifted.high) == (found.value, found.low, found.high)


def test_the_best_threshold_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        p_yes, positive = rng.integers(0, 9, 25) / 10, rng.random(25) < 0.5
        found = best_threshold(p_yes, positive)
        if found is None:
            assert positive.all() or not positive.any()
            continue
        gains = {at: (p_yes >= at)[positive].mean() - (p_yes >= at)[~positive].mean() for at in (*p_yes, np.inf)}
        assert gains[found] == pytest.approx(max(gains.values()))


def test_a_threshold_never_sees_its_own_image() -> None:
    """One image of another kind moves every threshold but its own."""
    fold = folds(50)
    assert np.bincount(fold).tolist() == [10] * 5
    p_yes, positive, image = np.tile([0.4, 0.6], 50), np.tile([False, True], 50), np.repeat(np.arange(50), 2)
    before = fixed_thresholds(p_yes, positive, image, 50)
    p_yes[:2] = 0.95, 0.99
    after = fixed_thresholds(p_yes, positive, image, 50)
    assert before is not None
    assert after is not None
    assert (before[fold == fold[0]] == after[fold == fold[0]]).all()


def test_a_placement_is_the_share_of_the_others_on_whose_right_side_a_question_is() -> None:
    rng = np.random.default_rng(3)
    level, positive = rng.integers(0, 6, 40), rng.random(40) < 0.4

    def share(one: int) -> float:
        above = level[one] - level[positive != positive[one]]
        right = above > 0 if positive[one] else above < 0
        return float(np.mean(right + (above == 0) / 2))

    assert placements(level, positive) == pytest.approx([share(one) for one in range(40)])
