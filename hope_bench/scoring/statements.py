"""What one clause of an answer says of the object asked about: that it is there, that it isn't, doubt, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from hope_bench.scoring.affirmations import doing
from hope_bench.scoring.answer_words import (
    ABSENT,
    BE,
    BE_OR_CAN,
    BE_OR_DO,
    BE_OR_SEEM,
    BESIDE_THE_POINT,
    BLOCKING,
    CONTAIN,
    DENYING,
    DETERMINERS,
    DOUBT,
    ELLIPTIC,
    EXCEPT,
    FOLLOWING,
    INDEFINITE,
    LIKENESSES,
    NEGATORS,
    OPENER,
    PICTURES,
    POINTING,
    PRESENT,
    RELATIONS,
    SEEM,
    SHOW,
    VERBS,
)
from hope_bench.scoring.asked_object import NUMBERS, Asked, number_word, same_word
from hope_bench.scoring.denials import reaches
from hope_bench.scoring.described import excludes, fulfils, holds, number_of, together
from hope_bench.scoring.likenesses import another_thing, likened, predicate, seeming
from hope_bench.scoring.mentions import compound, is_list_item, polarity, stands_alone

Said = Literal["yes", "no", "doubt"]
"""That the object is there, that it isn't, or that the model can't or won't say."""


class Statement(NamedTuple):
    """What a clause says. `said` is None where that is nothing of the object.

    `about` are the words that name it, empty where none does ("it isn't there"). `goes_on` is what a further bare noun phrase
    ("cats, dogs or birds") would say, and `excepts` whether it took the object out of what follows ("apart from the dog").
    `bare` is a denial that only reaches what has no article of its own: "no TV, a dog" has a dog,
    "I don't see a TV, a dog" has none. `seeming` is "taken" where the object is only what something was taken for, "appears"
    where something appears to be it; `turned`, where a "but" leads on to the next clause.
    """

    said: Said | None = None
    about: tuple[str, ...] = ()
    goes_on: Said | None = None
    excepts: bool = False
    bare: bool = False
    seeming: Literal["taken", "appears"] | None = None
    turned: bool = False


NOTHING = Statement()
NOTHING_ELSE = ("one",)
"""What was asked, and nothing else, has been spoken of: "there is one" and "it" are that."""

_IN_FACT = frozenset(("actually", "really", "fact", "reality", "instead"))

_ANY_PERSON = {"nobody": ("no", "person"), "anyone": ("any", "person"), "anybody": ("any", "person")}

_THERE_IS_ONE = re.compile(
    r"(?:but |yet |however )?(?:there (?:is|are)|i (?:can )?(?:do )?see) (?:one|another|some|several|two|three"
    r"|many) (?:on|in|at|behind|under|near|next|outside|inside|beside|above|to|further|by)\b"
)
"""What "there is no dog on the left" is followed by where there is one elsewhere."""
_NO_PICTURE = re.compile(
    r"\b(?:not (?:see|view|access|have|open|load|receive|find|process|display)|no|not|without)"
    r"(?: (?:an?|any|the|your|this|that|actual)){0,3} (?:images?|pictures?|photos?|attachments?)"
    r"(?: (?:is|was|has|attached|provided|here|visible|to|in|you|file|files|uploaded|that)\b|$)"
)
"""Whoever doesn't see a picture at all says nothing about what is in it."""


_MOST_MENTIONS = 8
"""Mentions of the object that are looked at in one clause: a clause with more is a loop."""


def read_clause(tokens: Sequence[str], asked: Asked | None, before: Statement) -> Statement:
    """What the clause says of `asked`, or (None) of whatever thing it names first; `before` is what the clause before it says."""
    if asked is not None and asked.is_person:
        tokens = [word for one in tokens for word in _ANY_PERSON.get(one, (one,))]
    found = _read(tokens, asked, before)
    if found.said is None and not found.about:
        found = found._replace(seeming=before.seeming)
    if found.goes_on != "no":
        return found
    return found._replace(bare=_bare(tokens) or (before.bare and not NEGATORS & set(tokens)))


def _bare(tokens: Sequence[str]) -> bool:
    return tokens[0] == "not" or not {"no", "zero"}.isdisjoint(tokens)


def _read(tokens: Sequence[str], asked: Asked | None, before: Statement) -> Statement:
    text = " ".join(tokens)
    if _NO_PICTURE.search(text):
        return Statement("doubt")
    if DOUBT.search(text):
        return NOTHING if BESIDE_THE_POINT.search(text) else Statement("doubt")
    named = () if asked is None else asked.find(tokens)
    if not named and before.about and _THERE_IS_ONE.match(text):
        return Statement("yes")
    if not named and (said := _elliptic(tokens)) is not None:
        return NOTHING if before.excepts and said == "no" else _elliptic_statement(said, tokens, asked)
    if asked is None:
        return _any_thing(tokens)
    alone = [
        (start, end)
        for start, end in named
        if stands_alone(tokens[end:], asked.claims) and not compound(tokens[:start], tokens[end - 1], tokens[end:])
    ][:_MOST_MENTIONS]
    if not alone:
        return _without_mention(tokens, asked, before)
    (start, end), *_ = alone
    found = _mention(tokens, start, end, asked, before)
    if found.said != "no" and seeming(tokens[:start]):
        found = found._replace(seeming="appears" if found.said else "taken")
    if found.said == "no" and not asked.find_wide(tokens):
        return found._replace(said=None)  # "no poodle" is not "no dog"
    return found if found.said != "yes" else _of_description(found, tokens, alone, asked)


def _elliptic_statement(said: Said, tokens: Sequence[str], asked: Asked | None) -> Statement:
    """ "There are two" answers "exactly three" with a no, "it is to the right" a dog on the left."""
    if said == "yes" and asked is not None:
        if asked.claims.intersection(NUMBERS) and not asked.claimed(tokens):
            return Statement("no") if asked.excluded(tokens) else NOTHING
        if excludes(tokens[1:], asked):
            return Statement("no")
    return Statement(said, goes_on=said)


def _mention(tokens: Sequence[str], start: int, end: int, asked: Asked, before: Statement) -> Statement:
    head, rest, name = list(tokens[:start]), list(tokens[end:]), tuple(tokens[start:end])
    found = polarity(head, rest, name[-1], asked.claims)
    if found != "no" and likened(head, rest, asked):
        return Statement(about=name)
    if found == "yes" and (word := _identified(head, rest, asked)) is not None:
        return word
    if (found == "yes" or (found is None and before.goes_on != "no")) and _or_another(head, rest, asked):
        return Statement(about=name)
    if found == "unclear":
        return Statement(about=name)
    if found is not None:
        return Statement(found, name, found)
    if head[:1] == ["except"]:
        return Statement("yes", name, excepts=True)
    if rest in (["is"], ["are"]):
        return Statement("yes", name, "yes")  # "no cat is visible, a dog is"
    if before.goes_on is not None and is_list_item(head):
        said: Said = "yes" if head[:1] in (["only"], ["just"]) else before.goes_on
        return Statement(said, name, said)
    opening = [word for word in head if word not in ("just", "only")][:1]
    described = not INDEFINITE.isdisjoint(opening) and RELATIONS.isdisjoint(head)  # "a brown dog", as captions say
    described |= bool(asked.adjectives) and rest[:1] == ["are"] and head[:1] in ([], ["all"], ["both"])  # "all cars are white"
    return Statement("yes" if described else None, name)


def _identified(head: Sequence[str], rest: Sequence[str], asked: Asked) -> Statement | None:
    """What "the dog is actually a cat" says of a dog, also after "I think that"."""
    opener = OPENER.match(" ".join(head))
    head = head if opener is None else head[len(opener[0].split()) :]
    if len(head) > 2 or head[-1:] not in (["the"], ["this"], ["that"]) or doing(head[0]):
        return None
    return Statement("no") if another_thing(predicate(head, rest), asked, known=True) else None


def _or_another(head: Sequence[str], rest: Sequence[str], asked: Asked) -> bool:
    """Whether it is this or another thing: "a dog or a cat", but not "a dog or two", "a dog or puppy"."""
    if rest[:1] == ["or"]:
        more = not _OR_MORE.isdisjoint(rest[1:2]) and FOLLOWING.issuperset(rest[2:3])
        return not asked.find(rest) and not more
    place = max((place for place, word in enumerate(head) if word == "or"), default=None)
    return place is not None and head[place + 1 :] in ([], ["a"], ["an"]) and not asked.find(head)


_OR_MORE = {*NUMBERS, "more", "so"}


def _of_description(said: Statement, tokens: Sequence[str], alone: Sequence[tuple[int, int]], asked: Asked) -> Statement:
    """A description is affirmed only with all its claims; denied with its object, or by a claim that excludes one of its own."""
    if not asked.claims:
        return said
    counts = [number_of(tokens, start) for start, _ in alone]
    exact = [one.low for one in counts if one is not None and one.low == one.high]
    if len(alone) > 1 and asked.adjectives.intersection(NUMBERS) and len(exact) == len(counts):
        number = number_word(sum(exact))  # "one brown dog and one black dog"
        others = asked.adjectives.difference(NUMBERS)
        return said._replace(said=("yes" if number in asked.adjectives else "no") if not (others or asked.relation) else None)
    return said._replace(said=together([holds(tokens, start, end, asked) for start, end in alone]))


def _elliptic(tokens: Sequence[str]) -> Said | None:
    """What a clause says that names no thing at all, only stands for one: "none", "it is not there", "I see one"."""
    words = set(tokens)
    if not ELLIPTIC.issuperset(words) or {"not", "no", "never"}.issuperset(words):
        return None
    if tokens[-1] in ("no", "a", "an", "the"):
        return None  # cut off: "there is no"
    if _SEES_NOTHING.issuperset(words) and words & {"nothing", "anything"}:
        return None  # whoever sees nothing at all has seen no picture
    if _PRESENT_ALONE.issuperset(words):
        return "yes" if words & _PRESENT_SAID else None
    if any(one == "not" and other in ("clearly", "fully") for one, other in pairwise(tokens)):
        return None  # "not clearly visible" is there
    denials = [word for word in tokens if word in DENYING]
    if denials:
        return "no" if len(denials) == 1 and _denies(tokens, words) else None
    return "yes" if _affirms(tokens, words) else None


_PRESENT_ALONE = PRESENT | {"clearly"}
_PRESENT_SAID = PRESENT - {"there", "here", "among", "part", "real"}
_SEES_NOTHING = {"i", "we", "see", "can", "not", "do", "anything", "nothing", "visible", "at", "all"}


def _denies(tokens: Sequence[str], words: set[str]) -> bool:
    perceives = bool(words & SHOW)
    if {"i", "we"} & words and "can" in words and not perceives:
        return False  # "I can't."
    if words & _PLACED or len(tokens) == 1 or (tokens[0] == "not" and "as" in words):
        return True
    return not perceives and bool(words & BE_OR_DO or tokens[-1] == "not")


def _affirms(tokens: Sequence[str], words: set[str]) -> bool:
    if words & (_SHOW_NOT_PRESENT if words & BE else SHOW):
        return bool((words & {"i", "we", "you", "here"} or (tokens[0] == "it" and words & CONTAIN)) and words & _STANDS_FOR)
    if tokens[0] == "it" and words & {"exist", "exists"}:
        return True
    if not words & BE_OR_DO or words & {"think", "believe", "say", "guess", "suppose"}:
        return False
    if tokens[0] in ("there", "it", "they", "one", "some", "several", "two", "many", "here"):
        return True
    if tokens[0] in ("i", "we"):
        return "do" in words
    return tokens[0] in ("that", "this", "these", "those") and bool(
        words & {"true", "correct", "right", "present", "visible", "so"}
    )


_PLACED = POINTING | PRESENT | ABSENT
_SHOW_NOT_PRESENT = SHOW - PRESENT
_STANDS_FOR = {"one", "it", "some", "several", "two", "three", "them", "many", "few", "that", "those"}


def _without_mention(tokens: Sequence[str], asked: Asked, before: Statement) -> Statement:
    """A clause that doesn't name the object: of its colour, of its whole kind ("no animals"), of something else."""
    words = set(tokens)
    if before.seeming:
        sure = before.seeming == "taken" and (before.turned or not _IN_FACT.isdisjoint(words))
        if another_thing(tokens, asked, known=not sure):
            return Statement("no")
    denied = [place for place, word in enumerate(tokens) if word in NEGATORS]
    after = tokens[denied[-1] + 1 :] if denied else []
    its = before.about == NOTHING_ELSE or bool(asked.find(before.about))
    if its and asked.claims and tokens and tokens[0] in ("it", "they", "that", "this", "both", "all", "not"):
        contrary = any(same_word(word) in asked.claims for word in after[:6]) if denied else excludes(tokens[1:], asked)
        blocked = not _BLOCKING.isdisjoint(words)
        if contrary and not blocked:
            return Statement("no")
        if not denied and not blocked and fulfils(tokens[1:], asked):
            return Statement("yes")
        if asked.relation and not denied and before.about != NOTHING_ELSE:
            named = ["the", *before.about]  # "there is a dog, but it is on the floor"
            whole, start, end = [*named, *tokens[1:]], 1, len(named)
            return _of_description(_mention(whole, start, end, asked, NOTHING), whole, [(start, end)], asked)
    for place, word in enumerate(after):
        reached = word in asked.wider and reaches(tokens[denied[-1]], after[:place], ())
        if reached and stands_alone(after[place + 1 :], ()):
            spared = before.excepts or EXCEPT & words or {"other", "more"} & set(after)
            return NOTHING if spared else Statement("no", (word,), "no")
    if denied:
        return Statement(goes_on=None if RELATIONS & set(after) or len(denied) > 1 else "no")
    if _BLOCKING.isdisjoint(words) and polarity([*tokens, "a"], [], "", ()) == "yes":
        return Statement(goes_on="yes")
    listed = _SAYS.isdisjoint(words)
    return Statement(goes_on=before.goes_on if listed else None)


_BLOCKING = BLOCKING | LIKENESSES
_SAYS = BE_OR_SEEM | VERBS


def _any_thing(tokens: Sequence[str]) -> Statement:
    """The same where it isn't known what is asked: what counts is the thing that the clause names first."""
    for place, (word, following) in enumerate(pairwise(tokens)):
        if word not in _OPENS_NAME or following in _NO_NAME or following.endswith("ly"):
            continue
        ends = (at for at in range(place + 2, len(tokens)) if tokens[at] in _ENDS_NAME or tokens[at].endswith("ing"))
        return _first_thing(tokens, place, next(ends, len(tokens)))
    adjective = tokens[0] in ("it", "they", "that", "this") and not BE.isdisjoint(tokens[1:2]) and tokens[2:3] == ["not"]
    return Statement("no") if adjective else NOTHING


_OPENS_NAME = SHOW | DETERMINERS | {"no", "without", "lacks", "lack", "zero"}


def _first_thing(tokens: Sequence[str], place: int, end: int) -> Statement:
    head, rest, name = list(tokens[: place + 1]), list(tokens[end:]), tuple(tokens[place + 1 : end])
    if rest[:2] in (["is", "not"], ["are", "not"]):
        return Statement("no", name)  # "the car is not red" answers what was asked of the car
    if likened(head, rest, None):
        return NOTHING
    found = polarity(head, rest, name[-1], ())
    exists = any(one in ("there", "here") and other in BE_OR_SEEM for one, other in pairwise(head))
    sees = not _SEES.isdisjoint(head)
    present = not BE_OR_CAN.isdisjoint(rest[:1]) and not PRESENT.isdisjoint(rest[1:4])
    shown = present and tokens[place] not in ("that", "this", "it")
    return Statement(found, name) if found == "no" or (found == "yes" and (exists or sees or shown)) else NOTHING


_SEES = SHOW - {"have", "has", "find", "hold", "present"}
_ENDS_NAME = (
    BE
    | RELATIONS
    | PRESENT
    | SEEM
    | {"can", "or", "and", "does", "do", "not", "that", "which", "to", "of", "has", "chance", "possibility"}
)
_NO_NAME = _ENDS_NAME | DETERMINERS | PICTURES | NEGATORS | {"something", "anything", "everything"}
