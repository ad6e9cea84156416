"""What counts as a yes or a no token, and P(yes) from a list of tokens with their log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

_WORD_BOUNDARY = "▁ĠĊĉ"
"""How tokenizers write a space, newline or tab inside a token: SentencePiece's mark, then the byte-level alphabet's."""


def yes_or_no(token: str) -> Literal["yes", "no"] | None:
    """What a token says, without word-boundary marks and in lower case; None if it is neither word."""
    word = token.strip(_WORD_BOUNDARY).strip().lower()
    return "yes" if word == "yes" else "no" if word == "no" else None


def p_yes_of(options: Iterable[tuple[str, float]]) -> tuple[float | None, float | None]:
    """(P(yes), mass) in [0, 1] from (token, natural log-probability) pairs of one position; P(yes) is None where none is listed.

    Lists are cut to the likeliest tokens, so a word that isn't listed counts as impossible.
    """
    mass = {"yes": 0.0, "no": 0.0}
    for token, log_probability in options:
        word = yes_or_no(token)
        if word is not None:
            mass[word] += math.exp(log_probability)
    total = min(mass["yes"] + mass["no"], 1.0)
    return (mass["yes"] / (mass["yes"] + mass["no"]) if total else None), total
