"""An endpoint's failures: which may pass, how long to wait, which concern every question, and how to say it without the key."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

import openai
from tenacity import RetryCallState, wait_random_exponential

from hope_bench.adapters.endpoint_errors import LARGEST_REFUSAL, Refusal, refusal_of
from hope_bench.adapters.secrets import without_secrets
from hope_bench.errors import short_reason

_SLOWEST = 60.0
"""Seconds between two attempts at most, unless the server asks for more."""
_PATIENCE = 600.0
"""Seconds that a server may ask for. One that asks for more is not waited for."""

_NO_COMPLETION = 5
"""Attempts (seconds, not minutes) with a server that replies, but no chat completion."""

_backoff = wait_random_exponential(multiplier=0.5, max=_SLOWEST)


class BadReplyError(Exception):
    """A reply that is no chat completion with exactly one answer; worth another attempt."""


class NoCompletionError(BadReplyError):
    """A whole reply of status 200 that is no chat completion (a page, no choices, no text): few attempts tell whether it always
    is so."""


class NoAnswerError(Exception):
    """The model or its server decided not to answer this question; asking again would not help."""


class RefusedError(Exception):
    """An error in a reply of status 200: `status_code` is the one that its `body` states."""

    def __init__(self, status_code: int, body: object) -> None:
        super().__init__(f"Error code: {status_code} - {body}")
        self.status_code, self.body = status_code, body


_PASSING = (
    openai.APIConnectionError,  # time-outs, too
    openai.APIResponseValidationError,
    BadReplyError,
)

_ABOUT_THE_QUESTION = (400, 413, 415, 422, 424, 451)
_FLAGGED = re.compile(r"\bflagged\b|\bmoderat|content[ _-]?(?:policy|filter|management)|inappropriate|harmful", re.IGNORECASE)
"""What a 403 says that is about the question ("Your input was flagged")."""

_UNSUPPORTED = re.compile(r"not (?:\w+ )?supported|unsupported|n[o']t support", re.IGNORECASE)
"""What an error of any status says that stays (llama.cpp without a vision part: 500, "image input is not supported")."""
_NO_PICTURES = re.compile(
    r"(?:image|vision|multi-?modal)(?:_url)?\W+(?:\w+\W+){0,4}not (?:\w+ )?support|support (?:image|vision)|mmproj|most 0 image",
    re.IGNORECASE,
)

FAILURES = (openai.OpenAIError, BadReplyError, NoAnswerError, RefusedError)
"""Everything that asking an endpoint may raise."""


LARGEST_REPLY = 32 * 2**20
"""Bytes of a reply: 32,000 tokens with their alternatives are no more."""


def in_time(parts: Iterable[bytes], seconds: float) -> bytes:
    """A reply's whole body. Raises BadReplyError where that takes longer (the client's own time-out begins anew at each byte), or
    is larger than any answer."""
    until = time.monotonic() + seconds
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > LARGEST_REPLY:
            raise BadReplyError(f"the reply is larger than {LARGEST_REPLY // 2**20} MB")
        if time.monotonic() > until:
            raise BadReplyError(f"the reply was not whole after {seconds:g} s")
    return bytes(body)


def may_pass(error: BaseException) -> bool:
    """Whether another attempt can help: rate limits, server errors, time-outs, broken connections, malformed replies."""
    if _out_of_credit(error) or asked_pause(error) > _PATIENCE:
        return False
    status = _status(error)
    return (
        isinstance(error, _PASSING)
        or status in (408, 409, 429)
        or (status >= 500 and _UNSUPPORTED.search(refusal_of(error).message) is None)
    )


def tried_enough(state: RetryCallState, attempts: int) -> bool:
    """Whether a question is taken to fail for good."""
    error = state.outcome.exception() if state.outcome is not None else None
    return state.attempt_number >= (min(attempts, _NO_COMPLETION) if isinstance(error, NoCompletionError) else attempts)


def concerns_all(error: BaseException) -> bool:
    """Whether the next question might meet the same: a refused key, a spent account, an unknown model, a server that is down."""
    if isinstance(error, NoAnswerError):
        return False
    status = _status(error)
    moderated = status == 403 and _FLAGGED.search(refusal_of(error).message) is not None
    return _out_of_credit(error) or not (moderated or status in _ABOUT_THE_QUESTION)


def is_certain(error: BaseException) -> bool:
    """Whether the next question will meet the same, whatever it asks about: a wrong key, a spent account."""
    return _status(error) == 401 or _out_of_credit(error)


def is_gone(error: BaseException) -> bool:
    """Whether a server seems to be down, so that another one of the same model is better asked."""
    return isinstance(error, openai.APIConnectionError) or _status(error) >= 500


def what_to_do(error: BaseException, key_variable: str, model: str, address: str) -> str:
    """A sentence for whoever runs it."""
    status = _status(error)
    if _out_of_credit(error):
        return "The account's credit or quota is used up."
    if _NO_PICTURES.search(refusal_of(error).message):
        return f"{model!r} takes no pictures there: start the server with its vision part, or name a model that has one."
    if status in (401, 403):
        return f"Check the key in {key_variable} and what it allows."
    if status == 404:
        azure = " Azure wants extra_query (api-version) and a header api-key (extra_headers)." if "azure" in address else ""
        version = "" if "/v" in address or azure else ' (most end in "/v1")'
        return f"Check the card's base_url{version}, and whether the server knows the model {model!r}.{azure}"
    if isinstance(error, NoCompletionError):
        version = "" if "/v" in address else ' (most end in "/v1")'
        return f"Check that the card's base_url{version} is a chat completions server's, and that {model!r} takes images there."
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


def in_words(error: BaseException, secrets: Iterable[str]) -> str:
    """The failure as part of a sentence, keys blotted out (before anything is cut off: half a key is a secret, too)."""
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    reason = short_reason(error if cause is None or not str(cause) else cause, limit=LARGEST_REFUSAL)
    if re.fullmatch(r"Error code: \d+", str(error)):  # the client says only what stands where OpenAI's own errors have it
        said = without_secrets(refusal_of(error).message, secrets)[:_PAGE]
        reason = " - ".join(filter(None, (reason, " ".join(_MARKUP.sub(" ", said).split()).rstrip("."))))
    return without_secrets(reason, secrets)[:300]


_PAGE = 4_000
"""Characters of a page that are looked at for its words."""
_MARKUP = re.compile(r"<(script|style)\b.*?(?:</\1>|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE)


def _status(error: BaseException) -> int:
    """The HTTP status of a reply that is an error; 0 for all else."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 0


def _out_of_credit(error: BaseException) -> bool:
    if not _status(error):
        return False
    said: Refusal = refusal_of(error)
    return said.status == 402 or "insufficient_quota" in said.codes or "credit balance is too low" in said.message


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
