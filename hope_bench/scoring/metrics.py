"""Verdict counts in, metrics out, under the `strict` convention (docs/method.md, scoring conventions)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.result import PACKED, VerdictCounts

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LABELS = ("yes", "no")
VERDICTS = ("yes", "no", "unparsed", "error", "unasked")
"""The order of the last two axes of every count table."""

METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio")


def count_table(labels: str, verdicts: str, questions_per_image: Sequence[int]) -> Counts:
    """Packed labels and verdicts (result.PACKED), grouped by image, as counts: int64 [images, labels, verdicts]."""
    shape = (len(questions_per_image), len(LABELS), len(VERDICTS))
    image = np.repeat(np.arange(shape[0]), questions_per_image)
    cell = (image * shape[1] + _indices(labels, LABELS)) * shape[2] + _indices(verdicts, VERDICTS)
    return np.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape)


def _indices(letters: str, names: Sequence[str]) -> NDArray[np.int64]:
    lookup = np.full(128, -1, dtype=np.int64)
    lookup[[ord(PACKED[name]) for name in names]] = np.arange(len(names))
    return lookup[np.frombuffer(letters.encode("ascii"), dtype=np.uint8)]


def pair_table(labels: str, verdicts: str, questions_per_image: Sequence[int]) -> Counts:
    """Pairs of consecutive questions with both right, and pairs asked, int64 [images, 1, 2], of a packed split of pairs."""
    right = np.array([verdict == label for label, verdict in zip(labels, verdicts, strict=True)], dtype=np.bool_).reshape(-1, 2)
    asked = np.array([verdict != PACKED["unasked"] for verdict in verdicts], dtype=np.bool_).reshape(-1, 2)
    image = np.repeat(np.arange(len(questions_per_image)), np.asarray(questions_per_image) // 2)
    made = np.zeros((len(questions_per_image), 1, 2), dtype=np.int64)
    np.add.at(made[:, 0, 0], image, right.all(axis=1))
    np.add.at(made[:, 0, 1], image, asked.all(axis=1))
    return made


def discrimination(pairs: NDArray[np.int64] | Floats) -> Floats:
    """Paired discrimination of pair tables [..., 1, 2], of shape [...], in [0, 1], NaN where no pair was asked."""
    return _divide(pairs[..., 0, 0], pairs[..., 0, 1])


def verdict_counts(row: Counts) -> VerdictCounts:
    """One label's counts, int64 [verdicts], as a record."""
    return VerdictCounts(**dict(zip(VERDICTS, row.tolist(), strict=True)))


def compute(counts: NDArray[np.int64] | Floats) -> dict[str, Floats]:
    """Every metric of count tables [..., labels, verdicts], each of shape [...], in [0, 1], NaN where undefined.

    An unparsed answer or an error is a miss on a yes-question, and on a no-question wrong but no false positive. Unasked
    questions are in no denominator. The hallucination rate is the share of asked no-questions answered yes. F1 is
    2TP / (2TP + FP + FN): 0 where nothing is affirmed, though precision is undefined there; undefined without yes-questions.
    """
    asked = counts[..., : VERDICTS.index("unasked")]
    positives, negatives = asked[..., 0, :].sum(axis=-1), asked[..., 1, :].sum(axis=-1)
    true_positives, false_positives, true_negatives = asked[..., 0, 0], asked[..., 1, 0], asked[..., 1, 1]
    recall = _divide(true_positives, positives)
    specificity = _divide(true_negatives, negatives)
    misses = positives - true_positives
    f1 = _divide(2 * true_positives, 2 * true_positives + false_positives + misses)
    return {
        "accuracy": _divide(true_positives + true_negatives, positives + negatives),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": _divide(true_positives, true_positives + false_positives),
        "recall": recall,
        "f1": np.where(positives > 0, f1, np.nan),
        "specificity": specificity,
        "hallucination_rate": _divide(false_positives, negatives),
        "yes_ratio": _divide(true_positives + false_positives, positives + negatives),
    }


def point_metrics(counts: Counts) -> dict[str, float | None]:
    """Every metric of one count table [labels, verdicts]: a number in [0, 1], or None where it is undefined."""
    return {name: optional(float(value)) for name, value in compute(counts).items()}


def optional(value: float) -> float | None:
    """The number as results hold it: 6 digits, so that no platform's last bit shows; None for NaN."""
    return None if np.isnan(value) else round(value, 6)


def _divide(numerator: NDArray[np.int64] | Floats, denominator: NDArray[np.int64] | Floats) -> Floats:
    result = np.full(np.shape(denominator), np.nan)
    return np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)
