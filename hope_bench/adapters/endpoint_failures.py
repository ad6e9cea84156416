"""An endpoint's failures: which may pass, how long to wait, which concern every question, and how to say it without the key."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

import openai
from tenacity import RetryCallState, wait_random_exponential

from hope_bench.errors import short_reason

_SLOWEST = 60.0
"""Seconds between two attempts at most, unless the server asks for more."""
_PATIENCE = 600.0
"""Seconds that a server may ask for. One that asks for more is not waited for."""

_backoff = wait_random_exponential(multiplier=0.5, max=_SLOWEST)


class BadReplyError(Exception):
    """A reply that is no chat completion with exactly one answer; worth another attempt."""


class NoAnswerError(Exception):
    """The model or its server decided not to answer this question; asking again would not help."""


_PASSING = (
    openai.RateLimitError,
    openai.InternalServerError,
    openai.APIConnectionError,  # time-outs, too
    openai.APIResponseValidationError,
    openai.ConflictError,
    json.JSONDecodeError,
    BadReplyError,
)

_ABOUT_THE_QUESTION = (openai.BadRequestError, openai.UnprocessableEntityError, NoAnswerError)

FAILURES = (openai.OpenAIError, BadReplyError, NoAnswerError, json.JSONDecodeError)
"""Everything that asking an endpoint may raise."""


def in_time(parts: Iterable[bytes], seconds: float) -> bytes:
    """A reply's whole body. Raises BadReplyError where that takes longer: the client's own time-out begins anew at each byte."""
    until = time.monotonic() + seconds
    body = bytearray()
    for part in parts:
        body += part
        if time.monotonic() > until:
            raise BadReplyError(f"the reply was not whole after {seconds:g} s")
    return bytes(body)


def may_pass(error: BaseException) -> bool:
    """Whether another attempt can help: rate limits, server errors, time-outs, broken connections, malformed replies."""
    if _out_of_credit(error) or asked_pause(error) > _PATIENCE:
        return False
    return isinstance(error, _PASSING) or getattr(error, "status_code", None) == 408


def concerns_all(error: BaseException) -> bool:
    """Whether the next question would meet the same: a refused key, a spent account, an unknown model, a server that is down."""
    too_large = getattr(error, "status_code", None) == 413
    return not isinstance(error, _ABOUT_THE_QUESTION) and not too_large


def what_to_do(error: BaseException, key_variable: str, model: str) -> str:
    """A sentence for whoever runs it."""
    status = getattr(error, "status_code", None)
    if _out_of_credit(error):
        return "The account's credit or quota is used up."
    if status in (401, 403):
        return f"Check the key in {key_variable} and what it allows."
    if status == 404:
        return f"Check the card's base_url, and whether the server knows the model {model!r}."
    return "It may be down, or overloaded: try a lower concurrency, or later."


def pause(state: RetryCallState) -> float:
    """Seconds to wait: random, growing, and no less than the server asks for."""
    error = state.outcome.exception() if state.outcome is not None else None
    return max(_backoff(state), asked_pause(error))


def asked_pause(error: BaseException | None) -> float:
    """Seconds that the reply's Retry-After asks for, as a number or a date; 0 where it asks for nothing that can be read."""
    response = getattr(error, "response", None)
    if response is None:
        return 0.0
    milliseconds = _number(response.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = response.headers.get("retry-after", "")
    seconds = _number(asked)
    if seconds is not None:
        return seconds
    try:
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def in_words(error: BaseException, key: str | None) -> str:
    """The failure as part of a sentence, the key blotted out (before anything is cut off: half a key is a secret, too)."""
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    reason = short_reason(error if cause is None or not str(cause) else cause, limit=10_000)
    return without_key(reason, key)[:300]


def without_key(text: str, key: str | None) -> str:
    """A server's words with the key blotted out, should it repeat it."""
    return text.replace(key, "***") if key else text


def _out_of_credit(error: BaseException) -> bool:
    return getattr(error, "status_code", None) == 402 or getattr(error, "code", None) == "insufficient_quota"


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
