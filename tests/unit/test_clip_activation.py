"""Which activation an encoder computes: that of its weights, for every pair that open_clip lists, and never a guess."""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import open_clip.factory
import pytest
import torch
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transformer import QuickGELU

import hope_bench as hb
from hope_bench.clip.activation import build_options, built_activation, choose_activation
from hope_bench.clip.encoder import ClipEncoder, load_encoder
from hope_bench.clip.store import EmbeddingStore
from hope_bench.errors import HopeBenchError
from tests.cli import hope_bench, refused
from tests.clips import TEXT, VISION, random_model, save_tiny_clip
from tests.unit.test_generate import data  # noqa: F401

PAIRS = open_clip.list_pretrained()


class Stand(torch.nn.Module):
    """In place of timm's and Hugging Face's towers, which have activations of their own and take minutes, or the network."""

    image_size, context_length, vocab_size, output_tokens = 224, 77, 1, False

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()


def build(architecture: str, tag: str, **options: Any) -> torch.nn.Module:
    with torch.device("meta"):
        return open_clip.create_model(architecture, tag, load_weights=False, device="meta", **options)


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip's own configurations, one layer deep, without a download."""

    def one_layer(config: dict[str, Any]) -> dict[str, Any]:
        for part in ("vision_cfg", "text_cfg", "multimodal_cfg"):
            layers = config.get(part, {}).get("layers")
            if layers is not None:
                config[part]["layers"] = [1, 1, 1, 1] if isinstance(layers, list) else 1
        return config

    for name, config in open_clip.factory._MODEL_CONFIGS.items():
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, one_layer(deepcopy(config)))
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: "nowhere")
    monkeypatch.setattr("open_clip.model.TimmModel", Stand)
    monkeypatch.setattr("open_clip.model.HFTextEncoder", Stand)


def expected(architecture: str, tag: str) -> str:
    """The rule, from the names and the tags' own entries."""
    quick = architecture.endswith("-quickgelu") or architecture == "roberta-ViT-B-32"
    return "quick_gelu" if quick or get_pretrained_cfg(architecture, tag).get("quick_gelu") else "gelu"


@pytest.mark.usefixtures("shallow")
def test_every_pair_that_open_clip_lists_is_built_with_its_weights_activation() -> None:
    assert len(PAIRS) >= 196
    changed = []
    made: dict[str, tuple[torch.nn.Module, int]] = {}

    def built(architecture: str, tag: str, **options: Any) -> tuple[torch.nn.Module, int]:
        """And how often it was warned of QuickGELU; once for tags that differ in nothing but where their weights lie."""
        entry = {key: value for key, value in get_pretrained_cfg(architecture, tag).items() if key not in ("url", "hf_hub")}
        if (key := repr((architecture, entry, options))) not in made:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                model = build(architecture, tag, **options)
            made[key] = model, sum("QuickGELU" in str(one.message) for one in seen)
        return made[key]

    for architecture, tag in PAIRS:
        plain, seen = built(architecture, tag)
        activation = choose_activation(architecture, tag)
        model, warned = built(architecture, tag, **build_options(activation))
        assert activation == built_activation(model) == expected(architecture, tag), (architecture, tag)
        quick = any(isinstance(module, QuickGELU) for module in model.modules())
        assert quick == (activation == "quick_gelu")
        assert warned == (architecture == "roberta-ViT-B-32"), (architecture, tag)  # that one is known to be right
        if seen:
            changed.append((architecture, tag, built_activation(plain) != activation))
    assert len(changed) >= 28
    assert sum(differs for *_, differs in changed) == len(changed) - 1


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("ViT-L-14:openai", "quick_gelu"),
        ("ViT-L-14-336:openai", "quick_gelu"),
        ("ViT-B-32:laion400m_e32", "quick_gelu"),
        ("ViT-B-16:laion400m_e32", "gelu"),
        ("ViT-L-14:laion2b_s32b_b82k", "gelu"),
        ("ViT-H-14:dfn5b", "quick_gelu"),
        ("ViT-H-14:metaclip_altogether", "gelu"),
        ("ViT-L-14-quickgelu:metaclip_400m", "quick_gelu"),
        ("RN50:cc12m", "quick_gelu"),
        ("roberta-ViT-B-32:laion2b_s12b_b32k", "quick_gelu"),
        ("ViT-B-16-SigLIP:webli", "gelu"),
    ],
)
def test_facts_of_published_weights(name: str, activation: str) -> None:
    assert choose_activation(*name.split(":")) == activation


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Weights of a ViT-B-32 that is tiny, which every tag of it downloads; and its configuration."""
    config = {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    torch.save(random_model(config).state_dict(), tmp_path / "weights.pt")
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: str(tmp_path / "weights.pt"))
    return tmp_path / "weights.pt", config


def assert_computes(encoder: ClipEncoder, config: dict[str, Any], quick: bool) -> None:
    """The same weights in open_clip's own class, built with or without QuickGELU."""
    assert encoder.activation == ("quick_gelu" if quick else "gelu")
    oracle = random_model({**config, "quick_gelu": quick})
    texts = ["a photo of a cup", "a dog"]
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(oracle.encode_text(encoder.tokenizer(texts)), dim=-1)
        other = torch.nn.functional.normalize(
            random_model({**config, "quick_gelu": not quick}).encode_text(encoder.tokenizer(texts)), dim=-1
        )
    np.testing.assert_allclose(encoder.encode_texts(texts), vectors.numpy(), atol=1e-6)
    assert float((vectors - other).abs().max()) > 1e-4  # the two can be told apart


def test_a_tag_computes_what_its_weights_were_trained_with(tiny: tuple[Path, dict[str, Any]]) -> None:
    assert_computes(load_encoder("ViT-B-32:openai", "cpu"), tiny[1], quick=True)
    assert_computes(load_encoder("ViT-B-32:laion2b_s34b_b79k", "cpu"), tiny[1], quick=False)
    with pytest.raises(HopeBenchError, match="quick_gelu weights"):
        load_encoder("ViT-B-32:openai", "cpu", activation="gelu")


def test_a_checkpoint_file_of_an_architecture_with_both_must_be_told(tiny: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    name = f"ViT-B-32:{tiny[0]}"
    with pytest.raises(HopeBenchError) as caught:
        load_encoder(name, "cpu")
    for word in ("openai", "laion2b_s34b_b79k", "activation"):
        assert word in str(caught.value)
    quick, plain = load_encoder(name, "cpu", "quick_gelu"), load_encoder(name, "cpu", "gelu")
    assert_computes(quick, tiny[1], quick=True)
    assert_computes(plain, tiny[1], quick=False)
    assert quick.sha256 != plain.sha256
    assert EmbeddingStore(tmp_path, quick).path != EmbeddingStore(tmp_path, plain).path


@pytest.mark.parametrize("architecture", ["ViT-B-32-quickgelu", "roberta-ViT-B-32", "ViT-S-32-alt", "ViT-B-16-plus-240"])
def test_a_checkpoint_file_need_not_be_told_where_all_agree(architecture: str) -> None:
    quick = architecture in ("ViT-B-32-quickgelu", "roberta-ViT-B-32")
    assert choose_activation(architecture, "weights.pt") == ("quick_gelu" if quick else "gelu")


def test_a_folders_own_config_counts_unless_the_spec_knows_better(tmp_path: Path) -> None:
    plain, quick = save_tiny_clip(tmp_path / "plain"), save_tiny_clip(tmp_path / "quick", quick_gelu=True)
    assert [load_encoder(one, "cpu").activation for one in (plain, quick)] == ["gelu", "quick_gelu"]
    assert load_encoder(plain, "cpu", "quick_gelu").activation == "quick_gelu"
    assert load_encoder(quick, "cpu", "gelu").activation == "gelu"
    (tmp_path / "plain" / "open_clip_model.safetensors").unlink()
    with pytest.raises(HopeBenchError, match="could not be loaded"):  # open_clip would go on with random weights
        load_encoder(plain, "cpu")


def test_what_open_clip_warns_of_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_clip.create_model_from_pretrained

    def warns(*arguments: Any, **options: Any) -> Any:
        warnings.warn("these weights are deprecated", UserWarning, stacklevel=1)
        return made(*arguments, **options)

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", warns)
    with pytest.warns(UserWarning, match="deprecated"):
        load_encoder(save_tiny_clip(tmp_path), "cpu")


def test_a_manifest_records_it_and_what_is_said_to_the_command_and_the_api_reaches_the_encoder(
    data: Path,  # noqa: F811
    tiny: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = 'name = "tiny"\nsample_images = 4\nstrategies = ["content"]\n[guards]\nontology = false\n'
    (tmp_path / "spec.toml").write_text(spec)
    given = {"annotations": data / "instances.json", "images": data / "images"}
    options = [word for name, path in given.items() for word in (f"--{name}", path)] + ["--cache", tmp_path / "cache"]
    file = f"ViT-B-32:{tiny[0]}"

    def asked(clip: str, activation: str | None) -> dict[str, Any]:
        """By the command; the API writes the same bytes."""
        told = [] if activation is None else ["--activation", activation]
        out = tmp_path / f"{activation}-{clip.count('/')}"
        made = hope_bench(capsys, "generate", tmp_path / "spec.toml", "--clip", clip, *told, *options, "--out", out)
        assert made.code == 0, made.err
        fields: dict[str, Any] = {} if activation is None else {"activation": activation}
        hb.generate(
            tmp_path / "spec.toml", clip=clip, **fields, **given, out=tmp_path / "api", cache=tmp_path / "cache",
            progress="quiet",
        )  # fmt: skip
        for name in ("manifest.json", "splits/content.jsonl"):
            assert (tmp_path / "api" / name).read_bytes() == (out / name).read_bytes()
        manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
        return manifest

    quick, plain = asked(file, "quick_gelu"), asked(file, "gelu")
    assert [one["clip"]["activation"] for one in (quick, plain)] == ["quick_gelu", "gelu"]
    assert quick["clip"]["sha256"] != plain["clip"]["sha256"], "other numbers, so another encoder"
    by_tag = asked("ViT-B-32:openai", None)
    assert (by_tag["clip"]["activation"], by_tag["clip"]["sha256"]) == ("quick_gelu", quick["clip"]["sha256"])
    assert asked("ViT-B-32:laion2b_s34b_b79k", None)["clip"]["activation"] == "gelu"
    told = ("--clip", file, *options, "--out", tmp_path / "none")
    assert "activation" in refused(capsys, "generate", tmp_path / "spec.toml", *told)
    assert "quick_gelu weights" in refused(
        capsys, "generate", tmp_path / "spec.toml", "--clip", "ViT-B-32:openai", "--activation", "gelu", *told[2:]
    )
    with pytest.raises(HopeBenchError, match="no encoder is named"):
        hb.generate(tmp_path / "spec.toml", activation="gelu", **given, out=tmp_path / "none", progress="quiet")
