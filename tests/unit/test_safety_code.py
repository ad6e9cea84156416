"""Code of others: none runs because a model of its name is asked for."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

import hope_bench as hb
from hope_bench import HopeBenchError
from hope_bench.adapters.lora import base_of
from hope_bench.clip.encoder import load_encoder
from hope_bench.files.benchmark import Benchmark
from tests.cli import hope_bench, refused
from tests.clips import save_tiny_clip
from tests.runs import make_benchmark

CODE = """
from pathlib import Path
Path("it ran").touch()
class Mine:
    def __init__(self, card): pass
    def load(self): pass
    def answer(self, batch): return ["yes"] * len(batch)
"""
CARD = 'name = "{name}"\nadapter = "mine.py:Mine"\ncheckpoint = "anything"\n'


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """In a working directory whose models/ holds cards that somebody else put there, one under the name of a packaged one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text(CODE)
    for name in ("mine", "llava-1.5-7b"):
        (tmp_path / "models" / f"{name}.toml").write_text(CARD.format(name=name))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "images" / "a.png")
    return make_benchmark(tmp_path / "b", {"random": [("a.png", "dog", "yes")]})


ASKED: dict[str, Callable[..., object]] = {
    "evaluate": lambda model, **flags: hb.evaluate(model, "b", images="images", progress="quiet", **flags),
    "evaluate_prompts": lambda model, **flags: list(
        hb.evaluate_prompts(model, "b", "prompts.toml", images="images", progress="quiet", **flags)
    ),
    "verify": lambda model, **flags: hb.verify(model, pope="pope", images="images", **flags),
}


@pytest.mark.usefixtures("benchmark")
@pytest.mark.parametrize("name", ["mine", "llava-1.5-7b"])
@pytest.mark.parametrize("ask", ASKED)
def test_a_card_found_by_its_name_runs_no_code(ask: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.toml").write_text('plain = "{question}"\n')
    with pytest.raises(HopeBenchError, match=r"found by its name, and runs the Python file .*mine\.py") as caught:
        ASKED[ask](name)
    assert f"models/{name}.toml" in str(caught.value)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.usefixtures("benchmark")
def test_it_runs_where_that_was_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("-b", "b", "--images", "images")
    assert "--allow-code" in refused(capsys, "evaluate", "-m", "mine", *flags)
    assert not (tmp_path / "it ran").exists()
    assert hope_bench(capsys, "evaluate", "-m", "mine", *flags, "--allow-code").code == 0
    for place, (model, allow) in enumerate((("models/mine.toml", False), (hb.load_card("mine"), False), ("mine", True))):
        (tmp_path / "it ran").unlink()
        run = hb.evaluate(model, "b", images="images", name=f"run-{place}", progress="quiet", allow_code=allow)
        assert run.errors == 0
        assert (tmp_path / "it ran").exists()


class Evil:
    """What makes a file as soon as somebody unpickles it."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("it ran"),)


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


WEIGHTS: dict[str, Callable[[], bytes]] = {
    "code": lambda: saved({"state_dict": {"logit_scale": Evil()}}),
    "code alone": lambda: pickle.dumps(Evil()),
    "code by an old protocol": lambda: pickle.dumps(Evil(), protocol=0),
    "nothing": bytes,
    "text": lambda: b"hello\n",
    "half": lambda: saved({"logit_scale": torch.zeros(1000)})[:600],
    "an empty archive": lambda: b"PK\x05\x06" + bytes(18),
    "no archive": lambda: b"PK\x03\x04 and so on",
    "a list": lambda: saved([1, 2]),
    "a number": lambda: saved({"state_dict": 5}),
    "keys that are numbers": lambda: saved({1: torch.zeros(3)}),
    "texts": lambda: saved({"state_dict": {"logit_scale": "x"}}),
    "other shapes": lambda: saved({"logit_scale": torch.zeros(3, 3)}),
    "nothing of the model": lambda: saved({}),
}


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [*((kind, suffix) for kind in WEIGHTS for suffix in ("bin", "safetensors")), ("nothing", "npz"), ("no archive", "npz")],
)
def test_a_bad_checkpoint_of_clip_is_an_error_and_runs_nothing(
    kind: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if suffix == "npz":
        name = f"ViT-B-32:{tmp_path / 'weights.npz'}"
        (tmp_path / "weights.npz").write_bytes(WEIGHTS[kind]())
    else:
        name = save_tiny_clip(tmp_path / "clip")
        (tmp_path / "clip" / "open_clip_model.safetensors").unlink()
        stem = "open_clip_model.safetensors" if suffix == "safetensors" else "open_clip_pytorch_model.bin"
        (tmp_path / "clip" / stem).write_bytes(WEIGHTS[kind]())
    with pytest.raises(HopeBenchError, match=r"CLIP model .* (can't be loaded|is not loaded)"):
        load_encoder(name, "cpu", "gelu" if suffix == "npz" else None)
    assert not (tmp_path / "it ran").exists()


RUNS = "from pathlib import Path\nPath({!r}).touch()\nfrom transformers import PreTrainedTokenizer as Mine\n"
CLIP_CONFIGS: dict[str, dict[str, object]] = {
    "a tokenizer that is to be trusted": {"hf_tokenizer_name": "own", "tokenizer_kwargs": {"trust_remote_code": True}},
    "a tokenizer that asks": {"hf_tokenizer_name": "own"},
    "a text model that asks": {"hf_model_name": "CLIP", "hf_tokenizer_name": "own"},
    "a vocabulary of elsewhere": {"tokenizer_kwargs": {"bpe_path": "../bpe.txt.gz"}},
    "a vocabulary of elsewhere, absolute": {"tokenizer_kwargs": {"bpe_path": "CLIP/../bpe.txt.gz"}},
    "a vocabulary without an end": {"tokenizer_kwargs": {"bpe_path": "large.txt.gz"}},
    "a vocabulary that is a device": {"tokenizer_kwargs": {"bpe_path": "zero.txt.gz"}},
    "a file of the tokenizer's": {"hf_tokenizer_name": "own", "tokenizer_kwargs": {"tokenizer_file": "/etc/hostname"}},
}


@pytest.mark.parametrize("kind", CLIP_CONFIGS)
def test_what_the_config_of_a_clip_says_runs_no_code_and_leads_to_no_other_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # whom transformers asks whether code may run
    name, folder = save_tiny_clip(tmp_path / "clip"), tmp_path / "clip"
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= json.loads(json.dumps(CLIP_CONFIGS[kind]).replace("CLIP", str(folder)))
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(RUNS.format(str(tmp_path / "it ran")))
    auto = {"AutoTokenizer": ["mine.Mine", None], "AutoConfig": "mine.Mine"}
    for file in ("tokenizer_config.json", "config.json"):
        (folder / file).write_text(json.dumps({"auto_map": auto, "tokenizer_class": "Mine", "model_type": "mine"}))
    merges = gzip.compress(b"#version\n" + b"a b\n" * 49_000)
    (tmp_path / "bpe.txt.gz").write_bytes(merges)
    (folder / "large.txt.gz").write_bytes(gzip.compress(bytes(2**26 + 1)))
    (folder / "zero.txt.gz").symlink_to("/dev/zero")
    with pytest.raises(HopeBenchError, match=r"CLIP model .* can't be loaded"):
        load_encoder(name, "cpu", "gelu")
    assert not (tmp_path / "it ran").exists()


def test_an_adapter_that_names_a_python_module_is_refused(tmp_path: Path) -> None:
    named = {"base_model_name_or_path": str(tmp_path), "peft_type": "LORA", "megatron_config": {"a": 1}, "megatron_core": "mine"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(named))
    with pytest.raises(HopeBenchError, match="Python module"):
        base_of(tmp_path)
