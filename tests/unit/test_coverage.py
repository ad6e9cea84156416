"""Intervals hold what they promise, tests their level, rank ranges all ranks at once: small versions of tests/studies."""

from __future__ import annotations

import numpy as np
import pytest

from hope_bench.scoring.measuring import measure
from hope_bench.scoring.metrics import Counts
from hope_bench.scoring.rates import difference, korn_graubard
from tests.soak import SOAK
from tests.studies.intervals import UNUSED, combined_coverage, levels, models, rank_coverage, rate_coverage, reviewed_coverage
from tests.studies.simulated import affirmed, sizes, tables

FEWER = 1 if SOAK else 3
"""By how much the trials below are fewer outside of make soak."""
SLACK = 0.015 * FEWER**0.5
"""Two to three standard errors of a share near 0.95 in them."""


@pytest.mark.parametrize("images", [10, 40, 200])
def test_intervals_of_rates_cover_from_0_to_1(images: int) -> None:
    rates = (0.001, 0.005, 0.02, 0.1, 0.3, 0.5, 0.9, 0.98, 0.995)
    found = rate_coverage([images], ("3", "1-6", "1-20"), (0, 1 / 3, 1), rates, 1000 // FEWER)
    assert min(found, key=lambda one: one.share).share >= 0.93 - SLACK, min(found, key=lambda one: one.share)
    assert max((one.share for one in found if one.both), default=0) <= 0.975 + SLACK / 2


def test_intervals_of_what_is_combined_of_rates_cover() -> None:
    found = combined_coverage((10, 100), ("1-6",), (0, 0.9), 800 // FEWER)
    assert min(found, key=lambda one: one.share).share >= 0.93 - SLACK, min(found, key=lambda one: one.share)
    assert max((one.share for one in found if one.both), default=0) <= 0.975 + SLACK / 2


def test_differences_cover_where_images_have_unlike_numbers_of_yes_and_no_questions() -> None:
    """As under other labels, whose two splits share the images and how many questions of either label they have."""
    rng = np.random.default_rng(2)
    asked = rng.integers(1, 5, (800, 60)), rng.integers(1, 7, (800, 60))
    n1, n0 = (one.sum(axis=1) for one in asked)
    hits = rng.binomial(asked[0], 0.9)
    one, two = (measure(tables((hits, rng.binomial(asked[1], rate)), asked), UNUSED) for rate in (0.7, 0.9))
    for metric, of in (("precision", lambda rate: 0.9 * n1 / (0.9 * n1 + rate * n0)),
                       ("f1", lambda rate: 1.8 * n1 / (1.9 * n1 + rate * n0))):  # fmt: skip
        found, truth = difference(one[metric], two[metric]), of(0.7) - of(0.9)
        assert ((found.low <= truth) & (truth <= found.high)).mean() >= 0.93, metric


def test_a_percentile_bootstrap_does_not() -> None:
    """Why there is another method: 20 images of 3 questions at a rate of 2%."""
    rng = np.random.default_rng(0)
    asked = sizes("3", (300, 20), rng)
    yes, _ = affirmed(0.02, 1 / 3, asked, rng.random(asked.shape), rng)
    drawn = rng.integers(20, size=(400, 20))
    low, high = np.percentile(yes[:, drawn].sum(axis=2) / 60, [2.5, 97.5], axis=1)
    assert ((low <= 0.02) & (high >= 0.02)).mean() < 0.75
    found = korn_graubard(yes, asked)
    assert ((found.low <= 0.02) & (found.high >= 0.02)).mean() > 0.93


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "mcc"])
@pytest.mark.parametrize("images", [10, 60] if SOAK else [10])
def test_tests_hold_their_level(metric: str, images: int) -> None:
    found = levels(images, metric, 500)
    assert found[0.05] <= 0.05 + 0.025
    assert found[0.01] <= 0.01 + 0.012


@pytest.mark.parametrize("chances", [(0.9, 0.9), (0.85,) * 5, (0.97,) * 8] if SOAK else [(0.85,) * 5])
def test_ranks_hold_all_at_once(chances: tuple[float, ...]) -> None:
    assert rank_coverage(chances, 60, 150) >= 0.93 - 0.045


@pytest.mark.parametrize(("models", "images"), [(12, 10), (20, 15)] if SOAK else [(12, 10)])
def test_ranks_hold_all_at_once_with_few_images_a_model(models: int, images: int) -> None:
    """Models that err apart from each other, more of them than so few images can tell how they go together."""
    assert rank_coverage((0.7,) * models, images, 250, alike=0.0) >= 0.93


def test_rates_under_reviewed_truth_cover_and_are_not_biased() -> None:
    for rate, (share, bias) in reviewed_coverage(120, 80, 120 // FEWER, by_answer=False).items():
        assert share >= 0.93 - 0.05 * FEWER**0.5, rate
        assert abs(bias) < 0.01, rate


def test_the_simulation_makes_what_it_says() -> None:
    counts: Counts = models(np.array([0.9, 0.6]), 2, 400, 3, 0.5, np.random.default_rng(0))
    assert counts.sum(axis=(1, 3)).tolist() == [[1200, 1200]] * 2
    assert counts[:, :, 0, 0].sum(axis=1) / 1200 == pytest.approx([0.9, 0.6], abs=0.04)
