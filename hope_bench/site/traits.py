"""What is known of a benchmark's questions besides answers: objects' sizes, reviewed truth, and what answers them blindly."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hope_bench.files.result import Result
from hope_bench.files.split_score import NO_PART, SplitScore
from hope_bench.records import Label
from hope_bench.scoring.blind import Mask, answered_right
from hope_bench.site.question_file import Questions
from hope_bench.site.validity import WAYS

Finding = Literal["right", "wrong", "unsure"]
"""What reviewers say of a label."""


@dataclass(frozen=True, slots=True)
class Trait:
    """Of one question of a split: the `size` of its present object and what was `reviewed` (None where unknown), and those of the
    WAYS of not looking, either way round, that answer it right."""

    size: str | None
    reviewed: Finding | None
    blind: tuple[str, ...]


def traits(results: Sequence[Result], questions: Questions, split: str) -> list[Trait]:
    """The traits of a split's questions, in the order of a result's packed letters. Sizes and blind answers are those of the
    first of the benchmark's results that tells them."""
    scores = [result.splits[split] for result in results]
    sizes = next((_sizes(one) for one in scores if "object-size" in one.part_of), None)
    letters = questions.reviewed.get(split)
    right = next((found for one in scores if (found := _right(one))), {})
    return [
        Trait(
            size=None if sizes is None else sizes[place],
            reviewed=None if letters is None else _finding(one.label, letters[place]),
            blind=tuple(way for way, found in right.items() if found[place]),
        )
        for place, one in enumerate(questions.in_packed_order(split))
    ]


def _sizes(split: SplitScore) -> list[str | None]:
    names = [part.name for part in split.breakdowns["object-size"]]
    return [None if place == NO_PART else names[place] for place in base64.b64decode(split.part_of["object-size"])]


def _finding(label: Label, letter: str) -> Finding | None:
    if letter == "-":
        return None
    return "unsure" if letter == "?" else "right" if label.startswith(letter) else "wrong"


def _right(split: SplitScore) -> dict[str, list[bool]]:
    """To which questions each of the WAYS gives the right answer, as far as that is known."""
    found: dict[str, Mask | None] = {one.name: answered_right(one, split.labels) for one in split.blind}
    return {way: mask.tolist() for way in WAYS if (mask := found.get(way)) is not None}
