"""What a report says: a run's result, taken apart by what was asked, and its worst hallucinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hope_bench.benchmark import Benchmark
from hope_bench.records import Answer, Question
from hope_bench.result import Comparison, Part, Result, SplitScore
from hope_bench.scoring.breakdown import SIZES, break_down, by_category, by_kind, by_size, unique_rows
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.prompt_spread import HowAsked, Spread
from hope_bench.scoring.verdicts import in_packed_order

LEAST_QUESTIONS = 5
"""A category with fewer no-questions has no rate worth showing."""


@dataclass(frozen=True, slots=True)
class Hallucination:
    """A claim about an absent object that the model affirmed: the question, the splits that ask it, the model's words and P(yes),
    and how likely the object is there after all, where the benchmark knows. `picture` is a data URI, None without images."""

    question: Question
    splits: tuple[str, ...]
    text: str | None
    p_yes: float | None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a report may add to the run: object sizes by (image, category), numbers under other prompts."""

    sizes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    prompts: tuple[HowAsked, ...] = ()
    spreads: tuple[Spread, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """Everything on the page. `searched` are the splits that categories and kinds are counted over."""

    result: Result
    headline: SplitScore
    lead: Comparison | None
    searched: tuple[str, ...]
    categories: tuple[Part, ...]
    kinds: tuple[Part, ...]
    sizes: tuple[Part, ...]
    worst: tuple[Hallucination, ...]
    extras: Extras


def gather(benchmark: Benchmark, result: Result, answers: Sequence[Answer], most: int, extras: Extras) -> Content:
    """The content of a report; `most` is how many hallucinations to show."""
    questions = [name for name, split in result.splits.items() if split.kind != "twin"]
    searched = tuple(name for name in questions if result.splits[name].kind == "hope") or tuple(questions)
    described = [name for name in questions if any(one.description_kind for one in benchmark.splits[name])]
    lead = [pair for pair in result.comparisons if pair.split == result.benchmark.headline]
    way = CONVENTIONS[result.convention]
    asked = unique_rows(benchmark, result, questions)
    kinds = break_down(unique_rows(benchmark, result, described), by_kind, way) if described else ()
    sizes = {one.name: one for one in break_down(asked, by_size(extras.sizes), way)} if extras.sizes else {}
    return Content(
        result=result,
        headline=result.splits[result.benchmark.headline],
        lead=next((pair for pair in lead if pair.baseline == "adversarial"), lead[0] if lead else None),
        searched=searched,
        categories=_fooled(break_down(unique_rows(benchmark, result, searched), by_category, way)),
        kinds=kinds,
        sizes=tuple(sizes[name] for name in SIZES if name in sizes),
        worst=worst_hallucinations(benchmark, result, answers, questions, most),
        extras=extras,
    )


def _fooled(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The categories asked about often enough, the most hallucinated first."""
    asked = [one for one in parts if sum(one.on_no.model_dump().values()) - one.on_no.unasked >= LEAST_QUESTIONS]
    return tuple(sorted(asked, key=lambda one: (-(one.hallucination_rate.value or 0), one.name or "")))


def worst_hallucinations(
    benchmark: Benchmark, result: Result, answers: Sequence[Answer], splits: Sequence[str], most: int
) -> tuple[Hallucination, ...]:
    """At most `most` affirmed claims about absent objects, one an image: the surest first, then those most splits ask."""
    asked: dict[tuple[str, str], list[str]] = {}
    questions: dict[tuple[str, str], Question] = {}
    for split in splits:
        for question, verdict in zip(in_packed_order(benchmark, split), result.splits[split].verdicts, strict=True):
            if question.label == "no" and verdict == "y":
                asked.setdefault((question.image, question.text), []).append(split)
                questions.setdefault((question.image, question.text), question)
    said = {(answer.image, answer.question): answer for answer in answers}
    found = [
        Hallucination(
            question, tuple(asked[key]), said[key].text if key in said else None, said[key].p_yes if key in said else None
        )
        for key, question in questions.items()
    ]
    found.sort(key=lambda one: (-(one.p_yes or 0), -len(one.splits), one.question.image, one.question.text))
    by_image: dict[str, Hallucination] = {}
    for one in found:
        by_image.setdefault(one.question.image, one)
    return tuple(by_image.values())[:most]
