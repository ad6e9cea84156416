"""Numbers from P(yes) against scikit-learn, their packing, and the bootstrap against the naive loop."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import Estimate, ReliabilityBin
from hope_bench.scoring import probability
from hope_bench.scoring.intervals import resampling_weights
from hope_bench.scoring.probability import (
    Evidence,
    Samples,
    auroc_alone,
    evidence,
    measure_auroc,
    null_calibration_error,
    pack,
    probabilities,
    resample,
    unpack,
)
from hope_bench.scoring.rates import Design, rate_limits
from hope_bench.scoring.sensitivity import d_a


def made(seed: int, questions: int = 300, images: int = 40, ties: bool = False) -> Evidence:
    rng = np.random.default_rng(seed)
    positive = rng.random(questions) < 0.4
    p_yes = rng.beta(2, 3, questions) * 0.7 + 0.3 * positive * rng.random(questions)
    return Evidence(np.round(p_yes, 1) if ties else p_yes, positive, np.sort(rng.integers(images, size=questions)))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed: int, ties: bool) -> None:
    found = made(seed, ties=ties)
    ours = probabilities(found, "", measure_auroc(found, 40, 0.95))
    assert ours.auroc.value == pytest.approx(roc_auc_score(found.positive, found.p_yes), abs=1e-6)
    assert ours.average_precision.value == pytest.approx(average_precision_score(found.positive, found.p_yes), abs=1e-6)
    assert ours.brier.value == pytest.approx(brier_score_loss(found.positive, found.p_yes), abs=1e-6)


def test_reliability_bins_equal_scikit_learn() -> None:
    found = made(1)
    share, mean = calibration_curve(found.positive, found.p_yes, n_bins=10)
    ours = probabilities(found, "", measure_auroc(found, 40, 0.95))
    assert [one.yes for one in ours.bins] == pytest.approx(list(share), abs=1e-6)
    assert [one.p_yes for one in ours.bins] == pytest.approx(list(mean), abs=1e-6)
    weights = np.array([one.questions for one in ours.bins])
    assert ours.ece == pytest.approx(float((weights * np.abs(share - mean)).sum() / weights.sum()), abs=1e-5)
    assert sum(one.questions for one in ours.bins) == 300


@pytest.mark.parametrize("most", [1000, 60])
def test_the_bootstrap_equals_the_naive_loop(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly where every value has its own level, nearly where 300 values share 60."""
    monkeypatch.setattr(probability, "_MOST_LEVELS", most)
    found, bootstrap = made(2), Bootstrap(replicates=30, seed=5, confidence=0.95)
    (ours,) = resample([found], 40, bootstrap)
    weights = resampling_weights(40, 30, np.random.default_rng(5))
    for row in range(30):
        weight = weights[row][found.image]
        near = 1e-9 if most == 1000 else 0.02
        expected = average_precision_score(found.positive, found.p_yes, sample_weight=weight)
        assert ours.average_precision[row] == pytest.approx(expected, abs=near)
        assert ours.brier[row] == pytest.approx(np.average((found.p_yes - found.positive) ** 2, weights=weight))


BOOTSTRAP = Bootstrap(replicates=400, seed=0, confidence=0.95)


def test_undefined_is_null() -> None:
    one_class = Evidence(np.array([0.2, 0.9]), np.array([True, True]), np.array([0, 1]))
    area = measure_auroc(one_class, 2, 0.95)
    ours = probabilities(one_class, "", area, resample([one_class], 2, BOOTSTRAP)[0], BOOTSTRAP)
    assert (ours.auroc.value, ours.auroc.low, ours.d_a.value) == (None, None, None)
    assert area.influence.tolist() == [0, 0]
    assert ours.brier.value == pytest.approx((0.64 + 0.01) / 2)
    empty = Evidence(np.zeros(0), np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64))
    ours = probabilities(empty, "", measure_auroc(empty, 2, 0.95), resample([empty], 2, BOOTSTRAP)[0], BOOTSTRAP)
    assert (ours.questions, ours.ece, ours.ece_null, ours.bins) == (0, None, None, ())
    assert (ours.auroc.value, ours.average_precision.value, ours.brier.value) == (None, None, None)


def test_aurocs_influence_is_the_jackknifes() -> None:
    found = made(4)
    area = measure_auroc(found, 40, 0.95)
    for image in range(40):
        kept = found.image != image
        without = roc_auc_score(found.positive[kept], found.p_yes[kept])
        assert float(area.value) - without == pytest.approx(area.influence[image], abs=2e-3)
    assert float(area.low) < float(area.value) < float(area.high)


def test_auroc_of_few_images_is_not_sure_even_when_perfect() -> None:
    positive = np.tile([True, False], 15)
    found = Evidence(np.where(positive, 0.9, 0.1), positive, np.repeat(np.arange(15), 2))
    area = measure_auroc(found, 15, 0.95)
    assert (float(area.low), float(area.high)) == pytest.approx((0.025 ** (1 / 15), 1))
    assert d_a(area).value is None


@pytest.mark.parametrize(("separation", "within"), [(0.0, 0.0), (1.0, 0.6), (2.5, 0.6)])
def test_aurocs_interval_covers(separation: float, within: float) -> None:
    """Normal evidence, correlated within an image, 30 images of 3 and 3 questions."""
    rng = np.random.default_rng(5)
    positive, image = np.tile([True] * 3 + [False] * 3, 30), np.repeat(np.arange(30), 6)
    truth, held = norm.cdf(separation / np.sqrt(2)), 0
    for _ in range(400):
        shared = rng.normal(size=(30, 2))[image, positive.astype(np.int64)]
        odds = np.sqrt(within) * shared + np.sqrt(1 - within) * rng.normal(size=180) + separation * positive
        area = measure_auroc(Evidence(1 / (1 + np.exp(-odds)), positive, image), 30, 0.95)
        held += float(area.low) <= truth <= float(area.high)
    assert 0.93 - 0.02 <= held / 400 <= 0.99


def test_the_calibration_error_of_a_calibrated_model_lies_in_its_null_band() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for trial in range(60):
        p_yes = rng.beta(1, 1, 200)
        found = Evidence(p_yes, rng.random(200) < p_yes, np.arange(200))
        ours = probabilities(found, "", measure_auroc(found, 200, 0.95), None, BOOTSTRAP.model_copy(update={"seed": trial}))
        assert ours.ece is not None
        assert ours.ece_null is not None
        assert 0.03 < ours.ece_null.mean < 0.09, "200 questions alone make an error of 6 points"
        inside.append(ours.ece_null.low <= ours.ece <= ours.ece_null.high)
    assert np.mean(inside) > 0.85
    sure = Evidence(np.full(200, 0.99), rng.random(200) < 0.6, np.arange(200))
    ours = probabilities(sure, "", measure_auroc(sure, 200, 0.95), None, BOOTSTRAP)
    assert (ours.ece or 0) > 5 * (ours.ece_null.high if ours.ece_null else 1)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1))))
def test_packing_keeps_p_yes(values: list[float | None]) -> None:
    back = unpack(pack(values))
    assert len(back) == len(values)
    for value, found in zip(values, back.tolist(), strict=True):
        assert np.isnan(found) if value is None else abs(found - value) < 6e-5


def test_packing_is_stable_and_compact() -> None:
    values = [0.5, 0.042539, None, 0.9971]
    assert pack(unpack(pack(values)).tolist()[:2]) == pack(values[:2])
    assert len(pack([0.5] * 3000)) == 8000
    with pytest.raises(ValueError, match="base64"):
        unpack("not base64!")


def test_errors_and_unasked_questions_give_no_evidence() -> None:
    found = evidence("ynyn", "ye-u", (2, 2), pack([0.9, 0.4, 0.3, 0.2]))
    assert found.p_yes == pytest.approx([0.9, 0.2], abs=1e-4)
    assert found.positive.tolist() == [True, False]
    assert found.image.tolist() == [0, 1]


def test_intervals_are_the_samples_percentiles_where_enough_images_were_asked() -> None:
    found = made(6, images=11)
    drawn = Samples(np.linspace(0.2, 1.0, 401), np.linspace(0.1, 0.9, 401))
    area = measure_auroc(found, 11, 0.95)
    ours = probabilities(found, "packed", area, drawn, BOOTSTRAP)
    assert (ours.average_precision.low, ours.average_precision.high) == pytest.approx((0.2 + 0.02, 1.0 - 0.02))
    assert (ours.brier.low, ours.brier.high) == pytest.approx((0.1 + 0.02, 0.9 - 0.02))
    assert (ours.packed, ours.questions, ours.auroc, ours.d_a) == ("packed", 300, area.estimate(), d_a(area))
    few = Evidence(found.p_yes, found.positive, found.image % 10)
    alone = [probabilities(few, "", area, drawn, BOOTSTRAP)]
    alone += [probabilities(found, "", area), probabilities(found, "", area, drawn)]
    for one in alone:
        assert (one.average_precision, one.brier) == (
            Estimate(value=ours.average_precision.value), Estimate(value=ours.brier.value)
        )  # fmt: skip
    assert [one.ece_null is None for one in alone] == [False, True, True]
    perfect = Evidence(np.where(found.positive, 0.9, 0.1), found.positive, found.image)
    sure = probabilities(perfect, "", area, drawn, BOOTSTRAP)
    assert sure.average_precision == Estimate(value=1.0)
    assert sure.brier.low == pytest.approx(0.01)
    no = probabilities(Evidence(found.p_yes, found.positive & False, found.image), "", area, drawn, BOOTSTRAP)
    assert (no.average_precision, no.brier.low) == (Estimate(value=None), pytest.approx(0.12))


@pytest.mark.parametrize("cells", [2_000_000, 700, 1])
def test_the_null_band_by_drawing_every_label(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bin by bin, each label drawn by its P(yes), in the order of bins."""
    monkeypatch.setattr(probability, "_NULL_CELLS", cells)
    found = Evidence(np.append(made(8, 38).p_yes, [0.0, 1.0]), np.zeros(40, dtype=np.bool_), np.arange(40))
    bins = [min(int(10 * one), 9) for one in found.p_yes]
    order = sorted(range(40), key=bins.__getitem__)
    labels = np.random.default_rng([3, 2]).random((50, 40), dtype=np.float32) < found.p_yes[order]
    errors = []
    for row in labels:
        sums = [0.0] * 10
        for at, place in enumerate(order):
            sums[bins[place]] += float(row[at]) - found.p_yes[place]
        errors.append(sum(map(abs, sums)) / 40)
    band = null_calibration_error(found, Bootstrap(replicates=50, seed=3, confidence=0.9))
    assert band is not None
    expected = (np.mean(errors), *np.percentile(errors, [5, 95]))
    assert (band.mean, band.low, band.high) == tuple(round(float(one), 6) for one in expected)


def test_bins_and_their_error_by_hand() -> None:
    """Two thirds in the last bin, 1.0 with them; 6 digits of each mean and share."""
    found = Evidence(np.array([0.95, 1.0, 0.9, 0.1, 0.13, 0.15]), np.array([1, 1, 0, 0, 0, 1], dtype=np.bool_), np.arange(6))
    bins = probability.reliability(found)
    assert [(one.low, one.high, one.questions, one.p_yes, one.yes) for one in bins] == [
        (0.1, 0.2, 3, 0.126667, 0.333333), (0.9, 1.0, 3, 0.95, 0.666667),
    ]  # fmt: skip
    assert probability.calibration_error(bins) == round((0.206666 + 0.283333) / 2, 6)
    third = ReliabilityBin(low=0.1, high=0.2, questions=3, p_yes=0.1, yes=0.133333)
    assert probability.calibration_error([third, third.model_copy(update={"questions": 4, "yes": 0.1})]) == 0.014286
    assert probability.calibration_error([]) is None


def test_levels_are_ranks_or_quantiles() -> None:
    values = np.random.default_rng(0).permutation(50) / 50
    rank = (values * 50).round().astype(int)
    for most, expected in ((None, rank), (50, rank), (49, np.minimum(rank, 48)), (5, np.minimum(rank * 5 // 49, 4))):
        which, count = probability._levels(values, most)
        assert (which.tolist(), count) == (expected.tolist(), expected.max() + 1)
    often = np.repeat([0.1, 0.2, 0.3], [90, 5, 5])
    assert probability._levels(often, 3)[0].tolist() == np.repeat([0, 1, 2], [90, 5, 5]).tolist()
    assert probability._levels(np.zeros(0), None)[1] == probability._levels(np.zeros(0), 5)[1] == 1


def test_packed_steps_by_hand() -> None:
    """Log-odds from -14 to 14 in 65,534 steps, 65,535 for what isn't known, two bytes each, the lower first."""
    values = [0.0, 1.0, 0.5, None, 1 / (1 + np.exp(-3.5)), 1 / (1 + np.exp(3.5))]
    steps = np.frombuffer(base64.b64decode(pack(values)), dtype="<u2").tolist()
    assert steps == [0, 65534, 32767, 65535, round(65534 * 0.625), round(65534 * 0.375)]
    ends = [1 / (1 + np.exp(14)), 1 / (1 + np.exp(-14)), 0.5]
    assert unpack(pack(values))[:3].tolist() == pytest.approx(ends, abs=1e-12)


@pytest.mark.parametrize("lean", [0.0, 0.6, -0.6])
def test_auroc_rests_on_the_images_of_the_rarer_label_and_the_likest_questions(lean: float) -> None:
    """Six images of yes-questions, four of no-questions; of the design effect the larger label's, of images with a question that
    lies wrong and with one that lies right the fewer."""
    rng = np.random.default_rng(4)
    image = np.repeat(np.arange(10), [6, 1, 1, 1, 1, 1, 3, 2, 1, 1])
    found = Evidence(rng.random(18).round(1) + lean * (image < 6), image < 6, image)
    area = measure_auroc(found, 12, 0.9)
    placed = [
        np.mean([(one > other) + (one == other) / 2 for other in found.p_yes[found.positive != own]])
        if own else np.mean([(one < other) + (one == other) / 2 for other in found.p_yes[found.positive != own]])
        for one, own in zip(found.p_yes, found.positive, strict=True)
    ]  # fmt: skip
    holding = [len(set(image[np.array(placed) < 1])), len(set(image[np.array(placed) > 0]))]
    whole = max((36 + 5) / 11**2, (9 + 4 + 1 + 1) / 7**2)
    design = Design(np.asarray(18), np.asarray(4), np.asarray(whole), np.asarray(min(holding)))
    share = float(np.mean([one for one, own in zip(placed, found.positive, strict=True) if own]))
    assert float(area.value) == pytest.approx(share)
    influence = np.zeros(12)
    for one, own, place in zip(placed, found.positive, image, strict=True):
        influence[place] += (one - share) / (11 if own else 7)
    assert area.influence == pytest.approx(influence)
    low, high = rate_limits(np.asarray(share), influence, design, 0.9)
    assert (float(area.low), float(area.high)) == pytest.approx((float(low), float(high)))
    alone = auroc_alone(found)
    assert (float(alone.value), np.isnan(alone.low), np.isnan(alone.high)) == (float(area.value), True, True)
    assert np.isnan(auroc_alone(Evidence(found.p_yes[:3], found.positive[:3], image[:3])).value)
