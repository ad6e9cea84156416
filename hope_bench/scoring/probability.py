"""P(yes) packed into results, and what it tells without a threshold: AUROC, average precision, Brier score, calibration."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import Estimate, NullBand, Probabilities, ReliabilityBin
from hope_bench.scoring.intervals import percentiles, weight_chunks
from hope_bench.scoring.metrics import Floats, divide, optional
from hope_bench.scoring.rates import FEW_IMAGES, Design, Measured, as_estimate, rate_limits
from hope_bench.scoring.sensitivity import auroc_influence, d_a, known_p_yes, whole_of

_LIMIT = 14.0
_STEPS = 65534
_UNKNOWN = 65535
"""P(yes) is packed as its log-odds within +-14 (answers hold 6 digits, so +-13.8) in 65,535 steps."""

_BINS = 10
_NULL_CELLS = 2_000_000
"""Replicates x questions whose labels are drawn at once."""

_MOST_LEVELS = 500
"""A bootstrap replicate ranks P(yes) in at most this many levels; the value itself always ranks every number."""
_MOST_CELLS = 2 * _MOST_LEVELS


def pack(p_yes: Sequence[float | None]) -> str:
    """P(yes) of each question, in [0, 1] or None, as Probabilities.packed holds it."""
    known = np.array(p_yes, dtype=np.float64)  # NaN for None
    with np.errstate(divide="ignore"):
        odds = np.clip(np.log(known) - np.log1p(-known), -_LIMIT, _LIMIT)
    steps = np.where(np.isnan(known), _UNKNOWN, np.rint((np.nan_to_num(odds) + _LIMIT) / (2 * _LIMIT) * _STEPS))
    return base64.b64encode(steps.astype("<u2").tobytes()).decode("ascii")


def unpack(packed: str) -> Floats:
    """P(yes) of each question, float64 [questions], NaN where unknown. Raises ValueError where it isn't packed P(yes)."""
    steps = np.frombuffer(base64.b64decode(packed, validate=True), dtype="<u2").astype(np.float64)
    p_yes = 1 / (1 + np.exp(_LIMIT - 2 * _LIMIT * steps / _STEPS))
    return np.where(steps == _UNKNOWN, np.nan, p_yes)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The asked questions of a split whose P(yes) is known: `p_yes` float64 [Q], `positive` bool [Q] (labelled yes), `image`
    int64 [Q], which of the benchmark's images each is about."""

    p_yes: Floats
    positive: NDArray[np.bool_]
    image: NDArray[np.int64]

    @cached_property
    def histogram(self) -> Floats:
        """Questions by label and level of P(yes), float64 [2 (positive, negative), levels], in rising order of P(yes)."""
        which, count = _levels(self.p_yes, None)
        cell = np.where(self.positive, 0, count) + which
        return np.bincount(cell, minlength=2 * count).reshape(2, count).astype(np.float64)


def evidence(labels: str, verdicts: str, questions_per_image: Sequence[int], packed: str) -> Evidence:
    """A packed split's evidence: errors and unasked questions have none."""
    p_yes = unpack(packed)
    image = np.repeat(np.arange(len(questions_per_image)), questions_per_image)
    known = ~np.isnan(known_p_yes(p_yes, verdicts))
    return Evidence(p_yes[known], (np.frombuffer(labels.encode("ascii"), dtype=np.uint8) == ord("y"))[known], image[known])


def auroc(histogram: Floats) -> Floats:
    """The chance that a positive outranks a negative, ties half, of histograms [..., 2 (positive, negative), levels] in rising
    order of P(yes): shape [...], in [0, 1], NaN where one class is missing."""
    positive, negative = histogram[..., 0, :], histogram[..., 1, :]
    below = np.cumsum(negative, axis=-1) - negative / 2
    return divide((positive * below).sum(axis=-1), positive.sum(axis=-1) * negative.sum(axis=-1))


def average_precision(histogram: Floats) -> Floats:
    """The sum over falling thresholds of the step in recall times the precision there (as scikit-learn's), of histograms as
    `auroc` takes them: shape [...], in [0, 1], NaN without positives."""
    falling = np.cumsum(histogram[..., ::-1], axis=-1)
    true, all_ = falling[..., 0, :], falling[..., 0, :] + falling[..., 1, :]
    precision = np.nan_to_num(divide(true, all_))
    return divide((histogram[..., 0, ::-1] * precision).sum(axis=-1), true[..., -1])


def _levels(values: Floats, most: int | None) -> tuple[NDArray[np.int64], int]:
    """Which level each P(yes) is on, in rising order; at most `most` levels, of about equally many questions."""
    levels, which = np.unique(values, return_inverse=True)
    if most is None or len(levels) <= most:
        return which.astype(np.int64), max(len(levels), 1)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64), len(edges) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Bootstrap samples of one split's numbers that no formula serves, float64 [replicates] each."""

    average_precision: Floats
    brier: Floats


def resample(splits: Sequence[Evidence], images: int, bootstrap: Bootstrap) -> list[Samples]:
    """Every split's samples, replicates in the same images as `bootstrap_counts` draws."""
    from scipy.sparse import csr_array

    made = []
    for found in splits:
        which, count = _levels(found.p_yes, _MOST_LEVELS)
        column = np.where(found.positive, 0, count) + which
        # Counts of questions are whole numbers far below 2^24, so single precision holds them exactly, and is faster.
        ones = np.ones(len(column), dtype=np.float32)
        errors = np.bincount(found.image, weights=(found.p_yes - found.positive) ** 2, minlength=images)
        made.append((csr_array((ones, (column, found.image)), shape=(2 * count, images)), errors, count))
    rows: list[list[tuple[Floats, Floats]]] = [[] for _ in splits]
    for weights in weight_chunks(images, bootstrap, columns=_MOST_CELLS):
        turned = np.ascontiguousarray(weights.T, dtype=np.float32)
        for (table, errors, count), drawn in zip(made, rows, strict=True):
            histogram = np.moveaxis((table @ turned).astype(np.float64).reshape(2, count, len(weights)), -1, 0)
            drawn.append((average_precision(histogram), divide(weights @ errors, histogram.sum(axis=(-2, -1)))))
    return [Samples(*map(np.concatenate, zip(*drawn, strict=True))) for drawn in rows]


def measure_auroc(found: Evidence, images: int, confidence: float) -> Measured:
    """AUROC with its interval: the Korn-Graubard limits of a rate, with the variance of placements clustered by image (Obuchowski
    1997). Undefined where one label is missing."""
    if found.positive.all() or not found.positive.any():
        undefined = np.asarray(np.nan)
        return Measured(undefined, undefined, undefined, np.zeros(images))
    influence, placement = auroc_influence(found.p_yes, found.positive, found.image, images)
    sides = [found.image[label] for label in (found.positive, ~found.positive)]
    holding = [len(np.unique(found.image[which])) for which in (placement < 1, placement > 0)]
    design = Design(
        questions=np.asarray(len(placement)),
        images=np.asarray(min(len(np.unique(side)) for side in sides)),
        whole=np.asarray(max(whole_of(side, images) for side in sides)),
        few=np.asarray(min(holding)),
    )
    value = auroc(found.histogram)
    return Measured(value, *rate_limits(value, influence, design, confidence), influence)


def auroc_alone(found: Evidence) -> Measured:
    """AUROC without its interval and influence, in a tenth of the time."""
    value = auroc(found.histogram)
    undefined = np.full_like(value, np.nan)
    return Measured(value, undefined, undefined, undefined)


def probabilities(
    found: Evidence, packed: str, area: Measured, samples: Samples | None = None, bootstrap: Bootstrap | None = None
) -> Probabilities:
    """A split's numbers from P(yes), given its AUROC; with samples, those that need them have intervals."""
    brier = optional(float(divide(((found.p_yes - found.positive) ** 2).sum(), np.asarray(len(found.p_yes)))))
    precision = optional(float(average_precision(found.histogram)))

    def interval(value: float | None, drawn: Floats | None) -> Estimate:
        if drawn is None or bootstrap is None or len(np.unique(found.image)) <= FEW_IMAGES:
            return Estimate(value=value)
        return as_estimate(value, *map(float, percentiles(drawn, bootstrap.confidence)))

    bins = reliability(found)
    return Probabilities(
        questions=len(found.p_yes),
        auroc=area.estimate(),
        d_a=d_a(area),
        average_precision=interval(precision, None if samples is None or precision == 1 else samples.average_precision),
        brier=interval(brier, None if samples is None else samples.brier),
        ece=calibration_error(bins),
        ece_null=None if bootstrap is None else null_calibration_error(found, bootstrap),
        bins=bins,
        packed=packed,
    )


def null_calibration_error(found: Evidence, bootstrap: Bootstrap) -> NullBand | None:
    """What the expected calibration error is of as many questions with this P(yes) when each label is drawn by it, whatever the
    images: its mean and band over the bootstrap's replicates. Few questions alone give an error; one inside the band says nothing
    against the calibration. None without questions."""
    if not len(found.p_yes):
        return None
    place = _bin_of(found.p_yes)
    order = np.argsort(place, kind="stable")
    p_yes = found.p_yes[order]
    _, starts = np.unique(place[order], return_index=True)
    rng = np.random.default_rng([bootstrap.seed, 2])  # another stream than the bootstrap's
    rows = max(1, _NULL_CELLS // len(p_yes))
    drawn = []
    for done in range(0, bootstrap.replicates, rows):
        labels = rng.random((min(rows, bootstrap.replicates - done), len(p_yes)), dtype=np.float32) < p_yes
        drawn.append(np.abs(np.add.reduceat(labels - p_yes, starts, axis=1)).sum(axis=1) / len(p_yes))
    errors = np.concatenate(drawn)
    low, high = percentiles(errors, bootstrap.confidence)
    return NullBand(mean=round(float(errors.mean()), 6), low=round(float(low), 6), high=round(float(high), 6))


def _bin_of(p_yes: Floats) -> NDArray[np.uint8]:
    return np.minimum((p_yes * _BINS).astype(np.uint8), _BINS - 1)


def reliability(found: Evidence) -> tuple[ReliabilityBin, ...]:
    """The ten equally wide bins of P(yes) that hold questions; 1.0 belongs to the last."""
    place = _bin_of(found.p_yes)
    by_bin = found.p_yes[np.argsort(place, kind="stable")]
    counts, yes = (np.bincount(one, minlength=_BINS).tolist() for one in (place, place[found.positive]))
    rows, start = [], 0
    for index, count in enumerate(counts):
        if count:
            mean, share = round(float(by_bin[start : start + count].mean()), 6), round(yes[index] / count, 6)
            low, high = index / _BINS, (index + 1) / _BINS
            rows.append(ReliabilityBin(low=low, high=high, questions=count, p_yes=mean, yes=share))
        start += count
    return tuple(rows)


def calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Expected calibration error: the bins' distances between mean P(yes) and share of yes-labels, weighted by questions
    (Naeini et al. 2015), in [0, 1]; None without questions."""
    total = sum(one.questions for one in bins)
    return round(sum(one.questions * abs(one.p_yes - one.yes) for one in bins) / total, 6) if total else None
