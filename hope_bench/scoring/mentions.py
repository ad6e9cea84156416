"""What the words around an object's name say of it: denied, affirmed, or neither.

A clause is a list of words (answer_words.words_of). `head` are the words before the name, `rest` those after it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Literal

from hope_bench.scoring.affirmations import UNCOUNTED, Words, affirmed
from hope_bench.scoring.answer_words import (
    BLOCKING,
    DETERMINERS,
    EXCEPT,
    FOLLOWING,
    HEDGES,
    NEGATORS,
    NOUNS_IN_ED_OR_ING,
    PICTURES,
    QUOTING,
    RELATIONS,
    SEEM,
    STATE,
    listed,
)
from hope_bench.scoring.asked_object import same_word
from hope_bench.scoring.denials import REAL, claim_denied, denied_after, denied_before
from hope_bench.scoring.likenesses import generic

Polarity = Literal["yes", "no"]

_MADE_KNOWN = listed("made_known")
_OF_A_CLAUSE = STATE | SEEM | NEGATORS | RELATIONS
_OWN = DETERMINERS | {"no"}


def stands_alone(rest: Words, claims: Collection[str]) -> bool:
    """Whether the name ends where it seems to, rather than going on: "dog", not "dog house"."""
    if not rest or rest[0] in FOLLOWING or same_word(rest[0]) in claims:
        return True
    return rest[0].endswith(("ing", "ly", "ed")) and rest[0] not in NOUNS_IN_ED_OR_ING


def compound(head: Words, name: str, rest: Words) -> bool:
    """Whether a noun that could be a verb makes it another thing: "a TV stand", but not "TVs stand"."""
    plural = (name.endswith("s") and not name.endswith(("us", "ss"))) or name in UNCOUNTED
    return not plural and "and" not in head and not _NOUN_OR_VERB.isdisjoint(rest[:1])


_NOUN_OR_VERB = listed("noun_or_verb")


def polarity(head: Words, rest: Words, name: str, claims: Collection[str]) -> Polarity | Literal["unclear"] | None:
    """What is said of the object called `name` here: "unclear" where it is spoken of without saying whether it is there, None
    where nothing is said but that a list goes on."""
    if rest[:1] == ["free"] and rest[1:2] != ["of"]:  # "dog free"
        return "no"
    if QUOTING & {*head, *rest[:2]} or _owned(head):
        return "unclear"  # what a sign says, what the model itself has
    reached = denied_before(head, claims)
    if reached == "denied":
        if HEDGES & set(head) or REAL & set(head[-2:]):
            return "unclear"  # "no real dog" speaks of a likeness
        if EXCEPT & set(rest):
            return "yes"  # "no other dogs besides the one on the left"
        return "unclear" if {"other", "more", "longer"} & set(head) else "no"
    if reached is not None:
        return "yes" if reached == "excepted" else "no" if reached == "all but" else "unclear"
    if claims and claim_denied(rest, claims):
        return "no"
    after = denied_after(head, rest)
    if after is not None:
        return after
    if _says_nothing(head, rest):
        return "unclear"
    return "yes" if affirmed(head, rest, name) else None


def _owned(head: Words) -> bool:
    """Whether the model speaks of what it has itself: "I do not have a"."""
    return "i" in head and any(one == "have" and other in _OWN for one, other in pairwise(head))


def is_list_item(head: Words) -> bool:
    """Whether nothing but articles, "and" and adjectives precede the object, as where a list goes on."""
    return _OF_A_CLAUSE.isdisjoint(head)


def _says_nothing(head: Words, rest: Words) -> bool:
    """Whether the object is only likened, asked for, supposed, or a picture's or sign's content."""
    if any(one == "been" and other in ("here", "there") for one, other in pairwise(rest)):
        return True  # "a dog seems to have been here"
    if BLOCKING & set(head) or generic(head, rest) or _inferred(head) or not _SUPPOSED.isdisjoint(rest[:1]):
        return True
    what = next((one for one, other in reversed([*pairwise(head)]) if other == "of"), "")
    if what in PICTURES and {"has", "have", "wears", "with"} & set(head[: head.index(what)]):
        return True  # "the shirt has a picture of a dog"
    if what == "presence":
        return _MADE_KNOWN.isdisjoint((*head, *rest))
    return what in ("absence", "lack") or (what in PICTURES and head[0] == "there")


def _inferred(head: Words) -> bool:
    """Whether something else makes the model think of the object: "the leash suggests that a"."""
    place = next((place for place, word in enumerate(head) if word in _SUGGESTS), None)
    return place is not None and not _OF_THE_PICTURE & set(head[:place]) and "there" not in head


_SUPPOSED = frozenset(("would", "could", "might", "may", "should", "like", "shaped"))
_SUGGESTS = listed("suggests")
_OF_THE_PICTURE = listed("of_the_picture")
