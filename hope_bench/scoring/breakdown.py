"""A run's numbers by what is asked about: each category, each kind of description, small, medium and large objects."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Result
from hope_bench.files.split_score import NO_PART, BreakdownName, Estimate, Part, SplitScore
from hope_bench.inspection.sizes import object_shares
from hope_bench.records import Annotations, Question
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.metrics import VERDICTS, Counts, Floats, cells, compute, divide, optional, verdict_counts
from hope_bench.scoring.rates import Design, limits_of
from hope_bench.scoring.verdicts import in_packed_order

SIZES = ("small", "medium", "large")
_SMALL, _LARGE = 0.01, 0.1
"""Shares of the image's area: an object is small below the one and large from the other on."""

LEAST_IMAGES = 10
"""A rate over fewer images gets no interval."""

MOST_CATEGORIES = 100
"""Categories that a result tells apart; the rest are counted together."""

Sizes = Mapping[tuple[str, str], str]
"""The size ("small", "medium", "large") of each present object by (image file, category)."""

Key = Callable[[Question], str | None]
"""Which part a question belongs to; None: to none."""


def by_category(question: Question) -> str | None:
    """The category asked about."""
    return question.object


def by_kind(question: Question) -> str:
    """The kind of claim: a described object's kind, or "plain" existence."""
    return question.description_kind or "plain"


def by_size(sizes: Sizes) -> Key:
    """The size of the object asked about; only present objects have one."""
    return lambda question: sizes.get((question.image, question.object or "")) if question.label == "yes" else None


def object_sizes(annotations: Annotations, images: Container[str]) -> dict[tuple[str, str], str]:
    """The size of each object present in one of the `images` by (image file, category): that of its largest instance, by share of
    the image's area.

    Small is below 1%, large from 10% on. Objects without a box, and images of unknown size, are left out.
    """
    largest = object_shares(annotations, images)
    return {key: SIZES[(share >= _SMALL) + (share >= _LARGE)] for key, share in largest.items()}


@dataclass(frozen=True, slots=True)
class Rows:
    """Questions with their packed labels and verdicts, and the place of each one's image, int64 [questions]. One that was
    answered several times stands there as often."""

    questions: Sequence[Question]
    labels: str
    verdicts: str
    image: NDArray[np.int64]


def unique_rows(benchmark: Benchmark, result: Result, splits: Sequence[str]) -> Rows:
    """The questions of several splits, one that several of them ask once, in the first; a row for each sample."""
    questions: dict[tuple[str, str, int], tuple[Question, str, str]] = {}
    for split in splits:
        scored, asked = result.splits[split], in_packed_order(benchmark, split)
        for sample, verdicts in enumerate(scored.all_verdicts):
            for question, label, verdict in zip(asked, scored.labels, verdicts, strict=True):
                questions.setdefault((question.image, question.text, sample), (question, label, verdict))
    place = {image: index for index, image in enumerate(benchmark.manifest.images)}
    rows = list(questions.values())
    image = np.array([place[question.image] for question, _, _ in rows], dtype=np.int64)
    return Rows([row[0] for row in rows], "".join(row[1] for row in rows), "".join(row[2] for row in rows), image)


def common_categories(splits: Iterable[Sequence[Question]], most: int = MOST_CATEGORIES) -> frozenset[str]:
    """The at most `most` categories that the splits ask about most often, no-questions first, ties by name."""
    asked: dict[str, Counter[str | None]] = {"no": Counter(), "yes": Counter()}
    for questions in splits:
        for label, counts in asked.items():
            counts.update(question.object for question in questions if question.label == label)
    names = {name for counts in asked.values() for name in counts if name is not None}
    ordered = sorted(names, key=lambda name: (-asked["no"][name], -asked["yes"][name], name))
    return frozenset(ordered[:most])


def breakdowns(
    rows: Rows, common: frozenset[str], sizes: Sizes, convention: Convention = STRICT
) -> dict[BreakdownName, tuple[Part, ...]]:
    """A split taken apart as results hold it: by category (those beyond `common` together), by kind of description where it has
    any, and by object size where any is known. Parts are in order of name, sizes small to large, the rest last."""
    made: dict[BreakdownName, tuple[Part, ...]] = {}
    for name, key in _keys(rows.questions, common, sizes).items():
        parts = break_down(rows, key, convention)
        if name == "object-size":
            found = {part.name: part for part in parts}
            parts = tuple(found[size] for size in SIZES if size in found)
        if parts:
            made[name] = parts
    return made


def part_places(
    questions: Sequence[Question], parts: Mapping[BreakdownName, Sequence[Part]], common: frozenset[str], sizes: Sizes
) -> dict[BreakdownName, str]:
    """Which of the parts that `breakdowns` made each question is in, as SplitScore.part_of holds it."""
    keys = _keys(questions, common, sizes)
    made: dict[BreakdownName, str] = {}
    for name, found in parts.items():
        place = {part.name: index for index, part in enumerate(found)}
        made[name] = base64.b64encode(bytes(place.get(keys[name](one), NO_PART) for one in questions)).decode("ascii")
    return made


def _keys(questions: Sequence[Question], common: frozenset[str], sizes: Sizes) -> dict[BreakdownName, Key]:
    """How a split's questions are taken apart."""
    keys: dict[BreakdownName, Key] = {"category": lambda question: question.object if question.object in common else None}
    if any(question.description_kind is not None for question in questions):
        keys["description-kind"] = by_kind
    return keys | {"object-size": by_size(sizes)}


def break_down(rows: Rows, key: Key, convention: Convention = STRICT) -> tuple[Part, ...]:
    """The parts that `key` names, in order of name, and last one without a name for the questions that it gives none."""
    given = [key(question) for question in rows.questions]
    names: list[str | None] = [*sorted({name for name in given if name is not None}), *([None] if None in given else [])]
    place = {name: index for index, name in enumerate(names)}
    part = np.array([place[name] for name in given], dtype=np.int64)
    return count_parts(names, part, cells(rows.labels, rows.verdicts), rows.image, convention)


def recount_parts(split: SplitScore, convention: Convention = STRICT) -> dict[BreakdownName, tuple[Part, ...]]:
    """A split's parts counted again from its letters and `part_of`; a breakdown that it doesn't tell is left out."""
    samples = len(split.all_verdicts)
    cell = cells(split.labels * samples, "".join(split.all_verdicts))
    image = np.tile(np.repeat(np.arange(len(split.questions_per_image)), split.questions_per_image), samples)
    made: dict[BreakdownName, tuple[Part, ...]] = {}
    for name, parts in split.breakdowns.items():
        if name not in split.part_of:
            continue
        part = np.tile(np.frombuffer(base64.b64decode(split.part_of[name]), dtype=np.uint8).astype(np.int64), samples)
        held = part != NO_PART
        made[name] = count_parts([one.name for one in parts], part[held], cell[held], image[held], convention)
    return made


def count_parts(
    names: Sequence[str | None],
    part: NDArray[np.int64],
    cell: NDArray[np.int64],
    image: NDArray[np.int64],
    convention: Convention = STRICT,
) -> tuple[Part, ...]:
    """The parts called `names`, given of each answer its part, its cell (`metrics.cells`) and its image, int64 [answers]."""
    counts: Counts = np.bincount(part * 10 + cell, minlength=10 * len(names)).reshape(len(names), 2, len(VERDICTS))
    verdict, label = cell % len(VERDICTS), cell // len(VERDICTS)
    asked = verdict != VERDICTS.index("unasked")
    pairs, which = np.unique(part * (image.max(initial=0) + 1) + image, return_inverse=True)
    owner = np.zeros(len(pairs), dtype=np.int64)
    owner[which] = part
    images = np.bincount(owner[np.bincount(which[asked], minlength=len(pairs)) > 0], minlength=len(names))
    points = compute(counts, convention)
    rates = {}
    for row, name in enumerate(("recall", "hallucination_rate")):
        counted = asked & (label == row) & _counted(verdict, name, convention)
        low, high = _interval(
            owner,
            np.bincount(which[counted], minlength=len(pairs)),
            np.bincount(which[counted & (verdict == 0)], minlength=len(pairs)),
            len(names),
        )
        rates[name] = [_estimate(*three) for three in zip(points[name], low, high, strict=True)]
    return tuple(
        Part(
            name=name, images=int(images[index]), on_yes=verdict_counts(counts[index, 0]), on_no=verdict_counts(counts[index, 1]),
            recall=rates["recall"][index], hallucination_rate=rates["hallucination_rate"][index],
        )
        for index, name in enumerate(names)
    )  # fmt: skip


def _counted(verdict: NDArray[np.int64], metric: str, convention: Convention) -> NDArray[np.bool_]:
    """Which verdicts are in a rate's denominator, as `metrics.compute` has it."""
    everywhere = convention.unread == "wrong" or (convention.unread == "not in recall" and metric != "recall")
    return np.ones(len(verdict), dtype=np.bool_) if everywhere else verdict < 2


def _interval(owner: NDArray[np.int64], asked: NDArray[np.int64], yes: NDArray[np.int64], parts: int) -> tuple[Floats, Floats]:
    """The 95% interval of each part's share of "yes", float64 [parts] twice, NaN for parts of fewer than LEAST_IMAGES images: the
    Korn-Graubard interval of `scoring.rates`.

    For each pair of a part and an image, int64 [pairs]: the part it belongs to, how many questions count, and how many of them
    were answered yes.
    """

    def total(values: NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]) -> Floats:
        return np.bincount(owner, weights=values, minlength=parts).astype(np.float64)

    images, questions = total(asked > 0).astype(np.int64), total(asked)
    share = divide(total(yes), questions)
    squares = divide(total((yes - np.nan_to_num(share)[owner] * asked) ** 2), questions**2)
    few = np.minimum(total(yes > 0), total(yes < asked)).astype(np.int64)
    design = Design(questions, images, divide(total(np.asarray(asked, dtype=np.float64) ** 2), questions**2), few)
    low, high = limits_of(np.where(images >= LEAST_IMAGES, share, np.nan), np.nan_to_num(squares), design)
    return low, high


def _estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=optional(float(value)), low=optional(float(low)), high=optional(float(high)))
