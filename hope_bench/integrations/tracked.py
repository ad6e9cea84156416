"""The numbers of a result that are followed over time, by the names that trackers show."""

from __future__ import annotations

from collections.abc import Sequence

from hope_bench.files.result import Result

PREFIX = "hope_bench"


def tracked_numbers(result: Result, splits: Sequence[str] = (), prefix: str = PREFIX) -> dict[str, float]:
    """For each split (`splits`; empty: all that were asked) `PREFIX/SPLIT/hallucination_rate`, `.../balanced_accuracy`,
    `.../unparsed` and `.../error` (shares of the questions asked), all in [0, 1], and for each two of the splits that a result
    compares `PREFIX/SPLIT/precision_drop_from_BASELINE`, in [-1, 1]. Numbers that are undefined are left out.
    """
    numbers: dict[str, float | None] = {}
    for name, split in result.splits.items():
        counts = [split.on_yes, split.on_no]
        asked = sum(one.yes + one.no + one.unparsed + one.error for one in counts)
        if not asked or (splits and name not in splits):
            continue
        numbers |= {
            f"{prefix}/{name}/hallucination_rate": split.hallucination_rate.value,
            f"{prefix}/{name}/balanced_accuracy": split.balanced_accuracy.value,
            f"{prefix}/{name}/unparsed": sum(one.unparsed for one in counts) / asked,
            f"{prefix}/{name}/error": sum(one.error for one in counts) / asked,
        }
    for one in result.comparisons:
        if not splits or {one.split, one.baseline} <= set(splits):
            numbers[f"{prefix}/{one.split}/precision_drop_from_{one.baseline}"] = one.precision_drop.value
    return {name: value for name, value in numbers.items() if value is not None}
