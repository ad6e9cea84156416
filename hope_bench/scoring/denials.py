"""Where the words around an object's name deny it: "no visible dog", "nobody wears a tie", "the dog is not here".

`head` are the words before the name, `rest` those after it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise, takewhile
from typing import Literal

from hope_bench.scoring.affirmations import Words, doing, of_a_place, opens
from hope_bench.scoring.answer_words import (
    ABSENT,
    BE,
    CONTAIN,
    DETERMINERS,
    EXCEPT,
    EXIST,
    LACK,
    NEGATORS,
    OF_WHAT,
    PERCEIVE,
    PRESENT,
    RELATIONS,
    SEEM,
    STATE,
    THINK,
    VERBS,
    WEAK_MODIFIERS,
    listed,
)
from hope_bench.scoring.asked_object import same_word

_SHOWING = STATE | EXIST | LACK | SEEM | THINK
_BETWEEN = {"actually", "really", "currently", "clearly", "be", "being", "to", "at", "all", "any", "part", "of", "anywhere"}


def denied_before(head: Words, claims: Collection[str]) -> Literal["denied", "excepted", "all but", "unclear"] | None:
    """Whether a denial before the object reaches it: "no visible dog", "I do not see any dog", but not "no cat near the dog"."""
    for place, word in enumerate(head):
        if word in ("everything", "anything", "all", "everyone") and EXCEPT & set(head[place:]) and "not" not in head[:place]:
            return "all but"
    places = [
        place for place, word in enumerate(head) if word in NEGATORS and (word != "free" or head[place + 1 : place + 2] == ["of"])
    ]
    if not places:
        return None
    last = places[-1]
    negator, between = head[last], head[last + 1 :]
    if EXCEPT & set(between):
        return "excepted" if negator not in LACK else "unclear"
    anew = any(one == "and" and other in DETERMINERS for one, other in pairwise(between))
    if negator in ("no", "without") and anew:
        return None  # "a man with no hat and a dog"
    if (worn := _of_nobody(negator, between)) is not None:
        return worn
    if not reaches(negator, between, claims):
        passed = negator in ("without", "no", "not", "nobody") and any(
            opens(at, between, "") for at in range(negator == "not", len(between))
        )
        return None if passed or negator == "without" else "unclear"
    earlier = {head[place] for place in places[:-1]}
    if earlier and not {"neither", "nor", "no"}.issuperset({*earlier, negator}):
        apart = RELATIONS & set(head[places[-2] : last])
        return "denied" if apart else "unclear"  # two denials of one thing are none, or a slip
    return "denied"


def _of_nobody(negator: str, between: Words) -> Literal["denied", "unclear"] | None:
    """What a denied subject says of its verb's object: "nobody wears a tie" denies ties, "no child sits on a bench" may leave
    benches; None where the object is presupposed ("the bench") or there is no such verb."""
    verbs = [place for place, word in enumerate(between) if word in _ACTS or doing(word)]
    first = verbs[0] if verbs else 0
    whole = negator in ("nobody", "none")
    if negator == "not" and verbs and between[0] in ("all", "every", "everyone", "everybody"):
        return "unclear"  # "not every hiker has a backpack"
    subject = whole or (first and (negator in ("no", "neither") or (negator == "not" and "single" in between)))
    if not verbs or not subject:
        return None
    act = next((place for place in verbs if between[place] not in BE), None)  # "is wearing"
    after = between[first + 1 :]
    article = next((word for word in reversed(after) if word in DETERMINERS), None)
    if article in KNOWN or (act is None and not RELATIONS & set(after)) or (act and between[act] in _IS_PRESENT):
        return None
    return "denied" if act is not None and between[act] in _HAS and not RELATIONS & set(after) else "unclear"


_HAS = listed("wearing")
_ACTS = _HAS | BE | VERBS | PERCEIVE | {"with"}
_IS_PRESENT = PRESENT | EXIST
REAL = listed("real")
KNOWN = listed("definite")


def reaches(negator: str, between: Words, claims: Collection[str]) -> bool:
    """Whether a denial reaches the object at the end of the words between the two."""
    for place, (before, word) in enumerate(pairwise([negator, *between])):
        opens = before == "and" and word in DETERMINERS
        thinks = word != "that" or negator == "nothing" or _THOUGHT & set(between[:place])
        if opens or not thinks or word in _LEADS_AWAY or (word == "of" and before not in _OF_IT):
            return False
    if negator in ("nothing", "none"):
        return True
    if negator == "not":
        if between[:1] in (["wearing"], ["carrying"]):
            between = between[1:]
        verb = max((place for place, word in enumerate(between) if word in _SHOWING), default=None)
        if verb is None and not _OF_A_NAME.issuperset(between[:1]):
            return False  # "not riding a horse" says nothing of horses elsewhere
        if verb is not None and (between[verb] in LACK or not _SHOWS_NONE.issuperset(between[:verb])):
            return False
        between = between if verb is None else between[verb + 1 :]
    item = takewhile(lambda word: word not in _PARTS_ITEMS, reversed(between))
    return all(word in _IDLE or same_word(word) in claims for word in item)


_PARTS_ITEMS = {"and", "or", "nor", "no"}
_THOUGHT = THINK | {"anything"}
_LEADS_AWAY = RELATIONS | {"as"}
_OF_IT = OF_WHAT | LACK | {"none", "neither"}
_SHOWS_NONE = WEAK_MODIFIERS | _SHOWING | {"there", "it", "i", "we"}
_OF_A_NAME = DETERMINERS | WEAK_MODIFIERS
_IDLE = _OF_A_NAME | STATE | PRESENT | {"resembling", "like"}


def claim_denied(rest: Words, claims: Collection[str]) -> bool:
    """Whether a claim of the description is denied of the object named: "the car is not red"."""
    for place, word in enumerate(rest):
        if word in ("not", "no", "without", "nor"):
            return any(same_word(one) in claims for one in rest[place:]) or denied_after([], rest) == "no"
    return False


def denied_after(head: Words, rest: Words) -> Literal["yes", "no", "unclear"] | None:
    """A denial in the verb of which the object is the subject: "the dog is not here", "a dog can not be seen"."""
    verb = next((place for place, word in enumerate(rest) if word in _SUBJECTS_VERB_OR_END), None)
    if verb is None or rest[verb] in _ENDS_SUBJECT:
        return None
    after = [word for word in rest[verb + 1 :] if word not in _BETWEEN]
    if not after:
        return None
    if after[:3] == ["what", "is", "missing"]:
        return "no"
    if after[0] not in _DENIES:
        return None
    known = next((word for word in reversed(head) if word in DETERMINERS), None) in KNOWN
    if of_a_place(head) or _of_its_own(head):
        there = _NOT_THERE.isdisjoint(after[1:2] if after[0] in ("not", "never") else after[:1])
        return "yes" if known and there else "unclear"  # "the owner of the dog is not present": who knows where the dog is
    if after[0] in ABSENT:
        gone = after[0] != "gone" or _AFTER_GONE.issuperset(after[1:2])
        whole = gone and (after[0] not in ("missing", "lacking") or DETERMINERS.isdisjoint(after[1:2]))
        return "no" if whole else None
    then = after[1:]
    if "fully" in then and head:
        return "yes"
    if "clearly" in rest[verb:]:
        return "unclear"
    if _MAY_NOT_BE.issuperset(then[:1]) or (then[0] in SEEM and PRESENT.issuperset(then[1:2])):
        return "no"
    if REAL & set(then):
        return "unclear"
    still = doing(then[0]) or then[0] in _STILL_THERE
    return "yes" if known and still else "unclear"  # "is not wearing a collar"


def _of_its_own(head: Words) -> bool:
    """Whether what is spoken of is something of the object's: "the face of the", but not "any sign of a", "one of the"."""
    before = [word for word in head if word not in DETERMINERS][-2:]
    return before[1:] == ["of"] and before[0] not in _OF_ALL


_DENIES = ABSENT | {"not", "never"}
_NOT_THERE = listed("not_there")
_OF_ALL = _OF_IT | {"all", "most", "some"}
_SUBJECTS_VERB = BE | {"can", "do", "does", "could"} | (SEEM - {"look", "looks"})
_MAY_NOT_BE = _IS_PRESENT | {"one"}
_STILL_THERE = listed("still_there") | SEEM | CONTAIN | (VERBS - EXIST)
_AFTER_GONE = RELATIONS | {"and", "here", "now"}
_ENDS_SUBJECT = listed("ends_subject")
_SUBJECTS_VERB_OR_END = _SUBJECTS_VERB | _ENDS_SUBJECT
