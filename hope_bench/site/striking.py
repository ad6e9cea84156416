"""One question for the first page where a benchmark's questions aren't published: of those that results list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hope_bench.files.result import Hallucination
from hope_bench.files.split_score import PACKED
from hope_bench.site.questions import Fooling, image_link
from hope_bench.site.views import Section

_LIKELY_THERE = 0.5
"""A question whose object the benchmark thinks likelier there than not is no example."""

_COUNTED = 40
"""Candidates whose answers are counted: those that most results list."""


def striking(section: Section, pictures: Mapping[str, str]) -> Fooling | None:
    """Of the hallucinations that ranked models' results list, the one that most of them affirmed, one with a picture before one
    without; None where results list none. `pictures` maps an image to its picture's address from the site's root."""
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
    return Fooling(
        question=one.question, object=one.object, image=one.image, yes=affirmed(one), models=len(results),
        page=f"{page}#hallucinations", picture=pictures.get(one.image), link=image_link(one.image),
    )  # fmt: skip
