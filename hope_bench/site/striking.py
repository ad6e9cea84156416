"""One question for the first page: of those that models' results list among their surest hallucinations, the one most fell for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hope_bench.files.result import Hallucination
from hope_bench.files.split_score import PACKED
from hope_bench.site.views import Section

_LIKELY_THERE = 0.5
"""A question whose object the benchmark thinks likelier there than not is no example."""

_COUNTED = 40
"""Candidates whose answers are counted: those that most results list."""


@dataclass(frozen=True, slots=True)
class Striking:
    """A question about something absent, in three `parts` where the object is named in it, with the address of its picture (None
    where it can't be shown), how many of the ranked `models` said yes, and where it leads."""

    image: str
    question: str
    parts: tuple[str, str, str] | None
    picture: str | None
    yes: int
    models: int
    link: str


def striking(section: Section, pictures: Mapping[str, str]) -> Striking | None:
    """The question that most ranked models affirmed, one with a picture before one without; None where results list none."""
    results = [row.entry.result for row in section.ranked]
    listed: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], tuple[Hallucination, str]] = {}
    for row in section.ranked:
        for one in row.entry.result.worst or ():
            if one.risk is None or one.risk < _LIKELY_THERE:
                listed[one.image, one.question] += 1
                found.setdefault((one.image, one.question), (one, row.entry.page))
    ordered = sorted(listed, key=lambda key: (key[0] not in pictures, -listed[key], key))[:_COUNTED]
    if not ordered:
        return None

    def affirmed(one: Hallucination) -> int:
        return sum(result.splits[one.split].verdicts[one.place] == PACKED["yes"] for result in results)

    best = max(ordered, key=lambda key: (key[0] in pictures, affirmed(found[key][0])))
    one, page = found[best]
    before, named, after = one.question.partition(one.object or "\0")
    parts = (before, named, after) if named else None
    return Striking(
        one.image, one.question, parts, pictures.get(one.image), affirmed(one), len(results), f"{page}#hallucinations"
    )
