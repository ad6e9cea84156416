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
from hope_bench.files.split_score import Estimate
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.intervals import resampling_weights
from hope_bench.scoring.measuring import gradient, measure
from hope_bench.scoring.metrics import METRICS, compute
from hope_bench.scoring.rates import Measured, as_estimate, combined, difference, korn_graubard

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


@pytest.mark.parametrize("cases", [1, 2, 9, 10, 11, 30])
@pytest.mark.parametrize("alike", [False, True])
def test_few_images_with_a_case_draw_the_design_effect_towards_full_correlation(cases: int, alike: bool) -> None:
    """As docs/scoring.md has it, one number at a time; two of the images were asked nothing."""
    rng = np.random.default_rng(cases)
    asked = np.append(rng.integers(1, 6, 60), [0, 0])
    yes = np.zeros(62, dtype=np.int64)
    yes[:cases] = asked[:cases] if alike else 1
    n, share = int(asked.sum()), float(yes.sum() / asked.sum())
    seen = 60 / 59 * sum((y - share * m) ** 2 for y, m in zip(yes, asked, strict=True)) / n**2 / (share * (1 - share))
    seen = max(seen, 1 / n)
    few = min(sum(yes > 0), sum(yes < asked))
    prior = 2 / (few + 2) if few <= 10 else 0.0
    drawn = prior * sum(m**2 for m in asked) / n**2 + (1 - prior) * seen
    effective = (t.ppf(0.975, n - 1) / t.ppf(0.975, 59)) ** 2 / max(seen, drawn)
    found, turned = korn_graubard(yes, asked), korn_graubard(asked - yes, asked)
    assert (float(found.low), float(found.high)) == pytest.approx(exact(share * effective, effective), abs=1e-9)
    assert (1 - float(turned.high), 1 - float(turned.low)) == pytest.approx((float(found.low), float(found.high)), abs=1e-9)
    assert found.influence.tolist() == pytest.approx([(y - share * m) / n for y, m in zip(yes, asked, strict=True)])


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


def by_hand(*parts: tuple[float, Measured]) -> tuple[float, float, float]:
    """MOVER, written out: of every part its own limit on that side, of every two their correlation."""

    def half(upper: bool) -> float:
        reach = [w * float(one.high - one.value if upper == (w > 0) else one.value - one.low) for w, one in parts]
        total = sum(one**2 for one in reach)
        for i, (_, one) in enumerate(parts):
            for j, (_, other) in enumerate(parts[:i]):
                scale = math.sqrt((one.influence @ one.influence) * (other.influence @ other.influence))
                total += 2 * (one.influence @ other.influence / scale if scale else 0) * reach[i] * reach[j]
        return math.sqrt(max(total, 0))

    value = sum(w * float(one.value) for w, one in parts)
    return value, value - half(upper=False), value + half(upper=True)


def ends(one: Measured) -> tuple[float, float, float]:
    return float(one.value), float(one.low), float(one.high)


def test_sums_of_sums_are_sums_of_their_parts() -> None:
    """Numbers with the same errors, opposite ones and none; weights of both signs."""
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 0.1, (5, 8))
    rows[3], rows[4] = -rows[0], 0
    each = [number(0.2 + 0.1 * k, 0.1 + 0.05 * k, 0.35 + 0.13 * k, row.tolist()) for k, row in enumerate(rows)]
    first, second = combined((0.25, each[0]), (0.75, each[1])), combined((2.0, each[2]), (-1.5, each[3]), (0.5, each[4]))
    assert ends(first) == pytest.approx(by_hand((0.25, each[0]), (0.75, each[1])))
    assert ends(second) == pytest.approx(by_hand((2.0, each[2]), (-1.5, each[3]), (0.5, each[4])))
    both = [(0.25, each[0]), (0.75, each[1]), (-2.0, each[2]), (1.5, each[3]), (-0.5, each[4])]
    found = difference(first, second)
    assert ends(found) == pytest.approx(by_hand(*both))
    assert found.influence == pytest.approx(sum(weight * one.influence for weight, one in both))
    assert ends(difference(each[0], each[0])) == pytest.approx((0, -0.05, 0.05)), "0.1 below, 0.15 above"
    undefined = number(math.nan, math.nan, math.nan, [0.0] * 8)
    assert ends(combined((1.0, each[0]), (0.0, undefined))) == pytest.approx(ends(each[0]))
    assert all(map(math.isnan, ends(combined((1.0, each[0]), (0.1, undefined)))))


def test_many_sums_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(6)
    value = rng.random((2, 3))
    one = Measured(value, value - rng.random((2, 3)), value + rng.random((2, 3)), rng.normal(size=(2, 3, 7)))
    share = np.array([0.1, 0.5, 0.9])
    together = combined((share, one[0]), (1 - share, one[1]), (-0.5, one[0]))
    for place in range(3):
        alone = [(share[place], one[0][place]), (1 - share[place], one[1][place]), (-0.5, one[0][place])]
        assert ends(together[place]) == pytest.approx(by_hand(*alone))
        assert ends(difference(together[place], one[0][place])) == pytest.approx(by_hand(*alone, (-1.0, one[0][place])))


def test_an_estimate_holds_its_value_and_has_both_ends_or_none() -> None:
    assert as_estimate(0.5, 0.4, 0.6) == Estimate(value=0.5, low=0.4, high=0.6)
    assert as_estimate(0.5, 0.5000004, 0.6) == Estimate(value=0.5, low=0.5, high=0.6)
    assert as_estimate(0.5, 0.4, 0.4999996) == Estimate(value=0.5, low=0.4, high=0.5)
    for value, low, high in ((0.5, -math.inf, 0.6), (0.5, 0.4, math.inf), (0.5, math.nan, 0.6), (0.5, 0.4, math.nan)):
        assert as_estimate(value, low, high) == Estimate(value=0.5)
    assert as_estimate(None, 0.4, 0.6) == Estimate(value=None)


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
    _, least, most = ends(found["precision"])
    assert (least, most) == pytest.approx((1 / (1 + high), 1 / (1 + low)), abs=1e-9)
    assert 0.7 < least < float(found["precision"].value) < most < 0.9


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


@pytest.mark.parametrize(("wrong", "clean", "sound"), [(11, 11, True), (10, 12, False), (12, 10, False)])
def test_mccs_interval_is_the_bootstraps_where_enough_images_err_and_enough_do_not(wrong: int, clean: int, sound: bool) -> None:
    """An image with a right and a wrong answer errs; one that was asked nothing neither errs nor doesn't."""
    table = np.zeros((1, wrong + clean + 3, 2, 5), dtype=np.int64)
    table[0, :wrong, 0, 0] = 1
    for place in range(wrong):
        table[0, place, place % 2, (1, 0, 2, 3)[place % 4]] += 1
    table[0, wrong : wrong + clean : 2, 0, 0] = table[0, wrong + 1 : wrong + clean : 2, 1, 1] = 2
    table[0, -3:, 0, 4] = 1
    found = measure(table, FAST, metrics=["mcc"])["mcc"][0]
    weights = resampling_weights(table.shape[1], 50, np.random.default_rng(0))
    drawn = [float(compute(np.einsum("i,ilv->lv", row, table[0]))["mcc"]) for row in weights]
    limits = np.percentile(drawn, [2.5, 97.5]) if sound else (math.nan, math.nan)
    assert ends(found)[1:] == pytest.approx(tuple(limits), nan_ok=True)
    assert float(found.value) == pytest.approx(float(compute(table[0].sum(axis=0))["mcc"]))


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=lambda one: one.name)
def test_a_gradient_is_the_slope_of_every_count(convention: Convention) -> None:
    total = np.random.default_rng(8).integers(3, 90, (2, 5)).astype(np.float64)
    for metric in METRICS:
        slopes = gradient(total, metric, convention)
        for place in np.ndindex(2, 5):
            step = np.zeros((2, 5))
            step[place] = 1e-4
            up, down = (float(compute(total + way * step, convention)[metric]) for way in (1, -1))
            assert slopes[place] == pytest.approx((up - down) / 2e-4, abs=1e-7), (metric, place)
        assert (gradient(np.zeros((2, 5)), metric, convention) == 0).all()
    one_label = total * [[1], [0]]
    assert (gradient(one_label, "mcc", convention) == 0).all()
