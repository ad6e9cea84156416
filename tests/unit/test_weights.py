"""A checkpoint's weights, by their files: which are there, whole, the configuration's, and have a place in the model."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hope_bench.adapters import loading
from hope_bench.adapters.unused import unused_scales, unused_weights
from hope_bench.adapters.weights import check_weights, lacks, weight_files
from hope_bench.errors import HopeBenchError
from tests.checkpoint_files import IS_POINTER, POINTER, fill, index, safetensors

INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
LONG = "x" * 100


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.safetensors": ""}, None),
        ({"pytorch_model.bin": ""}, None),
        ({INDEX: index("a.safetensors"), "a.safetensors": ""}, None),
        ({"model.safetensors": "", INDEX: "{"}, None),
        ({}, "it holds no weights (model.safetensors or pytorch_model.bin)"),
        ({"adapter_config.json": {}}, "it holds no weights (adapter_model.safetensors or adapter_model.bin)"),
        ({"adapter_config.json": {}, "adapter_model.bin": ""}, None),
        ({INDEX: "{"}, f"{INDEX} is damaged"),
        ({INDEX: {"weight_map": {"w": 7}}}, f"{INDEX} is damaged"),
        ({INDEX: index("../a.safetensors")}, f"{INDEX} is damaged"),
        ({INDEX: POINTER}, f"{INDEX} is {IS_POINTER}"),
        ({INDEX: index()}, f"{INDEX} names no weight files (its weight_map is empty)"),
        ({INDEX: index("b", "a", "b"), "b": ""}, "1 of 2 weight files are missing (the first is a)"),
        ({INDEX: index(LONG)}, f"1 of 1 weight files are missing (the first is {LONG})"),
        ({INDEX: index(f"{LONG}y")}, f"1 of 1 weight files are missing (the first is {LONG}...)"),
        (
            dict.fromkeys(SHARDS, ""),
            f"{INDEX} is missing, which says what of the weights is in which of {SHARDS[0]}, {SHARDS[1]}",
        ),
        (
            {f"pytorch_model-{place}-of-3.bin": "" for place in (1, 2, 3)},
            "pytorch_model.bin.index.json is missing, which says what of the weights is in which of pytorch_model-1-of-3.bin, "
            "pytorch_model-2-of-3.bin and 1 more",
        ),
        (
            {"model.fp16.safetensors": ""},
            "its weights are a variant, model.fp16.safetensors, which is read by the name model.safetensors alone (rename it)",
        ),
    ],
)
def test_what_a_folder_lacks_of_its_weights(files: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    assert lacks(fill(tmp_path, files)) == words


def test_a_link_to_nowhere_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to("../blobs/aa")
    cached = "(of a folder within Hugging Face's cache, copy what its links lead to: cp -rL)"
    words = f"is a link to ../blobs/aa, which is not there {cached}"
    assert lacks(tmp_path) == f"model.safetensors {words}"
    (tmp_path / "model.safetensors").unlink()
    fill(tmp_path, {INDEX: index("a", "b"), "a": ""})
    (tmp_path / "b").symlink_to("../blobs/aa")
    assert lacks(tmp_path) == f"b {words}"
    assert weight_files(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("data.pkl", "x")
    return buffer.getvalue()


TENSORS = {"__metadata__": {"format": "pt"}, "a": {"data_offsets": [0, 4]}, "b": {"data_offsets": [4, 6]}}
AGAIN = "Copy or download it again"
DAMAGED = f"is no safetensors file: its header is damaged. {AGAIN}"
WHOLE = len(safetensors(TENSORS)) + 6


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.safetensors", safetensors(TENSORS, bytes(6)), None),
        ("model.safetensors", safetensors({}), None),
        (
            "model.safetensors",
            safetensors(TENSORS, bytes(5)),
            f"is {WHOLE - 1} bytes and not the {WHOLE} that its header says (cut off?). {AGAIN}",
        ),
        (
            "model.safetensors",
            safetensors(TENSORS, bytes(7)),
            f"is {WHOLE + 1} bytes and not the {WHOLE} that its header says (cut off?). {AGAIN}",
        ),
        (
            "model.safetensors",
            safetensors(b"{}", length=1000),
            f"is 10 bytes and not the 1,008 that its header says (cut off?). {AGAIN}",
        ),
        (
            "model.safetensors",
            safetensors(b"{}", length=100_000_000),
            f"is 10 bytes and not the 100,000,008 that its header says (cut off?). {AGAIN}",
        ),
        ("model.safetensors", safetensors(b"{}", length=100_000_001), DAMAGED),
        ("model.safetensors", safetensors(b"[]"), DAMAGED),
        ("model.safetensors", safetensors(b"{x"), DAMAGED),
        ("model.safetensors", safetensors({"a": {"data_offsets": [0]}}), DAMAGED),
        ("model.safetensors", bytes(7), DAMAGED),
        ("model.safetensors", bytes(8), DAMAGED),
        (
            "model.safetensors",
            safetensors(b'{"a": {"d', length=12),
            f"is 17 bytes and not the 20 that its header says (cut off?). {AGAIN}",
        ),
        (
            "model.safetensors",
            (1000).to_bytes(8, "little"),
            f"is 8 bytes and not the 1,008 that its header says (cut off?). {AGAIN}",
        ),
        ("model.safetensors", b"", f"is empty. {AGAIN}"),
        ("model.safetensors", POINTER, f"is {IS_POINTER}"),
        ("pytorch_model.bin", b"\x80\x04x", None),
        ("pytorch_model.bin", zipped(), None),
        ("pytorch_model.bin", zipped()[:-9], f"is cut off. {AGAIN}"),
        ("pytorch_model.bin", b"what", f"is not what torch.save writes. {AGAIN}"),
        ("pytorch_model.bin", b"", f"is empty. {AGAIN}"),
    ],
)
def test_whether_weights_are_what_their_names_say(name: str, content: bytes, words: str | None, tmp_path: Path) -> None:
    fill(tmp_path, {name: content})
    for how in ({}, {"pointers_alone": True}):
        if words is None or (how and content != POINTER):
            check_weights(tmp_path, **how)
        else:
            with pytest.raises(HopeBenchError) as refused:
                check_weights(tmp_path, **how)
            assert str(refused.value) == f"The weights of {tmp_path} can't be loaded: {name} {words}."


def net(quantized: bool = False, hf_quantizer: object = None) -> Any:
    """A stack of two layers and an eye of two, by the names of their modules."""
    vision, text = type("Vision", (), {})(), type("Text", (), {})()
    config = SimpleNamespace(vision_config=vision, get_text_config=lambda: text, quantization_config=1 if quantized else None)
    names = [
        "",
        "model",
        "model.norm",
        "model.layers",
        "model.layers.0",
        "model.layers.0.mlp",
        "model.layers.1",
        "lm_head",
        "eye",
        "eye.layers",
        "eye.layers.0",
        "eye.layers.1",
    ]
    modules = {name: SimpleNamespace() for name in names}
    modules["eye"].config, modules["model"].config = vision, text
    return SimpleNamespace(named_modules=modules.items, config=config, hf_quantizer=hf_quantizer)


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("model.layers.2.mlp.weight", True),
        ("model.layers.1.mlp.weight", True),
        ("model.layers.0.mlp.bias", True),
        ("model.norm.bias", True),
        ("model.norm.scale", False),
        ("lm_head.weight", True),
        ("score.weight", False),
        ("model.layers.0.attn.inv_freq", False),
        ("model.layers.0.rotary_emb.weight", False),
        ("model.layers.1.mlp.x", False),
        ("model.layers.0.attention.bias", False),
        ("eye.layers.2.weight", False),
        ("eye.layers.1.weight", True),
        ("other.layers.2.weight", False),
        ("model.layers.2.anything", True),
        ("heads.5.weight", False),
        ("model.5.more.weight", False),
        ("weight", True),
    ],
)
def test_a_weight_the_model_should_have_had_a_place_for(name: str, belongs: bool) -> None:
    assert unused_weights(net(), ["z.position_ids", name]) == ([name] if belongs else [])


def test_what_predicts_the_token_after_next_and_empty_biases_are_no_part_of_a_model() -> None:
    names = ["model.layers.2.mlp.weight", "model.layers.2.eh_proj.weight", "model.layers.3.mlp.weight", "model.layers.0.mlp.bias"]
    assert unused_weights(net(), names) == ["model.layers.0.mlp.bias", "model.layers.3.mlp.weight"]
    assert unused_weights(net(quantized=True), names) == ["model.layers.3.mlp.weight"]
    scales = ["b.weight_scale", "a.qweight", "a.weight", "a.scales.x"]
    assert unused_scales(net(), scales) == ["a.qweight", "b.weight_scale"]
    assert unused_scales(net(hf_quantizer="x"), scales) == []


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({}, None),
        (
            {"mismatched_keys": [("b", (1,), (2,)), ("a", (3, 1), (4, 1))]},
            "2 of the weights of it have other shapes than config.json says (the first is a: (3, 1), not (4, 1)).",
        ),
        (
            {"missing_keys": ["d", "c", "b", "a"]},
            "The checkpoint it lacks 4 of its model's weights (a, b, c and 1 more); its answers",
        ),
        ({"unexpected_keys": ["a.qweight"]}, "The checkpoint it holds quantized weights (a.qweight), and its config.json"),
        (
            {"unexpected_keys": ["model.layers.2.mlp.weight"]},
            "The checkpoint it holds 1 weight of layers that its config.json leaves out (model.layers.2.mlp.weight);",
        ),
        (
            {"unexpected_keys": [f"{name}.qweight" for name in "dcba"]},
            "The checkpoint it holds quantized weights (a.qweight, b.qweight, c.qweight and 1 more), and its config.json",
        ),
        (
            {"unexpected_keys": [f"model.layers.2.{name}" for name in "dcba"]},
            "The checkpoint it holds 4 weights of layers that its config.json leaves out (model.layers.2.a, model.layers.2.b, "
            "model.layers.2.c and 1 more);",
        ),
        ({"unexpected_keys": ["score.weight"]}, None),
    ],
)
def test_weights_and_configuration_are_of_one_model(report: dict[str, Any], words: str | None) -> None:
    whole = {"mismatched_keys": [], "missing_keys": [], "unexpected_keys": [], **report}
    if words is None:
        loading._check_whole("it", net(), whole)
        return
    with pytest.raises(HopeBenchError) as refused:
        loading._check_whole("it", net(), whole)
    assert str(refused.value).startswith(words)
