"""Packed verdicts in; every split's numbers, the comparisons between splits and the averages over them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import (
    Average,
    Bootstrap,
    BreakdownName,
    Comparison,
    Estimate,
    Hallucination,
    Part,
    Probabilities,
    SplitScore,
)
from hope_bench.files.spec import Kind, is_balanced
from hope_bench.records import no_collector
from hope_bench.scoring import probability
from hope_bench.scoring.averaging import Group, group_splits, mark_repeated, mean, unique_table
from hope_bench.scoring.blind import blind_scores
from hope_bench.scoring.breakdown import Rows, Sizes, breakdowns, common_categories
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.intervals import bootstrap_counts, estimate
from hope_bench.scoring.metrics import (
    METRICS,
    Counts,
    Floats,
    compute,
    count_table,
    discrimination,
    optional,
    pair_table,
    point_metrics,
    verdict_counts,
)
from hope_bench.scoring.verdicts import PackedSplit
from hope_bench.scoring.worst import Answered, worst_hallucinations


@dataclass(frozen=True, slots=True)
class Scored:
    """What is to be scored: the benchmark's splits packed, with how to resample and by which convention; `sizes` are those of
    present objects, where the annotations tell."""

    benchmark: Benchmark
    packed: Mapping[str, PackedSplit]
    bootstrap: Bootstrap
    convention: Convention = STRICT
    sizes: Sizes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Every number of a result."""

    splits: dict[str, SplitScore]
    comparisons: tuple[Comparison, ...]
    averages: tuple[Average, ...]
    worst: tuple[Hallucination, ...]


def comparison_pairs(kinds: Mapping[str, Kind]) -> list[tuple[str, str]]:
    """(split, baseline) of every comparison: each HOPE split against each POPE split, then against its own control.

    The balanced family asks other yes-questions than the rest, so that its splits are compared with its own baseline and control.
    """
    searched = [split for split in kinds if kinds[split] == "hope"]
    pairs = [
        (split, base) for split in searched for base in kinds if kinds[base] == "pope" and is_balanced(base) == is_balanced(split)
    ]
    controls = [(split, control_of(split)) for split in searched]
    return pairs + [(split, control) for split, control in controls if control in kinds]


def control_of(split: str) -> str:
    """What a split's control is called: control-content, and control-balanced of content-balanced."""
    return split.replace("content-", "control-", 1) if split.startswith("content-balanced") else f"control-{split}"


@no_collector()
def score_splits(given: Scored) -> Numbers:
    """Every split's numbers, the comparisons and the averages, with intervals paired by image throughout."""
    return _Scoring(given).numbers()


class _Scoring:
    """The tables and bootstrap samples that all of a result's numbers are read from."""

    def __init__(self, given: Scored) -> None:
        self.given = given
        self.images = len(given.benchmark.manifest.images)
        self.kinds = {name: given.benchmark.manifest.splits[name].kind for name in given.packed}
        self.tables = {
            name: count_table(packed.labels, packed.verdicts, packed.questions_per_image) for name, packed in given.packed.items()
        }
        self.groups = group_splits(self.kinds)
        questions = {name: packed.questions for name, packed in given.packed.items()}
        self.common = common_categories(questions.values())
        self.blind = {name: blind_scores(questions[name], given.benchmark.others.get(name, ())) for name in given.packed}
        self.repeated = mark_repeated(self.groups, questions)
        for group, names in self.groups.items():
            rows = [(given.packed[name], self.repeated[name]) for name in names]
            self.tables[f"unique:{group}"] = unique_table(
                [(one.labels, one.verdicts, one.questions_per_image, mark) for one, mark in rows]
            )
        stacked = bootstrap_counts(np.stack(list(self.tables.values())), given.bootstrap)
        self.resampled = {name: stacked[:, place] for place, name in enumerate(self.tables)}
        self.samples = {name: compute(counts, given.convention) for name, counts in self.resampled.items()}
        self.points = {name: point_metrics(table.sum(axis=0), given.convention) for name, table in self.tables.items()}
        self.ranked = self._from_p_yes()

    def numbers(self) -> Numbers:
        return Numbers(
            {name: self._split(name) for name in self.given.packed},
            tuple(self._comparison(split, base) for split, base in comparison_pairs(self.kinds)),
            tuple(average for group in self.groups for average in self._averages(group)),
            self._worst(),
        )

    def _estimate(self, value: float | None, samples: Floats) -> Estimate:
        return estimate(value, samples, self.images, self.given.bootstrap.confidence)

    def _from_p_yes(self) -> dict[str, tuple[Probabilities, probability.Samples]]:
        """The numbers and samples from P(yes), of the splits where any is known."""
        found = {}
        for name, packed in self.given.packed.items():
            if any(value is not None for value in packed.p_yes):
                code = probability.pack(packed.p_yes)
                found[name] = (code, probability.evidence(packed.labels, packed.verdicts, packed.questions_per_image, code))
        samples = probability.resample([one for _, one in found.values()], self.images, self.given.bootstrap) if found else []
        confidence = self.given.bootstrap.confidence
        return {
            name: (probability.probabilities(one, code, drawn, self.images, confidence), drawn)
            for (name, (code, one)), drawn in zip(found.items(), samples, strict=True)
        }

    def _split(self, name: str) -> SplitScore:
        packed, counts = self.given.packed[name], self.tables[name].sum(axis=0)
        return SplitScore(
            kind=self.kinds[name],
            on_yes=verdict_counts(counts[0]),
            on_no=verdict_counts(counts[1]),
            **{metric: self._estimate(value, self.samples[name][metric]) for metric, value in self.points[name].items()},
            paired_discrimination=self._paired(name),
            probabilities=self.ranked[name][0] if name in self.ranked else None,
            blind=self.blind[name],
            questions_per_image=packed.questions_per_image,
            labels=packed.labels,
            verdicts=packed.verdicts,
            repeated=self.repeated.get(name),
            breakdowns=self._breakdowns(name),
        )

    def _breakdowns(self, name: str) -> dict[BreakdownName, tuple[Part, ...]]:
        packed = self.given.packed[name]
        image = np.repeat(np.arange(self.images), packed.questions_per_image)
        rows = Rows(packed.questions, packed.labels, packed.verdicts, image)
        return breakdowns(rows, self.common, self.given.sizes, self.given.convention)

    def _worst(self) -> tuple[Hallucination, ...]:
        answered = {
            name: Answered(packed.questions, packed.labels, packed.verdicts, packed.p_yes)
            for name, packed in self.given.packed.items()
            if self.kinds[name] != "twin"
        }
        return worst_hallucinations(answered, self.given.benchmark.manifest.images, self.given.bootstrap.seed)

    def _paired(self, name: str) -> Estimate | None:
        if self.kinds[name] != "twin":
            return None
        packed = self.given.packed[name]
        pairs = pair_table(packed.labels, packed.verdicts, packed.questions_per_image)
        value = optional(float(discrimination(pairs.sum(axis=0))))
        return self._estimate(value, discrimination(bootstrap_counts(pairs[None], self.given.bootstrap))[:, 0])

    def _comparison(self, split: str, baseline: str) -> Comparison:
        return Comparison(
            split=split,
            baseline=baseline,
            precision_drop=self._difference("precision", baseline, split),
            hallucination_rise=self._difference("hallucination_rate", split, baseline),
            auroc_drop=self._auroc_drop(split, baseline),
        )

    def _difference(self, metric: str, more: str, less: str) -> Estimate:
        value = minus(self.points[more][metric], self.points[less][metric])
        return self._estimate(value, self.samples[more][metric] - self.samples[less][metric])

    def _auroc_drop(self, split: str, baseline: str) -> Estimate | None:
        if split not in self.ranked or baseline not in self.ranked:
            return None
        (one, drawn), (base, base_drawn) = self.ranked[split], self.ranked[baseline]
        return self._estimate(minus(base.auroc.value, one.auroc.value), base_drawn.auroc - drawn.auroc)

    def _averages(self, group: Group) -> list[Average]:
        names = self.groups[group]
        unique = f"unique:{group}"
        pooled: Counts = np.sum([self.tables[name].sum(axis=0) for name in names], axis=0)
        resampled = compute(np.sum([self.resampled[name] for name in names], axis=0), self.given.convention)
        means = {metric: mean([self.points[name][metric] for name in names]) for metric in METRICS}
        drawn = {metric: np.mean([self.samples[name][metric] for name in names], axis=0) for metric in METRICS}
        ways = (
            ("split-mean", int(pooled.sum()), means, drawn),
            ("pooled", int(pooled.sum()), point_metrics(pooled, self.given.convention), resampled),
            ("unique", int(self.tables[unique].sum()), self.points[unique], self.samples[unique]),
        )
        return [
            Average(group=group, method=method, splits=names, questions=questions, metrics={
                metric: self._estimate(values[metric], samples[metric]) for metric in METRICS
            })
            for method, questions, values, samples in ways
        ]  # fmt: skip


def minus(more: float | None, less: float | None) -> float | None:
    """A difference as results hold it; None where either number is undefined."""
    return None if more is None or less is None else optional(more - less)
