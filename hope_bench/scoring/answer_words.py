"""The words by which an English answer affirms, denies and doubts (answer_words.toml), and how a clause becomes words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import cast

_TABLE: Mapping[str, object] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def listed(key: str) -> frozenset[str]:
    """The words of one list of the table."""
    found = _TABLE[key]
    return frozenset(found.split() if isinstance(found, str) else cast(list[str], found))


def _one_of(key: str) -> str:
    """The patterns of that name as one, without a group of its own."""
    return f"(?:{'|'.join(cast(list[str], _TABLE[key]))})"


YES, NO, SOFT_YES, SOFT_NO = map(listed, ("yes", "no", "soft_yes", "soft_no"))
BE, SEEM, EXIST, LACK, THINK, VERBS = map(listed, ("be", "seem", "exist", "lack", "think", "verbs"))
PERCEIVE, CONTAIN, PRESENT, ABSENT = map(listed, ("perceive", "contain", "present", "absent"))
SHOW = PERCEIVE | CONTAIN
STATE = SHOW | BE
"""Verbs by which an answer says what it sees, what the picture shows, and what is."""
BE_OR_CAN, BE_OR_DO, BE_OR_SEEM = BE | {"can"}, BE | {"do", "does"}, BE | SEEM
NEGATORS, DENYING, EXCEPT, HEDGES = map(listed, ("negators", "denying", "except", "hedges"))
DETERMINERS, INDEFINITE, WEAK_MODIFIERS, OF_WHAT = map(listed, ("determiners", "indefinite", "weak_modifiers", "of_what"))
RELATIONS, QUOTING, PICTURES = map(listed, ("relations", "quoting", "pictures"))
LIKENESSES, LIKENESSES_SAID, MATERIALS = map(listed, ("likenesses", "likenesses_said", "materials"))
WROUGHT, NO_KIND, WITHIN_WHICH = map(listed, ("wrought", "no_kind", "within_which"))
BLOCKING = listed("blocking")
NOUNS_IN_ED_OR_ING, POINTING = map(listed, ("nouns_in_ed_or_ing", "pointing"))
FOLLOWING = BE | RELATIONS | PRESENT | VERBS | SEEM | listed("following")
YES_OR_NO = YES | NO
ELLIPTIC = DENYING | POINTING | BE | (PRESENT - {"in"}) | ABSENT | PERCEIVE | listed("elliptic")
ANSWERS, NAMES_ANSWER, ON_THE_WAY = map(listed, ("answers", "names_answer", "on_the_way"))
AFTER_ANSWER, AFTER_NO = map(listed, ("after_answer", "after_no"))
IN_LABELS = ANSWERS | listed("in_labels")

OPENER = re.compile(rf"{_one_of('openers')}\b(?: that\b)?\s?")
"""How a clause may begin without saying anything yet."""
_HOW = f"(?:{'|'.join(sorted(listed('how')))}) "
DOUBT = re.compile(rf"\b{_one_of('doubts')}\b".replace("{how}", _HOW))
"""What says that the model can't or won't say."""
BESIDE_THE_POINT = re.compile(
    rf"{_one_of('beside_the_point_doubts')}(?: of| about| exactly)? {_one_of('beside_the_point_matters')}\b"
)
"""Doubt about what the object is like, not whether it is there."""
REASONING = re.compile(rf"""["'{{\[\s]{{0,9}}{_one_of("reasoning")}""")
"""How reasoning begins that is written out: what it states on the way is not the answer."""

_EXPANSIONS = tuple(
    (re.compile(pattern), written_out) for pattern, written_out in cast(list[tuple[str, str]], _TABLE["expansions"])
)
_HERE = re.compile(
    r"\b(?:anywhere )?(?:in|of|within|from|inside|throughout|on) (?:the|this|your|that|my|our)? ?"
    r"(?:(?:provided|given|uploaded|attached|entire|whole|current|above|same|actual|input|visible|shown|displayed) )?"
    r"(?:image|picture|photo|photograph|scene|frame|screenshot|shot|view|illustration|snapshot|pic|visual)s?\b"
    r"(?: (?:itself|you provided|you sent|provided|shown|given|here|at all))?"
)
_DRAWLED = re.compile(r"(?P<no>n+o{2,}(?:p+e*)?s?|n+o+p{2,}e*|no+pe{2,})|y+e{2,}s+|y+es{2,}|y+e+a+h*|y+a+s+|y+e+p+|y+u+p+")
"""Yes and no as people drawl them: "nooo", "yesss"."""
_WORD = re.compile(r"'s\b|[^\W_]+")


def words_of(sentence: str) -> list[str]:
    """The words of a part of a sentence, contractions written out ("isn't" is "is not"), "in the image" as "here"."""
    return list(_words_of(sentence))


@lru_cache(maxsize=4_096)
def _words_of(sentence: str) -> tuple[str, ...]:
    for pattern, written_out in _EXPANSIONS:
        sentence = pattern.sub(written_out, sentence)
    found = _WORD.findall(_HERE.sub(" here ", sentence))
    return tuple(_plainly(word) if word[0] in "ny" else word for word in found)


def _plainly(word: str) -> str:
    found = _DRAWLED.fullmatch(word)
    return word if found is None else "no" if found["no"] else "yes"
