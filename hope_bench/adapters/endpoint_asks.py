"""What every request to an endpoint holds besides the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hope_bench.adapters.endpoint_refusals import TOP

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard

_STANDARD = ("temperature", "top_p")
"""What of sampling every server knows; the rest is vLLM's, SGLang's and llama.cpp's."""


def thinks(card: ModelCard) -> bool:
    """Whether a served model thinks first: as its card says, or else its name. No server tells what its template does."""
    named = re.search(r"(?<!non-)(?<!no-)thinking", card.checkpoint, re.IGNORECASE) is not None
    return card.thinking == "on" or (card.thinking == "auto" and named)


def parameters(card: ModelCard) -> dict[str, Any]:
    """The API's own parameters, as they are said first; a server may refuse some (endpoint_refusals.py). No alternatives are
    asked for of a model that thinks: its first token is no answer. What is drawn has a seed besides, one for each answer."""
    asks: dict[str, Any] = {"temperature": 0, "max_tokens": card.new_tokens(thinks(card))}
    if card.logprobs and not thinks(card):
        asks |= {"logprobs": True, "top_logprobs": TOP}
    if card.sampling is not None:
        asks |= {name: value for name, value in card.sampling.chosen.items() if name in _STANDARD}
    return asks


def extra_body(card: ModelCard) -> dict[str, Any]:
    """What only some servers know: the card's own, and what it says to the server's chat template and sampler. `thinking = "on"`
    is not said: hosted models that always think refuse it."""
    told = dict(card.template_kwargs)
    if card.thinking == "off":
        told.setdefault("enable_thinking", False)
    template = {"chat_template_kwargs": told} if told else {}
    sampled = {} if card.sampling is None else card.sampling.chosen
    return {**template, **{name: value for name, value in sampled.items() if name not in _STANDARD}, **card.extra_body}
