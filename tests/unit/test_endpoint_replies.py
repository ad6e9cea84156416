"""Servers' quirks, one a row: what a server says, and what becomes of the question, of the other questions and of the run.

The replies are those that public reports show (texts shortened).
"""

from __future__ import annotations

import email.utils
import math
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from hope_bench.adapters import endpoint_failures as failures
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_picture import picture_url
from hope_bench.scoring.parsing import parse_strict
from tests.checkpoints import pictures, prompts
from tests.faulty_server import Handler, Server, answer, completion, running
from tests.unit.test_endpoint import BATCH, KEY, card, right

PLAIN = {"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 20}
REQUEST = (
    "{'model': 'm', 'messages': [{'role': 'user', 'content': [{'type': 'text', 'text': 'Is there a dog?'}]}], "
    "'temperature': 0, 'max_tokens': 16, 'logprobs': True, 'top_logprobs': 20}"
)


def error(message: str, param: str | None = None, code: Any = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class Refused:
    """The server says `body` with `status` until the request holds `until` (None: lacks it)."""

    server: str
    status: int
    body: Any
    until: dict[str, Any]
    note: str = ""


NO_LOGPROBS = {"logprobs": None, "top_logprobs": None}
RENAMED = {"max_tokens": None, "max_completion_tokens": 16}
REFUSED = [
    Refused(
        "vLLM --max-logprobs 5", 400,
        error("Requested sample logprobs of 20, which is greater than max allowed: 5 (parameter=logprobs, value=20)",
              "logprobs", 400, "BadRequestError"),
        {"logprobs": True, "top_logprobs": 5}, "lists 5 alternatives",
    ),
    Refused(
        "vLLM --max-logprobs 12, the parameter unnamed", 400,
        error("Requested sample logprobs of 20, which is greater than max allowed: 12"), {"top_logprobs": 12}, "lists 12",
    ),
    Refused("Azure", 400, error("Expected a value <= 5, but got 20 instead.", "top_logprobs"), {"top_logprobs": 5}, "lists 5"),
    Refused("vLLM --max-logprobs 0", 400, error("logprobs of 20 ... max allowed: 0", "logprobs"), NO_LOGPROBS, "no logprobs"),
    Refused("OpenAI reasoning", 403, error("You are not allowed to request logprobs from this model"), NO_LOGPROBS, "logprobs"),
    Refused(
        "OpenAI reasoning: max_tokens", 400,
        error("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
              "max_tokens", "unsupported_parameter"),
        RENAMED, "max_completion_tokens",
    ),
    Refused(
        "OpenAI reasoning: temperature", 400,
        error("Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
              "temperature", "unsupported_value"),
        {"temperature": None}, "no temperature",
    ),
    Refused(
        "Gemini", 400,
        [{"error": {"code": 400, "status": "INVALID_ARGUMENT",
                    "message": 'Invalid JSON payload received. Unknown name "logprobs": Cannot find field.'}}],
        NO_LOGPROBS, "no logprobs",
    ),
    Refused(
        "FastAPI", 422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "logprobs"], "msg": "Extra inputs are not permitted",
                     "input": True}]},
        NO_LOGPROBS, "no logprobs",
    ),
    Refused(
        "Mistral", 422,
        {"object": "error", "message": {"detail": [{"loc": ["body", "top_logprobs"], "msg": "Extra inputs are not permitted"}]}},
        NO_LOGPROBS, "no logprobs",
    ),
    Refused(
        "OpenRouter", 400,
        error("Provider returned error", code=400) | {"error": {"message": "Provider returned error", "code": 400, "metadata": {
            "raw": '{"error": {"message": "Unsupported value.", "param": "temperature", "code": "unsupported_value"}}'}}},
        {"temperature": None}, "no temperature",
    ),
    Refused("a plain text", 400, "logprobs are not supported", NO_LOGPROBS, "no logprobs"),
    Refused("a set of names", 422, error("Unexpected keys in the request: {'logprobs'}"), NO_LOGPROBS, "no logprobs"),
    Refused("Gemini: in capitals", 400,
            [{"error": {"code": 400, "message": "Logprobs is not enabled for models/gemini-2.5-flash"}}],
            NO_LOGPROBS, "no logprobs"),
    Refused("Gemini: temperature", 400, [{"error": {"code": 400, "message": "Temperature is not supported for this model"}}],
            {"temperature": None}, "no temperature"),
    Refused("Gemini: its own name", 400, error("generation_config.response_logprobs is not supported"), NO_LOGPROBS,
            "no logprobs"),
    Refused("Gemini: field violations", 400,
            {"error": {"code": 400, "message": "Invalid value", "details": [{"fieldViolations": [
                {"field": "generation_config.logprobs", "description": "not supported"}]}]}}, NO_LOGPROBS, "no logprobs"),
    Refused("in words", 400, error("Log probabilities are not available for this model"), NO_LOGPROBS, "no logprobs"),
    Refused("in camels", 400, error("topLogprobs not supported"), NO_LOGPROBS, "no logprobs"),
    Refused("LiteLLM: the parameter None", 400,
            error("litellm.UnsupportedParamsError: anthropic does not support parameters: ['logprobs', 'top_logprobs'], for it",
                  "None", "400", "None"), NO_LOGPROBS, "no logprobs"),
    Refused("LiteLLM: an object of parameters, 500", 500,
            error("litellm.UnsupportedParamsError: bedrock does not support parameters: {'logprobs': True, 'top_logprobs': 20}"),
            NO_LOGPROBS, "no logprobs"),
    Refused("TGI: its own name", 422,
            {"error": "Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 20", "error_type": "validation"},
            {"top_logprobs": 5}, "lists 5"),
    Refused("DashScope: a range", 400, error("Range of top_logprobs should be [0, 5]"), {"top_logprobs": 5}, "lists 5"),
    Refused("Azure AI: details", 422,
            {"error": {"code": "Invalid input", "message": "invalid input error", "details": [
                {"type": "extra_forbidden", "loc": ["body", "logprobs"], "msg": "Extra inputs are not permitted"}]}},
            NO_LOGPROBS, "no logprobs"),
    Refused("Azure AI: a target", 400,
            {"error": {"message": "Invalid request", "details": [{"target": "logprobs", "message": "not permitted"}]}},
            NO_LOGPROBS, "no logprobs"),
    Refused("a list of errors", 400, {"errors": [{"message": "logprobs not supported"}]}, NO_LOGPROBS, "no logprobs"),
    Refused("a list of texts", 400, ["logprobs not supported"], NO_LOGPROBS, "no logprobs"),
    Refused("msg", 400, {"msg": "logprobs not supported", "code": 1210}, NO_LOGPROBS, "no logprobs"),
    Refused("a status object", 400, {"status": {"code": 400, "message": "logprobs not supported"}}, NO_LOGPROBS, "no logprobs"),
    Refused("an error's name beside its words", 400, {"error": "bad_request", "message": "logprobs unsupported"}, NO_LOGPROBS,
            "no logprobs"),
    Refused("a parameter's path", 400, error("Unsupported", "body.logprobs"), NO_LOGPROBS, "no logprobs"),
    Refused("a parameter in a list", 400, {"error": {"message": "Unsupported", "param": ["logprobs"]}}, NO_LOGPROBS,
            "no logprobs"),
    Refused("an error as JSON in a message", 400, error('{"error": {"message": "Unsupported parameter", "param": "logprobs"}}'),
            NO_LOGPROBS, "no logprobs"),
    Refused("an error as Python's text in a message", 400,
            error("Error code: 400 - {'error': {'message': \"Can't do that\", 'param': 'logprobs'}}"), NO_LOGPROBS,
            "no logprobs"),
    Refused("501", 501, error("logprobs is not supported"), NO_LOGPROBS, "no logprobs"),
    Refused("OpenRouter: 404", 404, error("No endpoints found that support the parameter logprobs"), NO_LOGPROBS, "no logprobs"),
    Refused("max_tokens, no other name given", 400, error("Unsupported parameter: `max_tokens`"), RENAMED,
            "max_completion_tokens"),
    Refused("an error of status 200", 200, {"object": "error", "message": "logprobs: not supported", "code": 400}, NO_LOGPROBS,
            "no logprobs"),
]  # fmt: skip


@dataclass(frozen=True)
class Failed:
    """The server says `body` to the questions about one picture: their error holds `words`, and nothing else changes."""

    server: str
    status: int
    body: Any
    words: str
    headers: dict[str, str] = field(default_factory=dict)


LARGER = 'set image_format = "jpeg" or image_max_side'
FAILED = [
    Failed(
        "vLLM: a bad picture, the request quoted", 400,
        error("1 validation error:\n {'type': 'value_error', 'loc': ('body', 'messages'), 'msg': 'Value error, image too small', "
              f"'input': {REQUEST}}}", None, 400, "BadRequestError"),
        "image too small",
    ),
    Failed(
        "vLLM: the quoted request cut off", 400,
        error(f"1 validation error:\n {{'msg': 'image too small', 'input': {REQUEST[:-40]}"), "image too small",
    ),
    Failed("a picture refused beside a parameter's name", 400, error("bad image; logprobs, temperature ignored"), "bad image"),
    Failed("OpenAI: a bad picture", 400, error("Invalid image: temperature 20", "messages.[0].content.[0].image_url"), "Invalid"),
    Failed(
        "vLLM: too long", 400,
        error("'max_tokens' or 'max_completion_tokens' is too large: 16. This model's maximum context length is 4096 tokens and "
              "your request has 4090 input tokens"),
        "It doesn't fit the server's context",
    ),
    Failed("Anthropic: a large picture", 400,
           error("messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 6 MB > 5 MB"), LARGER),
    Failed("proxies: a large body", 413, {"error": {"message": "Request body too large"}}, LARGER),
    Failed("nginx: a large body", 413, "<html><h1>413 Request Entity Too Large</h1></html>", LARGER),
    Failed("OpenAI: moderated", 403, error("input was flagged"), "input was flagged"),
    Failed("OpenRouter: moderated", 403,
           {"error": {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["violence"]}}}, "was flagged"),
    Failed("a 403 in no known words", 403, error("not this one"), "not this one"),
    Failed("a picture that can't be fetched", 404, error("image could not be fetched"), "could not be fetched"),
    Failed("llama.cpp: a bad picture", 500, error("Failed to load image", kind="server_error"), "Failed to load image"),
    Failed("Bedrock, TGI", 424, {"message": "Request failed during generation"}, "during generation"),
    Failed("barred by law", 451, error("no"), "451"),
    Failed("a kind of picture", 415, error("unsupported media"), "unsupported media"),
    Failed("Gemini, Azure: blocked", 200, {"choices": [], "usage": {}}, "0 choices"),
    Failed("a picture that breaks the engine", 502, "<html>Bad Gateway</html>", "502"),
    Failed("vLLM: an error of status 200", 200, {"object": "error", "message": "image is no RGB", "code": 400}, "is no RGB"),
    Failed("a code of status 200 without end", 200, b'{"error": {"code": 1e999, "message": "it broke"}}', "it broke"),
    Failed("Gemini: an error of status 200, in a list", 200,
           [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Unable to process input image."}}],
           "Unable to process"),
    Failed("a code of status 200 as text", 200, {"error": {"code": "422", "message": "image has one channel"}}, "one channel"),
    Failed("Azure: the prompt moderated", 400,
           error("The response was filtered due to the prompt triggering the content management policy.", "prompt",
                 "content_filter"),
           "content management policy"),
    Failed("a page", 400, "<html><title>400 Bad Request</title><p>logprobs</p></html>", "400 Bad Request"),
    Failed("a page with more than words", 422, "<style>p {color: red}</style><script>if (a < b) {}</script><p>No such picture",
           "No such picture"),
    Failed("an empty body", 400, "", "400"),
    Failed("Gemini: a bad picture, in a list", 400,
           [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Unable to process input image."}}],
           "Unable to process"),
    Failed("FastAPI: a bad picture", 400, {"detail": "cannot identify image file"}, "cannot identify"),
]  # fmt: skip


@dataclass(frozen=True)
class Said:
    """The server replies 200 with this message: the question's verdict, or the words of its error."""

    server: str
    message: dict[str, Any]
    finish: str | None
    verdict: str | None
    words: str = ""
    choice: dict[str, Any] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)
    """What the choice, and the reply as a whole, hold besides or otherwise (None: lacks it)."""


SORRY = "I'm sorry, but I can't help with identifying people in images."
THOUGHT = [{"type": "thinking", "thinking": [{"type": "text", "text": "No? I see none."}]}]
SAID = [
    Said("Mistral: a list of parts", {"content": [{"type": "text", "text": "Yes"}]}, "stop", "yes"),
    Said("Mistral: in two parts", {"content": [{"type": "text", "text": "N"}, {"type": "text", "text": "o"}]}, "stop", "no"),
    Said("Mistral: thinking first", {"content": [*THOUGHT, {"type": "text", "text": "Yes"}]}, "stop", "yes"),
    Said("Mistral: nothing but thinking", {"content": THOUGHT}, "stop", None, "without an answer"),
    Said("Mistral: cut off while thinking", {"content": THOUGHT}, "length", None, "went by thinking"),
    Said("an empty list of parts", {"content": []}, "stop", "unparsed"),
    Said("a refusal as a part", {"content": [{"type": "refusal", "refusal": "I can't."}]}, "stop", "unparsed"),
    Said("the model said nothing", {"content": ""}, "stop", "unparsed"),
    Said("the model said nothing, as null", {"content": None}, "stop", "unparsed"),
    Said("the model said a line break", {"content": "\n"}, "stop", "unparsed"),
    Said("Ollama: a thinking model", {"content": "", "reasoning": "Yes, there is one."}, "stop", None, "without an answer"),
    Said("vLLM, SGLang: cut off in thought", {"content": None, "reasoning_content": "Yes"}, "length", None, "went by thinking"),
    Said("DeepSeek: it thought and stopped", {"content": None, "reasoning_content": "Yes."}, "stop", None, "without an answer"),
    Said("null beside an empty thought", {"content": None, "reasoning_content": "", "reasoning": None}, "stop", "unparsed"),
    Said("OpenAI: a refusal beside null", {"content": None, "refusal": SORRY}, "stop", "unparsed"),
    Said("OpenAI: a refusal beside nothing", {"content": "", "refusal": SORRY}, "stop", "unparsed"),
    Said("OpenAI: no refusal", {"content": "Yes", "refusal": None}, "stop", "yes"),
    Said("parts of kinds that nobody knows", {"content": [
        {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "Yes"}, {"type": "audio", "text": "No"}, None, 7]},
        "stop", "yes"),
    Said("parts without any text", {"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "stop", "unparsed"),
    Said("a part whose text is null", {"content": [{"type": "text", "text": None}]}, "stop", "unparsed"),
    Said("one part, not in a list", {"content": {"type": "text", "text": "No"}}, "stop", "no"),
    Said("parts of text alone", {"content": ["Yes", "."]}, "stop", "yes"),
    Said("Azure: its filter, after a word", {"content": "Yes"}, "content_filter", None, "content filter"),
    Said("Gemini: its filter, without a message", {}, "content_filter", None, "content filter", choice={"message": None}),
    Said("Gemini: its filter, with the kind", {"content": None}, "content_filter: SAFETY", None, "content filter"),
    Said("Zhipu: its filter", {"content": ""}, "sensitive", None, "content filter"),
    *(Said(f"a filter: {finish}", {"content": text}, finish, None, "content filter") for finish, text in (
        ("SAFETY", None), ("RECITATION", ""), ("PROHIBITED_CONTENT", "No"), ("BLOCKLIST", "No"), ("refusal", ""),
        ("guardrail_intervened", "Sorry, no."), ("content_filtered", "No"), ("ERROR_TOXIC", "No"))),
    *(Said(f"cut off: {finish}", {"content": ""}, finish, None, "went by without an answer") for finish in (
        "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded", "token_limit", "FINISH_REASON_MAX_TOKENS")),
    *(Said(f"done: {finish}", {"content": "No"}, finish, "no") for finish in (
        "end_turn", "STOP", "stop_sequence", "COMPLETE", "eos", "tool_use", "null", "FINISH_REASON_UNSPECIFIED")),
    Said("Gemini: the prompt blocked", {}, "stop", None, "blocked the question (PROHIBITED_CONTENT)",
         whole={"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
    Said("Ollama: its thoughts alone", {"content": "", "thinking": "Yes, there"}, "stop", None, "without an answer"),
    Said("thoughts that are only counted", {"content": ""}, "stop", None, "without an answer",
         whole={"usage": {"completion_tokens_details": {"reasoning_tokens": 9}}}),
    Said("a tool called", {"content": None, "tool_calls": [{"id": "1", "function": {"name": "look"}}]}, "tool_calls", "unparsed"),
    Said("no reason to finish", {"content": "Yes"}, None, "yes"),
    Said("a reason that nobody knows", {"content": "No"}, "eos_token", "no"),
    Said("no logprobs", {"content": "Yes"}, "stop", "yes", choice={"logprobs": None}),
    Said("logprobs of nothing", {"content": "Yes"}, "stop", "yes", choice={"logprobs": {}}),
    Said("logprobs without a token", {"content": "Yes"}, "stop", "yes", choice={"logprobs": {"content": []}}),
    Said("logprobs that are null", {"content": "Yes"}, "stop", "yes", choice={"logprobs": {"content": None, "refusal": None}}),
    Said("logprobs without alternatives", {"content": "Yes"}, "stop", "yes",
         choice={"logprobs": {"content": [{"token": "Yes", "logprob": -0.1, "top_logprobs": []}]}}),
    Said("logprobs of another shape", {"content": "Yes"}, "stop", "yes",
         choice={"logprobs": {"tokens": ["Yes"], "token_logprobs": [-0.1], "top_logprobs": [{"Yes": -0.1}]}}),
    Said("alternatives that are none", {"content": "Yes"}, "stop", "yes",
         choice={"logprobs": {"content": [{"top_logprobs": [None, {"token": 3, "logprob": 0}, {"token": "No"}]}]}}),
    Said("an error that is null", {"content": "Yes"}, "stop", "yes", whole={"error": None, "object": None}),
    Said("an error that is empty", {"content": "No"}, "stop", "no", whole={"error": {}}),
    Said("no count of tokens", {"content": "No"}, "stop", "no", whole={"usage": None}),
    Said("a count that is none", {"content": "No"}, "stop", "no", whole={"usage": {"prompt_tokens": "many"}}),
]  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(failures, "_backoff", lambda _: 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running() as one:
        yield one


def reply_of(handler: Handler, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    if isinstance(body, str):
        handler.reply(status, body.encode(), {"Content-Type": "text/html", **(headers or {})})
    else:
        handler.reply(status, body, headers)


def asks(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


@pytest.mark.parametrize("row", REFUSED, ids=[row.server for row in REFUSED])
def test_a_refused_parameter_is_changed_once_and_noted(row: Refused, server: Server) -> None:
    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if all(body.get(name) == value for name, value in row.until.items()):
            answer(handler, body)
        else:
            reply_of(handler, row.status, row.body)

    server.always = picky
    model = Endpoint(card(server, concurrency=1))
    replies = model.answer(BATCH)
    assert right(replies)
    changed = {name: value for name, value in (PLAIN | row.until).items() if value is not None}
    assert [asks(body) for body in server.bodies[-len(BATCH) :]] == [changed] * len(BATCH)
    assert asks(server.bodies[0]) == PLAIN
    assert len(server.bodies) <= len(BATCH) + 2, "what was refused once is not asked again"
    assert (replies[0].p_yes is None) == ("logprobs" not in changed)
    (note,) = model.report.notes
    assert row.note in note


@pytest.mark.parametrize("first", [True, False], ids=["asked first", "asked last"])
@pytest.mark.parametrize("row", FAILED, ids=[row.server for row in FAILED])
def test_one_refused_picture_changes_nothing_for_the_others(row: Failed, first: bool, server: Server) -> None:
    bad, good = BATCH[0][0], BATCH[-1][0]

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"][0]["content"][0]["image_url"]["url"] == refused:
            reply_of(handler, row.status, row.body, row.headers)
        else:
            answer(handler, body)

    server.always = picky
    one = card(server, concurrency=1, attempts=2)
    refused = picture_url(bad, one)
    model = Endpoint(one)
    batches = [[pair for pair in BATCH if pair[0] is image] for image in ((bad, good) if first else (good, bad))]
    said = {id(batch[0][0]): model.answer(batch) for batch in batches}
    assert all(row.words in str(reply.error) and reply.text is None for reply in said[id(bad)])
    assert all(reply.error is None and reply.p_yes is not None for reply in said[id(good)])
    others = [body for body in server.bodies if body["messages"][0]["content"][0]["image_url"]["url"] != refused]
    assert [asks(body) for body in others] == [PLAIN] * len(said[id(good)])
    assert model.report.notes == ()


@pytest.mark.parametrize("row", SAID, ids=[row.server for row in SAID])
def test_a_reply_is_read_as_what_it_says(row: Said, server: Server) -> None:
    def odd(handler: Handler, body: dict[str, Any]) -> None:
        whole = completion(body, finish=row.finish, **row.message) | row.whole
        for one in whole["choices"]:
            one |= row.choice
        handler.reply(200, whole)

    server.always = odd
    reply = Endpoint(card(server)).answer(BATCH[:1])[0]
    if row.choice:
        assert reply.p_yes is None, "nothing tells it"
    assert len(server.bodies) == 1, "there is nothing to try again"
    if row.verdict is None:
        assert row.words in str(reply.error)
        assert reply.text is None
    else:
        assert (reply.error, parse_strict(reply.text)) == (None, row.verdict)


BROKE_OFF = ("network_error", "insufficient_system_resource", "abort", "timeout", "cancelled", "error", "ERROR", "USER_CANCEL",
             "OTHER", "MALFORMED_FUNCTION_CALL", "time_limit", "not_finished", "unload")  # fmt: skip


@pytest.mark.parametrize("text", ["No", ""])
@pytest.mark.parametrize("finish", BROKE_OFF)
def test_an_answer_that_the_server_broke_off_is_asked_for_again(finish: str, text: str, server: Server) -> None:
    server.faults = [lambda handler, body: answer(handler, body, finish=finish, content=text)]
    assert right(Endpoint(card(server, concurrency=1)).answer(BATCH))
    server.faults = [lambda handler, body: answer(handler, body, finish=finish, content=text)] * 2
    (reply,) = Endpoint(card(server, attempts=2)).answer(BATCH[:1])
    assert reply.text is None
    assert "broke the answer off" in str(reply.error)


YES_OR_NO = [{"token": "Yes", "logprob": math.log(0.7)}, {"token": "No", "logprob": math.log(0.2)}]


@pytest.mark.parametrize(
    ("text", "first", "top", "p_yes"),
    [
        ("Yes", ("Yes", math.log(0.7)), YES_OR_NO, 7 / 9),
        (" Yes, there is.", ("\u0120Yes", math.log(0.7)), YES_OR_NO, 7 / 9),
        ("No", ("No", math.log(0.2)), YES_OR_NO, 7 / 9),
        ("Yes", ("No", math.log(0.2)), YES_OR_NO, None),  # a proxy cut the thought out
        ("Yesterday", ("Yes", math.log(0.7)), YES_OR_NO, None),
        ("Not sure", ("No", math.log(0.7)), YES_OR_NO, None),
        ("None of these", ("No", math.log(0.7)), YES_OR_NO, None),
        ("No-one is there", ("No", math.log(0.7)), YES_OR_NO, None),
        ("\nYes", ("\n", math.log(0.7)), YES_OR_NO, None),
        ("Yes", ("Yes", math.log(0.6)), [{"token": "No", "logprob": math.log(0.3)}], 2 / 3),
        ("Yes", ("Yes", math.log(0.6)), [{"token": "Yes", "logprob": None}, {"token": "No", "logprob": math.log(0.3)}], 2 / 3),
        ("Yes", ("Yes", None), [{"token": "Yes", "logprob": None}, {"token": "No", "logprob": -1.0}], None),
        ("Yes", ("Yes", None), [{"token": "No", "logprob": -1.0}], None),
        ("Yes", ("Yes", -0.1), [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": math.nan}], None),
        ("Yes", ("Yes", -(10**400)), [{"token": "Yes", "logprob": -(10**400)}, {"token": "No", "logprob": -1.0}], None),
        ("Yes", ("Yes", 9.5), [{"token": "Yes", "logprob": 9.5}, {"token": "No", "logprob": 3.0}], None),
        ("Yes", ("Yes", True), [{"token": "Yes", "logprob": True}, {"token": "No", "logprob": -1.0}], None),
    ],
)  # fmt: skip
def test_p_yes_is_that_of_the_answers_first_word(
    text: str, first: tuple[str, Any], top: list[Any], p_yes: float | None, server: Server
) -> None:
    def said(handler: Handler, body: dict[str, Any]) -> None:
        whole = completion(body, content=text)
        whole["choices"][0]["logprobs"] = {"content": [{"token": first[0], "logprob": first[1], "top_logprobs": top}]}
        handler.reply(200, whole)

    server.always = said
    reply = Endpoint(card(server)).answer(BATCH[:1])[0]
    assert (reply.text, reply.error) == (text.strip(), None)
    assert reply.p_yes == (None if p_yes is None else pytest.approx(p_yes))
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("message", "whole"),
    [
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, {}),
        ({"thinking": "Yes, maybe"}, {}),
        ({"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}, {}),
        ({"extra_content": {"google": {"thought_signature": "x"}}}, {}),
        ({"content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Yes"}]}, {}),
        ({}, {"usage": {"completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 290}}}),
        ({}, {"usage": {"thoughtsTokenCount": 290}}),
    ],
)
def test_no_p_yes_where_a_thought_is_hidden(message: dict[str, Any], whole: dict[str, Any], server: Server) -> None:
    server.always = lambda handler, body: handler.reply(200, completion(body, **{"content": "Yes", **message}) | whole)
    (reply,) = Endpoint(card(server)).answer(BATCH[:1])
    assert (reply.text, reply.p_yes, reply.mass, reply.error) == ("Yes", None, None, None)


def test_no_thought_is_no_thought(server: Server) -> None:
    nothing = {"reasoning": None, "reasoning_details": [], "thinking": ""}
    usage = {"usage": {"completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 0}}}
    server.always = lambda handler, body: handler.reply(200, completion(body, **nothing) | usage)
    assert Endpoint(card(server)).answer(BATCH[:1])[0].p_yes == pytest.approx(0.75)


MANY = [(image, prompt) for image in pictures(3) for prompt in prompts(20)]


UNCLEAR = [row for row in FAILED if row.status in (404, 500) or row.words in ("not this one", "0 choices")]


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("row", UNCLEAR, ids=[row.server for row in UNCLEAR])
def test_no_run_is_stuck_at_bad_pictures(row: Failed, concurrency: int, server: Server) -> None:
    """Two of three pictures, each with all its questions, one after the other and all at once."""
    one = card(server, concurrency=concurrency, attempts=2)
    images = list({id(image): image for image, _ in MANY}.values())
    bad = {picture_url(image, one) for image in images[:2]}
    refused = {id(image) for image in images if picture_url(image, one) in bad}

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"][0]["content"][0]["image_url"]["url"] in bad:
            reply_of(handler, row.status, row.body, row.headers)
        else:
            answer(handler, body)

    server.always = picky
    by_picture = [[pair for pair in MANY if pair[0] is image] for image in images]
    for batches in ([MANY], by_picture):
        model = Endpoint(one)
        errors = [reply.error is not None for batch in batches for reply in model.answer(batch)]
        assert errors == [id(image) in refused for batch in batches for image, _ in batch]


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize(("status", "most"), [(401, 20), (402, 20), (403, 21), (404, 21), (500, 41), (503, 41)])
def test_a_server_that_answers_nothing_is_asked_no_further(status: int, most: int, concurrency: int, server: Server) -> None:
    server.always = lambda handler, _: handler.reply(status, error("no"))
    model = Endpoint(card(server, concurrency=concurrency, attempts=2))
    replies = [reply for start in range(0, len(MANY), 20) for reply in model.answer(MANY[start : start + 20])]
    assert all(reply.error for reply in replies)
    assert len(server.bodies) <= most


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"choices": [], "usage": {}}, "the reply holds 0 choices"),
        ({"object": "list", "data": []}, "no list of choices"),
        ({"choices": [{"index": 0, "message": {"role": "assistant"}}]}, "holds no text"),
        ("<!doctype html><title>Open WebUI</title>", "is no JSON ('<!doctype html><title>Open WebUI</title>')"),
        ("", "the reply is empty"),
    ],
)
def test_a_server_that_never_answers_is_soon_given_up(body: Any, words: str, concurrency: int, server: Server) -> None:
    server.always = lambda handler, _: reply_of(handler, 200, body)
    said: list[str] = []
    model = Endpoint(card(server, concurrency=concurrency, attempts=10), said.append)
    replies = [reply for start in range(0, len(MANY), 20) for reply in model.answer(MANY[start : start + 20])]
    assert all(reply.error for reply in replies)
    assert len(server.bodies) <= 5 * (concurrency + 5)
    assert words in said[-1]
    assert "Check that the card's base_url is a chat completions server's, and that 'm' takes images there." in said[-1]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (404, "No endpoints found that support image input"),
        (501, "multimodal input is not currently supported"),
    ],
)
def test_a_model_that_takes_no_pictures_is_known_at_once(status: int, message: str, server: Server) -> None:
    server.always = lambda handler, _: handler.reply(status, error(message, kind="server_error"))
    said: list[str] = []
    Endpoint(card(server, concurrency=1), said.append).answer(BATCH)
    assert len(server.bodies) == 6, "five questions and a plain picture"
    assert "'m' takes no pictures there: start the server with its vision part" in said[-1]


def test_several_parameters_in_one_refusal(server: Server) -> None:
    def picky(handler: Handler, body: dict[str, Any]) -> None:
        refused = "max_tokens" in body or "temperature" in body
        if refused:
            reply_of(handler, 400, error("Unsupported parameter(s): `max_tokens`, `temperature`"))
        else:
            answer(handler, body)

    server.always = picky
    assert right(Endpoint(card(server)).answer(BATCH))
    assert asks(server.bodies[-1]) == {"max_completion_tokens": 16, "logprobs": True, "top_logprobs": 20}


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5])
def test_how_many_alternatives_a_server_lists_is_found_out(most: int, server: Server) -> None:
    def picky(handler: Handler, body: dict[str, Any]) -> None:
        too_many = body.get("top_logprobs", 0) > most
        (reply_of(handler, 400, error("top_logprobs is too large")) if too_many else answer(handler, body))

    server.always = picky
    assert right(Endpoint(card(server)).answer(BATCH))
    assert asks(server.bodies[-1])["top_logprobs"] == most


def test_parameters_refused_one_after_the_other_are_learnt_together(server: Server) -> None:
    """OpenAI's reasoning models refuse three."""
    rows = [row for row in REFUSED if row.server.startswith("OpenAI reasoning")]

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        for row in rows:
            if any(body.get(name) != value for name, value in row.until.items()):
                return reply_of(handler, row.status, row.body)
        return answer(handler, body)

    server.always = picky
    model = Endpoint(card(server, concurrency=3))
    assert right(model.answer(BATCH))
    assert asks(server.bodies[-1]) == {"max_completion_tokens": 16}
    assert len(model.report.notes) == 3
    before = len(server.bodies)
    assert right(model.answer(BATCH))
    assert len(server.bodies) == before + len(BATCH)


def test_what_the_server_has_taken_before_stays_for_the_others(server: Server) -> None:
    """A question that only goes through without logprobs, after others went through with them."""
    odd_one = BATCH[2][1]

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"][0]["content"][1]["text"] == odd_one and "logprobs" in body:
            return handler.reply(400, error("logprobs are not available for this request"))
        return answer(handler, body)

    server.always = picky
    model = Endpoint(card(server, concurrency=1))
    assert [reply.p_yes is None for reply in model.answer(BATCH)] == [prompt == odd_one for _, prompt in BATCH]
    assert model.report.notes == ("For some questions alone: The endpoint gives no logprobs, so answers carry no P(yes).",)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error("You exceeded your current quota", code="insufficient_quota")),
        (200, {"error": {"message": "You exceeded your current quota", "code": 429, "type": "insufficient_quota"}}),
        (402, {"error": {"message": "Insufficient Balance"}}),
        (400, error("Your credit balance is too low to access the API.")),
    ],
)
def test_a_spent_account_is_final(status: int, body: Any, server: Server) -> None:
    server.always = lambda handler, _: handler.reply(status, body)
    said: list[str] = []
    model = Endpoint(card(server, concurrency=1), said.append)
    model.answer(BATCH)
    assert len(server.bodies) == 5
    assert "credit or quota is used up" in said[-1]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, "<html><h1>Too Many Requests</h1></html>"),
        (502, "<html><h1>502 Bad Gateway</h1><hr>nginx</html>"),
        (503, "upstream connect error or disconnect/reset before headers"),
        (200, "<!DOCTYPE html><title>Just a moment...</title>"),
        (200, [{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}]),
        (200, {"error": "model is loading"}),
        (200, {"error": {"message": "busy", "code": "server_error"}}),
        (
            200,
            {
                "id": "1",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "error",
                        "message": {"content": ""},
                        "error": {"code": 502, "message": "Provider returned error"},
                    }
                ],
            },
        ),
        (429, error("Rate limit reached", code="rate_limit_exceeded")),
        (429, [{"error": {"code": 429, "message": "Quota exceeded for requests a minute", "status": "RESOURCE_EXHAUSTED"}}]),
        (200, {"object": "error", "message": "Rate limit exceeded", "code": 429}),
        (200, {"error": {"message": "Upstream error", "code": 502}}),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        (200, {"object": "error", "message": "the engine is starting"}),
    ],
)
def test_what_passes_is_waited_for(status: int, body: Any, server: Server) -> None:
    waits = ("0.05", email.utils.formatdate(usegmt=True), "soon")  # a number, a date that has come, nothing that can be read
    server.faults = [lambda handler, _, wait=wait: reply_of(handler, status, body, {"Retry-After": wait}) for wait in waits]
    assert right(Endpoint(card(server)).answer(BATCH))
    assert len(server.bodies) == len(BATCH) + 3


@pytest.mark.parametrize("far", [True, False])
def test_a_date_to_come_back_at_is_kept_or_not_waited_for(far: bool, server: Server) -> None:
    """Two seconds are waited for, an hour is not: then the question is an error, which the same command asks again."""
    begun = time.time()
    when = email.utils.formatdate(begun + (3600 if far else 2), usegmt=True)
    server.faults = [lambda handler, _: handler.reply(429, error("Rate limit reached"), {"Retry-After": when})]
    (reply,) = Endpoint(card(server, concurrency=1)).answer(BATCH[:1])
    assert (reply.error is not None) == far
    if not far:
        assert time.time() >= int(begun) + 2
        assert len(server.bodies) == 2


def test_azures_404_names_what_is_missing(server: Server) -> None:
    missing = {"error": {"code": "404", "message": "Resource not found"}}
    server.always = lambda handler, _: handler.reply(404, missing)
    said: list[str] = []
    Endpoint(card(server, base_url=f"{server.url}/azure", concurrency=1), said.append).answer(BATCH)
    assert "extra_query (api-version) and a header api-key (extra_headers)" in said[-1]
