"""The small parts of adapters, each against a rule written out or an independent computation: no model is loaded."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import jinja2
import numpy as np
import openai
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from transformers import GenerationConfig

from hope_bench.adapters import endpoint, endpoint_places, server_guard
from hope_bench.adapters.base import AdapterReport, RawAnswer, draw_seed
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.chat_template import ChatTemplate, find_template
from hope_bench.adapters.checked import checked_answers
from hope_bench.adapters.decoding import Decoder, Drawing, decoding_settings, use_settings
from hope_bench.adapters.encoding import (
    Encoder,
    NotShareableError,
    Row,
    aligned_inputs,
    join,
    pack,
    prefix_length,
    rows_of_image,
    unpack,
)
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_card import find_access
from hope_bench.adapters.endpoint_failures import BadReplyError, NoAnswerError
from hope_bench.adapters.endpoint_places import Place, Places
from hope_bench.adapters.endpoint_refusals import NO_LOGPROBS, Adaptation
from hope_bench.adapters.endpoint_reply import Reply
from hope_bench.adapters.endpoint_standing import Standing
from hope_bench.adapters.in_memory import InMemory
from hope_bench.adapters.kept import Kept
from hope_bench.adapters.nesting import too_deep
from hope_bench.adapters.self_check import choose, relative_difference, threshold
from hope_bench.adapters.thinking import Said, ends_open, mentions_thinking, no_answer, separate
from hope_bench.adapters.yes_no import FirstToken, YesNoTokens, find_own_yes_no, find_yes_no, read_first_token
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, Sampling
from hope_bench.files.language import AnswerWords

# What is computed together.


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(1, 6), st.integers(1, 90))
def test_forwards_hold_as_few_parts_as_fit(tokens: list[int], questions: int, most: int) -> None:
    parts = Budget(questions, most).parts("rows", tokens)
    assert [place for part in parts for place in part] == list(range(len(tokens)))
    assert len(parts) == max(1, -(-len(tokens) // questions), min(len(tokens), -(-sum(tokens) // most)))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= questions


def test_what_ran_out_of_memory_is_cut_in_halves() -> None:
    budget = Budget(99, 9999)
    tokens = [10] * 7
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: out of memory")):
        with pytest.raises(torch.OutOfMemoryError), budget.forward("rows", 40):
            raise error
    with pytest.raises(torch.OutOfMemoryError), budget.forward("rows", 50):
        raise torch.OutOfMemoryError
    with pytest.raises(RuntimeError, match="odd"), budget.forward("plain", 1):
        raise RuntimeError("odd")
    assert budget.learnt == {"rows": 40}
    assert budget.parts("plain", tokens) == [range(7)]
    assert budget.parts("rows", tokens) == [range(3), range(3, 5), range(5, 7)], "of 30 and 40, of which the latter is cut"
    assert budget.parts("rows", tokens[:3]) == [range(3)]
    assert budget.parts("rows", tokens[:4]) == [range(2), range(2, 4)]
    assert budget.parts("rows", [99]) == [range(1)]
    assert budget.parts("rows", tokens[:4], lambda part: 9 * len(part)) == [range(4)]
    assert budget.parts("rows", [1] * 4, lambda part: 20 * len(part)) == [range(1), range(1, 2), range(2, 3), range(3, 4)]


# The self-check.


@pytest.mark.parametrize(
    ("lengths", "places"),
    [
        ([5], [0]),
        ([2, 1], [0, 1]),
        ([9, 1, 5, 3, 7], [0, 1, 3, 4]),
        ([6, 1, 2, 3, 4, 5, 0], [0, 2, 4, 6]),
        ([3, 3, 3], [0, 1, 2]),
    ],
)
def test_the_shortest_the_longest_and_two_between_are_compared(lengths: list[int], places: list[int]) -> None:
    assert choose(lengths) == places


def test_a_difference_is_measured_by_the_spread_between_questions() -> None:
    expected = torch.tensor([[1.0, 5.0, -torch.inf], [3.0, 1.0, -torch.inf]])  # spread: (1, 2, -) around the mean
    found = expected + torch.tensor([[0.3, 0.0, 0.0], [0.0, -0.4, 0.0]])
    rms = (0.25 / 6) ** 0.5 / ((1 + 4 + 1 + 4) / 6) ** 0.5
    assert relative_difference(found, expected) == pytest.approx(rms, rel=1e-6)
    assert relative_difference(expected, expected) == 0
    assert relative_difference(found.nan_to_num(0.0, neginf=0.0), expected) == float("inf")
    assert relative_difference(torch.full((2, 3), torch.nan), expected) == float("inf")
    assert relative_difference(torch.ones(2, 3), torch.ones(2, 3)) == float("inf"), "no spread, no measure"
    assert [threshold(one) for one in (torch.float32, torch.bfloat16, torch.float16)] == [1e-3, 0.25, 0.25]


# Drawing.


def hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def in_memory(**settings: Any) -> InMemory:
    return InMemory(ModelCard(name="m", checkpoint="c").model_copy(update=settings), torch.device("cpu"), lambda _: None)


def test_each_answer_is_drawn_from_a_seed_of_its_own() -> None:
    assert draw_seed(3, "a.png", "q", 1) == int(hashed([3, "a.png", "q", 1])[:8], 16) % 2**31
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))
    one.info["file_name"] = "a.png"
    batch = [(one, "q"), (other, "r")]
    model = in_memory(sampling=Sampling(), seed=3)
    assert model._seeds(batch, [1, 2]) == [draw_seed(3, "a.png", "q", 1), draw_seed(3, "None", "r", 2)]
    assert model._seeds(batch, []) == [draw_seed(3, "a.png", "q", 0), draw_seed(3, "None", "r", 0)]
    assert in_memory()._seeds(batch, [1, 2]) is None


@pytest.mark.parametrize("sampling", [{}, {"top_k": 2}, {"min_p": 0.2}, {"top_p": 0.5}, {"temperature": 0.5}])
def test_a_token_is_where_its_rows_number_falls(sampling: dict[str, float]) -> None:
    scores = torch.tensor([[1.0, 2.0, 0.0, -1.0], [0.0, 0.0, 3.0, 1.0]])
    draws = Drawing(sampling, [5, 6], 3)
    numbers = np.stack([np.random.default_rng(seed).random(3) for seed in (5, 6)])
    for step in range(3):
        found = draws(torch.zeros(2, 1, dtype=torch.long), scores)
        for row in range(2):
            weights = np.exp(scores[row].numpy().astype(float) / sampling.get("temperature", 1.0))
            ranked = np.argsort(-weights, kind="stable")
            shares = weights / weights.sum()
            keep = np.ones(4, dtype=bool)
            if "top_k" in sampling:
                keep[ranked[2:]] = False
            if "min_p" in sampling:
                keep = shares >= 0.2 * shares.max()
            if "top_p" in sampling:
                keep[ranked[1:][np.cumsum(shares[ranked])[:-1] >= 0.5]] = False
            chances = np.cumsum(np.where(keep, weights, 0.0))
            drawn = int(np.searchsorted(chances, numbers[row, step] * chances[-1], side="right"))
            assert found[row].tolist() == [0.0 if place == drawn else -torch.inf for place in range(4)]


# Decoding.


def first(token: int, is_answer: bool = False, p_yes: float = 0.25, mass: float = 0.5, finite: bool = True) -> FirstToken:
    return FirstToken(
        torch.tensor([0, token]), torch.tensor([True, is_answer]), torch.tensor([0.0, p_yes]), torch.tensor([0.0, mass]),
        torch.tensor([True, finite]),
    )  # fmt: skip


class Words:
    """An encoder of five tokens, whose last one ends an answer."""

    names = ("yes", "no", "<think>", "</think>", "<end>")

    def __init__(self, thinks: bool = False, opened: bool = False) -> None:
        self.template = SimpleNamespace(thinks=thinks, opened=opened)

    def decode(self, tokens: Tensor, ends: Sequence[int] = ()) -> str:
        return " ".join(self.names[token] for token in tokens.tolist() if token not in ends)

    def without_special(self, text: str) -> str:
        return text.replace("<end>", "").strip()


def decoder(complete: bool = False, **template: bool) -> Decoder:
    model = SimpleNamespace(dtype=torch.bfloat16, device=torch.device("cpu"))
    return Decoder(
        model, cast(Any, Words(**template)), cast(Any, None), SimpleNamespace(eos_token_id=[4], max_new_tokens=3), complete
    )


@pytest.mark.parametrize(
    ("complete", "template", "position", "tokens", "answer"),
    [
        (False, {}, first(1, True), None, RawAnswer("no", 0.25, 0.5, complete=False)),
        (True, {}, first(1, True), [1, 4, 0], RawAnswer("no", 0.25, 0.5)),
        (False, {}, first(1), [1, 0, 1], RawAnswer("no yes no", 0.25, 0.5)),
        (False, {}, first(1, p_yes=float("nan"), mass=float("nan")), [1, 4, 4], RawAnswer("no")),
        (False, {"thinks": True}, first(1, True), [2, 0, 3, 1, 4], RawAnswer("no")),
        (False, {"thinks": True, "opened": True}, first(1, True), [0, 3, 1, 4], RawAnswer("no")),
        (False, {}, first(2), [2, 0, 3, 1, 4], RawAnswer("no")),
        (False, {}, first(1, finite=False), [1, 1, 1],
         RawAnswer(error="the model's logits are not finite in bfloat16; another --dtype (float32, bfloat16) may help")),
    ],
)  # fmt: skip
def test_an_answer_is_read_from_its_first_position_and_its_tokens(
    complete: bool, template: dict[str, bool], position: FirstToken, tokens: list[int] | None, answer: RawAnswer
) -> None:
    one = decoder(complete, **template)
    assert one.read(position, 1, None if tokens is None else torch.tensor(tokens)) == answer
    goes_on = bool(position.finite[1]) and tokens is not None
    assert one.goes_on(position).tolist() == [complete or bool(template.get("thinks")), goes_on]


@pytest.mark.parametrize(("tokens", "words"), [([2, 0, 4], "without"), ([2, 0, 1], "all 3 new tokens")])
def test_a_thought_without_an_answer_is_an_error(tokens: list[int], words: str) -> None:
    answer = decoder(thinks=True).read(first(2), 1, torch.tensor(tokens))
    assert (answer.text, answer.p_yes) == (None, None)
    assert words in (answer.error or "")


def settings_of(own: Any = None, text: Any = None, tokens: Any = (None, None)) -> GenerationConfig:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(eos_token_id=text))
    model = SimpleNamespace(generation_config=own, config=config)
    made: GenerationConfig = decoding_settings(model, SimpleNamespace(eos_token_id=tokens[0], pad_token_id=tokens[1]), 7)
    return made


@pytest.mark.parametrize(
    ("own", "text", "tokens", "eos", "pad"),
    [
        ({}, None, (None, None), None, 0),
        ({"eos_token_id": [3, 4]}, 5, (6, None), [3, 4], 3),
        ({"eos_token_id": 3, "pad_token_id": 9}, 5, (6, 8), [3], 9),
        ({}, 5, (6, 8), [5], 8),
        ({}, None, (6, None), [6], 6),
        ({}, 0, (6, None), [0], 0),
    ],
)
def test_special_tokens_are_the_checkpoints_own(own: dict[str, Any], text: Any, tokens: Any, eos: Any, pad: int) -> None:
    for config in (GenerationConfig(**own, do_sample=True, temperature=0.3, bos_token_id=2), *([] if own else [None])):
        made = settings_of(config, text, tokens)
        assert (made.eos_token_id, made.pad_token_id, made.max_new_tokens) == (eos, pad, 7)
        assert (made.use_cache, made.do_sample, made.bos_token_id) == (True, False, 2 if config else None)


@pytest.mark.parametrize(
    ("own", "name", "shown"), [({"eos_token_id": ["x"]}, "eos", "'x'"), ({"pad_token_id": True}, "pad", "True")]
)
def test_a_special_token_that_is_none_is_refused(own: dict[str, Any], name: str, shown: str) -> None:
    with pytest.raises(HopeBenchError, match=f"The checkpoint's {name}_token_id is {shown}, not a token's number"):
        settings_of(SimpleNamespace(**{"eos_token_id": 1, "pad_token_id": 1, **own}))


def test_a_checkpoints_own_settings_are_put_aside_in_every_part() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
    model.generation_config = GenerationConfig(do_sample=True)  # type: ignore[assignment]
    model[0].generation_config = GenerationConfig(temperature=0.5)  # type: ignore[assignment]
    use_settings(model, GenerationConfig(max_new_tokens=7))
    assert [getattr(part, "generation_config", None) is not None for part in model.modules()] == [True, True, False]
    assert all(part.generation_config.max_new_tokens == 7 for part in (model, model[0]))
    assert not cast(Any, model.generation_config).do_sample


# Yes and no.


def test_p_yes_of_logits_is_a_softmax_over_yes_and_no() -> None:
    tokens = YesNoTokens(*(torch.tensor(ids).long() for ids in ([0, 1], [2, 9], [3], [2])))
    rows = torch.tensor(
        [
            [1.0, 2.0, 0.0, -9.0, 0.5],
            [0.0, 0.0, 4.0, -9.0, 1.0],
            [0.0, 0.0, 0.0, 0.0, 5.0],
            [-torch.inf, 1.0, 0.0, -torch.inf, 0.0],
        ]
    )
    found = read_first_token(rows, tokens)
    weights = rows.double().exp()
    yes, no = weights[:, :2].sum(1), weights[:, 2]
    assert torch.allclose(found.mass.double(), (yes + no) / weights.sum(1), atol=1e-6)
    expected = yes / (yes + no)
    assert torch.allclose(found.p_yes[[0, 1, 3]].double(), expected[[0, 1, 3]], atol=1e-6)
    assert bool(found.p_yes[2].isnan()), "the foreign word weighs"
    assert (found.token.tolist(), found.is_answer.tolist()) == ([1, 2, 4, 1], [True, False, False, True])
    assert found.finite.tolist() == [True] * 4
    assert (found.scores(2)[0], found.scores(0)[0]) == (None, pytest.approx(float(expected[0]), abs=1e-6))
    bad = torch.tensor([[0.0, torch.nan, 0, 0, 0], [torch.inf, 0, 0, 0, 0], [-torch.inf] * 5])
    assert read_first_token(bad, tokens).finite.tolist() == [False] * 3
    for yes_ids, no_ids in (([], [1]), ([1], [])):
        none = YesNoTokens(*(torch.tensor(ids).long() for ids in (yes_ids, no_ids, [], [])))
        assert read_first_token(rows, none).scores(0) == (None, None)
    share = [0.0099, 0.0101]
    for place, weight in enumerate(share):
        row = torch.tensor([[0.0, -torch.inf, 0.0, float(np.log(2 * weight)), 0.0]])
        assert bool(read_first_token(row, tokens).p_yes.isnan().all()) == bool(place)


def test_tokens_that_say_yes_or_no() -> None:
    vocabulary: dict[str | bytes, int] = {
        "Yes": 7, "▁yes": 3, "ĠNO": 5, b" no": 1, "yesterday": 2, "ja": 4, "Nein": 6, "Ne": 8, "in": 9, "J": 10, "▁": 11,
    }  # fmt: skip
    found = find_yes_no(vocabulary)
    assert [ids.tolist() for ids in (found.yes, found.no, found.foreign, found.unfinished)] == [[3, 7], [1, 5], [4, 6, 8], []]
    german = AnswerWords(code="de", yes=("ja",), no=("nein",))

    def encode(text: str) -> list[int]:
        return {"ja": [4], " ja": [11, 4], "Nein": [8, 9]}.get(text, [])

    own = find_own_yes_no(vocabulary, german, encode)
    assert [ids.tolist() for ids in (own.yes, own.no, own.foreign, own.unfinished)] == [[3, 4, 7], [1, 5, 6, 8], [], [8]]
    both = find_own_yes_no(vocabulary, german, lambda _: [10])
    assert [ids.tolist() for ids in (both.yes, both.no, both.foreign)] == [[3, 7], [1, 5], [4, 6, 8]], "one piece begins both"
    assert [ids.tolist() for ids in (found.within(5).yes, found.within(5).no)] == [[3], [1]]


# Rows.


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
    assert prefix_length([image(row(7, 1, 2), row(7, 1, 2, 5))], frozenset({7})) == 2
    assert prefix_length([image(row(7, 1, 2, 3)), image(row(7, 1, 5, 3))], frozenset()) == 2
    for rows_ in ([row(1, 2), row(2, 2)], [row(1, 7, 2), row(1, 3, 2)], [row(7, 1, 7), row(7, 1, 2)]):
        with pytest.raises(NotShareableError, match="the image comes after the question, or no tokens are shared"):
            prefix_length([image(*rows_)], frozenset({7}))
    for other in (row(1, pixels=2.0), row(1, sizes=torch.ones(1))):
        with pytest.raises(NotShareableError, match=r"the input (pixel_values|sizes) depends on the question"):
            image(row(1), other)
    two = image(row(7, 1, 2), row(7, 1))
    assert (two.lengths, list(two.media), two.aligned) == ([3, 2], ["pixel_values"], {"input_ids", "attention_mask"})
    assert {name: value.tolist() for name, value in two.beginning(2).items()} == {
        "input_ids": [[7, 1]], "attention_mask": [[1, 1]], "pixel_values": [[0.0]]
    }  # fmt: skip


def test_rows_travel_between_processes_as_they_are() -> None:
    shared = torch.tensor([[1.5, -2.0]]).bfloat16()
    rows: list[Row] = [{"input_ids": torch.tensor([[place]]), "pixel_values": shared} for place in range(3)]
    packed = pack(rows)
    assert len(packed[1]) == 4, "each tensor once"
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


# Chat templates.

PARTS = "{% for m in messages %}{% for c in m.content %}{{ '<img>' if c.type == 'image' else c.text }}{% endfor %}{% endfor %}"
TEXT = "{% for m in messages %}Q: {{ m.content + '' }}{% endfor %}"
SWITCH = "{% if enable_thinking %}<think>{% endif %}"
UNLESS = "{% if thinking is defined and not thinking %}<think></think>{% endif %}"


class Templates:
    """A processor that renders a template and nothing else."""

    def __init__(self, chat_template: Any, image_token: str | None = None) -> None:
        self.chat_template = chat_template
        self.tokenizer = SimpleNamespace(image_token=image_token)

    def apply_chat_template(self, conversation: Any, chat_template: str, tokenize: bool, **variables: Any) -> Any:
        if tokenize:
            return {"conversation": conversation, "template": chat_template, **variables}
        return jinja2.Environment().from_string(chat_template).render(messages=conversation, **variables)


def asking(source: Any, image_token: str | None = None, **settings: Any) -> ChatTemplate:
    card = ModelCard(name="m", checkpoint="o/c").model_copy(update=settings)
    return find_template(Templates(source, image_token), card)


@pytest.mark.parametrize(
    ("source", "settings", "more", "variables", "thinks"),
    [
        (PARTS, {}, "", {}, False),
        (PARTS + SWITCH, {}, "", {}, False),
        (PARTS + SWITCH, {"thinking": "on"}, "<think>", {"enable_thinking": True}, True),
        (PARTS + SWITCH, {"thinking": "off"}, "", {"enable_thinking": False}, False),
        (PARTS + SWITCH, {"template_kwargs": {"enable_thinking": True}}, "<think>", {"enable_thinking": True}, True),
        (PARTS + UNLESS, {}, "", {}, True),
        (PARTS + UNLESS, {"thinking": "on"}, "", {"thinking": True}, True),
        (PARTS + UNLESS, {"thinking": "off"}, "<think></think>", {"thinking": False}, False),
        (PARTS + "<think>", {}, "<think>", {}, True),
        (PARTS, {"thinking": "on"}, "", {}, True),
        (PARTS + "{{ 'x' if y else '' }}", {"template_kwargs": {"y": 1}}, "x", {"y": 1}, False),
    ],
)
def test_what_a_template_makes_of_a_question(
    source: str, settings: dict[str, Any], more: str, variables: dict[str, Any], thinks: bool
) -> None:
    found = asking(source, **settings)
    rendered = f"<img>Is there a dog in the image?{more}"
    assert found == ChatTemplate(source, variables, None, rendered, more == "<think>", thinks)
    assert found.sha256 == hashlib.sha256(rendered.encode()).hexdigest()


def test_magistrals_system_prompt_tells_that_it_thinks() -> None:
    assert asking("First [THINK] about it. " + PARTS).thinks
    assert not asking("First [THINK] about it. " + PARTS, thinking="off").thinks
    assert not asking(PARTS + " (no [THINK] of it)").thinks


def test_a_template_may_take_a_text_and_a_mark_in_the_pictures_place() -> None:
    found = asking(TEXT, "<image>")
    assert (found.image_token, found.rendered) == ("<image>", "Q: <image>\nIs there a dog in the image?")
    picture = Image.new("RGB", (1, 1))
    for token, source, images in (("<image>", TEXT, {"images": [[picture]]}), (None, PARTS, {})):
        made = asking(source, token)
        asked = made.inputs(Templates(source), [(picture, "q")], padding=True)
        parts = [{"type": "image", "image": picture}, {"type": "text", "text": "q"}]
        content = parts if token is None else "<image>\nq"
        assert asked == {
            "conversation": [[{"role": "user", "content": content}]], "template": source, "add_generation_prompt": True,
            "return_dict": True, "return_tensors": "pt", "processor_kwargs": {"padding": True, **images},
        }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "token", "settings", "words"),
    [
        ("x", None, {}, "can't be given a picture and a question: it leaves the question out."),
        ("{{ messages[0].content }}", None, {}, "can't be given a picture and a question: it leaves the question out."),
        (TEXT, None, {}, "can't be given a picture and a question: TypeError: "),
        ("{{ messages[0].content.split('<')[0] }}", "<image>", {}, "can't be given a picture and a question: UndefinedError"),
        (PARTS, None, {"template_kwargs": {"a": 1, "b": 2}}, "The card m gives its chat template a, b (template_kwargs), but"),
        (PARTS + "{{ 1 // a if a is defined else '' }}", None, {"template_kwargs": {"a": 0}}, "can't be given a picture"),
        (PARTS + "{{ 1 // 0 if enable_thinking else '' }}", None, {}, "can't take enable_thinking = True: ZeroDivisionError"),
        (PARTS + "<think>", None, {"thinking": "off"}, "makes the model think whatever it is told, so thinking can't be off."),
        ({"b": PARTS, "a": "x"}, None, {}, "o/c has several chat templates (a, b) and none called 'default'."),
        ({"b": PARTS}, None, {"chat_template": "a"}, "o/c has several chat templates (b) and none called 'a'."),
    ],
)
def test_a_template_that_can_not_ask(source: Any, token: str | None, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        asking(source, token, **settings)
    assert words in str(refused.value)


def test_a_template_makes_no_book_of_a_question_and_no_tower_of_expressions() -> None:
    whole = "<img>Is there a dog in the image?"
    assert len(asking(PARTS + "x" * (20_000 - len(whole))).rendered) == 20_000
    with pytest.raises(HopeBenchError, match=r"makes 20,001 characters of a question of 28, more than 20,000\."):
        asking(PARTS + "x" * (20_001 - len(whole)))
    assert not too_deep("{{ " + "not " * 99 + "x }}")
    assert too_deep("{{ " + "not " * 100 + "x }}")
    assert not too_deep("{% if x %}{{ y }}{% endif %}" * 101)
    assert not too_deep("{% if")
    with pytest.raises(HopeBenchError, match="more than 100 of its expressions stand within each other"):
        asking(PARTS + "{{ " + "not " * 100 + "x }}")


def test_which_of_several_templates() -> None:
    assert asking({"default": PARTS, "a": "x"}).source == PARTS
    assert asking({"a": PARTS, "default": "x"}, chat_template="a").source == PARTS
    assert asking(PARTS, chat_template="x").source == PARTS
    assert asking(None, chat_template=PARTS).source == PARTS


@pytest.mark.parametrize(
    "how", ["%Y-%m-%d", "%d %b %Y", "%-d/%-m", "%e", "%A, %B", "100%% of %y", "%%Y", "%H:%M:%S", "%-H", "%j %-j"]
)
def test_a_template_is_told_one_day(how: str) -> None:
    day = datetime(2025, 1, 1)
    found = asking("{{ strftime_now('" + how + "') }}" + PARTS).rendered
    assert found == f"{day.strftime(how)}<img>Is there a dog in the image?"


# What others answer.


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes", RawAnswer("Yes")),
        ("", RawAnswer("")),
        (RawAnswer("No", 0, np.float32(1)), RawAnswer("No", 0.0, 1.0)),
        (RawAnswer("No", True, None), RawAnswer("No", 1.0)),
        (RawAnswer(error="broke"), RawAnswer(error="broke")),
        (RawAnswer("<think>hm</think>No", 0.5, 0.5, False), RawAnswer("No", None, None, False)),
        ("<think>hm", RawAnswer(error="the text ends within the model's thought, without an answer")),
        (None, "gave nothing (None) as an answer, not a text or a RawAnswer."),
        (7, "gave a int as an answer, not a text or a RawAnswer."),
        (RawAnswer(), "gave a RawAnswer with neither text nor error."),
        (RawAnswer(cast(str, 7)), "gave text = 7, which is not a text or None."),
        (RawAnswer("x", error=cast(str, 7)), "gave error = 7, which is not a text or None."),
        (RawAnswer("x", complete=cast(bool, 1)), "gave complete = 1, which is not True or False."),
        (RawAnswer("x", cast(float, "1")), "gave p_yes = '1', which is not a number but a str."),
        (RawAnswer("x", 1.01), "gave p_yes = 1.01, which is not in [0, 1]."),
        (RawAnswer("x", 1.0, -0.01), "gave mass = -0.01, which is not in [0, 1]."),
        (RawAnswer("x", float("nan")), "gave p_yes = nan, which is not in [0, 1]."),
    ],
)
def test_what_an_object_answers(said: Any, expected: RawAnswer | str) -> None:
    asked = SimpleNamespace(answer=lambda _: (said,))
    batch = [(Image.new("RGB", (1, 1)), "q")]
    if isinstance(expected, RawAnswer):
        (found,) = checked_answers(asked, batch, "Mine")
        assert found == expected
        assert all(one is None or type(one) is float for one in (found.p_yes, found.mass))
        return
    with pytest.raises(HopeBenchError) as refused:
        checked_answers(asked, batch, "Mine")
    assert str(refused.value) == f"Mine.answer() {expected}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Yes", "gave a str, not a list of answers."),
        (None, "gave nothing (None), not a list of answers."),
        ([], "gave 0 answers to 1 question, so which belongs to which is unknown."),
        (["a", "b"], "gave 2 answers to 1 question, so which belongs to which is unknown."),
    ],
)
def test_answers_that_are_no_list_of_one_each(said: Any, words: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        checked_answers(SimpleNamespace(answer=lambda _: said), [(Image.new("RGB", (1, 1)), "q")], "Mine")
    assert str(refused.value) == f"Mine.answer() {words}"


def test_a_kept_model_reports_what_each_run_used() -> None:
    model = SimpleNamespace(report=AdapterReport(), loads=0, info="i", odd="o")
    model.load = lambda: setattr(model, "loads", model.loads + 1)
    model.answer = lambda *given: given
    kept = Kept(cast(Any, model))
    kept.load()
    kept.load()
    assert (model.loads, kept.info, kept.odd) == (1, "i", "o")
    assert kept.report == AdapterReport()
    model.report = AdapterReport("shared", input_tokens=10, output_tokens=3, cost=0.5)
    assert kept.report == model.report
    kept.new_run()
    model.report = AdapterReport("plain", input_tokens=17, output_tokens=3, cost=0.7)
    assert kept.report == AdapterReport("plain", input_tokens=7, output_tokens=0, cost=0.2)
    batch: Any = ["batch"]
    assert (kept.answer(batch), kept.answer(batch, [1])) == ((batch,), (batch, [1]))  # type: ignore[comparison-overlap]


# Where memory runs out.


class Halving:
    """Paths that hold two questions at most, of which the second picture's alone are too much."""

    def __init__(self, learns: Callable[[], None] = lambda: None) -> None:
        self.sizes: list[int] = []
        self._learns = learns

    def answer(self, batch: Sequence[Any], seeds: Sequence[int] | None) -> list[RawAnswer]:
        self.sizes.append(len(batch))
        if len(batch) > 2 or any(text == "large" for _, text in batch):
            self._learns()
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [RawAnswer(f"{text} {seeds[place] if seeds else ''}".strip()) for place, (_, text) in enumerate(batch)]


def test_a_batch_is_halved_between_two_images() -> None:
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (2, 2))
    batch = [(one, "a"), (one, "b"), (other, "c"), (other, "large"), (other, "d"), (other, "e"), (other, "f")]
    paths, model = Halving(), in_memory()
    found = model._answer(cast(Any, paths), batch, list(range(7)))
    large = "one question alone needs more memory than there is (OutOfMemoryError: CUDA out of memory)"
    assert [one.text or one.error for one in found] == ["a 0", "b 1", "c 2", large, "d 4", "e 5", "f 6"]
    assert paths.sizes == [7, 2, 5, 3, 2, 1, 1, 1, 2]
    assert [one.text for one in model._answer(cast(Any, Halving()), [(one, text) for text in "abcd"], None)] == list("abcd")


def test_what_was_learnt_about_memory_is_said_once_and_tried() -> None:
    said: list[str] = []
    model = InMemory(ModelCard(name="m", checkpoint="c"), torch.device("cpu"), said.append)
    tokens = iter([4000, 2000])

    def learn() -> None:
        if (size := next(tokens, None)) is not None:
            model._budget._too_many["rows"] = size

    paths = Halving(learn)
    image = Image.new("RGB", (1, 1))
    assert [one.text for one in model._answer(cast(Any, paths), [(image, text) for text in "abc"], None)] == list("abc")
    assert paths.sizes == [3, 3, 3, 2, 1]
    assert said == ["4,000 tokens at once don't fit in memory; going on with fewer (see --batch-tokens)."]


# An endpoint's standing, places and order.


def test_whose_fault_failures_are() -> None:
    standing, down, bad = Standing(), BadReplyError("x"), NoAnswerError("x")
    for count in (1, 2):
        standing.failed("a", down)
        assert (standing.in_a_row, standing.is_bad("a"), standing.proven) == (count, False, False)
    standing.blame_pictures()
    assert (standing.in_a_row, standing.is_bad("a")) == (0, True)
    standing.failed("a", down)
    assert standing.in_a_row == 0, "its fault is known"
    standing.answered("a")
    assert not standing.is_bad("a")
    standing.answered("b")
    standing.failed("a", down)
    standing.failed("c", down)
    assert (standing.in_a_row, standing.proven) == (2, False)
    standing.failed("b", down)
    assert (standing.in_a_row, standing.proven) == (3, True), "two that were answered before"
    standing.failed("d", bad)
    assert (standing.in_a_row, standing.proven) == (0, False), "a question that was refused by itself"
    standing.failed("a", down)
    standing.answered("b")
    assert (standing.in_a_row, standing.proven) == (0, False)


SERVERS = ModelCard(
    name="E", checkpoint="gpt", adapter="endpoint", base_urls=("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"),
    price_input=2.0, price_output=10.0, sampling=Sampling(), thinking="on", seed=5,
)  # fmt: skip


KEYLESS = "Set the environment variable OPENAI_API_KEY to the endpoint's key"


@pytest.mark.parametrize(
    ("key", "headers", "sent", "bearer", "secrets"),
    [
        ("kkk", {}, {}, "kkk", ("kkk",)),
        (None, {}, {}, "none", ()),
        ("kkk", {"x": "OTHER"}, {"x": "ooo"}, "kkk", ("kkk", "ooo")),
        ("kkk", {"api-key": "OPENAI_API_KEY"}, {"Authorization": None, "api-key": "kkk"}, "kkk", ("kkk",)),
        (None, {"x": "OTHER"}, {"Authorization": None, "x": "ooo"}, "none", ("ooo",)),
    ],
)
def test_a_key_is_sent_once(
    key: str | None, headers: dict[str, str], sent: dict[str, Any], bearer: str, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "ooo")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    places = Places(
        SERVERS.model_copy(update={"extra_headers": headers, "timeout": 7.0, "extra_query": {"v": "1"}}), lambda _: None
    )
    for place in places.alive:
        assert {name: None if isinstance(value, openai.Omit) else value for name, value in place.headers.items()} == sent
        assert (place.client.api_key, place.client.timeout, place.client.max_retries) == (bearer, 7.0, 0)
        assert place.client.default_query == {"v": "1"}
    assert [(place.number, place.url) for place in places.alive] == list(enumerate(SERVERS.base_urls))
    assert places.secrets == secrets
    places.close()


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"base_urls": ()}, 'The card E has adapter = "endpoint" and no base_url (such as http://host:8000/v1).'),
        ({"base_urls": ("https://h/v1",)}, f"{KEYLESS} (cards never hold keys)."),
        ({"base_urls": ("http://localhost:1", "https://h/v1")}, KEYLESS),
        ({"extra_headers": {"x": "NOWHERE"}}, "Set the environment variable NOWHERE to the value of the header x (card E)."),
        *(({"base_urls": (url,)}, "The base_url of the card E must be http(s)://HOST/... without a user name, a password")
          for url in ("ftp://h", "http://", "http://a@h", "http://:b@h", "http://h?c=d", "http://h#f",
           "http://h:0", "http://h:99999", "http://[", "h/v1")),
        ({"image_url_base": "h"}, "The image_url_base of the card E must be http(s)://HOST/..."),
        ({"base_urls": ("http://[::1]:1", "https://localhost")}, None),
        ({"base_urls": ("https://h/v1",), "extra_headers": {"x": "OTHER"}}, None),
    ],
)  # fmt: skip
def test_where_servers_are_and_what_opens_them(card: dict[str, Any], words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "ooo")
    for name in ("OPENAI_API_KEY", "NOWHERE"):
        monkeypatch.delenv(name, raising=False)
    one = SERVERS.model_copy(update=card)
    if words is None:
        assert find_access(one).urls == one.base_urls
        return
    with pytest.raises(HopeBenchError) as refused:
        find_access(one)
    assert str(refused.value).startswith(words)


def test_no_more_than_the_beginning_of_a_refusal_is_read() -> None:
    class Body(httpx.SyncByteStream):
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            for _ in range(9):
                read.append(4)
                yield b"abcd"

        def close(self) -> None:
            self.closed = True

    for most, whole, parts in (
        (10, b"abcdabcdab", 3),
        (9, b"abcdabcda", 3),
        (8, b"abcdabcd", 2),
        (1, b"a", 1),
        (99, b"abcd" * 9, 9),
    ):
        read: list[int] = []
        body = Body()
        cut = endpoint_places._beginning(body, most)
        assert (b"".join(cut), len(read)) == (whole, parts)
        cut.close()
        assert body.closed
    for error, packed, size in ((True, None, 2**18), (True, "identity", 2**18), (True, "gzip", 2**14), (False, None, None)):
        response = SimpleNamespace(is_error=error, headers={"content-encoding": packed} if packed else {}, stream=Body())
        stream = response.stream
        endpoint_places._cut_refusal(response)
        if size is None:
            assert response.stream is stream
        else:
            stream.__class__.__iter__ = lambda _: iter([b"x" * 2**19])  # type: ignore[method-assign]
            assert len(b"".join(response.stream)) == size


def test_whose_turn_a_picture_is() -> None:
    places = Places(SERVERS, lambda _: None)

    def turn(picture: str, of: Sequence[int]) -> int:
        return max(of, key=lambda number: hashlib.sha256(f"{number}\n{picture}".encode()).digest())

    pictures = [f"{place}.png" for place in range(30)]
    assert [places.of(picture).number for picture in pictures] == [turn(picture, range(3)) for picture in pictures]
    places.drop(places.alive[1])
    assert [places.of(picture).number for picture in pictures] == [turn(picture, (0, 2)) for picture in pictures]
    places.close()


def test_a_server_is_given_up_after_three_failures_if_it_lives_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    alive = {0: True, 1: False, 2: False}
    greeted: list[int] = []

    def greet(place: Place) -> None:
        greeted.append(place.number)
        if not alive[place.number]:
            raise openai.APIConnectionError(request=cast(Any, None))

    monkeypatch.setattr(Place, "greet", greet)
    places = Places(SERVERS, said.append)
    gone, about_it = openai.APIConnectionError(request=cast(Any, None)), NoAnswerError("x")
    first_, second, third = places.alive
    assert [places.lost(first_, error) for error in (gone, about_it, gone, gone, gone)] == [False] * 5
    assert (greeted, first_.failed) == ([0], 1), "it lives, and is counted anew"
    assert [places.lost(second, gone) for _ in range(4)] == [False, False, True, True]
    assert [place.number for place in places.alive] == [0, 2]
    places.lost(third, gone)
    places.answered(third)
    assert [places.lost(third, gone) for _ in range(3)] == [False, False, True]
    alive[0] = False
    assert [places.lost(first_, gone) for _ in range(5)] == [False] * 5, "the last one stays"
    assert greeted == [0, 1, 2]
    assert said == [f"http://127.0.0.1:{port} doesn't answer any more; its pictures go to the other servers." for port in (2, 3)]
    assert endpoint_places._lives(Place(0, "", cast(Any, None), {})) is False


def test_one_question_of_every_image_goes_first() -> None:
    assert endpoint._first_ones_first([7, 7, 8, 7, 9, 8]) == [0, 2, 4, 1, 3, 5]
    assert endpoint._first_ones_first([]) == []
    begun: list[int] = []

    def work(place: int) -> RawAnswer:
        begun.append(place)
        return RawAnswer(str(place))

    order = [2, 0, 1]
    assert endpoint._side_by_side(work, order, 1) == {place: RawAnswer(str(place)) for place in order}
    assert begun == order
    barrier = threading.Barrier(3)

    def meet(place: int) -> RawAnswer:
        barrier.wait(30)
        return RawAnswer(str(place))

    assert len(endpoint._side_by_side(meet, order, 3)) == 3
    assert endpoint._side_by_side(work, [], 3) == {}

    def fail(_: int) -> RawAnswer:
        raise HopeBenchError("gone")

    with pytest.raises(HopeBenchError, match="gone"):
        endpoint._side_by_side(fail, order, 2)


def test_what_helped_is_kept_and_said_once() -> None:
    said: list[str] = []
    model = Endpoint(SERVERS, said.append)
    cold = Adaptation("temperature", {"temperature": None}, "No temperature.")
    renamed = Adaptation("max_tokens", {"max_tokens": None}, "Renamed.")
    model._keep({"temperature": cold, "max_tokens": renamed})
    model._keep({"temperature": cold, "max_tokens": renamed})
    assert said == ["No temperature."]
    assert model._kept == {"temperature": cold, "max_tokens": renamed}
    assert model.report == AdapterReport(input_tokens=0, output_tokens=0, cost=0.0, notes=("No temperature.", "Renamed."))
    seed = Adaptation("seed", {"seed": None}, "No seed.")
    model._keep({"temperature": cold, "max_tokens": renamed, "seed": seed})
    assert said[1:] == ["For some questions alone: No seed."]
    assert "seed" not in model._kept
    model._count(1_000_000, 100_001)
    model._count(1, 0)
    assert (model.report.input_tokens, model.report.output_tokens, model.report.cost) == (1_000_001, 100_001, 3.000012)
    model.give_up("why")
    model.give_up("another why")
    assert model.answer([(Image.new("RGB", (1, 1)), "q")] * 2) == [RawAnswer(error="not asked: why")] * 2
    model.close()


@pytest.mark.parametrize(
    ("reply", "asked", "answer", "notes"),
    [
        (Reply(" Yes ", False, False, "done", (("Yes", 0.0),)), True, RawAnswer("Yes", 1.0, 1.0), ()),
        (Reply("Yes", False, False, "done", (("Yes", 0.0),)), False, RawAnswer("Yes"), ()),
        (Reply("Yes", False, True, "done", (("Yes", 0.0),)), True, RawAnswer("Yes"), ()),
        (Reply("<think>hm</think>Yes", False, False, "done", (("Yes", 0.0),)), True, RawAnswer("Yes"), ()),
        (Reply("Yes", False, False, "done", None), True, RawAnswer("Yes"), (NO_LOGPROBS,)),
        (Reply(" ", False, False, "done", None), True, RawAnswer(""), ()),
        (Reply("Yes", False, False, "done", ()), True, RawAnswer("Yes", None, 0.0), ()),
    ],
)
def test_what_a_reply_answers(reply: Reply, asked: bool, answer: RawAnswer, notes: tuple[str, ...]) -> None:
    card = SERVERS.model_copy(update={"thinking": "auto", "sampling": None, "seed": 0})
    said: list[str] = []
    model = Endpoint(card, said.append)
    assert model._answer_of(reply, {"logprobs": True} if asked else {}) == answer
    assert (model.report.notes, tuple(said)) == (notes, notes)
    model.close()


def test_a_thought_that_was_cut_off_is_no_answer_unless_it_was_told_apart() -> None:
    model = Endpoint(SERVERS)
    for ended in ("done", "cut off"):
        reply = Reply("<think>hm", False, False, cast(Any, ended), None)
        with pytest.raises(NoAnswerError):
            model._answer_of(reply, {})
    assert model._answer_of(Reply("Yes", True, True, "done", None), {}) == RawAnswer("Yes")
    model.close()


# A server's end.


@pytest.mark.parametrize(("lives", "slept"), [(0, 0), (3, 3), (10**6, 40)])
def test_a_servers_processes_are_asked_to_end_and_then_killed(lives: int, slept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told, looks = [0.0], list[int](), list[int]()

    def killpg(group: int, number: int) -> None:
        assert group == 77
        if number:
            told.append(number)
        else:
            looks.append(number)
            if len(looks) > lives:
                raise ProcessLookupError

    monkeypatch.setattr(server_guard.os, "killpg", killpg)
    monkeypatch.setattr(server_guard.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(server_guard.time, "sleep", lambda seconds: clock.__setitem__(0, round(clock[0] + seconds, 6)))
    waited: list[float] = []
    server_guard.end_group(77, cast(Any, SimpleNamespace(wait=waited.append)))
    assert told == [signal.SIGTERM, signal.SIGKILL]
    assert waited == [15.0]
    assert clock[0] == pytest.approx(0.05 * slept)


# Thoughts.


@pytest.mark.parametrize(
    ("text", "settings", "thought", "answer"),
    [
        (" Yes ", {}, None, "Yes"),
        ("", {}, None, ""),
        ("<think> hm </think> Yes", {}, "hm", "Yes"),
        ("hm</think>Yes", {}, "hm", "Yes"),
        ("hm</think>Yes", {"opened": True}, "hm", "Yes"),
        ("Yes", {"opened": True}, "Yes", None),
        ("<think>hm</think>", {}, "hm", None),
        ("<think>hm", {}, "hm", None),
        ("a<think>b</think>c", {}, "b", "ac"),
        ("a<think>b</think>c</think>d", {}, "bac", "d"),
        ("<think>a</think>b<think>c</think>d", {}, "ac", "bd"),
        ("<think>a</think><answer>Yes</answer>", {}, "a", "Yes"),
        ("Yes", {"thinks": True}, None, "Yes"),
        ("Yes ", {"thinks": True, "finished": False}, "Yes", None),
        ("Yes", {"finished": False}, None, "Yes"),
    ],
)
def test_an_answer_is_what_follows_the_thought(
    text: str, settings: dict[str, bool], thought: str | None, answer: str | None
) -> None:
    assert separate(text, **settings) == Said(thought, answer)


def test_a_prompt_may_end_inside_a_thought() -> None:
    prompts = ("q<think>\n", "q<think>\n</think>", "q<think>x", "q", "<think>a</think><think>")
    assert [ends_open(prompt) for prompt in prompts] == [True, False, False, False, True]
    assert [mentions_thinking(prompt) for prompt in prompts] == [True, True, True, False, True]
    assert no_answer(True, 9) == "the model ended within its thought, without an answer"
    assert no_answer(False, 4096) == "all 4,096 new tokens went by thinking; raise --max-new-tokens, or see --thinking"
