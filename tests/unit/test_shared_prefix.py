"""An image's computed prefix, with a tiny decoder whose pictures are numbers: logits are those of one whole forward each."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.cache_utils import DynamicLayer

from hope_bench.adapters import shared_prefix
from hope_bench.adapters.encoding import ImageRows, NotShareableError, Row
from hope_bench.adapters.shared_prefix import Prefix, SharedPrefix, _deltas, _expanded, _padded, _with_deltas

PICTURE, PAD = 7, 31
ALIGNED = frozenset({"input_ids", "attention_mask"})
QUESTIONS = ([3], [4, 5, 6, 9], [8, 9], [10, 11])
ORDERS = ([0, 1, 2, 3, 4, 5, 6, 7], [6, 1, 0, 5, 2], [5], [4, 6, 7], [1, 1, 2])
"""Places of questions: four about each image."""


class Seeing(LlamaForCausalLM):
    """A decoder that adds a picture's numbers to the picture's token."""

    def forward(self, input_ids: Any = None, pixel_values: Any = None, **more: Any) -> Any:
        embeds = self.model.embed_tokens(input_ids)
        if pixel_values is not None:
            embeds = embeds + pixel_values[:, None] * (input_ids == PICTURE)[..., None]
        return super().forward(inputs_embeds=embeds, **more)


def image(place: int, questions: Sequence[list[int]] = QUESTIONS) -> ImageRows:
    pixels = torch.linspace(-3, 3, 16).roll(5 * place)[None]
    rows = []
    for question in questions:
        ids = torch.tensor([[1, PICTURE, 2, *question]])
        rows.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels})
    return ImageRows(tuple(rows), ALIGNED)


IMAGES = [image(0), image(1)]


@pytest.fixture(scope="module")
def seeing() -> Any:
    torch.manual_seed(0)
    settings = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.5}
    config = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=16, max_position_embeddings=64, **settings)
    return Seeing(config).eval()


@pytest.fixture(scope="module")
def alone(seeing: Any) -> Tensor:
    """[questions, V]: nothing shared."""
    with torch.inference_mode():
        return torch.cat([seeing(**row, use_cache=False).logits[:, -1] for one in IMAGES for row in one.rows])


@pytest.mark.parametrize("chosen", ORDERS, ids=str)
@pytest.mark.parametrize("how", ["each row's own", "at places of all", "spread"])
@torch.inference_mode()
def test_logits_are_those_of_a_whole_forward(
    how: str, chosen: list[int], seeing: Any, alone: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_prefix, "_EACH_ROWS_OWN", how == "each row's own" and shared_prefix._EACH_ROWS_OWN)
    sharing = SharedPrefix(seeing, frozenset({PICTURE}), PAD)
    sharing._spread = how == "spread"
    prefix = sharing.prefix(IMAGES)
    assert (prefix.length, prefix.cache.get_seq_length(), prefix.deltas, prefix.images) == (3, 3, (), tuple(IMAGES))
    assert sharing.packable(prefix)
    before = [(layer.keys.clone(), layer.values.clone()) for layer in prefix.cache.layers]
    for found in (sharing.logits(prefix, chosen), sharing.packed_logits(prefix, chosen)):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, alone[chosen], atol=1e-4, rtol=1e-4)
    assert all(torch.equal(layer.keys, keys) for layer, (keys, _) in zip(prefix.cache.layers, before, strict=True))
    assert all(torch.equal(layer.values, values) for layer, (_, values) in zip(prefix.cache.layers, before, strict=True))


class Asked:
    """A decoder that keeps what it is asked, and gives each token its place as logits."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, inner: Any, all_tokens: bool = False) -> None:
        self._inner, self._all = inner, all_tokens
        self.asked: list[dict[str, Any]] = []
        self.prepared: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def prepare_inputs_for_generation(self, ids: Tensor, **more: Any) -> dict[str, Any]:
        self.prepared.append(more)
        return {"input_ids": ids, "logits_to_keep": 99}

    def __call__(self, **inputs: Any) -> Any:
        self.asked.append(inputs)
        ids = inputs["input_ids"]
        logits = (torch.arange(ids.shape[1]) + 100 * torch.arange(len(ids))[:, None])[..., None].expand(-1, -1, 2)
        keep = inputs["logits_to_keep"]
        if not self._all and isinstance(keep, Tensor):
            logits = logits.gather(1, keep[..., None].expand(-1, -1, 2)) if keep.ndim == 2 else logits[:, keep]
        return SimpleNamespace(logits=logits)


@pytest.mark.parametrize("all_tokens", [False, True])
@pytest.mark.parametrize(
    ("spread", "each", "keep"), [(True, True, 0), (False, True, [[1, 3], [3, 0]]), (False, False, [0, 1, 3])], ids=str
)
def test_a_model_is_asked_for_as_few_logits_as_it_takes(
    all_tokens: bool, spread: bool, each: bool, keep: Any, seeing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_prefix, "_EACH_ROWS_OWN", each)
    sharing, decoder = SharedPrefix(seeing, frozenset(), PAD), Asked(seeing, all_tokens)
    sharing._decoder, sharing._spread = decoder, spread
    found = sharing._at(torch.tensor([[1, 3], [3, 0]]), input_ids=torch.zeros(2, 5))
    assert found[..., 0].tolist() == found[..., 1].tolist() == [[1, 3], [103, 100]]
    kept = decoder.asked[0]["logits_to_keep"]
    assert (kept.tolist() if isinstance(kept, Tensor) else kept) == keep


@torch.inference_mode()
def test_what_a_packed_forward_is_given(seeing: Any) -> None:
    sharing, decoder = SharedPrefix(seeing, frozenset({PICTURE}), PAD), Asked(seeing)
    prefix = sharing.prefix(IMAGES)
    sharing._decoder = decoder
    found = sharing.packed_logits(prefix, [6, 1, 0, 4])
    (asked,) = decoder.asked
    assert asked["input_ids"].tolist() == [[4, 5, 6, 9, 3], [8, 9, 3, PAD, PAD]]
    assert asked["position_ids"].tolist() == [[3, 4, 5, 6, 3], [3, 4, 3, 3, 3]]
    assert asked["use_cache"] is True
    seen = asked["attention_mask"]
    assert (seen.dtype, seen.shape) == (torch.float32, (2, 1, 5, 8))
    assert (seen[:, 0] == 0).int().tolist() == [
        [[1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0],
         [1, 1, 1, 0, 0, 0, 0, 1]],
        [[1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0, 1, 0],
         [1, 1, 1, 0, 0, 0, 1, 1]],
    ]  # fmt: skip
    assert seen.min() == torch.finfo(torch.float32).min
    assert found[:, 0].tolist() == [101, 3, 4, 102]
    sharing.packed_logits(prefix, [6, 4])
    assert [len(layer.keys) for layer in decoder.asked[1]["past_key_values"].layers] == [1, 1]
    assert torch.equal(decoder.asked[1]["past_key_values"].layers[0].keys, prefix.cache.layers[0].keys[1:])


@torch.inference_mode()
def test_what_a_padded_forward_is_given(seeing: Any) -> None:
    sharing, decoder = SharedPrefix(seeing, frozenset({PICTURE}), PAD), Asked(seeing)
    prefix = sharing.prefix(IMAGES)
    sharing._decoder = decoder
    found = sharing.logits(prefix, [6, 1, 0])
    assert decoder.asked[0]["input_ids"].tolist() == [[8, 9, PAD, PAD], [4, 5, 6, 9], [3, PAD, PAD, PAD]]
    assert "past_key_values" not in decoder.asked[0], "only what the model itself prepares"
    (prepared,) = decoder.prepared
    assert prepared["attention_mask"].tolist() == [[1] * 5 + [0] * 2, [1] * 7, [1] * 4 + [0] * 3]
    assert (prepared["is_first_iteration"], prepared["use_cache"]) == (True, True)
    assert found[:, 0].tolist() == [1, 103, 200]
    layer, kept = prepared["past_key_values"].layers[1], prefix.cache.layers[1]
    assert torch.equal(layer.keys, kept.keys[[1, 0, 0]])
    assert torch.equal(layer.values, kept.values[[1, 0, 0]])
    of_kinds = [
        ImageRows(tuple({**row, "kind_ids": row["input_ids"] % 2} for row in one.rows), ALIGNED | {"kind_ids"}) for one in IMAGES
    ]
    sharing.logits(replace(prefix, images=tuple(of_kinds)), [6, 1, 0])
    assert decoder.prepared[1]["kind_ids"].tolist() == [[0, 1, 1, 1], [0, 1, 0, 1], [1] * 4], "of kinds there are few"


@torch.inference_mode()
def test_texts_are_decoded_with_those_of_their_length(seeing: Any) -> None:
    sharing = SharedPrefix(seeing, frozenset({PICTURE}), PAD)
    prefix = sharing.prefix(IMAGES)
    calls: list[Any] = []

    def generate(model: Any, inputs: dict[str, Any], places: Sequence[int]) -> Tensor:
        cache = inputs["past_key_values"]
        calls.append((model is seeing, sorted(inputs), inputs["input_ids"][:, 3:].tolist(), list(places), cache))
        return torch.tensor([[place, 5] for place in places])

    made = sharing.texts(prefix, [6, 1, 3, 0], generate)
    assert {place: tokens.tolist() for place, tokens in made.items()} == {place: [place, 5] for place in (6, 3, 1, 0)}
    names = ["attention_mask", "input_ids", "past_key_values"]
    assert [call[:4] for call in calls] == [
        (True, names, [[8, 9], [10, 11]], [6, 3]),
        (True, names, [[4, 5, 6, 9]], [1]),
        (True, names, [[3]], [0]),
    ]
    assert torch.equal(calls[0][4].layers[0].keys, prefix.cache.layers[0].keys[[1, 0]])


def test_a_model_that_keeps_no_cache_is_refused(seeing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(seeing, "forward", lambda pixel_values=None, **more: asked.append({"pixel_values": pixel_values, **more}))
    sharing = SharedPrefix(seeing, frozenset({PICTURE}), PAD)
    with pytest.raises(NotShareableError, match=r"^the model keeps no cache of the prefix$"):
        sharing.prefix(IMAGES)
    (one,) = asked
    assert one["input_ids"].tolist() == [[1, PICTURE, 2]] * 2
    assert torch.equal(one["pixel_values"], torch.cat([each.rows[0]["pixel_values"] for each in IMAGES]))
    assert (one["use_cache"], one["logits_to_keep"]) == (True, 1)
    assert isinstance(one["past_key_values"], DynamicCache)


def test_a_row_of_the_cache_for_each_question() -> None:
    class Other:
        """A layer of another kind: what it holds in containers is copied before it is put in order."""

        def __init__(self) -> None:
            self.held, self.named, self.number = [1], {"a": 1}, 5
            self.orders: list[Any] = []

        def reorder_cache(self, chosen: Tensor) -> None:
            self.orders.append(chosen.tolist())
            self.held.append(2)
            self.named["b"] = 2

    class Kind(DynamicLayer):
        """Of a class of its own, which no view is taken of."""

    plain, other, empty, own = DynamicLayer(), Other(), DynamicLayer(), Kind()
    for layer in (plain, own):
        layer.update(torch.arange(12.0).reshape(3, 1, 2, 2), -torch.arange(12.0).reshape(3, 1, 2, 2))
    cache = SimpleNamespace(layers=[plain, other, empty, own])
    for images in ([2, 2, 2], [2, 0, 2, 1], [1]):
        made = _expanded(cache, images, torch.device("cpu"))
        for place, kept in ((0, plain), (3, own)):
            assert torch.equal(made.layers[place].keys, kept.keys[images])
            assert torch.equal(made.layers[place].values, kept.values[images])
        assert made.layers[1].orders == [images]
        assert (made.layers[1].held, made.layers[1].named) == ([1, 2], {"a": 1, "b": 2})
    assert made.layers[0].keys.data_ptr() == plain.keys[1:].data_ptr() or len(plain.keys) == 3
    views = _expanded(cache, [2, 2, 2], torch.device("cpu")).layers
    assert views[0].keys.stride(0) == 0, "a view of one row"
    assert views[3].keys.stride(0) > 0
    assert _expanded(cache, [2, 1], torch.device("cpu")).layers[0].keys.stride(0) > 0
    assert (other.orders, other.held, other.named, plain.keys.shape[0]) == ([], [1], {"a": 1}, 3)


def test_rows_are_padded_at_their_end() -> None:
    ids = torch.tensor([[1, 2]])
    assert _padded(ids, 2, 9) is ids
    assert _padded(ids, 4, 9).tolist() == [[1, 2, 9, 9]]
    assert _padded(ids, 4, None).tolist() == [[1, 2, 2, 2]]
    assert _padded(ids, 3, 0).tolist() == [[1, 2, 0]]
    assert _padded(torch.tensor([[[1, 2], [3, 4]]]), 3, None).tolist() == [[[1, 2], [3, 4], [3, 4]]]


@pytest.mark.parametrize("deltas", [[[10], [20], [30]], [[10]]])
def test_what_a_model_keeps_outside_its_cache_goes_with_each_question(deltas: list[list[int]]) -> None:
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    model[0].rope_deltas, model[1].rope_deltas = torch.tensor(deltas), None  # type: ignore[assignment]
    kept = tuple(_deltas(model))
    assert [(module is model[0], value.tolist()) for module, value in kept] == [(True, deltas)]
    later: Any = torch.tensor([[5]])
    model[0].rope_deltas = later
    prefix = Prefix((image(0), image(1), image(2)), 3, SimpleNamespace(layers=[]), kept)
    with contextlib.suppress(ZeroDivisionError), _with_deltas(prefix, [2, 0, 2]):
        assert model[0].rope_deltas.tolist() == ([[30], [10], [30]] if len(deltas) == 3 else deltas)
        raise ZeroDivisionError
    assert model[0].rope_deltas is later


def test_what_can_be_packed(seeing: Any) -> None:
    sharing = SharedPrefix(seeing, frozenset({PICTURE}), PAD)
    plain = SimpleNamespace(layers=[DynamicLayer()])

    class Window(DynamicLayer):
        pass

    def prefix(cache: Any = plain, deltas: Any = (), **more: Tensor) -> Prefix:
        rows: tuple[Row, ...] = tuple({**row, **more} for row in IMAGES[0].rows)
        return Prefix((ImageRows(rows, ALIGNED | more.keys()),), 3, cache, deltas)

    assert sharing.packable(prefix())
    assert not sharing.packable(prefix(SimpleNamespace(layers=[DynamicLayer(), Window()])))
    assert not sharing.packable(prefix(deltas=((seeing, torch.zeros(1)),)))
    assert not sharing.packable(prefix(token_type_ids=torch.zeros(1, 4)))
    for attention, packs in (("eager", True), ("sdpa", True), ("flash_attention_2", False)):
        sharing._model = SimpleNamespace(
            config=SimpleNamespace(get_text_config=lambda attention=attention: SimpleNamespace(_attn_implementation=attention))
        )
        assert sharing.packable(prefix()) == packs
