"""Numbers of a result that its verdicts alone don't give: what blind answering scores, and rates corrected for wrong labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Blind, Bootstrap, Corrected, Estimate, SplitScore
from hope_bench.reviewing.noise import Share, share
from hope_bench.scoring.blind import blind_metrics
from hope_bench.scoring.label_noise import corrected_rates
from hope_bench.scoring.metrics import Floats

TOLERANCE = 2e-6
"""Numbers in a result are rounded to 6 digits."""

INTERVAL_TOLERANCE = 2e-4
"""Intervals are percentiles of resamples; another version of numpy may round one resample to the other side."""

_Z = 1.959963984540054
_MOST_REVIEWS = 50
"""Pairs of counts that are tried: only reviews of thousands of questions have several that agree with their rounded shares."""


def differ(stated: float | None, expected: float | None, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers, or their absence, are not the same."""
    if stated is None or expected is None:
        return stated is not expected
    return not abs(stated - expected) <= tolerance


def check_blind(split: SplitScore, where: str) -> None:
    """Recompute always-yes and always-no from the labels; the others must be what some counts of them give, for the
    questions' words are not in the file. Raises HopeBenchError naming the key that is off."""
    names = [one.name for one in split.blind]
    if len(set(names)) != len(names):
        raise HopeBenchError(f"{where}.blind holds a name twice. Score the run again.")
    positives, negatives = split.labels.count("y"), split.labels.count("n")
    for index, one in enumerate(split.blind):
        key = f"{where}.blind.{index}"
        rates = {"always-yes": (1.0, 1.0), "always-no": (0.0, 0.0)}
        recall, rate = rates.get(one.name, (one.recall or 0.0, one.hallucination_rate or 0.0))
        if not (0 <= recall <= 1 and 0 <= rate <= 1):
            raise HopeBenchError(f"{key}: recall or hallucination_rate is not between 0 and 1. Score the run again.")
        right, wrong = round(recall * positives), round(rate * negatives)
        for metric, expected in blind_metrics(positives, negatives, right, wrong).items():
            if differ(stated := getattr(one, metric), expected):
                raise HopeBenchError(
                    f"{key}.{metric} is {stated}, but the labels give {one.name} {expected}. Score the run again."
                )
        accuracy = one.balanced_accuracy
        if one.either_way is not None and (accuracy is None or differ(one.either_way.value, max(accuracy, 1 - accuracy))):
            raise HopeBenchError(f"{key}.either_way doesn't follow from its balanced accuracy. Score the run again.")


_LEARNT_TOLERANCE = 0.005
"""Another version of scikit-learn may answer a few questions otherwise."""


def differing_way(one: Sequence[Blind], other: Sequence[Blind]) -> str | None:
    """The first blind way of which two records of the same questions don't say the same; None where they agree on all they
    share."""
    known = {each.name: each for each in other}
    for each in one:
        there = known.get(each.name)
        rates = ("recall", "hallucination_rate")
        if there is not None and any(differ(getattr(each, key), getattr(there, key), _LEARNT_TOLERANCE) for key in rates):
            return each.name
    return None


def check_corrected(
    split: SplitScore, where: str, images: int, bootstrap: Bootstrap, samples: tuple[Floats, Floats] | None = None
) -> None:
    """Recompute corrected rates from the shares of wrong labels that they state. With the bootstrap's `samples` of recall and
    hallucination rate, [replicates] each, their intervals, too. Raises HopeBenchError naming the key that is off."""
    stated = split.corrected
    if stated is None:
        return
    drawn, used = samples, bootstrap
    if drawn is None:
        drawn, used = (np.full(1, np.nan), np.full(1, np.nan)), bootstrap.model_copy(update={"replicates": 1})
    reviews = _reviews(stated, len(split.labels))
    if not reviews:
        raise HopeBenchError(
            f"{where}.corrected: no review of {stated.reviewed:,} of its {len(split.labels):,} questions finds the shares "
            "wrong_yes and wrong_no with these intervals. Score the run again."
        )
    problems = []
    for yes, no in reviews:
        problem = _off(stated, corrected_rates(split, yes, no, drawn, images, used), intervals=samples is not None)
        if problem is None:
            return
        problems.append(problem)
    key, one, other = problems[0]
    raise HopeBenchError(
        f"{where}.corrected.{key} is {one}, but its own shares of wrong labels give {other}. Score the run again."
    )


def _off(stated: Corrected, expected: Corrected, *, intervals: bool) -> tuple[str, float | None, float | None] | None:
    """The first number that is off: its key, as it is stated, and as it should be."""
    for key in ("recall", "hallucination_rate", "ceiling"):
        for end in ("value", "low", "high") if intervals else ("value",):
            one, other = getattr(getattr(stated, key), end), getattr(getattr(expected, key), end)
            if differ(one, other, TOLERANCE if end == "value" else INTERVAL_TOLERANCE):
                return f"{key}.{end}", one, other
    return None


def _reviews(stated: Corrected, questions: int) -> list[tuple[Share, Share]]:
    """What a review may have counted, (yes, no): wrong labels of all reviewed ones, so that the stated shares follow."""
    if not 2 <= stated.reviewed <= questions:
        return []
    totals = np.arange(1, stated.reviewed)
    yes, yes_off = _counts(stated.wrong_yes, totals)
    no, no_off = _counts(stated.wrong_no, totals[::-1])
    off = np.maximum(yes_off, no_off)
    places = np.flatnonzero(off <= TOLERANCE)
    places = places[np.argsort(off[places], kind="stable")][:_MOST_REVIEWS].tolist()
    return [(share(int(yes[at]), at + 1), share(int(no[at]), stated.reviewed - at - 1)) for at in places]


def _counts(stated: Estimate, totals: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> tuple[Floats, Floats]:
    """For each total the count that a share is of it, and how far the stated share and its Wilson interval are from that's."""
    low, high = stated.low, stated.high
    if stated.value is None or low is None or high is None or not 0 <= stated.value <= 1:
        return np.zeros(len(totals)), np.full(len(totals), np.inf)
    counts = np.rint(stated.value * totals)
    found = counts / totals
    middle = (found + _Z**2 / (2 * totals)) / (1 + _Z**2 / totals)
    half = _Z / (1 + _Z**2 / totals) * np.sqrt(found * (1 - found) / totals + _Z**2 / (4 * totals**2))
    off = np.abs([found - stated.value, middle - half - low, middle + half - high])
    return counts, off.max(axis=0)
