"""The 95% intervals hold what they promise where answers about one image go together; naive ones, over questions, don't."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.intervals import bootstrap_counts, estimate
from hope_bench.scoring.metrics import Counts, compute, point_metrics

IMAGES, PER_LABEL, TRIALS, BATCH, REPLICATES = 500, 3, 2000, 100, 1000
RECALL, RATE, SPREAD = 0.8, 0.3, 2.0
"""An image's own recall and hallucination rate are Beta with these means and a sum of parameters SPREAD, which makes the
correlation between answers about one image 1 / (1 + SPREAD) = 1/3; half of the images are clear or hard in both ways at once."""

STEPS = (np.arange(1000) + 0.5) / 1000
SHARES = {mean: beta.ppf(STEPS, mean * SPREAD, (1 - mean) * SPREAD) for mean in (RECALL, RATE)}
TRUE_RECALL, TRUE_RATE = (float(SHARES[mean].mean()) for mean in (RECALL, RATE))
TRUTH = {
    "hallucination_rate": TRUE_RATE,
    "precision": TRUE_RECALL / (TRUE_RECALL + TRUE_RATE),
    "f1": 2 * TRUE_RECALL / (1 + TRUE_RECALL + TRUE_RATE),
    "balanced_accuracy": (TRUE_RECALL + 1 - TRUE_RATE) / 2,
}


def simulated(rng: np.random.Generator, images: int) -> Counts:
    """A split of one model, int64 [images, labels, verdicts]: 3 present and 3 absent objects an image."""
    rank = rng.random(images)
    share = rng.random(images) < 0.5
    tempted = np.where(share, 1 - rank, rng.random(images))
    made = np.zeros((images, 2, 5), dtype=np.int64)
    for row, (mean, level) in enumerate(((RECALL, rank), (RATE, tempted))):
        affirmed = rng.binomial(PER_LABEL, SHARES[mean][np.minimum(level * 1000, 999).astype(np.int64)])
        made[:, row, 0], made[:, row, 1] = affirmed, PER_LABEL - affirmed
    return made


def resampled_questions(table: Counts, replicates: int, rng: np.random.Generator) -> Counts:
    """The naive bootstrap: questions drawn one by one, which is a multinomial over the table's cells."""
    cells = table.sum(axis=0)
    return rng.multinomial(int(cells.sum()), cells.ravel() / cells.sum(), size=replicates).reshape(replicates, *cells.shape)


@pytest.fixture(scope="module")
def coverage() -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(7)
    hits = {way: dict.fromkeys(TRUTH, 0) for way in ("by image", "naive")}
    for batch in range(TRIALS // BATCH):  # a batch's models share their draws of images, as a result's splits do
        tables = np.stack([simulated(rng, IMAGES) for _ in range(BATCH)])
        drawn = {
            "by image": bootstrap_counts(tables, Bootstrap(replicates=REPLICATES, seed=batch, confidence=0.95)),
            "naive": np.stack([resampled_questions(table, REPLICATES, rng) for table in tables], axis=1),
        }
        for way, counts in drawn.items():
            samples = compute(counts)
            for row, table in enumerate(tables):
                points = point_metrics(table.sum(axis=0))
                for metric, truth in TRUTH.items():
                    found = estimate(points[metric], samples[metric][:, row], IMAGES, 0.95)
                    assert found.low is not None
                    assert found.high is not None
                    hits[way][metric] += found.low <= truth <= found.high
    return {way: {metric: count / TRIALS for metric, count in counts.items()} for way, counts in hits.items()}


@pytest.mark.parametrize("metric", TRUTH)
def test_intervals_over_images_cover(coverage: dict[str, dict[str, float]], metric: str) -> None:
    assert 0.93 <= coverage["by image"][metric] <= 0.97, coverage


@pytest.mark.parametrize("metric", ["hallucination_rate", "f1", "balanced_accuracy"])
def test_naive_intervals_undercover(coverage: dict[str, dict[str, float]], metric: str) -> None:
    assert coverage["naive"][metric] < 0.9, coverage
