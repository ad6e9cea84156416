"""Questions in rows of tokens: processed, joined, shared, sent and counted."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor

from hope_bench.adapters.encoding import (
    Encoder,
    NotShareableError,
    Row,
    _any_of,
    aligned_inputs,
    join,
    known_inputs,
    media_tokens,
    pack,
    prefix_length,
    rows_of_image,
    unpack,
)
from hope_bench.adapters.token_count import TokenCount, count_tokens


def test_inputs_and_tokens_that_a_model_knows() -> None:
    model = SimpleNamespace(
        config=SimpleNamespace(image_token_id=7, video_token_index=8, video_token_id=None),
        forward=lambda input_ids, labels: (input_ids, labels),
        prepare_inputs_for_generation=lambda input_ids, offsets: (input_ids, offsets),
    )
    assert media_tokens(model) == {7, 8}
    assert known_inputs(model) == {"input_ids", "offsets"}
    pattern = _any_of(["a", "", "ab", "a.c"])
    assert [pattern.sub("-", text) for text in ("abc", "a.cx", "axc", "")] == ["-c", "-x", "-xc", ""]
    assert _any_of([]).sub("-", "abc") == "abc"


def test_an_images_questions_in_tokens() -> None:
    ids = {"a": [7, 7, 1, 2], "b": [7, 7, 1, 3, 4], "c": [7, 7, 1], "d": [7]}
    template = cast(Any, SimpleNamespace(inputs=lambda _, pairs: {"input_ids": torch.tensor([ids[pairs[0][1]]])}))
    picture = Image.new("RGB", (1, 1))
    for prompts, expected in (("ab", (2, 9, 3)), ("abc", (3, 12, 6)), ("aa", (2, 8, 2)), ("d", (1, 1, 1)), ("ad", (2, 5, 5))):
        assert count_tokens(None, template, picture, list(prompts)) == TokenCount(*expected)


def row(*ids: int, mask: int = 1, pixels: float = 0.0, **more: Tensor) -> Row:
    tokens = torch.tensor([ids])
    return {
        "input_ids": tokens,
        "attention_mask": torch.full_like(tokens, mask),
        "pixel_values": torch.tensor([[pixels]]),
        **more,
    }


def test_rows_are_joined_as_a_left_padded_batch() -> None:
    rows = [row(1, 2, 3), row(4, 5, pixels=2.0)]
    aligned = aligned_inputs(rows)
    assert aligned == {"input_ids", "attention_mask"}
    joined = join(rows, aligned, 9)
    assert joined is not None
    assert {name: value.tolist() for name, value in joined.items()} == {
        "input_ids": [[1, 2, 3], [9, 4, 5]], "attention_mask": [[1, 1, 1], [0, 1, 1]], "pixel_values": [[0.0], [2.0]]
    }  # fmt: skip
    places = join([row(1, place_ids=torch.ones(1, 1, 2)), row(4, 5, place_ids=torch.ones(1, 2, 2))], aligned | {"place_ids"}, 9)
    assert places is not None
    assert places["place_ids"].tolist() == [[[0, 0], [1, 1]], [[1, 1], [1, 1]]]
    assert join([row(1), row(2, sizes=torch.ones(1, 2))], aligned, 9) is not None
    assert join([row(2, sizes=torch.ones(1, 2)), row(1)], aligned, 9) is None
    assert join([row(2, sizes=torch.ones(1, 2)), row(1, sizes=torch.ones(1, 3))], aligned, 9) is None
    assert join([row(2, sizes=torch.ones(1, 2)), row(1, sizes=torch.ones(2, 2))], aligned, 9) is not None
    odd = [row(1, 2, image_mask=torch.ones(1, 3), token_ids=torch.ones(1, 2, 4), one_ids=torch.ones(2))]
    assert aligned_inputs(odd) == {"input_ids", "attention_mask", "token_ids"}


def test_the_beginning_that_all_rows_share() -> None:
    def image(*rows_: Row) -> Any:
        return rows_of_image(rows_)

    assert prefix_length([image(row(7, 1, 2, 3), row(7, 1, 2, 4))], frozenset({7})) == 3
    assert prefix_length([image(row(7, 1, 2), row(7, 1, 2))], frozenset({7})) == 2, "a token is left to each"
    assert prefix_length([image(row(7, 1), row(7, 2))], frozenset({7})) == 1
    assert prefix_length([image(row(7, 1, 2), row(7, 1, 2, 5))], frozenset({7})) == 2
    assert prefix_length([image(row(7, 1, 2, 3)), image(row(7, 1, 5, 3))], frozenset()) == 2
    assert prefix_length([image(row(7, 1, 2))], frozenset({7})) == 2, "of one question"
    for rows_ in ([row(1, 2), row(2, 2)], [row(1, 7, 2), row(1, 3, 2)], [row(7, 1, 7), row(7, 1, 2)]):
        with pytest.raises(NotShareableError, match="the image comes after the question, or no tokens are shared"):
            prefix_length([image(*rows_)], frozenset({7}))
    for other in (row(1, pixels=2.0), row(1, sizes=torch.ones(1))):
        with pytest.raises(NotShareableError, match=r"the input (pixel_values|sizes) depends on the question"):
            image(row(1), other)
    assert image(row(7, 1)).beginning(1)["input_ids"].tolist() == [[7]]
    assert list(image(row(7, 1)).media) == ["pixel_values"]
    two = image(row(7, 1, 2), row(7, 1))
    assert (two.lengths, list(two.media), two.aligned) == ([3, 2], ["pixel_values"], {"input_ids", "attention_mask"})
    assert {name: value.tolist() for name, value in two.beginning(2).items()} == {
        "input_ids": [[7, 1]], "attention_mask": [[1, 1]], "pixel_values": [[0.0]]
    }  # fmt: skip


def test_rows_travel_between_processes_as_they_are() -> None:
    shared = torch.tensor([[1.5, -2.0]]).bfloat16()
    mask = torch.tensor([[True, False, True]])
    rows: list[Row] = [{"input_ids": torch.tensor([[place]]), "pixel_values": shared, "mask": mask} for place in range(3)]
    packed = pack(rows)
    assert len(packed[1]) == 5, "each tensor once"
    again = unpack(packed)
    assert all(one["pixel_values"] is again[0]["pixel_values"] for one in again)
    for one, other in zip(rows, again, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)


class Pictures:
    """An image processor that counts its calls, and of whose answers callers take things out."""

    size = 7

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Any, **_: Any) -> dict[str, Any]:
        self.calls += 1
        return {"pixel_values": torch.full((1, 1), 0.1 * self.calls), "images": images}


class Tokenizer:
    """Ids are the places of words; "<pad>", "<s>" and "</s>" are special, "<tool>" is an added special token."""

    words = ("<pad>", "<s>", "</s>", "yes", "no", "<tool>", "<keep>")
    pad_token_id, bos_token_id, eos_token_id = 0, 1, None
    all_special_tokens, all_special_ids = ["<pad>", "<s>", "</s>"], [0, 1, 2]
    padding_side = "right"

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        return {place: SimpleNamespace(content=self.words[place], special=place == 5) for place in (5, 6)}

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [*([1] if add_special_tokens else []), *(self.words.index(word) for word in text.split())]}

    def decode(self, tokens: Tensor, skip_special_tokens: bool) -> str:
        return " ".join("" if skip_special_tokens and token < 3 else self.words[token] for token in tokens.tolist())

    def get_vocab(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}


def encoder(dtype: torch.dtype = torch.bfloat16) -> tuple[Encoder, Pictures, list[dict[str, Any]]]:
    pictures, told = Pictures(), list[dict[str, Any]]()
    processor = SimpleNamespace(tokenizer=Tokenizer(), image_processor=pictures)

    def inputs(processor_: Any, pairs: Sequence[Any], **how: Any) -> dict[str, Any]:
        told.append(how)
        made = processor_.image_processor([image for image, _ in pairs], do_resize=False)
        tokens = torch.tensor([[3] * len(prompt) for _, prompt in pairs])
        return {"input_ids": tokens, "pixel_values": made.pop("pixel_values"), "odd": 1}

    template = cast(Any, SimpleNamespace(inputs=inputs))
    return Encoder(processor, frozenset({"input_ids", "pixel_values"}), dtype, template), pictures, told


def test_a_picture_is_processed_once_in_a_row_and_its_numbers_cast_once() -> None:
    made, pictures, told = encoder()
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))
    rows = made.rows([(one, "a"), (one, "bb"), (other, "c"), (one, "d")])
    assert pictures.calls == 3
    assert [row["input_ids"].shape[1] for row in rows] == [1, 2, 1, 1]
    assert all(row.keys() == {"input_ids", "pixel_values"} for row in rows)
    assert rows[0]["pixel_values"] is rows[1]["pixel_values"]
    assert rows[0]["pixel_values"].dtype == torch.bfloat16
    assert rows[0]["input_ids"].dtype == torch.int64
    assert rows[2]["pixel_values"] is not rows[3]["pixel_values"]
    made.batch([(one, "a"), (other, "b")])
    made.batch([(one, "a")])
    made.batch([(one, "a"), (one, "b")])
    assert pictures.calls == 6, "another number of pictures"
    assert told == [{}] * 4 + [{"padding": True}] * 3
    plain, _, _ = encoder(torch.float32)
    assert plain.row(one, "a")["pixel_values"].dtype == torch.float32
    processor = made._processor
    assert (processor.image_processor.size, processor.tokenizer.padding_side) == (7, "left")
    wrapped = processor.image_processor
    Encoder(processor, frozenset(), torch.float32, made.template)
    assert processor.image_processor is wrapped
    wrapped([one], do_resize=True)
    wrapped([one], do_resize=True)
    wrapped(one, do_resize=True)
    assert pictures.calls == 8, "asked for otherwise"


def test_tokens_as_text() -> None:
    made, _, _ = encoder()
    assert made.decode(torch.tensor([1, 3, 2, 5, 6, 4, 0])) == "yes </s> <tool> <keep> no"
    assert made.decode(torch.tensor([1, 3, 2, 4]), [2, 4]) == "yes"
    assert made.without_special(" <s>yes <tool>no <keep></s>") == "yes no <keep>"
    assert (made.token_ids("yes no"), made.pad_token, made.vocabulary()["no"]) == ([3, 4], 0, 4)
