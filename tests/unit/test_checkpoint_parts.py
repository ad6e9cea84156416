"""A checkpoint's files and what is said of them, before anything is loaded: each rule in a table, its borders beside it."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import logging
import random
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers import GenerationConfig

from hope_bench.adapters import loading, server
from hope_bench.adapters.as_it_was import as_it_was, autocast_dtype
from hope_bench.adapters.checkpoint import (
    Checkpoint,
    _adapted,
    content_sha256,
    find_checkpoint,
    known_checkpoint,
    local_folder,
)
from hope_bench.adapters.encoding import ImageRows, _any_of, known_inputs, media_tokens
from hope_bench.adapters.folders import files_of, known_format, what_it_is
from hope_bench.adapters.given import GivenObject, card_of
from hope_bench.adapters.identity import _class, _home, _settled
from hope_bench.adapters.json_files import check_config, read_object
from hope_bench.adapters.known import check_agreed, check_card, check_quantize, known_device, known_dtype, known_info
from hope_bench.adapters.loading import find_device, find_dtype, load_processor, one_thread_if_small, quiet
from hope_bench.adapters.lora import Base, base_of, check_base, is_adapter
from hope_bench.adapters.paths import _by_image, _each_once, _joined_alike, _size_class
from hope_bench.adapters.processor_files import has_processor, nearest_processor, processor_sha256
from hope_bench.adapters.runnable import (
    _bare,
    _check_quantized,
    _unknown_model,
    _without_eyes,
    auto_map,
    check_code,
    check_format,
)
from hope_bench.adapters.secrets import environment_secrets, secret_of, without_secrets
from hope_bench.adapters.served import Served
from hope_bench.adapters.server import command_line, further_arguments, plain_copy, served_name
from hope_bench.adapters.token_count import TokenCount, count_tokens
from hope_bench.adapters.tower import vision_tower
from hope_bench.adapters.unused import unused_scales, unused_weights
from hope_bench.adapters.weights import check_weights, lacks, weight_files
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.provenance import file_sha256, json_sha256

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 9\n"
IS_POINTER = "a Git LFS pointer in the place of the file: run git lfs pull in the clone, or download the model with hf download"


def fill(folder: Path, files: dict[str, Any]) -> Path:
    """Write files: bytes and texts as they are, all else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content
            if isinstance(content, bytes)
            else content.encode()
            if isinstance(content, str)
            else json.dumps(content).encode()
        )
    return folder


def index(*files: str) -> dict[str, Any]:
    return {"weight_map": {f"w{place}": file for place, file in enumerate(files)}}


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


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(told) if length is None else length) + told + data


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
    for pointers_alone in (False, True):
        if words is None or (pointers_alone and content != POINTER):
            check_weights(tmp_path, pointers_alone=pointers_alone)
        else:
            with pytest.raises(HopeBenchError) as refused:
                check_weights(tmp_path, pointers_alone=pointers_alone)
            assert str(refused.value) == f"The weights of {tmp_path} can't be loaded: {name} {words}."


# Weights without a place.


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


# Configurations.


@pytest.mark.parametrize(
    ("vision", "words"),
    [
        (None, None),
        ("x", None),
        ({}, None),
        ({"_name_or_path": "openai/clip", "model_type": "x"}, "openai/clip"),
        ({"_name_or_path": "./a/b", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": "/a", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": "a/b/c", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": 7, "model_type": "dinov2"}, "DINOv2"),
        (
            {"model_type": "siglip_vision_model", "hidden_size": 1152, "patch_size": 14, "image_size": 384},
            "SigLIP, 1152 wide, patches of 14, 384px",
        ),
        (
            {"model_type": "internvl_vision", "hidden_size": 1024, "patch_size": [14, 14], "image_size": [448, 336]},
            "InternViT, 1024 wide, patches of 14, 448px",
        ),
        ({"model_type": "siglip_vision_model", "patch_size": 14, "image_size": "big"}, "SigLIP, patches of 14"),
        ({"model_type": "siglip_vision_model", "image_size": []}, "SigLIP"),
        (
            {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336},
            "openai/clip-vit-large-patch14-336",
        ),
        (
            {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 224},
            "CLIP, 1024 wide, patches of 14, 224px",
        ),
        (
            {"model_type": "siglip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336},
            "SigLIP, 1024 wide, patches of 14, 336px",
        ),
        ({"model_type": "blip_2_vision_model", "hidden_size": 1408}, "EVA-CLIP ViT-g"),
        ({"model_type": "instructblip_vision_model", "hidden_size": 1409}, None),
        ({"model_type": "pixtral", "hidden_size": 9}, None),
    ],
)
def test_the_tower_that_a_configuration_tells_of(vision: Any, words: str | None) -> None:
    assert vision_tower({"vision_config": vision}) == words


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, None),
        ({"model_type": "llava", "architectures": ["A"], "auto_map": {}, "vision_config": {"model_type": "x"}}, None),
        ({"model_type": 7}, "model_type is a number, not a text"),
        ({"model_type": True}, "model_type is true or false, not a text"),
        ({"architectures": "A"}, "architectures is a text, not a list of texts"),
        ({"architectures": [7]}, "architectures is a list, not a list of texts"),
        ({"auto_map": []}, "auto_map is a list, not an object"),
        ({"num_hidden_layers": 10_000}, None),
        ({"num_hidden_layers": 10_001}, "num_hidden_layers is more than 10,000"),
        ({"text_config": {"depth": 10_001}}, "depth is more than 10,000"),
        ({"other_config": {"depth": 10_001}}, None),
        ({"num_hidden_layers": "10001"}, None),
        ({"deepest": 10_001}, None),
        ({"vision_config": None}, None),
        ({"vision_config": []}, "vision_config is a list, not an object"),
        ({"vision_config": {"model_type": None}}, None),
        ({"vision_config": {"model_type": 1.5}}, "vision_config.model_type is a number, not a text"),
        (
            {"model_type": 7, "architectures": "A", "auto_map": 7, "text_config": 7},
            "model_type is a number, not a text, architectures is a text, not a list of texts, auto_map is a number, "
            "not an object and "
            "1 more",
        ),
    ],
)
def test_a_configuration_that_can_not_be(config: dict[str, Any], words: str | None) -> None:
    if words is None:
        check_config("it", config)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_config("it", config)
    assert str(refused.value) == f"Checkpoint it has a damaged config.json: {words}. Copy or download it again."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, None),
        ([], "it holds a list, not an object. Copy or download it again."),
        ("null", "it holds null, not an object. Copy or download it again."),
        (POINTER, f"it is {IS_POINTER}."),
        (b"\xff", "UnicodeDecodeError: "),
        ("{", "JSONDecodeError: "),
    ],
)
def test_a_json_file_that_is_no_object(content: Any, words: str | None, tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": content})
    if words is None:
        assert read_object(tmp_path / "config.json", "it") == content
        return
    with pytest.raises(HopeBenchError) as refused:
        read_object(tmp_path / "config.json", "it")
    assert str(refused.value).startswith(f"Checkpoint it has a damaged config.json: {words}")


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"architectures": ["LlavaForConditionalGeneration"]}, None),
        ({}, None),
        ({"mm_vision_tower": "x", "vision_config": {}}, None),
        ({"architectures": ["LlavaLlamaForCausalLM"], "vision_config": {}}, " (class LlavaLlamaForCausalLM)"),
        ({"architectures": ["Mine"], "mm_hidden_size": 7}, " (class Mine)"),
        ({"mm_projector_type": "x"}, ""),
    ],
)
def test_llavas_own_format_is_known(config: dict[str, Any], shown: str | None) -> None:
    if shown is None:
        check_format("nobody/it", config)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_format("nobody/it", config)
    said = str(refused.value)
    assert said.startswith(
        f"Checkpoint nobody/it is in the format of LLaVA's own code{shown}, which transformers can't run. On the Hub"
    )
    assert said.endswith(
        'in "-hf" (llava-hf has those of LLaVA, OpenGVLab those of InternVL). Or serve it (SGLang reads this format) '
        "and ask the server with --base-url (docs/servers.md)."
    )


def test_a_checkpoints_bare_name() -> None:
    names = ("liuhaotian/llava-v1.5-7b", "llava-hf/llava-1.5-7b-hf", "a/b/It_2-HF/", "x-vision", "v2")
    assert [_bare(name) for name in names] == ["llava-1.5-7b", "llava-1.5-7b", "it.2", "x-vision", "v2"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": {"auto_map": {"AutoModel": "m.C"}}}, None),
        ({"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["t.C", None]}}}, None),
        ({"config.json": {"auto_map": {"AutoModel": None}}}, "brings no Python code"),
        ({"config.json": {"auto_map": []}, "a.json": "[", "b.json": []}, "brings no Python code"),
        (
            {"config.json": {"auto_map": {"A": "me/code--m.C", "B": ["b/c--m.D", "x.C"]}}},
            "from another repository (b/c, me/code), which",
        ),
    ],
)
def test_code_that_a_checkpoint_brings_along(files: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    fill(tmp_path, files)
    if words is None:
        check_code(tmp_path)
    else:
        with pytest.raises(HopeBenchError) as refused:
            check_code(tmp_path)
        assert words in str(refused.value)
    assert auto_map(tmp_path / "no.json") == {}


SERVE = "Serve it with what runs it, and ask that with --base-url (docs/servers.md)."
NEWER = "It was saved by transformers 999.1, which does: pip install -U transformers."
OF_ITS_OWN = "It may be of a library of its own: serve it with what runs it, and ask that with --base-url."


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "has a damaged config.json: it says nothing. Copy or download it again."),
        (
            {"model_type": "llavaa", "transformers_version": "999.1"},
            f"is of model type 'llavaa', which KNOWS (the nearest it knows is 'llava'). {NEWER}",
        ),
        (
            {"model_type": "qqqqqq", "transformers_version": "4.0"},
            f"is of model type 'qqqqqq', which KNOWS. It was saved by transformers 4.0, so a newer one won't help: its class is "
            f"of other code. {SERVE}",
        ),
        (
            {"model_type": "qqqqqq", "transformers_version": transformers.__version__},
            f"is of model type 'qqqqqq', which KNOWS. It was saved by transformers {transformers.__version__}, so a newer one "
            f"won't help: its class is of other code. {SERVE}",
        ),
        ({"model_type": "qqqqqq"}, f"is of model type 'qqqqqq', which KNOWS. {OF_ITS_OWN}"),
        ({"model_type": None, "a": 1}, f"is of model type None, which KNOWS. {OF_ITS_OWN}"),
        (
            {"model_type": "llava", "text_config": {"model_type": "qqqqqq"}, "vision_config": {"model_type": "clip"}},
            f"has a text_config of model type 'qqqqqq', which KNOWS. {OF_ITS_OWN}",
        ),
        (
            {"model_type": "llava", "text_config": {"model_type": "llama"}, "other": {"model_type": "qqqqqq"}, "a_config": 7},
            "has a config.json that transformers can't use: ValueError: odd. Copy or download it again, or take the one of the "
            "model that it was trained from.",
        ),
    ],
    ids=str,
)
def test_why_transformers_does_not_know_a_model(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": config})
    knows = f"transformers {transformers.__version__} doesn't know"
    assert _unknown_model("it", tmp_path, ValueError("odd")) == f"Checkpoint it {words.replace('KNOWS', knows)}"


def test_a_model_whose_code_was_not_run_may_have_a_sibling(tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": {"model_type": "qqqqqq", "auto_map": {"AutoConfig": "m.C"}}})
    said = _unknown_model("me/it", tmp_path, ValueError("odd"))
    assert said.startswith(
        "Checkpoint me/it (qqqqqq) needs Python code that it brings along, and nothing of it was run. On the Hub"
    )
    said = _unknown_model("liuhaotian/llava-v1.5-7b", tmp_path, ValueError("odd"))
    assert " The same model for transformers is llava-hf/llava-1.5-7b-hf: --model llava-1.5-7b. If you trust the code" in said


@pytest.mark.parametrize(
    ("how", "inner", "words"),
    [
        (None, None, None),
        ({"quant_method": "gptq"}, None, None),
        ({"load_in_8bit": True}, None, None),
        ({"load_in_4bit": True}, None, None),
        ({"load_in_4bit": False}, None, "and its quantization_config doesn't say by what"),
        ({"quant_method": "mlx"}, None, "by 'mlx', which transformers doesn't know"),
        (None, {"quant_method": "mlx"}, "by 'mlx', which transformers doesn't know"),
        ({"quant_method": "gptq"}, {"quant_method": "mlx"}, None),
        (SimpleNamespace(quant_method="mlx"), None, None),
    ],
)
def test_a_way_of_quantizing_that_transformers_does_not_know(how: Any, inner: Any, words: str | None) -> None:
    def text(decoder: bool) -> Any:
        assert decoder
        return SimpleNamespace(quantization_config=inner)

    config = SimpleNamespace(quantization_config=how, get_text_config=text)
    if words is None:
        _check_quantized("it", config)
        return
    with pytest.raises(HopeBenchError) as refused:
        _check_quantized("it", config)
    assert str(refused.value).startswith(
        f"Checkpoint it is quantized {words}; asked without its scales it would be another model."
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("LlamaConfig", "It is a language model without eyes"),
        ("WhisperConfig", "It is a model of sound."),
        ("BertConfig", "It is an encoder of texts"),
        ("T5Config", "It is a language model without eyes"),
        ("Qwen2_5OmniConfig", "It sees, but its class is for sound, too"),
        ("Qwen2AudioConfig", "It is a model of sound."),
        ("CLIPConfig", "hope-bench needs a vision-language model; an encoder for generate goes into --clip."),
    ],
)
def test_what_a_model_is_that_is_shown_no_picture(kind: str, words: str) -> None:
    assert _without_eyes(getattr(transformers, kind)()).startswith(words)


def test_code_runs_only_where_card_and_flag_agree() -> None:
    quiet_card, trusting = (ModelCard(name="m", checkpoint="o/c", trust_remote_code=trust) for trust in (False, True))
    check_agreed(quiet_card, False)
    check_agreed(trusting, True)
    with pytest.raises(HopeBenchError, match="Nothing of it was run"):
        check_agreed(trusting, False)
    with pytest.raises(HopeBenchError, match="the card m doesn't say trust_remote_code"):
        check_agreed(quiet_card, True)


# Adapters of PEFT's.


def test_what_is_an_adapter_and_of_what(tmp_path: Path) -> None:
    folder = fill(tmp_path / "adapter", {"adapter_config.json": {"base_model_name_or_path": "org/base", "revision": "2"}})
    assert is_adapter(folder)
    assert base_of(folder) == Base("org/base", "2")
    (folder / "org" / "base").mkdir(parents=True)
    assert base_of(folder) == Base(str(folder / "org" / "base"), None)
    for own in ("model.safetensors", INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json"):
        assert not is_adapter(fill(tmp_path / own, {own: "", "adapter_config.json": {}}))
    assert not is_adapter(tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"base_model_name_or_path": "a/b", "peft_type": "PROMPT_TUNING"}, "is a learnt prompt (PROMPT_TUNING)"),
        ({"base_model_name_or_path": "a/b", "peft_type": "P_TUNING"}, "is a learnt prompt (P_TUNING)"),
        ({}, "names no base model"),
        ({"base_model_name_or_path": 7}, "base_model_name_or_path is 7, not a name"),
        ({"base_model_name_or_path": "a/b", "revision": 7}, "revision is 7, not a name"),
        ({"base_model_name_or_path": "a\0/b"}, "is 'a\\x00/b', not a name"),
        *(
            ({"base_model_name_or_path": name}, f"was trained on {name}, which is no folder here, and no Hugging Face id either")
            for name in ("/a/b", "./b", "b", "a/b/c")
        ),
    ],
)
def test_an_adapter_that_can_not_be_asked(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    fill(tmp_path, {"adapter_config.json": config})
    with pytest.raises(HopeBenchError) as refused:
        base_of(tmp_path)
    assert words in str(refused.value)


def test_an_adapters_base_is_a_model(tmp_path: Path) -> None:
    one, other = (fill(tmp_path / name, {"adapter_config.json": {}}) for name in ("one", "other"))
    model = fill(tmp_path / "model", {"config.json": {}})
    for adapter, base in ((None, one), (one, None), (one, model)):
        check_base(adapter, base)
    with pytest.raises(HopeBenchError, match="names itself"):
        check_base(one, tmp_path / "other" / ".." / "one")
    with pytest.raises(HopeBenchError, match="is itself an adapter"):
        check_base(one, other)
    found = _adapted(Checkpoint(one, "sha256:aa", processor=model), Checkpoint(model, "o/m@1", processor=other))
    identity = "sha256:aa on o/m@1"
    assert found == Checkpoint(model, identity, None, json_sha256(identity), one, other)
    (model / "processor_config.json").write_text("{}")
    assert _adapted(Checkpoint(one, "a", processor=model), Checkpoint(model, "b", processor=other)).processor == model


# Folders.


def test_a_name_is_a_folder_here_a_file_or_an_id(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"config.json": {}, "model.safetensors": safetensors({})})
    assert local_folder(str(folder), None) == folder
    file, long = str(folder / "model.safetensors"), f"a/{'x' * 254}"
    for name, revision, words in (
        (str(folder), "2", f"Checkpoint {folder} is a folder, which has no revision '2'. Leave the revision out."),
        (file, None, f"{file} is a file. Name the checkpoint's folder: {folder}."),
        ("/no/such", None, "Checkpoint '/no/such' is no folder here, and no Hugging Face id (ORG/NAME) either."),
        ("./no", None, "Checkpoint './no' is no folder here, and no"),
        ("../no", None, "Checkpoint '../no' is no folder here, and no"),
        ("a/b/c", None, "Checkpoint 'a/b/c' is no folder here, and no"),
        (long, None, f"Checkpoint '{long[:200]}...' is no folder here, and no"),
        ("a/" + "x" * 199, None, None),
    ):
        if words is None:
            assert local_folder(name, revision) is None
            continue
        with pytest.raises(HopeBenchError) as refused:
            local_folder(name, revision)
        assert str(refused.value).startswith(words)


def test_a_checkpoint_is_hashed_by_all_that_answers_depend_on(tmp_path: Path) -> None:
    counted = {
        "config.json": "1",
        "chat_template.jinja": "2",
        "a.model": "3",
        "merges.txt": "4",
        "x.tiktoken": "5",
        "code.py": "6",
        "model.safetensors": "7",
        "pytorch_model.bin": "8",
    }
    fill(tmp_path, {**counted, "README.md": "9", "deep/config.json": "0"})
    assert content_sha256(tmp_path) == json_sha256({name: file_sha256(tmp_path / name) for name in counted})


def test_a_processors_files_and_where_they_lie(tmp_path: Path) -> None:
    counted = {
        "preprocessor_config.json": "1",
        "tokenizer.json": "2",
        "tokenizer_config.json": "3",
        "merges.txt": "4",
        "chat_template.jinja": "5",
        "a.model": "6",
    }
    own = fill(tmp_path / "own", {**counted, "config.json": "7", "model.safetensors": "8"})
    other = fill(tmp_path / "other", {"processor_config.json": "1"})
    empty = fill(tmp_path / "empty", {"tokenizer.json": "1"})
    assert processor_sha256(own) == json_sha256({name: file_sha256(own / name) for name in counted})
    assert [has_processor(one) for one in (own, other, empty)] == [True, True, False]
    assert nearest_processor([empty, other, own]) == other
    assert nearest_processor([empty]) is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            ["a.gguf"],
            "llama-server -m a.gguf --mmproj MMPROJ.gguf, and then hope-bench evaluate --base-url http://127.0.0.1:8080/v1 "
            "--model a (docs/servers.md).",
        ),
        (["a-mmproj.gguf", "b.GGUF"], "llama-server -m b.GGUF --mmproj a-mmproj.gguf,"),
        (
            ["zero_to_fp32.py"],
            "python it/zero_to_fp32.py it it-whole --safe_serialization; then copy config.json and the processor's",
        ),
        (["global_step5/mp_rank_00_model_states.pt"], "python it/zero_to_fp32.py it it-whole"),
        (["mp_rank_00_model_states.pt"], "python ./zero_to_fp32.py . .-whole"),
        (["pytorch_model_fsdp.bin"], "call pytorch_model_fsdp.bin pytorch_model.bin,"),
        (["pytorch_model_fsdp_0/__0_0.distcp"], "accelerate merge-weights it/pytorch_model_fsdp_0 it-whole;"),
        (
            ["checkpoint-9/config.json", "checkpoint-10/config.json"],
            "is a training's folder with 2 checkpoints in it and no model of its "
            "own: name one of them, such as it/checkpoint-10.",
        ),
        (["consolidated.00.pth"], "it holds consolidated.00.pth, the format of Meta's own code."),
        (["params.json"], "vllm serve it --tokenizer-mode mistral"),
        (["x.ckpt"], "it holds x.ckpt, a checkpoint of PyTorch Lightning."),
        (["snapshots/aa/config.json"], "it is a repository in Hugging Face's cache, and one lies in it: name it/snapshots/aa."),
        (["a/config.json", "b/adapter_config.json"], "it is no checkpoint itself, and some lie in it: name one of it/a, it/b."),
        (
            ["optimizer.pt", "rng_state.pth", "scheduler.pt"],
            "holds what a training goes on with (optimizer.pt, rng_state.pth and 1 more), and no weights.",
        ),
        (["mine.safetensors"], "it holds mine.safetensors, weights by a name that transformers doesn't look for:"),
        (["mine.pt"], "it holds mine.pt, weights that only the code which saved them can read:"),
        (["model.safetensors"], None),
        (["mine.pt", "a.index.json"], None),
        (["README.md"], None),
        ([], None),
        (["optimizer.pt", "model.bin"], None),
        (["checkpoint-9"], None),
        (["config.json", "a/config.json"], None),
        (["optimizer_0/__0_0.distcp"], None),
        (["pytorch_model.bin"], None),
    ],
)
def test_what_a_folder_is_where_it_is_no_checkpoint(files: list[str], words: str | None) -> None:
    told = known_format("it", files)
    assert (told is None) if words is None else words in (told or "")
    if words is None:
        holds = f"it holds {', '.join(files)}, and no config.json" if files else "it is empty"
        assert what_it_is("it", files).startswith(f"it is no checkpoint in transformers' format: {holds}. Such a folder has")
    else:
        assert what_it_is("it", files) == told


def test_which_files_are_looked_at(tmp_path: Path) -> None:
    fill(tmp_path, dict.fromkeys(("a.json", "b/c.json", "b/c/d.json", "run/checkpoint-1/config.json", "snapshots/aa/x.json"), ""))
    assert files_of(tmp_path) == ["a.json", "b/c.json", "run/checkpoint-1/config.json", "snapshots/aa/x.json"]


# Devices, threads and processors.


@pytest.mark.parametrize(
    ("gpus", "name", "kind"),
    [
        (None, "cpu", "cpu"),
        (None, "auto", None),
        ((), "auto", "cpu"),
        ((), "cuda", "cpu"),
        ((), "cuda:1", "cpu"),
        ((), "mps", None),
        ((8,), "auto", "cuda"),
        ((8,), "cuda", "cuda"),
        ((8,), "cuda:0", "cuda"),
        ((8,), "cuda:1", None),
        ((8, 7), "cuda:1", "cuda"),
    ],
)
def test_the_kind_of_device_is_known_without_torch(
    gpus: tuple[int, ...] | None, name: str, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: gpus)
    assert known_device(name) == kind


def test_the_number_format_is_known_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for major, auto in ((7, "float16"), (8, "bfloat16"), (9, "bfloat16")):
        monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda major=major: (major,))
        assert [known_dtype(name, kind) for name, kind in (("auto", "cuda"), ("auto", "cpu"), ("float32", "cuda"))] == [
            auto,
            "float32",
            "float32",
        ]
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: None)
    assert known_dtype("auto", "cuda") == "float16"
    for capable in (True, False):
        monkeypatch.setattr(loading, "computes_bfloat16", lambda _, capable=capable: capable)
        found = [find_dtype(name, torch.device(kind)) for name, kind in (("auto", "cuda"), ("auto", "cpu"), ("float16", "cpu"))]
        assert found == [torch.bfloat16 if capable else torch.float16, torch.float32, torch.float16]
    check_quantize(None, "cpu")
    with pytest.raises(HopeBenchError, match="4bit needs a GPU, and this run is on the CPU"):
        check_quantize("4bit", "cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(HopeBenchError, match="4bit needs bitsandbytes, which is not installed"):
        check_quantize("4bit", "cuda")


@pytest.mark.parametrize(
    ("gpus", "world", "name", "found"),
    [
        (0, None, "auto", "cpu"),
        (2, None, "auto", "cuda:1"),
        (2, None, "cuda", "cuda:1"),
        (0, None, "cpu", "cpu"),
        (2, "1", "cpu", "cpu"),
        (2, "2", "cuda:0", "would be that of every process"),
        (2, "2", "auto", "cuda:1"),
        (0, None, "cuda", "Use auto or cpu (torch sees no GPU here)."),
        (0, "1", "odd", "Use auto or cpu (torch sees no GPU here)."),
        (3, None, "odd", "Use auto or cuda:0 to cuda:2."),
    ],
)
def test_the_device_that_a_card_means(
    gpus: int, world: str | None, name: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(loading, "own_gpu", lambda _: 1)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if world is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", world)
    if " " not in found:
        assert find_device(name) == torch.device(found)
        return
    with pytest.raises(HopeBenchError) as refused:
        find_device(name)
    assert found in str(refused.value)


def test_a_small_model_on_the_cpu_is_asked_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def within(parameters: int, device: str = "cpu") -> int:
        with one_thread_if_small(SimpleNamespace(num_parameters=lambda: parameters), torch.device(device)):
            return threads[-1]

    assert [within(50_000_000), within(50_000_001), within(1, "cuda")] == [1, 4, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert within(1) == 4
    assert threads == [4, 1, 4]


def test_progress_bars_come_back_with_the_last_who_wanted_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    shown = loading.hf_logging.is_progress_bar_enabled
    loading.hf_logging.enable_progress_bar()
    with quiet():
        assert not shown()
        with quiet():
            assert not shown()
        assert not shown()
    assert shown()
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    with quiet():
        assert shown()
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY")
    loading.hf_logging.disable_progress_bar()
    with quiet():
        pass
    assert not shown()
    loading.hf_logging.enable_progress_bar()


def processor(**more: Any) -> Any:
    fields = {"tokenizer": SimpleNamespace(chat_template=None), "image_processor": 1, "chat_template": "x", "patch_size": 14}
    return SimpleNamespace(**{**fields, **more})


@pytest.mark.parametrize(
    ("made", "template", "words"),
    [
        (processor(), None, None),
        (processor(chat_template={"a": "x"}), None, None),
        (processor(chat_template=[{"name": "a", "template": "x"}]), None, None),
        (processor(chat_template=None), "x", None),
        (processor(tokenizer=None), None, "holds no processor for images and text (transformers found only a SimpleNamespace)"),
        (processor(image_processor=None), None, "holds no processor for images and text"),
        (processor(chat_template=7), None, "is damaged: 7 is no text"),
        (processor(chat_template={"a": 7}), None, "is damaged: {'a': 7} is no text"),
        (processor(chat_template=[{"name": "a"}]), None, "is damaged: [{'name': 'a'}] is no text"),
        (processor(chat_template=None), None, "a base model needs an instruction-tuned sibling."),
        (
            processor(chat_template=None, tokenizer=SimpleNamespace(chat_template="y")),
            None,
            "sibling. Its tokenizer (tokenizer_config.json) has one, which",
        ),
        (
            processor(chat_template="", tokenizer=SimpleNamespace(chat_template={"b": "y", "a": "z"})),
            None,
            "sibling. Its tokenizer (tokenizer_config.json) has some (a, b), which",
        ),
    ],
)
def test_a_processor_takes_images_and_has_a_template(
    made: Any, template: str | None, words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading.AutoProcessor, "from_pretrained", lambda *_, **__: made)
    if words is None:
        assert load_processor(str(tmp_path), template) is made
        assert made.chat_template in ("x", {"a": "x"}, None)
        return
    with pytest.raises(HopeBenchError) as refused:
        load_processor(str(tmp_path), template)
    assert words in str(refused.value)
    if "sibling" in words:
        assert ("Its tokenizer" in str(refused.value)) == ("Its tokenizer" in words)
        assert "tekken" not in str(refused.value)
        (tmp_path / "tekken.json").touch()
        vars(made.tokenizer).update(get_vocab=dict, bos_token=1, eos_token=1, pad_token=1, unk_token=1)
        with pytest.raises(
            HopeBenchError, match=rf"sibling\. Where tekken\.json is, .* \(vllm serve {tmp_path} --tokenizer-mode"
        ):
            load_processor(str(tmp_path), template)


def test_a_librarys_word_that_is_understood_is_dropped_once() -> None:
    logger = logging.getLogger("hope_bench.tests.understood")
    for beginning in ("Begins", "Begins", "Other"):
        loading._drop_understood({logger.name: beginning})
    assert [cast(Any, one).name for one in logger.filters] == ["Begins", "Other"]
    logger.filters[:] = [logging.Filter("Begins")]
    loading._drop_understood({logger.name: "Begins"})
    assert len(logger.filters) == 2, "a filter of somebody else's is none of ours"
    shown = [bool(logger.filters[1].filter(logging.makeLogRecord({"msg": text}))) for text in ("Begins so", "It begins", "Begin")]  # type: ignore[union-attr]
    assert shown == [False, True, True]


@pytest.mark.parametrize(
    ("config", "strategy", "extra", "expected"),
    [
        ({"vision_config": {"patch_size": 14, "model_type": "clip_vision_model"}}, None, 0, (14, "default", 1)),
        (
            {"vision_config": {"patch_size": 16, "model_type": "siglip"}, "vision_feature_select_strategy": "full"},
            None,
            0,
            (16, "full", 0),
        ),
        ({"vision_config": {"patch_size": 14, "model_type": "clip_vision_model"}}, "own", 2, (14, "own", 2)),
        ({"vision_config": {}}, None, 0, None),
        ({}, None, 0, None),
    ],
)
def test_a_first_processor_of_llavas_takes_its_patches_from_the_model(
    config: dict[str, Any], strategy: str | None, extra: int, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = processor(patch_size=None, vision_feature_select_strategy=strategy, num_additional_image_tokens=extra)
    monkeypatch.setattr(loading.AutoProcessor, "from_pretrained", lambda *_, **__: made)

    def read(folder: str) -> Any:
        assert folder == "model"
        parts = {name: SimpleNamespace(**part) if isinstance(part, dict) else part for name, part in config.items()}
        return SimpleNamespace(**parts)

    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", read)
    if expected is None:
        with pytest.raises(HopeBenchError, match=r"doesn't say its patch_size, and neither does config\.json"):
            load_processor(str(tmp_path), model_folder="model")
        return
    found = load_processor(str(tmp_path), model_folder="model")
    assert (found.patch_size, found.vision_feature_select_strategy, found.num_additional_image_tokens) == expected


def test_classes_of_a_checkpoints_own(tmp_path: Path) -> None:
    causal, image = loading.AutoModelForCausalLM, loading.AutoModelForImageTextToText
    for names, trusted, expected in (
        (["AutoModelForCausalLM"], True, causal),
        (["AutoModelForCausalLM"], False, image),
        ([], True, image),
        (["AutoModelForCausalLM", "AutoModelForImageTextToText"], True, image),
        (["AutoModelForImageTextToText"], True, image),
    ):
        fill(tmp_path, {"config.json": {"auto_map": dict.fromkeys(names, "m.C")}})
        assert loading._auto_class(str(tmp_path), trusted) is expected


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


class Tiny(torch.nn.Module):
    """A module with all that asking may change: buffers, a plain tensor, containers, an attribute, its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.register_buffer("counts", torch.zeros(2))
        self.held, self.seen, self.names, self.kinds = torch.zeros(2), [1], {"a": 1}, {1}
        self.config, self.device, self.offset = 1, torch.device("cpu"), None


def test_a_model_that_was_asked_is_as_it_was() -> None:
    model, given = Tiny().train(), GenerationConfig(max_new_tokens=5)
    before = (torch.get_default_dtype(), random.getstate(), torch.random.get_rng_state(), str(np.random.get_state()))
    torch.set_default_dtype(torch.float64)
    with contextlib.suppress(ZeroDivisionError), as_it_was(model, given):
        assert (model.training, model.layer.training, torch.get_default_dtype()) == (False, False, torch.float32)
        random.random()
        np.random.default_rng()
        np.random.random()
        torch.rand(1)
        model.counts += 1
        model.held += 1
        model.layer.new = 7
        model.seen.append(2)
        model.names["b"] = 2
        model.kinds.add(2)
        model.offset = 3
        raise ZeroDivisionError
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(before[0])
    assert (random.getstate(), str(np.random.get_state())) == (before[1], before[3])
    assert torch.equal(torch.random.get_rng_state(), before[2])
    assert (model.counts.tolist(), model.held.tolist()) == ([0, 0], [0, 0])
    assert (model.seen, model.names, model.kinds, model.offset) == ([1], {"a": 1}, {1}, None)
    assert (model.training, model.layer.training, hasattr(model.layer, "new")) == (True, True, False)


def test_autocast_counts_where_weights_are_of_several_formats() -> None:
    model = Tiny()
    assert autocast_dtype(model) is None
    model.other = torch.nn.Linear(1, 1).bfloat16()
    assert autocast_dtype(model) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert autocast_dtype(model) == torch.bfloat16
        assert autocast_dtype(Tiny()) is None


class Called:
    def __call__(self) -> None: ...


def test_where_code_was_written() -> None:
    here = __name__.split(".")[0]
    bound = SimpleNamespace(read=fill).read
    for code, home in (
        (fill, here),
        (functools.partial(fill), here),
        (Called(), here),
        (Called().__call__, here),
        (bound, here),
        (functools.partial(torch.nn.Linear(1, 1).forward), "torch"),
        (torch.nn.Linear(1, 1), "torch"),
        (len, "builtins"),
    ):
        assert _home(code) == home
    assert _class(torch.nn.Linear) == ["Linear"]
    assert _class(Tiny)[0] == "Tiny"
    assert "register_buffer" in _class(Tiny)[1]
    settings = {"dtype": "x", "a": (1, {"use_cache": True, "b": {2, 1}}), 3: torch.float32, "n": None, "t": True}
    assert _settled(settings) == {"a": [1, {"b": ["1", "2"]}], "3": "torch.float32", "n": None, "t": True}


# What a card's checkpoint is, as far as files tell.


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A Hub that has nothing, and what is asked of it."""
    asked: list[dict[str, Any]] = []

    def download(name: str, **how: Any) -> str:
        asked.append({"name": name, **how})
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return asked


def test_a_checkpoint_that_is_not_all_here_is_not_known(tmp_path: Path, unreachable: list[dict[str, Any]]) -> None:
    folder = fill(tmp_path / "it", {"config.json": {"model_type": "x"}, "model.safetensors": safetensors({})})
    adapter = fill(
        tmp_path / "adapter", {"adapter_config.json": {"base_model_name_or_path": "org/base"}, "adapter_model.bin": b"\x80x"}
    )
    known = known_checkpoint(ModelCard(name="m", checkpoint=str(folder)))
    digest = content_sha256(folder)
    assert known == Checkpoint(folder, f"sha256:{digest}", weights_sha256=digest, processor=folder)
    assert known_checkpoint(ModelCard(name="m", checkpoint="org/it")) is None
    assert known_checkpoint(ModelCard(name="m", checkpoint=str(adapter))) is None
    assert known_checkpoint(ModelCard(name="m", checkpoint=str(folder), processor="org/other")) is None
    assert {one["name"] for one in unreachable} == {"org/it", "org/base", "org/other"}
    assert all(one["local_files_only"] for one in unreachable)
    other = fill(tmp_path / "processor", {"processor_config.json": "{}"})
    card = ModelCard(name="m", checkpoint=str(folder), processor=str(other))
    identity = f"sha256:{digest} asked through sha256:{processor_sha256(other)}"
    assert known_checkpoint(card) == Checkpoint(folder, identity, weights_sha256=digest, processor=other)
    fill(tmp_path, {"preprocessor_config.json": "{}"})
    identity = f"sha256:{digest} asked through sha256:{processor_sha256(tmp_path)}"
    found = known_checkpoint(ModelCard(name="m", checkpoint=str(folder)))
    assert found == Checkpoint(folder, identity, weights_sha256=digest, processor=tmp_path), "as a Trainer leaves it"
    for server_, kind, dtype in (("vllm", "vllm", "the server's"), (None, "transformers", "float32")):
        info = known_info(
            ModelCard(name="m", checkpoint=str(folder), server=cast(Any, server_), device="cpu" if not server_ else "auto")
        )
        assert info is not None
        assert (info.adapter, info.device_kind, info.dtype) == (kind, server_ or "cpu", dtype)
        assert (info.identity, info.weights_sha256) == (identity, digest)
    assert known_info(ModelCard(name="m", checkpoint="x", adapter="m.py:C")) is None


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({}, None),
        ({"processor": "org/p"}, None),
        ({"processor": "p"}, "Processor 'p' is no folder here"),
        ({"processor": "a/b/c"}, "Processor 'a/b/c' is no folder here"),
        ({"server": "transformers", "device": "cuda"}, None),
        ({"device": "cuda"}, "Device 'cuda' can't be used: this machine has no GPU driver"),
        ({"device": "cpu"}, None),
        ({"quantize": "4bit"}, "--quantize 4bit needs a GPU"),
        ({"adapter": "m.py:C", "processor": "p"}, None),
    ],
)
def test_what_is_wrong_with_a_card_shows_in_files(
    card: dict[str, Any], words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: ())
    fill(tmp_path, {"config.json": {"vision_config": {}}, "model.safetensors": safetensors({})})
    one = ModelCard(name="m", checkpoint=str(tmp_path)).model_copy(update=card)
    if words is None:
        check_card(one, False)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_card(one, False)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize("trusted", [False, True])
def test_small_files_travel_first_and_code_only_where_it_is_trusted(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def download(name: str, **how: Any) -> str:
        if how.get("local_files_only"):
            raise OSError("not here")
        assert (name, how["revision"]) == ("org/it", "2")
        asked.append(how["allow_patterns"])
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("hope_bench.adapters.checkpoint.check_runnable", lambda *_: asked.append("checked"))
    monkeypatch.setattr("hope_bench.adapters.checkpoint._files_at_hub", lambda *_: [])
    said: list[str] = []
    card = ModelCard(name="m", checkpoint="org/it", revision="2")
    fill(tmp_path, {"config.json": {}})
    small = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
    with pytest.raises(
        HopeBenchError, match=r"^org/it \(revision 2\) is incomplete in the local Hugging Face cache: it holds no weights"
    ):
        find_checkpoint(card, said.append, trusted)
    first = [*small, "*.py"] if trusted else small
    assert asked == [first, "checked", ["*.safetensors"], ["pytorch_model*.bin", "adapter_model.bin"]]
    fill(tmp_path, {"model.safetensors": safetensors({})})
    asked.clear()
    assert find_checkpoint(card, said.append, trusted).identity == f"org/it@{tmp_path.name}"
    assert asked == [first, "checked", ["*.safetensors"]]
    asked.clear()
    find_checkpoint(card, said.append, trusted, runs_here=False)
    assert asked == [first, ["*.safetensors"]]


# A server's command.


@pytest.mark.parametrize(
    ("healthy", "ends", "raised", "slept"),
    [
        (3, None, None, 3),
        (10**6, 4, "The server ended before it was ready. words", 4),
        (10**6, None, "The server was not ready after 400 s (more time: --server-timeout). words", 2001),
    ],
)
def test_a_server_is_waited_for(
    healthy: int, ends: int | None, raised: str | None, slept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, said = [0], list[str]()
    monkeypatch.setattr(server.time, "monotonic", lambda: sleeps[0] / 5)
    monkeypatch.setattr(server.time, "sleep", lambda seconds: sleeps.__setitem__(0, sleeps[0] + round(seconds * 5)))

    class Waiting(server.Server):
        log = Path("log")

        def __init__(self) -> None:
            """Nothing is started."""

        def _is_healthy(self) -> bool:
            return sleeps[0] >= healthy

        @property
        def ended(self) -> bool:
            return ends is not None and sleeps[0] >= ends

        def last_words(self) -> str:
            return "words"

    if raised is None:
        Waiting().wait_until_ready(400, said.append)
    else:
        with pytest.raises(HopeBenchError) as refused:
            Waiting().wait_until_ready(400, said.append)
        assert str(refused.value) == raised
    assert sleeps == [slept]
    assert said == (["Waiting for the server; its log: log"] * 2 if slept == 2001 else []), "after a minute, and five more"


def test_a_served_models_end_is_the_servers_and_of_its_files() -> None:
    served, ended = Served.__new__(Served), list[object]()
    served._server = cast(Any, SimpleNamespace(close=lambda keep: ended.append(("server", keep))))
    served._endpoint = cast(Any, SimpleNamespace(close=lambda: ended.append("endpoint")))
    served._files = cast(Any, SimpleNamespace(cleanup=lambda: ended.append("files")))
    served.close()
    served.close()
    assert ended == [("server", False), "endpoint", "files", "endpoint"]
    served._endpoint = None
    served.close()
    assert len(ended) == 4


def test_what_starts_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_program", lambda kind: [kind])
    plain = ["--host", "127.0.0.1", "--port", "7"]
    for kind, card, template, expected in (
        ("vllm", {}, None, [*plain, "--served-model-name", "o/c", "--enable-prefix-caching", "--generation-config", "vllm"]),
        (
            "sglang",
            {"dtype": "float16"},
            None,
            [*plain, "--dtype", "float16", "--served-model-name", "o/c", "--sampling-defaults", "openai"],
        ),
        (
            "transformers",
            {"trust_remote_code": True, "device": "cpu"},
            Path("t.jinja"),
            [*plain, "--trust-remote-code", "--chat-template", "t.jinja", "--device", "cpu"],
        ),
        ("transformers", {}, None, plain),
    ):
        one = ModelCard(name="m", checkpoint="o/c", server=cast(Any, kind), server_args="--x=1 y").model_copy(update=card)
        at = ["--model-path", "F"] if kind == "sglang" else ["F"]
        assert command_line(one, Path("F"), 7, template) == [kind, *at, *expected, "--x=1", "y"]
        assert served_name(one, Path("F")) == ("F" if kind == "transformers" else "o/c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("--tp 2 'a b'", ["--tp", "2", "a b"]),
        ("-p 3", ["-p", "3"]),
        ("--h=a", ["--h=a"]),
        ("--ho=a=b", "--ho among"),
        ("--host-x", ["--host-x"]),
        ("--por 7", "--por among"),
        ("--api_key=x=y", "--api-key among"),
        ("--x=--host", ["--x=--host"]),
        ("--", ["--"]),
        ("--x 'y", "The server's arguments can't be read (No closing quotation): \"--x 'y\"."),
        ("--dt 1", "--dt among"),
    ],
)
def test_a_servers_further_arguments(text: str, words: list[str] | str) -> None:
    if isinstance(words, list):
        assert further_arguments(text) == words
        return
    with pytest.raises(HopeBenchError) as refused:
        further_arguments(text)
    assert str(refused.value).startswith(words)


def test_a_served_copy_keeps_special_tokens_alone_of_its_generation_settings(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"config.json": "{}"})
    assert plain_copy(folder, tmp_path / "no") == folder
    for own, left in (({"eos_token_id": 2, "top_p": 0.5}, {"eos_token_id": 2}), ([], {})):
        fill(folder, {"generation_config.json": own})
        copy = plain_copy(folder, tmp_path / f"copy{len(left)}")
        assert json.loads((copy / "generation_config.json").read_text()) == left
        assert (copy / "config.json").readlink() == folder / "config.json"


# Rows and words.


def image_rows(*ids: list[int], pixels: int = 4) -> ImageRows:
    rows = tuple({"input_ids": torch.tensor([one]), "pixel_values": torch.zeros(1, pixels)} for one in ids)
    return ImageRows(rows, frozenset({"input_ids"}))


def test_questions_by_image_and_size() -> None:
    one, other = object(), object()
    assert _by_image(cast(Any, [(one, "a"), (other, "b"), (one, "c")])) == [[0, 2], [1]]
    assert [row["input_ids"].tolist() for row in _each_once(image_rows([1, 2], [1, 2], [3])).rows] == [[[1, 2]], [[3]]]
    assert _size_class([image_rows([1] * 8, [1] * 7)]) == (3, 3, 0)
    assert _size_class([image_rows([1] * 8, pixels=8), image_rows([1])]) == (4, 4, 1)
    rows = list(image_rows([1, 2], [3]).rows)
    batch = {"input_ids": torch.tensor([[1, 2], [9, 3]]), "pixel_values": torch.zeros(2, 4)}
    assert _joined_alike(rows, batch, 9) == {"input_ids"}
    assert _joined_alike(rows, batch, 8) is None
    assert _joined_alike(rows, {**batch, "more": torch.zeros(1)}, 9) is None


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


def test_secrets_are_blotted_out_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    key = 'sk-"ä<1'
    data = key.encode()
    forms = [
        key,
        key.replace('"', '\\"'),
        json.dumps(key)[1:-1],
        key.replace("<", "&lt;"),
        key.replace("<", "&amp;lt;"),
        key.replace("<", "&#60;"),
        key.replace("<", "&#x003C;"),
        key.replace("<", "%3c"),
        key.replace("<", "%253C"),
        key.replace("<", "\\u003c"),
        data.hex(),
        data.hex(" ").upper(),
        *(base64.b64encode(b"x" * before + data + b"yyy").decode() for before in range(3)),
    ]
    for form in forms:
        blotted = without_secrets(f"({form})", [key])
        assert "***" in blotted, form
        assert key not in blotted
    assert without_secrets("a EMPTY key", ["EMPTY"]) == "a EMPTY key"
    assert without_secrets("a secret key", ["secret"]) == "a *** key"
    for name in ("A_KEY", "B_TOKEN", "C_PASSWORD", "D_SECRET", "KEY_NONE", "SHORT_KEY"):
        monkeypatch.setenv(name, " 12345678 " if name != "SHORT_KEY" else "1234567")
    assert environment_secrets().count("12345678") == 4
    assert "1234567" not in environment_secrets()
    for value, found in ((" key\n", "key"), ("", None), (" ", None)):
        monkeypatch.setenv("A_KEY", value)
        assert secret_of("A_KEY") == found
    monkeypatch.delenv("A_KEY")
    assert secret_of("A_KEY") is None
    for value in ("ké", "a\tb"):
        monkeypatch.setenv("A_KEY", value)
        with pytest.raises(HopeBenchError, match="The environment variable A_KEY holds characters"):
            secret_of("A_KEY")


def test_what_is_given_in_python_has_a_card_and_an_identity() -> None:
    model = SimpleNamespace(config=SimpleNamespace(_name_or_path="org/it/", model_type="llava"))
    made = card_of(model, batch_size=3)
    assert (made.name, made.checkpoint, made.family, made.batch_size) == ("it", "it", "llava", 3)
    assert card_of(model, "n" * 150).name == "n" * 100
    assert card_of(object()).name == "object"
    with pytest.raises(HopeBenchError, match=r"^dtype, device would have no effect"):
        card_of(model, device="cpu", dtype="float32")
    said: list[str] = []

    class Mine:
        identity: Any = "2"

    where = f"{__name__}.{Mine.__qualname__}"
    assert GivenObject(Mine(), said.append).info.identity == f"{where} 2"
    assert GivenObject(Mine(), said.append, identity="3").info.said == "3"
    assert said == []
    Mine.identity = None
    assert GivenObject(Mine(), said.append).info.identity == where
    assert len(said) == 1
    for wrong in (7, ""):
        Mine.identity = wrong
        with pytest.raises(HopeBenchError, match="not a text that says which model it is"):
            GivenObject(Mine())
