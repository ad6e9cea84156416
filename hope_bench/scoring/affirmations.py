"""Where the words around an object's name say that it is there: "there is", "I see", "wearing a", "a dog is running".

`head` are the words before the name, `rest` those after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hope_bench.scoring.answer_words import (
    BE,
    BE_OR_CAN,
    BE_OR_SEEM,
    DETERMINERS,
    EXIST,
    INDEFINITE,
    NEGATORS,
    NOUNS_IN_ED_OR_ING,
    PRESENT,
    RELATIONS,
    SHOW,
    VERBS,
    listed,
)

Words = Sequence[str]

_ADVERBS = {"clearly", "indeed", "also", "definitely", "be", "currently", "both", "all", "partially"}


def affirmed(head: Words, rest: Words, name: str) -> bool:
    """Whether the words around the object say that it is there."""
    return any(opens(place, head, name) for place in range(len(head))) or _placing(head) or _as_subject(head, rest)


def _placing(head: Words) -> bool:
    """Whether something is placed by the object: "a bike in front of a parking meter"."""
    place = next((place for place in reversed(range(len(head))) if head[place] in _PLACING), None)
    if place is None or not NEGATORS.isdisjoint(head):
        return False
    return not {"as", "for", "if", "that", "what", "whether", "which"} & set(head[place:])


def of_a_place(head: Words) -> bool:
    """Whether the name only tells where something else is: "behind the", "the cat in front of a"."""
    before = [word for word in head if word not in DETERMINERS][-2:]
    return bool(before) and (before[-1] in _WHERE or (before[-1] in ("of", "to") and before[0] in _SIDES))


def opens(place: int, head: Words, name: str) -> bool:
    """Whether a word before the object says that what follows is there: "there is", "I see", "shows", "with", "riding a"."""
    word, after = head[place], head[place + 1 :]
    determined = bool(DETERMINERS & set(after))
    if word in ("there", "here"):
        return bool(_THERE & set(after))
    if word in SHOW:
        return head[place - 1 : place] != ["you"]
    if word == "with":
        return True
    if not after and word in VERBS and name.endswith("s") and "can" not in head:
        return True  # "hikers carry backpacks"
    if word in BE and place and not after and (name.endswith("s") or name in UNCOUNTED):
        return True  # "the animals are dogs", "the food is pizza"
    if word in BE:
        return bool(_ARTICLES & set(after)) or (len(after) == 1 and after[0] in RELATIONS)
    if not after and (word in _HAVING or (doing(word) and name.endswith("s"))):
        return True  # "wearing skis", "flying kites"
    if not place and word in VERBS and word.endswith("s"):
        return True  # "a woman, who has no shoes, walks a dog"
    return place > 0 and determined and (word in VERBS or doing(word))


_PLACING = listed("placing")
_SIDES = frozenset(("close", "front", "left", "next", "right", "side", "top"))
_WHERE = _PLACING - _SIDES | {"with"}
UNCOUNTED = listed("uncounted")
_THERE = BE_OR_SEEM | EXIST
_ARTICLES = INDEFINITE | {"the"}
_PLACED = RELATIONS | PRESENT
_HAVING = listed("having")


def doing(word: str) -> bool:
    return word.endswith("ing") and word not in NOUNS_IN_ED_OR_ING


def _as_subject(head: Words, rest: Words) -> bool:
    """Whether the object is what a clause is about, and that presupposes it: "a dog is running", "two dogs on a couch"."""
    if not rest:
        return False
    determined = bool(DETERMINERS & set(head))
    if (determined or not head) and (rest[0] in _PLACED or doing(rest[0])):
        return True  # "Dog detected.", "Dog on sofa"
    if rest[0] in VERBS:
        return True
    then = [word for word in rest[1:] if word not in _ADVERBS]
    if rest[0] not in BE_OR_CAN or not then:
        return False
    placed = then[0] in _PLACED or then[0].endswith("ing") or (then[0].endswith("ed") and not RELATIONS.isdisjoint(then[1:2]))
    return placed or determined
