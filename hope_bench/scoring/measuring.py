"""Every metric of count tables with its interval and its influence by image, ready to be compared and averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.intervals import bootstrap_counts, sound_percentiles
from hope_bench.scoring.metrics import LABELS, METRICS, VERDICTS, Counts, Floats, compute, correlation, divide, ratio_weights
from hope_bench.scoring.rates import Measured, Weighted, combined, korn_graubard, quotient


def measure(
    tables: Counts, bootstrap: Bootstrap, convention: Convention = STRICT, metrics: Iterable[str] = METRICS
) -> dict[str, Measured]:
    """The metrics of count tables int64 [tables, images, labels, verdicts], [tables] numbers of each.

    Rates have Korn-Graubard intervals, and MOVER ones what is combined of them: balanced accuracy, accuracy and the yes-ratio as
    sums, precision as R / (R + F n0 / n1) and F1 as 2 R / (R + 1 + F n0 / n1), with recall R of n1 yes-questions and the
    hallucination rate F of n0 no-questions. MCC alone keeps the percentile bootstrap, where that is sound.
    """
    chosen = tuple(metrics)
    made = _ratios(tables, bootstrap.confidence, convention)
    made["mcc"] = lambda: _mcc(tables, bootstrap, convention)
    return {metric: made[metric]() for metric in chosen}


def _ratios(tables: Counts, confidence: float, convention: Convention) -> dict[str, Callable[[], Measured]]:
    """What makes each metric; the quotients' intervals take most of the time."""
    weights = ratio_weights(convention).items()
    counted = {name: (np.tensordot(tables, above, 2), np.tensordot(tables, below, 2)) for name, (above, below) in weights}
    recall, rate, specificity = (
        korn_graubard(*counted[name], confidence) for name in ("recall", "hallucination_rate", "specificity")
    )
    positives = counted["accuracy"][1] - counted["specificity"][1]
    hits = recall if convention.unread != "not in recall" else korn_graubard(counted["recall"][0], positives, confidence)
    asked, refused = positives.sum(axis=-1), counted["specificity"][1].sum(axis=-1)
    share = np.nan_to_num(divide(asked, asked + refused))
    n1, n0 = counted["recall"][1].sum(axis=-1), counted["hallucination_rate"][1].sum(axis=-1)
    points = compute(tables.sum(axis=-3), convention)
    affirmed = np.nan_to_num(n1 * recall.value) + np.nan_to_num(n0 * rate.value)

    def influence(parts: tuple[Weighted, ...], below: Floats) -> Floats:
        """At these numbers of yes- and no-questions, as the interval is: how many each image has of either is no error, and two
        splits or models share it."""
        made = np.sum([np.nan_to_num(np.asarray(weight)[..., None]) * one.influence for weight, one in parts], axis=0)
        return np.nan_to_num(divide(made, below[..., None]))

    def precision(value: Floats) -> tuple[float, tuple[Weighted, ...]]:
        return 0.0, ((n1 * (1 - value), recall), (-n0 * value, rate))

    def f1(value: Floats) -> tuple[Floats, tuple[Weighted, ...]]:
        return -n1 * value, ((n1 * (2 - value), recall), (-n0 * value, rate))

    return {
        "accuracy": lambda: combined((share, hits), (1 - share, specificity)),
        "balanced_accuracy": lambda: combined((0.5, recall), (0.5, specificity)),
        "precision": lambda: quotient(points["precision"], influence(precision(points["precision"])[1], affirmed), precision),
        "recall": lambda: recall,
        "f1": lambda: quotient(points["f1"], influence(f1(points["f1"])[1], affirmed + n1), f1),
        "specificity": lambda: specificity,
        "hallucination_rate": lambda: rate,
        "yes_ratio": lambda: (
            korn_graubard(*counted["yes_ratio"], confidence)
            if convention.gold_yes_ratio
            else combined((share, hits), (1 - share, rate))
        ),
    }


def gradient(total: Floats, metric: str, convention: Convention = STRICT) -> Floats:
    """How a metric grows with each count of a table [labels, verdicts]: float64 of that shape, 0 throughout where undefined.

    Every metric is unchanged when all counts are doubled, so an image's table times this is the image's influence.
    """
    if metric == "balanced_accuracy":
        return (gradient(total, "recall", convention) + gradient(total, "specificity", convention)) / 2
    if metric == "mcc":
        return _mcc_gradient(np.asarray(total, dtype=np.float64), convention)
    above, below = ratio_weights(convention)[metric]
    size = float((total * below).sum())
    return (above - float((total * above).sum()) / size * below) / size if size else np.zeros(below.shape)


def _mcc_gradient(total: Floats, convention: Convention) -> Floats:
    """By central differences: the formula is smooth, and its counts are large."""
    kept = 2 if convention.unread == "nowhere" else VERDICTS.index("unasked")
    step = np.asarray(total.sum() * 1e-5)
    moved = np.zeros((len(LABELS), len(VERDICTS)))
    for label in range(len(LABELS)):
        for verdict in range(kept):
            shift = np.zeros_like(moved)
            shift[label, verdict] = step
            up, down = (correlation((total + way * shift)[:, :kept]) for way in (1, -1))
            moved[label, verdict] = divide(up - down, 2 * step)
    return np.nan_to_num(moved)


def _mcc(tables: Counts, bootstrap: Bootstrap, convention: Convention) -> Measured:
    totals = tables.sum(axis=-3)
    value = compute(totals, convention)["mcc"]
    samples = compute(bootstrap_counts(tables, bootstrap), convention)["mcc"]
    right = np.stack([tables[..., 0, 0], tables[..., 1, 1]]).sum(axis=0)
    wrong = tables[..., : VERDICTS.index("unasked")].sum(axis=(-2, -1)) - right
    low, high = sound_percentiles(
        samples, (wrong > 0).sum(axis=-1), ((wrong == 0) & (right > 0)).sum(axis=-1), bootstrap.confidence
    )
    slopes = np.stack([_mcc_gradient(np.asarray(total, dtype=np.float64), convention) for total in totals])
    return Measured(value, low, high, np.einsum("silv,slv->si", tables, slopes))
