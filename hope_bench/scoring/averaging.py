"""Groups of splits that papers average, and which of their questions an earlier split of the group asks too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from hope_bench.files.spec import Kind, is_balanced
from hope_bench.files.split_score import SplitScore
from hope_bench.records import Question
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.metrics import (
    LABELS,
    METRICS,
    VERDICTS,
    Counts,
    cells,
    compute,
    count_table,
    optional,
    point_metrics,
    stated_table,
)

Group = Literal["pope", "pope-guarded", "hope"]


def group_splits(kinds: Mapping[str, Kind]) -> dict[Group, tuple[str, ...]]:
    """POPE's own splits, its guarded ones, and HOPE's (of the main encoder): the groups of two splits and more. The balanced
    family, of which no paper averages anything, is in none."""
    groups: dict[Group, list[str]] = {"pope": [], "pope-guarded": [], "hope": []}
    for name, kind in kinds.items():
        if is_balanced(name):
            continue
        if kind == "pope":
            groups["pope-guarded" if name.endswith("-guarded") else "pope"].append(name)
        elif kind == "hope" and "@" not in name:
            groups["hope"].append(name)
    return {group: tuple(names) for group, names in groups.items() if len(names) > 1}


def mark_repeated(groups: Mapping[Group, Sequence[str]], questions: Mapping[str, Sequence[Question]]) -> dict[str, str]:
    """For every split of a group, "r" for each question that an earlier one of its splits asks too, "." for the others."""
    marks: dict[str, str] = {}
    for names in groups.values():
        seen: set[tuple[str, str]] = set()
        for name in names:
            keys = [(question.image, question.text) for question in questions[name]]
            marks[name] = "".join("r" if key in seen else "." for key in keys)
            seen.update(keys)
    return marks


def unique_table(splits: Sequence[tuple[str, str, Sequence[int], str]]) -> Counts:
    """The count table, int64 [images, labels, verdicts], of a group's splits (labels, verdicts, questions per image, marks) with
    every question once, in the first split that asks it."""
    total: Counts | None = None
    for labels, verdicts, per_image, marks in splits:
        first = np.frombuffer(marks.encode("ascii"), dtype=np.uint8) == ord(".")
        image = np.repeat(np.arange(len(per_image)), per_image)
        kept = np.bincount(image[first], minlength=len(per_image))
        table = count_table(_kept(labels, first), _kept(verdicts, first), kept.tolist())
        total = table if total is None else total + table
    assert total is not None
    return total


def average_points(
    method: str, splits: Sequence[SplitScore], convention: Convention = STRICT
) -> tuple[int, dict[str, float | None]]:
    """How many questions an average is over, and its metrics, from the splits alone, whose counts are what they state. Raises
    ValueError for `unique` of splits that don't say which questions are repeated."""
    counts = stated_table(splits)
    if method == "split-mean":
        points = compute(counts, convention)
        return int(counts.sum()), {name: mean([*map(optional, points[name].tolist())]) for name in METRICS}
    if method == "unique":
        counts = np.array([_asked_first(one) for one in splits], dtype=np.int64).reshape(counts.shape)
    total = counts.sum(axis=0)
    return int(total.sum()), point_metrics(total, convention)


def _asked_first(split: SplitScore) -> Counts:
    """The counts, int64 [labels * verdicts], of the questions that no earlier split of the group asks."""
    if split.repeated is None:
        raise ValueError("a split doesn't say which of its questions are repeated")
    first = np.frombuffer(split.repeated.encode("ascii"), dtype=np.uint8) == ord(".")
    size = len(LABELS) * len(VERDICTS)
    counts = [np.bincount(cells(split.labels, verdicts)[first], minlength=size) for verdicts in split.all_verdicts]
    return np.asarray(np.sum(counts, axis=0), dtype=np.int64)


def mean(values: Sequence[float | None]) -> float | None:
    """A mean as results hold it; None where any number is undefined."""
    known = [value for value in values if value is not None]
    return optional(float(np.mean(known))) if known and len(known) == len(values) else None


def _kept(letters: str, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    return np.frombuffer(letters.encode("ascii"), dtype=np.uint8)[chosen].tobytes().decode("ascii")
