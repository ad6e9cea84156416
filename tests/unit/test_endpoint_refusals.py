"""What an endpoint's errors say, and how a refused question is asked otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from hope_bench.adapters.endpoint_errors import Refusal, parameters_in, refusal_of
from hope_bench.adapters.endpoint_failures import (
    RefusedError,
)
from hope_bench.adapters.endpoint_refusals import Adaptation, adaptation, adapted, advice
from tests.replies import failed, message


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


@pytest.mark.parametrize(("quoted", "depth", "seen"), [(False, 5, True), (False, 6, False), (True, 5, True), (True, 6, False)])
def test_how_deep_an_error_within_a_message_is_looked_into(quoted: bool, depth: int, seen: bool) -> None:
    text = json.dumps({"error": nested("no seed", depth - 1, None)})
    said = refusal_of(failed(400, message(f"so {text}" if quoted else text))).message
    assert said == ("no seed; so" if quoted and seen else "no seed" if seen else "so" if quoted else "")


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
        (message("bad {'messages': [], 'msg': 'inner'} here"), "bad here", (), ()),
        (message("bad {'seed: 1'} here"), "bad here", (), ()),
        (message("bad {'title': 'inner', 'code': 'c'} here"), "bad here", (), ()),
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
