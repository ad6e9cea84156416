"""From a model's words to a verdict, under the `strict` convention (docs/method.md, scoring conventions)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from hope_bench.records import Verdict
from hope_bench.scoring.languages import word_pattern

_OPEN, _CLOSE = r"[<\[\u25c1]think(?:ing)?[>\]\u25b7]", r"[<\[\u25c1]/think(?:ing)?[>\]\u25b7]"
_THINKING = re.compile(rf"{_OPEN}.*?(?:{_CLOSE}|\Z)|\A.*?{_CLOSE}", re.DOTALL)
"""Reasoning is not the answer. A cut-off block hides all that follows; the opening tag may have been part of the prompt."""

_NOISE = re.compile(r"yes\s*(?:or|/)\s*no|\bno\s+(?:doubt|problem|worries)\b|[*_`#>]")
"""An echo of the instruction, a "no" that denies nothing, and markdown."""

_FIRST_CLEAR = r"""
    (?P<unparsed>
        \b(?: not\ (?:sure|clear|certain|possible|enough) | unsure | unclear | uncertain | no\ (?:idea|way)
            | do(?:n't|\ not)\ know | neither\ yes\ nor\ no
            | (?:can't|can\ ?not|unable\ to|hard\ to|difficult\ to|impossible\ to)\ (?:tell|say|determine|answer|confirm|know) )\b
    )
    | (?P<no>
        \b(?:no|nope|nah)\b
        | \b(?:is|are|was|were)(?:n't|\ not)\b(?!\ (?:enough|sure|clear|certain|possible|easy))
        | \b(?:do|does)(?:n't|\ not)\ (?:see|show|contain|have|include|depict|feature|appear|seem)\b(?!{no_picture})
        | \b(?:can't|can\ ?not)\ (?:see|find|spot)\b(?!{no_picture})
        | \b(?:definitely|certainly|absolutely|of\ course|probably)\ not\b
        | {no}
    )
    | (?P<yes>
        \b(?:yes|yeah|yep|yup)\b
        | \A(?:there\ is|there\ are|there's)\ (?:(?:indeed|clearly|also)\ )?
            (?:an?|one|two|some|several|many)\b(?!\ (?:chance|possibility))(?!.*(?:\b(?:but|however|not)|n't)\b)
        | {yes}
    )
"""

_NO_PICTURE = r"\ (?:(?:an?|any|the|your|this)\ )?(?:image|picture|photo|attachment|enough|clearly|well)"
"""Whoever doesn't see a picture at all says nothing about what is in it."""


@lru_cache
def _first_clear(languages: tuple[str, ...]) -> re.Pattern[str]:
    words = {"yes": word_pattern(languages, 0), "no": word_pattern(languages, 1), "no_picture": _NO_PICTURE}
    pattern = _FIRST_CLEAR
    for name, alternatives in words.items():
        pattern = pattern.replace(f"{{{name}}}", alternatives)
    return re.compile(pattern, re.VERBOSE)


def parse_strict(text: str | None, languages: Sequence[str] = ()) -> Verdict:
    """The first clear yes or no of an answer: "yes", "no", or "unparsed" where there is none.

    Case, markdown, punctuation and `<think>` blocks don't matter. "There is no dog", "It isn't there", "I don't see a dog" are a
    no; an answer that opens with "There is a" and takes nothing back is a yes. Doubt before the first yes or no ("I am not
    sure") makes an answer unparsed. The words of `languages` (scoring/languages.py) count beside the English ones. Raises
    HopeBenchError for a language without words.
    """
    pattern = _first_clear(tuple(languages))
    if not text:
        return "unparsed"
    composed = unicodedata.normalize("NFC", text.lower())
    plain = _THINKING.sub(" ", composed).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    found = pattern.search(" ".join(_NOISE.sub(" ", plain).split()))
    return "unparsed" if found is None else cast(Verdict, found.lastgroup)
