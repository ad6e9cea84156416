"""The endpoint adapter against a server on this machine that misbehaves as told."""

from __future__ import annotations

import base64
import email.utils
import gzip
import io
import json
import math
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from hope_bench.adapters import endpoint_failures as failures
from hope_bench.adapters import endpoint_places
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_errors import LARGEST_REFUSAL
from hope_bench.adapters.yes_no_words import p_yes_of
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.scoring.parsing import parse_strict
from tests.checkpoints import pictures, prompts
from tests.faulty_server import FAULTS, Handler, Reply, Server, answer, odd, running, status

KEY = "sk-secret-1234"
BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(3)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(failures, "_backoff", lambda _: 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running() as one:
        yield one


def card(server: Server, **settings: Any) -> ModelCard:
    fields = {"adapter": "endpoint", "base_url": server.url, "timeout": 300.0, "concurrency": 3, **settings}
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
    timeout = 0.7 if fault in ("slow", "dripping") else 300.0
    said: list[str] = []
    assert right(Endpoint(card(server, timeout=timeout, attempts=1000), said.append).answer(BATCH))
    assert len(said) == 1, "told of once"
    assert "tried again" in said[0]
    # On a busy machine, an honest answer can be too late, too.
    assert len(server.bodies) >= len(BATCH) + 4
    assert timeout < 1 or len(server.bodies) == len(BATCH) + 4


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole["usage"].update(prompt_tokens="many"),
        lambda whole: whole.update(usage=[1]),
        lambda whole: whole["choices"][0]["logprobs"]["content"][0]["top_logprobs"].append(3),
        lambda whole: whole["choices"][0]["logprobs"]["content"][0]["top_logprobs"].append({"token": None, "logprob": -1.0}),
        lambda whole: whole["choices"][0]["logprobs"]["content"][0]["top_logprobs"].append({"token": "yes", "logprob": "low"}),
    ],
)
def test_an_oddity_beside_the_answer_costs_nothing(change: Any, server: Server) -> None:
    server.always = odd(change)
    answers = Endpoint(card(server)).answer(BATCH)
    assert right(answers)
    assert all(reply.p_yes == pytest.approx(0.75) for reply in answers)
    assert len(server.bodies) == len(BATCH)


def test_no_more_questions_are_under_way_than_the_card_allows(server: Server) -> None:
    meeting = threading.Barrier(3, timeout=120)

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


def packed(code: int, body: bytes) -> Reply:
    return lambda handler, _: handler.reply(code, gzip.compress(body), {"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "messages: Field required"),
        ({"detail": [{"msg": "Field required"}, {"msg": "No such field"}]}, "Field required; No such field"),
        ("no such picture", "no such picture"),
        ([[[[{"error": {"detail": [{"msg": "no such picture"}]}}]]]], "no such picture"),  # wrapped by a gateway or two
    ],
)
def test_a_refusal_says_the_same_packed_and_unpacked(body: object, words: str, server: Server) -> None:
    raw = json.dumps(body).encode()
    for reply in (lambda handler, _: handler.reply(422, raw), packed(422, raw)):
        server.always = reply
        (found,) = Endpoint(card(server, attempts=1)).answer(BATCH[:1])
        assert str(found.error).endswith(f"Error code: 422 - {words}")


def test_no_more_than_the_beginning_of_a_packed_refusal_is_unfolded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_places, "LARGEST_REFUSAL", 2**13)
    server.always = packed(422, b"no such picture" + b" " * 2**24)
    model = Endpoint(card(server, attempts=1))
    tracemalloc.start()
    try:
        (found,) = model.answer(BATCH[:1])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(found.error).endswith("Error code: 422 - no such picture")
    assert most < 2**23, "bytes, of the 2**24 that it unfolds to"


def test_of_what_a_refusal_unfolds_to_only_the_beginning_is_looked_at(server: Server) -> None:
    server.always = packed(422, b"no such picture" + b" " * LARGEST_REFUSAL + b"temperature is not supported")
    (found,) = Endpoint(card(server, attempts=1)).answer(BATCH[:1])
    assert str(found.error).endswith("Error code: 422 - no such picture")


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        (status(401, f"Incorrect API key provided: {KEY}"), "Check the key in OPENAI_API_KEY"),
        (status(403, f"key {KEY} may not"), "Check the key in OPENAI_API_KEY"),
        (status(402), "credit or quota is used up"),
        (status(429, "You exceeded your current quota", "insufficient_quota"), "credit or quota is used up"),
        (status(404, "no such model"), "whether the server knows the model 'm'"),
        (status(429, **{"Retry-After": "86400"}), "later"),
    ],
)
def test_after_a_refusal_of_everything_nothing_further_is_asked(refusal: Reply, advice: str, server: Server) -> None:
    said: list[str] = []
    model = Endpoint(card(server, concurrency=1), said.append)
    answered = model.answer(BATCH)
    server.always = refusal
    refused = model.answer(BATCH * 2)
    assert len(server.bodies) == len(BATCH) + 5, "five refusals in a row are enough"
    assert right(answered)
    assert all(reply.error and reply.text is None for reply in refused)
    assert sum(str(reply.error).startswith("not asked") for reply in refused) == 7
    server.always = None
    rest = model.answer(BATCH)
    assert all(str(reply.error).startswith("not asked: 5 questions in a row") for reply in rest)
    assert len(server.bodies) == len(BATCH) + 5
    (line,) = [line for line in said if "in a row" in line]
    assert advice in line
    assert "the same command asks" in line
    assert KEY not in line + "".join(str(reply.error) for reply in refused)


def test_a_server_that_is_gone_is_asked_no_further(server: Server) -> None:
    server.always = status(503)
    said: list[str] = []
    model = Endpoint(card(server, attempts=2, concurrency=6), said.append)
    assert all("failed after 2 attempts" in str(reply.error) for reply in model.answer(BATCH))
    asked = len(server.bodies)
    assert all(str(reply.error).startswith("not asked") for reply in model.answer(BATCH))
    assert len(server.bodies) == asked
    assert re.search(r"6 questions in a row.*It may be down", said[-1])


def test_a_server_that_was_never_there_is_told_at_once(server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        with pytest.raises(HopeBenchError, match=f"Nothing answers at {nobody}: ConnectError: .*refused.*Start the server"):
            Endpoint(card(server, base_url=nobody)).load()
    Endpoint(card(server)).load()
    assert server.bodies == []


def test_single_refusals_between_answers_stop_nothing(server: Server) -> None:
    flagged = BATCH[0][1]

    def moderated(handler: Handler, body: dict[str, Any]) -> None:
        refuse = body["messages"][0]["content"][1]["text"] == flagged
        (status(403, "input was flagged") if refuse else answer)(handler, body)

    server.always = moderated
    model = Endpoint(card(server, concurrency=1))
    for _ in range(6):
        assert [reply.error is None for reply in model.answer(BATCH)] == [False, True, True] * 2


def test_half_a_key_is_not_told_either(server: Server) -> None:
    padding = "x" * (300 - len("BadRequestError: Error code: 400 - {'error': {'message': '") - 4)
    server.always = status(400, padding + KEY + padding)
    reply = Endpoint(card(server)).answer(BATCH[:1])[0]
    assert "xxx" in str(reply.error)
    assert KEY[:6] not in str(reply.error)


def test_a_server_that_repeats_the_key_in_its_answer_is_not_quoted(server: Server) -> None:
    server.always = lambda handler, body: answer(handler, body, content=f"Yes, and your key is {KEY}")
    assert Endpoint(card(server)).answer(BATCH[:1])[0].text == "Yes, and your key is ***"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda handler, body: answer(handler, body, finish="content_filter"), "content filter"),
        (lambda handler, body: answer(handler, body, finish="content_filter", content=None), "content filter"),
        (
            lambda handler, body: answer(handler, body, finish="length", content="", reasoning_content="Let me see"),
            "all 16 tokens went by thinking; raise --max-new-tokens",
        ),
        (lambda handler, body: answer(handler, body, finish="length", content=None), "all 16 tokens went by without an answer"),
    ],
)
def test_what_is_no_answer_is_an_error_at_once(reply: Reply, message: str, server: Server) -> None:
    server.always = reply
    model = Endpoint(card(server))
    assert message in str(model.answer(BATCH[:1])[0].error)
    assert len(server.bodies) == 1
    assert model.report.input_tokens == 100, "it was paid for"
    assert len(model.answer(BATCH * 3)) == 18, "and says nothing about other questions"


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "The picture is wide."},
        {"reasoning": "The picture is wide."},
        {"content": "<think>No? The picture is wide.</think>Yes"},
    ],
)
def test_the_first_thought_is_not_read_as_the_first_word(message: dict[str, str], server: Server) -> None:
    server.always = lambda handler, body: answer(handler, body, **message)
    replies = Endpoint(card(server)).answer(BATCH[:2])
    assert [(reply.error, reply.p_yes, reply.mass) for reply in replies] == [(None, None, None)] * 2
    assert [parse_strict(reply.text) for reply in replies] == ["yes", "yes"]


def test_a_refusal_of_the_model_is_its_answer(server: Server) -> None:
    server.always = lambda handler, body: answer(handler, body, content=None, refusal="I can't help with that.")
    assert Endpoint(card(server)).answer(BATCH[:1])[0].text == "I can't help with that."


@pytest.mark.parametrize("logprob", ["NaN", "null", '"low"'])
def test_malformed_logprobs_are_unknown(logprob: str, server: Server) -> None:
    first = {"token": "Yes", "logprob": "HERE", "top_logprobs": [{"token": "Yes", "logprob": "HERE"}]}
    choice = {"finish_reason": "stop", "message": {"content": "Yes"}, "logprobs": {"content": [first]}}
    raw = json.dumps({"choices": [choice]}).replace('"HERE"', logprob).encode()

    def malformed(handler: Handler, _: dict[str, Any]) -> None:
        handler.reply(200, raw)

    server.always = malformed
    reply = Endpoint(card(server, attempts=1)).answer(BATCH[:1])[0]
    assert (reply.text, reply.p_yes, reply.mass, reply.error) == ("Yes", None, 0.0, None)


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    server.faults = [status(429, **{"Retry-After": "0.3"})]
    start = time.monotonic()
    assert right(Endpoint(card(server)).answer(BATCH))
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "inf"}, 0),
        ({}, 0),
    ],
)
def test_ways_to_say_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert failures.asked_pause(busy(headers)) == pytest.approx(seconds, abs=0.001)
    assert failures.may_pass(busy(headers))


def busy(headers: dict[str, str]) -> openai.RateLimitError:
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    return openai.RateLimitError("busy", response=httpx.Response(429, headers=headers, request=request), body=None)


def test_a_pause_may_be_told_as_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    now = float(int(time.time()))  # as a date is told
    monkeypatch.setattr("time.time", lambda: now)
    before = busy({"retry-after": email.utils.formatdate(now - 3000, usegmt=True)})
    assert failures.asked_pause(before) == 0
    after = busy({"retry-after": email.utils.formatdate(now + 3000, usegmt=True)})
    assert failures.asked_pause(after) == pytest.approx(3000)
    assert not failures.may_pass(after)


def test_pauses_grow_are_random_and_bounded() -> None:
    from tenacity import RetryCallState

    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    pauses = {}
    for attempt in (1, 4, 40):
        state.attempt_number = attempt
        pauses[attempt] = [failures.pause(state) for _ in range(200)]
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


@pytest.mark.parametrize(
    ("complaint", "code", "changed"),
    [
        ("top_logprobs must be at most 5", 400, {"top_logprobs": 5}),
        ("Unsupported value: 'temperature' does not support 0 with this model", 400, {"temperature": None}),
        ("Unexpected keys in the request: {'logprobs'}", 422, {"logprobs": None}),
    ],
)
def test_what_a_server_does_not_take_is_left_out(complaint: str, code: int, changed: dict[str, Any], server: Server) -> None:
    def picky(handler: Handler, body: dict[str, Any]) -> None:
        name = next(iter(changed))
        (answer if body.get(name) == changed[name] else status(code, complaint))(handler, body)

    server.always = picky
    replies = Endpoint(card(server, concurrency=1)).answer(BATCH)
    assert right(replies)
    assert (replies[0].p_yes is None) == ("logprobs" in changed)


def test_a_server_that_ignores_logprobs_is_told_of_once(server: Server) -> None:
    said: list[str] = []
    server.always = lambda handler, body: answer(handler, body, logprobs=False)
    assert right(Endpoint(card(server), said.append).answer(BATCH))
    assert said == ["The endpoint gives no logprobs, so answers carry no P(yes)."]


def test_questions_of_an_image_are_sent_together_behind_a_first_one(server: Server) -> None:
    assert right(Endpoint(card(server, concurrency=1)).answer(BATCH))
    sent = [body["messages"][0]["content"][0]["image_url"]["url"] for body in server.bodies]
    one, other = sent[:2]
    assert one != other
    assert sent == [one, other, one, one, other, other]


def test_the_server_may_fetch_the_pictures_itself(server: Server) -> None:
    named = BATCH[0][0].copy()
    named.info["file_name"] = "val 2014/a#1.jpg"
    model = Endpoint(card(server, image_url_base="https://images.example/coco/", concurrency=1))
    server.always = lambda handler, _: handler.reply(200, {"choices": [{"message": {"content": "Yes"}}]})
    model.answer([(named, "?"), (BATCH[0][0], "?")])
    urls = [body["messages"][0]["content"][0]["image_url"]["url"] for body in server.bodies]
    assert urls[0] == "https://images.example/coco/val%202014/a%231.jpg"
    assert urls[1].startswith("data:image/png;base64,"), "a picture without a name travels itself"
    assert model.info.identity == "m, images from https://images.example/coco"


def test_the_address_makes_no_other_model_and_a_revision_does(server: Server) -> None:
    plain, slashed, elsewhere = (
        Endpoint(card(server, base_url=url)) for url in (server.url, f"{server.url}/", "http://127.0.0.1:9/v1")
    )
    assert plain.info == slashed.info
    assert (plain.info.identity, plain.info.addresses) == ("m", (server.url,))
    assert (elsewhere.info.identity, elsewhere.info.addresses) == ("m", ("http://127.0.0.1:9/v1",))
    assert Endpoint(card(server, revision="fp8")).info.identity == "m@fp8"
    assert right(slashed.answer(BATCH))


def test_other_bad_requests_are_errors_at_once(server: Server) -> None:
    server.always = status(400, "this model takes no images")
    assert "takes no images" in str(Endpoint(card(server)).answer(BATCH[:1])[0].error)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": None}, "no base_url"),
        ({"base_url": "http://me:word@host/v1"}, "without a user name, a password"),
        ({"base_url": "ftp://host"}, "must be http"),
        ({"base_url": "http://host/v1?key=word"}, "or a query"),
        ({"image_url_base": "http://host/?sig=word"}, "or a query"),
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
