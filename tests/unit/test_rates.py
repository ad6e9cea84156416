"""Korn-Graubard and MOVER against their papers' formulas, written out one number at a time."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, t

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.measuring import gradient, measure
from hope_bench.scoring.metrics import METRICS, compute
from hope_bench.scoring.rates import Measured, combined, difference, korn_graubard

FAST = Bootstrap(replicates=50, seed=0, confidence=0.95)


def exact(count: float, number: float) -> tuple[float, float]:
    """Clopper and Pearson 1934, by beta quantiles."""
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, number - count + 1))
    return low, 1.0 if count == number else float(beta.ppf(0.975, count + 1, number - count))


def test_korn_graubard_by_its_formula() -> None:
    rng = np.random.default_rng(0)
    asked = rng.integers(1, 6, 60)
    yes = rng.binomial(asked, rng.beta(1, 2, 60))
    n, share = asked.sum(), yes.sum() / asked.sum()
    variance = 60 / 59 * sum((y - share * m) ** 2 for y, m in zip(yes, asked, strict=True)) / n**2
    effective = n / (variance / (share * (1 - share) / n)) * (t.ppf(0.975, n - 1) / t.ppf(0.975, 59)) ** 2
    found = korn_graubard(yes, asked)
    assert (float(found.low), float(found.high)) == pytest.approx(exact(share * effective, effective), abs=1e-9)


def test_a_number_without_a_limit_leaves_none_and_no_warning() -> None:
    """A quick look at three images: the log of a ratio has no upper limit."""
    spread = np.array([0.2, -0.2, 0.0])
    open_above = Measured(np.array(-0.3), np.array(-12.8), np.array(math.inf), spread)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = difference(open_above, Measured(np.array(-1.0), np.array(-2.0), np.array(0.5), spread))
    assert float(found.value) == pytest.approx(0.7)
    assert not math.isfinite(found.high)


@pytest.mark.parametrize("images", [2, 10, 79])
def test_at_0_and_1_an_image_counts_once(images: int) -> None:
    asked = np.full(images, 3)
    none, all_ = korn_graubard(asked * 0, asked), korn_graubard(asked, asked)
    assert (float(none.low), float(none.high)) == pytest.approx((0, 1 - 0.025 ** (1 / images)))
    assert (float(all_.low), float(all_.high)) == pytest.approx((0.025 ** (1 / images), 1))


def test_no_interval_from_one_image_or_none() -> None:
    for asked in (np.array([4, 0]), np.array([0, 0])):
        found = korn_graubard(asked // 2, asked)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert math.isnan(korn_graubard(np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)).value)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=2, max_size=30))
def test_an_interval_holds_its_rate_and_lies_in_0_to_1(pairs: list[tuple[int, int]]) -> None:
    asked = np.array([most for _, most in pairs])
    found = korn_graubard(np.minimum([count for count, _ in pairs], asked), asked)
    assert 0 <= found.low <= found.value <= found.high <= 1
    turned = korn_graubard(asked - np.minimum([count for count, _ in pairs], asked), asked)
    assert (1 - turned.high, 1 - turned.low) == pytest.approx((float(found.low), float(found.high)), abs=1e-9)


def number(value: float, low: float, high: float, influence: list[float]) -> Measured:
    return Measured(np.asarray(value), np.asarray(low), np.asarray(high), np.array(influence))


def test_mover_by_its_formula() -> None:
    one, other = number(0.7, 0.6, 0.85, [0.1, -0.1, 0.0]), number(0.4, 0.35, 0.5, [0.1, 0.0, -0.1])
    r = 0.01 / math.sqrt(0.02 * 0.02)
    found = difference(one, other)
    assert float(found.low) == pytest.approx(0.3 - math.sqrt(0.1**2 + 0.1**2 - 2 * r * 0.1 * 0.1))
    assert float(found.high) == pytest.approx(0.3 + math.sqrt(0.15**2 + 0.05**2 - 2 * r * 0.15 * 0.05))
    total = combined((0.5, one), (0.5, other))
    assert float(total.low) == pytest.approx(0.55 - 0.5 * math.sqrt(0.1**2 + 0.05**2 + 2 * r * 0.1 * 0.05))
    flat = number(0.0, 0.0, 0.2, [0.0, 0.0, 0.0])  # no spread, so no correlation
    assert float(difference(flat, flat).high) == pytest.approx(0.2)


def test_precision_and_f1_are_donner_and_zous_ratio_in_closed_form() -> None:
    """Their solution for F / R, turned into precision and F1, which fall with it."""
    rng = np.random.default_rng(3)
    table = np.zeros((1, 120, 2, 5), dtype=np.int64)
    table[0, :, 0, 0] = rng.binomial(3, rng.beta(8, 2, 120))
    table[0, :, 1, 0] = rng.binomial(3, rng.beta(2, 8, 120))
    table[0, :, :, 1] = 3 - table[0, :, :, 0]
    found = {name: one[0] for name, one in measure(table, FAST).items()}
    recall, rate = found["recall"], found["hallucination_rate"]
    r = float((recall.influence @ rate.influence) / np.sqrt((recall.influence**2).sum() * (rate.influence**2).sum()))
    f, lf, uf = float(rate.value), float(rate.low), float(rate.high)
    h, lh, uh = float(recall.value), float(recall.low), float(recall.high)
    a = f * h - r * (f - lf) * (uh - h)
    low = (a - math.sqrt(a**2 - lf * uh * (2 * f - lf) * (2 * h - uh))) / (uh * (2 * h - uh))
    b = f * h - r * (uf - f) * (h - lh)
    high = (b + math.sqrt(b**2 - uf * lh * (2 * f - uf) * (2 * h - lh))) / (lh * (2 * h - lh))
    ends = (float(found["precision"].low), float(found["precision"].high))
    assert ends == pytest.approx((1 / (1 + high), 1 / (1 + low)), abs=1e-6)
    assert 0.7 < ends[0] < float(found["precision"].value) < ends[1] < 0.9


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=lambda one: one.name)
def test_influence_is_the_jackknifes_and_the_gradients(convention: object) -> None:
    """Leaving an image out moves a number by about its influence; a table times the gradient is the influence exactly."""
    rng = np.random.default_rng(1)
    uneven, even = rng.integers(0, 3, size=(2, 200, 2, 5)), np.zeros((2, 200, 2, 5), dtype=np.int64)
    even[..., 0] = rng.integers(0, 4, size=(2, 200, 2))
    even[..., 1] = 3 - even[..., 0]
    for metric in METRICS:
        # what mixes the labels is taken at the numbers of yes- and no-questions that there are
        tables = even if metric in ("accuracy", "precision", "f1", "yes_ratio") else uneven
        found = measure(tables, FAST, convention)  # type: ignore[arg-type]
        for row, table in enumerate(tables):
            total = table.sum(axis=0)
            slopes = gradient(total.astype(np.float64), metric, convention)  # type: ignore[arg-type]
            assert (table * slopes).sum(axis=(1, 2)) == pytest.approx(found[metric].influence[row], abs=1e-7)
            without = np.array([float(compute(total - one, convention)[metric]) for one in table[:20]])  # type: ignore[arg-type]
            assert (
                float(compute(total, convention)[metric]) - without
                == pytest.approx(  # type: ignore[arg-type]
                    found[metric].influence[row][:20], abs=2e-4
                )
            )


def test_which_labels_an_image_is_asked_about_is_no_error() -> None:
    """Leaving an image's answers out, while the benchmark keeps its numbers of yes- and no-questions."""
    rng = np.random.default_rng(4)
    table = np.zeros((1, 200, 2, 5), dtype=np.int64)
    asked = rng.integers(1, 7, size=(200, 2))
    table[0, :, :, 0] = rng.binomial(asked, [0.8, 0.4])
    table[0, :, :, 1] = asked - table[0, :, :, 0]
    yes, (n1, n0) = table[0, :, :, 0], asked.sum(axis=0)

    def numbers(kept: np.ndarray) -> dict[str, float]:
        recall, rate = yes[kept].sum(axis=0) / asked[kept].sum(axis=0)
        hits, alarms = n1 * recall, n0 * rate
        return {
            "accuracy": (hits + n0 - alarms) / (n1 + n0), "precision": hits / (hits + alarms),
            "f1": 2 * hits / (hits + alarms + n1), "yes_ratio": (hits + alarms) / (n1 + n0),
        }  # fmt: skip

    found, whole = measure(table, FAST), numbers(np.arange(200))
    for image in range(20):
        for metric, without in numbers(np.delete(np.arange(200), image)).items():
            assert whole[metric] - without == pytest.approx(found[metric].influence[0, image], abs=1e-4), metric


def test_a_perfect_run_on_few_images_says_how_little_that_means() -> None:
    table = np.zeros((1, 79, 2, 5), dtype=np.int64)
    table[0, :, 0, 0] = table[0, :, 1, 1] = 3
    found = {name: one[0].estimate() for name, one in measure(table, FAST).items()}
    least = 0.025 ** (1 / 79)
    assert (found["recall"].value, found["recall"].high) == (1, 1)
    assert found["recall"].low == pytest.approx(least, abs=1e-6)
    assert found["balanced_accuracy"].low == pytest.approx(1 - math.sqrt(2) * (1 - least) / 2, abs=1e-6)
    assert 0.9 < (found["precision"].low or 0) < 1
    assert 0.9 < (found["f1"].low or 0) < 1
    assert (found["mcc"].value, found["mcc"].low) == (1, None), "a bootstrap of no error says nothing"
