"""Texts without their padding, kept on disk, and towers that are not CLIP's: against open_clip itself, fully padded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hope_bench.clip.encoder import BATCH, ClipEncoder, load_encoder
from hope_bench.clip.store import Embeddings, EmbeddingStore
from hope_bench.errors import HopeBenchError
from hope_bench.search.content import content_probability
from tests.clips import SIGLIP, WORDS, save_tiny_clip

TEXTS = [" ".join(WORDS[(3 * step + place) % 9] for place in range(step)) for step in (1, 2, 5, 9, 13, 14, 15, 20, 21, 22, 23)]
TEXTS += [" ".join(WORDS[place % 9] for place in range(step)) for step in (29, 30, 31, 45, 47, 60, 74, 75, 76, 200)]
"""Of every length around the borders, and one too long for any tower."""

CAUSAL: dict[str, dict[str, Any]] = {
    "clip": {"text_cfg": {"context_length": 77}},
    "custom": {"text_cfg": {"context_length": 77}, "custom_text": True},
    "pe": {"text_cfg": {"context_length": 32}, "custom_text": True},
    "eos": {
        "text_cfg": {
            "context_length": 72, "vocab_size": len(WORDS) + 2, "hf_tokenizer_name": "own", "pool_type": "eos", "eos_id": 1,
        },
    },
}  # fmt: skip


def bare(encoder: ClipEncoder, texts: list[str]) -> Embeddings:
    """One by one, as open_clip's README does it."""
    with torch.no_grad():
        rows = [encoder.model.encode_text(encoder.tokenizer([text]))[0] for text in texts]
    return np.stack([(row / row.norm()).numpy() for row in rows])


def watched(encoder: ClipEncoder, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what the text tower is given."""
    shapes: list[tuple[int, ...]] = []
    before = encoder.model.encode_text

    def counting(tokens: torch.Tensor, **options: Any) -> Any:
        shapes.append(tuple(tokens.shape))
        return before(tokens, **options)

    monkeypatch.setattr(encoder.model, "encode_text", counting)
    return shapes


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_causal_tower_is_spared_its_padding_and_says_the_same(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(save_tiny_clip(tmp_path, **CAUSAL[kind]), "cpu")
    context = CAUSAL[kind]["text_cfg"]["context_length"]
    expected = bare(encoder, TEXTS)
    shapes = watched(encoder, monkeypatch)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=2e-6)
    assert shapes == [(BATCH, length) for length in sorted({16, 24, 32, 48, context}) if length <= context]
    assert encoder.text.note is None
    assert len({tuple(row) for row in np.round(expected, 4)}) == len(
        {tuple(row.tolist()) for row in encoder.tokenizer(TEXTS)}
    )  # texts can be told apart


def test_a_text_depends_on_no_other(tmp_path: Path) -> None:
    encoder = load_encoder(save_tiny_clip(tmp_path, **CAUSAL["clip"]), "cpu")
    whole = encoder.encode_texts(TEXTS * 3)
    for place in (0, 5, 6, 11, len(TEXTS) - 1):
        np.testing.assert_array_equal(encoder.encode_texts([TEXTS[place]])[0], whole[place])
    np.testing.assert_array_equal(encoder.encode_texts(TEXTS[::-1])[::-1], whole[: len(TEXTS)])


def test_a_tower_whose_padding_shows_is_padded_fully_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a model with a mask of its own would: every token sees the last place."""
    import open_clip.transformer

    causal = open_clip.transformer.TextTransformer.build_causal_mask

    def leaky(self: Any) -> torch.Tensor:
        mask = causal(self)
        mask[:, -1] = 0
        return mask

    monkeypatch.setattr("open_clip.transformer.TextTransformer.build_causal_mask", leaky)
    encoder = load_encoder(save_tiny_clip(tmp_path, **CAUSAL["clip"]), "cpu")
    assert encoder.text.lengths == (77,)
    assert "padded" in str(encoder.text.note)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), bare(encoder, TEXTS), atol=2e-6)


def test_siglip_keeps_its_padding_its_length_and_its_sigmoid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(save_tiny_clip(tmp_path, **SIGLIP), "cpu")
    expected = bare(encoder, TEXTS)
    shapes = watched(encoder, monkeypatch)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=2e-6)
    assert shapes == [(BATCH, 64)]
    assert encoder.logit_bias == -10
    with torch.no_grad():
        logits = encoder.model.get_logits(torch.zeros(1, 3, 32, 32), encoder.tokenizer(["a cup", "a dog"]))[0]
    images = encoder.encode_images(torch.zeros(1, 3, 32, 32))
    shown = content_probability(images @ encoder.encode_texts(["a cup", "a dog"]).T, encoder.logit_scale, encoder.logit_bias)
    np.testing.assert_allclose(shown, torch.sigmoid(logits).numpy(), rtol=1e-4)


def test_a_score_makes_no_more_of_a_cosine_than_the_encoder_does() -> None:
    cosines = np.array([[0.3, 0.2, -0.1]])
    odds = np.exp(cosines * 20)
    np.testing.assert_allclose(content_probability(cosines, 20.0), odds / odds.sum())
    np.testing.assert_allclose(content_probability(cosines, 110.0, -12.0), 1 / (1 + np.exp(-(cosines * 110 - 12))), rtol=1e-9)
    np.testing.assert_array_equal(content_probability(cosines, None), cosines)
    assert content_probability(np.array([[-1.0]]), 2000.0, -20.0)[0, 0] == 0  # without an overflow


def test_another_models_tokenizer_is_refused(tmp_path: Path) -> None:
    """open_clip gives CLIP's own to a folder that names none: its ids fit into SigLIP's larger vocabulary, and mean nothing."""
    with pytest.raises(HopeBenchError, match="hf_tokenizer_name"):
        load_encoder(save_tiny_clip(tmp_path / "siglip", text_cfg={"vocab_size": 256_000}), "cpu")
    name = save_tiny_clip(tmp_path / "fewer", **SIGLIP | {"text_cfg": {**SIGLIP["text_cfg"], "vocab_size": 5}})
    with pytest.raises(HopeBenchError, match="another model's"):
        load_encoder(name, "cpu").encode_texts(["a tree"])


def test_each_text_is_computed_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(save_tiny_clip(tmp_path / "clip", **CAUSAL["clip"]), "cpu")
    names, templates = ["cup", "apple", "dog"], ["a photo of {a} {category}", "{category}!"]
    store = EmbeddingStore(tmp_path, encoder)
    shapes = watched(encoder, monkeypatch)
    first = encoder.encode_categories(names, templates, store)
    store.close()
    computed = len(shapes)
    again = load_encoder(save_tiny_clip(tmp_path / "clip", **CAUSAL["clip"]), "cpu")
    shapes = watched(again, monkeypatch)
    reopened = EmbeddingStore(tmp_path, again)
    np.testing.assert_array_equal(again.encode_categories(names, templates, reopened), first)
    np.testing.assert_array_equal(again.encode_captions(["a cup"], templates[:1], reopened).shape, (1, 16))
    assert computed == 1
    assert shapes == []  # "a photo of a cup" is a text that is there
    again.encode_categories(["cup"], ["the {category}"], reopened)
    assert len(shapes) == 1


@pytest.mark.parametrize("other", ["weights", "activation", "tokenizer", "transformers", "timm", "decoding"])
def test_a_text_that_would_come_out_otherwise_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    name = save_tiny_clip(tmp_path / "clip", **SIGLIP)
    encoder = load_encoder(name, "cpu")
    encoder.encode_texts(["a dog"], EmbeddingStore(tmp_path, encoder))
    if other == "weights":
        save_tiny_clip(tmp_path / "clip", 1, **SIGLIP)
    elif other == "tokenizer":
        path = tmp_path / "clip" / "tokenizer.json"
        saved = json.loads(path.read_text())
        vocabulary = saved["model"]["vocab"]
        vocabulary["dog"], vocabulary["cup"] = vocabulary["cup"], vocabulary["dog"]
        path.write_text(json.dumps(saved))
    elif other == "decoding":
        monkeypatch.setattr("hope_bench.clip.encoder.DECODING", 99)
    elif other in ("transformers", "timm"):
        from importlib.metadata import version

        monkeypatch.setattr("hope_bench.clip.encoder.version", lambda one: "0" if one == other else version(one))
    now = load_encoder(name, "cpu", activation="quick_gelu" if other == "activation" else None)
    shapes = watched(now, monkeypatch)
    now.encode_texts(["a dog"], EmbeddingStore(tmp_path, now))
    assert len(shapes) == 1
    assert replace(now, text=replace(now.text, lengths=(32, 64))).numbers != now.numbers
