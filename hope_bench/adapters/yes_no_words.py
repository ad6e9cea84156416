"""What counts as a yes or a no token, and P(yes) from a list of tokens with their log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from hope_bench.files.language import AnswerWords, answer_words

MOST_FOREIGN = 0.01
"""The most that yes and no of other languages may weigh, by those of the one asked in, where P(yes) is to mean anything: "no" is
Spanish and Italian, too, while "sí" is no "yes"."""


@dataclass(frozen=True, slots=True)
class YesNoWords:
    """The words of one token that say yes, those that say no, and those that say either in a language that isn't asked in.

    `unfinished` are those of them that something else may follow ("No veo ...": Spanish says "not" so, too). `own` are the usual
    yes and the usual no of the language asked in, where that isn't English: few vocabularies have both in one token, so that the
    first piece of one stands for it.
    """

    yes: frozenset[str]
    no: frozenset[str]
    foreign: frozenset[str]
    unfinished: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, language: AnswerWords | None = None) -> YesNoWords:
        """Of English and of the language that a benchmark asks in, if that is another."""
        yes, no = frozenset({"yes"}), frozenset({"no"})
        others = frozenset(word for words in answer_words().values() for word in (*words.yes, *words.no))
        if language is None:
            return cls(yes, no, others - yes - no)
        yes, no = yes.union(language.yes), no.union(language.no)
        own = (language.yes[0], language.no[0])
        return cls(yes - no, no - yes, others - yes - no, frozenset(language.alone), own)

    def meant(self, token: str) -> Literal["yes", "no", "foreign"] | None:
        """What a token says, without word-boundary marks and in lower case: either word, either in another language, or None."""
        for word in _read_as(token):
            if word in self.yes or word in self.no or word in self.foreign:
                return "yes" if word in self.yes else "no" if word in self.no else "foreign"
        return None

    def finishes(self, token: str) -> bool:
        """Whether a yes or a no is a whole answer."""
        return self.unfinished.isdisjoint(_read_as(token))

    def begun(self, token: str) -> Literal["yes", "no"] | None:
        """Of which of the language's own two words a token is the beginning; None of neither, and of both."""
        piece = strip_boundaries(token).lower()
        yes, no = (piece != "" and word.startswith(piece) for word in self.own) if self.own else (False, False)
        return None if yes == no else "yes" if yes else "no"


@cache
def english_words() -> YesNoWords:
    """What counts where questions are in English."""
    return YesNoWords.of()


_WORD_BOUNDARY = "▁ĠĊĉ"
"""How tokenizers write a space, newline or tab inside a token: SentencePiece's mark, then the byte-level alphabet's."""


def _byte_alphabet() -> dict[str, int]:
    """The characters that byte-level vocabularies (GPT-2's and after) write bytes with: printable ones are themselves, the other
    68 follow from U+0100."""
    printable = [byte for byte in bytes(range(256)) if chr(byte).isprintable() and chr(byte) != " "]
    others = [byte for byte in bytes(range(256)) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_alphabet()


def strip_boundaries(token: str) -> str:
    """A token without the marks of a word's boundary around it."""
    return token.strip(_WORD_BOUNDARY).strip()


def _read_as(token: str) -> tuple[str, ...]:
    """The words that a token may stand for."""
    return tuple(filter(None, (strip_boundaries(token).lower(), _spelt_in_bytes(token))))


def _spelt_in_bytes(token: str) -> str | None:
    """A byte-level token as the word it stands for ("Ġsí" is written "ĠsÃŃ"); None where it is no whole word."""
    if token.isascii() or not all(char in _BYTES for char in token):
        return None
    try:
        return bytes(_BYTES[char] for char in token).decode().strip().lower()
    except UnicodeDecodeError:
        return None


def p_yes_of(options: Iterable[tuple[str, float]], words: YesNoWords | None = None) -> tuple[float | None, float | None]:
    """(P(yes), mass) in [0, 1] from (token, natural log-probability) pairs of one position; P(yes) is None where none is listed,
    and where the yes and no of a language weigh, too, that isn't asked in (`words`; None: English).

    Lists are cut to the likeliest tokens, so a word that isn't listed counts as impossible.
    """
    mass = {"yes": 0.0, "no": 0.0, "foreign": 0.0}
    words = words or english_words()
    for token, log_probability in options:
        word = words.meant(token) or words.begun(token)
        if word is not None:
            mass[word] += math.exp(log_probability)
    known_mass = mass["yes"] + mass["no"]
    known = known_mass > 0 and mass["foreign"] <= MOST_FOREIGN * known_mass
    return (mass["yes"] / known_mass if known else None), min(known_mass, 1.0)
