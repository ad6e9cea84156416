"""An endpoint's card, and errors and replies of one, made up."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai

from hope_bench.files.card import ModelCard, Sampling

REQUEST = httpx.Request("POST", "http://h/v1")


def failed(status: int, body: Any = "", headers: dict[str, str] | None = None, says: str = "it failed") -> openai.APIStatusError:
    content = body if isinstance(body, str) else json.dumps(body)
    response = httpx.Response(status, content=content, headers=headers, request=REQUEST)
    return openai.APIStatusError(says, response=response, body=None)


def message(text: str) -> dict[str, Any]:
    return {"error": {"message": text}}


CHOICE = {"message": {"content": "Yes"}, "finish_reason": "stop"}


def whole(choice: Any = CHOICE, **more: Any) -> dict[str, Any]:
    return {"choices": [choice], **more}


def said(content: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    return whole({"message": {"content": content, **more}, "finish_reason": finish})


SERVERS = ModelCard(
    name="E", checkpoint="gpt", adapter="endpoint", base_urls=("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"),
    price_input=2.0, price_output=10.0, sampling=Sampling(), thinking="on", seed=5,
)  # fmt: skip
