"""Packed verdicts in; every split's numbers, the comparisons between splits and the averages over them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, Comparison, Hallucination
from hope_bench.files.spec import Kind, is_balanced
from hope_bench.files.split_score import Average, BreakdownName, Part, SplitScore
from hope_bench.records import no_collector
from hope_bench.scoring import probability
from hope_bench.scoring.averaging import group_splits, mark_repeated
from hope_bench.scoring.blind import blind_scores
from hope_bench.scoring.breakdown import Rows, Sizes, breakdowns, common_categories, part_places
from hope_bench.scoring.conventions import STRICT, Convention
from hope_bench.scoring.recount import How, Letters, Recount
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
    return f"control-{split.removeprefix('content-') if split.startswith('content-balanced') else split}"


@no_collector()
def score_splits(given: Scored) -> Numbers:
    """Every split's numbers, the comparisons and the averages, with intervals paired by image throughout."""
    return _Scoring(given).numbers()


class _Scoring:
    """The letters counted, and beside them what only the questions tell."""

    def __init__(self, given: Scored) -> None:
        self.given = given
        self.images = len(given.benchmark.manifest.images)
        self.kinds = {name: given.benchmark.manifest.splits[name].kind for name in given.packed}
        self.groups = group_splits(self.kinds)
        questions = {name: packed.questions for name, packed in given.packed.items()}
        self.common = common_categories(questions.values())
        self.blind = {name: blind_scores(questions[name], given.benchmark.others.get(name, ())) for name in given.packed}
        repeated = mark_repeated(self.groups, questions)
        letters = {name: self._letters(name, repeated.get(name)) for name in given.packed}
        self.counted = Recount(letters, self.groups, self.images, How(given.bootstrap, given.convention))

    def _letters(self, name: str, repeated: str | None) -> Letters:
        packed = self.given.packed[name]
        p_yes = probability.pack(packed.p_yes) if any(value is not None for value in packed.p_yes) else None
        letters = (packed.labels, packed.verdicts, packed.questions_per_image)
        return Letters(self.kinds[name], *letters, p_yes, repeated, packed.further_verdicts)

    def numbers(self) -> Numbers:
        return Numbers(
            {name: self._split(name) for name in self.given.packed},
            tuple(self.counted.comparison(split, base) for split, base in comparison_pairs(self.kinds)),
            tuple(average for group in self.groups for average in self.counted.averages(group)),
            self._worst(),
        )

    def _split(self, name: str) -> SplitScore:
        parts = self._breakdowns(name)
        places = part_places(self.given.packed[name].questions, parts, self.common, self.given.sizes)
        return SplitScore(**self.counted.split(name), blind=self.blind[name], breakdowns=parts, part_of=places)

    def _breakdowns(self, name: str) -> dict[BreakdownName, tuple[Part, ...]]:
        packed = self.given.packed[name]
        image = np.repeat(np.arange(self.images), packed.questions_per_image)
        samples = len(packed.all_verdicts)
        letters = packed.labels * samples, "".join(packed.all_verdicts)
        rows = Rows(packed.questions * samples, *letters, np.tile(image, samples))
        return breakdowns(rows, self.common, self.given.sizes, self.given.convention)

    def _worst(self) -> tuple[Hallucination, ...]:
        answered = {
            name: Answered(packed.questions, packed.labels, packed.verdicts, packed.p_yes)
            for name, packed in self.given.packed.items()
            if self.kinds[name] != "twin"
        }
        return worst_hallucinations(answered, self.given.benchmark.manifest.images, self.given.bootstrap.seed)
