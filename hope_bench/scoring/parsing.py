"""From a model's words to a verdict, under the `strict` convention (docs/method.md, scoring conventions)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from hope_bench.records import Verdict
from hope_bench.scoring.languages import word_pattern

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)|\A.*?</think>", re.DOTALL)
"""Reasoning is not the answer. A cut-off block hides all that follows; the opening tag may have been part of the prompt."""

_NOISE = re.compile(r"yes\s*(?:or|/)\s*no|[*_`#>]")
"""An echo of the instruction, and markdown."""

_FIRST_CLEAR = r"""
    (?P<unparsed>
        \b(?: not\ (?:sure|clear|certain|possible|enough) | unsure | unclear | uncertain | no\ (?:idea|way)
            | do(?:n't|\ not)\ know
            | (?:can't|can\ ?not|unable\ to|hard\ to|difficult\ to|impossible\ to)\ (?:tell|say|determine|answer|confirm|know) )\b
    )
    | (?P<no>
        \b(?:no|nope|nah)\b
        | \bthere\ (?:is|are)(?:n't|\ not)\b(?!\ enough)
        | {no}
    )
    | (?P<yes>
        \b(?:yes|yeah|yep|yup)\b
        | \A(?:there\ is|there\ are|there's)\ (?:an?|one|two|some|several|many)\b(?!\ (?:chance|possibility))
        | {yes}
    )
"""


@lru_cache
def _first_clear(languages: tuple[str, ...]) -> re.Pattern[str]:
    words = {"yes": word_pattern(languages, 0), "no": word_pattern(languages, 1)}
    return re.compile(_FIRST_CLEAR.replace("{yes}", words["yes"]).replace("{no}", words["no"]), re.VERBOSE)


def parse_strict(text: str | None, languages: Sequence[str] = ()) -> Verdict:
    """The first clear yes or no of an answer: "yes", "no", or "unparsed" where there is none.

    Case, markdown, punctuation and `<think>` blocks don't matter. "There is no dog" and "There isn't a dog" are a no, an answer
    that opens with "There is a" a yes. Doubt before the first yes or no ("I am not sure") makes an answer unparsed. The words of
    `languages` (scoring/languages.py) count beside the English ones. Raises HopeBenchError for a language without words.
    """
    pattern = _first_clear(tuple(languages))
    if not text:
        return "unparsed"
    composed = unicodedata.normalize("NFC", text.lower())
    plain = _THINKING.sub(" ", composed).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    found = pattern.search(" ".join(_NOISE.sub(" ", plain).split()))
    return "unparsed" if found is None else cast(Verdict, found.lastgroup)
