"""Any OpenAI-compatible chat completions endpoint that takes images: vLLM, SGLang, transformers serve, hosted APIs."""

from __future__ import annotations

import base64
import io
import json
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import quote, urlsplit

import openai
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.endpoint_failures import (
    FAILURES,
    BadReplyError,
    NoAnswerError,
    concerns_all,
    in_time,
    in_words,
    may_pass,
    pause,
    what_to_do,
    without_key,
)
from hope_bench.adapters.yes_no_words import p_yes_of
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.files.card import ModelCard

_LOCAL = ("127.0.0.1", "localhost", "::1")
_TOP, _FEWER = 20, 5
"""The most alternatives that the API lists for a token, and what servers with a lower limit list."""
_FIRST_CONTACT = 10.0
"""Seconds to wait for a first sign of life."""
_REFUSALS = 5
"""Refusals in a row after which nothing further is asked."""


def endpoint_info(card: ModelCard) -> AdapterInfo:
    """What a card calls the model, and where it is; nothing is known of its weights. Servers come and go: another address is no
    other model, another `revision` is."""
    address, images = ((url or "").rstrip("/") for url in (card.base_url, card.image_url_base))
    named = card.checkpoint if card.revision is None else f"{card.checkpoint}@{card.revision}"
    identity = f"{named}, images from {images}" if images else named
    return AdapterInfo("endpoint", identity, card.revision, None, "the server's", "endpoint", "endpoint", address)


class Endpoint:
    """One model behind an endpoint as an `Adapter`: temperature 0, the questions of an image sent together behind a first one,
    so that a server that keeps prefixes computes the image once.

    Once the endpoint refuses every question (a revoked key), or is gone, nothing further is asked of it.
    """

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None) -> None:
        """Check the card and find the key, in the environment only. Raises HopeBenchError."""
        if card.base_url is None:
            raise HopeBenchError(f'The card {card.name} has adapter = "endpoint" and no base_url (such as http://host:8000/v1).')
        host = _checked_url(card, "base_url", card.base_url)
        if card.image_url_base is not None:
            _checked_url(card, "image_url_base", card.image_url_base)
        self._key = os.environ.get(card.api_key_env)
        if not self._key and host not in _LOCAL:
            raise HopeBenchError(
                f"Set the environment variable {card.api_key_env} to the endpoint's key (cards never hold keys)."
            )
        self._card, self._say = card, say
        self._client = openai.OpenAI(base_url=card.base_url, api_key=self._key or "none", timeout=card.timeout, max_retries=0)
        self._asks = {"temperature": 0, "max_tokens": card.max_new_tokens, "logprobs": True, "top_logprobs": _TOP}
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._input = self._output = 0
        self._failed_in_a_row = 0
        self._stop = threading.Event()
        self._why = ""

    @property
    def info(self) -> AdapterInfo:
        """What the card says."""
        return endpoint_info(self._card)

    @property
    def report(self) -> AdapterReport:
        """Tokens used so far, and what they cost at the card's prices."""
        prices = (self._card.price_input, self._card.price_output)
        cost = None
        if prices[0] is not None and prices[1] is not None:
            cost = round((self._input * prices[0] + self._output * prices[1]) / 1e6, 6)
        return AdapterReport(input_tokens=self._input, output_tokens=self._output, cost=cost)

    def load(self) -> None:
        """See whether anything is there. Raises HopeBenchError where nothing takes a connection; all else the questions show."""
        try:
            self._client.models.list(timeout=_FIRST_CONTACT)
        except openai.APITimeoutError:
            pass
        except openai.APIConnectionError as error:
            raise HopeBenchError(
                f"Nothing answers at {self._card.base_url}: {in_words(error, self._key)}. Start the server, or correct the "
                "card's base_url."
            ) from None
        except FAILURES:
            pass  # many servers have no list of models, or none for this key

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt), at most `concurrency` of them under way.

        Once the endpoint answers nothing any more, nothing is asked of it: all that is left are errors. KeyboardInterrupt
        passes through at once, whatever is under way.
        """
        if self._stop.is_set():
            return [RawAnswer(error=f"not asked: {self._why}")] * len(batch)
        urls = {key: self._url(image) for key, image in {id(image): image for image, _ in batch}.items()}
        order = _first_ones_first([id(image) for image, _ in batch])
        try:
            answers = _side_by_side(
                lambda place: self._answer_one(urls[id(batch[place][0])], batch[place][1]), order, self._card.concurrency
            )
        except KeyboardInterrupt:
            self._stop.set()  # nothing further is asked or said, and nobody sleeps until the next attempt
            raise
        return [answers[place] for place in range(len(batch))]

    def _answer_one(self, url: str, prompt: str) -> RawAnswer:
        if self._stop.is_set():
            return RawAnswer(error=f"not asked: {self._why}")
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
        attempts = Retrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(self._card.attempts) | stop_when_event_set(self._stop),
            wait=pause,
            sleep=sleep_using_event(self._stop),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer = attempts(self._ask, [{"role": "user", "content": content}])
        except FAILURES as error:
            count = attempts.statistics.get("attempt_number", 1)
            tried = f" after {count} attempts" if count > 1 else ""
            said = f"the endpoint failed{tried}: {in_words(error, self._key)}"
            self._failed(error, said)
            return RawAnswer(error=said)
        with self._lock:
            self._failed_in_a_row = 0
        return answer

    def _tell(self, state: RetryCallState) -> None:
        """Say that something is tried again, once for each kind of failure: else a server that is gone looks like a slow one."""
        error = state.outcome.exception() if state.outcome is not None else None
        self._say_once(f"The endpoint fails ({type(error).__name__}); such questions are tried again.")

    def _failed(self, error: BaseException, said: str) -> None:
        """Count failures that every question meets; after enough of them in a row, ask nothing further."""
        with self._lock:
            if not concerns_all(error):
                self._failed_in_a_row = 0
                return
            self._failed_in_a_row += 1
            enough = max(self._card.concurrency, _REFUSALS) if may_pass(error) else _REFUSALS
            if self._failed_in_a_row >= enough and not self._stop.is_set():
                hint = what_to_do(error, self._card.api_key_env, self._card.checkpoint)
                self._why = f"{self._failed_in_a_row} questions in a row were not answered ({said}). {hint}"
                self._stop.set()
                self._say(f"{self._why} Nothing further is asked; what is left are errors, which the same command asks again.")

    def _ask(self, messages: list[dict[str, Any]]) -> RawAnswer:
        asks = self._asks
        create: Any = self._client.chat.completions.with_streaming_response.create
        try:
            with create(model=self._card.checkpoint, messages=messages, **asks) as reply:
                return self._read(json.loads(in_time(reply.iter_bytes(), self._card.timeout)))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not self._adapt(asks, str(error)):
                raise
        except FAILURES:
            raise
        except Exception as error:  # noqa: BLE001 - a reply can hold anything
            raise BadReplyError(f"the reply can't be read: {short_reason(error)}") from None
        return self._ask(messages)

    def _adapt(self, asked: dict[str, Any], complaint: str) -> bool:
        """Ask differently from now on where the server says that it doesn't know a parameter; False if that can't help."""
        with self._lock:
            if self._stop.is_set():
                return False  # nothing further is asked, so nothing differently
            if asked is not self._asks:
                return True  # another thread has changed it since
            asks = dict(asked)
            if "max_completion_tokens" in complaint and "max_tokens" in asks:
                asks["max_completion_tokens"] = asks.pop("max_tokens")
            elif "top_logprobs" in complaint and asks.get("top_logprobs") == _TOP:
                asks["top_logprobs"] = _FEWER
            elif "logprobs" in complaint and "logprobs" in asks:
                del asks["logprobs"], asks["top_logprobs"]
            elif "temperature" in complaint and "temperature" in asks:
                del asks["temperature"]
                self._say("The endpoint takes no temperature, so it may answer differently when asked again.")
            else:
                return False
            self._asks = asks
        return True

    def _read(self, reply: Any) -> RawAnswer:
        choices = _part(reply, "choices")
        self._count(_part(reply, "usage"))
        if not isinstance(choices, list) or len(choices) != 1:
            count = len(choices) if isinstance(choices, list) else "no list of"
            raise BadReplyError(f"the reply holds {count} choices, not one")
        choice = choices[0]
        message = _part(choice, "message")
        text = _part(message, "content") or _part(message, "refusal")
        finish = _part(choice, "finish_reason")
        thought = _part(message, "reasoning_content") or _part(message, "reasoning")
        if finish == "content_filter":
            raise NoAnswerError("its content filter cut the answer off")
        if not text and finish == "length":
            spent = "thinking" if thought else "without an answer"
            raise NoAnswerError(f"all {self._card.max_new_tokens} tokens went by {spent}; raise --max-new-tokens")
        if not isinstance(text, str):
            raise BadReplyError("the reply's message holds no text")
        # What a model thinks first says nothing about the first word of its answer.
        p_yes, mass = (None, None) if thought or "</think>" in text else self._scores(choice)
        return RawAnswer(text=without_key(text, self._key).strip(), p_yes=p_yes, mass=mass)

    def _count(self, usage: Any) -> None:
        sent, got = (_part(usage, name) for name in ("prompt_tokens", "completion_tokens"))
        with self._lock:
            self._input += sent if isinstance(sent, int) else 0
            self._output += got if isinstance(got, int) else 0

    def _scores(self, choice: Any) -> tuple[float | None, float | None]:
        """P(yes) and mass from the first token's listed alternatives; None where the server lists none."""
        content = _part(_part(choice, "logprobs"), "content")
        top = _part(content[0], "top_logprobs") if isinstance(content, list) and content else None
        if not isinstance(top, list) or not top:
            self._say_once("The endpoint gives no logprobs, so answers carry no P(yes).")
            return None, None
        listed = ((_part(one, "token"), _part(one, "logprob")) for one in top)
        return p_yes_of((token, min(value, 0.0)) for token, value in listed if isinstance(token, str) and _is_number(value))

    def _say_once(self, line: str) -> None:
        with self._lock:
            new = line not in self._said
            self._said.add(line)
        if new and not self._stop.is_set():
            self._say(line)

    def _url(self, image: Image) -> str:
        """Where the server fetches the picture, or the picture itself, without loss."""
        name = image.info.get("file_name")
        if self._card.image_url_base is not None and name is not None:
            return f"{self._card.image_url_base.rstrip('/')}/{quote(name)}"
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _part(value: Any, name: str) -> Any:
    """A field of a JSON object; None where there is none, or no object."""
    return value.get(name) if isinstance(value, dict) else None


def _side_by_side(work: Callable[[int], RawAnswer], places: Sequence[int], threads: int) -> dict[int, RawAnswer]:
    """What `work` makes of each place, begun in that order.

    In threads that nobody waits for when it is interrupted: those of a ThreadPoolExecutor are waited for even at Python's exit,
    so that Ctrl-C would do nothing until the server has replied or the time is out, and no other thread can end a request.
    """
    answers: dict[int, Future[RawAnswer]] = {place: Future() for place in places}
    left: SimpleQueue[int | None] = SimpleQueue()
    threads = min(threads, len(places))

    def run() -> None:
        for place in iter(left.get, None):
            try:
                answers[place].set_result(work(place))
            except BaseException as error:  # noqa: BLE001 - raised again where the answers are read
                answers[place].set_exception(error)

    for item in (*places, *[None] * threads):
        left.put(item)
    for _ in range(threads):
        threading.Thread(target=run, daemon=True).start()
    wait(answers.values())
    return {place: answer.result() for place, answer in answers.items()}


def _first_ones_first(images: Sequence[int]) -> list[int]:
    """Places in the order of asking: one question of every image, whose prefix the server then has, and the others behind."""
    ahead = dict.fromkeys(images.index(image) for image in dict.fromkeys(images))
    return [*ahead, *(place for place in range(len(images)) if place not in ahead)]


def _checked_url(card: ModelCard, key: str, url: str) -> str:
    """The host. Raises HopeBenchError for what is no web address, or would carry a secret into files."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.query:
        raise HopeBenchError(
            f"The {key} of the card {card.name} must be http(s)://HOST/... without a user name, a password or a query: it is "
            f"written into run.json, and keys come from the environment variable {card.api_key_env}."
        )
    return parts.hostname


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not math.isnan(value)
