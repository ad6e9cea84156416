"""How questions are worded: POPE's own existence sentence, and good English (exceptions in wording.toml)."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hope_bench.files.validation import Strict, read_toml

if TYPE_CHECKING:
    import inflect

_AFTER_HEAD = re.compile(r" (?:of|in|on|with|for|at|from|to|near|behind|under) ")
"""What follows a name's noun: of "pair of shoes", "pair" is what there is one of."""
_ASIDE = re.compile(r"(?<=\S) \([^()]*\)$")
_LETTER_BY_LETTER = re.compile(r"(?:[A-Z]\d+|[A-Z]{2,5})\d*s?")
_SAID_AS_A_WORD = re.compile(r"(?!.*[^AEIOUY\d]{3})[A-Z]*[^AEIOUY][AEIOUY][^AEIOUY][A-Z]*")
"""Capitals that can be pronounced: "NASA", "SIM", "HAT"; not "HDMI", "RV" or "UFO"."""
_EIGHT_OR_ELEVEN = re.compile(r"8|1[18](?:\d{3})*(?!\d)|18\d\d(?!\d)")
"""Numbers said as eight, eighty, eleven, eighteen, eleven thousand, eighteen hundred."""
_ARTICLE = re.compile(r"(?:an?|the|some|any) +(?=\S)", re.IGNORECASE)


class Words(Strict):
    """wording.toml: words by how English treats them."""

    one_thing: frozenset[str]
    many: frozenset[str]
    plural_in_s: frozenset[str]
    uncounted: frozenset[str]
    sounded_an: frozenset[str]
    sounded_a: frozenset[str]
    spelled_out: frozenset[str]
    instead_of_article: frozenset[str]
    before_plurals: frozenset[str]
    themselves: frozenset[str]


@cache
def bare(name: str) -> str:
    """A name without the article that some datasets write, and with single spaces: "a  dog" and "any dog" are "dog"."""
    single = " ".join(name.split())
    return _ARTICLE.sub("", single, count=1) if _ARTICLE.match(single) else single


@cache
def article(name: str) -> str:
    """ "an" before a vowel letter, else "a": POPE's rule, by spelling rather than sound."""
    return "an" if name[:1].lower() in tuple("aeiou") else "a"


@cache
def existence_question(name: str, wording: Literal["pope", "natural"] = "pope") -> str:
    """The question about one category. POPE's: "Is there an apple in the image?", whatever the word.

    Natural wording follows sound and number: "Is there an hourglass in the image?", "Are there scissors in the image?", "Is there
    broccoli in the image?". No wording puts a second article before a name: of "any dog" and "a  dog" both ask for "a dog".
    """
    begins, some = existence_words(name, wording)
    return f"{begins} there {some} in the image?"


@cache
def existence_words(name: str, wording: Literal["pope", "natural"] = "pope") -> tuple[Literal["Is", "Are"], str]:
    """What `existence_question` begins with, and some such thing: ("Is", "an apple"), ("Are", "scissors")."""
    name = bare(name)
    if wording == "natural" or _takes_no_article(name):
        return verb(name), indefinite(name)
    return "Is", _other(name) or f"{article(name)} {name}"


def verb(name: str) -> Literal["Is", "Are"]:
    """Whether one asks "Is there" or "Are there" such things: "Are" for what is named in the plural ("skis", "people")."""
    return "Are" if is_plural(name) else "Is"


@cache
def indefinite(name: str, adjective: str = "") -> str:
    """Some such thing: "a red car", "an hourglass", "red scissors", "broccoli"."""
    name = bare(name)
    phrase = f"{adjective} {name}" if adjective else name
    if is_plural(name) or is_uncounted(name) or _takes_no_article(phrase):
        return phrase
    return _other(phrase) or f"{_sounded_article(phrase)} {phrase}"


def _takes_no_article(phrase: str) -> bool:
    """Whether a phrase begins with what stands in an article's place ("his hand", "two people"), or needs none ("someone")."""
    first, _, more = phrase.lower().partition(" ")
    words = _words()
    if phrase.lower() in words.themselves or (more and first in words.instead_of_article):
        return True
    return (first.isdigit() or first in words.before_plurals) and is_plural(more)


def _other(phrase: str) -> str | None:
    """ "another ball" of "other ball"; None of all else."""
    return f"another {phrase[6:]}" if phrase.lower().startswith("other ") and not is_plural(phrase) else None


@cache
def count_phrase(number: int, name: str) -> str:
    """A number of things in words: "one dog", "two wine glasses", "three sheep". Only for what can be counted (`is_counted`)."""
    name = bare(name)
    return f"{_number(number)} {name if number == 1 else plural(name)}"


@cache
def _number(number: int) -> str:
    return str(inflect_engine().number_to_words(number))


@cache
def is_counted(name: str) -> bool:
    """Whether one can say how many there are: not of "broccoli", not of "gloves", where one may be a glove or a pair, and not of
    what goes by two names ("cabinet or shelf")."""
    return not is_plural(name) and not is_uncounted(name) and " or " not in name and not _takes_no_article(bare(name))


@cache
def forms(name: str) -> frozenset[str]:
    """A name in the singular and the plural, itself included: "person", "people" and "persons" share some of theirs."""
    head, preposition, rest = _split_head(name)
    single = inflect_engine().singular_noun(head.rsplit(" ", 1)[-1]) if is_plural(name) and head[-1:].isalpha() else False
    if not single:
        return frozenset((name, plural(name)))
    singular = " ".join([*head.split(" ")[:-1], str(single)])
    return frozenset((name, f"{singular}{preposition}{rest}", f"{plural(singular)}{preposition}{rest}"))


def _split_head(name: str) -> tuple[str, str, str]:
    """A name before, in and after its first preposition: "glass", " of ", "water"; without one the name and two empty texts."""
    found = _AFTER_HEAD.search(name)
    return (name, "", "") if found is None else (name[: found.start()], found[0], name[found.end() :])


@cache
def plural(name: str) -> str:
    """The plural of a name: "men", "cabinets or shelves", "TVs"; what is plural already stays ("skis")."""
    return " or ".join(_plural(part) for part in name.split(" or "))


def _plural(name: str) -> str:
    name, aside = _aside(name)
    return _plural_words(name) + aside


def _plural_words(name: str) -> str:
    last = name.rsplit(" ", 1)[-1]
    if is_plural(name) or not _plain(last).isascii() or not last[-1:].isalpha():
        return name  # of another script, or no word
    if last.isupper() or last in _words().plural_in_s:
        return f"{name}s"
    return str(inflect_engine().plural_noun(name))


@cache
def is_plural(name: str) -> bool:
    """Whether a name is in the plural: "skis", "people", "street lights"; not "bus", "glass" or "sheep"."""
    head = _head(name)
    words = _words()
    if head in words.many:
        return True
    if head in words.one_thing or head in words.uncounted or head.endswith(("ss", "us")):
        return False
    if not head.isascii() or not head.isalpha():
        return False
    if head.endswith("s"):  # "scissors" is its own singular
        return bool(inflect_engine().singular_noun(head))
    singular = inflect_engine().singular_noun(head)
    return bool(singular) and singular != head and inflect_engine().plural_noun(singular) == head


@cache
def is_uncounted(name: str) -> bool:
    """Whether a name is that of a mass, such as "broccoli" or "orange juice"."""
    return _head(name) in _words().uncounted


def _head(name: str) -> str:
    """The noun that a name turns on, in lower case: the last word before a preposition or a remark in parentheses."""
    return _AFTER_HEAD.split(_aside(name)[0], 1)[0].rsplit(" ", 1)[-1].lower()


def _aside(name: str) -> tuple[str, str]:
    """A name and the remark in parentheses at its end: "bow (weapon)" is "bow" and " (weapon)"."""
    found = _ASIDE.search(name)
    return (name, "") if found is None else (name[: found.start()], found[0])


def _sounded_article(phrase: str) -> str:
    """ "an hour", "a uniform", "an SUV": by sound, accents left aside."""
    first = _plain(phrase).split(" ", 1)[0]
    start = re.split(r"[-/&.]", first, maxsplit=1)[0]
    words, lower = _words(), start.lower()
    if lower in words.sounded_an or lower in words.sounded_a:
        return "an" if lower in words.sounded_an else "a"
    capitals = _LETTER_BY_LETTER.fullmatch(start) and not _SAID_AS_A_WORD.fullmatch(start)
    single = len(start) == 1 and start.isalpha() and start != phrase
    if capitals or single or lower in words.spelled_out:
        return "an" if start[0].upper() in "AEFHILMNORSX" else "a"
    if first[:1].isdigit():
        return "an" if _EIGHT_OR_ELEVEN.match(first) else "a"
    return str(inflect_engine().a(first)).split(" ", 1)[0] if first[:1].isalpha() else "a"


def is_abbreviation(word: str) -> bool:
    """Whether a word of capitals is said letter by letter, or has a figure in it: "SUV", "TV", "MP3", not "CAR"."""
    return word.lower() in _words().spelled_out or any(letter.isdigit() for letter in word)


def _plain(text: str) -> str:
    """Without accents: "éclair" is "eclair"."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


@cache
def inflect_engine() -> inflect.engine:
    """inflect without its check of every argument's type: with it, the import takes 2 s of CPU, not 0.1 s, and a word thrice the
    time. typeguard, which checks, parses inflect's source anew for each of its methods. It offers `python -O` against that, under
    which its decorator gives back the function it is given; here it does so while inflect is imported, and at no other time.
    """
    import typeguard

    module: Any = typeguard
    checked = module.typechecked
    module.typechecked = lambda function: function
    try:
        import inflect
    finally:
        module.typechecked = checked
    return inflect.engine()


@cache
def _words() -> Words:
    return read_toml(Path(__file__).with_name("wording.toml"), Words)
