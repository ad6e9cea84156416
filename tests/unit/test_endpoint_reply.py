"""What an endpoint's replies hold: each in a table, its borders beside it."""

from __future__ import annotations

from typing import Any

import pytest

from hope_bench.adapters.endpoint_failures import (
    BadReplyError,
    NoAnswerError,
    NoCompletionError,
    RefusedError,
)
from hope_bench.adapters.endpoint_finish import ending
from hope_bench.adapters.endpoint_reply import Reply, check_answered, read_json, read_reply, tokens_of
from tests.replies import CHOICE, said, whole


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
        ("languages", "done"), ("FINISH_REASON_LANGUAGE", "refused"), ("FINISH_REASON_OTHER", "broke off"),
        ("load", "broke off"), ("loaded", "done"), ("__max--tokens__", "cut off"),
    ],
)  # fmt: skip
def test_why_an_answer_ended(reason: Any, ended: str) -> None:
    assert ending(reason) == ended
