"""What counts as a yes or a no token, and P(yes) from a list of tokens with their log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

MOST_FOREIGN = 0.01
"""The most that yes and no of other languages may weigh, by the English ones, where P(yes) is to mean anything: "no" is Spanish
and Italian, too, while "sí" is no "yes"."""

_FOREIGN = frozenset(
    {
        *("sí", "si", "sì", "oui", "non", "sim", "não", "nao", "ja", "jawohl", "nein", "nee", "neen", "nej", "tak", "nie"),
        *("да", "нет", "так", "ні", "ναι", "όχι", "evet", "hayır", "ya", "iya", "tidak", "bukan", "có", "không"),
        *("نعم", "لا", "हाँ", "हां", "नहीं", "네", "예", "아니", "아니요", "아니오", "はい", "いいえ"),
        *("是", "是的", "有", "对", "不", "不是", "否", "没", "没有", "沒有"),
    }
)

_WORD_BOUNDARY = "▁ĠĊĉ"
"""How tokenizers write a space, newline or tab inside a token: SentencePiece's mark, then the byte-level alphabet's."""


def _byte_alphabet() -> dict[str, int]:
    """The characters that byte-level vocabularies (GPT-2's and after) write bytes with: printable ones are themselves, the other
    68 follow from U+0100."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_alphabet()


def strip_boundaries(token: str) -> str:
    """A token without the marks of a word's boundary around it."""
    return token.strip(_WORD_BOUNDARY).strip()


def yes_or_no(token: str) -> Literal["yes", "no", "foreign"] | None:
    """What a token says, without word-boundary marks and in lower case: either word, either in another language, or None."""
    word = strip_boundaries(token).lower()
    if word in ("yes", "no"):
        return "yes" if word == "yes" else "no"
    return "foreign" if word in _FOREIGN or _spelt_in_bytes(token) in _FOREIGN else None


def _spelt_in_bytes(token: str) -> str | None:
    """A byte-level token as the word it stands for ("Ġsí" is written "ĠsÃŃ"); None where it is no whole word."""
    if token.isascii() or not all(char in _BYTES for char in token):
        return None
    try:
        return bytes(_BYTES[char] for char in token).decode().strip().lower()
    except UnicodeDecodeError:
        return None


def p_yes_of(options: Iterable[tuple[str, float]]) -> tuple[float | None, float | None]:
    """(P(yes), mass) in [0, 1] from (token, natural log-probability) pairs of one position; P(yes) is None where none is listed,
    and where the yes and no of another language weigh, too.

    Lists are cut to the likeliest tokens, so a word that isn't listed counts as impossible.
    """
    mass = {"yes": 0.0, "no": 0.0, "foreign": 0.0}
    for token, log_probability in options:
        word = yes_or_no(token)
        if word is not None:
            mass[word] += math.exp(log_probability)
    english = mass["yes"] + mass["no"]
    known = english > 0 and mass["foreign"] <= MOST_FOREIGN * english
    return (mass["yes"] / english if known else None), min(english, 1.0)
