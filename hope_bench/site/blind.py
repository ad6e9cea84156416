"""What blind answering scores, which a result's verdicts alone don't give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hope_bench.errors import HopeBenchError
from hope_bench.files.split_score import BLIND_WAYS, Blind, SplitScore
from hope_bench.scoring.blind import ALWAYS, blind_metrics

TOLERANCE = 2e-6
"""Numbers in a result are rounded to 6 digits."""

RESAMPLED_TOLERANCE = 2e-4
"""Some intervals are percentiles of resamples; another version of numpy may round one resample to the other side."""


def differ(stated: float | None, expected: float | None, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers, or their absence, are not the same."""
    if stated is None or expected is None:
        return stated is not expected
    return not abs(stated - expected) <= tolerance


def check_blind(splits: Mapping[str, SplitScore], where: str) -> None:
    """Score the blind ways again: always yes and always no from the labels, the others from what they say to each question.
    Raises HopeBenchError naming the key that is off."""
    counts: list[tuple[int, int, int, int]] = []
    found: list[tuple[str, Blind]] = []
    for name, split in splits.items():
        key = f"{where}: splits.{name}.blind"
        if len({one.name for one in split.blind}) != len(split.blind):
            raise HopeBenchError(f"{key} holds a name twice. Score the run again.")
        positives, negatives = split.labels.count("y"), split.labels.count("n")
        for index, one in enumerate(split.blind):
            rates = {"always-yes": (1.0, 1.0), "always-no": (0.0, 0.0)}
            recall, rate = rates.get(one.name, (one.recall or 0.0, one.hallucination_rate or 0.0))
            if not (0 <= recall <= 1 and 0 <= rate <= 1):
                raise HopeBenchError(f"{key}.{index}: recall or hallucination_rate is not between 0 and 1. Score the run again.")
            counts.append((positives, negatives, round(recall * positives), round(rate * negatives)))
            found.append((f"{key}.{index}", one))
    for (key, one), expected in zip(found, blind_metrics(counts), strict=True):
        for metric, value in expected.items():
            if differ(stated := getattr(one, metric), value):
                raise HopeBenchError(f"{key}.{metric} is {stated}, but the labels give {one.name} {value}. Score the run again.")
        accuracy = one.balanced_accuracy
        if one.either_way is not None and (accuracy is None or differ(one.either_way.value, max(accuracy, 1 - accuracy))):
            raise HopeBenchError(f"{key}.either_way doesn't follow from its balanced accuracy. Score the run again.")


def check_ways(split: SplitScore, where: str) -> None:
    """Which ways there are, and what each says of how it was learnt, must be as scoring writes it. Raises HopeBenchError."""
    names = tuple(one.name for one in split.blind)
    if names not in ((), BLIND_WAYS[:2], BLIND_WAYS):
        raise HopeBenchError(f"{where}.blind holds some of the ways only, or out of their order. Score the run again.")
    if len({(one.fitted_on, one.images) for one in split.blind[2:]}) > 1:
        raise HopeBenchError(f"{where}.blind: fitted_on or images differ between the ways. Score the run again.")
    for index, one in enumerate(split.blind):
        learnt = [value is not None for value in (one.fitted_on, one.images, one.levels)]
        if any(learnt) if one.name in ALWAYS else one.levels is not None and not all(learnt):
            raise HopeBenchError(
                f"{where}.blind.{index}: fitted_on, images or levels are null of what is learnt, or not of what isn't. "
                "Score the run again."
            )


_LEARNT_TOLERANCE = 0.005
"""Another version of scikit-learn may answer a few questions otherwise."""


def differing_way(one: Sequence[Blind], other: Sequence[Blind]) -> str | None:
    """The first blind way of which two records of the same questions don't say the same; None where they agree on all they
    share."""
    known = {each.name: each for each in other}
    for each in one:
        there = known.get(each.name)
        rates = ("recall", "hallucination_rate")
        if there is not None and (each.fitted_on, each.images) != (there.fitted_on, there.images):
            return each.name
        if there is not None and any(differ(getattr(each, key), getattr(there, key), _LEARNT_TOLERANCE) for key in rates):
            return each.name
    return None
