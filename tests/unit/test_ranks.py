"""Ranks as ranges, held against paired t-tests: with two models they are the same statement, with more Bonferroni's."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_rel

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.intervals import weight_chunks
from hope_bench.scoring.metrics import Floats
from hope_bench.scoring.ranks import RESAMPLES, ranges_of, rank_ranges


def scores(models: int, images: int, seed: int) -> Floats:
    """How good each model's answers about each image are, [models, images]: images hard for all, models a little apart."""
    rng = np.random.default_rng(seed)
    return np.linspace(0, 1.2, models)[:, None] + rng.normal(size=images) * 2 + rng.normal(size=(models, images))


def ranks_by(scores: Floats, level: float) -> list[tuple[int, int]]:
    """Each model's (best, worst) rank where a paired t-test below `level` tells two apart."""
    better = {
        (one, other)
        for one, other in permutations(range(len(scores)), 2)
        if ttest_rel(scores[one], scores[other]).pvalue < level and scores[one].mean() > scores[other].mean()
    }
    models = range(len(scores))
    return [
        (1 + sum((other, own) in better for other in models), len(scores) - sum((own, other) in better for other in models))
        for own in models
    ]


def ranks(scores: Floats) -> list[tuple[int, int]]:
    means = scores.mean(axis=1)
    return rank_ranges(means, (scores - means[:, None]) / scores.shape[1])


@pytest.mark.parametrize(("models", "images"), [(2, 8), (3, 12), (5, 30)])
def test_few_images_are_told_apart_as_by_t_tests_at_bonferronis_level(models: int, images: int) -> None:
    told = set()
    for seed in range(30):
        drawn = scores(models, images, seed)
        expected = ranks_by(drawn, 0.05 / (models * (models - 1) / 2))
        assert ranks(drawn) == expected
        told.update(expected)
    assert len(told) > models  # some were told apart, and some not


def test_of_two_models_on_many_images_the_resamples_say_what_a_t_test_says() -> None:
    rng = np.random.default_rng(0)
    for apart in (0.0, 0.05, 0.1, 0.15, 0.25, 0.3):
        drawn = np.stack([rng.normal(size=150) + apart, np.zeros(150)])
        p = ttest_rel(*drawn).pvalue
        if not 0.04 < p < 0.06:  # so near to the level the draw of the resamples decides
            assert ranks(drawn) == ranks_by(drawn, 0.05), p


def test_of_more_models_on_many_images_the_bound_lies_between_one_test_and_bonferroni() -> None:
    for seed in range(6):
        drawn = scores(4, 60, seed) * np.array([1.0, 1.0, 0.4, 1.0])[:, None]
        loose, found, strict = ranks_by(drawn, 0.05), ranks(drawn), ranks_by(drawn, 0.05 / 6 * 0.8)
        for outer, middle, inner in zip(strict, found, loose, strict=True):
            assert outer[0] <= middle[0] <= inner[0]
            assert outer[1] >= middle[1] >= inner[1]


def test_models_that_err_alike_are_told_apart_where_bonferroni_could_not() -> None:
    """All differences are one another's multiples: ten pairs are one test."""
    apart = np.random.default_rng(0).normal(size=60)
    apart += 2.4 * apart.std(ddof=1) / np.sqrt(60) - apart.mean()  # t = 2.4
    drawn = np.arange(5)[:, None] * apart
    p = ttest_rel(drawn[1], drawn[0]).pvalue
    assert 0.05 / 10 < p < 0.05
    assert ranks(drawn) == [(5, 5), (4, 4), (3, 3), (2, 2), (1, 1)]


def critical(influence: Floats, resamples: Bootstrap) -> float:
    """What a pair's difference over its standard error must exceed: pair by pair, replicate by replicate."""
    models, images = influence.shape
    pairs = list(combinations(range(models), 2))
    if images < 10 * models:
        return float(t.isf((1 - resamples.confidence) / (2 * len(pairs)), images - 1))
    largest = [
        max(abs((row - 1) @ (influence[one] - influence[other])) / error(influence, one, other) for one, other in pairs)
        for weights in weight_chunks(images, resamples)
        for row in weights
    ]
    normal = np.quantile(largest, resamples.confidence) * np.sqrt(images / (images - 1))
    return float(t.isf(norm.sf(normal), images - 1))


def error(influence: Floats, one: int, other: int) -> float:
    """The standard error of a difference of two means, from what each image adds to it."""
    images = influence.shape[1]
    return float(np.sqrt(((influence[one] - influence[other]) ** 2).sum() * images / (images - 1)))


@pytest.mark.parametrize(
    ("models", "images", "resamples"),
    [(2, 19, RESAMPLES), (2, 20, Bootstrap(replicates=100, seed=1, confidence=0.9)), (2, 2, RESAMPLES),
     (3, 29, Bootstrap(replicates=100, seed=0, confidence=0.8)), (3, 30, Bootstrap(replicates=200, seed=2, confidence=0.95))],
)  # fmt: skip
def test_where_two_models_begin_to_be_told_apart(models: int, images: int, resamples: Bootstrap) -> None:
    drawn = scores(models, images, 3)
    influence = (drawn - drawn.mean(axis=1, keepdims=True) + 0.05 * np.arange(models)[:, None]) / images
    least = critical(influence, resamples) * error(influence, 0, 1)
    for times, found in ((0.9999, [(1, 2), (1, 2)]), (1.0001, [(2, 2), (1, 1)])):
        values = np.array([0.0, least * times, 1e9])[:models]
        better = models - 2  # a third one is surely the best
        expected = [*((low + better, high + better) for low, high in found), *[(1, 1)] * better]
        assert rank_ranges(values, influence, resamples) == expected


def test_the_resamples_of_ranks() -> None:
    assert Bootstrap(replicates=1000, seed=0, confidence=0.95) == RESAMPLES


def test_what_cannot_be_told_is_every_rank() -> None:
    assert rank_ranges(np.array([0.5]), np.zeros((1, 9))) == [(1, 1)]
    assert rank_ranges(np.array([0.9, 0.1]), np.array([[0.1], [0.2]])) == [(1, 2), (1, 2)]
    alike = np.tile(np.random.default_rng(0).normal(size=40), (2, 1)) / 40
    assert rank_ranges(np.array([0.9, 0.1]), alike) == [(1, 2), (1, 2)]  # no image tells them apart: nothing is known of an error
    for seed in range(20):  # nor more than rounding does
        one = np.random.default_rng(seed).normal(size=40)
        assert rank_ranges(np.array([0.9, 0.1]), np.stack([one, one * (1 + 1e-8)])) == [(1, 2), (1, 2)]


def test_models_without_a_number_have_no_rank_and_lower_may_be_better() -> None:
    drawn = scores(3, 12, 1) * np.array([1, 1, 1])[:, None] + np.array([0, 50, 100])[:, None]
    means = drawn.mean(axis=1)
    influence = (drawn - means[:, None]) / 12
    assert ranges_of([*means[:1], None, *means[2:]], influence) == [(2, 2), None, (1, 1)]
    assert ranges_of([*means], influence, lower=True) == [(1, 1), (2, 2), (3, 3)]
