"""From a model's words to a verdict, under the `strict` convention (docs/method.md, scoring conventions)."""

from __future__ import annotations

import re
from typing import cast

from hope_bench.records import Verdict

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)|\A.*?</think>", re.DOTALL)
"""Reasoning is not the answer. A cut-off block hides all that follows; the opening tag may have been part of the prompt."""

_NOISE = re.compile(r"yes\s*(?:or|/)\s*no|[*_`#>]")
"""An echo of the instruction, and markdown."""

_FIRST_CLEAR = re.compile(
    r"""
    (?P<unparsed>
        \b(?: not\ (?:sure|clear|certain|possible|enough) | unsure | unclear | uncertain | no\ (?:idea|way)
            | do(?:n't|\ not)\ know
            | (?:can't|can\ ?not|unable\ to|hard\ to|difficult\ to|impossible\ to)\ (?:tell|say|determine|answer|confirm|know) )\b
    )
    | (?P<no>
        \b(?:no|nope|nah)\b
        | \bthere\ (?:is|are)(?:n't|\ not)\b(?!\ enough)
    )
    | (?P<yes>
        \b(?:yes|yeah|yep|yup)\b
        | \A(?:there\ is|there\ are|there's)\ (?:an?|one|two|some|several|many)\b(?!\ (?:chance|possibility))
    )
    """,
    re.VERBOSE,
)


def parse_strict(text: str | None) -> Verdict:
    """The first clear yes or no of an answer: "yes", "no", or "unparsed" where there is none.

    Case, markdown, punctuation and `<think>` blocks don't matter. "There is no dog" and "There isn't a dog" are a no, an answer
    that opens with "There is a" a yes. Doubt before the first yes or no ("I am not sure") makes an answer unparsed.
    """
    if not text:
        return "unparsed"
    plain = _THINKING.sub(" ", text.lower()).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    found = _FIRST_CLEAR.search(" ".join(_NOISE.sub(" ", plain).split()))
    return "unparsed" if found is None else cast(Verdict, found.lastgroup)
