"""A benchmark in numbers: counts, label balance, frequent distractors, overlap of the splits, and the spread of risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.spec import Kind
from hope_bench.records import Question
from hope_bench.reviewing.noise import LabelNoise

BINS = 10
"""The risk histogram has bins of a tenth; the last one includes 1."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """One split in numbers. `distractors` are the objects claimed absent, most frequent first (ties by name); `risk` counts the
    no-questions in each tenth of [0, 1], None where no question has a risk; `risk_unknown` those without one. `noise` is what a
    reviewed sample says of its labels, empty where none was published."""

    name: str
    kind: Kind
    questions: int
    yes: int
    no: int
    descriptions: int
    images: int
    distractors: tuple[tuple[str, int], ...]
    risk: tuple[int, ...] | None
    risk_unknown: int
    mean_risk: float | None
    noise: tuple[LabelNoise, ...] = ()

    @property
    def yes_share(self) -> float | None:
        """The share of questions labelled yes."""
        return self.yes / self.questions if self.questions else None


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """How often one category is asked about: as `present` (each image once), and as absent by each split, in their order."""

    name: str
    present: int
    absent: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A benchmark in numbers. `categories` are those most often asked about as absent first (ties by name). `overlap[i][j]` is
    the Jaccard index of the claims of absence of splits i and j: of all that either makes, the share that both make; None where
    neither claims any."""

    title: str
    images: int
    unique_questions: int
    splits: tuple[SplitSummary, ...]
    categories: tuple[CategorySummary, ...]
    overlap: tuple[tuple[float | None, ...], ...]


def summarize(benchmark: Benchmark, noise: Sequence[LabelNoise] = ()) -> Summary:
    """The benchmark in numbers; `noise` is its published label noise (`read_label_noise`)."""
    splits = benchmark.splits
    claims = [{(one.image, one.text) for one in questions if one.label == "no"} for questions in splits.values()]
    return Summary(
        title=benchmark.manifest.title,
        images=len(benchmark.manifest.images),
        unique_questions=len({(one.image, one.text) for questions in splits.values() for one in questions}),
        splits=tuple(
            replace(
                _split(name, benchmark.manifest.splits[name].kind, questions),
                noise=tuple(one for one in noise if one.split == name and one.reviewed),
            )
            for name, questions in splits.items()
        ),
        categories=_categories(splits),
        overlap=tuple(tuple(_jaccard(one, other) for other in claims) for one in claims),
    )


def _split(name: str, kind: Kind, questions: Sequence[Question]) -> SplitSummary:
    absent = [question for question in questions if question.label == "no"]
    counts: Mapping[str, int] = Counter(question.object for question in absent if question.object and not question.description)
    risks = [question.risk for question in absent if question.risk is not None]
    return SplitSummary(
        name=name,
        kind=kind,
        questions=len(questions),
        yes=len(questions) - len(absent),
        no=len(absent),
        descriptions=sum(question.description is not None for question in questions),
        images=len({question.image for question in questions}),
        distractors=tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        risk=histogram(risks) if risks else None,
        risk_unknown=len(absent) - len(risks),
        mean_risk=sum(risks) / len(risks) if risks else None,
    )


def _categories(splits: Mapping[str, Sequence[Question]]) -> tuple[CategorySummary, ...]:
    """Descriptions are left out: their object is there, and not what they ask about."""
    plain = {name: [one for one in questions if one.object and not one.description] for name, questions in splits.items()}
    present = Counter(
        name for _, name in {(one.image, one.object) for each in plain.values() for one in each if one.label == "yes"}
    )
    absent = [Counter(one.object for one in questions if one.label == "no") for questions in plain.values()]
    names = sorted({name for counts in (present, *absent) for name in counts if name}, key=str)
    made = [CategorySummary(name, present[name], tuple(counts[name] for counts in absent)) for name in names]
    return tuple(sorted(made, key=lambda one: -sum(one.absent)))


def histogram(risks: Sequence[float]) -> tuple[int, ...]:
    """How many of the risks fall in each tenth of [0, 1]."""
    counts = [0] * BINS
    for risk in risks:
        counts[min(int(risk * BINS), BINS - 1)] += 1
    return tuple(counts)


def _jaccard(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> float | None:
    union = len(one | other)
    return len(one & other) / union if union else None
