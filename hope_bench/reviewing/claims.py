"""What a reviewer decides on: each claim of a benchmark once, however many splits ask about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import standing_of
from hope_bench.files.reading import decode, lines_of, read_bytes
from hope_bench.files.spec import UNGUARDED
from hope_bench.records import Label, Question
from hope_bench.search.decisions import ClaimKey

UNGUARDED_SPLITS = frozenset(UNGUARDED)


class ListedQuestion(msgspec.Struct, frozen=True):
    """A line of a list of questions to review."""

    image: str
    question: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What the benchmark claims of one image: that `text` is rightly answered with `label`. `splits` are those that ask it, with
    the distractor's score in each (None where it has none); `risk` is the highest that a split gives. `standing` in [0, 1] is the
    share of a split's distractors that score no higher, the highest of the splits'; None without a score. `inclusion` in (0, 1]
    is the chance with which a sample draws the claim; None outside of samples."""

    image: str
    object: str
    description: str | None
    text: str
    label: Label
    splits: Mapping[str, float | None]
    risk: float | None = None
    standing: float | None = None
    evidence: Mapping[str, float] | None = None
    inclusion: float | None = None

    @property
    def key(self) -> ClaimKey:
        """The claim's identity."""
        return (self.image, self.object, self.description)


def key_of(question: Question) -> ClaimKey:
    """The identity of the claim behind a question; a question without an object is its own text."""
    return (question.image, question.object or question.text, question.description)


def unique_claims(splits: Mapping[str, Iterable[Question]]) -> tuple[Claim, ...]:
    """Every claim of the splits once, in order of first appearance."""
    found: dict[ClaimKey, Claim] = {}
    for split, questions in splits.items():
        listed = list(questions)
        standings = standing_of(listed)
        for question, standing in zip(listed, standings, strict=True):
            key, score = key_of(question), question.distractor_score
            claim = found.get(key)
            if claim is None:
                claim = Claim(question.image, key[1], question.description, question.text, question.label, {})
            found[key] = replace(
                claim,
                splits={**claim.splits, split: score},
                risk=_highest(claim.risk, question.risk),
                standing=_highest(claim.standing, standing),
                evidence=question.evidence if claim.evidence is None else claim.evidence,
            )
    return tuple(found.values())


def _highest(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def review_queue(splits: Mapping[str, Iterable[Question]]) -> tuple[Claim, ...]:
    """The claims of absence: those that a decision can change (of POPE's own splits it changes none) before the rest, the
    likeliest wrong first: highest risk, then highest standing among its split's distractors (scores of different splits can't be
    compared), then by image and name."""
    absent = (claim for claim in unique_claims(splits) if claim.label == "no")
    return tuple(sorted(absent, key=_urgency))


def listed_queue(splits: Mapping[str, Iterable[Question]], path: Path) -> tuple[Claim, ...]:
    """The claims behind the questions that a file lists, in its order: JSON lines with `image` and `question`, as the leaderboard
    publishes them (KEY-review.jsonl).

    Raises HopeBenchError naming the line that lists none, or one that the splits don't ask.
    """
    by_question = {(one.image, one.text): key_of(one) for questions in splits.values() for one in questions}
    by_key = {claim.key: claim for claim in unique_claims(splits)}
    found: dict[ClaimKey, Claim] = {}
    for number, line in enumerate(lines_of(read_bytes(path), path), 1):
        if not line.strip():
            continue
        try:
            listed = decode(line, ListedQuestion)
        except msgspec.DecodeError as error:
            raise HopeBenchError(
                f'{path}, line {number}: lists no question ({error}). Expected: {{"image": ..., "question": ...}}.'
            ) from None
        key = by_question.get((listed.image, listed.question))
        if key is None:
            raise HopeBenchError(
                f"{path}, line {number}: {listed.question[:100]!r} of {listed.image[:100]} is not asked here. Give the list of "
                "this benchmark, and all of its splits."
            )
        found.setdefault(key, by_key[key])
    if not found:
        raise HopeBenchError(f'{path} lists no question. Expected lines: {{"image": ..., "question": ...}}.')
    return tuple(found.values())


def is_changeable(claim: Claim) -> bool:
    """Whether some split asks the claim that would ask another after a rejection."""
    return not UNGUARDED_SPLITS.issuperset(claim.splits)


def _urgency(claim: Claim) -> tuple[bool, float, float, str, str, str]:
    risk = -1.0 if claim.risk is None else claim.risk
    standing = -1.0 if claim.standing is None else claim.standing
    return (not is_changeable(claim), -risk, -standing, claim.image, claim.object, claim.description or "")


@dataclass(frozen=True, slots=True)
class Statement:
    """A question in words, with those that carry it apart: "Is there a", "vase", " in this picture?"."""

    before: str
    stress: str
    after: str

    def __str__(self) -> str:
        return " ".join(" ".join((self.before, self.stress, self.after)).split()).replace(" ?", "?")


_NUMBERS = ("exactly ", "only ", "one ", "two ", "three ", "four ", "five ", "the ")
_QUESTION = re.compile(r"(?P<verb>is|are) there (?P<article>an? )?(?P<what>.+?)\s{0,9}\?", re.IGNORECASE)


def is_existence(claim: Claim) -> bool:
    """Whether a claim is of an object's being there, "absent" or "present"; else it is of what holds: "exactly two dogs"."""
    found = _QUESTION.fullmatch(claim.text.strip())
    return claim.description is None and found is not None and not found["what"].lower().startswith(_NUMBERS)


def question(claim: Claim) -> Statement:
    """What is asked of the picture, which doesn't tell the label."""
    found = _QUESTION.fullmatch(claim.text.strip())
    if found is None:
        return Statement("", "", claim.text)
    what = _of_this_picture(found["what"])
    tail = " in this picture" if what.endswith(" in this picture") else ""
    return Statement(f"{found['verb']} there {found['article'] or ''}", what.removesuffix(tail), f"{tail}?")


def _of_this_picture(what: str) -> str:
    return re.sub(r"\bin the image$", "in this picture", what).replace("of the image", "of this picture")
