"""What blind answering scores, which a result's verdicts alone don't give."""

from __future__ import annotations

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Blind, SplitScore
from hope_bench.scoring.blind import blind_metrics

TOLERANCE = 2e-6
"""Numbers in a result are rounded to 6 digits."""

INTERVAL_TOLERANCE = 2e-4
"""Some intervals are percentiles of resamples; another version of numpy may round one resample to the other side."""


def differ(stated: float | None, expected: float | None, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers, or their absence, are not the same."""
    if stated is None or expected is None:
        return stated is not expected
    return not abs(stated - expected) <= tolerance


def check_blind(split: SplitScore, where: str) -> None:
    """Recompute always-yes and always-no from the labels; the prior must be what some counts of them give, for its questions'
    categories are not in the file. Raises HopeBenchError naming the key that is off."""
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


def prior(split: SplitScore) -> Blind | None:
    """What the split says of the category prior; None where it says nothing."""
    return next((one for one in split.blind if one.name == "category-prior"), None)


def same_blind(one: Blind, other: Blind | None) -> bool:
    """Whether two records of a blind way say the same."""
    return other is not None and not any(
        differ(getattr(one, key), getattr(other, key)) for key in Blind.model_fields if key != "name"
    )
