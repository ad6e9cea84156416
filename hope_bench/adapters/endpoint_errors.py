"""What an error reply says, wherever servers and proxies put it: its words, the parameters it names, its codes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Parameter = Literal["temperature", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "seed"]
"""What of a request hope-bench chooses, by the API's names."""

_NAMES: Final[tuple[tuple[Parameter, str], ...]] = (
    ("top_logprobs", r"top[_ -]?log[_ -]?probs?|top_n_tokens|num_?logprobs"),
    ("logprobs", r"(?:response_?|return_?|output_?)?log[_-]?probs?|log[- ]prob(?:abilitie)?s?|log[- ]probability"),
    ("temperature", r"temperature"),
    ("max_completion_tokens", r"max_?completion_?tokens"),
    ("max_tokens", r"max_?tokens"),
    ("seed", r"seed"),
)
"""Each with the names that servers have for it, in their messages and places; a name that holds another one comes first."""

_PARAMETERS = tuple((name, re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", re.IGNORECASE)) for name, words in _NAMES)

_SAYS = (
    *("message", "msg", "detail", "details", "error", "errors", "description", "errordescription", "errormessage", "errormsg"),
    *("title", "raw", "innererror", "fieldviolations", "violations", "cause", "source", "status", "metadata", "body"),
)
"""Fields with an error's words, or further errors in them, by their names without case and underscores."""
_CONTAINERS = ("status", "metadata", "source", "body")
"""Of these, those whose plain text says nothing."""
_PLACES = ("param", "params", "parameter", "parameters", "loc", "location", "field", "target", "pointer", "argument")
_ERROR = {"message", "msg", "detail", "error", "errors", "param", "loc"}
"""What an object in a message's text holds that is an error, no part of the request."""
_OF_THE_QUESTION = re.compile(r"messages?|content|image|picture|prompt|input|media|file", re.IGNORECASE)
_LONGEST = 20_000
"""Characters of a message that are looked into."""

LARGEST_REFUSAL = 2**18
"""Bytes of a reply that is an error: more of it is not read, and no more characters of what unfolds from it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error's HTTP `status` and what its body says: the `message` without what it quotes of the request, the `parameters`
    it is about (those of its own fields, else those its words name), and its `codes`."""

    status: int | None
    message: str = ""
    parameters: frozenset[Parameter] = frozenset()
    codes: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Found:
    words: dict[str, None] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)


def refusal_of(error: BaseException) -> Refusal:
    """What a failed request's reply says."""
    found = _Found()
    _read(_body(error), found)
    message = "; ".join(found.words)
    named = parameters_in(" ".join(found.places))
    if not named and not any(map(_OF_THE_QUESTION.search, found.places)):
        named = parameters_in(message)
    return Refusal(getattr(error, "status_code", None), message, named, frozenset(found.codes))


def parameters_in(text: str) -> frozenset[Parameter]:
    """The parameters that a text names, under any name."""
    named: set[Parameter] = set()
    for name, words in _PARAMETERS:
        text, count = words.subn(" ", text)
        if count:
            named.add(name)
    return frozenset(named)


def _body(error: BaseException) -> Any:
    response = getattr(error, "response", None)
    if response is None:
        return getattr(error, "body", None)
    try:
        text = response.text[:LARGEST_REFUSAL]  # the client's own `body` is the part called "error" alone
    except Exception:  # noqa: BLE001 - a body that was not read, or can't be
        return getattr(error, "body", None)
    whole = _json(text)
    return text if whole is None else whole


def _read(value: Any, found: _Found, deep: int = 8) -> None:
    if isinstance(value, str):
        _read_text(value, found, deep)
    elif isinstance(value, (list, tuple)) and deep:
        for one in value:
            _read(one, found, deep - 1)
    elif isinstance(value, Mapping) and deep:
        fields = {re.sub(r"[_-]", "", str(name)).lower(): one for name, one in value.items()}
        found.codes |= {one for name in ("code", "type") if isinstance(one := fields.get(name), str)}
        places = [place for name in _PLACES for place in _places(fields.get(name))]
        found.places += places
        inner = _Found(places=found.places, codes=found.codes)
        for name in _SAYS:
            if name in fields and not (name in _CONTAINERS and isinstance(fields[name], str)):
                _read(fields[name], inner, deep - 1)
        where = ".".join(places) if "loc" in fields else ""
        found.words |= dict.fromkeys(f"{where}: {words}" if where else words for words in inner.words)


def _places(value: Any) -> list[str]:
    """What a field names as the place of an error: a name, or a list of names."""
    named = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in named if isinstance(one, str) and one.lower() not in ("", "none", "null", "body")]


def _read_text(text: str, found: _Found, deep: int) -> None:
    """A message: an error as JSON, or words that may quote another error (which is read) or the request (which is left out)."""
    whole = _json(text)
    if isinstance(whole, (dict, list)):
        return _read(whole, found, deep - 1)
    kept: list[str] = []
    depth = begun = done = 0
    for brace in re.finditer(r"[{}]", text[:_LONGEST]):
        if brace[0] == "{":
            begun = begun if depth else brace.start()
            depth += 1
        elif depth:
            depth -= 1
            quoted = text[begun : brace.end()]
            if depth == 0 and ":" in quoted:  # else a mere set of names
                kept += [text[done:begun], _quoted(quoted, found, deep)]
                done = brace.end()
    kept.append(text[done:begun] if depth and ":" in text[begun:] else text[done:])  # cut off in the middle of an object
    words = re.sub(r"input_value=.*?(?=, input_type|\]|$)", "", " ".join("".join(kept).split()))
    if words:
        found.words[words] = None
    return None


def _quoted(text: str, found: _Found, deep: int) -> str:
    """What stays in a message of an object in it: the names of a few of our parameters; an error's words are added apart."""
    value = _json(text)
    if value is None:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return ""
    if not isinstance(value, dict) or "messages" in value:
        return ""
    names = [str(name) for name in value]
    if _ERROR & {name.lower() for name in names}:
        _read(value, found, deep - 1)
    return ", ".join(names) if all(map(parameters_in, names)) else ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
