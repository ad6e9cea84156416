"""Everything that an answer says, sentence by sentence: plain yes or no, labelled answers, and what its clauses state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from hope_bench.scoring.answer_marks import SCORES
from hope_bench.scoring.answer_text import Sentence
from hope_bench.scoring.answer_words import (
    ABSENT,
    ANSWERS,
    ELLIPTIC,
    INDEFINITE,
    LIKENESSES,
    NO,
    OPENER,
    SOFT_NO,
    SOFT_YES,
    YES,
    words_of,
)
from hope_bench.scoring.asked_object import Asked, number_of_word
from hope_bench.scoring.likenesses import as_seeming
from hope_bench.scoring.plain_answers import direct, is_label, named_as_answer, noted
from hope_bench.scoring.retractions import denied_claim, denied_word
from hope_bench.scoring.statements import NOTHING, NOTHING_ELSE, Said, Statement, read_clause

Kind = Literal["direct", "soft", "statement"]
"""A plain yes or no, a word like "certainly" that may also just open a reply, or what a clause states."""


CONCLUSION, LABELLED, FINAL = range(1, 4)


class Reading(NamedTuple):
    """One thing that an answer says (None: nothing of the object).

    `rank` is 0 by the way, CONCLUSION, or LABELLED and FINAL as the labelled answer; `turns` says that "but", "actually" and the
    like precede it.
    """

    said: Said | None
    kind: Kind
    rank: int = 0
    turns: bool = False


_SPLIT = re.compile(
    r"\s{0,3}(?:,|\(|\)|\"| - | = |\b(?:but|however|although|though|while|whereas|yet|because|since|nevertheless|nonetheless|"
    r"and(?= (?:there|it|i|we|they|the image|the picture|no (?=\w))\b))\b)\s{0,3}"
)
_TURNS = re.compile(
    r"\b(?:but|however|although|though|yet|nevertheless|nonetheless|whereas|while|wait|actually|correction|sorry|scratch that|"
    r"on second thought|hold on|i mean|upon (?:closer|further)|on closer|looking (?:again|closer)|in fact)\b"
)
_ALL_BUT = re.compile(r"\b(everything|nothing|anything|all|none) but\b")
_CONCLUDES = re.compile(
    r"(?:therefore|thus|hence|in conclusion|to conclude|in summary|consequently|overall|so|finally|to summarize)\b"
)
_ASKING = re.compile(
    r"(?:is|are|was|were|does|do|did|can|could|what|where|how|why|which|who|has|have) "
    r"(?:there|the|this|that|it|you|we|i|any|an?|someone|image|picture|here)\b"
)
_ASKS_OF = re.compile(r"(?:is|are|was|does|do|can|could)\b.{0,60}?\b(?:an?|any|some) (?P<noun>[a-z]{2,30})")
_OPPOSITE: dict[str, Said] = {"yes": "no", "no": "yes"}
_CONDITION = re.compile(r"(?:only )?(?:if(?! (?:you|we|i|one) (?:look|zoom|count the))|unless|provided|assuming|depending)\b")
_SUPPOSES = re.compile(r"if (?:so|there|it|that|the|a|an|this)\b")
_OPENS_ANSWER = frozenset(("answer", "conclusion", "verdict"))
_LISTS = frozenset(
    ("objects", "object", "items", "things", "animals", "visible", "detected", "present", "found", "identified", "seen", "here",
     "in", "the", "list", "of", "contents", "all", "shown", "tags", "labels", "keywords", "elements", "entities", "detections",
     "subjects", "classes", "categories")
)  # fmt: skip
_OPENS_ITEM = INDEFINITE - {"at"}
_ABSENCE = ABSENT | {"not"}
_LISTS_ABSENT = _LISTS | _ABSENCE
_ABSENT_ALONE = [[word] for word in _ABSENCE]
_COUNTS = frozenset(("count", "number", "total", "instances", "objects", "quantity"))
_LABELS = ANSWERS | _COUNTS | {"here", "right"}
_OF_SCORE: dict[str, Said] = {"scorehigh": "yes", "scorelow": "no", "scoremid": "doubt"}
_NEGATABLE = ("true", "present", "y", "detected", "visible", "positive", "found")
_VALUES: dict[str, Said] = {
    **dict.fromkeys(YES, "yes"), **dict.fromkeys(NO, "no"), **dict.fromkeys(_NEGATABLE, "yes"),
    **dict.fromkeys((f"not {value}" for value in _NEGATABLE), "no"),
    **dict.fromkeys(("false", "absent", "n", "none", "missing", "negative"), "no"),
}  # fmt: skip


class Reader:
    """Reads the sentences of one answer in order. A label at a sentence's end ("Answer:") lends its rank to the next one;
    `retracted` says that what came before them was taken back."""

    def __init__(self, what: Asked | None, retracted: bool) -> None:
        self._what = what
        self._lent = 0
        # After "no, wait", "it's a fox" says what it is instead.
        self._before = Statement(about=NOTHING_ELSE, seeming="appears" if retracted else None, turned=retracted)
        self._asked_other = False

    def read(self, sentence: Sentence) -> list[Reading]:
        """What the sentence says. A question says nothing, unless it is a bare yes or no."""
        if sentence.asks and direct(words_of(re.split(r"[:,]", sentence.text)[0])) is None:
            self._asked_other = self._of_another(sentence.text)
            self._before = NOTHING if self._asked_other else self._before
            return [Reading(None, "statement")]
        other, self._asked_other = self._asked_other, False
        found = self._denied(sentence)
        if found is None:
            found = self._said(sentence.text)
        if other:  # "Is that a cat? No, it's a dog."
            found = [one for one in found if one.kind == "statement"]
        if sentence.stops and self._before.goes_on == "no":
            self._before = self._before._replace(goes_on="yes")  # "No cat. Dog."
        return found

    def _of_another(self, question: str) -> bool:
        """Whether a question that the answer itself asks is about another thing: its yes or no is then not the answer."""
        thing, words = _ASKS_OF.match(question), words_of(question)
        if self._what is None or self._what.find(words) or (thing is not None and thing["noun"] in ELLIPTIC):
            return False
        return thing is not None or self._what.is_another(words)  # "A cat?"

    def _denied(self, sentence: Sentence) -> list[Reading] | None:
        """What a sentence says that calls a claim or an answer wrong: the opposite of the claim."""
        word = denied_word(sentence.text)
        if word is not None:
            return [Reading("no" if word[0] == "yes" else "yes", "statement"), *self._said(word[1])]
        claim = denied_claim(sentence.text)
        if claim is None:
            return None
        inner = Reader(self._what, False)._said(claim[0])
        found = [one._replace(said=_OPPOSITE.get(one.said or "", one.said)) for one in inner]
        if claim[1]:
            found += self._said(claim[1])
        return found

    def _said(self, sentence: str) -> list[Reading]:
        found: list[Reading] = []
        rank, self._lent = self._lent, 0
        parts = sentence.split(":")
        words = [words_of(part) for part in parts]
        for part, tokens, label, following in zip(parts, words, [[], *words[:-1]], [*words[1:], None], strict=True):
            has_value = self._value(tokens, following or []) is not None
            listed = None if following is None else _what_is_listed(tokens)
            if listed is not None:
                self._before = Statement(goes_on=listed)
                if not has_value:
                    continue
            if is_label(tokens) and (following is not None or _OPENS_ANSWER & set(tokens)):
                rank = FINAL if "final" in tokens else LABELLED
            elif label[:1] not in (["i"], ["you"], ["we"], ["let"]) and not is_label(label) and self._value(label, tokens):
                found += self._labelled(label, tokens, rank)
            elif not has_value:
                found += self._part(part, rank)
        said_something = any(tokens and not is_label(tokens) for tokens in words)
        if rank and not said_something:
            self._lent = rank
        elif rank and all(one.said is None for one in found):
            found.append(Reading("doubt", "statement", rank))
        return found

    def _value(self, label: Sequence[str], tokens: Sequence[str]) -> Said | None:
        """What a bare value says after what may be its label: "dog: yes", "present: false", "dogs: 0"."""
        if not label:
            return None
        value = " ".join(tokens)
        named = self._what is not None and bool(self._what.find(label))
        if value in SCORES:
            return _OF_SCORE[value] if named else None
        number = number_of_word(value)
        if number is not None and self._what is not None and (named or _COUNTS.issuperset(label)):
            return self._what.count(number)
        return _VALUES.get(value)

    def _labelled(self, label: Sequence[str], tokens: Sequence[str], rank: int) -> list[Reading]:
        about = self._what is None or bool(self._what.find(label)) or not _LABELS.isdisjoint(label)
        return [Reading(self._value(label, tokens), "direct", rank)] if about else []

    def _part(self, part: str, rank: int) -> list[Reading]:
        """What a sentence, or its part beside a colon, says clause by clause."""
        text = as_seeming(_ALL_BUT.sub(r"\1 except", part.strip()))
        words = words_of(text)
        if not rank and _ASKING.match(" ".join(words)):  # a question without its mark, and perhaps the answer to it
            return [Reading(direct(words[-1:]), "direct")]
        rank = rank or (CONCLUSION if _CONCLUDES.match(text) else 0)
        found: list[Reading] = []
        turning = supposed = False
        opened: list[str] = []
        either_or = bool({"or", "nor"} & set(words))
        for piece, turned in _pieces(text):
            tokens = words_of(piece)
            turning |= turned
            if not tokens:
                continue
            if self._before.goes_on == "no" and self._before.bare and not either_or and _opens_item(tokens):
                self._before = self._before._replace(goes_on="yes")  # "no TV, and a dog"
            before = (
                self._before._replace(goes_on="yes") if turned and self._before.goes_on == "no" else self._before
            )  # "no cats but dogs"
            turns = turning or _TURNS.match(" ".join(tokens)) is not None
            said, kind, self._before = _piece(tokens, self._what, before._replace(turned=turns))
            if tokens[0] in ("if", "unless", "whether"):
                condition = _CONDITION.match(" ".join(tokens)) or not LIKENESSES.isdisjoint(tokens)
                if found and found[-1].said == "yes" and found[-1].kind == "direct" and condition:
                    found[-1] = found[-1]._replace(said="doubt")  # "yes, if the statue counts"
                supposed |= not found and _SUPPOSES.match(" ".join(tokens)) is not None
                said, self._before = None, NOTHING
            elif said == "doubt" and turned and found and found[-1].kind == "direct" and named_as_answer(opened) is not None:
                found[-1] = found[-1]._replace(said="doubt")  # "I'd say yes, but I can't tell"
            elif kind == "direct" and said == "yes" and (supposed or _CONDITION.match(" ".join(tokens[1:]))):
                said = "doubt"
            if self._what is None and turned and said is None and any(one.said == "yes" for one in found):
                said = "doubt"  # "There is a car, but it looks blue": who knows whether that was asked
            # Where it isn't known what was asked, "a dog, but no cat" takes nothing back.
            found.append(Reading(said, kind, rank, turns and (self._what is not None or not self._before.about)))
            turning, opened = turning and said is None, tokens
        return found


def _what_is_listed(label: Sequence[str]) -> Literal["yes", "no"] | None:
    """What a list under such a label says of its things: "Visible objects: cat, dog", "Not present: cat"."""
    if not label or label in _ABSENT_ALONE or not _LISTS_ABSENT.issuperset(label):
        return None
    return "yes" if _ABSENCE.isdisjoint(label) else "no"


def _opens_item(tokens: Sequence[str]) -> bool:
    """Whether an item of a list has an article or a number of its own: "and a dog"."""
    return next((word for word in tokens if word != "and"), None) in _OPENS_ITEM


def _pieces(text: str) -> list[tuple[str, bool]]:
    """The clauses of a text, each with whether "but" or the like precedes it."""
    pieces, place, turned = [], 0, False
    for found in _SPLIT.finditer(text):
        pieces.append((text[place : found.start()], turned))
        place, turned = found.end(), bool(_TURNS.search(found[0]))
    return [*pieces, (text[place:], turned)]


_MOST_OPENERS = 6
"""How often the words that only open a clause are taken off it: "well, actually, from what I can see ..."."""


def _piece(tokens: Sequence[str], what: Asked | None, before: Statement) -> tuple[Said | None, Kind, Statement]:
    """What one clause says; where that is nothing, the same without the words that only open it."""
    found = _whole_piece(tokens, what, before)
    for _ in range(_MOST_OPENERS):
        opener = OPENER.match(" ".join(tokens))
        if opener is None or found[0] is not None:
            break
        tokens = tokens[len(opener[0].split()) :]
        if not tokens:
            break
        found = _whole_piece(tokens, what, before)
    return found


def _whole_piece(tokens: Sequence[str], what: Asked | None, before: Statement) -> tuple[Said | None, Kind, Statement]:
    text = " ".join(tokens)
    if text in SOFT_YES or text in SOFT_NO:
        return ("yes" if text in SOFT_YES else "no"), "soft", NOTHING
    if (value := noted(tokens, what)) is not None:
        return value, "statement", Statement(value, tuple(tokens), value)
    statement = read_clause(tokens, what, before)
    plainly = direct(tokens) or named_as_answer(tokens)
    if plainly is not None and statement.said != "doubt":
        return plainly, "direct", NOTHING
    if statement.said is None and OPENER.fullmatch(text):
        return None, "soft", before
    return statement.said, "statement", statement
