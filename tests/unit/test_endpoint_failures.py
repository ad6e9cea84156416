"""What an endpoint's failures mean: each in a table, its borders beside it."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import openai
import pytest
from tenacity import RetryCallState

from hope_bench.adapters import endpoint_failures as failures
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
from tests.replies import REQUEST, failed, message

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
        (openai.APIError("odd", REQUEST, body={"code": "insufficient_quota"}), 0, 1, 0, 0),
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

    def parts(*sizes: int, seconds: float = 1.5) -> Any:
        for size in sizes:
            clock[0] += seconds
            yield b"x" * size

    assert in_time(parts(1 << 20, 1 << 20), 3.0) == b"x" * (2 << 20)
    with pytest.raises(BadReplyError, match=r"^the reply was not whole after 2\.5 s$"):
        in_time(parts(1, 1), 2.5)
    with pytest.raises(BadReplyError, match=r"^the reply is larger than 2 MB$"):
        in_time(parts(2 << 20, 1, seconds=0.0), 2.5)
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
