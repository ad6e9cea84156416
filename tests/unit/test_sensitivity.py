"""Sensitivity apart from bias: by hand, and unchanged where only a model's readiness to say yes changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.split_score import Estimate
from hope_bench.records import Answer
from hope_bench.scoring.rates import Measured, korn_graubard
from hope_bench.scoring.score import score
from hope_bench.scoring.sensitivity import (
    at_fixed_threshold,
    best_threshold,
    d_a,
    d_prime_and_criterion,
    fixed_thresholds,
    folds,
    forced_choice,
    known_p_yes,
    log_linear_z,
    placements,
    whole_of,
)
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
    p_yes = np.array([0.2, 0.9, 0.6, 0.6, 0.8, 0.7, 0.1, np.nan, 0.3, 0.4])  # false, true: right, tied, wrong, unknown, right
    found = forced_choice(p_yes, "nyyyyynnyy", (2, 0, 2, 4, 2), 0.9)
    same = korn_graubard(np.array([1, 0, 0.5, 0, 1]), np.array([1, 0, 1, 1, 1]), 0.9)
    assert float(found.value) == pytest.approx(2.5 / 4)
    assert (found.value, found.low, found.high) == (same.value, same.low, same.high)
    assert found.influence.tolist() == same.influence.tolist()
    assert math.isnan(forced_choice(p_yes, "-" * 10, (2, 0, 2, 4, 2), 0.9).value)
    for lost in "-e":
        assert float(forced_choice(p_yes, f"n{lost}yyyyynyn", (2, 0, 2, 4, 2), 0.9).value) == pytest.approx(1.5 / 3)
    shifted = forced_choice(p_yes**3, "nyyyyynnyy", (2, 0, 2, 4, 2), 0.9)
    assert (shifted.value, shifted.low, shifted.high) == (found.value, found.low, found.high)


def test_the_best_threshold_by_brute_force() -> None:
    """Of the thresholds with the highest gain the middle one, of two middle ones the lower."""
    rng = np.random.default_rng(2)
    several = 0
    for number in range(60):
        p_yes, positive = rng.integers(0, 9, 12) / 10, rng.random(12) < (0.5, 0.05)[number % 2]
        if len(set(positive.tolist())) == 1:
            assert best_threshold(p_yes, positive) is None
            continue
        gains = {
            at: Fraction(int((p_yes >= at)[positive].sum()), int(positive.sum()))
            - Fraction(int((p_yes >= at)[~positive].sum()), int((~positive).sum()))
            for at in (*sorted(set(p_yes.tolist())), math.inf)
        }
        best = [at for at, gain in gains.items() if gain == max(gains.values())]
        several += len(best) > 2
        assert best_threshold(p_yes, positive) == best[(len(best) - 1) // 2]
    assert several
    assert best_threshold(np.array([0.2, 0.9]), np.array([True, False])) == 0.2
    assert best_threshold(np.array([0.2, 0.5]), np.array([False, True])) == 0.5
    assert best_threshold(np.array([0.5, 0.5]), np.array([False, True])) == 0.5


def test_folds_never_change() -> None:
    assert folds(12).tolist() == [1, 1, 1, 2, 3, 4, 3, 2, 0, 0, 4, 0]
    assert folds(3).tolist() == [1, 2, 0]


@pytest.mark.parametrize("images", [7, 23])
def test_thresholds_are_fixed_on_the_other_folds(images: int) -> None:
    rng = np.random.default_rng(images)
    image = np.sort(rng.integers(images, size=90))
    p_yes, positive = rng.random(90).round(1), rng.random(90) < 0.5
    found = fixed_thresholds(p_yes, positive, image, images)
    assert found is not None
    fold = folds(images)
    for one in range(images):
        others = [place for place in range(90) if fold[image[place]] != fold[one]]
        assert found[one] == best_threshold(p_yes[others], positive[others])
    assert fixed_thresholds(p_yes, fold[image] == 0, image, images) is None, "one fold alone holds a label"
    table = np.zeros((images, 2, 5), dtype=np.int64)
    for place in range(90):
        table[image[place], 0 if positive[place] else 1, 0 if p_yes[place] >= found[image[place]] else 1] += 1
    assert at_fixed_threshold(p_yes, positive, image, found).tolist() == table.tolist()


def rate(value: float, low: float, high: float, influence: list[float]) -> Measured:
    return Measured(np.asarray(value), np.asarray(low), np.asarray(high), np.array(influence))


def test_intervals_of_d_prime_criterion_and_d_a() -> None:
    """MOVER of the quantiles of the rates' own limits; none where a rate has no finite one."""
    recall, alarms = rate(0.8, 0.7, 0.86, [0.1, -0.05, -0.05]), rate(0.3, 0.22, 0.4, [0.1, 0.0, -0.1])
    z_h, z_f = norm.ppf(8.5 / 11), norm.ppf(6.5 / 21)
    d_prime, criterion = d_prime_and_criterion((8, 10), (6, 20), recall, alarms)
    up_h, down_h = norm.ppf(0.86) - z_h, z_h - norm.ppf(0.7)
    up_f, down_f = norm.ppf(0.4) - z_f, z_f - norm.ppf(0.22)
    r = 0.015 / math.sqrt(0.015 * 0.02)

    def half(one: float, other: float, sign: int) -> float:
        return math.sqrt(one**2 + other**2 + 2 * sign * r * one * other)

    value = z_h - z_f
    assert (d_prime.value, d_prime.low, d_prime.high) == pytest.approx(
        (value, value - half(down_h, up_f, -1), value + half(up_h, down_f, -1)), abs=1e-6
    )
    value = -(z_h + z_f) / 2
    assert (criterion.value, criterion.low, criterion.high) == pytest.approx(
        (value, value - half(up_h, up_f, 1) / 2, value + half(down_h, down_f, 1) / 2), abs=1e-6
    )
    none, every = rate(0.0, 0.0, 0.1, [0.0] * 3), rate(1.0, 0.9, 1.0, [0.0] * 3)
    for hits, wrong, one, other in (((8, 10), (0, 20), recall, none), ((10, 10), (6, 20), every, alarms)):
        for found in d_prime_and_criterion(hits, wrong, one, other):
            assert (found.value is None, found.low, found.high) == (False, None, None)
    undefined = Estimate(value=None)
    assert d_prime_and_criterion((0, 0), (6, 20), recall, alarms) == (undefined, undefined)
    assert d_prime_and_criterion((8, 10), (0, 0), recall, alarms) == (undefined, undefined)
    area = d_a(rate(0.8, 0.7, 0.86, [0.0]))
    assert (area.value, area.low, area.high) == pytest.approx(tuple(math.sqrt(2) * norm.ppf([0.8, 0.7, 0.86])), abs=1e-6)
    assert d_a(every) == d_a(none) == d_a(rate(math.nan, math.nan, math.nan, [0.0])) == undefined
    assert d_a(rate(0.9, 0.8, 1.0, [0.0])).low is None
    assert (log_linear_z(0, 4), log_linear_z(3, 7)) == pytest.approx((norm.ppf(0.1), norm.ppf(3.5 / 8)))


def test_how_alike_questions_about_an_image_may_be() -> None:
    assert whole_of(np.array([0, 0, 0, 2, 5]), 6) == pytest.approx((9 + 1 + 1) / 25)
    assert math.isnan(whole_of(np.zeros(0, dtype=np.int64), 6))
    p_yes = known_p_yes(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), "yn-eu")
    assert p_yes == pytest.approx([0.1, 0.2, math.nan, math.nan, 0.5], nan_ok=True)


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
