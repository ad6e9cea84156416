"""Numbers from P(yes) against scikit-learn, their packing, and the bootstrap against the naive loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from hope_bench.files.result import Bootstrap
from hope_bench.scoring import probability
from hope_bench.scoring.intervals import resampling_weights
from hope_bench.scoring.probability import Evidence, evidence, measure_auroc, pack, probabilities, resample, unpack
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
