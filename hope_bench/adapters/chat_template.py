"""A checkpoint's chat template as it is used here: which one, with what switches, on a day that never changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hope_bench.adapters.nesting import DEEPEST, too_deep
from hope_bench.adapters.thinking import ends_open, mentions_thinking
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.files.card import ModelCard

TODAY = date(2025, 1, 1)
"""What a template is told today is (Mistral Small 3.1 writes it into its system prompt): else a run would be another tomorrow."""

PROBE = "Is there a dog in the image?"
"""The question that shows what a template makes of one."""

LONGEST = 20_000
"""Characters that a template may make of PROBE; system prompts have some thousands."""

_SWITCHES = ("enable_thinking", "thinking")
"""What templates call the variable that turns thinking on and off: Qwen, Gemma, GLM; DeepSeek, Granite."""

_DIRECTIVES, _NUMBERS = "aAbBcdDFGhHIjmMpSTuUVwWxXyYzZ", "dHIjmMSUWy"
"""What strftime writes for a time, and what of that may be padded."""


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a question becomes a prompt: Jinja `source` with `variables`. `image_token` is what stands for the picture where the
    template takes a text and no list of parts, else None. `rendered` is the prompt of PROBE; `opened` whether it ends inside a
    thought, `thinks` whether the model, so asked, thinks before it answers."""

    source: str
    variables: Mapping[str, Any]
    image_token: str | None
    rendered: str
    opened: bool
    thinks: bool

    @property
    def sha256(self) -> str:
        """A hash of what the template makes of PROBE."""
        return sha256(self.rendered.encode("utf-8", "replace")).hexdigest()

    def inputs(self, processor: Any, pairs: Sequence[tuple[Image, str]], **processor_kwargs: Any) -> Any:
        """The processor's tensors of (RGB image, prompt) pairs, each a single user turn."""
        if self.image_token is not None:  # then the processor finds no picture in the conversation
            processor_kwargs["images"] = [[image] for image, _ in pairs]
        # Tokenized by the template call itself: processor(text=rendered) would add a second BOS.
        return processor.apply_chat_template(
            [_conversation(image, prompt, self.image_token) for image, prompt in pairs],
            chat_template=self.source,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs=processor_kwargs,
            **self.variables,
        )


def find_template(processor: Any, card: ModelCard) -> ChatTemplate:
    """The template that a card asks its checkpoint's questions by. Raises HopeBenchError where there are several and none is
    named, where it can't be rendered, or where the card tells it what it has no word for."""
    source = _pinned(_source(processor, card))
    if too_deep(source):
        raise HopeBenchError(
            f"The chat template of {card.checkpoint} can't be used: more than {DEEPEST} of its expressions stand within each "
            "other, or blocks so deep that it can't be read. Put the model's own chat_template.jinja beside the weights."
        )
    given = dict(card.template_kwargs)
    if unknown := [name for name in given if not _mentions(source, name)]:
        raise HopeBenchError(
            f"The card {card.name} gives its chat template {', '.join(unknown)} (template_kwargs), but the checkpoint's template "
            "knows no such variable, so it would have no effect. Leave it out, or correct its name."
        )
    image_token = _image_token(processor, source, given, card)

    def render(**more: Any) -> str:
        try:
            return _render(processor, source, {**given, **more}, image_token)
        except Exception as error:  # noqa: BLE001 - as in `_image_token`
            told = ", ".join(f"{key} = {value!r}" for key, value in {**given, **more}.items())
            raise HopeBenchError(f"The chat template of {card.checkpoint} can't take {told}: {short_reason(error)}.") from None

    if card.thinking != "auto":
        given |= dict.fromkeys(_switches(source, given, render), card.thinking == "on")
    rendered = render()
    if len(rendered) > LONGEST:
        raise HopeBenchError(
            f"The chat template of {card.checkpoint} makes {len(rendered):,} characters of a question of {len(PROBE)}, more than "
            f"{LONGEST:,}. It is damaged: put the model's own chat_template.jinja beside the weights."
        )
    opened = ends_open(rendered)
    if card.thinking == "off" and opened:
        raise HopeBenchError(
            f"The chat template of {card.checkpoint} makes the model think whatever it is told, so thinking can't be off. "
            "Leave it out, or evaluate the model's sibling that doesn't think."
        )
    by_itself = opened or mentions_thinking(rendered.split(PROBE)[0]) or _thinks_unless_told(source, render)
    thinks = card.thinking == "on" or (card.thinking == "auto" and by_itself)
    return ChatTemplate(source, given, image_token, rendered, opened, thinks)


def _source(processor: Any, card: ModelCard) -> str:
    """The one template, the one that the card names, or the one called "default"."""
    own = processor.chat_template
    if not isinstance(own, dict):
        return str(own or card.chat_template)
    name = card.chat_template or "default"
    if name not in own:
        raise HopeBenchError(
            f"{card.checkpoint} has several chat templates ({', '.join(sorted(own))}) and none called {name!r}. Name one: "
            "chat_template in its card."
        )
    return str(own[name])


def _pinned(source: str) -> str:
    """The template with TODAY for the current time, which transformers offers templates as strftime_now(format)."""
    if not _mentions(source, "strftime_now"):
        return source
    midnight = datetime.combine(TODAY, datetime.min.time())
    values = {f"%{one}": midnight.strftime(f"%{one}") for one in _DIRECTIVES}
    values["%e"] = f"{TODAY.day:2d}"
    # Without padding, which not every platform's strftime knows.
    bare = {f"%-{one}": values[f"%{one}"].lstrip("0") or "0" for one in _NUMBERS}
    told = "format"
    for directive, value in {"%%": "%\0", **bare, **values, "%\0": "%"}.items():
        told += f" | replace({directive!r}, {value!r})"
    # An empty expression at the end: Jinja would take a newline after the macro, with which the template may begin.
    return "{% macro strftime_now(format) %}{{ " + told + " }}{% endmacro %}{{ '' }}" + source


def _mentions(source: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source) is not None


def _image_token(processor: Any, source: str, given: Mapping[str, Any], card: ModelCard) -> str | None:
    """None where the template takes a list of parts; else what a text holds in the picture's place."""
    reason = "it leaves the question out"
    try:
        rendered = _render(processor, source, given, None)
        if PROBE in rendered and "'type'" not in rendered:
            return None
    except Exception as error:  # noqa: BLE001 - a template can raise anything
        reason = short_reason(error)
    token = getattr(processor, "image_token", None) or getattr(processor.tokenizer, "image_token", None)
    if isinstance(token, str):
        try:
            rendered = _render(processor, source, given, token)
            if PROBE in rendered and token in rendered:
                return token
        except Exception as error:  # noqa: BLE001
            reason = short_reason(error)
    raise HopeBenchError(
        f"The chat template of {card.checkpoint} can't be given a picture and a question: {reason}. It may be a language "
        "model's: put the model's own chat_template.jinja beside the weights."
    )


def _render(processor: Any, source: str, variables: Mapping[str, Any], image_token: str | None) -> str:
    return str(
        processor.apply_chat_template(
            _conversation(None, PROBE, image_token), chat_template=source, add_generation_prompt=True, tokenize=False, **variables
        )
    )


def _conversation(image: Image | None, prompt: str, image_token: str | None) -> list[dict[str, Any]]:
    if image_token is not None:
        return [{"role": "user", "content": f"{image_token}\n{prompt}"}]
    picture = {"type": "image"} if image is None else {"type": "image", "image": image}
    return [{"role": "user", "content": [picture, {"type": "text", "text": prompt}]}]


def _switches(source: str, given: Mapping[str, Any], render: Callable[..., str]) -> list[str]:
    """The variables that turn thinking on and off in this template, besides those that the card sets."""
    named = [name for name in _SWITCHES if name not in given and _mentions(source, name)]
    return [name for name in named if render(**{name: True}) != render(**{name: False})]


def _thinks_unless_told(source: str, render: Callable[..., str]) -> bool:
    """Whether the prompt is that of a switch that is on."""
    names = [name for name in _SWITCHES if _mentions(source, name)]
    return any(render() == render(**{name: True}) != render(**{name: False}) for name in names)
