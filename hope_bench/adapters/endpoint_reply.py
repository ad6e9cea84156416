"""A chat completion as a model's answer: its text, what it thought first, why it ended, what its first token might have been."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from hope_bench.adapters.endpoint_errors import LARGEST_REFUSAL
from hope_bench.adapters.endpoint_failures import BadReplyError, NoAnswerError, NoCompletionError, RefusedError
from hope_bench.adapters.endpoint_finish import Ending, ending
from hope_bench.adapters.yes_no_words import YesNoWords, english_words, strip_boundaries

_THOUGHT = re.compile(r"think|thought|reasoning", re.IGNORECASE)
"""What servers call thoughts, in the names of fields, parts and counts."""
_ROUNDED = 0.01
"""What rounding may add to a log-probability of 0."""
_GOES_ON = re.compile(r"\w|[-'’]\w")
"""What goes on with a word."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one completion holds. `text` is the answer alone ("" where there is none), `apart` whether the server gave thoughts
    apart from it, `thought` whether there were any (some servers only count them), `ending` why it ended, `alternatives` the
    first token's (token, natural log-probability) pairs: None where none are listed, empty where they can't be `text`'s."""

    text: str
    apart: bool
    thought: bool
    ending: Ending
    alternatives: tuple[tuple[str, float], ...] | None


def read_json(body: bytes) -> Any:
    """What a reply holds. Raises NoCompletionError where it is no JSON, with what it is instead: more than is shown, as a key in
    it is blotted out before anything is cut off."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        said = " ".join(body[:LARGEST_REFUSAL].decode(errors="replace").split())
        raise NoCompletionError(f"the reply is no JSON ({said!r})" if said else "the reply is empty") from None


def read_reply(reply: Any, words: YesNoWords | None = None) -> Reply:
    """A reply's one completion; `words` are what counts as yes and no (None: in English).

    Raises NoCompletionError for what is none, NoAnswerError where the prompt was blocked, RefusedError or BadReplyError for an
    error in a reply of status 200.
    """
    if isinstance(reply, list) and len(reply) == 1:  # as Gemini wraps its errors
        reply = reply[0]
    _raise_if_error(reply)
    choices = part(reply, "choices")
    if not choices and (reason := _blocked(reply)):
        raise NoAnswerError(f"its content filter blocked the question ({reason})")
    if not isinstance(choices, list) or len(choices) != 1:
        count = len(choices) if isinstance(choices, list) else "no list of"
        raise NoCompletionError(f"the reply holds {count} choices, not one")
    choice = choices[0]
    _raise_if_error(choice)
    message = part(choice, "message")
    why = (ending(part(choice, name)) for name in ("finish_reason", "native_finish_reason"))
    ended: Ending = next((one for one in why if one != "done"), "done")
    if ended == "broke off":
        raise BadReplyError(f"the server broke the answer off ({part(choice, 'finish_reason')})")
    text, apart = _text_and_thought(part(message, "content"))
    apart = apart or _tells_of_thoughts(message)
    thought = apart or _tells_of_thoughts(part(reply, "usage"))
    text = text or part(message, "refusal")
    if text is None and (ended == "refused" or (isinstance(message, dict) and (apart or part(choice, "finish_reason")))):
        text = ""  # it said nothing
    if not isinstance(text, str):
        raise NoCompletionError("the reply's message holds no text")
    return Reply(text, apart, thought, ended, _alternatives(choice, text, words or english_words()))


def check_answered(reply: Reply, max_new_tokens: int) -> None:
    """Raise NoAnswerError where the model or its server broke off, or only thought. An empty answer is one: it said nothing."""
    if reply.ending == "refused":
        raise NoAnswerError("its content filter cut the answer off")
    if not reply.text and reply.ending == "cut off":
        spent = "thinking" if reply.thought else "without an answer"
        raise NoAnswerError(f"all {max_new_tokens} tokens went by {spent}; raise --max-new-tokens")
    if not reply.text and reply.thought:
        raise NoAnswerError("the model thought and ended without an answer; raise --max-new-tokens, or have it not think")


def tokens_of(reply: Any) -> tuple[int, int]:
    """(input, output) tokens that a reply counts; 0 where it doesn't."""
    usage = part(reply, "usage")
    sent, got = (part(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return (sent if isinstance(sent, int) else 0), (got if isinstance(got, int) else 0)


def part(value: Any, name: str) -> Any:
    """A field of a JSON object; None where there is none, or no object."""
    return value.get(name) if isinstance(value, dict) else None


def _raise_if_error(value: Any) -> None:
    """vLLM's {"object": "error", "code": ...} and OpenRouter's {"error": {"code": ...}}, beside or instead of an answer."""
    error = part(value, "error") or (value if part(value, "object") == "error" else None)
    if not error:
        return
    code = part(error, "code") or part(error, "status_code")
    try:
        stated = 400 <= int(code) < 600
    except (TypeError, ValueError, OverflowError):
        stated = False
    if not stated:
        raise BadReplyError(f"the reply is an error: {part(error, 'message') or error}")
    raise RefusedError(int(code), error)


def _blocked(reply: Any) -> str | None:
    """Why a prompt was blocked, of a reply without choices (Gemini's `promptFeedback`); None where it isn't said."""
    fields = reply if isinstance(reply, dict) else {}
    feedback = next((one for name, one in fields.items() if name.replace("_", "").lower() == "promptfeedback"), None)
    why = part(feedback, "blockReason") or part(feedback, "block_reason")
    return why if isinstance(why, str) else None


def _text_and_thought(content: Any) -> tuple[Any, bool]:
    """A message's content, which may be a part or a list of parts: the answer's texts, and whether there are thoughts, too."""
    if not isinstance(content, list | dict):
        return content, False
    texts: list[str] = []
    thought = False
    for one in content if isinstance(content, list) else [content]:
        kind, text = part(one, "type"), one if isinstance(one, str) else part(one, "text")
        thought = thought or (isinstance(kind, str) and _THOUGHT.search(kind) is not None)
        if isinstance(text, str) and (isinstance(one, str) or kind in ("text", "output_text", None)):
            texts.append(text)
        elif kind == "refusal" and isinstance(part(one, "refusal"), str):
            texts.append(part(one, "refusal"))
    return "".join(texts), thought


def _tells_of_thoughts(value: Any, deep: int = 3) -> bool:
    """Whether a message holds thoughts beside its content, be they encrypted (`reasoning_details`, `thinking_blocks` ...), or the
    usage counts some (`completion_tokens_details.reasoning_tokens`, `thoughtsTokenCount` ...)."""
    fields = value.items() if isinstance(value, dict) and deep else ()
    return any((found and _THOUGHT.search(name)) or _tells_of_thoughts(found, deep - 1) for name, found in fields)


def _alternatives(choice: Any, text: str, words: YesNoWords) -> tuple[tuple[str, float], ...] | None:
    content = part(part(choice, "logprobs"), "content")
    first = content[0] if isinstance(content, list) and content else None
    token, top = part(first, "token"), part(first, "top_logprobs")
    if not isinstance(top, list) or not top:
        return None
    if not isinstance(token, str) or not (_begins(token, text) or _begins_own(token, text, words)):
        return ()
    named = [(one["token"], _number(part(one, "logprob"))) for one in top if isinstance(part(one, "token"), str)]
    known = [(name, min(value, 0.0)) for name, value in named if value is not None]
    chosen = _number(part(first, "logprob"))
    # The token that was chosen may be left out, or without a number.
    if chosen is not None and strip_boundaries(token) not in {strip_boundaries(name) for name, _ in known}:
        known.append((token, min(chosen, 0.0)))
    # A yes or no without a number is not impossible: nothing is known then.
    meant = {words.meant(name) for name in (token, *(name for name, _ in named))} & {"yes", "no"}
    return tuple(known) if meant.issubset(words.meant(name) for name, _ in known) else ()


def _begins(token: str, text: str) -> bool:
    """Whether a token is the first word of a text, or several whole ones: else a server left out what came before, or it is part
    of another word ("No" of "Not")."""
    word, said = strip_boundaries(token), text.lstrip()
    return bool(word) and said.startswith(word) and not (word[-1].isalnum() and _GOES_ON.match(said[len(word) :]))


def _begins_own(token: str, text: str, words: YesNoWords) -> bool:
    """Whether a token is a piece of the language's own yes or no, with which a text begins ("Ne" of "Nein, ...")."""
    said = text.lstrip().lower()
    begun = [word for word in words.own if said.startswith(word) and not _GOES_ON.match(said[len(word) :])]
    return words.begun(token) is not None and any(word.startswith(strip_boundaries(token).lower()) for word in begun)


def _number(value: object) -> float | None:
    """A log-probability; None for what is none, such as a logit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if value <= _ROUNDED else None
    except OverflowError:
        return None
