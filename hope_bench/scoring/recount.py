"""Every number that a result's packed letters give, for scoring a run and for counting a result file again (restating.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from hope_bench.files.result import Bootstrap, Comparison
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Average, Estimate, Probabilities
from hope_bench.scoring import probability
from hope_bench.scoring.averaging import Group, unique_table
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.measuring import measure
from hope_bench.scoring.metrics import METRICS, Counts, Floats, answer_table, optional, pair_table, ratio_weights, verdict_counts
from hope_bench.scoring.rates import Measured, combined, difference, korn_graubard
from hope_bench.scoring.sensitivity import at_fixed_threshold, d_prime_and_criterion, fixed_thresholds, forced_choice


@dataclass(frozen=True, slots=True)
class Letters:
    """A split as a result packs it (SplitScore): one letter a question and sample, `p_yes` as Probabilities.packed or None."""

    kind: Kind
    labels: str
    verdicts: str
    questions_per_image: Sequence[int]
    p_yes: str | None = None
    repeated: str | None = None
    further_verdicts: tuple[str, ...] = ()

    @property
    def all_verdicts(self) -> tuple[str, ...]:
        """The verdicts of every sample."""
        return (self.verdicts, *self.further_verdicts)


@dataclass(frozen=True, slots=True)
class How:
    """How numbers are computed: the convention, and how images are resampled where no formula serves."""

    bootstrap: Bootstrap
    convention: Convention = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What a split's P(yes) gives: the questions behind it, AUROC, and the numbers as results hold them."""

    evidence: probability.Evidence
    auroc: Measured
    numbers: Probabilities


class Recount:
    """The numbers of splits over the same images, whose differences and averages are paired by image."""

    def __init__(self, splits: Mapping[str, Letters], groups: Mapping[Group, Sequence[str]], images: int, how: How) -> None:
        self.splits, self.groups, self.images, self.how = splits, groups, images, how
        self.confidence = how.bootstrap.confidence
        self.tables = {name: answer_table(one) for name, one in splits.items()}
        for group, names in groups.items():
            rows = [splits[name] for name in names]
            self.tables[f"pooled:{group}"] = np.sum([self.tables[name] for name in names], axis=0)
            if all(one.repeated is not None for one in rows):
                self.tables[f"unique:{group}"] = unique_table(
                    [
                        (one.labels, verdicts, one.questions_per_image, one.repeated or "")
                        for one in rows
                        for verdicts in one.all_verdicts
                    ]
                )
        stacked = measure(np.stack(list(self.tables.values())), how.bootstrap, how.convention) if self.tables else {}
        self.measured = {name: {metric: one[place] for metric, one in stacked.items()} for place, name in enumerate(self.tables)}
        self.rankings = self._rankings()

    def split(self, name: str) -> dict[str, Any]:
        """The fields of a split's SplitScore that its letters give."""
        letters, counts, found = self.splits[name], self.tables[name].sum(axis=0), self.measured[name]
        d_prime, criterion = self._signal(counts, found)
        paired, chosen = self._twins(letters)
        return {
            "kind": letters.kind,
            "on_yes": verdict_counts(counts[0]),
            "on_no": verdict_counts(counts[1]),
            **{metric: found[metric].estimate() for metric in METRICS},
            "d_prime": d_prime,
            "criterion": criterion,
            "paired_discrimination": paired,
            "forced_choice": chosen,
            "probabilities": self.rankings[name].numbers if name in self.rankings else None,
            "questions_per_image": tuple(letters.questions_per_image),
            "labels": letters.labels,
            "verdicts": letters.verdicts,
            "further_verdicts": letters.further_verdicts,
            "repeated": letters.repeated,
        }

    def comparison(self, split: str, baseline: str) -> Comparison:
        """A split against a baseline, each difference as results hold it."""
        one, base = self.measured[split], self.measured[baseline]
        drop = None
        if split in self.rankings and baseline in self.rankings:
            drop = paired(self.rankings[baseline].auroc, self.rankings[split].auroc)
        return Comparison(
            split=split,
            baseline=baseline,
            precision_drop=paired(base["precision"], one["precision"]),
            hallucination_rise=paired(one["hallucination_rate"], base["hallucination_rate"]),
            auroc_drop=drop,
        )

    def averages(self, group: Group) -> list[Average]:
        """A group's splits as one number, in every way that papers average."""
        names = tuple(self.groups[group])
        size = int(self.tables[f"pooled:{group}"].sum())
        made = [("split-mean", size, {metric: _mean([self.measured[name][metric] for name in names]) for metric in METRICS})]
        for method in ("pooled", "unique"):
            table = f"{method}:{group}"
            if table in self.tables:
                numbers = {metric: self.measured[table][metric].estimate() for metric in METRICS}
                made.append((method, int(self.tables[table].sum()), numbers))
        return [
            Average(group=group, method=cast(Any, method), splits=names, questions=questions, metrics=metrics)
            for method, questions, metrics in made
        ]

    def _signal(self, counts: Counts, found: Mapping[str, Measured]) -> tuple[Estimate, Estimate]:
        weights = ratio_weights(self.how.convention)
        hits, alarms = (
            (int((counts * weights[rate][0]).sum()), int((counts * weights[rate][1]).sum()))
            for rate in ("recall", "hallucination_rate")
        )
        return d_prime_and_criterion(hits, alarms, found["recall"], found["hallucination_rate"])

    def _rankings(self) -> dict[str, Ranking]:
        """What P(yes) gives, of the splits where any is known."""
        found = {
            name: probability.evidence(one.labels, one.verdicts, one.questions_per_image, one.p_yes)
            for name, one in self.splits.items()
            if one.p_yes is not None
        }
        samples = probability.resample(list(found.values()), self.images, self.how.bootstrap) if found else []
        made = {}
        tables = fixed_tables(found, self.images)
        for (name, one), drawn in zip(found.items(), samples, strict=True):
            area = probability.measure_auroc(one, self.images, self.confidence)
            packed = self.splits[name].p_yes or ""
            numbers = probability.probabilities(one, packed, area, drawn, self.how.bootstrap)
            made[name] = Ranking(one, area, numbers.model_copy(update={"fixed_balanced_accuracy": self._fixed(tables[name])}))
        return made

    def _fixed(self, table: Counts | None) -> Estimate | None:
        """Balanced accuracy at the threshold fixed on the baseline's random split."""
        if table is None:
            return None
        return measure(table[None], self.how.bootstrap, metrics=["balanced_accuracy"])["balanced_accuracy"][0].estimate()

    def _twins(self, letters: Letters) -> tuple[Estimate | None, Estimate | None]:
        if letters.kind != "twin":
            return None, None
        pairs = pair_table(letters)[:, 0]
        both = korn_graubard(pairs[:, 0], pairs[:, 1], self.confidence).estimate()
        if letters.p_yes is None:
            return both, None
        p_yes = probability.unpack(letters.p_yes)
        return both, forced_choice(p_yes, letters.verdicts, letters.questions_per_image, self.confidence).estimate()


def fixed_tables(found: Mapping[str, probability.Evidence], images: int) -> dict[str, Counts | None]:
    """Each split's count table, int64 [images, labels, verdicts], at the thresholds fixed on its family's random split, given
    what is known of P(yes) by split; None without that split."""
    fixed = {
        name: fixed_thresholds(base.p_yes, base.positive, base.image, images)
        for name in ("random", "random-balanced")
        if (base := found.get(name)) is not None
    }
    made: dict[str, Counts | None] = {}
    for name, one in found.items():
        thresholds = fixed.get("random-balanced" if name.endswith("-balanced") else "random")
        made[name] = None if thresholds is None else at_fixed_threshold(one.p_yes, one.positive, one.image, thresholds)
    return made


def paired(more: Measured, less: Measured) -> Estimate:
    """One number minus another of the same images, of the numbers as results hold them."""
    found = difference(more, less)
    one, other = optional(float(more.value)), optional(float(less.value))
    value = None if one is None or other is None else optional(one - other)
    return Measured(np.asarray(np.nan if value is None else value), found.low, found.high, found.influence).estimate()


def _mean(parts: Sequence[Measured]) -> Estimate:
    found = combined(*((1 / len(parts), one) for one in parts))
    values = [optional(float(one.value)) for one in parts]
    known = [value for value in values if value is not None]
    value: Floats = np.asarray(np.mean(known) if len(known) == len(values) else np.nan)
    return Measured(value, found.low, found.high, found.influence).estimate()
