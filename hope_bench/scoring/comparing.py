"""Several models on one split: numbers, ranks as intervals, and pairwise differences with tests, from result files alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.files.result import Bootstrap, Result
from hope_bench.provenance import short_hash
from hope_bench.scoring.comparison import LOWER_IS_BETTER, ModelComparison, Pair, Standing
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
from hope_bench.scoring.measuring import gradient, measure
from hope_bench.scoring.metrics import METRICS, Floats, answer_table, optional, share_right
from hope_bench.scoring.ranks import ranges_of
from hope_bench.scoring.rates import Measured
from hope_bench.scoring.recount import paired
from hope_bench.scoring.significance import detectable_difference, holm, sign_flip
from hope_bench.scoring.unread import unread_reason

UNRANKABLE = ("yes_ratio",)
"""A yes-ratio is neither good nor bad."""


def compare(
    results: Sequence[Result],
    split: str | None = None,
    metric: str = "balanced_accuracy",
    against: str | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    files: Sequence[Path | str] = (),
) -> ModelComparison:
    """Compare results of one benchmark on a split (the headline one by default), by the questions that all of them were asked.

    The pairs are all there are, or each model with the one named `against`. `files` are the results', which
    errors then name. Raises HopeBenchError for results of different questions or conventions or of no question in common, and for
    an unknown split, metric or model.
    """
    if len(results) < 2:
        raise HopeBenchError("A comparison takes two results or more.")
    names = model_names(results)
    chosen = split or results[0].benchmark.headline
    check_comparable(results, chosen, metric)
    check_conventions(results, files)
    if against is not None and against not in names:
        raise HopeBenchError(f"No model {against!r} among those compared. " + did_you_mean(against, names))
    splits = [result.splits[chosen] for result in results]
    right, asked = (np.stack(part) for part in zip(*map(share_right, splits), strict=True))
    common: NDArray[np.bool_] = np.logical_and.reduce(asked)
    if not common.any():
        raise HopeBenchError(f"No question of {chosen} was asked of all {len(results):,} models, so nothing compares.")
    (each,) = {one.questions_per_image for one in splits}
    kept, image = np.unique(np.repeat(np.arange(len(each)), each)[common], return_inverse=True)
    tables = np.stack([answer_table(one, common) for one in splits])[:, kept]
    (convention,) = {CONVENTIONS[one.convention] for one in results}
    measured = measure(tables, bootstrap, convention, [metric])[metric]
    samples = np.array([len(one.all_verdicts) for one in splits])
    questions = _Questions(tables / samples[:, None, None, None], right[:, common], image, metric, convention)
    pairs = _pairs(names, measured, questions, against)
    missing = {name: int(count) for name, count in zip(names, (~asked).sum(axis=1), strict=True) if count}
    unjudged = [unread_reason(result.splits) for result in results]
    reasons = [result.unranked or reason for result, reason in zip(results, unjudged, strict=True)]
    unranked = {name: reason for name, reason in zip(names, reasons, strict=True) if reason is not None}
    ranks = _ranks(names, measured, metric, [reason is None for reason in unjudged])
    if against is not None:  # of all pairs, the order is that in which the results were given
        place = {one.name: number for number, one in enumerate(ranks)}
        pairs = tuple(sorted(pairs, key=lambda pair: place[pair.one]))
    return ModelComparison(chosen, metric, len(kept), len(common), int(common.sum()), missing, unranked, ranks, pairs)


def check_metric(metric: str) -> None:
    """Raises HopeBenchError for what is no metric, naming the nearest."""
    if metric not in METRICS:
        raise HopeBenchError(f"No metric {metric!r}. " + did_you_mean(metric, METRICS))


def best(results: Sequence[Result], split: str | None, metric: str) -> str:
    """The name of the model with the best number on the split (the headline one by default), to hold the others against."""
    lower = metric in LOWER_IS_BETTER
    place = split or results[0].benchmark.headline

    def number(result: Result) -> float:
        found = getattr(result.splits[place], metric) if place in result.splits else None
        return -math.inf if found is None or found.value is None else -found.value if lower else found.value

    numbers = [number(result) for result in results]
    return model_names(results)[numbers.index(max(numbers))]


def model_names(results: Sequence[Result]) -> list[str]:
    """The models' names, each with its prompt where it is one of a set. Those of one name are told apart by what differs: the
    training step, the size, the revision, or else the run's name; by number where nothing does."""
    names = [
        result.model.name if result.run.prompt_name is None else f"{result.model.name}, {result.run.prompt_name}"
        for result in results
    ]
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    for name, places in groups.items():
        telling = _telling([results[place] for place in places])
        for place, words in zip(places, telling, strict=True):
            names[place] = f"{name} ({words})" if words else name
    return names


_DETAILS: tuple[Callable[[Result], str | None], ...] = (
    lambda one: None if one.run.step is None else f"step {one.run.step:,}",
    lambda one: one.model.parameters,
    lambda one: one.model.revision and short_hash(one.model.revision),
    lambda one: one.run.name,
)


def _telling(results: Sequence[Result]) -> list[str]:
    """What tells results of one name apart, in a few words each; at most one of them has none."""
    parts: list[list[str]] = [[] for _ in results]
    for detail in _DETAILS:
        found = [detail(one) or "" for one in results]
        if len(set(found)) > 1:
            for words, one in zip(parts, found, strict=True):
                words += [one] if one else []
        told = [", ".join(words) for words in parts]
        if len(set(told)) == len(told):
            return told
    return [
        words if told.count(words) == 1 else ", ".join(filter(None, (words, str(told[:place].count(words) + 1))))
        for place, words in enumerate(told)
    ]


def check_comparable(results: Sequence[Result], split: str, metric: str) -> None:
    """Raise HopeBenchError for results of different questions, and for an unknown split or metric."""
    first = results[0]
    check_metric(metric)
    if split not in first.splits:
        raise HopeBenchError(f"Benchmark {first.benchmark.name} has no split {split!r}. " + did_you_mean(split, first.splits))
    others = [one for one in results if one.benchmark.hash != first.benchmark.hash]
    if others:
        raise HopeBenchError(
            f"{len(others):,} of {len(results):,} results answer other questions than {first.model.name}'s "
            f"({first.benchmark.name}, hash {short_hash(first.benchmark.hash)}), such as {others[0].model.name}'s "
            f"({others[0].benchmark.name}, hash {short_hash(others[0].benchmark.hash)}). Only results of one "
            "benchmark version compare."
        )
    for result in results:
        one, base = result.splits.get(split), first.splits[split]
        if one is None or (one.labels, one.questions_per_image) != (base.labels, base.questions_per_image):
            raise HopeBenchError(f"{result.model.name}'s labels of {split} are not {first.model.name}'s. Score the runs again.")


def check_conventions(results: Sequence[Result], files: Sequence[Path | str]) -> None:
    """Raise HopeBenchError for results of different scoring conventions; `files` are the results', which it names."""
    called = [str(file) for file in files] or model_names(results)
    by_convention: dict[str, list[str]] = {}
    for result, name in zip(results, called, strict=True):
        by_convention.setdefault(result.convention, []).append(name)
    if len(by_convention) > 1:
        given = "; ".join(f"{convention}: {first_few(names, 3)}" for convention, names in by_convention.items())
        raise HopeBenchError(
            f"Results of different scoring conventions can't be compared ({given}). Score the runs by one of them: "
            f"hope-bench score RUN --convention {results[0].convention}"
        )


def _ranks(names: Sequence[str], measured: Measured, metric: str, judged: Sequence[bool]) -> tuple[Standing, ...]:
    """Standings, the best first, then those without a rank: undefined, or with too many answers that can't be judged."""
    lower = metric in LOWER_IS_BETTER
    estimates = [measured[row].estimate() for row in range(len(names))]
    rankable = [metric not in UNRANKABLE and sound for sound in judged]
    values = [one.value if sound else None for one, sound in zip(estimates, rankable, strict=True)]
    ranges = ranges_of(values, measured.influence, lower=lower)
    standings = []
    for name, estimate, value, found in zip(names, estimates, values, ranges, strict=True):
        before = [one for one in values if value is not None and one is not None and (one < value if lower else one > value)]
        low, high = found or (None, None)
        standings.append(Standing(name, estimate, None if value is None else 1 + len(before), low, high))
    return tuple(sorted(standings, key=lambda one: (one.rank or math.inf, one.name)))


@dataclass(frozen=True, slots=True, eq=False)
class _Questions:
    """The questions in common: the models' count tables [models, images, labels, verdicts] divided by their samples, the share of
    its answers to each question that each got right, float64 [models, questions] in [0, 1], the image of each, int64 [questions]
    in [0, images), and what is compared."""

    tables: Floats
    right: Floats
    image: NDArray[np.int64]
    metric: str
    convention: Convention

    def test(self, one: int, other: int) -> float | None:
        """The sign-flip test of the metric: each image's difference in counts, weighted by how the metric of both models' answers
        together grows with each count. That doesn't change when the two trade their answers to an image."""
        pooled = (self.tables[one] + self.tables[other]).sum(axis=0)
        slopes = gradient(pooled, self.metric, self.convention)
        return sign_flip(((self.tables[one] - self.tables[other]) * slopes).sum(axis=(-2, -1)))

    def only_right(self, one: int, other: int) -> tuple[int, int]:
        """How many questions only the one, and only the other, got right; of several answers, more often than the other."""
        return int((self.right[one] > self.right[other]).sum()), int((self.right[other] > self.right[one]).sum())

    def test_right(self, one: int, other: int) -> float | None:
        """The sign-flip test of how many questions of each image the two got right."""
        return sign_flip(np.bincount(self.image, weights=self.right[one] - self.right[other]))


def _pairs(names: Sequence[str], measured: Measured, questions: _Questions, against: str | None) -> tuple[Pair, ...]:
    def pair(one: int, other: int) -> Pair:
        found = paired(measured[one], measured[other])
        spread = measured.influence[one] - measured.influence[other]
        only = questions.only_right(one, other)
        return Pair(
            one=names[one],
            other=names[other],
            difference=found,
            p=None if found.value is None else questions.test(one, other),
            p_holm=None,
            right_p=questions.test_right(one, other),
            right_p_holm=None,
            one_only=only[0],
            other_only=only[1],
            detectable=None if found.low is None else optional(detectable_difference(spread)),
        )

    made = [pair(one, other) for one, other in _chosen(names, against)]
    corrected = zip(holm([one.p for one in made]), holm([one.right_p for one in made]), strict=True)
    return tuple(replace(one, p_holm=p, right_p_holm=tested) for one, (p, tested) in zip(made, corrected, strict=True))


def _chosen(names: Sequence[str], against: str | None) -> list[tuple[int, int]]:
    """The pairs to compare, by the models' places."""
    if against is None:
        return list(itertools.combinations(range(len(names)), 2))
    base = names.index(against)
    return [(one, base) for one in range(len(names)) if one != base]
