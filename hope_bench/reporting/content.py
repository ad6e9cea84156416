"""What a report says: a run's result, taken apart by what was asked, and its worst hallucinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Hallucination, Result
from hope_bench.files.split_score import Part, SplitScore
from hope_bench.records import Answer
from hope_bench.scoring.breakdown import SIZES, break_down, by_category, by_kind, by_size, unique_rows
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.prompt_spread import HowAsked, Spread
from hope_bench.scoring.verdicts import in_packed_order
from hope_bench.scoring.worst import Answered, worst_hallucinations

LEAST_QUESTIONS = 5
"""A category with fewer no-questions has no rate worth showing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A hallucination on the page: every split that asks its question, and the model's words, None where only its verdict is
    known. `picture` is the address of its picture or a data URI, None without."""

    claim: Hallucination
    splits: tuple[str, ...]
    text: str | None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a report may add to the run: object sizes by (image, category), numbers under other prompts."""

    sizes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    prompts: tuple[HowAsked, ...] = ()
    spreads: tuple[Spread, ...] = ()


@dataclass(frozen=True, slots=True)
class Fooled:
    """A category over all searched splits, each question once, and its hallucination rate in every split that asks about it often
    enough, by name."""

    part: Part
    by_split: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything on the page. `shown` are the splits but those of twins, `searched` those that categories and kinds are counted
    over."""

    result: Result
    headline: SplitScore
    shown: Mapping[str, SplitScore]
    searched: tuple[str, ...]
    categories: tuple[Fooled, ...]
    kinds: tuple[Part, ...]
    sizes: tuple[Part, ...]
    worst: tuple[Shown, ...]
    extras: Extras


def gather(benchmark: Benchmark, result: Result, answers: Sequence[Answer], most: int, extras: Extras) -> Content:
    """The content of a report; `most` is how many hallucinations to show."""
    questions = [name for name, split in result.splits.items() if split.kind != "twin"]
    searched = tuple(name for name in questions if result.splits[name].kind == "hope") or tuple(questions)
    described = [name for name in questions if any(one.description_kind for one in benchmark.splits[name])]
    way = CONVENTIONS[result.convention]
    asked = unique_rows(benchmark, result, questions)
    kinds = break_down(unique_rows(benchmark, result, described), by_kind, way) if described else ()
    sizes = {one.name: one for one in break_down(asked, by_size(extras.sizes), way)} if extras.sizes else {}
    return Content(
        result=result,
        headline=result.splits[result.benchmark.headline],
        shown={name: result.splits[name] for name in questions},
        searched=searched,
        categories=_fooled(result, questions, break_down(unique_rows(benchmark, result, searched), by_category, way)),
        kinds=kinds,
        sizes=tuple(sizes[name] for name in SIZES if name in sizes),
        worst=_worst(benchmark, result, answers, questions, most),
        extras=extras,
    )


def _asked_no(part: Part) -> int:
    return part.on_no.yes + part.on_no.no + part.on_no.unparsed + part.on_no.error


def _fooled(result: Result, splits: Sequence[str], parts: Sequence[Part]) -> tuple[Fooled, ...]:
    """The categories asked about often enough, the most hallucinated first."""
    rates: dict[str, dict[str, float]] = {}
    for split in splits:
        for part in result.splits[split].breakdowns.get("category", ()):
            value = part.hallucination_rate.value
            if part.name is not None and value is not None and _asked_no(part) >= LEAST_QUESTIONS:
                rates.setdefault(part.name, {})[split] = value
    found = [Fooled(one, rates.get(one.name, {})) for one in parts if one.name is not None and _asked_no(one) >= LEAST_QUESTIONS]
    return tuple(sorted(found, key=lambda one: (-(one.part.hallucination_rate.value or 0), one.part.name or "")))


def _worst(
    benchmark: Benchmark, result: Result, answers: Sequence[Answer], splits: Sequence[str], most: int
) -> tuple[Shown, ...]:
    """The worst hallucinations as results order them, with the model's words and every split that asks."""
    said = {(answer.image, answer.question): answer for answer in answers if answer.sample == 0}
    asked: dict[tuple[str, str], list[str]] = {}
    answered = {}
    for split in splits:
        scored, questions = result.splits[split], in_packed_order(benchmark, split)
        for question in questions:
            asked.setdefault((question.image, question.text), []).append(split)
        known = [said.get((question.image, question.text)) for question in questions]
        p_yes = [None if one is None else one.p_yes for one in known]
        answered[split] = Answered(questions, scored.labels, scored.verdicts, p_yes)
    found = worst_hallucinations(answered, benchmark.manifest.images, result.bootstrap.seed, most)
    return tuple(
        Shown(one, tuple(asked[one.image, one.question]), said[one.image, one.question].text if said else None) for one in found
    )
