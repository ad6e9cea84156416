"""Verdict counts in, metrics out, under a scoring convention (docs/scoring.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.split_score import PACKED, Part, SplitScore, VerdictCounts, stated_counts
from hope_bench.scoring.conventions import STRICT, Convention

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LABELS = ("yes", "no")
VERDICTS = tuple(PACKED)
"""The order of the last two axes of every count table."""

_ROWS = bytes.maketrans(
    "".join(map(PACKED.__getitem__, LABELS)).encode(), bytes(range(0, len(LABELS) * len(VERDICTS), len(VERDICTS)))
)
_COLUMNS = bytes.maketrans("".join(PACKED.values()).encode(), bytes(range(len(VERDICTS))))
"""Where a table [labels, verdicts] counts each packed letter of a label, and of a verdict."""

METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio", "mcc")


def count_table(labels: str, verdicts: str, questions_per_image: Sequence[int]) -> Counts:
    """Packed labels and verdicts (result.PACKED), grouped by image, as counts: int64 [images, labels, verdicts]."""
    shape = (len(questions_per_image), len(LABELS), len(VERDICTS))
    image = np.repeat(np.arange(shape[0]), questions_per_image)
    cell = image * shape[1] * shape[2] + cells(labels, verdicts)
    return np.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape)


class Packed(Protocol):
    """A split's letters, with the verdicts of every sample."""

    @property
    def labels(self) -> str: ...
    @property
    def all_verdicts(self) -> Sequence[str]: ...
    @property
    def questions_per_image(self) -> Sequence[int]: ...


def answer_table(split: Packed, chosen: NDArray[np.bool_] | None = None) -> Counts:
    """A split's answers as counts, int64 [images, labels, verdicts]: of several samples, each one's together. Questions that are
    not `chosen`, bool [questions], count as never asked."""
    tables = []
    for verdicts in split.all_verdicts:
        if chosen is not None:
            verdicts = np.where(chosen, _letters(verdicts), ord(PACKED["unasked"])).astype(np.uint8).tobytes().decode("ascii")
        tables.append(count_table(split.labels, verdicts, split.questions_per_image))
    return np.asarray(np.sum(tables, axis=0), dtype=np.int64)


def share_right(split: Packed) -> tuple[Floats, NDArray[np.bool_]]:
    """The share of its answers to each question that are right, float64 [questions] in [0, 1], and which were asked, bool."""
    found = np.stack([_letters(verdicts) for verdicts in split.all_verdicts])
    return (found == _letters(split.labels)).mean(axis=0), (found != ord(PACKED["unasked"])).all(axis=0)


def cells(labels: str, verdicts: str) -> NDArray[np.int64]:
    """Which cell of a table [labels, verdicts] each packed question is counted in: int64 [questions], in [0, 10)."""
    row, column = (
        np.frombuffer(letters.encode("ascii").translate(places), dtype=np.uint8)
        for letters, places in ((labels, _ROWS), (verdicts, _COLUMNS))
    )
    return (row + column).astype(np.int64)


def stated_table(scores: Sequence[SplitScore | Part]) -> Counts:
    """The counts that splits, or parts of one, state: int64 [scores, labels, verdicts]."""
    return np.array([stated_counts(one) for one in scores], dtype=np.int64).reshape(len(scores), len(LABELS), len(VERDICTS))


def pair_table(split: Packed) -> Counts:
    """Pairs of consecutive questions with both right in one sample, and pairs asked, int64 [images, 1, 2], of a packed split of
    pairs."""
    label = _letters(split.labels)
    image = np.repeat(np.arange(len(split.questions_per_image)), np.asarray(split.questions_per_image) // 2)
    made = np.zeros((len(split.questions_per_image), 1, 2), dtype=np.int64)
    for verdicts in split.all_verdicts:
        verdict = _letters(verdicts)
        right, asked = verdict == label, verdict != ord(PACKED["unasked"])
        np.add.at(made[:, 0, 0], image, right[::2] & right[1::2])
        np.add.at(made[:, 0, 1], image, asked[::2] & asked[1::2])
    return made


def _letters(packed: str) -> NDArray[np.uint8]:
    return np.frombuffer(packed.encode("ascii"), dtype=np.uint8)


def discrimination(pairs: NDArray[np.int64] | Floats) -> Floats:
    """Paired discrimination of pair tables [..., 1, 2], of shape [...], in [0, 1], NaN where no pair was asked."""
    return divide(pairs[..., 0, 0], pairs[..., 0, 1])


def verdict_counts(row: Counts) -> VerdictCounts:
    """One label's counts, int64 [verdicts], as a record."""
    return VerdictCounts(**dict(zip(VERDICTS, row.tolist(), strict=True)))


RATIOS = ("accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio")
"""The metrics that are a quotient of sums of counts."""


@cache
def ratio_weights(convention: Convention = STRICT) -> Mapping[str, tuple[Counts, Counts]]:
    """What each of the RATIOS counts above and below the line: weights of a table's cells, int64 [labels, verdicts] twice."""
    kept = 2 if convention.unread == "nowhere" else VERDICTS.index("unasked")
    yes, no, nothing = _label("yes", kept), _label("no", kept), np.zeros((len(LABELS), len(VERDICTS)), dtype=np.int64)
    hits, false_alarms, rejections = (nothing.copy() for _ in range(3))
    hits[0, 0] = false_alarms[1, 0] = rejections[1, 1] = 1
    recalled = _label("yes", 2) if convention.unread == "not in recall" else yes
    return {
        "accuracy": (hits + rejections, yes + no),
        "precision": (hits, hits + false_alarms),
        "recall": (hits, recalled),
        "f1": (2 * hits, hits + false_alarms + recalled),
        "specificity": (rejections, no),
        "hallucination_rate": (false_alarms, no),
        "yes_ratio": (yes if convention.gold_yes_ratio else hits + false_alarms, yes + no),
    }


def _label(label: str, kept: int) -> Counts:
    """Weights that count the questions of one label with one of the first `kept` verdicts."""
    made = np.zeros((len(LABELS), len(VERDICTS)), dtype=np.int64)
    made[LABELS.index(label), :kept] = 1
    return made


def compute(counts: NDArray[np.int64] | Floats, convention: Convention = STRICT) -> dict[str, Floats]:
    """Every metric of count tables [..., labels, verdicts], each of shape [...], NaN where undefined.

    All lie in [0, 1] but `mcc`, which lies in [-1, 1]. Under `strict` an unparsed answer or an error is a miss on a
    yes-question, and on a no-question wrong but no false positive; other conventions say otherwise (Convention.unread). Unasked
    questions are in no denominator. The hallucination rate is the share of asked no-questions answered yes. F1 is
    2TP / (2TP + FP + FN): 0 where nothing is affirmed, though precision is undefined there; undefined without yes-questions.
    MCC is Matthews' correlation of labels and answers, with "neither yes nor no" as a third answer (R_K, Gorodkin 2004).
    """
    weights = ratio_weights(convention)
    flat: Any = np.asarray(counts).reshape(*np.shape(counts)[:-2], len(LABELS) * len(VERDICTS))
    above, below = (flat @ np.stack([weights[name][side].ravel() for name in RATIOS], axis=1) for side in (0, 1))
    found = {name: divide(above[..., place], below[..., place]) for place, name in enumerate(RATIOS)}
    kept = 2 if convention.unread == "nowhere" else VERDICTS.index("unasked")
    found["f1"] = np.where(counts[..., 0, :kept].sum(axis=-1) > 0, found["f1"], np.nan)
    found["balanced_accuracy"] = (found["recall"] + found["specificity"]) / 2
    found["mcc"] = correlation(counts[..., :kept])
    return {name: found[name] for name in METRICS}


def correlation(asked: NDArray[np.int64] | Floats) -> Floats:
    """R_K of tables [..., labels, verdicts]: (c s - sum p t) / sqrt((s^2 - sum p^2) (s^2 - sum t^2)), with s questions, c of them
    right, and p and t how often each answer was given and would have been right."""
    values = np.asarray(asked, dtype=np.float64)
    answered = values.sum(axis=-2)
    given = (answered[..., 0], answered[..., 1], answered[..., 2:].sum(axis=-1))
    true = (values[..., 0, :].sum(axis=-1), values[..., 1, :].sum(axis=-1))
    total, right = true[0] + true[1], values[..., 0, 0] + values[..., 1, 1]
    covariance = right * total - given[0] * true[0] - given[1] * true[1]
    spread = (total**2 - sum(one**2 for one in given)) * (total**2 - sum(one**2 for one in true))
    return divide(covariance, np.sqrt(np.maximum(spread, 0)))


def point_metrics(counts: Counts, convention: Convention = STRICT) -> dict[str, float | None]:
    """Every metric of one count table [labels, verdicts]: a number, or None where it is undefined."""
    return {name: optional(float(value)) for name, value in compute(counts, convention).items()}


def optional(value: float) -> float | None:
    """The number as results hold it: 6 digits, so that no platform's last bit shows; None for NaN."""
    return None if math.isnan(value) else round(value, 6)


def divide(numerator: NDArray[np.int64] | Floats, denominator: NDArray[np.int64] | Floats) -> Floats:
    """The quotient, NaN where the denominator is 0 (or less)."""
    result = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    made: Floats = np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)
    return made
