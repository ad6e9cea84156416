"""What only looks like the thing asked about: toys, statues and pictures of it, and what turns out to be something else.

None of them says that the thing is there. Words in answer_words.toml.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hope_bench.scoring.affirmations import of_a_place
from hope_bench.scoring.answer_words import (
    BE,
    DETERMINERS,
    INDEFINITE,
    LIKENESSES,
    LIKENESSES_SAID,
    MATERIALS,
    NO_KIND,
    NOUNS_IN_ED_OR_ING,
    PICTURES,
    RELATIONS,
    SEEM,
    WITHIN_WHICH,
    WROUGHT,
    listed,
)
from hope_bench.scoring.asked_object import Asked

Words = Sequence[str]

_SEEMING = SEEM | listed("seeming")
_LIKENESSES = LIKENESSES | LIKENESSES_SAID
_NO_OTHER_THING = _LIKENESSES | PICTURES | NO_KIND
_ENDS_PHRASE = RELATIONS | {"of", "that", "or", "and", "not"}
_PARTING = RELATIONS | DETERMINERS
_BEFORE_MADE = BE | {"out", "entirely", "all", "only", "just", "actually", "here"}
_IN_FACT = r"(?: (?:actually|really|in fact|in reality|just|only|simply|merely|also))*"
_LOOKS = r"(?:looks?|looked|appears?|appeared|seems?|seemed) (?:like|to be|as if it were)|resembles?|resembled"
_WHAT_SEEMS = re.compile(
    r"^(?:what|(?:the|an?|this|that)(?: [a-z]+){1,4} (?:that|which))"
    r"(?: (?:at first|first|initially|i|we|you|one|might|may|could|would))*"
    rf" (?:{_LOOKS}|took for|mistook for|(?:thought|believed|assumed) (?:was|were|to be)|(?:be|was|were) (?:mistaken|taken) for)"
    rf" (?P<what>[^,]{{1,60}}?),?(?P<be> (?:is|was|are|were|turn(?:s|ed) out to be)){_IN_FACT} (?=an?\b|the\b|\w+s$|not\b)"
)
_SO_CALLED = re.compile(
    r"""^(?:the|this|that) (?:["'](?P<quoted>[a-z ]{2,30})["']"""
    r"|(?:supposed|so called|so-called|alleged|apparent|purported|presumed) (?P<called>[a-z ]{2,30}?))"
    rf"(?: here)?(?P<be> (?:is|was|are|were|turns out to be)){_IN_FACT} (?=an?\b)"
)
_IS_A = re.compile(
    r"^(?:(?:no|oh|and|then|actually|really|well) )*"
    r"(?:(?:it|that|this|they|these|those|he|she|which"
    r"|(?:the|these|those) (?:animal|creature|figure|item|object|shape|thing)s?) )?"
    r"(?:is|are|was|were|turns? out to be|turned out to be|proves? to be)"
    rf"(?: here)?{_IN_FACT} (?P<what>(?:an?|some|two|three|several|the) .+)$"
    rf"|^(?:they|these|those) (?:are|were){_IN_FACT} (?P<plural>[a-z]+s)$"
)


def seeming(head: Words) -> bool:
    """Whether the words before a name say what something seems, or was taken for: "it looks like a", "I thought it was a"."""
    return not _SEEMING.isdisjoint(head)


def as_seeming(text: str) -> str:
    """A sentence that says in one clause what something seems and is, in two: "What looks like a dog is a cat" becomes
    "it looks like a dog, but it is a cat"."""
    found = _WHAT_SEEMS.match(text) or _SO_CALLED.match(text)
    if found is None:
        return text
    what = found["what"] if "what" in found.groupdict() else f"a {found['quoted'] or found['called']}"
    return f"it looks like {what}, but it{found['be']} {text[found.end() :]}"


def another_thing(tokens: Words, asked: Asked, known: bool) -> bool:
    """Whether a clause says that what seemed the object is some other thing: "it's a fox". With `known`, only what is surely
    another thing counts, not "it's a mix" or "it's a stray"."""
    found = _IS_A.match(" ".join(tokens))
    if found is None:
        return False
    words = [found["plural"]] if found["plural"] else found["what"].split()[1:]
    end = next((place for place, word in enumerate(words) if word in _ENDS_PHRASE), len(words))
    phrase = words[:end]
    if not phrase or not (_NO_OTHER_THING | asked.wider).isdisjoint(phrase):
        return False
    return not known or asked.is_another(phrase)


def likened(head: Words, rest: Words, asked: Asked | None) -> bool:
    """Whether what is named here is a toy, a statue, a picture of the thing, or dressed up as it.

    A material makes a likeness only of what is born or grown: a plastic dog is none, a plastic chair is one.
    """
    natural = asked is None or asked.is_natural
    pictured = rest[:1] in (["in"], ["on"]) and not DETERMINERS.isdisjoint(rest[1:2]) and not WITHIN_WHICH.isdisjoint(rest[2:4])
    return pictured or _before(head, rest, natural) or _made(rest, natural) or _is_one(predicate(head, rest), natural)


def predicate(head: Words, rest: Words) -> Words:
    """What is said to be what was named, with the words before it: "is a toy" after "the dog" and "the dog on the shelf"; nothing
    after "behind the dog" and "in front of the dog", which say where something else is."""
    if of_a_place(head):
        return ()
    verb = next((place for place, word in enumerate(rest) if word in BE), None)
    between = rest[:verb]
    if verb is None or (between and between[0] not in _PLACING) or not _OTHER_CLAUSE.isdisjoint(between):
        return ()
    return rest[verb:]


_OTHER_CLAUSE = listed("other_clause")
_PLACING = RELATIONS | {"here"}


def _before(head: Words, rest: Words, natural: bool) -> bool:
    if not PICTURES.isdisjoint(head) and head[-2:-1] == ["of"] and not _HUNG.isdisjoint(rest):
        return True  # "a photo of a dog hangs on the wall"
    for place, word in enumerate(head):
        after = head[place + 1 :]
        if word in ("dressed", "disguised") and {"as", "like"} & set(after):
            return True
        if natural and word in MATERIALS and _PARTING.isdisjoint(after):
            return True
        if word not in LIKENESSES:
            continue
        parted = next((at for at, one in enumerate(after) if one == "and" or (one in RELATIONS and one != "with")), None)
        if parted is None or not DETERMINERS & set(after[parted:]):
            return True  # "a toy dog", "a shirt with the drawing of a dog", but not "a toy next to a dog"
    return False


def _made(rest: Words, natural: bool) -> bool:
    """ "made of bronze", "is painted on the wall"."""
    words = [word for word in rest if word not in _BEFORE_MADE]
    if not words or words[0] not in WROUGHT:
        return False
    if words[0] == "made":
        return natural and words[1:2] == ["of"]
    return words[1:2] in (["on"], ["onto"], ["into"], ["in"]) or (natural and words[1:2] in (["of"], ["from"], ["by"]))


_HUNG = listed("hung")


def _is_one(said: Words, natural: bool) -> bool:
    """ "is just a toy", "is a bronze statue", but not "is playing with a toy"."""
    for word in said[1:]:
        if word in _LIKENESSES or (natural and word in MATERIALS):
            return True
        if word in RELATIONS or word == "not" or (word.endswith("ing") and word not in NOUNS_IN_ED_OR_ING):
            return False
    return False


def generic(head: Words, rest: Words) -> bool:
    """Whether a clause speaks of things of this kind in general ("a dog is a loyal animal"), or of one that isn't seen ("a dog
    is probably behind the door")."""
    if not rest or rest[0] not in BE or not head or head[-1] not in INDEFINITE:
        return False
    return (head[-1] in ("a", "an") and rest[1:2] in (["a"], ["an"])) or rest[1:2] in (["probably"], ["likely"], ["presumably"])
