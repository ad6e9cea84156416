"""The bootstrap against a naive one, one replicate and one image at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hope_bench.files.result import Bootstrap
from hope_bench.scoring import intervals
from hope_bench.scoring.intervals import bootstrap_counts, percentiles, resampling_weights, sound_percentiles
from hope_bench.scoring.metrics import METRICS, Counts, compute, point_metrics

BOOTSTRAP = Bootstrap(replicates=60, seed=7, confidence=0.95)


def tables(splits: int = 3, images: int = 12, most: int = 4) -> Counts:
    return np.random.default_rng(1).integers(0, most, size=(splits, images, 2, 5))


def naive(counts: Counts, bootstrap: Bootstrap) -> list[list[dict[str, float | None]]]:
    """Metrics by replicate and split: images drawn with replacement, their tables added up one by one."""
    rng = np.random.default_rng(bootstrap.seed)
    images = counts.shape[1]
    found = []
    for drawn in rng.integers(images, size=(bootstrap.replicates, images)):
        totals = [sum((split[image] for image in drawn), np.zeros((2, 5), dtype=np.int64)) for split in counts]
        found.append([point_metrics(total) for total in totals])
    return found


def test_equals_the_naive_loop() -> None:
    counts = tables(most=2)
    resampled = compute(bootstrap_counts(counts, BOOTSTRAP))
    for replicate, splits in enumerate(naive(counts, BOOTSTRAP)):
        for split, expected in enumerate(splits):
            for name in METRICS:
                found, value = resampled[name][replicate, split], expected[name]
                assert math.isnan(found) if value is None else found == pytest.approx(value, abs=1e-6)


def test_weights_draw_as_many_images_as_there_are() -> None:
    weights = resampling_weights(40, 500, np.random.default_rng(0))
    assert weights.shape == (500, 40)
    assert (weights.sum(axis=1) == 40).all()
    assert weights.mean() == 1
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.03)  # multinomial


def test_seeded_and_nothing_global() -> None:
    counts = tables()
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    first = bootstrap_counts(counts, BOOTSTRAP)
    assert (first == bootstrap_counts(counts, BOOTSTRAP)).all()
    assert (first != bootstrap_counts(counts, BOOTSTRAP.model_copy(update={"seed": 8}))).any()
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]


def test_chunks_bound_memory_without_changing_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tables()
    whole = bootstrap_counts(counts, BOOTSTRAP)
    monkeypatch.setattr(intervals, "_CHUNK_CELLS", 100)
    assert (bootstrap_counts(counts, BOOTSTRAP) == whole).all()


def test_splits_are_paired() -> None:
    counts = tables(splits=1)
    both = compute(bootstrap_counts(np.concatenate([counts, counts]), BOOTSTRAP))["accuracy"]
    assert (both[:, 0] == both[:, 1]).all()


def test_percentiles() -> None:
    samples = np.linspace(0, 1, 1001)
    assert [float(end) for end in percentiles(samples, 0.95)] == pytest.approx([0.025, 0.975])
    assert [float(end) for end in percentiles(samples, 0.8)] == pytest.approx([0.1, 0.9])


def test_no_interval_where_the_bootstrap_would_mean_nothing() -> None:
    samples = np.full((100, 1), 0.5)
    samples[:5] = np.nan
    assert percentiles(samples, 0.95)[0].tolist() == [0.5]
    samples[5] = np.nan
    assert np.isnan(percentiles(samples, 0.95)[0]).all()
    for erring, clean, sound in ((11, 11, True), (10, 90, False), (90, 10, False)):
        low, high = sound_percentiles(np.linspace(0, 1, 101)[:, None], np.array([erring]), np.array([clean]), 0.95)
        assert np.isnan([low[0], high[0]]).any() != sound
