"""How questions are worded: POPE's own existence sentence, the right article, and counts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import inflect


@cache
def article(name: str) -> str:
    """ "an" before a vowel letter, else "a": POPE's rule, by spelling rather than sound."""
    return "an" if name[:1].lower() in tuple("aeiou") else "a"


def existence_question(name: str, wording: Literal["pope", "natural"] = "pope") -> str:
    """The question about one category. POPE's: "Is there an apple in the image?", whatever the word.

    Natural wording follows sound and number: "Is there an hourglass in the image?", "Are there scissors in the image?".
    """
    if wording == "pope":
        return f"Is there {article(name)} {name} in the image?"
    if _is_plural(name):
        return f"Are there {name} in the image?"
    return f"Is there {_inflect().a(name)} in the image?"


@cache
def count_phrase(number: int, name: str) -> str:
    """A number of things in words: "one dog", "two wine glasses", "three sheep"."""
    return f"{_number(number)} {name if number == 1 else plural(name)}"


@cache
def _number(number: int) -> str:
    return str(_inflect().number_to_words(number))


@cache
def plural(name: str) -> str:
    """The plural of a category's name; names that are plural already stay ("skis", "scissors")."""
    return name if _is_plural(name) else str(_inflect().plural_noun(name))


def _is_plural(name: str) -> bool:
    last = name.rsplit(" ", 1)[-1]
    # "bus", "gas" and "lens" end in s but are one thing.
    return last.endswith("s") and not last.endswith(("ss", "us", "as", "ens")) and bool(_inflect().singular_noun(last))


@cache
def _inflect() -> inflect.engine:
    import inflect

    return inflect.engine()
