"""A model that is in memory, piece by piece with models of one layer: its identity, who may be asked, what an adapter adds."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, LlavaConfig

from hope_bench.adapters import loading
from hope_bench.adapters.identity import _adapters, _bytes, _check_code, _content_sha256, _plain, _tokenizer, loaded_sha256
from hope_bench.adapters.loaded_model import NOT_WHOLE, LoadedModel, _check_model, _check_processor, _whole, unwrapped
from hope_bench.adapters.loading import _with_special_tokens
from hope_bench.adapters.lora import with_adapter
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.unit.test_safety_code import Evil

SAY = 'say which model it is, identity="...", a text that changes whenever its answers may.'


def canonical(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of_tensor(value: torch.Tensor) -> str:
    inner = hashlib.sha256(value.contiguous().view(torch.uint8).numpy().tobytes()).digest()
    return hashlib.sha256(f"{value.dtype} {tuple(value.shape)} ".encode() + inner).hexdigest()


class Net(torch.nn.Sequential):
    """Two layers, a buffer that is not saved, and settings."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(2, 3), torch.nn.ReLU())
        self.register_buffer("scale", torch.tensor([2.0, 3.0]), persistent=False)
        self.config = SimpleNamespace(to_dict=lambda: {"model_type": "net", "use_cache": True, "layers": (1, 2)})
        self.generation_config: Any = None


Net.forward = torch.nn.Sequential.forward  # type: ignore[method-assign]
Net.__module__ = "torch.nets"


class Tokens:
    """A tokenizer without a fast one."""

    special_tokens_map = {"eos_token": "</s>"}  # noqa: RUF012

    def get_vocab(self) -> dict[str, int]:
        return {"a": 1}


def processor(**more: Any) -> Any:
    fields = {"tokenizer": Tokens(), "to_dict": lambda: {"size": 7, "auto_map": "x"}, "chat_template": "own"}
    return SimpleNamespace(**{**fields, **more})


@pytest.mark.parametrize(
    ("generation", "tokens"),
    [
        (None, [None, None, None, None]),
        (GenerationConfig(eos_token_id=1, pad_token_id=2, bos_token_id=3, decoder_start_token_id=4), [1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize(("own", "given", "template"), [("own", "card's", "own"), (None, "card's", "card's")])
def test_an_identity_is_a_hash_of_all_that_is_listed(
    generation: Any, tokens: list[Any], own: str | None, given: str, template: str
) -> None:
    net = Net()
    net.generation_config = generation
    linear = {"in_features": 2, "out_features": 3}
    plain = {} if generation else {"generation_config": None}
    listed = {
        "weights": canonical({name: of_tensor(value.detach()) for name, value in net[0].named_parameters("0")}),
        "modules": [
            ["", "Net", plain],
            ["0", "Linear", linear],
            ["1", "ReLU", {"inplace": False}],
        ],
        "buffers": {"scale": of_tensor(net.scale)},
        "config": {"model_type": "net", "layers": [1, 2]},
        "adapters": [],
        "tokens": tokens,
        "processor": {"size": 7},
        "tokenizer": ["Tokens", {"a": 1}, {"eos_token": "</s>"}],
        "template": template,
    }
    assert loaded_sha256(net, processor(chat_template=own), given) == canonical(listed)


def test_what_a_module_is_besides_its_weights() -> None:
    net = Net()
    held = torch.ones(2)
    vars(net).update(
        {
            "held": held, "kind": torch.float16, "rate": 0.5, "names": ["a", None], "pair": (1, 2), "flag": True, "nothing": None,
            "_own": 1, "is_gradient_checkpointing": True, "rope_deltas": 1, "attention_dropout": 0.1, "mixed": [1, {}], "map": {},
            "tensors": [held],
        }
    )  # fmt: skip
    assert _plain(net) == {
        "held": of_tensor(held), "kind": "torch.float16", "rate": 0.5, "names": ["a", None], "pair": [1, 2], "flag": True,
        "nothing": None, "generation_config": None,
    }  # fmt: skip


def test_layers_with_adapters_are_told_by_what_is_active() -> None:
    net = Net()
    net[0].disable_adapters, net[0].active_adapters, net[0].scaling = False, ["b"], {"b": 2.0}  # type: ignore[assignment]
    net[1].active_adapters, net[1].disable_adapters = ["c"], 1  # type: ignore[assignment]
    assert _adapters(net) == [[["b"], False, None, {"b": 2.0}]]


def test_a_fast_tokenizer_is_what_it_says_without_how_it_last_cut() -> None:
    class Fast:
        def __init__(self) -> None:
            self.how = ["pads", "cuts"]

        def no_padding(self) -> None:
            self.how.remove("pads")

        def no_truncation(self) -> None:
            self.how.remove("cuts")

        def to_str(self) -> str:
            return f"fast {self.how}"

    fast = Fast()
    assert _tokenizer(SimpleNamespace(backend_tokenizer=fast, special_tokens_map={"pad_token": 1})) == [
        "fast []",
        {"pad_token": 1},
    ]
    assert fast.how == ["pads", "cuts"]


def test_a_modules_own_state_is_hashed_whatever_it_is() -> None:
    tensor = torch.arange(6.0).reshape(2, 3).T
    assert _content_sha256(tensor, "w") == of_tensor(tensor)
    assert _content_sha256({"a": [tensor, 1, None]}, "w") == canonical({"a": [of_tensor(tensor), 1, None]})
    assert _content_sha256([io.BytesIO(b"x")], "w") == canonical([hashlib.sha256(b"x").hexdigest()])
    assert _bytes(1j, "w") == _bytes(1j, "w") != _bytes(2j, "w")
    for value, words in (
        (torch.zeros(2, device="meta"), "The weights w of this model can't be read ("),
        (lambda: 0, "What w of this model holds can't be read ("),
    ):
        with pytest.raises(HopeBenchError) as refused:
            _content_sha256(value, "w")
        assert str(refused.value).startswith(words)
        assert str(refused.value).endswith(SAY)


def steer(*_: Any) -> None: ...


def own_forward(self: Any, inputs: Any) -> Any:
    return torch.nn.Sequential.forward(self, inputs)


class Steered(Net):
    """A class of torch's by its name, with another's forward."""


Steered.forward = own_forward  # type: ignore[method-assign]
Steered.__module__ = "torch.nets"


def test_code_of_ones_own_is_named_with_its_place() -> None:
    def hooked(net: Any) -> None:
        net[0].register_forward_hook(steer)

    def hooked_before(net: Any) -> None:
        net[0].register_forward_pre_hook(steer)

    def of_a_library(net: Any) -> None:
        net[0].register_forward_hook(torch.nn.functional.relu)
        net[0].forward = functools.partial(torch.nn.functional.relu)
        net[1].register_forward_pre_hook(torch.nn.functional.relu)

    def hooked_behind(net: Any) -> None:
        of_a_library(net)
        hooked(net)

    def another_forward(net: Any) -> None:
        net.forward = steer

    def partial(net: Any) -> None:
        net[1].forward = functools.partial(steer, 1)

    for change, words in (
        (of_a_library, None),
        (hooked, "0 (Linear) has a hook (steer)"),
        (hooked_before, "0 (Linear) has a hook (steer)"),
        (hooked_behind, "0 (Linear) has a hook (steer)"),
        (another_forward, "The model (Net) has a forward of its own (steer)"),
        (partial, "1 (ReLU) has a forward of its own (functools.partial("),
    ):
        net = Net()
        change(net)
        if words is None:
            _check_code(net)
            continue
        with pytest.raises(HopeBenchError) as refused:
            _check_code(net)
        assert str(refused.value).startswith(words)
        assert str(refused.value).endswith(
            f"No hash of weights tells what that does, or this model's answers from those without it: {SAY}"
        )
    with pytest.raises(HopeBenchError, match=r"^The model \(Steered\) has another forward than its class's \(own_forward\)\."):
        _check_code(Steered())


# Who may be asked.


class Asked(torch.nn.Module):
    """Passes for a model of transformers, but for what a test changes."""

    def __init__(self, config: Any = None, generates: bool = True, device: str = "cpu") -> None:
        super().__init__()
        self.config, self._generates = config, generates
        self.layer, self.other = torch.nn.Linear(1, 1, device=device), torch.nn.Linear(1, 1)

    def generate(self) -> None: ...

    def can_generate(self) -> bool:
        return self._generates


class Known(Asked):
    """By its module, one of transformers'."""


Known.__module__ = "transformers.models.x"
TEXT = SimpleNamespace(model_type="text")
NO_MODEL = "is no transformers model that can generate. Load it with AutoModelForImageTextToText."


def on_meta(kind: type[Asked], hooked: bool = False) -> Asked:
    model = kind(LlavaConfig(), device="meta")
    model.other = torch.nn.Linear(1, 1, device="meta")
    if hooked:
        model.layer._hf_hook = 1  # type: ignore[assignment]
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Known(LlavaConfig()), None),
        (Asked(TEXT), None),
        (Known(LlavaConfig(), device="meta"), None),
        (on_meta(Known, hooked=True), None),
        (on_meta(Known), "This Known has no weights yet (it is on the meta device). Load them with from_pretrained."),
        (Asked(None), f"A Asked {NO_MODEL}"),
        (SimpleNamespace(config=1), f"A SimpleNamespace {NO_MODEL}"),
        (
            Known(TEXT),
            "A Known (text) can't be asked about an image: it is no image-text-to-text model of transformers. hope-bench needs a "
            "vision-language model.",
        ),
        (
            Known(LlavaConfig(), generates=False),
            "A Known has no language head. Load the model with AutoModelForImageTextToText.",
        ),
    ],
)
def test_a_model_that_can_be_asked_about_an_image(model: Any, words: str | None) -> None:
    if words is None:
        _check_model(model)
        return
    with pytest.raises(HopeBenchError) as refused:
        _check_model(model)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("fields", "template", "words"),
    [
        ({}, None, None),
        ({"chat_template": None}, "card's", None),
        ({"chat_template": None}, None, "This processor has no chat template, so nothing says"),
        ({"chat_template": ""}, "", "This processor has no chat template, so nothing says"),
        ({"tokenizer": None}, None, "A SimpleNamespace doesn't make a model's inputs of an image and a text."),
        ({"image_processor": None}, None, "A SimpleNamespace doesn't make a model's inputs of an image and a text."),
    ],
)
def test_a_processor_that_makes_a_models_inputs(fields: dict[str, Any], template: str | None, words: str | None) -> None:
    one = SimpleNamespace(**{"tokenizer": 1, "image_processor": 1, "chat_template": "x", **fields})
    if words is None:
        _check_processor(one, template)
        return
    with pytest.raises(HopeBenchError) as refused:
        _check_processor(one, template)
    assert str(refused.value).startswith(words)


def test_a_model_within_its_wrappers(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Net()
    assert unwrapped(inner) is inner

    def peft(model: Any, *prompts: bool) -> Any:
        configs = {f"p{place}": SimpleNamespace(is_prompt_learning=one) for place, one in enumerate(prompts)}
        outer = torch.nn.Module()
        outer.model = model
        vars(outer).update({"peft_config": configs, "get_base_model": lambda: model})
        return outer

    assert unwrapped(peft(inner, False, False)) is inner
    assert unwrapped(peft(peft(inner), False)) is inner
    with pytest.raises(HopeBenchError, match=r"^The adapter 'p1' of this PEFT model is a learnt prompt"):
        unwrapped(peft(inner, False, True))
    assert _whole(inner)

    class Sharded(torch.nn.Sequential):
        """What FSDP makes of a module."""

    monkeypatch.setattr("torch.distributed.fsdp.FullyShardedDataParallel", Sharded)
    assert _whole(inner)
    assert not _whole(torch.nn.Sequential(torch.nn.ReLU(), Sharded()))
    kept: list[bool] = []

    def extracted(model: Any, keep_torch_compile: bool) -> Any:
        kept.append(keep_torch_compile)
        return model

    monkeypatch.setattr("hope_bench.adapters.loaded_model.extract_model_from_parallel", extracted)
    unwrapped(inner)
    assert kept == [False]
    inner[0].bias.ds_id = 0
    assert not _whole(inner)
    with pytest.raises(HopeBenchError) as refused:
        unwrapped(inner)
    assert str(refused.value) == NOT_WHOLE


@pytest.mark.parametrize(("identity", "weights"), [(None, "hashed"), ("mine", None)])
def test_what_a_loaded_model_says_of_itself(identity: str | None, weights: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes: list[object] = []

    def once(*of: object) -> str:
        hashes.append(of)
        return "hashed"

    monkeypatch.setattr("hope_bench.adapters.loaded_model.loaded_sha256", once)
    monkeypatch.setattr("hope_bench.adapters.loaded_model.autocast_dtype", lambda model: model.computed)
    model = LoadedModel.__new__(LoadedModel)
    model._given = SimpleNamespace(config=SimpleNamespace(to_dict=dict), dtype=torch.float16, computed=None)  # type: ignore[attr-defined]
    model._processor, model._identity, model._sha256 = "processor", identity, None  # type: ignore[attr-defined]
    model._card = SimpleNamespace(chat_template="t")  # type: ignore[assignment]
    model._device = torch.device("cpu")
    vars(model)["_template"] = SimpleNamespace(thinks=True, sha256="probe")
    for _ in range(2):
        info = model.info
        assert (info.identity, info.weights_sha256, info.said) == (identity or "sha256:hashed", weights, identity)
    assert hashes == ([] if identity else [(model._given, "processor", "t")])
    assert (info.dtype, info.device_kind, info.thinks, info.probe_sha256, info.vision_tower) == (
        "float16",
        "cpu",
        True,
        "probe",
        None,
    )
    assert (info.adapter, info.revision) == ("transformers", None)
    model._given.computed = torch.bfloat16
    assert model.info.dtype == "several, autocast to bfloat16"
    ready: list[Any] = []
    monkeypatch.setattr(model, "_ready", lambda *given: ready.append(given))
    monkeypatch.setattr(model, "_check_asked", ready.append)
    monkeypatch.setattr(model, "_as_it_was", contextlib.nullcontext)
    model._processor = [[1]]  # type: ignore[attr-defined]
    model.load()
    assert ready == [(model._given, [[1]], model._template, torch.float16), "This SimpleNamespace"]
    assert ready[0][1][0] is not model._processor[0], "what it holds is copied, too"
    model._paths = None
    with pytest.raises(RuntimeError, match="before load"):
        model.answer([])


# What lies beside a model.


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_an_adapter_has_all_its_weights(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    held = {"a": torch.zeros(1), "b": torch.zeros(1)}
    if form == "safetensors":
        save_file(held, tmp_path / "adapter_model.safetensors")
    else:
        torch.save(held, tmp_path / "adapter_model.bin")
    wanted = {"b": 1, "a": 1}

    def state(model: object, save_embedding_layers: bool) -> dict[str, int]:
        assert (model, save_embedding_layers) == (adapted, False)
        return wanted

    adapted = SimpleNamespace(get_base_model=lambda: "base")
    monkeypatch.setattr(peft.PeftModel, "from_pretrained", lambda model, folder: adapted if model == "m" else folder)
    monkeypatch.setattr(peft, "get_peft_model_state_dict", state)
    assert with_adapter("m", tmp_path) == "base"
    wanted |= {"z": 1, "y": 1, "x": 1}
    merging = (
        f"Or merge it where it was trained: PeftModel.from_pretrained(model, {str(tmp_path)!r}).merge_and_unload()"
        ".save_pretrained(WHOLE), and save the processor there, too."
    )
    with pytest.raises(HopeBenchError) as refused:
        with_adapter("m", tmp_path)
    assert str(refused.value) == (
        f"The adapter {tmp_path} lacks 3 of the weights that its base model would need (x, y and 1 more): it was trained on "
        f"another one, or with a transformers that called its layers otherwise. {merging}"
    )

    (tmp_path / "adapter_model.safetensors").unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    torch.save(Evil(), tmp_path / "adapter_model.bin")
    with pytest.raises(HopeBenchError, match="can't be put into its base model: UnpicklingError"):
        with_adapter("m", tmp_path)
    assert not (tmp_path / "it ran").exists()

    def fails(*_: object) -> None:
        raise ValueError("size mismatch")

    monkeypatch.setattr(peft.PeftModel, "from_pretrained", fails)
    with pytest.raises(HopeBenchError) as refused:
        with_adapter("m", tmp_path)
    assert str(refused.value).startswith(f"The adapter {tmp_path} can't be put into its base model: ValueError: size mismatch.")
    assert str(refused.value).endswith(merging)


@pytest.mark.parametrize(
    ("files", "named", "vocabulary", "added"),
    [
        (["tekken.json"], {}, ["<s>", "</s>", "<pad>", "<unk>", "x"], ["bos_token", "eos_token", "pad_token", "unk_token"]),
        (["tekken.json"], {"eos_token": "own"}, ["<s>", "</s>", "<pad>"], ["bos_token", "pad_token"]),
        (["tekken.json"], {}, ["x"], None),
        ([], {}, ["<s>"], None),
    ],
)
def test_mistrals_vocabularies_are_told_their_special_tokens(
    files: list[str], named: dict[str, str], vocabulary: list[str], added: list[str] | None, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).touch()
    told: list[dict[str, str]] = []
    names: dict[str, Any] = {"bos_token": None, "eos_token": None, "pad_token": None, "unk_token": None, **named}
    vocab: Callable[[], dict[str, int]] = lambda: dict.fromkeys(vocabulary, 1)  # noqa: E731
    _with_special_tokens(SimpleNamespace(get_vocab=vocab, add_special_tokens=told.append, **names), tmp_path)
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    assert told == ([] if added is None else [{name: tokens[name] for name in added}])


@pytest.mark.parametrize(
    ("settings", "more", "placed"),
    [
        (None, {}, {"": torch.device("cpu")}),
        ({}, {}, {"": torch.device("cpu")}),
        ({"attention": "eager", "compile": True}, {"attn_implementation": "eager"}, {"": torch.device("cpu")}),
        ({"device_map": "auto"}, {}, "auto"),
        ({"quantize": "4bit"}, {"quantization_config": (True, False, torch.bfloat16)}, {"": torch.device("cpu")}),
        ({"quantize": "8bit"}, {"quantization_config": (False, True, None)}, {"": torch.device("cpu")}),
    ],
)
def test_a_model_is_loaded_as_its_card_says(
    settings: dict[str, Any] | None, more: dict[str, Any], placed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = None if settings is None else ModelCard(name="m", checkpoint="it").model_copy(update=settings)
    asked: list[dict[str, Any]] = []
    compiled: list[object] = []
    model = SimpleNamespace(eval=lambda: "ready", compile=lambda dynamic: compiled.append(dynamic))

    def from_pretrained(folder: str, **how: Any) -> Any:
        asked.append({"folder": folder, **how})
        return model, "report"

    monkeypatch.setattr(loading, "_auto_class", lambda *_: SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setattr(
        loading,
        "BitsAndBytesConfig",
        lambda load_in_4bit, load_in_8bit, bnb_4bit_compute_dtype: (load_in_4bit, load_in_8bit, bnb_4bit_compute_dtype),
    )
    monkeypatch.setattr(loading, "no_larger_than", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(loading, "weight_files", lambda _: [])
    monkeypatch.setattr(loading, "_check_whole", lambda *given: compiled.append(given[2]))
    assert loading.load_model(str(tmp_path), torch.bfloat16, torch.device("cpu"), card) == "ready"
    fixed = {"trust_remote_code": False, "output_loading_info": True, "ignore_mismatched_sizes": True}
    assert asked == [{"folder": str(tmp_path), "dtype": torch.bfloat16, "device_map": placed, **fixed, **more}]
    assert compiled == ["report", *([True] if settings and settings.get("compile") else [])]
    if settings and settings.get("device_map"):
        model.hf_device_map = {"a": 0, "b": "disk", "c": "cpu"}
        with pytest.raises(HopeBenchError, match=r"--device-map auto leaves some of them on the cpu and the disk, where every"):
            loading.load_model(str(tmp_path), torch.bfloat16, torch.device("cuda"), card)
        assert loading.load_model(str(tmp_path), torch.bfloat16, torch.device("cpu"), card) == "ready"
        model.hf_device_map = {"a": 0, "b": 1}
        assert loading.load_model(str(tmp_path), torch.bfloat16, torch.device("cuda"), card) == "ready"
