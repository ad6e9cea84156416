"""Whether a clause that names the object asked about holds the rest of its description: its own colour and number, its own place.

A word counts only where it belongs to the object: "a blue car next to a red bus" has no red car. What neither surely is the
description nor surely excludes it says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from hope_bench.scoring.answer_words import BE, BE_OR_SEEM, CONTAIN, DETERMINERS, PERCEIVE, RELATIONS, SEEM, VERBS
from hope_bench.scoring.asked_object import ADJECTIVES, NUMBERS, Asked, number_of_word, same_word

_NEAR = 40
"""Words on either side of the object in which its place is looked for."""

Holds = Literal["yes", "no"]

_PLACES = {
    "left": "left", "right": "right", "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom", "center": "center",
    "centre": "center", "middle": "center", "foreground": "foreground", "background": "background",
}  # fmt: skip
_ELSEWHERE = [
    frozenset(("left", "right", "center")),
    frozenset(("top", "bottom", "center")),
    frozenset(("foreground", "background")),
]
_RELATION = {
    "left": "left", "right": "right", "on": "on", "onto": "on", "upon": "on", "top": "on", "atop": "on", "under": "under",
    "beneath": "under", "below": "under", "underneath": "under", "above": "above", "over": "above", "behind": "behind",
    "front": "front", "next": "next", "beside": "next", "near": "next", "by": "next", "alongside": "next", "adjacent": "next",
    "in": "in", "inside": "in", "within": "in", "with": "with",
}  # fmt: skip
_INVERSE = {
    "left": "right",
    "right": "left",
    "under": "above",
    "above": "under",
    "behind": "front",
    "front": "behind",
    "next": "next",
    "on": "under",
}
_EXCLUDE = [
    frozenset(pair)
    for pair in (
        ("left", "right"), ("front", "behind"), ("under", "above"), ("under", "on"), ("on", "next"), ("on", "behind"),
        ("on", "front"), ("under", "next"), ("in", "next"), ("in", "behind"), ("in", "front"), ("in", "under"),
    )
]  # fmt: skip
_SURFACES = frozenset(
    (
        "floor",
        "ground",
        "grass",
        "carpet",
        "rug",
        "street",
        "sidewalk",
        "sofa",
        "couch",
        "bed",
        "chair",
        "table",
        "bench",
        "roof",
        "shelf",
    )
)
_OPPOSED = [frozenset(pair) for pair in (
    ("large", "small"), ("young", "old"), ("wooden", "metal"), ("wooden", "plastic"), ("wooden", "glass"), ("wooden", "stone"),
    ("metal", "plastic"), ("metal", "glass"), ("whole", "sliced"), ("glass", "plastic"), ("leather", "wooden"),
    ("ceramic", "plastic"),
    ("stone", "metal"), ("ceramic", "metal"),
)] + _ELSEWHERE  # fmt: skip
_NOT_ITS = BE | CONTAIN | PERCEIVE | RELATIONS | SEEM | VERBS | {"there", "no", "not", "s", "'s", "of", "wearing", "riding"}
_CROSSING = {"and", "that", "which", "who", "while"}
_ENDS_PREDICATE = RELATIONS | VERBS | CONTAIN
_ANEW = DETERMINERS | {"there"}
_NUMBERS = frozenset(NUMBERS)
_BEGINS_PHRASE = frozenset(word for word in DETERMINERS - _NUMBERS if not word.isdecimal())
_ADVERBS = {
    "both",
    "all",
    "clearly",
    "mostly",
    "also",
    "very",
    "bright",
    "dark",
    "light",
    "a",
    "an",
    "the",
    "here",
    "quite",
    "rather",
    "to",
    "be",
    "made",
    "of",
    "entirely",
    "s",
    "'s",
    "color",
    "colour",
}


def holds(tokens: Sequence[str], start: int, end: int, asked: Asked) -> Holds | None:
    """What the clause says of the description at [start, end), where it says that the object is there."""
    found = (_adjectives(tokens, start, end, asked), _relation(tokens, start, end, asked))
    return "no" if "no" in found else "yes" if found == ("yes", "yes") else None


def together(found: Sequence[Holds | None]) -> Holds | None:
    """What several mentions say: one that holds is enough; all must be excluded."""
    return "yes" if "yes" in found else "no" if found and set(found) == {"no"} else None


class Count(NamedTuple):
    """How many of a thing a clause says there are: from `low` to `high`, None where there is no telling."""

    low: int
    high: int | None

    def among(self, numbers: Collection[str]) -> Holds | None:
        """Whether the number asked about is the one said; None where it may be."""
        asked = [place for place, word in enumerate(NUMBERS, 1) if word in numbers]
        if not any(self.low <= one and (self.high is None or one <= self.high) for one in asked):
            return "no"
        return "yes" if self.low == self.high else None


def number_of(tokens: Sequence[str], start: int) -> Count | None:
    """How many of the thing at `start` the clause counts, None where it doesn't."""
    before = _before(tokens, start)
    if tokens[start + 1 : start + 3] == ["or", "more"]:
        before = ["atleast", *before]
    numbers = [number for word in before if (number := _number(word)) is not None]
    if {"about", "almost", "approximately", "around", "nearly", "roughly"} & {*before}:
        return None
    if len(numbers) > 1:  # "two or three", "2-3"
        return Count(min(numbers), max(numbers))
    if numbers:
        more = "morethan" in before
        return Count(numbers[0] + more, None if more or "atleast" in before else numbers[0])
    return next((Count(least, None) for word, least in _LEAST.items() if word in before), None)


_COUNTS_AS = {"a": 1, "an": 1, "another": 1, "pair": 2, "couple": 2}
_LEAST = {"dozens": 24, "dozen": 12, "hundreds": 200, "many": 3, "numerous": 3, "few": 2, "multiple": 2, "several": 2}


def _number(word: str) -> int | None:
    return _COUNTS_AS.get(word, number_of_word(same_word(word)))


def excludes(predicate: Sequence[str], asked: Asked) -> bool:
    """Whether what is said of "it" excludes an adjective of the description."""
    return _excluded(frozenset(map(same_word, _predicate(predicate))), asked.adjectives | _place(asked))


def fulfils(predicate: Sequence[str], asked: Asked) -> bool:
    """Whether what is said of "it" holds all of a description that has adjectives alone."""
    return bool(asked.adjectives) and asked.claims == asked.adjectives <= frozenset(map(same_word, _predicate(predicate)))


def _place(asked: Asked) -> frozenset[str]:
    return frozenset(_PLACES[word] for word in asked.relation if word in _PLACES) if asked.reference is None else frozenset()


def _adjectives(tokens: Sequence[str], start: int, end: int, asked: Asked) -> Holds | None:
    wanted = asked.adjectives - _NUMBERS
    number = asked.adjectives & _NUMBERS
    own = frozenset(map(same_word, (*_before(tokens, start), *_predicate(tokens[end:]))))
    if number:
        counted = number_of(tokens, start)
        if counted is None:
            return None
        if (held := counted.among(number)) != "yes":
            return held
    if wanted <= own:
        return "yes"
    return "no" if _excluded(own, wanted) else None


def _excluded(own: frozenset[str], wanted: frozenset[str]) -> bool:
    if any(wanted & group and own & group and not wanted & own & group for group in _OPPOSED):
        return True
    return Asked((), wanted).excluded(tuple(own))


def _before(tokens: Sequence[str], start: int) -> list[str]:
    """The words of the object's own noun phrase before its name: "two", "bright red"."""
    place = start
    while place and tokens[place - 1] not in _NOT_ITS:
        word = tokens[place - 1]
        if word == "and" and not ADJECTIVES.issuperset((tokens[place - 2], tokens[place])):
            break
        place -= 1
        if word in _BEGINS_PHRASE:
            break
    if tokens[place - 2 : place] in (["pair", "of"], ["couple", "of"]):
        place -= 2
    return list(tokens[place:start])


def _predicate(rest: Sequence[str]) -> list[str]:
    """What is said of the object in adjectives after its name: "is parked", "in the image is blue", "made of wood"."""
    verb = next((place for place, word in enumerate(rest) if word in BE_OR_SEEM), None)
    crossed = verb is None or not _CROSSING.isdisjoint(rest[:verb])
    said = rest if verb is None or crossed else rest[verb + 1 :]
    found: list[str] = []
    for word, following in zip_longest(said, said[1:]):
        if word in _ADVERBS:
            continue
        if word in _ENDS_PREDICATE or (word == "and" and following not in ADJECTIVES):
            break
        if crossed and not word.endswith(("ed", "ing")) and word not in ADJECTIVES:
            break
        found.append(word)
    return found


def _relation(tokens: Sequence[str], start: int, after: int, asked: Asked) -> Holds | None:
    if not asked.relation:
        return "yes"
    rest = list(tokens[after:])
    stop = next(
        (place for place in range(len(rest) - 1) if rest[place] == "and" and rest[place + 1] in _ANEW),
        len(rest),
    )
    region, head = rest[:stop], list(tokens[:start])
    reference = asked.reference
    if reference is None:
        return _side(head, region, asked)
    wanted = _kind(asked.relation)
    there = reference.find(region)
    if there:
        (end, _), *_ = there
        between = region[:end]
        if "not" in between:
            return None
        kind = _kind(between)
        if wanted is None:
            return "yes" if _same_verb(asked.relation[0], between) else None
        return "yes" if kind == wanted else "no" if frozenset((kind, wanted)) in _EXCLUDE else None
    before = reference.find(head)
    if before and wanted is not None:
        kind = _INVERSE.get(_kind(head[before[-1][1] :]) or "")
        return "yes" if kind == wanted else "no" if frozenset((kind, wanted)) in _EXCLUDE else None
    if wanted == _kind(region) == "on" and region[-1] in _SURFACES:
        return "no"
    return None


def _side(head: Sequence[str], region: Sequence[str], asked: Asked) -> Holds | None:
    wanted = {_PLACES[word] for word in asked.relation if word in _PLACES}
    if not wanted:  # "wearing", "asleep": a word of its own
        own_words = asked.claims - asked.adjectives
        return "yes" if own_words.issubset(map(same_word, region)) else "no" if asked.excluded(region) else None
    if _PLACES.keys().isdisjoint(region):
        region = head
    own = {
        _PLACES[word]
        for place, word in enumerate(region)
        if word in _PLACES and region[place + 1 : place + 2] != ["of"]  # "left of the cat" is no side of the image
    }
    if wanted <= own:
        return "yes"
    return "no" if _excluded(frozenset(own), frozenset(wanted)) else None


def _kind(words: Sequence[str]) -> str | None:
    """The relation that stands last: "sitting on the left of" is left."""
    kinds = [_RELATION[word] for word in words if word in _RELATION]
    special = [kind for kind in kinds if kind in ("left", "right", "front", "next")]
    on_top = "top" in words
    return "on" if on_top else special[-1] if special else kinds[-1] if kinds else None


def _same_verb(verb: str, words: Sequence[str]) -> bool:
    stem = verb.removesuffix("ing")[:4]
    return any(word.startswith(stem) for word in words)
