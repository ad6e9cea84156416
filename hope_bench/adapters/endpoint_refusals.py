"""What a server says when it refuses a request, and how to ask it differently."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["temperature", "logprobs", "max_tokens", "seed"]
"""What of a request may be changed, at a server's word."""

KINDS: Final[tuple[Kind, ...]] = ("temperature", "logprobs", "max_tokens", "seed")
TOP: Final = 20
"""The most alternatives that the API lists for a token."""
_FEWER = 5
"""What is tried where a server lists fewer and doesn't say how many."""
_STATUS = (400, 403, 422)
"""With which of them servers refuse a parameter (OpenAI's logprobs: 403)."""
_OURS = ("top_logprobs", "logprobs", "temperature", "max_tokens", "max_completion_tokens", "seed")

_MOST = re.compile(
    r"(?:max(?:imum)?(?: allowed| value)?|at most|up to|no more than|less than or equal to|<=|≤"
    r"|between \d+ and|range \W?\d+\W+(?:to\W+)?)"
    r"\W{0,10}(\d{1,3})\b",
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
class Refusal:
    """An error's `status` and what its body says: the `message` without what it quotes of the request, the parameter that is to
    blame and the error's code where the server names them."""

    status: int | None
    message: str
    param: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Adaptation:
    """One change of how a server is asked: parameters with their new values (None: left out), and the change in words."""

    kind: Kind
    changes: Mapping[str, Any]
    note: str


def refusal_of(error: BaseException) -> Refusal:
    """What a failed request's reply says, in whichever of the servers' shapes."""
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    if isinstance(body, str):
        body = _json(body) or body
    found = _object(body)
    if found is None:
        return Refusal(status, _without_quotes(body if isinstance(body, str) else ""))
    param, code = found.get("param"), found.get("code")
    if not isinstance(code, str) or code.isdigit():  # the status once more
        code = found.get("type")
    named = param if isinstance(param, str) and param else None
    return Refusal(status, _without_quotes(_message(found)), named, code if isinstance(code, str) else None)


def adaptation(refusal: Refusal, asked: Mapping[str, Any]) -> Adaptation | None:
    """How to ask instead where a parameter of ours is refused; None where it is something else, or can't be helped.

    What the server names (`param`) decides. Else its own words do, never what it quotes of the request.
    """
    if refusal.status not in _STATUS:
        return None
    words = refusal.message
    named = {refusal.param} if refusal.param is not None else {name for name in _OURS if re.search(rf"\b{name}\b", words)}
    if "max_tokens" in asked and _RENAMED.search(words):
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
    allowed = [int(number) for number in _MOST.findall(words)]
    if allowed:
        return min(allowed) if min(allowed) < asked else 0
    return _FEWER if of_the_number and asked > _FEWER else 0


def _object(body: Any, deep: int = 5) -> Mapping[str, Any] | None:
    """The innermost error object: {"error": {...}}, a list of it (Gemini), or what a proxy passes on (OpenRouter)."""
    if isinstance(body, list) and body and deep:
        return _object(body[0], deep - 1)
    if not isinstance(body, Mapping) or not deep:
        return None
    inner = body.get("error")
    if isinstance(inner, (Mapping, list)):
        return _object(inner, deep - 1)
    metadata = body.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    passed_on = _object(_json(raw) if isinstance(raw, str) else raw, deep - 1)
    return body if passed_on is None else {**passed_on, "code": passed_on.get("code") or body.get("code")}


def _message(found: Mapping[str, Any], deep: int = 3) -> str:
    for name in ("message", "detail", "error"):
        value = found.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and deep:
            return _message(value, deep - 1)
        if isinstance(value, list):  # pydantic's: each with a place ("loc") and a message
            return "; ".join(map(_complaint, value))
    return ""


def _complaint(one: Any) -> str:
    if not isinstance(one, Mapping):
        return one if isinstance(one, str) else ""
    loc = one.get("loc")
    place = [str(part) for part in loc if part != "body"] if isinstance(loc, list) else []
    return f"{'.'.join(place)}: {one.get('msg', '')}"


def _without_quotes(text: str) -> str:
    """A message without the objects it quotes: a bad picture's refusal may hold the whole request. A mere set of names stays."""
    kept: list[str] = []
    depth = begun = done = 0
    for found in re.finditer(r"[{}]", text):
        if found[0] == "{":
            if depth == 0:
                begun = found.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and ":" in text[begun : found.end()]:
                kept.append(text[done:begun])
                done = found.end()
    rest = text[done:begun] if depth and ":" in text[begun:] else text[done:]  # cut off in the middle of an object
    return re.sub(r"input_value=.*?(?=, input_type|\]|$)", "", " ".join("".join([*kept, rest]).split()))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
