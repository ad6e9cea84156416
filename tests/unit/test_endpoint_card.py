"""What a card tells a server, and what is told of a served model."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from hope_bench.adapters.endpoint_asks import extra_body, parameters, thinks
from hope_bench.adapters.endpoint_card import addresses, endpoint_info, served_by, served_dtype
from hope_bench.adapters.endpoint_picture import picture_note, picture_url
from hope_bench.files.card import ModelCard, Sampling

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
     (100, (30, 150), (20, 100)), (28, (900, 3), (28, 1)), (100, (30, 40), (30, 40))],
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
