"""Sensitivity apart from bias: d' and criterion from verdicts; the twins' forced choice and fixed thresholds from P(yes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.split_score import Estimate
from hope_bench.scoring.metrics import VERDICTS, Counts, Floats, divide, optional
from hope_bench.scoring.rates import Measured, as_estimate, combined, korn_graubard

FOLDS = 5
"""Images are scored by thresholds that were fixed on the other four fifths."""


def d_prime_and_criterion(
    hits: tuple[int, int], alarms: tuple[int, int], recall: Measured, rate: Measured
) -> tuple[Estimate, Estimate]:
    """d' = z(H) - z(F) and c = -(z(H) + z(F)) / 2, of (count, total) of hits and of false alarms, whose shares are `recall` and
    `rate`.

    H and F are under the log-linear correction, (count + 1/2) / (total + 1), which keeps them from 0 and 1 (Hautus 1995). The
    intervals are MOVER's, of the normal quantiles of the rates' own limits; null where a rate is 0 or 1, for there they have
    no end. Null without questions of both labels.
    """
    from scipy.special import ndtri

    if not hits[1] or not alarms[1]:
        return Estimate(value=None), Estimate(value=None)
    parts = []
    for counted, one in ((hits, recall), (alarms, rate)):
        low, high = (np.asarray(ndtri(float(end))) for end in (one.low, one.high))
        parts.append(Measured(np.asarray(log_linear_z(*counted)), low, high, one.influence))
    d_prime, criterion = combined((1.0, parts[0]), (-1.0, parts[1])), combined((-0.5, parts[0]), (-0.5, parts[1]))
    return d_prime.estimate(), criterion.estimate()


def log_linear_z(count: int, total: int) -> float:
    """The normal quantile of a share under the log-linear correction (Hautus 1995)."""
    from scipy.special import ndtri

    return float(ndtri((count + 0.5) / (total + 1)))


def d_a(auroc: Measured) -> Estimate:
    """sqrt(2) times the normal quantile of AUROC: d' where the two labels' evidence is spread unequally (Macmillan and Creelman
    2005). Null where AUROC is 0 or 1."""
    from scipy.special import ndtri

    value, low, high = (float(np.sqrt(2) * ndtri(float(one))) for one in (auroc.value, auroc.low, auroc.high))
    return as_estimate(optional(value) if np.isfinite(value) else None, low, high)


def forced_choice(p_yes: Floats, verdicts: str, questions_per_image: Sequence[int], confidence: float) -> Measured:
    """The share of a twin split's pairs in which the true description has the higher P(yes), ties half; undefined where no pair
    has both. `p_yes` is [questions], NaN where unknown."""
    p_yes = known_p_yes(p_yes, verdicts)
    known = ~(np.isnan(p_yes[::2]) | np.isnan(p_yes[1::2]))
    false, true = p_yes[::2][known], p_yes[1::2][known]
    image = np.repeat(np.arange(len(questions_per_image)), np.asarray(questions_per_image) // 2)[known]
    right = np.bincount(image, weights=(true > false) + (true == false) / 2, minlength=len(questions_per_image))
    return korn_graubard(right, np.bincount(image, minlength=len(questions_per_image)), confidence)


def known_p_yes(p_yes: Floats, verdicts: str) -> Floats:
    """P(yes) [questions] with NaN for errors and unasked questions, which have none."""
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.where((letters == ord("-")) | (letters == ord("e")), np.nan, p_yes)


def folds(images: int) -> NDArray[np.int64]:
    """Which fold each image belongs to, int64 [images], in [0, FOLDS); the same images always fall alike."""
    made = np.empty(images, dtype=np.int64)
    made[np.random.default_rng(0).permutation(images)] = np.arange(images) % FOLDS
    return made


def best_threshold(p_yes: Floats, positive: NDArray[np.bool_]) -> float | None:
    """The P(yes) from which on "yes" gives the best balanced accuracy: one of those seen, or infinity. Of several the middle one,
    so that a monotone change of P(yes) moves the threshold alike. None without questions of both labels."""
    if positive.all() or not positive.any():
        return None
    levels, which = np.unique(p_yes, return_inverse=True)
    yes, no = (np.bincount(which[label], minlength=len(levels)) for label in (positive, ~positive))
    recall, rate = (one[::-1].cumsum()[::-1] / one.sum() for one in (yes, no))
    gain = np.append(recall - rate, 0.0)  # from infinity on
    best = np.flatnonzero(np.isclose(gain, gain.max(), rtol=0, atol=1e-12))
    return float(np.append(levels, np.inf)[best[(len(best) - 1) // 2]])


def fixed_thresholds(p_yes: Floats, positive: NDArray[np.bool_], image: NDArray[np.int64], images: int) -> Floats | None:
    """Each image's threshold, float64 [images], fixed on the baseline's questions about images of other folds; None where those
    of a fold hold one label alone."""
    fold = folds(images)
    made = np.empty(images)
    for one in range(FOLDS):
        others = fold[image] != one
        threshold = best_threshold(p_yes[others], positive[others])
        if threshold is None:
            return None
        made[fold == one] = threshold
    return made


def at_fixed_threshold(p_yes: Floats, positive: NDArray[np.bool_], image: NDArray[np.int64], thresholds: Floats) -> Counts:
    """The count table, int64 [images, labels, verdicts], of saying yes from each image's threshold [images] on."""
    shape = (len(thresholds), 2, len(VERDICTS))
    row = (image * shape[1] + ~positive) * shape[2] + (p_yes < thresholds[image])
    return np.bincount(row, minlength=shape[0] * shape[1] * shape[2]).reshape(shape)


def placements(level: NDArray[np.uint8] | Floats, positive: NDArray[np.bool_]) -> Floats:
    """Each question's placement, float64 [questions] in [0, 1]: the share of the other label's questions that it is on the right
    side of, ties half, given its P(yes) or any level in that order. Needs questions of both labels."""
    from scipy.stats import rankdata

    below = rankdata(level)  # among all, less those among its own label
    for label in (positive, ~positive):
        below[label] -= rankdata(level[label])
    share = below / np.where(positive, (~positive).sum(), positive.sum())
    made: Floats = np.where(positive, share, 1 - share)
    return made


def auroc_influence(p_yes: Floats, positive: NDArray[np.bool_], image: NDArray[np.int64], images: int) -> tuple[Floats, Floats]:
    """What each image adds to AUROC's linearised error, float64 [images] (Obuchowski 1997), and each question's placement,
    float64 [questions]. Needs questions of both labels."""
    placement = placements(p_yes, positive)
    share = float(placement[positive].mean())
    weights = (placement - share) / np.where(positive, positive.sum(), (~positive).sum())
    return np.bincount(image, weights=weights, minlength=images).astype(np.float64), placement


def whole_of(image: NDArray[np.int64], images: int) -> float:
    """The reciprocal of the effective number of questions where those about one image are all alike."""
    counts = np.bincount(image, minlength=images).astype(np.float64)
    return float(divide((counts**2).sum(), counts.sum() ** 2))
