"""A chat completion as a model's answer: its text, what it thought first, why it ended, what its first token might have been."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

from hope_bench.adapters.endpoint_failures import BadReplyError, NoAnswerError, RefusedError


@dataclass(frozen=True, slots=True)
class Reply:
    """What one completion holds. `text` is the answer alone ("" where there is none), `thought` whether the server gave thoughts
    apart from it, `finish` why it ended, `alternatives` the first token's (token, natural log-probability) pairs, None where
    none are listed."""

    text: str
    thought: bool
    finish: str | None
    alternatives: tuple[tuple[str, float], ...] | None


def read_reply(reply: Any) -> Reply:
    """A reply's one completion. Raises BadReplyError for what is none, RefusedError for an error in a reply of status 200."""
    if isinstance(reply, list) and len(reply) == 1:  # as Gemini wraps its errors
        reply = reply[0]
    _raise_if_error(reply)
    choices = part(reply, "choices")
    if not isinstance(choices, list) or len(choices) != 1:
        count = len(choices) if isinstance(choices, list) else "no list of"
        raise BadReplyError(f"the reply holds {count} choices, not one")
    choice = choices[0]
    _raise_if_error(choice)
    message, finish = part(choice, "message"), part(choice, "finish_reason")
    text, thought = _text_and_thought(part(message, "content"))
    thought = thought or bool(part(message, "reasoning_content") or part(message, "reasoning"))
    text = text or part(message, "refusal")
    ended = finish if isinstance(finish, str) and finish != "error" else None
    if text is None and (is_filtered(ended) or (isinstance(message, dict) and (thought or ended))):
        text = ""  # it said nothing
    if finish == "error" or not isinstance(text, str):
        raise BadReplyError("the reply's message holds no text")
    return Reply(text, thought, ended, _alternatives(choice))


def is_filtered(finish: str | None) -> bool:
    """Whether a server's own filter ended the answer: OpenAI's word, Gemini's with the kind behind it, Zhipu's."""
    return finish is not None and (finish.startswith("content_filter") or finish == "sensitive")


def check_answered(reply: Reply, max_new_tokens: int) -> None:
    """Raise NoAnswerError where the model or its server broke off, or only thought. An empty answer is one: it said nothing."""
    if is_filtered(reply.finish):
        raise NoAnswerError("its content filter cut the answer off")
    if not reply.text and reply.finish == "length":
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
        status = int(code)
    except (TypeError, ValueError):
        status = 0
    if not 400 <= status < 600:
        raise BadReplyError(f"the reply is an error: {part(error, 'message') or error}")
    raise RefusedError(status, error)


def _text_and_thought(content: Any) -> tuple[Any, bool]:
    """A message's content, which may be a part or a list of parts: the answer's texts, and whether there are thoughts, too."""
    if not isinstance(content, list | dict):
        return content, False
    texts: list[str] = []
    thought = False
    for one in content if isinstance(content, list) else [content]:
        kind, text = part(one, "type"), one if isinstance(one, str) else part(one, "text")
        thought = thought or kind in ("thinking", "reasoning")
        if isinstance(text, str) and (isinstance(one, str) or kind in ("text", "output_text", None)):
            texts.append(text)
        elif kind == "refusal" and isinstance(part(one, "refusal"), str):
            texts.append(part(one, "refusal"))
    return "".join(texts), thought


def _alternatives(choice: Any) -> tuple[tuple[str, float], ...] | None:
    content = part(part(choice, "logprobs"), "content")
    top = part(content[0], "top_logprobs") if isinstance(content, list) and content else None
    if not isinstance(top, list) or not top:
        return None
    listed = ((part(one, "token"), part(one, "logprob")) for one in top)
    return tuple((token, min(value, 0.0)) for token, value in listed if isinstance(token, str) and _is_number(value))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not math.isnan(value)
