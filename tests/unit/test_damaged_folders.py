"""Checkpoint folders that are damaged, incomplete or put together wrongly: said in words, mostly before torch is imported."""

from __future__ import annotations

import contextlib
import errno
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from hope_bench.adapters.choosing import make_adapter
from hope_bench.adapters.known import check_card, known_info
from hope_bench.adapters.loaded_model import LoadedModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, find_card
from tests.small_benchmark import write_small
from tests.unit.test_start import fresh

Checkpoint = Callable[[str], Path]
Content = Any
"""Of a file: bytes as they are, a path that a link leads to, everything else as JSON."""

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
)
PLAIN = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}
WEIGHTS = "model.safetensors"
EMPTY = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file of no tensors."""
_HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
ONE_TENSOR = len(_HEADER).to_bytes(8, "little") + _HEADER
"""A safetensors file of one tensor of 8 bytes, cut off before them."""
LORA = {"peft_type": "LORA", "base_model_name_or_path": "org/base"}


def write(folder: Path, files: Mapping[str, Content]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            file.symlink_to(content)
        else:
            file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def card(folder: Path | str) -> ModelCard:
    return ModelCard(name="tiny", checkpoint=str(folder), device="cpu", path="plain")


def refused(folder: Path) -> str:
    """Why a folder is refused, without transformers."""
    with pytest.raises(HopeBenchError) as caught:
        check_card(card(folder), False)
    return str(caught.value)


def weights(content: Content, **more: Content) -> dict[str, Content]:
    return {"config.json": PLAIN, WEIGHTS: content, **more}


def index(content: Content) -> dict[str, Content]:
    return {"config.json": PLAIN, "model.safetensors.index.json": content}


def adapter(**keys: Any) -> dict[str, Content]:
    return {"adapter_config.json": LORA | keys, "adapter_model.safetensors": EMPTY}


FOLDERS: dict[str, tuple[dict[str, Content], str]] = {
    # Settings
    "a list": ({"config.json": [1], WEIGHTS: EMPTY}, "damaged config.json: it holds a list, not an object"),
    "null": ({"config.json": None, WEIGHTS: EMPTY}, "it holds null"),
    "half": ({"config.json": b'{"model', WEIGHTS: EMPTY}, "damaged config.json: JSONDecodeError"),
    "other bytes": ({"config.json": b"\xff\xfe", WEIGHTS: EMPTY}, "damaged config.json: UnicodeDecodeError"),
    "too deep": ({"config.json": b"[" * 99999, WEIGHTS: EMPTY}, "damaged config.json: RecursionError"),
    "a pointer": ({"config.json": POINTER, WEIGHTS: EMPTY}, "damaged config.json: it is a Git LFS pointer .* git lfs pull"),
    "layers": (
        {"config.json": PLAIN | {"text_config": {"num_hidden_layers": 2**32}}, WEIGHTS: EMPTY},
        "damaged config.json: num_hidden_layers is more than 10,000",
    ),
    "architectures": ({"config.json": PLAIN | {"architectures": 5}, WEIGHTS: EMPTY}, "architectures is a number, not a list"),
    "model type": ({"config.json": PLAIN | {"model_type": ["llava"]}, WEIGHTS: EMPTY}, "model_type is a list, not a text"),
    "part": ({"config.json": PLAIN | {"text_config": "llama"}, WEIGHTS: EMPTY}, "text_config is a text, not an object"),
    "part's type": (
        {"config.json": PLAIN | {"vision_config": {"model_type": {}}}, WEIGHTS: EMPTY}, "vision_config.model_type is an object",
    ),
    # Weights
    "pointer": (weights(POINTER), "model.safetensors is a Git LFS pointer .* run git lfs pull"),
    "empty": (weights(b""), "model.safetensors is empty"),
    "web page": (weights(b"<!DOCTYPE html><html>" * 9), "model.safetensors is no safetensors file"),
    "cut header": (weights((500).to_bytes(8, "little") + b'{"a"'), r"is 12 bytes and not the 508 that its header says"),
    "cut behind its header": (weights(ONE_TENSOR), rf"is {len(ONE_TENSOR)} bytes and not the {len(ONE_TENSOR) + 8} that"),
    "header of numbers": (weights((7).to_bytes(8, "little") + b'{"a":1}'), "its header is damaged"),
    "pickle: pointer": ({"config.json": PLAIN, "pytorch_model.bin": POINTER}, "pytorch_model.bin is a Git LFS pointer"),
    "pickle: empty": ({"config.json": PLAIN, "pytorch_model.bin": b""}, "pytorch_model.bin is empty"),
    "pickle: garbage": ({"config.json": PLAIN, "pytorch_model.bin": b"garbage"}, "is not what torch.save writes"),
    "pickle: cut": ({"config.json": PLAIN, "pytorch_model.bin": b"PK\3\4" + bytes(99)}, "pytorch_model.bin is cut off"),
    "shard: pointer": (index({"weight_map": {"a": "m-1.safetensors"}}) | {"m-1.safetensors": POINTER}, "m-1.* Git LFS pointer"),
    "link": (weights(Path("../../blobs/4d7a")), "model.safetensors is a link to ../../blobs/4d7a, which is not there"),
    "config link": ({"config.json": Path("/no/where"), WEIGHTS: EMPTY}, "config.json is a link to /no/where"),
    "index link": (index(Path("/no/where")), "index.json is a link to /no/where"),
    "variant": ({"config.json": PLAIN, "model.fp16.safetensors": EMPTY}, r"model.fp16.safetensors, .* \(rename it\)"),
    # Indexes
    "number": (index({"weight_map": {"a": 5}}), "index.json is damaged"),
    "mixed": (index({"weight_map": {"a": None, "b": "x"}}), "index.json is damaged"),
    "no map": (index({"metadata": {}}), "index.json is damaged"),
    "nothing named": (index({"weight_map": {}}), "names no weight files"),
    "long name": (index({"weight_map": {"a": "x" * 5000}}), "index.json is damaged"),
    "index pointer": (index(POINTER), "index.json is a Git LFS pointer"),
    "no index": (
        {"config.json": PLAIN, "model-00001-of-00002.safetensors": EMPTY}, "model.safetensors.index.json is missing",
    ),
    "no index, pickles": (
        {"config.json": PLAIN, "pytorch_model-00001-of-00002.bin": EMPTY}, "pytorch_model.bin.index.json is missing",
    ),
    # Adapters
    "base": (adapter(base_model_name_or_path=5), "base_model_name_or_path is 5, not a name"),
    "bases": (adapter(base_model_name_or_path=["a"]), "base_model_name_or_path is .*, not a name"),
    "revision": (adapter(revision=5), "revision is 5, not a name"),
    "long base": (adapter(base_model_name_or_path="a" * 5000), "which is no folder here"),
    "adapter list": (adapter() | {"adapter_config.json": [1]}, "damaged adapter_config.json: it holds a list"),
    "adapter pointer": (adapter() | {"adapter_config.json": POINTER}, "damaged adapter_config.json: it is a Git LFS pointer"),
    "no weights": ({"adapter_config.json": LORA}, "it holds no weights .adapter_model.safetensors or adapter_model.bin"),
    # Other folders
    "cache": (
        {"snapshots/c0ffee/config.json": PLAIN, "snapshots/c0ffee/model.safetensors": EMPTY, "refs/main": b"c0ffee"},
        "a repository in Hugging Face's cache, and one lies in it: name .*/snapshots/c0ffee",
    ),
    "within": ({"final/config.json": PLAIN, "log.txt": b""}, "is no checkpoint itself, and one lies in it: name .*/final"),
    "several": ({"a/config.json": PLAIN, "b/adapter_config.json": LORA}, "name one of .*/a, .*/b"),
    "open_clip": ({"open_clip_config.json": {}, "open_clip_model.safetensors": EMPTY}, "an encoder of open_clip's.*--clip"),
    "diffusers": ({"model_index.json": {}, "unet/config.json": {}}, "a pipeline of diffusers'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOLDERS)
def test_it_is_said_what_is_wrong(kind: str, tmp_path: Path) -> None:
    files, message = FOLDERS[kind]
    pytest.importorskip("peft")
    folder = write(tmp_path / "saved", files)
    said = refused(folder)
    assert pytest.raises(HopeBenchError, match=message).matches(HopeBenchError(said)), said
    assert "\n" not in said
    with pytest.raises(HopeBenchError):
        make_adapter(card(folder), print)


def test_weights_that_the_disk_does_not_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, opened = write(tmp_path / "saved", weights(EMPTY)), Path.open

    def fails(file: Path, *how: Any, **more: Any) -> Any:
        if file.name == WEIGHTS:
            raise OSError(errno.EIO, "Input/output error")
        return opened(file, *how, **more)

    monkeypatch.setattr(Path, "open", fails)
    assert f"{WEIGHTS} can't be read (Input/output error)" in refused(folder)


def test_it_is_said_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    kinds = ("architectures", "a pointer", "pointer", "pickle: garbage", "number", "base", "no weights", "cache")
    folders = [write(tmp_path / f"saved-{place}", FOLDERS[kind][0]) for place, kind in enumerate(kinds)]
    small = write_small(tmp_path / "small")
    asked = [["evaluate", "-m", folder, "-b", small.folder, "--images", small.images] for folder in folders]
    for kind, told in zip(kinds, fresh(asked, tmp_path), strict=True):
        assert told.code == 2, (kind, told)
        assert told.heavy == [], kind
        assert "saved-" in told.said
        assert "Traceback" not in told.said


@pytest.mark.parametrize("kind", ["pointer", "empty", "garbage", "cut"])
@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapters_weights(kind: str, name: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    cut = EMPTY[:-1] if name.endswith("safetensors") else b"PK\3\4" + bytes(99)
    content = {"pointer": POINTER, "empty": b"", "garbage": b"garbage, " * 9, "cut": cut}[kind]
    base = str(checkpoint("llava"))
    folder = write(tmp_path / "lora", {"adapter_config.json": LORA | {"base_model_name_or_path": base}, name: content})
    said = refused(folder)
    assert name in said
    assert ("git lfs pull" if kind == "pointer" else "Copy or download it again") in said


def test_adapters_in_circles(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    one, other = (tmp_path / name for name in ("one", "other"))
    write(one, adapter(base_model_name_or_path=str(other)))
    write(other, adapter(base_model_name_or_path=str(one)))
    itself = write(tmp_path / "itself", adapter(base_model_name_or_path=str(tmp_path / "itself")))
    for folder, message in [(one, "itself an adapter"), (other, "itself an adapter"), (itself, "names itself as its base model")]:
        for check in (lambda folder=folder: check_card(card(folder), False), lambda folder=folder: known_info(card(folder))):
            with pytest.raises(HopeBenchError, match=message):
                check()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://huggingface.co/llava-hf/llava-1.5-7b-hf", "give the id alone, llava-hf/llava-1.5-7b-hf"),
        ("huggingface.co/org/name/tree/main", "give the id alone, org/name"),
        ("~/models/x", "give /.*/models/x"),
        ("org/name/", "without a slash: org/name"),
        ("x" * 5000, "No model 'xxx"),
    ],
)
def test_what_a_name_was_meant_to_be(name: str, message: str) -> None:
    with pytest.raises(HopeBenchError, match=message) as caught:
        find_card(name)
    assert len(str(caught.value)) < 1500
    with pytest.raises(HopeBenchError):
        check_card(card(name), False)


@pytest.mark.parametrize(
    ("config", "told", "not_told"),
    [
        ({"model_type": "whisper"}, "a model of sound", "without eyes"),
        ({"model_type": "wav2vec2"}, "a model of sound", "without eyes"),
        ({"model_type": "qwen2_5_omni"}, "It sees, .* ask the server with --base-url", "Name a vision"),
        ({"model_type": "voxtral"}, "a model of sound", "It sees"),
        ({"model_type": "bert"}, "an encoder of texts", "without eyes"),
        ({"model_type": "deberta-v2"}, "an encoder of texts", "without eyes"),
        ({"model_type": "t5"}, "a language model without eyes", "encoder"),
        (PLAIN | {"quantization_config": {"quant_method": "modelopt"}}, "is quantized by 'modelopt'", "Copy"),
        (PLAIN | {"quantization_config": {"group_size": 64, "bits": 4}}, "quantization_config doesn't say by what", "None"),
        (PLAIN | {"text_config": {"model_type": "nosuch"}}, "a text_config of model type 'nosuch'", "can't use"),
        (PLAIN | {"text_config": {"hidden_size": "wide"}}, "a config.json that transformers can't use", "doesn't know"),
    ],
)  # fmt: skip
def test_what_transformers_knows_of_a_model(config: dict[str, Any], told: str, not_told: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "saved", {"config.json": config, WEIGHTS: EMPTY})
    with pytest.raises(HopeBenchError, match=told) as caught:
        make_adapter(card(folder), print)
    assert not_told not in str(caught.value)


@pytest.fixture
def tiny(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llava"), tmp_path / "tiny"))


def loaded(folder: Path) -> None:
    model = make_adapter(card(folder), lambda _: None)
    assert model.info
    model.load()


def change(file: Path, **parts: Any) -> None:
    config = json.loads(file.read_text())
    for key, value in parts.items():
        config[key] = config.get(key, {}) | value if isinstance(value, dict) else value
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"text_config": {"num_hidden_layers": 1}}, r"holds 9 weights of layers that its config.json leaves out"),
        ({"text_config": {"num_hidden_layers": 3}}, r"lacks 9 of its model's weights \(.*layers\.2\."),
        ({"text_config": {"intermediate_size": 32}}, r"other shapes than config.json says \(.*\(64, 128\), not \(64, 32\)\)"),
        ({"text_config": {"vocab_size": 10**8}}, r"describes a model of more than 6400 million parameters"),
        ({"text_config": {"intermediate_size": 10**8}}, r"describes a model of more than"),
        ({"vision_config": {"image_size": 10**5}}, r"describes a model of more than"),
    ],
)  # fmt: skip
def test_a_config_of_another_size_is_refused(parts: dict[str, Any], message: str, tiny: Path) -> None:
    change(tiny / "config.json", **parts)
    with pytest.raises(HopeBenchError, match=message):
        loaded(tiny)


@pytest.mark.parametrize("family", ["llava", "internvl", "qwen2_5_vl"])
def test_an_eye_may_have_fewer_layers_than_its_file(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Its last layers are left out where features are read before them; a language model's never are."""
    folder = Path(shutil.copytree(checkpoint(family), tmp_path / "tiny"))
    whole = json.loads((folder / "config.json").read_text())
    count = "depth" if "depth" in whole["vision_config"] else "num_hidden_layers"
    layers = whole["vision_config"][count]
    assert layers > 1
    change(folder / "config.json", vision_config={count: layers - 1})
    loaded(folder)
    change(folder / "config.json", vision_config={count: layers + 1})
    with pytest.raises(HopeBenchError, match=r"lacks .* of its model's weights"):
        loaded(folder)
    fewer = {"num_hidden_layers": 1, "layer_types": whole["text_config"].get("layer_types", [])[:1] or None}
    change(folder / "config.json", vision_config={count: layers}, text_config=fewer)
    with pytest.raises(HopeBenchError, match="leaves out"):
        loaded(folder)


LAYER = "model.language_model.layers."


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ([f"{LAYER}0.self_attn.q_proj.bias"], True),
        ([f"{LAYER}0.self_attn.q_norm.weight"], True),
        ([f"{LAYER}7.mlp.up_proj.weight"], True),
        (["model.multi_modal_projector.linear_3.weight"], False),
        (["lm_head.bias"], True),
        ([f"{LAYER}0.self_attn.rotary_emb.inv_freq", f"{LAYER}1.self_attn.masked_bias"], False),
        ([f"{LAYER}2.eh_proj.weight", f"{LAYER}2.self_attn.q_proj.weight", f"{LAYER}2.shared_head.norm.weight"], False),
        (["mtp.layers.0.self_attn.q_proj.weight", "talker.layers.0.mlp.up_proj.weight"], False),
        (["model.vision_tower.head.mlp.fc1.weight", "model.vision_tower.embeddings.position_ids"], False),
    ],
)
def test_left_over_weights_that_belong_to_the_model_are_refused(more: Sequence[str], refused: bool, tiny: Path) -> None:
    held = load_file(tiny / WEIGHTS)
    save_file({**held, **{name: torch.zeros(3) for name in more}}, tiny / WEIGHTS, {"format": "pt"})
    raises = pytest.raises(HopeBenchError, match=r"config\.json leaves out") if refused else contextlib.nullcontext()
    with raises:
        loaded(tiny)


def test_scales_that_nobody_would_apply_are_refused(tiny: Path) -> None:
    """FP8 weights of which config.json says nothing; of which it does, transformers reads them without a GPU, too."""
    held, name = load_file(tiny / WEIGHTS), "language_model.model.layers.0.mlp.up_proj.weight"
    eighth = {name: held[name].to(torch.float8_e4m3fn), f"{name}_scale_inv": torch.ones(-(-len(held[name]) // 64), 1)}
    save_file(held | eighth, tiny / WEIGHTS, {"format": "pt"})
    with pytest.raises(HopeBenchError, match=r"holds quantized weights \(.*up_proj.weight_scale_inv\), and its config.json"):
        loaded(tiny)
    change(tiny / "config.json", quantization_config={"quant_method": "fp8", "weight_block_size": [64, 64]})
    loaded(tiny)


MARK = "<image>\n"
UNASKABLE: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no mark": ("chat_template.jinja", lambda text: text.replace(MARK, ""), "total 0 <image> tokens and 1 images"),
    "two marks": ("chat_template.jinja", lambda text: text.replace(MARK, MARK * 2), "total 2 <image> tokens and 1 images"),
    "another patch size": (
        "processor_config.json", lambda text: text.replace('"patch_size": 14', '"patch_size": 28'), "do not match, tokens: 4",
    ),
    "another size": ("processor_config.json", lambda text: text.replace("56", "112"), r"\(112\*112\) doesn't match model"),
    "another token": (
        "config.json", lambda text: re.sub(r'("image_token_\w+": )\d+', r"\g<1>7", text), "image tokens do not match",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNASKABLE)
def test_what_fails_on_every_question_is_refused_before_the_first(kind: str, tiny: Path) -> None:
    name, spoil, message = UNASKABLE[kind]
    before = (tiny / name).read_text()
    (tiny / name).write_text(spoil(before))
    assert (tiny / name).read_text() != before
    with pytest.raises(HopeBenchError, match=rf"can't be asked a question about a picture: .*{message}.*may not belong together"):
        loaded(tiny)
    processor = hf.AutoProcessor.from_pretrained(tiny)
    given = LoadedModel(hf.AutoModelForImageTextToText.from_pretrained(tiny), processor, card("given"))
    with pytest.raises(HopeBenchError, match=f"This LlavaForConditionalGeneration can't be asked .*{message}"):
        given.load()


def test_a_template_that_only_the_tokenizer_has_is_named(tiny: Path) -> None:
    (tiny / "chat_template.jinja").unlink()
    for template, message in [("{{ messages }}", "has one"), ([{"name": "rag", "template": "x"}], r"has some \(rag\)")]:
        change(tiny / "tokenizer_config.json", chat_template=template)
        with pytest.raises(HopeBenchError, match=rf"{message}.*save it as chat_template.jinja"):
            loaded(tiny)


VALUES: tuple[Any, ...] = (None, True, 5, -1, 0, 1.5, "x", [], ["x"], [[1]], {}, {"x": 1}, 10**40, "5", [None], "\0")


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*where, key)
        yield from places(inner, (*where, key))


def spoiled(whole: Any, rng: random.Random) -> Any:
    """The same with one value of another kind, or without one."""
    copy = json.loads(json.dumps(whole))
    where = rng.choice([place for place in places(whole) if not {"vocab", "merges"} & set(place)])
    holder = copy
    for key in where[:-1]:
        holder = holder[key]
    if rng.random() < 0.1:
        del holder[where[-1]]
    else:
        holder[where[-1]] = rng.choice(VALUES)
    return copy


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "processor_config.json", "tokenizer_config.json"])
def test_any_value_of_the_wrong_kind_is_survived_or_refused_in_words(name: str, tiny: Path) -> None:
    whole, rng = json.loads((tiny / name).read_text()), random.Random(0)
    for _ in range(12):
        (tiny / name).write_text(json.dumps(spoiled(whole, rng)))
        with contextlib.suppress(HopeBenchError):
            known_info(card(tiny))
            loaded(tiny)


def test_any_value_of_the_wrong_kind_in_what_is_read_without_transformers(tmp_path: Path) -> None:
    config = PLAIN | {"text_config": {"model_type": "llama"}, "auto_map": {"AutoModel": "own.Own"}, "mm_hidden_size": 5}
    shards = {"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}
    rng = random.Random(0)
    files = {"config.json": config, "model.safetensors.index.json": shards, "m-1.safetensors": EMPTY, "m-2.safetensors": EMPTY}
    whole, lora = (
        write(tmp_path / "whole", files),
        write(tmp_path / "lora", adapter(base_model_name_or_path=str(tmp_path / "whole"))),
    )
    for _ in range(60):
        for folder, name, value in (
            (whole, "config.json", config),
            (whole, "model.safetensors.index.json", shards),
            (lora, "adapter_config.json", json.loads((lora / "adapter_config.json").read_text())),
        ):
            before = (folder / name).read_bytes()
            (folder / name).write_text(json.dumps(spoiled(value, rng)))
            with contextlib.suppress(HopeBenchError):
                check_card(card(folder), False)
                known_info(card(folder))
            (folder / name).write_bytes(before)
