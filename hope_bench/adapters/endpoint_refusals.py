"""How to ask a server differently that refuses a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hope_bench.adapters.endpoint_errors import Refusal

Kind = Literal["temperature", "logprobs", "max_tokens", "seed"]
"""What of a request may be changed, at a server's word."""

KINDS: Final[tuple[Kind, ...]] = ("temperature", "logprobs", "max_tokens", "seed")
TOP: Final = 20
"""The most alternatives that the API lists for a token."""
_FEWER = (5, 4, 3, 2, 1)
"""What is tried where a server lists fewer and doesn't say how many."""
_STATUS = (400, 403, 422)
"""With which of them servers refuse a parameter (OpenAI's logprobs: 403)."""
_NEVER = (401, 402, 408, 409, 429)
"""With which of them nobody does. With all others, a proxy's 404 or 500, its words must say so."""
_REFUSES = re.compile(
    r"un(?:supported|known|recogni[sz]ed|expected)|deprecated|disabled|forbidden|extra (?:inputs|fields)|cannot find field"
    r"|not (?:\w+ )?(?:supported?|permitted|allowed|enabled|available|implemented|accepted?|recogni[sz]ed|allow|valid)"
    r"|n[o']t support|no \w+ (?:found )?(?:that |which )?supports?|must be",
    re.IGNORECASE,
)
_OF_SIZE = re.compile(r"large|exceed|great|most|max|limit|high|range|many|less|between|fewer|below|above|<|≤", re.IGNORECASE)

_MOST = re.compile(
    r"(?:max(?:imum)?(?: allowed| value)?|at most|up to|no more than|less than or equal to|<=|≤"
    r"|between \d+ and|range \W?\d+\W+(?:to\W+)?)"
    r"\W{0,10}(\d{1,3})\b"
    r"|\[\s*\d+\s*,\s*(\d{1,3})\s*\]",
    re.IGNORECASE,
)
_RENAMED = re.compile(
    r"(?:use|instead)\W{1,5}(?:the )?\W?max_completion_tokens|max_completion_tokens\W{1,5}instead", re.IGNORECASE
)
_LARGE_PICTURE = re.compile(
    r"(?:image|picture|media|payload|body|entity|base64)\b[^.]{0,80}(?:exceed|too (?:large|big)|larger than)"
    r"|(?:exceed|too (?:large|big)|larger than)[^.]{0,80}\b(?:image|picture|media|payload|body|entity)",
    re.IGNORECASE,
)
_LONG_PROMPT = re.compile(r"context (?:length|window|size)|max_model_len|too many tokens|prompt is too long", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """One change of how a server is asked: parameters with their new values (None: left out), and the change in words."""

    kind: Kind
    changes: Mapping[str, Any]
    note: str


def adaptation(refusal: Refusal, asked: Mapping[str, Any]) -> Adaptation | None:
    """How to ask instead where a parameter of ours is refused, one at a time; None where that is something else, or no help."""
    words, named = refusal.message, refusal.parameters
    refuses = _REFUSES.search(words) is not None
    if refusal.status in _NEVER or not (refusal.status in _STATUS or refuses):
        return None
    # A number of tokens is refused by name, or is too large.
    renamed = "max_tokens" in named and refuses and not (_LONG_PROMPT.search(words) or _OF_SIZE.search(_without_names(words)))
    if "max_tokens" in asked and (renamed or _RENAMED.search(words)):
        return _adaptation("max_tokens", {"max_tokens": None, "max_completion_tokens": asked["max_tokens"]})
    if named & {"logprobs", "top_logprobs"} and "logprobs" in asked:
        fewer = _fewer(words, asked["top_logprobs"], "top_logprobs" in named)
        if fewer:
            return _adaptation("logprobs", {"top_logprobs": fewer})
        return _adaptation("logprobs", {"logprobs": None, "top_logprobs": None})
    if "temperature" in named and "temperature" in asked:
        return _adaptation("temperature", {"temperature": None})
    if "seed" in named and "seed" in asked:
        return _adaptation("seed", {"seed": None})
    return None


def adapted(asked: Mapping[str, Any], adaptations: Iterable[Adaptation]) -> dict[str, Any]:
    """The parameters with these changes."""
    changed = dict(asked)
    for one in adaptations:
        changed |= one.changes
    return {name: value for name, value in changed.items() if value is not None}


def advice(refusal: Refusal) -> str:
    """What can be done about a question that is refused for its size: a sentence, or nothing."""
    if refusal.status == 413 or _LARGE_PICTURE.search(refusal.message):
        return ' The picture is too large for this server: set image_format = "jpeg" or image_max_side in the card.'
    if refusal.status == 400 and _LONG_PROMPT.search(refusal.message):
        return " It doesn't fit the server's context: start it with a longer one, or set image_max_side in the card."
    return ""


def _adaptation(kind: Kind, changes: dict[str, Any]) -> Adaptation:
    if kind == "temperature":
        note = "The endpoint takes no temperature, so it may answer differently when asked again."
    elif kind == "seed":
        note = "The endpoint takes no seed, so its answers are drawn anew when asked again."
    elif kind == "max_tokens":
        note = "The endpoint is told max_completion_tokens; it refuses max_tokens."
    elif changes["top_logprobs"]:
        note = f"The endpoint lists {changes['top_logprobs']} alternatives of a token; P(yes) counts those."
    else:
        note = NO_LOGPROBS
    return Adaptation(kind, changes, note)


NO_LOGPROBS: Final = "The endpoint gives no logprobs, so answers carry no P(yes)."


def _fewer(words: str, asked: int, of_the_number: bool) -> int:
    """How many alternatives to ask for instead; 0 for none."""
    allowed = [int(number or other) for number, other in _MOST.findall(words)]
    if allowed:
        return min(allowed) if min(allowed) < asked else 0
    steps = _FEWER if _OF_SIZE.search(_without_names(words)) else _FEWER[:1]
    return next((number for number in steps if number < asked), 0) if of_the_number else 0


def _without_names(words: str) -> str:
    return re.sub(r"max_\w+", "", words)
