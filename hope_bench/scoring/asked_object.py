"""The object that a question asks about, and where the words of an answer speak of it (words in asked_object.toml)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

_TABLE: Mapping[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_SYNONYMS: Mapping[str, list[str]] = _TABLE["synonyms"]
_SAME: Mapping[str, str] = _TABLE["same"]
_EXCLUSIVE = [frozenset(group) for group in _TABLE["claims"]["exclusive"]]
_NATURAL = frozenset(_TABLE["natural_kinds"])
_NEAR = [frozenset(pair) for pair in _TABLE["claims"]["near"]]

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORD_OF = dict(enumerate(NUMBERS, 1))
_NUMBER_OF = {word: number for number, word in _WORD_OF.items()}
_SAME_WORD = {**_SAME, **{str(number): word for number, word in _WORD_OF.items()}}

_HERE = r"(?: in th(?:e|is) (?:im[a-z]{1,6}|photo(?:graph)?|picture|scene))?"
_QUESTION = re.compile(rf"\s{{0,9}}(?:is|are) there (?P<what>[^?\n]{{1,200}}?){_HERE}\s?\?", re.IGNORECASE)
_OF_A_THING = re.compile(rf"\s{{0,9}}(?:is|are) the (?P<what>[^?\n]{{1,200}}?){_HERE}\s?\?", re.IGNORECASE)
_OPENING = frozenset(("a", "an", "any", "some", "the", "exactly"))
_CLAIMS_NOTHING = frozenset(
    ("a", "an", "the", "in", "on", "of", "at", "to", "is", "are", "being", "with", "and", "side", "half", "image")
)
_ENDS_NAME = frozenset(
    ("on", "in", "at", "to", "with", "under", "behind", "near", "beside", "by", "above", "below", "that", "who", "which", "next")
)
ADJECTIVES = frozenset().union(*_EXCLUSIVE, _SAME) | frozenset(
    (
        "tiny",
        "huge",
        "wooden",
        "metal",
        "plastic",
        "glass",
        "leather",
        "ceramic",
        "stone",
        "whole",
        "sliced",
        "small",
        "large",
        "big",
        "young",
        "old",
    )
)


def same_word(word: str) -> str:
    """A claim as it is compared: "grey" is "gray", "2" is "two"."""
    return _SAME_WORD.get(word, word)


def number_word(number: int) -> str:
    """A number as a claim: 2 is "two"; beyond ten the digits."""
    return _WORD_OF.get(number, str(number))


def number_of_word(word: str) -> int | None:
    """The number that a word is: 2 of "2" and of "two"."""
    return int(word) if word.isdecimal() else _NUMBER_OF.get(word)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: `forms` are the word sequences that name the object, the longest first; `claims` the further words of
    a description ("red" of "a red car"), `wider` the words for its whole kind, `not_after` and `not_before` what makes it
    another thing, `narrower` those of the forms that name only some of it ("poodle": no poodle is not no dog). `adjectives` are
    those of the claims that stand before the name; `relation` are the words after it ("on a sofa"), `reference` the thing they
    lead to."""

    forms: tuple[tuple[str, ...], ...]
    claims: frozenset[str] = frozenset()
    wider: frozenset[str] = frozenset()
    not_after: frozenset[str] = frozenset()
    not_before: frozenset[str] = frozenset()
    narrower: frozenset[tuple[str, ...]] = frozenset()
    adjectives: frozenset[str] = frozenset()
    relation: tuple[str, ...] = ()
    reference: Asked | None = None

    @property
    def is_person(self) -> bool:
        """Whether a person is asked about, so that "nobody" denies it."""
        return ("person",) in self.forms or any(form[0] in _TABLE["narrower"] for form in self.forms)

    @property
    def is_natural(self) -> bool:
        """Whether it is born or grown, so that one of plastic is none of it."""
        return bool(_NATURAL & self.wider) or self.is_person or any(" ".join(form) in _TABLE["natural"] for form in self.forms)

    def is_another(self, phrase: Sequence[str]) -> bool:
        """Whether a noun phrase ends in the name of what is surely another thing: "small fox" where a dog is asked about."""
        ends = {" ".join(phrase[place:]) for place in range(len(phrase))}
        return not ends.isdisjoint(_other_names(self))

    def find(self, tokens: Sequence[str]) -> list[tuple[int, int]]:
        """Where the tokens name the object: [start, end) each, from left to right."""
        found, place, by_first = [], 0, _by_first_word(self.forms)
        while place < len(tokens):
            forms = by_first.get(tokens[place], ())
            end = next((place + len(form) for form in forms if tuple(tokens[place : place + len(form)]) == form), None)
            if end is not None and not (place and tokens[place - 1] in self.not_after) and not self._goes_on(tokens, end):
                found.append((place, end))
            place = place + 1 if end is None else end
        return found

    def _goes_on(self, tokens: Sequence[str], end: int) -> bool:
        return bool(self.not_before) and end < len(tokens) and tokens[end] in self.not_before

    def find_wide(self, tokens: Sequence[str]) -> bool:
        """Whether the tokens name the object by a word for all of it, or by two for some ("no man or woman")."""
        names = {tuple(tokens[start:end]) for start, end in self.find(tokens)}
        return len(names) > 1 or not self.narrower.issuperset(names)

    def count(self, how_many: int) -> Literal["yes", "no"]:
        """What it says of the object that there are so many."""
        numbers = self.claims.intersection(NUMBERS)
        if not numbers:
            return "yes" if how_many else "no"
        return "yes" if numbers == {number_word(how_many)} else "no"

    def claimed(self, tokens: Sequence[str]) -> bool:
        """Whether the tokens hold every claim of the description (always, where there is none)."""
        return self.claims.issubset(map(same_word, tokens))

    def excluded(self, tokens: Sequence[str]) -> bool:
        """Whether the tokens claim something that a claim of the description excludes: "blue" where "red" is asked."""
        held = frozenset(map(same_word, tokens))
        for group in _EXCLUSIVE:
            ours, theirs = self.claims & group, held & group
            if ours and theirs and not ours & theirs and not any(near & ours and near & theirs for near in _NEAR):
                return True
        return False


@lru_cache(maxsize=1_000)
def _by_first_word(forms: tuple[tuple[str, ...], ...]) -> Mapping[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for form in forms:
        found.setdefault(form[0], []).append(form)
    return found


@lru_cache(maxsize=100)
def _other_names(asked: Asked) -> frozenset[str]:
    """The names of everything known that isn't the object, a kind of it, or what it may be as well."""
    own = {" ".join(form) for form in asked.forms}
    unlike: set[str] = {*_TABLE["others"], *_TABLE["natural"]} - own
    for name, kinds in _known_words()["same"].items():
        if own.isdisjoint({name, *kinds}):
            unlike |= {name, *(kinds if name != "person" else _TABLE["only_human"])}  # a dog may be "a good boy"
    unlike = set().union(*map(_numbers, unlike - set(_TABLE["unsure"])))
    for name in own & _known_words()["mentioned"].keys():
        unlike -= set(_known_words()["mentioned"][name])
    return frozenset(name for name in unlike if own.isdisjoint(name.split()))


@lru_cache(maxsize=10_000)
def asked_about(question: str) -> str | None:
    """What a question asks about, as it says it: "dog" of "Is there a dog in the image?", "red car", "two dogs". "Is the car
    red?" asks about a "red car", "Is the dog on a sofa?" about a "dog on a sofa". None where it asks neither."""
    found = _QUESTION.match(question)
    if found is not None:
        return found["what"].strip()
    found = _OF_A_THING.match(question)
    words = [] if found is None else found["what"].lower().split()
    if len(words) < 2 or words[0] in ("image", "picture", "photo"):
        return None
    if words[-1] in ADJECTIVES:
        return " ".join((words[-1], *words[:-1]))
    placed = any(word in _ENDS_NAME or word.endswith("ing") for word in words[1:-1])
    return " ".join(words) if placed else None


@lru_cache(maxsize=10_000)
def asked(what: str) -> Asked | None:
    """The object asked about, by name or description ("dining table", "a red car", "two dogs"); None where it says nothing."""
    words = re.findall(r"\w+", what.lower())
    while words and words[0] in _OPENING:
        words = words[1:]
    if not words:
        return None
    if _is_known(words):
        return _named(words)
    cut = next((place for place in range(1, len(words)) if _begins_relation(words[place:])), len(words))
    name, relation = words[:cut], tuple(words[cut:])
    adjectives: list[str] = []
    while len(name) > 1 and (name[0] in ADJECTIVES or name[0].endswith("ing")) and not _is_known(name):
        if name[0] != "and":
            adjectives.append(same_word(name[0]))
        name = name[1:]
    claims = frozenset((*adjectives, *(same_word(word) for word in relation if word not in _CLAIMS_NOTHING)))
    return replace(
        _named(name), claims=claims, adjectives=frozenset(adjectives), relation=relation, reference=_reference(relation)
    )


def _begins_relation(words: Sequence[str]) -> bool:
    """Whether a description says from here on where its object is or what it does: "on a sofa", "sleeping"."""
    return words[0] in _ENDS_NAME or (words[0].endswith("ing") and not _is_known(words))


def _is_known(words: Sequence[str]) -> bool:
    """Whether the words are all of a name: "stop sign", "dining tables"."""
    name = " ".join(words)
    return name in _TWO_WORDS or any(name in _numbers(one) for one in _SYNONYMS)


def _reference(relation: Sequence[str]) -> Asked | None:
    """The thing that the words after a name lead to: the sofa of "on a sofa"; None where they are only of the image."""
    verb = [word for word in relation[:1] if word.endswith("ing")]
    return asked(" ".join(word for word in relation if word not in _LEADS and word not in verb))


_LEADS = (
    _ENDS_NAME
    | _CLAIMS_NOTHING
    | frozenset(("left", "right", "top", "bottom", "front", "middle", "center", "upper", "lower", "picture", "photo"))
)
_TWO_WORDS = frozenset(("stop sign", "fire hydrant", "parking meter", "glass bottle", "living room", "orange juice"))
"""Names that begin with what elsewhere is an adjective."""


def _numbers(name: str) -> set[str]:
    """A name in the singular and the plural, as regular nouns have them, and a few forms that no one says.

    (inflect, by which questions are worded, would take seconds to import for every run with one talkative answer.)
    """
    forms = {name}
    for single, many in (
        ("", "s"),
        ("y", "ies"),
        ("f", "ves"),
        ("fe", "ves"),
        ("s", "ses"),
        ("x", "xes"),
        ("h", "hes"),
        ("o", "oes"),
    ):
        if name.endswith(single):
            forms.add(name.removesuffix(single) + many)
        if name.endswith(many) and not name.endswith("ss"):
            forms.add(name.removesuffix(many) + single)
    return forms - {""}


def _named(words: Sequence[str]) -> Asked:
    name = " ".join(words)
    if name in _TABLE["narrower"]:
        own = set().union(*map(_numbers, (name, *_TABLE["narrower"][name])))
        return Asked(_longest_first(own))
    one = next((one for one, others in _SYNONYMS.items() if name in others or name in _numbers(one)), name)
    forms = set().union(*map(_numbers, {name, one, *_SYNONYMS.get(one, ())}))
    kinds = set().union(*map(_numbers, _kinds_of(one))) - forms
    wider = frozenset(word for kind in _TABLE["kind"] if kind["objects"].count(one) for word in kind["words"])
    narrower = frozenset(tuple(form.split()) for form in kinds | forms.intersection(_TABLE["only_some"]))
    return Asked(
        _longest_first(forms | kinds),
        wider=wider,
        not_after=frozenset(_TABLE["other_things"].get(one, ())),
        not_before=frozenset(_TABLE["other_things_before"].get(one, ())),
        narrower=narrower,
    )


def _longest_first(forms: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted((tuple(form.split()) for form in forms), key=lambda form: (-len(form), form)))


@cache
def _kinds_of(name: str) -> frozenset[str]:
    """Words of the table that ships with the search for what is surely such a thing: "poodle" of "dog"."""
    words = (*_known_words()["same"].get(name, ()), *_TABLE["kinds"].get(name, ()))
    return frozenset(word for word in words if not word.endswith(f" {name}")) - frozenset(_TABLE["unsure"])


@cache
def _known_words() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads((Path(__file__).parents[1] / "search" / "known_words.toml").read_text(encoding="utf-8"))
