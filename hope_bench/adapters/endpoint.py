"""Any OpenAI-compatible chat completions endpoint that takes images: vLLM, SGLang, transformers serve, hosted APIs."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import openai
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.yes_no_words import p_yes_of
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.card import ModelCard

_LOCAL = ("127.0.0.1", "localhost", "::1")
_TOP = 20
"""The most alternatives that the API lists for a token."""
_SLOWEST = 60.0
"""Seconds between two attempts at most, unless the server asks for more."""


class BadReplyError(Exception):
    """An answer that is no chat completion with exactly one choice; worth another attempt."""


_PASSING = (
    openai.RateLimitError,
    openai.InternalServerError,
    openai.APIConnectionError,  # time-outs, too
    openai.APIResponseValidationError,
    openai.ConflictError,
    json.JSONDecodeError,
    BadReplyError,
)
"""What may pass: tried again with growing, random pauses."""


class Endpoint:
    """One model behind an endpoint as an `Adapter`: temperature 0, the questions of an image sent together, so that a server
    that keeps prefixes computes the image once."""

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None) -> None:
        """Check the card and find the key, in the environment only. Raises HopeBenchError."""
        if card.base_url is None:
            raise HopeBenchError(f'The card {card.name} has adapter = "endpoint" and no base_url (such as http://host:8000/v1).')
        host = urlsplit(card.base_url)
        if host.scheme not in ("http", "https") or not host.hostname or host.username or host.password:
            raise HopeBenchError(
                f"The base_url of the card {card.name} must be http(s)://HOST/... without a user name or password: keys come "
                f"from the environment variable {card.api_key_env}."
            )
        self._key = os.environ.get(card.api_key_env)
        if not self._key and host.hostname not in _LOCAL:
            raise HopeBenchError(
                f"Set the environment variable {card.api_key_env} to the endpoint's key (cards never hold keys)."
            )
        self._card, self._say = card, say
        self._client = openai.OpenAI(base_url=card.base_url, api_key=self._key or "none", timeout=card.timeout, max_retries=0)
        self._asks = {"max_tokens": card.max_new_tokens, "logprobs": True, "top_logprobs": _TOP}
        self._lock = threading.Lock()
        self._input = self._output = 0

    @property
    def info(self) -> AdapterInfo:
        """Which model at which endpoint; nothing is known of its weights."""
        identity = f"{self._card.checkpoint} at {self._card.base_url}"
        return AdapterInfo("endpoint", identity, self._card.revision, None, "the server's", "endpoint", "endpoint")

    @property
    def report(self) -> AdapterReport:
        """Tokens used so far, and what they cost at the card's prices."""
        prices = (self._card.price_input, self._card.price_output)
        cost = None
        if prices[0] is not None and prices[1] is not None:
            cost = round((self._input * prices[0] + self._output * prices[1]) / 1e6, 6)
        return AdapterReport(input_tokens=self._input, output_tokens=self._output, cost=cost)

    def load(self) -> None:
        """Nothing: the first questions show whether the endpoint answers."""

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt), at most `concurrency` of them under way."""
        urls: dict[int, str] = {}
        for image, _ in batch:
            if id(image) not in urls:
                urls[id(image)] = _data_url(image)
        with ThreadPoolExecutor(self._card.concurrency) as pool:
            return list(pool.map(lambda pair: self._answer_one(urls[id(pair[0])], pair[1]), batch))

    def _answer_one(self, url: str, prompt: str) -> RawAnswer:
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
        attempts = Retrying(
            retry=retry_if_exception_type(_PASSING),
            stop=stop_after_attempt(self._card.attempts),
            wait=_pause,
            reraise=True,
        )
        try:
            return attempts(self._ask, [{"role": "user", "content": content}])
        except (openai.OpenAIError, BadReplyError, json.JSONDecodeError) as error:
            tried = f" after {self._card.attempts} attempts" if isinstance(error, _PASSING) else ""
            said = f"the endpoint failed{tried}: {short_reason(error)}"
            return RawAnswer(error=said.replace(self._key, "***") if self._key else said)

    def _ask(self, messages: list[dict[str, Any]]) -> RawAnswer:
        asks = dict(self._asks)
        create: Any = self._client.chat.completions.create
        try:
            reply = create(model=self._card.checkpoint, messages=messages, temperature=0, **asks)
        except openai.BadRequestError as error:
            if not self._adapt(asks, str(error)):
                raise
            return self._ask(messages)
        return self._read(reply)

    def _adapt(self, asked: dict[str, Any], complaint: str) -> bool:
        """Ask differently from now on where the server says that it doesn't know a parameter; False if that can't help."""
        with self._lock:
            if asked != self._asks:
                return True  # another thread has changed it since
            if "logprobs" in complaint and "logprobs" in self._asks:
                self._asks = {key: value for key, value in self._asks.items() if "logprobs" not in key}
                self._say("The endpoint gives no logprobs, so answers carry no P(yes).")
                return True
            if "max_completion_tokens" in complaint and "max_tokens" in self._asks:
                self._asks = {**self._asks, "max_completion_tokens": self._asks["max_tokens"]}
                del self._asks["max_tokens"]
                return True
        return False

    def _read(self, reply: Any) -> RawAnswer:
        choices = getattr(reply, "choices", None)
        if not isinstance(choices, list) or len(choices) != 1:
            count = len(choices) if isinstance(choices, list) else "no list of"
            raise BadReplyError(f"the reply holds {count} choices, not one")
        message = choices[0].message
        text = getattr(message, "content", None) or getattr(message, "refusal", None)
        if not isinstance(text, str):
            raise BadReplyError("the reply's message holds no text")
        self._count(reply.usage)
        p_yes, mass = _scores(choices[0])
        return RawAnswer(text=text.strip(), p_yes=p_yes, mass=mass)

    def _count(self, usage: Any) -> None:
        with self._lock:
            self._input += getattr(usage, "prompt_tokens", None) or 0
            self._output += getattr(usage, "completion_tokens", None) or 0


def _scores(choice: Any) -> tuple[float | None, float | None]:
    """P(yes) and mass from the first token's listed alternatives; None where the server lists none."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    if not content or not getattr(content[0], "top_logprobs", None):
        return None, None
    return p_yes_of([(option.token, option.logprob) for option in content[0].top_logprobs])


def _data_url(image: Image) -> str:
    """The picture as it is, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


_backoff = wait_random_exponential(multiplier=0.5, max=_SLOWEST)


def _pause(state: RetryCallState) -> float:
    """Seconds to wait: random, growing, and no less than the server asks for (Retry-After)."""
    error = state.outcome.exception() if state.outcome is not None else None
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after", "") if response is not None else ""
    return max(_backoff(state), float(asked) if asked.replace(".", "", 1).isdigit() else 0.0)
