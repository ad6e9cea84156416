"""What the words around an object's name say of it: denied, affirmed, or neither.

A clause is a list of words (answer_words.words_of). `head` are the words before the name, `rest` those after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal

from hope_bench.scoring.answer_words import (
    ABSENT,
    BE,
    BLOCKING,
    CONTAIN,
    DETERMINERS,
    EXCEPT,
    EXIST,
    FOLLOWING,
    HEDGES,
    INDEFINITE,
    LACK,
    NEGATORS,
    NOUNS_IN_ED_OR_ING,
    OF_WHAT,
    PERCEIVE,
    PICTURES,
    PRESENT,
    QUOTING,
    RELATIONS,
    SEEM,
    THINK,
    VERBS,
    WEAK_MODIFIERS,
)
from hope_bench.scoring.asked_object import same_word
from hope_bench.scoring.likenesses import generic

Words = Sequence[str]
Polarity = Literal["yes", "no"]

_SHOWING = BE | CONTAIN | EXIST | LACK | PERCEIVE | SEEM | THINK
_BETWEEN = {"actually", "really", "currently", "clearly", "be", "being", "to", "at", "all", "any", "part", "of", "anywhere"}
_ADVERBS = {"clearly", "indeed", "also", "definitely", "be", "currently", "both", "all", "partially"}
_MADE_KNOWN = {
    "confirm",
    "confirms",
    "confirmed",
    "indicate",
    "indicates",
    "suggest",
    "suggests",
    "detected",
    "evident",
    "clear",
    "visible",
    "obvious",
    "apparent",
}


def stands_alone(rest: Words, claims: Collection[str]) -> bool:
    """Whether the name ends where it seems to, rather than going on: "dog", not "dog house"."""
    if not rest or rest[0] in FOLLOWING or same_word(rest[0]) in claims:
        return True
    return rest[0].endswith(("ing", "ly", "ed")) and len(rest[0]) > 3 and rest[0] not in NOUNS_IN_ED_OR_ING


def compound(head: Words, name: str, rest: Words) -> bool:
    """Whether a noun that could be a verb makes it another thing: "a TV stand", but not "TVs stand" or "a cat and a dog stand"."""
    single = (not name.endswith("s") or name.endswith(("us", "ss"))) and name not in _UNCOUNTED and {"a", "an", "the"} & set(head[-4:]) and "and" not in head
    return bool(single and rest and rest[0] in _NOUN_OR_VERB)


_NOUN_OR_VERB = frozenset("cover drink drive fly jump line move play ride rest roll run show slide stand use walk watch".split())


def polarity(head: Words, rest: Words, name: str, claims: Collection[str]) -> Polarity | Literal["unclear"] | None:
    """What is said of the object called `name` here: "unclear" where it is spoken of without saying whether it is there, None
    where nothing is said but that a list goes on."""
    if rest and rest[0] == "free" and rest[1:2] != ["of"]:  # "dog free"
        return "no"
    if QUOTING & {*head, *rest[:2]} or _owned(head):
        return "unclear"  # what a sign says, what the model itself has
    reached = _denied_before(head, claims)
    if reached == "denied":
        if HEDGES & set(head) or _REAL & set(head[-2:]):
            return "unclear"  # "no real dog" speaks of a likeness
        if EXCEPT & set(rest):
            return "yes"  # "no other dogs besides the one on the left"
        return "unclear" if {"other", "more", "longer"} & set(head) else "no"
    if reached is not None:
        return "yes" if reached == "excepted" else "no" if reached == "all but" else "unclear"
    if claims and _claim_denied(rest, claims):
        return "no"
    after = _denied_after(head, rest)
    if after is not None:
        return after
    if _says_nothing(head, rest):
        return "unclear"
    return "yes" if _affirmed(head, rest, name) else None


def _owned(head: Words) -> bool:
    """Whether the model speaks of what it has itself: "I do not have a"."""
    return "i" in head and any(one == "have" and other in DETERMINERS | {"no"} for one, other in pairwise(head))


def is_list_item(head: Words) -> bool:
    """Whether nothing but articles, "and" and adjectives precede the object, as where a list goes on."""
    return len(head) <= 5 and not (BE | CONTAIN | PERCEIVE | NEGATORS | RELATIONS | SEEM) & set(head)


def _denied_before(head: Words, claims: Collection[str]) -> Literal["denied", "excepted", "all but", "unclear"] | None:
    """Whether a denial before the object reaches it: "no visible dog", "I do not see any dog", but not "no cat near the dog"."""
    for place, word in enumerate(head):
        if (
            word in ("everything", "anything", "all", "everyone")
            and EXCEPT & set(head[place + 1 :])
            and "not" not in head[:place]
        ):
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
    if negator in ("no", "without") and anew and between[0] not in DETERMINERS:
        return None  # "a man with no hat and a dog"
    if (worn := _of_nobody(negator, between)) is not None:
        return worn
    if not reaches(negator, between, claims):
        passed = negator in ("without", "no", "not", "nobody") and any(_opens(at, between, "") for at in range(len(between)))
        return None if passed or negator == "without" else "unclear"
    earlier = {head[place] for place in places[:-1]}
    if earlier and not earlier | {negator} <= {"neither", "nor", "no"}:
        apart = RELATIONS & set(head[places[-2] + 1 : last])
        return "denied" if apart else "unclear"  # two denials of one thing are none, or a slip
    return "denied"


def _of_nobody(negator: str, between: Words) -> Literal["denied", "unclear"] | None:
    """What a denied subject says of its verb's object: "nobody wears a tie" denies ties, "no child sits on a bench" may leave
    benches; None where the object is presupposed ("the bench") or there is no such verb."""
    verbs = [place for place, word in enumerate(between) if word in _HAS | BE | VERBS | PERCEIVE | {"with"} or _doing(word)]
    first = verbs[0] if verbs else 0
    whole = negator in ("nobody", "none")
    subject = whole or (first and (negator in ("no", "neither") or (negator == "not" and "single" in between)))
    if not verbs or not subject:
        return None
    doing = next((place for place in verbs if between[place] not in BE), None)  # "is wearing"
    after = between[(first if doing is None else doing) + 1 :]
    article = next((word for word in reversed(after) if word in DETERMINERS), None)
    if article in _KNOWN or (doing is None and not RELATIONS & set(after)) or (doing and between[doing] in PRESENT | EXIST):
        return None
    return "denied" if doing is not None and between[doing] in _HAS and not RELATIONS & set(after) else "unclear"


_HAS = frozenset("wear wears wearing carry carries carrying has have having".split())
_REAL = frozenset(("real", "actual", "live", "living"))
_KNOWN = frozenset("the his her its their this that these those my your our".split())


def reaches(negator: str, between: Words, claims: Collection[str]) -> bool:
    """Whether a denial reaches the object at the end of the words between the two."""
    for place, word in enumerate(between):
        before = between[place - 1] if place else negator
        opens = word == "and" and between[place + 1 : place + 2] and between[place + 1] in DETERMINERS
        thinks = word != "that" or not place or negator == "nothing" or (THINK | {"anything"}) & set(between[:place])
        if (
            opens
            or not thinks
            or word in RELATIONS | {"as"}
            or (word == "of" and before not in OF_WHAT | LACK | {"none", "neither"})
        ):
            return False
    if negator in ("nothing", "none"):
        return True
    if negator == "not":
        if between[:1] in (["wearing"], ["carrying"]):
            between = between[1:]
        verb = max((place for place, word in enumerate(between) if word in _SHOWING), default=-1)
        if verb >= 0 and between[verb] in LACK:
            return False
        doing = [word for word in between[: max(verb, 0)] if word not in WEAK_MODIFIERS | _SHOWING | {"there", "it", "i", "we"}]
        if doing or (verb < 0 and between and between[0] not in DETERMINERS | WEAK_MODIFIERS):
            return False  # "not riding a horse" says nothing of horses elsewhere
        between = between[verb + 1 :]
    listed = max((place for place, word in enumerate(between) if word in ("and", "or", "nor", "no")), default=-1)
    idle = WEAK_MODIFIERS | DETERMINERS | PRESENT | PERCEIVE | CONTAIN | BE | {"resembling", "like"}
    return all(word in idle or same_word(word) in claims for word in between[listed + 1 :])


def _claim_denied(rest: Words, claims: Collection[str]) -> bool:
    """Whether a claim of the description is denied of the object named: "the car is not red"."""
    for place, word in enumerate(rest):
        if word in ("not", "no", "without", "nor"):
            return any(same_word(one) in claims for one in rest[place + 1 : place + 7]) or _denied_after([], rest) == "no"
    return False


def _denied_after(head: Words, rest: Words) -> Literal["yes", "no", "unclear"] | None:
    """A denial in the verb of which the object is the subject: "the dog is not here", "a dog can not be seen"."""
    if (BE | CONTAIN | PERCEIVE) & set(head) and not {"that", "which"} & set(head):
        return None  # it is another verb's object
    verb = next((place for place, word in enumerate(rest) if word in _SUBJECTS_VERB | _ENDS_SUBJECT), None)
    if verb is None or rest[verb] in _ENDS_SUBJECT:
        return None
    after = [word for word in rest[verb + 1 :] if word not in _BETWEEN]
    if not after:
        return None
    if after[:3] == ["what", "is", "missing"]:
        return "no"
    if after[0] in ABSENT:
        gone = after[0] != "gone" or not after[1:] or after[1] in RELATIONS | {"and", "here", "now"}
        whole = gone and (after[0] not in ("missing", "lacking") or not (after[1:] and after[1] in DETERMINERS))
        return "no" if whole else None
    if after[0] not in ("not", "never"):
        return None
    then = after[1:]
    if "fully" in then[:2] and head:
        return "yes"
    if "clearly" in rest[verb + 1 : verb + 4]:
        return "unclear"
    gone = not then or then[0] in PRESENT | EXIST | {"one"} or (then[0] in SEEM and (not then[1:] or then[1] in PRESENT))
    if gone:
        return "no"
    known = head[-1:] and head[-1] in _KNOWN
    if _REAL & set(then):
        return "unclear"
    still = _doing(then[0]) or then[0] in _STILL_THERE or (then[0] in SEEM | CONTAIN | VERBS - EXIST)
    return "yes" if known and still else "unclear"  # "is not wearing a collar"


_SUBJECTS_VERB = BE | {"can", "do", "does", "could"} | (SEEM - {"look", "looks"})
_STILL_THERE = {
    "alone",
    "a",
    "an",
    "very",
    "old",
    "young",
    "small",
    "large",
    "big",
    "happy",
    "wet",
    "clean",
    "asleep",
    "awake",
    "brown",
    "black",
    "white",
    "on",
    "as",
    "looking",
}
_ENDS_SUBJECT = frozenset(("with", "whose", "without", "that", "which", "who", "no", "not", "and"))


def _says_nothing(head: Words, rest: Words) -> bool:
    """Whether the object is only likened, asked for, supposed, or a picture's or sign's content."""
    if "been" in rest and {"here", "there"} & set(rest[rest.index("been") + 1 :][:1]):
        return True  # "a dog seems to have been here"
    if BLOCKING & set(head) or generic(head, rest) or _inferred(head) or (rest and rest[0] in ("would", "could", "might", "may", "should", "like", "shaped")):
        return True
    if "of" not in head:
        return False
    what = head[len(head) - 2 - list(reversed(head)).index("of")] if head[0] != "of" else ""
    if what in PICTURES and {"has", "have", "wears", "with"} & set(head[: head.index(what)]):
        return True  # "the shirt has a picture of a dog"
    if what == "presence":
        return not _MADE_KNOWN & {*head, *rest}
    return what in ("absence", "lack") or (what in PICTURES and head[0] == "there")


def _inferred(head: Words) -> bool:
    """Whether something else makes the model think of the object: "the leash suggests that a"."""
    place = next((place for place, word in enumerate(head) if word in _SUGGESTS), None)
    return place is not None and not _OF_THE_PICTURE & set(head[:place]) and "there" not in head


_SUGGESTS = frozenset("hints imply implies indicate indicates suggest suggests".split())
_OF_THE_PICTURE = frozenset("evidence here image it picture photo scene this".split())


def _affirmed(head: Words, rest: Words, name: str) -> bool:
    """Whether the words around the object say that it is there."""
    return any(_opens(place, head, name) for place in range(len(head))) or _placing(head) or _as_subject(head, rest, name)


def _placing(head: Words) -> bool:
    """Whether something is placed by the object: "a bike in front of a parking meter"."""
    place = next((place for place in reversed(range(len(head))) if head[place] in _PLACING), None)
    if place is None or not NEGATORS.isdisjoint(head):
        return False
    after = set(head[place + 1 :])
    return bool(DETERMINERS & after) and not {"as", "for", "if", "that", "what", "whether", "which"} & after


def _opens(place: int, head: Words, name: str) -> bool:
    """Whether a word before the object says that what follows is there: "there is", "I see", "shows", "with", "riding a"."""
    word, after = head[place], head[place + 1 :]
    determined = bool(DETERMINERS & set(after))
    if word in ("there", "here"):
        return bool((BE | SEEM | EXIST) & set(after[:4]))
    if word in PERCEIVE | CONTAIN:
        return head[place - 1 : place] != ["you"] or bool({"can", "will"} & set(head))
    if word == "with":
        return place > 0 or determined
    if word in BE and place and not after and (name.endswith("s") or name in _UNCOUNTED):
        return True  # "the animals are dogs", "the food is pizza"
    if word in BE:
        return bool((INDEFINITE | {"the"}) & set(after)) or (len(after) == 1 and after[0] in RELATIONS)
    if place > 0 and not after and (word in _HAVING or (_doing(word) and name.endswith("s"))):
        return True  # "wearing skis", "flying kites"
    if not place and word in VERBS and word.endswith("s") and determined:
        return True  # "a woman, who has no shoes, walks a dog"
    return place > 0 and determined and (word in VERBS or (word.endswith("ing") and word not in NOUNS_IN_ED_OR_ING))


_PLACING = frozenset("above against alongside around at behind below beneath beside by front in inside into near next on onto over under".split())
_UNCOUNTED = frozenset("broccoli cake cattle livestock luggage people pizza sheep".split())
_ON = {"on", "at", "under", "behind", "near", "next", "beside"}
_HAVING = {"wearing", "riding", "holding", "carrying", "using", "eating"}


def _doing(word: str) -> bool:
    return word.endswith("ing") and word not in NOUNS_IN_ED_OR_ING


def _as_subject(head: Words, rest: Words, name: str) -> bool:
    """Whether the object is what a clause is about, and that presupposes it: "a dog is running", "two dogs on a couch"."""
    if not rest:
        return False
    determined = bool(DETERMINERS & set(head[-5:]))
    if not head and (rest[0] in (PRESENT | _ON) - {"there", "here"} or _doing(rest[0])):
        return True  # "Dog detected.", "Dog on sofa"
    if determined and (rest[0] in RELATIONS | PRESENT or (rest[0].endswith("ing") and rest[0] not in NOUNS_IN_ED_OR_ING)):
        return True
    if not (determined or name.endswith("s") or not head):
        return False
    if rest[0] in VERBS:
        return True
    then = [word for word in rest[1:] if word not in _ADVERBS]
    if rest[0] not in BE | {"can"} or not then:
        return False
    placed = (
        then[0] in PRESENT | RELATIONS
        or then[0].endswith("ing")
        or (then[0].endswith("ed") and then[1:2] and then[1] in RELATIONS)
    )
    return bool(placed or (determined and (INDEFINITE & set(head) or head[-1] in ("the", "this"))))
