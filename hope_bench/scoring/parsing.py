"""From a model's words to a verdict, under the `strict` convention (docs/scoring.md, reading answers)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from hope_bench.files.language import AnswerWords
from hope_bench.records import Verdict
from hope_bench.scoring.answer_text import plain, sentences, spoken
from hope_bench.scoring.answer_words import (
    BE,
    BLOCKING,
    DETERMINERS,
    NEGATORS,
    NO,
    PRESENT,
    REASONING,
    YES,
    YES_OR_NO,
    listed,
    words_of,
)
from hope_bench.scoring.asked_object import NUMBERS, Asked, asked, asked_about, number_of_word
from hope_bench.scoring.languages import find_words, may_be_english, read_foreign
from hope_bench.scoring.readings import CONCLUSION, Reader, Reading
from hope_bench.scoring.retractions import corrected_by_actually, disowned, last_word, without_offer
from hope_bench.scoring.statements import Said

_SHORT: dict[str, Verdict] = {
    "yes": "yes",
    "yes.": "yes",
    "no": "no",
    "no.": "no",
    "y": "yes",
    "n": "no",
    "y.": "yes",
    "n.": "no",
    "Yes": "yes",
    "No": "no",
}
"""What nearly every answer is."""


def parse_strict(
    text: str | None, languages: Sequence[str | AnswerWords] = (), object: str | None = None, question: str = ""
) -> Verdict:
    """What an answer says: "yes", "no", or "unparsed" where that isn't clear.

    `object` is what was asked about, as the question says it ("dog", "a red car"; `asked_object.asked_about` finds it); with it,
    what an answer says of other things doesn't count. Case, markdown, punctuation and reasoning blocks don't matter. An explicit
    final answer ("Answer: no", a box, a tag) counts first, then the first plain yes or no, then what the clauses state ("There is
    a dog"). What doubts, contradicts itself or breaks off before its answer is unparsed. The words of `languages`
    (codes, or a benchmark's own) count beside the English ones, and in them also what is stated of the thing that `question` asks
    about (scoring/languages.py). Of a very long answer only the two ends are read. Raises HopeBenchError for a language without
    words.
    """
    foreign = find_words(languages)  # names an unknown language, whatever the answer
    if not text:
        return "unparsed"
    if (short := _SHORT.get(text.strip().lower())) is not None:
        return short
    return _parse(spoken(text), foreign, object, question if foreign else "")


def parse_answer(text: str, question: str, language: AnswerWords | None = None) -> Verdict:
    """`parse_strict` of an answer to a question of a benchmark, which is in `language` (None: "Is there a dog in the image?")."""
    short = _SHORT.get(text)
    if short is not None:
        return short
    languages = () if language is None else (language,)
    return parse_strict(text, languages, asked_about(question), question)


@lru_cache(maxsize=4_096)
def _parse(said: str, foreign: tuple[AnswerWords, ...], object_: str | None, question: str) -> Verdict:
    what = None if object_ is None else asked(object_)
    text = plain(said)
    found = [one for words in foreign if (one := read_foreign(text, words, question)) is not None]
    start, meant = min(found, default=(len(text), "doubt"))
    before = _english(text[:start], what) if may_be_english(text[:start], foreign) else "unparsed"
    return before if before != "unparsed" else "unparsed" if meant == "doubt" else meant


def _english(text: str, what: Asked | None) -> Verdict:
    whole, text = text, last_word(text)
    retracted, text = text != whole, without_offer(text)
    actually = corrected_by_actually(text)
    if actually is not None and (said := _english(actually, what)) != "unparsed":
        return said
    if disowned(text) or _wavers(text):
        return "unparsed"
    if (counted := _bare_number(text, what)) is not None:
        return counted
    if what is not None and _lists(text, what):
        return "yes"
    reader = Reader(what, retracted)
    reasons = REASONING.match(text) is not None
    readings: list[Reading] = []
    lines = sentences(text)
    for number, sentence in enumerate(lines, 1):
        found = reader.read(sentence)
        if reasons and number == len(lines) and len(found) == 1 and found[0].kind == "direct":
            found = [found[0]._replace(rank=max(found[0].rank, CONCLUSION))]  # reasoning that ends in a bare "No."
        if readings or not sentence.asks or any(one.said is not None for one in found):  # not the question alone, repeated
            readings += found
    decided = _decide(readings, reasons, retracted)
    return decided if decided in ("yes", "no") else "unparsed"


def _bare_number(text: str, what: Asked | None) -> Verdict | None:
    """What "Exactly two." says where a number was asked about, and "One." or "Several." where none was."""
    if what is None:
        return None
    words = [word for word in words_of(text) if word not in _AROUND_A_NUMBER]
    if len(words) != 1:
        return None
    if _NUMBERS.isdisjoint(what.adjectives):
        return "yes" if words[0] in _ONE_OR_MORE else None
    number = number_of_word(words[0])
    return None if number is None else what.count(number)


def _lists(text: str, what: Asked) -> bool:
    """Whether an answer is nothing but the names of three things or more, and one is what was asked about: "dog, cat, sofa"."""
    items = [item for part in re.split(r"[,;\n]", text) if (item := words_of(part))]
    if len(items) < 3 or any(len(item) > 3 or not _NO_NAMES.isdisjoint(item) for item in items):
        return False
    return any(what.find(item) == [(0, len(item))] for item in items)


_NUMBERS = frozenset(NUMBERS)
_NO_NAMES = YES | NO | BE | BLOCKING | DETERMINERS | NEGATORS | PRESENT | {"or"}
_AROUND_A_NUMBER = listed("around_a_number")
_ONE_OR_MORE = _NUMBERS | listed("some")


def _wavers(text: str) -> bool:
    """Whether there is nothing but yes and no, and both of them."""
    if "yes?" in text and "no?" in text:
        return True
    words = set(words_of(text))
    return YES_OR_NO.issuperset(words) and not words.isdisjoint(YES) and not words.isdisjoint(NO)


_BOTH = 400
"""Characters up to which an answer may be yes and no by turns; a longer one is a loop, whatever it says."""


def _decide(readings: Sequence[Reading], reasons: bool, retracted: bool) -> Said | None:
    """What all that an answer says comes to; None where that is nothing. What takes an earlier yes or no back must agree with
    itself: it didn't open the answer, so its own first word doesn't outweigh the rest."""
    counted = [one for one in readings if one.said is not None]
    direct = [one for one in counted if one.kind == "direct"]
    if not counted:
        return None
    best = max(one.rank for one in counted)
    leads = bool(direct) and direct[0] is counted[0] and not reasons
    plain = [one for one in direct if one.rank == best]
    if best:
        marked = [one for one in counted if one.rank == best]
        said = _together(plain or marked)
        return "doubt" if leads and said != direct[0].said else said
    if reasons:
        return None
    if direct:
        earlier = counted[: counted.index(direct[0])]
        over = direct[0].turns  # "it is hard to tell, but yes"
        agree = all(one.said == direct[0].said or one.kind == "soft" or (over and one.said == "doubt") for one in earlier)
        if retracted and direct[0].said == "no" and any(one.said == "yes" and one.kind == "statement" for one in counted):
            others = [one for one in counted if one is not direct[0]]
            return "yes" if all(one.said == "yes" for one in others) else "doubt"  # "no, that's a dog"
        if retracted:
            agree = all(one.said == direct[0].said for one in counted)
        return direct[0].said if agree and not _contradicted(direct[0], counted) else "doubt"
    statements = [one for one in counted if one.kind == "statement"]
    if statements:
        said = _together(statements)
        return "doubt" if said == "yes" and any(one.kind == "soft" and one.said == "no" for one in counted) else said
    talks = any(one.kind == "statement" for one in readings)  # "Certainly! I can help you with that."
    return None if talks else _together(counted)


def _contradicted(answer: Reading, counted: Sequence[Reading]) -> bool:
    """Whether a later plain yes or no says the opposite, and what follows it bears it out ("Yes, ... No, there is none.")."""
    return any(
        one.kind == "direct" and one.said not in (answer.said, "doubt") and one.said == then.said and then.kind == "statement"
        for one, then in pairwise(counted)
    )


def _together(readings: Sequence[Reading]) -> Said | None:
    """What statements say together: they agree, or one that begins with "but" or "actually" takes back those before it."""
    said: Said | None = None
    for one in readings:
        if said is None or (one.turns and one.said != "doubt"):
            said = one.said
        elif one.said != said:
            return "doubt"
    return said
