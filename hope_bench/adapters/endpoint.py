"""Any OpenAI-compatible chat completions endpoint that takes images: vLLM, SGLang, transformers serve, hosted APIs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import openai
from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.nap import sleep_using_event

from hope_bench.adapters.base import NOT_ASKED, AdapterInfo, AdapterReport, RawAnswer, draw_seed
from hope_bench.adapters.endpoint_asks import extra_body, parameters, thinks
from hope_bench.adapters.endpoint_card import addresses, endpoint_info
from hope_bench.adapters.endpoint_errors import refusal_of
from hope_bench.adapters.endpoint_failures import (
    FAILURES,
    BadReplyError,
    NoAnswerError,
    concerns_all,
    in_time,
    in_words,
    is_certain,
    may_pass,
    pause,
    tried_enough,
    what_to_do,
)
from hope_bench.adapters.endpoint_picture import picture_url
from hope_bench.adapters.endpoint_places import Place, Places
from hope_bench.adapters.endpoint_refusals import (
    KINDS,
    NO_LOGPROBS,
    Adaptation,
    Kind,
    adaptation,
    adapted,
    advice,
)
from hope_bench.adapters.endpoint_reply import Reply, check_answered, read_json, read_reply, tokens_of
from hope_bench.adapters.endpoint_standing import Standing
from hope_bench.adapters.secrets import without_secrets
from hope_bench.adapters.thinking import no_answer, separate
from hope_bench.adapters.yes_no_words import YesNoWords, english_words, p_yes_of
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.card import PRICED_TOKENS
from hope_bench.images import plain_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.files.card import ModelCard
    from hope_bench.files.language import AnswerWords

_REFUSALS = 5
"""Refusals in a row after which nothing further is asked."""


class Endpoint:
    """One model behind an endpoint as an `Adapter`: temperature 0, the questions of an image sent together behind a first one,
    so that a server that keeps prefixes computes the image once.

    Once the endpoint refuses every question (a revoked key), or is gone, nothing further is asked of it. Where it fails on one
    picture alone, only that picture's questions are errors.
    """

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None) -> None:
        """Check the card and find the keys, in the environment only. Raises HopeBenchError."""
        self._card, self._tell_all = card, say
        self._places = Places(card, self._say)
        self._thinks = thinks(card)
        self._tokens = card.new_tokens(self._thinks)
        self._asks, self._extra = parameters(card), extra_body(card)
        self._kept: dict[Kind, Adaptation] = {}
        self._taken: set[Kind] = set()
        self._said: set[str] = set()
        self._notes: dict[str, None] = {}
        self._lock = threading.Lock()
        self._input = self._output = 0
        self._standing, self._judging = Standing(), threading.Lock()
        self._stop = threading.Event()
        self._why = ""
        self._words = english_words()

    @property
    def info(self) -> AdapterInfo:
        """What the card says."""
        return endpoint_info(self._card)

    @property
    def report(self) -> AdapterReport:
        """Tokens used so far, what they cost at the card's prices, and what the server was asked otherwise."""
        prices = (self._card.price_input, self._card.price_output)
        cost = None
        if prices[0] is not None and prices[1] is not None:
            cost = round((self._input * prices[0] + self._output * prices[1]) / PRICED_TOKENS, 6)
        with self._lock:
            notes = tuple(map(self._told, self._notes))
        return AdapterReport(input_tokens=self._input, output_tokens=self._output, cost=cost, notes=notes)

    def load(self) -> None:
        """See whether anything is there. Raises HopeBenchError where nothing takes a connection; all else the questions show."""
        places = self._places.alive
        for place in places:
            try:
                place.greet()
            except openai.APITimeoutError:
                pass
            except openai.APIConnectionError as error:
                said = f"Nothing answers at {place.url}: {in_words(error, self._places.secrets)}."
                if len(self._places.alive) == 1:
                    raise HopeBenchError(f"{said} Start the server, or correct the card's base_url.") from None
                self._say(f"{said} The other servers are asked.")
                self._places.drop(place)
            except FAILURES:
                pass  # many servers have no list of models, or none for this key

    def read_words(self, language: AnswerWords | None) -> None:
        """As `base.ReadsWords` says."""
        self._words = YesNoWords.of(language)

    def give_up(self, why: str) -> None:
        """Ask nothing further; what is under way ends at its next attempt."""
        with self._lock:
            if not self._stop.is_set():
                self._why = why
                self._stop.set()

    def close(self) -> None:
        """Close all connections."""
        self._places.close()

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt), at most `concurrency` of them under way; `samples` as in `base.Draws`.

        Once the endpoint answers nothing any more, nothing is asked of it: all that is left are errors. KeyboardInterrupt
        passes through at once, whatever is under way.
        """
        if self._stop.is_set():
            return [RawAnswer(error=f"{NOT_ASKED}: {self._why}")] * len(batch)
        images = {id(image): image for image, _ in batch}
        urls = {key: picture_url(image, self._card) for key, image in images.items()}
        pictures = {key: str(image.info.get("file_name") or _short(urls[key])) for key, image in images.items()}
        threads = self._card.concurrency * len(self._places.alive)

        def one(place: int) -> RawAnswer:
            image, prompt = batch[place]
            sample = samples[place] if samples else 0
            seed = draw_seed(self._card.seed, str(image.info.get("file_name")), prompt, sample)
            found = self._answer_one(pictures[id(image)], urls[id(image)], prompt, seed)
            text, error = (None if said is None else self._told(said) for said in (found.text, found.error))
            return replace(found, text=text, error=error)

        order = _first_ones_first([id(image) for image, _ in batch])
        try:
            answers = _side_by_side(one, order, threads)
        except KeyboardInterrupt:
            self._stop.set()  # nothing further is asked or said, and nobody sleeps until the next attempt
            raise
        return [answers[place] for place in range(len(batch))]

    def _answer_one(self, picture: str, url: str, prompt: str, seed: int) -> RawAnswer:
        if self._stop.is_set():
            return RawAnswer(error=f"{NOT_ASKED}: {self._why}")
        # A picture that the server is known to fail on is worth one attempt, not minutes of waiting.
        most = 1 if self._standing.is_bad(picture) else self._card.attempts
        attempts = Retrying(
            retry=retry_if_exception(may_pass),
            stop=lambda state: self._stop.is_set() or tried_enough(state, most),
            wait=pause,
            sleep=sleep_using_event(self._stop),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer = attempts(self._ask_somewhere, picture, _messages(url, prompt), seed)
        except FAILURES as error:
            count = attempts.statistics["attempt_number"]
            tried = f" after {count} attempts" if count > 1 else ""
            said = f"the endpoint failed{tried}: {in_words(error, self._places.secrets)}"
            self._failed(picture, prompt, error, said)
            return RawAnswer(error=f"{said}.{hint}" if (hint := advice(refusal_of(error))) else said)
        self._standing.answered(picture)
        return answer

    def _told(self, text: str) -> str:
        """What a server had a part in, without keys: nothing else gets out of here, neither to files nor to the screen."""
        return without_secrets(text, self._places.secrets)

    def _say(self, line: str) -> None:
        self._tell_all(self._told(line))

    def _tell(self, state: RetryCallState) -> None:
        """Say that something is tried again, once for each kind of failure: else a server that is gone looks like a slow one."""
        error = state.outcome.exception() if state.outcome is not None else None
        self._say_once(f"The endpoint fails ({type(error).__name__}); such questions are tried again.")

    def _failed(self, picture: str, prompt: str, error: BaseException, said: str) -> None:
        """Count failures that every question might meet; after enough of them in a row, ask nothing further, unless the server
        answers about another picture."""
        self._standing.failed(picture, error)
        enough = max(self._card.concurrency, _REFUSALS) if may_pass(error) else _REFUSALS
        with self._judging:
            if self._standing.in_a_row < enough or self._stop.is_set():
                return
            if not (is_certain(error) or self._standing.proven) and self._answers_elsewhere(prompt):
                self._standing.blame_pictures()
            elif (count := self._standing.in_a_row) >= enough:  # none was answered meanwhile
                hint = what_to_do(error, self._card.api_key_env, self._card.checkpoint, addresses(self._card)[0])
                self.give_up(f"{count} questions in a row were not answered ({said}). {hint}")
                self._say(f"{self._why} Nothing further is asked; what is left are errors, which the same command asks again.")

    def _answers_elsewhere(self, prompt: str) -> bool:
        """Whether the server answers, or refuses by itself, a question about a plain picture."""
        url = picture_url(plain_picture(), self._card)
        try:
            self._ask_somewhere(_short(url), _messages(url, prompt), self._card.seed)
        except FAILURES as error:
            return not concerns_all(error)
        return True

    def _ask_somewhere(self, picture: str, messages: Sequence[Mapping[str, Any]], seed: int) -> RawAnswer:
        """Ask the picture's server, or another one where that is lost."""
        place = self._places.of(picture)
        try:
            answer = self._ask(place, messages, seed)
        except FAILURES as error:
            if self._stop.is_set() or not self._places.lost(place, error):
                raise
            return self._ask_somewhere(picture, messages, seed)
        self._places.answered(place)
        return answer

    def _ask(self, place: Place, messages: Sequence[Mapping[str, Any]], seed: int) -> RawAnswer:
        """Ask, and ask otherwise where the server refuses a parameter; what helps is kept."""
        with self._lock:
            changes = dict(self._kept)
        while True:
            drawn = {} if self._card.sampling is None else {"seed": seed}
            asked = adapted({**self._asks, **drawn}, changes.values())
            try:
                reply = self._send(place, asked, messages)
            except FAILURES as error:
                change = adaptation(refusal_of(error), asked)
                if change is None or self._stop.is_set():
                    raise
                changes[change.kind] = change
                continue
            self._keep(changes)
            check_answered(reply, self._tokens)
            return self._answer_of(reply, asked)

    def _send(self, place: Place, asked: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Reply:
        create: Any = place.client.chat.completions.with_streaming_response.create
        extra: dict[str, Any] = {"extra_headers": place.headers, "extra_body": self._extra or None}
        try:
            with create(model=self._card.checkpoint, messages=messages, **extra, **asked) as reply:
                whole = in_time(reply.iter_bytes(), self._card.timeout)
            data = read_json(whole)
            self._count(*tokens_of(data))
            return read_reply(data, self._words)
        except FAILURES:
            raise
        except Exception as error:  # noqa: BLE001 - a reply can hold anything
            raise BadReplyError(f"the reply can't be read: {short_reason(error)}") from None

    def _keep(self, changes: Mapping[Kind, Adaptation]) -> None:
        """Ask so from now on: with these changes a question was answered. What the server has taken before stays as it is: then
        it was this question alone that had to be asked otherwise."""
        lines = []
        with self._lock:
            for change in [change for kind, change in changes.items() if self._kept.get(kind) != change]:
                alone = change.kind in self._taken
                note = f"For some questions alone: {change.note}" if alone else change.note
                self._notes[note] = None
                if not alone:
                    self._kept[change.kind] = change
                if change.kind != "max_tokens":
                    lines.append(note)
            self._taken |= {kind for kind in KINDS if kind not in changes}
        for line in lines:
            self._say_once(line)

    def _answer_of(self, reply: Reply, asked: Mapping[str, Any]) -> RawAnswer:
        finished = reply.ending != "cut off"
        # A server that told the thought apart has found its end.
        said = separate(reply.text, thinks=self._thinks and not reply.apart, finished=finished)
        if said.answer is None:
            raise NoAnswerError(no_answer(finished, self._tokens))
        text = said.answer.strip()
        if "logprobs" not in asked or reply.thought or said.thought is not None:
            return RawAnswer(text=text)  # what a model thinks first says nothing about the first word of its answer
        if reply.alternatives is None:
            if text:
                with self._lock:
                    self._notes[NO_LOGPROBS] = None
                self._say_once(NO_LOGPROBS)
            return RawAnswer(text=text)
        p_yes, mass = p_yes_of(reply.alternatives, self._words)
        return RawAnswer(text=text, p_yes=p_yes, mass=mass)

    def _count(self, sent: int, got: int) -> None:
        with self._lock:
            self._input += sent
            self._output += got

    def _say_once(self, line: str) -> None:
        with self._lock:
            new = line not in self._said
            self._said.add(line)
        if new and not self._stop.is_set():
            self._say(line)


def _messages(url: str, prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]}]


def _short(url: str) -> str:
    """What to call a picture without a name."""
    return hashlib.sha256(url.encode()).hexdigest()


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
