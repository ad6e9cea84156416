"""What an endpoint's failures, errors and replies mean, part by part and without a server: each in a table,
its borders beside it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import openai
import pytest
from PIL import Image
from tenacity import RetryCallState

from hope_bench.adapters import endpoint_failures as failures
from hope_bench.adapters.endpoint_asks import extra_body, parameters, thinks
from hope_bench.adapters.endpoint_card import addresses, endpoint_info, served_by, served_dtype
from hope_bench.adapters.endpoint_errors import Refusal, parameters_in, refusal_of
from hope_bench.adapters.endpoint_failures import (
    BadReplyError,
    NoAnswerError,
    NoCompletionError,
    RefusedError,
    asked_pause,
    concerns_all,
    in_time,
    in_words,
    is_certain,
    is_gone,
    may_pass,
    pause,
    tried_enough,
    what_to_do,
)
from hope_bench.adapters.endpoint_finish import ending
from hope_bench.adapters.endpoint_picture import picture_note, picture_url
from hope_bench.adapters.endpoint_refusals import Adaptation, adaptation, adapted, advice
from hope_bench.adapters.endpoint_reply import Reply, check_answered, read_json, read_reply, tokens_of
from hope_bench.adapters.yes_no_words import YesNoWords, p_yes_of, strip_boundaries
from hope_bench.files.card import ModelCard, Sampling
from hope_bench.files.language import AnswerWords

REQUEST = httpx.Request("POST", "http://h/v1")


def failed(status: int, body: Any = "", headers: dict[str, str] | None = None, says: str = "it failed") -> openai.APIStatusError:
    content = body if isinstance(body, str) else json.dumps(body)
    response = httpx.Response(status, content=content, headers=headers, request=REQUEST)
    return openai.APIStatusError(says, response=response, body=None)


def message(text: str) -> dict[str, Any]:
    return {"error": {"message": text}}


SPENT = {"error": {"message": "quota", "code": "insufficient_quota"}}
NO_PICTURES = message("image input is not supported")


@pytest.mark.parametrize(
    ("error", "passes", "of_all", "certain", "gone"),
    [
        (failed(400), 0, 0, 0, 0),
        (failed(401), 0, 1, 1, 0),
        (failed(402), 0, 1, 1, 0),
        (failed(403, message("no")), 0, 1, 0, 0),
        (failed(403, message("Your input was flagged")), 0, 0, 0, 0),
        (failed(404), 0, 1, 0, 0),
        (failed(404, message("Your input was flagged")), 0, 1, 0, 0),
        (failed(408), 1, 1, 0, 0),
        (failed(409), 1, 1, 0, 0),
        *((failed(status), 0, 0, 0, 0) for status in (413, 415, 422, 424, 451)),
        (failed(429), 1, 1, 0, 0),
        (failed(429, SPENT), 0, 1, 1, 0),
        (failed(400, message("Your credit balance is too low")), 0, 1, 1, 0),
        (failed(499), 0, 1, 0, 0),
        (failed(500), 1, 1, 0, 1),
        (failed(500, NO_PICTURES), 0, 1, 0, 1),
        (failed(429, NO_PICTURES), 1, 1, 0, 0),
        (failed(503, headers={"retry-after": "600"}), 1, 1, 0, 1),
        (failed(503, headers={"retry-after": "601"}), 0, 1, 0, 1),
        (openai.APIConnectionError(request=REQUEST), 1, 1, 0, 1),
        (openai.APITimeoutError(request=REQUEST), 1, 1, 0, 1),
        (openai.APIResponseValidationError(httpx.Response(200, request=REQUEST), None), 1, 1, 0, 0),
        (openai.OpenAIError("odd"), 0, 1, 0, 0),
        (BadReplyError("odd"), 1, 1, 0, 0),
        (NoCompletionError("odd"), 1, 1, 0, 0),
        (NoAnswerError("odd"), 0, 0, 0, 0),
        (RefusedError(500, {}), 1, 1, 0, 1),
        (RefusedError(401, {}), 0, 1, 1, 0),
        (RefusedError(422, {}), 0, 0, 0, 0),
        (RefusedError(429, {"code": "insufficient_quota"}), 0, 1, 1, 0),
    ],
    ids=repr,
)
def test_what_a_failure_means(error: Exception, passes: int, of_all: int, certain: int, gone: int) -> None:
    """Whether it may pass, the next question might or will meet the same, and the server seems to be down."""
    found = [may_pass(error), concerns_all(error), is_certain(error), is_gone(error)]
    assert found == [bool(one) for one in (passes, of_all, certain, gone)]


BASE, VERSION = "Check the card's base_url", ' (most end in "/v1")'
AZURE = " Azure wants extra_query (api-version) and a header api-key (extra_headers)."
DOWN = "It may be down, or overloaded: try a lower concurrency, or later."
KNOWS = ", and whether the server knows the model 'm'."
BLIND = "'m' takes no pictures there: start the server with its vision part, or name a model that has one."
COMPLETES = " is a chat completions server's, and that 'm' takes images there."


@pytest.mark.parametrize(
    ("error", "address", "words"),
    [
        (failed(402), "http://h", "The account's credit or quota is used up."),
        (failed(500, NO_PICTURES), "http://h", BLIND),
        (failed(401), "http://h", "Check the key in KEY and what it allows."),
        (failed(403), "http://h", "Check the key in KEY and what it allows."),
        (failed(404), "http://h", f"{BASE}{VERSION}{KNOWS}"),
        (failed(404), "http://h/v1", f"{BASE}{KNOWS}"),
        (failed(404), "http://h.azure.com", f"{BASE}{KNOWS}{AZURE}"),
        (failed(404), "http://h.azure.com/v1", f"{BASE}{KNOWS}{AZURE}"),
        (NoCompletionError("x"), "http://h", f"Check that the card's base_url{VERSION}{COMPLETES}"),
        (NoCompletionError("x"), "http://h/v1", f"Check that the card's base_url{COMPLETES}"),
        (BadReplyError("x"), "http://h", DOWN),
        (failed(400), "http://h", DOWN),
        (failed(503), "http://h", DOWN),
    ],
)  # fmt: skip
def test_what_to_do_about_a_failure(error: Exception, address: str, words: str) -> None:
    assert what_to_do(error, "KEY", "m", address) == words


def attempt(number: int, error: Exception | None) -> RetryCallState:
    outcome: Future[None] | None = None
    if error is not None:
        outcome = Future()
        outcome.set_exception(error)
    return cast(RetryCallState, SimpleNamespace(attempt_number=number, outcome=outcome))


@pytest.mark.parametrize(
    ("error", "attempts", "enough"),
    [(NoCompletionError("x"), 10, 5), (NoCompletionError("x"), 3, 3), (BadReplyError("x"), 10, 10), (None, 7, 7)],
)
def test_how_often_is_enough(error: Exception | None, attempts: int, enough: int) -> None:
    assert [number for number in range(1, 12) if tried_enough(attempt(number, error), attempts)] == list(range(enough, 12))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0), ({"retry-after": "7"}, 7.0), ({"retry-after": "0.5", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "nan"}, 0.0), ({"retry-after": "inf"}, 0.0), ({"retry-after": "soon"}, 0.0), ({"retry-after": ""}, 0.0),
        ({"retry-after": "7", "retry-after-ms": "0"}, 0.0), ({"retry-after": "7", "retry-after-ms": "x"}, 7.0),
        ({"retry-after": format_datetime(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(datetime(2025, 1, 1, tzinfo=UTC), usegmt=True)}, 0.0),
    ],
)  # fmt: skip
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", datetime(2026, 1, 1, tzinfo=UTC).timestamp)
    monkeypatch.setattr(failures, "_backoff", lambda _: 2.0)
    error = failed(429, headers=headers)
    assert asked_pause(error) == seconds
    assert pause(attempt(1, error)) == max(seconds, 2.0)
    assert (pause(attempt(1, None)), asked_pause(None), asked_pause(ValueError())) == (2.0, 0.0, 0.0)


def test_a_reply_is_whole_in_time_and_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "LARGEST_REPLY", 2 << 20)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def parts(size: int, count: int, seconds: float) -> Any:
        for _ in range(count):
            clock[0] += seconds
            yield b"x" * size

    assert in_time(parts(1 << 20, 2, 1.5), 3.0) == b"x" * (2 << 20)
    with pytest.raises(BadReplyError, match=r"^the reply was not whole after 2\.5 s$"):
        in_time(parts(1, 2, 1.5), 2.5)
    with pytest.raises(BadReplyError, match=r"^the reply is larger than 2 MB$"):
        in_time(parts(1, (2 << 20) + 1, 0.0), 2.5)
    assert in_time([], 1.0) == b""


def test_a_failure_in_words() -> None:
    lost = openai.APIConnectionError(request=REQUEST)
    assert in_words(lost, []) == "APIConnectionError: Connection error"
    lost.__cause__ = ValueError()
    assert in_words(lost, []) == "APIConnectionError: Connection error"
    lost.__cause__ = ValueError("no route to secret-key.")
    assert in_words(lost, ["secret-key"]) == "ValueError: no route to ***"
    caused = BadReplyError("odd")
    caused.__cause__ = ValueError("no matter")
    assert in_words(caused, []) == "BadReplyError: odd"
    long = in_words(BadReplyError("x" * 290 + "secret-key" + "y" * 400), ["secret-key"])
    assert long == f"BadReplyError: {'x' * 285}"
    page = failed(400, "<style>p {}</style><p>No such\n picture.</p>", says="Error code: 400")
    assert in_words(page, []) == "APIStatusError: Error code: 400 - No such picture"
    assert in_words(failed(400, "", says="Error code: 400"), []) == "APIStatusError: Error code: 400"
    assert in_words(failed(400, "<p>x</p>", says="Error code: 400 - {}"), []) == "APIStatusError: Error code: 400 - {}"
    assert in_words(failed(400, "secret-key is wrong", says="Error code: 400"), ["secret-key"]).endswith("400 - *** is wrong")


# Replies.

CHOICE = {"message": {"content": "Yes"}, "finish_reason": "stop"}


def whole(choice: Any = CHOICE, **more: Any) -> dict[str, Any]:
    return {"choices": [choice], **more}


def said(content: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    return whole({"message": {"content": content, **more}, "finish_reason": finish})


@pytest.mark.parametrize(
    ("reply", "text", "apart", "thought", "ended"),
    [
        (whole(), "Yes", 0, 0, "done"),
        ([whole()], "Yes", 0, 0, "done"),
        (said("Yes", None), "Yes", 0, 0, "done"),
        (said("Yes", "length"), "Yes", 0, 0, "cut off"),
        (said("Yes", "content_filter"), "Yes", 0, 0, "refused"),
        (whole(CHOICE | {"native_finish_reason": "SAFETY"}), "Yes", 0, 0, "refused"),
        (whole(CHOICE | {"finish_reason": "length", "native_finish_reason": "SAFETY"}), "Yes", 0, 0, "cut off"),
        (said(None), "", 0, 0, "done"),
        (said(None, refusal="No way"), "No way", 0, 0, "done"),
        (said("Yes", refusal="No way"), "Yes", 0, 0, "done"),
        (said(None, None, reasoning="Hm"), "", 1, 1, "done"),
        (whole({"message": None, "finish_reason": "content_filter"}), "", 0, 0, "refused"),
        (said([]), "", 0, 0, "done"),
        (said(["Y", {"text": "e"}, {"type": "text", "text": "s"}, {"type": "output_text", "text": "."}, {"type": "audio",
         "text": "x"}]),
         "Yes.", 0, 0, "done"),
        (said([{"type": "refusal", "refusal": "No way"}, {"type": "refusal", "refusal": None}, {"type": "other",
         "refusal": "x"}]),
         "No way", 0, 0, "done"),
        (said([{"type": "thinking", "text": "hm"}, "Yes"]), "Yes", 1, 1, "done"),
        (said(["Yes", {"type": 7}]), "Yes", 0, 0, "done"),
        (said({"type": "text", "text": "Yes"}), "Yes", 0, 0, "done"),
        (said("Yes", reasoning_content="hm"), "Yes", 1, 1, "done"),
        (said("Yes", reasoning_content=""), "Yes", 0, 0, "done"),
        (said("Yes", a={"b": {"thoughts": 1}}), "Yes", 1, 1, "done"),
        (said("Yes", a={"b": {"c": {"thoughts": 1}}}), "Yes", 0, 0, "done"),
        (whole(usage={"completion_tokens_details": {"reasoning_tokens": 3}}), "Yes", 0, 1, "done"),
        (whole(usage={"completion_tokens_details": {"reasoning_tokens": 0}}), "Yes", 0, 0, "done"),
        (whole(error=None), "Yes", 0, 0, "done"),
        (whole(object="chat.completion", code=500), "Yes", 0, 0, "done"),
    ],
)  # fmt: skip
def test_what_a_reply_holds(reply: Any, text: str, apart: int, thought: int, ended: Any) -> None:
    assert read_reply(reply) == Reply(text, bool(apart), bool(thought), ended, None)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        ({}, NoCompletionError, "the reply holds no list of choices, not one"),
        (7, NoCompletionError, "the reply holds no list of choices, not one"),
        ([whole(), whole()], NoCompletionError, "the reply holds no list of choices, not one"),
        ([], NoCompletionError, "the reply holds no list of choices, not one"),
        ({"choices": []}, NoCompletionError, "the reply holds 0 choices, not one"),
        ({"choices": [CHOICE, CHOICE]}, NoCompletionError, "the reply holds 2 choices, not one"),
        ({"choices": [], "promptFeedback": {"blockReason": "X"}}, NoAnswerError, "its content filter blocked the question (X)"),
        ({"prompt_feedback": {"block_reason": "X"}}, NoAnswerError, "its content filter blocked the question (X)"),
        ({"choices": [], "promptFeedback": {"blockReason": 7}}, NoCompletionError, "the reply holds 0 choices, not one"),
        (whole({"message": {"content": None}}), NoCompletionError, "the reply's message holds no text"),
        (whole({"message": "Yes", "finish_reason": "stop"}), NoCompletionError, "the reply's message holds no text"),
        (said(7), NoCompletionError, "the reply's message holds no text"),
        (said("Yes", "error"), BadReplyError, "the server broke the answer off (error)"),
        ({"error": {"code": 399, "message": "m"}}, BadReplyError, "the reply is an error: m"),
        ({"error": {"code": 400, "message": "m"}}, RefusedError, "Error code: 400 - {'code': 400, 'message': 'm'}"),
        ({"error": {"status_code": "599"}}, RefusedError, "Error code: 599 - {'status_code': '599'}"),
        ({"error": {"code": 600}}, BadReplyError, "the reply is an error: {'code': 600}"),
        ({"error": {"code": "x"}}, BadReplyError, "the reply is an error: {'code': 'x'}"),
        ({"error": "broke"}, BadReplyError, "the reply is an error: broke"),
        ({"object": "error", "code": 422}, RefusedError, "Error code: 422 - {'object': 'error', 'code': 422}"),
        (whole({**CHOICE, "error": {"code": 502}}), RefusedError, "Error code: 502 - {'code': 502}"),
        (whole(error={"code": 502}), RefusedError, "Error code: 502 - {'code': 502}"),
    ],
)
def test_what_is_no_reply(reply: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as raised:
        read_reply(reply)
    assert (type(raised.value), str(raised.value)) == (kind, words)


def listed(text: str, token: Any, top: Any, logprob: Any = -0.5, words: YesNoWords | None = None) -> Any:
    first = {"token": token, "logprob": logprob, "top_logprobs": top}
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": [first]}}
    return read_reply(whole(choice), words).alternatives


def top(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": value} for token, value in pairs]


YES = top(("Yes", -0.5), ("No", -1.0))
KNOWN = (("Yes", -0.5), ("No", -1.0))


@pytest.mark.parametrize(
    ("text", "token", "pairs", "logprob", "found"),
    [
        ("Yes", "Yes", YES, -0.5, KNOWN),
        ("  Yes, there is", " Yes", YES, -0.5, KNOWN),
        ("Yes.", "Yes.", YES, -0.25, (*KNOWN, ("Yes.", -0.25))),
        ("Yes", "Yes", [], -0.5, None),
        ("Yes", "Yes", None, -0.5, None),
        ("Yes", "", YES, -0.5, ()),
        ("Yes", 7, YES, -0.5, ()),
        ("Not", "No", YES, -0.5, ()),
        ("No-one", "No", YES, -0.5, ()),
        ("No - none", "No", YES, -0.5, KNOWN),
        ("Well, yes", "Yes", YES, -0.5, ()),
        ("Yes", "Yes", top(("Yes", 0.01), ("No", -1)), 0.01, (("Yes", 0.0), ("No", -1.0))),
        ("Yes", "Yes", top(("Yes", 0.02), ("No", -1)), 0.02, ()),
        ("Yes", "Yes", top(("Yes", -0.5), ("No", None)), -0.5, ()),
        ("Yes", "Yes", top(("Yes", -0.5), ("dog", None), (7, -1), ("cat", True)), -0.5, (("Yes", -0.5),)),
        ("Yes", "Yes", top(("No", -1.0)), -0.5, (("No", -1.0), ("Yes", -0.5))),
        ("Yes", "Yes", top(("No", -1.0)), 0.005, (("No", -1.0), ("Yes", 0.0))),
        ("Yes", "Yes", top(("No", -1.0)), None, ()),
        ("Dogs", "Dogs", top(("No", -1.0)), None, (("No", -1.0),)),
        ("Yes", "Yes", top(("Yes", -(10**400)), ("No", -1)), -1, (("No", -1.0), ("Yes", -1.0))),
    ],
)  # fmt: skip
def test_the_first_tokens_alternatives(text: str, token: Any, pairs: Any, logprob: Any, found: Any) -> None:
    assert listed(text, token, pairs, logprob) == found


GERMAN = YesNoWords.of(AnswerWords(code="de", yes=("ja",), no=("nein",)))


@pytest.mark.parametrize(
    ("text", "token", "found"),
    [("Nein, keiner", "Ne", 1), ("Nein", "ne", 1), ("Neinsager", "Ne", 0), ("Neu", "Ne", 0), ("Ja", "Ja", 1), ("Nein", "in", 0)],
)
def test_the_first_piece_of_a_languages_own_word(text: str, token: str, found: int) -> None:
    pairs = ((token, -0.5), ("dog", -1.0))
    assert listed(text, token, top(*pairs), words=GERMAN) == (pairs if found else ())


def test_what_a_list_of_tokens_says() -> None:
    half, tenth = -0.6931471805599453, -2.302585092994046
    assert p_yes_of([("Yes", half), (" no", tenth), ("dog", half)]) == (pytest.approx(0.5 / 0.6), pytest.approx(0.6))
    assert p_yes_of([("Yes", half), ("yes", half), ("YES", half)]) == (1.0, 1.0)
    assert p_yes_of([("dog", half)]) == (None, 0.0)
    assert p_yes_of([]) == (None, 0.0)
    assert p_yes_of([("No", half), ("ja", half + 2 * tenth)])[0] == 0.0
    assert p_yes_of([("No", half), ("ja", half + 1.99 * tenth)]) == (None, pytest.approx(0.5))
    assert p_yes_of([("ja", half), ("Nei", tenth)], GERMAN) == (pytest.approx(0.5 / 0.6), pytest.approx(0.6))
    assert [GERMAN.begun(piece) for piece in ("N", "j", "", "x", "nein")] == ["no", "yes", None, None, "no"]
    assert [YesNoWords.of().begun(piece) for piece in ("n", "y")] == [None, None]
    assert [strip_boundaries(token) for token in ("▁Yes", "ĠNo", "Yes\n", " no ", "ĊYesĠ")] == ["Yes", "No", "Yes", "no", "Yes"]
    assert YesNoWords.of().meant("ĠsÃŃ") == "foreign", "a byte-level token"


@pytest.mark.parametrize(
    ("ended", "text", "thought", "words"),
    [
        ("refused", "Yes", 0, "its content filter cut the answer off"),
        ("cut off", "", 0, "all 9 tokens went by without an answer; raise --max-new-tokens"),
        ("cut off", "", 1, "all 9 tokens went by thinking; raise --max-new-tokens"),
        ("cut off", "Yes", 1, None),
        ("done", "", 0, None),
        ("done", "", 1, "the model thought and ended without an answer; raise --max-new-tokens, or have it not think"),
        ("done", "Yes", 1, None),
    ],
)
def test_what_is_no_answer(ended: Any, text: str, thought: int, words: str | None) -> None:
    reply = Reply(text, False, bool(thought), ended, None)
    if words is None:
        check_answered(reply, 9)
        return
    with pytest.raises(NoAnswerError) as raised:
        check_answered(reply, 9)
    assert str(raised.value) == words


def test_what_a_reply_is_made_of() -> None:
    assert read_json(b'{"a": 1}') == {"a": 1}
    for body, words in (
        (b" \n", "the reply is empty"),
        (b"<p>\n  x", "the reply is no JSON ('<p> x')"),
        (b"x" * (2**18 + 9), f"the reply is no JSON ('{'x' * 2**18}')"),
        (b"[" * 99_999, f"the reply is no JSON ('{'[' * 99_999}')"),
    ):
        with pytest.raises(NoCompletionError) as raised:
            read_json(body)
        assert str(raised.value) == words
    assert tokens_of({"usage": {"prompt_tokens": 7, "completion_tokens": 3}}) == (7, 3)
    assert tokens_of({"usage": {"prompt_tokens": "7", "completion_tokens": 3}}) == (0, 3)
    assert tokens_of({"usage": {"prompt_tokens": 7}}) == (7, 0)
    assert tokens_of([]) == (0, 0)


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("stop", "done"), (None, "done"), (7, "done"), ({"type": "length"}, "cut off"), ({"type": None}, "done"),
        ("maxTokens", "cut off"),
        ("FINISH_REASON_SAFETY", "refused"), ("finish_reason: error", "broke off"), ("language", "refused"),
        ("languages", "done"),
        ("load", "broke off"), ("loaded", "done"), ("__max--tokens__", "cut off"),
    ],
)  # fmt: skip
def test_why_an_answer_ended(reason: Any, ended: str) -> None:
    assert ending(reason) == ended


# Errors.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("top_logprobs", {"top_logprobs"}), ("logprobs and top_logprobs", {"logprobs", "top_logprobs"}), ("xlogprobs", set()),
        ("max_completion_tokens", {"max_completion_tokens"}), ("maxTokens: seed", {"max_tokens", "seed"}), ("logprobs2", set()),
        ("the Temperature.", {"temperature"}), ("", set()),
    ],
)  # fmt: skip
def test_names_of_parameters(text: str, names: set[str]) -> None:
    assert parameters_in(text) == names


def nested(value: Any, depth: int, name: str | None) -> Any:
    for _ in range(depth):
        value = [value] if name is None else {name: value}
    return value


@pytest.mark.parametrize("name", [None, "error"])
@pytest.mark.parametrize(("depth", "seen"), [(1, True), (8, True), (9, False)])
def test_how_deep_an_error_is_looked_into(name: str | None, depth: int, seen: bool) -> None:
    assert refusal_of(failed(400, nested("no seed", depth, name))).message == ("no seed" if seen else "")


@pytest.mark.parametrize(
    ("body", "text", "names", "codes"),
    [
        ("plain words", "plain words", (), ()),
        ({"error": "a", "message": "b", "detail": "a"}, "b; a", (), ()),
        ({"message": "seed", "param": "temperature"}, "seed", ("temperature",), ()),
        ({"message": "seed", "param": "image"}, "seed", (), ()),
        ({"message": "seed", "param": None}, "seed", ("seed",), ()),
        ({"message": "seed", "param": "none", "code": "c", "type": 7}, "seed", ("seed",), ("c",)),
        ({"message": "m", "type": "t", "Error_Message": "e"}, "m; e", (), ("t",)),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra"}, {"loc": [], "msg": "more"}]}, "seed: extra; more", ("seed",), ()),
        ({"status": "words of a status", "body": "b", "message": "m"}, "m", (), ()),
        ({"status": {"message": "m"}}, "m", (), ()),
        (message('{"message": "inner"}'), "inner", (), ()),
        (message('["no seed", " dogs"]'), "no seed; dogs", ("seed",), ()),
        (message(' {"message": "inner"} '), "inner", (), ()),
        (message("7"), "7", (), ()),
        (message("bad {'seed'} here"), "bad {'seed'} here", ("seed",), ()),
        (message("bad {'seed': 1} here"), "bad seed here", ("seed",), ()),
        (message("bad {'dog': 1} here"), "bad here", (), ()),
        (message("bad {'seed': 1, 'dog': 2} here"), "bad here", (), ()),
        (message("bad {'messages': [], 'seed': 1} here"), "bad here", (), ()),
        (message("bad {'msg': 'inner'} here"), "inner; bad here", (), ()),
        (message("bad {not: python} here"), "bad here", (), ()),
        (message("bad {'a': {'seed': 1}} here }"), "bad here }", (), ()),
        (message("bad {'a': 1, 'seed"), "bad", (), ()),
        (message("bad { seed"), "bad { seed", ("seed",), ()),
        (message("a {'x': 1} b {'y': 2} c"), "a b c", (), ()),
        (message("[input_value={'x'}, input_type=int]"), "[, input_type=int]", (), ()),
        (message(" many \n words "), "many words", (), ()),
        (message("  "), "", (), ()),
    ],
)
def test_what_an_errors_body_says(body: Any, text: str, names: Sequence[str], codes: Sequence[str]) -> None:
    assert refusal_of(failed(418, body)) == Refusal(418, text, frozenset(names), frozenset(codes))  # type: ignore[arg-type]
    stated = RefusedError(418, body if isinstance(body, dict) else {"message": body})
    assert refusal_of(stated) == Refusal(418, text, frozenset(names), frozenset(codes))  # type: ignore[arg-type]
    assert refusal_of(ValueError()) == Refusal(None)


# Asking otherwise.

ASKED = {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20, "seed": 3}
NO_LOGPROBS = Adaptation(
    "logprobs", {"logprobs": None, "top_logprobs": None}, "The endpoint gives no logprobs, so answers carry no P(yes)."
)


def fewer(count: int) -> Adaptation:
    return Adaptation(
        "logprobs", {"top_logprobs": count}, f"The endpoint lists {count} alternatives of a token; P(yes) counts those."
    )


COLD = Adaptation(
    "temperature", {"temperature": None}, "The endpoint takes no temperature, so it may answer differently when asked again."
)
UNSEEDED = Adaptation("seed", {"seed": None}, "The endpoint takes no seed, so its answers are drawn anew when asked again.")
RENAMED = Adaptation(
    "max_tokens", {"max_tokens": None, "max_completion_tokens": 16},
    "The endpoint is told max_completion_tokens; it refuses max_tokens.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "words", "change"),
    [
        (400, "temperature", COLD), (403, "temperature", COLD), (422, "temperature", COLD), (404, "temperature", None),
        (404, "temperature is not supported", COLD), (500, "temperature unsupported", COLD),
        *((status, "temperature is not supported", None) for status in (401, 402, 408, 409, 429)),
        (400, "seed", UNSEEDED), (400, "seed and temperature", COLD), (400, "seed and logprobs", NO_LOGPROBS),
        (400, "dogs", None),
        (400, "max_tokens", None), (400, "max_tokens is unsupported", RENAMED),
        (400, "max_tokens is too large, unsupported", None),
        (400, "max_tokens unsupported, context length 5", None), (400, "max_tokens: use max_completion_tokens", RENAMED),
        (400, "logprobs", NO_LOGPROBS), (400, "logprobs at most 5", fewer(5)), (400, "top_logprobs at most 19", fewer(19)),
        (400, "top_logprobs at most 20", NO_LOGPROBS), (400, "top_logprobs: range [0, 7], at most 9", fewer(7)),
        (400, "top_logprobs at most 0", NO_LOGPROBS), (400, "top_logprobs too many", fewer(5)), (400, "top_logprobs", fewer(5)),
        (400, "logprobs too many", NO_LOGPROBS),
    ],
)  # fmt: skip
def test_how_a_refused_question_is_asked_otherwise(status: int, words: str, change: Adaptation | None) -> None:
    refusal = Refusal(status, words, parameters_in(words))
    assert adaptation(refusal, ASKED) == change
    if change is not None:
        left = adapted(ASKED, [change])
        assert left == {name: value for name, value in {**ASKED, **change.changes}.items() if value is not None}
        if change.changes.get("top_logprobs") is None:
            assert adaptation(Refusal(status, words, parameters_in(words)), left) != change


@pytest.mark.parametrize(
    ("asked", "words", "count"),
    [(20, "top_logprobs", 5), (5, "top_logprobs", 0), (5, "top_logprobs is too many", 4), (2, "top_logprobs too many", 1),
     (1, "top_logprobs too many", 0)],
)  # fmt: skip
def test_fewer_alternatives_are_asked_for_step_by_step(asked: int, words: str, count: int) -> None:
    found = adaptation(Refusal(400, words, parameters_in(words)), ASKED | {"top_logprobs": asked})
    assert found == (fewer(count) if count else NO_LOGPROBS)


LARGE = ' The picture is too large for this server: set image_format = "jpeg" or image_max_side in the card.'
LONG = " It doesn't fit the server's context: start it with a longer one, or set image_max_side in the card."


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        (413, "", LARGE), (400, "image exceeds 5 MB", LARGE), (500, "too large an image", LARGE), (400, "context length", LONG),
        (422, "context length", ""), (400, "no", ""), (400, "image too large; context length", LARGE),
    ],
)  # fmt: skip
def test_what_helps_where_a_question_is_too_large(status: int, words: str, said: str) -> None:
    assert advice(Refusal(status, words)) == said


# What a card tells a server.

CARD = ModelCard(name="E", checkpoint="gpt", adapter="endpoint", base_url="http://h/v1/")


def card(**settings: Any) -> ModelCard:
    return CARD.model_copy(update=settings)


DRAWN = Sampling(temperature=0.6, top_p=0.9, top_k=5)


@pytest.mark.parametrize(
    ("settings", "thinking", "asks", "body"),
    [
        ({}, 0, {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20}, {}),
        ({"logprobs": False}, 0, {"temperature": 0, "max_tokens": 16}, {}),
        ({"checkpoint": "a-Thinking"}, 1, {"temperature": 0, "max_tokens": 4096}, {}),
        ({"checkpoint": "a-non-thinking"}, 0, {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20}, {}),
        ({"checkpoint": "a-Thinking", "thinking": "off"}, 0,
         {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20},
         {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"thinking": "off", "template_kwargs": {"enable_thinking": True, "x": 1}}, 0,
         {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20},
         {"chat_template_kwargs": {"enable_thinking": True, "x": 1}}),
        ({"thinking": "on", "sampling": DRAWN, "extra_body": {"y": 2}}, 1,
         {"temperature": 0.6, "max_tokens": 4096, "top_p": 0.9}, {"top_k": 5, "y": 2}),
    ],
)  # fmt: skip
def test_what_every_request_holds(settings: dict[str, Any], thinking: int, asks: dict[str, Any], body: dict[str, Any]) -> None:
    one = card(**settings)
    assert (thinks(one), parameters(one), extra_body(one)) == (bool(thinking), asks, body)


def test_what_a_served_model_is_called() -> None:
    assert addresses(CARD) == ("http://h/v1",)
    assert addresses(card(base_url=None)) == ()
    assert addresses(card(base_url=None, base_urls=("http://a/", "http://b"))) == ("http://a", "http://b")
    assert [endpoint_info(one).identity for one in (CARD, card(revision="2"), card(image_url_base="http://i/"))] == [
        "gpt", "gpt@2", "gpt, images from http://i"
    ]  # fmt: skip
    assert [endpoint_info(one).thinks for one in (CARD, card(thinking="on"))] == [False, True]
    assert [served_by(card(server=server)) for server in ("transformers", "vllm", None)] == ["transformers-serve", "vllm", ""]
    assert [served_dtype(card(dtype=dtype)) for dtype in ("auto", "float16")] == ["the server's", "float16"]


@pytest.mark.parametrize(
    ("largest", "size", "sent"),
    [(None, (400, 10), (400, 10)), (400, (400, 10), (400, 10)), (399, (400, 200), (399, 200)), (28, (400, 10), (28, 1)),
     (100, (30, 150), (20, 100)), (28, (900, 3), (28, 1))],
)  # fmt: skip
def test_a_picture_is_no_larger_than_the_card_says(largest: int | None, size: tuple[int, int], sent: tuple[int, int]) -> None:
    url = picture_url(Image.new("RGB", size, "red"), card(image_max_side=largest))
    kind, _, data = url.partition(";base64,")
    assert kind == "data:image/png"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == sent


def test_how_pictures_are_sent_is_noted() -> None:
    notes = [picture_note(card(**one)) for one in ({}, {"image_format": "jpeg"}, {"image_max_side": 99})]
    assert notes == [None, "Pictures were sent as JPEG.", "Pictures were sent at most 99 pixels a side."]
    named = Image.new("RGB", (9, 9))
    named.info["file_name"] = "a b.png"
    assert picture_url(named, card(image_url_base="http://i/")) == "http://i/a%20b.png"
    assert picture_url(Image.new("RGB", (9, 9)), card(image_url_base="http://i/")).startswith("data:image/png;base64,")
    photo = Image.effect_noise((40, 30), 60).convert("RGB")
    for settings, kind, how in (
        ({}, "png", {"compress_level": 1}),  # the quickest: a picture travels once
        ({"image_format": "jpeg"}, "jpeg", {"quality": 95, "subsampling": 0}),
    ):
        buffer = io.BytesIO()
        photo.save(buffer, kind, **how)
        assert picture_url(photo, card(**settings)) == f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
