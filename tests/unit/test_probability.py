"""Numbers from P(yes) against scikit-learn, their packing, and the bootstrap against the naive loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from hope_bench.files.result import Bootstrap
from hope_bench.scoring import probability
from hope_bench.scoring.intervals import resampling_weights
from hope_bench.scoring.probability import Evidence, evidence, pack, probabilities, resample, unpack


def made(seed: int, questions: int = 300, images: int = 40, ties: bool = False) -> Evidence:
    rng = np.random.default_rng(seed)
    positive = rng.random(questions) < 0.4
    p_yes = rng.beta(2, 3, questions) * 0.7 + 0.3 * positive * rng.random(questions)
    return Evidence(np.round(p_yes, 1) if ties else p_yes, positive, np.sort(rng.integers(images, size=questions)))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed: int, ties: bool) -> None:
    found = made(seed, ties=ties)
    ours = probabilities(found, "", None, 40, 0.95)
    assert ours.auroc.value == pytest.approx(roc_auc_score(found.positive, found.p_yes), abs=1e-6)
    assert ours.average_precision.value == pytest.approx(average_precision_score(found.positive, found.p_yes), abs=1e-6)
    assert ours.brier.value == pytest.approx(brier_score_loss(found.positive, found.p_yes), abs=1e-6)


def test_reliability_bins_equal_scikit_learn() -> None:
    found = made(1)
    share, mean = calibration_curve(found.positive, found.p_yes, n_bins=10)
    ours = probabilities(found, "", None, 40, 0.95)
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
        assert ours.auroc[row] == pytest.approx(roc_auc_score(found.positive, found.p_yes, sample_weight=weight), abs=near)
        expected = average_precision_score(found.positive, found.p_yes, sample_weight=weight)
        assert ours.average_precision[row] == pytest.approx(expected, abs=near)
        assert ours.brier[row] == pytest.approx(np.average((found.p_yes - found.positive) ** 2, weights=weight))


def test_undefined_is_null() -> None:
    one_class = Evidence(np.array([0.2, 0.9]), np.array([True, True]), np.array([0, 1]))
    ours = probabilities(one_class, "", resample([one_class], 2, Bootstrap(replicates=50, seed=0, confidence=0.95))[0], 2, 0.95)
    assert ours.auroc.value is None
    assert ours.auroc.low is None
    assert ours.brier.value == pytest.approx((0.64 + 0.01) / 2)
    empty = Evidence(np.zeros(0), np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64))
    ours = probabilities(empty, "", resample([empty], 2, Bootstrap(replicates=50, seed=0, confidence=0.95))[0], 2, 0.95)
    assert (ours.questions, ours.ece, ours.bins) == (0, None, ())
    assert (ours.auroc.value, ours.average_precision.value, ours.brier.value) == (None, None, None)


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
