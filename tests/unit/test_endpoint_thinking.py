"""Served models that think: what is asked of the server, and what its replies are read as, in the shapes of real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hope_bench.adapters.base import draw_seed
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_asks import thinks
from hope_bench.files.card import ModelCard
from tests.faulty_server import Server, answer, running
from tests.unit.test_endpoint import BATCH, KEY, card


@dataclass(frozen=True)
class Said:
    """A reply's message and finish reason, whether the card says that the model thinks, and what is read: a text or an error."""

    server: str
    message: dict[str, Any]
    finish: str
    thinking: str
    text: str | None


REPLIES = [
    Said(
        "vLLM without a parser: cut off",
        {"content": "Got it, the question asks ... Yes, I can see something that"},
        "length",
        "on",
        None,
    ),
    *(
        Said(f"cut off: {finish}", {"content": "There is no dog on the left side so far"}, finish, "on", None)
        for finish in ("max_tokens", "MAX_TOKENS", "model_length", "token_limit", "model_context_window_exceeded")
    ),
    Said("vLLM without a parser: cut off, the mark kept", {"content": "<think>\nYes let me look"}, "length", "auto", None),
    Said(
        "vLLM without a parser: no opening mark",
        {"content": "The user asks; yes I see ...\n</think>\n\nNo"},
        "stop",
        "auto",
        "No",
    ),
    Said("vLLM with a parser", {"content": "No", "reasoning_content": "Yes, it seems."}, "stop", "on", "No"),
    Said(
        "vLLM with a parser: a long answer",
        {"content": "No, there is", "reasoning_content": "Yes?"},
        "length",
        "on",
        "No, there is",
    ),
    Said("SGLang: cut off", {"content": "", "reasoning_content": "Yes"}, "length", "on", None),
    Said("GLM", {"content": "<think>no</think><answer><|begin_of_box|>Yes<|end_of_box|></answer>"}, "stop", "auto", "Yes"),
    Said("gpt-oss without its special tokens", {"content": "analysisNo dog there.assistantfinalYes"}, "stop", "auto", "Yes"),
    Said("gpt-oss without its special tokens: cut off", {"content": "analysisYes, I think"}, "length", "auto", None),
    Said(
        "Mistral",
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "no"}]}, {"type": "text", "text": "Yes"}]},
        "stop",
        "on",
        "Yes",
    ),
    Said("OpenAI: it hides its thoughts", {"content": "Yes"}, "stop", "on", "Yes"),
    Said("ended in thought", {"content": "<think>Yes, there is"}, "stop", "auto", None),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running() as one:
        yield one


@pytest.mark.parametrize("row", REPLIES, ids=[row.server for row in REPLIES])
def test_only_the_answer_is_read(row: Said, server: Server) -> None:
    """Neither a thought's words nor the first token of one count; a thought without an end is an error."""
    server.always = lambda handler, body: answer(handler, body, finish=row.finish, **row.message)
    (reply,) = Endpoint(card(server, thinking=row.thinking)).answer(BATCH[:1])
    assert (reply.text, reply.p_yes, reply.mass) == (row.text, None, None)
    assert (reply.error is None) == (row.text is not None)
    assert len(server.bodies) == 1, "asking again would not help"


def test_an_answer_is_read_however_deep_what_stands_beside_it_goes(server: Server) -> None:
    deep: dict[str, Any] = {}
    for _ in range(600):
        deep = {"more": deep}
    server.always = lambda handler, body: answer(handler, body, **deep)
    (reply,) = Endpoint(card(server, attempts=1)).answer(BATCH[:1])
    assert (reply.error, reply.p_yes) == (None, pytest.approx(0.75)), "none of it tells of a thought"


@pytest.mark.parametrize(
    ("fields", "expected", "missing"),
    [
        ({}, {"max_tokens": 16, "temperature": 0, "logprobs": True}, ("chat_template_kwargs", "seed")),
        ({"thinking": "on"}, {"max_tokens": 4096, "temperature": 0}, ("chat_template_kwargs", "logprobs", "top_logprobs")),
        ({"thinking": "on", "max_new_tokens": 900}, {"max_tokens": 900}, ()),
        ({"thinking": "off"}, {"max_tokens": 16, "chat_template_kwargs": {"enable_thinking": False}}, ()),
        (
            {"thinking": "on", "template_kwargs": {"enable_thinking": True}, "extra_body": {"skip_special_tokens": False}},
            {"chat_template_kwargs": {"enable_thinking": True}, "skip_special_tokens": False}, (),
        ),
        (
            {"thinking": "on", "sampling": {"temperature": 0.6, "top_p": 0.95, "top_k": 20}, "seed": 7},
            # One seed for all questions would have one luck for all of them: vLLM draws each request from its own.
            {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "seed": draw_seed(7, "None", BATCH[0][1], 0)}, ("min_p",),
        ),
    ],
)  # fmt: skip
def test_what_the_server_is_asked(
    fields: dict[str, Any], expected: dict[str, Any], missing: tuple[str, ...], server: Server
) -> None:
    Endpoint(card(server, **fields)).answer(BATCH[:1])
    (body,) = server.bodies
    assert {name: body[name] for name in expected} == expected
    assert not set(missing) & set(body)


def test_a_served_model_thinks_as_its_card_or_name_says() -> None:
    def thinking(name: str, **fields: Any) -> bool:
        return thinks(ModelCard(name="it", adapter="endpoint", base_url="http://127.0.0.1", checkpoint=name, **fields))

    assert thinking("Qwen/Qwen3-VL-8B-Thinking")
    assert not thinking("Qwen/Qwen3-VL-8B-Thinking", thinking="off")
    assert not thinking("Qwen/Qwen3-VL-8B-Instruct")
    assert thinking("Qwen/Qwen3-VL-8B-Instruct", thinking="on")
    assert not thinking("org/it-non-thinking")
