"""How questions are worded: POPE's own existence sentence, the right article, and counts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inflect


def article(name: str) -> str:
    """ "an" before a vowel letter, else "a": POPE's rule, by spelling rather than sound."""
    return "an" if name[:1].lower() in tuple("aeiou") else "a"


def existence_question(name: str) -> str:
    """POPE's question about one category: "Is there an apple in the image?"."""
    return f"Is there {article(name)} {name} in the image?"


def count_phrase(number: int, name: str) -> str:
    """A number of things in words: "one dog", "two wine glasses", "three sheep"."""
    engine = _inflect()
    word = engine.number_to_words(number)
    return f"{word} {name if number == 1 else plural(name)}"


def plural(name: str) -> str:
    """The plural of a category's name; names that are plural already stay ("skis", "scissors")."""
    engine = _inflect()
    last = name.rsplit(" ", 1)[-1]
    if last.endswith("s") and not last.endswith("ss") and engine.singular_noun(last) and not _singular_in_s(last):
        return name
    return str(engine.plural_noun(name))


def _singular_in_s(word: str) -> bool:
    """ "bus", "gas", "lens" end in s but are one thing."""
    return word.endswith(("us", "as", "ens"))


@cache
def _inflect() -> inflect.engine:
    import inflect

    return inflect.engine()
