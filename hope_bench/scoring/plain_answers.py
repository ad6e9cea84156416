"""A clause that is a yes or a no, begins with one, or calls one the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hope_bench.scoring.answer_words import (
    AFTER_ANSWER,
    AFTER_NO,
    ANSWERS,
    HEDGES,
    IN_LABELS,
    NAMES_ANSWER,
    NO,
    ON_THE_WAY,
    YES,
    YES_OR_NO,
    listed,
)
from hope_bench.scoring.asked_object import Asked
from hope_bench.scoring.statements import Said

_ANOTHERS = re.compile(
    r"\b(?:answer|response) (?:was|had been|would have been|used to be)\b|"
    r"\b(?:you|they|people|some|others|many|one|someone|anyone)"
    r"(?: (?:all|people|would|might|may|could|can|will|to|(?:expect|tell|told|want|wants|asks|asked) me))*"
    r" (?:answer|guess|reply|respond|say)\b"
    r"|\b(?:(?:was|were) (?:about|going)|asked|asks"
    r"|could|earlier|expect|expected|expecting|hoped|inclined|initial|like|love|previous|prior|tempted|told|want|wanted|wants|why)\b"
    r"(?: \w+){0,6} (?:answer|guess|reply|respond|response|say)\b"
)
"""Whose yes or no isn't this answer's, or isn't any more: "you say no", "I wanted to say yes", "my earlier answer"."""


def noted(tokens: Sequence[str], what: Asked | None) -> Said | None:
    """A name and a value, as notes have them: "dog no", "dog not found"."""
    named = [] if what is None else what.find(tokens)
    return _NOTED.get(" ".join(tokens[named[0][1] :])) if named and named[0][0] == 0 else None


_NOTED: dict[str, Said] = {
    "yes": "yes", "no": "no", "absent": "no", "none": "no", "missing": "no", "not found": "no", "not detected": "no",
    "not present": "no",
    "not visible": "no", "not seen": "no", "not here": "no", "not there": "no", "found": "yes", "present": "yes",
}  # fmt: skip


def direct(tokens: Sequence[str]) -> Said | None:
    """A clause that is a yes or a no, or begins with one: "no there is not", but not "no dog" or "no doubt"."""
    if not tokens:
        return None
    firm = tokens[: tokens.index("from")] if "from" in tokens[1:] else tokens
    if len(firm) > 1 and firm[-1] in YES_OR_NO and _FIRM.issuperset(firm[:-1]):
        return "yes" if firm[-1] in YES else "no"  # "a clear no", "a yes from me"
    if tokens[0] in YES:
        return "yes"
    if tokens[0] not in NO:
        return None
    return "no" if tokens[0] != "no" or _AFTER_NO.issuperset(tokens[1:2]) else None


_FIRM = listed("firm")
_AFTER_NO = AFTER_NO | YES_OR_NO


def named_as_answer(tokens: Sequence[str]) -> Said | None:
    """A yes or no that ends a clause which calls it the answer: "the answer is no", "I would say yes"."""
    words = list(tokens)
    while words and words[-1] in AFTER_ANSWER:
        words.pop()
    if not words or words[-1] not in YES_OR_NO or _UNANSWERED & set(words) or _ANOTHERS.search(" ".join(words)):
        return None
    for word in reversed(words[:-1]):
        if word in NAMES_ANSWER:
            return "yes" if words[-1] in YES else "no"
        if word not in ON_THE_WAY:
            return None
    return None


_SUMS_UP = frozenset(
    ("therefore", "thus", "hence", "final", "to sum up", "in short", "in sum", "in conclusion", "bottom line", "tl dr", "tldr")
)  # fmt: skip
_UNANSWERED = HEDGES | {"could", "either", "if", "not", "only", "or", "reason", "there", "whether"}


def is_label(tokens: Sequence[str]) -> bool:
    """Whether the words before a colon call what follows the answer: "final answer", "the answer to your question is"."""
    if " ".join(tokens) in _SUMS_UP:
        return True
    return bool(ANSWERS & set(tokens)) and IN_LABELS.issuperset(tokens)
