"""The endpoint adapter against a server on this machine that misbehaves as told."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from hope_bench.adapters import endpoint as module
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.yes_no_words import p_yes_of
from hope_bench.card import ModelCard
from hope_bench.errors import HopeBenchError
from tests.checkpoints import pictures, prompts

KEY = "sk-secret-1234"
BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(3)]

Reply = Callable[["Handler", dict[str, Any]], None]


class Server(ThreadingHTTPServer):
    """Answers like a chat model; `faults` are used up first, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Reply] = []
        self.always: Reply | None = None
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.add(self.headers["Authorization"])
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            fault = self.server.faults.pop(0) if self.server.faults else self.server.always
        try:
            (fault or answer)(self, body)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def reply(self, status: int, data: Any, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) if length is None else length))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Silence."""


def answer(handler: Handler, body: dict[str, Any], choices: int = 1, logprobs: bool = True) -> None:
    """Yes to wide pictures, with the prompt repeated: a wrong pairing shows."""
    image, text = body["messages"][0]["content"]
    picture = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].split(",")[1])))
    said = "Yes" if picture.width > picture.height else "No"
    choice: dict[str, Any] = {
        "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"{said}: {text['text']}"},
    }  # fmt: skip
    if logprobs and body.get("logprobs"):
        top = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in ((" Yes", 0.6), ("no", 0.2), ("It", 0.1))]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] * choices, "usage": usage}
    handler.reply(200, whole)


def status(code: int, message: str = "no", **headers: str) -> Reply:
    return lambda handler, _: handler.reply(code, {"error": {"message": message}}, headers)


def half(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(200, b'{"id": "1", "choices": [', length=500)
    handler.close_connection = True


def slow(handler: Handler, body: dict[str, Any]) -> None:
    time.sleep(1.2)
    answer(handler, body)


FAULTS: dict[str, Reply] = {
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "half": half,
    "slow": slow,
    "malformed": lambda handler, _: handler.reply(200, b'{"id": '),
    "not json": lambda handler, _: handler.reply(200, b"<html>busy</html>", {"Content-Type": "text/html"}),
    "a list": lambda handler, _: handler.reply(200, []),
    "two choices": lambda handler, body: answer(handler, body, choices=2),
    "no choices": lambda handler, body: answer(handler, body, choices=0),
    "no text": lambda handler, _: handler.reply(200, {"choices": [{"message": {"role": "assistant", "content": None}}]}),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "_backoff", lambda _: 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def card(server: Server, **settings: Any) -> ModelCard:
    fields = {"adapter": "endpoint", "base_url": server.url, "timeout": 20.0, "concurrency": 3, **settings}
    return ModelCard(name="it", checkpoint="m", **fields)


def right(answers: list[Any]) -> bool:
    said = [("Yes" if image.width > image.height else "No") + f": {prompt}" for image, prompt in BATCH]
    return [reply.text for reply in answers] == said


def test_answers_scores_tokens_and_cost(server: Server) -> None:
    model = Endpoint(card(server, price_input=2.0, price_output=10.0))
    answers = model.answer(BATCH)
    assert right(answers)
    assert answers[0].p_yes == pytest.approx(0.75)
    assert answers[0].mass == pytest.approx(0.8)
    assert answers[0].complete
    assert (model.report.input_tokens, model.report.output_tokens) == (600, 12)
    assert model.report.cost == pytest.approx(600 * 2e-6 + 12 * 1e-5)
    assert server.keys == {f"Bearer {KEY}"}
    body = server.bodies[0]
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0, 16, "m")


def test_the_picture_arrives_unchanged(server: Server) -> None:
    image = BATCH[0][0]
    Endpoint(card(server)).answer([(image, "?")])
    url = server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"]
    assert Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).tobytes() == image.tobytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_tried_again(fault: str, server: Server) -> None:
    server.faults = [FAULTS[fault]] * 4
    timeout = 0.7 if fault == "slow" else 20.0
    assert right(Endpoint(card(server, timeout=timeout)).answer(BATCH))
    # On a busy machine, an honest answer can be too late, too.
    assert len(server.bodies) >= len(BATCH) + 4
    assert fault == "slow" or len(server.bodies) == len(BATCH) + 4


def test_no_more_questions_are_under_way_than_the_card_allows(server: Server) -> None:
    meeting = threading.Barrier(3, timeout=20)

    def together(handler: Handler, body: dict[str, Any]) -> None:
        meeting.wait()
        answer(handler, body)

    server.always = together
    assert right(Endpoint(card(server, attempts=1)).answer(BATCH))
    assert server.most_at_once == 3


@pytest.mark.parametrize("fault", ["500", "two choices", "half"])
def test_what_never_passes_is_an_error_of_that_question(fault: str, server: Server) -> None:
    server.always = FAULTS[fault]
    answers = Endpoint(card(server, attempts=3)).answer(BATCH[:2])
    assert all("failed after 3 attempts" in str(reply.error) and reply.text is None for reply in answers)
    assert len(server.bodies) == 6


def test_a_revoked_key_is_not_tried_again_and_not_told(server: Server) -> None:
    server.always = status(401, f"Incorrect API key provided: {KEY}")
    answers = Endpoint(card(server)).answer(BATCH[:2])
    assert len(server.bodies) == 2
    for reply in answers:
        assert "AuthenticationError" in str(reply.error)
        assert KEY not in str(reply.error)


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    server.faults = [status(429, **{"Retry-After": "0.3"})]
    start = time.monotonic()
    assert right(Endpoint(card(server)).answer(BATCH))
    assert time.monotonic() - start >= 0.3


def test_pauses_grow_are_random_and_bounded() -> None:
    from tenacity import RetryCallState

    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    pauses = {}
    for attempt in (1, 4, 40):
        state.attempt_number = attempt
        pauses[attempt] = [module._pause(state) for _ in range(200)]
    assert max(pauses[1]) <= 1
    assert 2 < max(pauses[4]) <= 8
    assert 30 < max(pauses[40]) <= 60
    assert len(set(pauses[4])) == 200


def test_a_server_without_logprobs_is_asked_for_text(server: Server) -> None:
    said: list[str] = []

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if "logprobs" in body:
            handler.reply(400, {"error": {"message": "unknown parameter: logprobs"}})
        elif "max_tokens" in body:
            handler.reply(400, {"error": {"message": "Unsupported parameter: use max_completion_tokens instead"}})
        else:
            answer(handler, body)

    server.always = picky
    model = Endpoint(card(server), said.append)
    answers = model.answer(BATCH)
    assert right(answers)
    assert {reply.p_yes for reply in answers} == {None}
    assert said == ["The endpoint gives no logprobs, so answers carry no P(yes)."]
    count = len(server.bodies)
    assert right(model.answer(BATCH))
    assert len(server.bodies) == count + len(BATCH), "what it can't do is remembered"


def test_other_bad_requests_are_errors_at_once(server: Server) -> None:
    server.always = status(400, "this model takes no images")
    assert "takes no images" in str(Endpoint(card(server)).answer(BATCH[:1])[0].error)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": None}, "no base_url"),
        ({"base_url": "http://me:word@host/v1"}, "without a user name or password"),
        ({"base_url": "ftp://host"}, "must be http"),
        ({"base_url": "https://host.example/v1", "api_key_env": "NOWHERE"}, "Set the environment variable NOWHERE"),
    ],
)
def test_what_is_wrong_with_a_card(settings: dict[str, Any], message: str, server: Server) -> None:
    with pytest.raises(HopeBenchError, match=message) as caught:
        Endpoint(card(server, **settings))
    assert "word" not in str(caught.value).replace("password", "")


def test_a_list_of_alternatives_without_yes_or_no() -> None:
    assert p_yes_of([("It", -0.1), ("The", -3.0)]) == (None, 0.0)
    assert p_yes_of([("▁Yes", math.log(0.3)), ("YES ", math.log(0.1)), ("ĠNo", math.log(0.4))]) == pytest.approx((0.5, 0.8))
