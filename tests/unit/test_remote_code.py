"""Code that a checkpoint brings along runs only where the card and the flag both say so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

from hope_bench.adapters.choosing import make_adapter
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.run import read_run
from tests.checkpoints import pictures, prompts
from tests.cli import hope_bench, refused
from tests.small_benchmark import write_small

BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(3)]

OWN_CODE = """
from pathlib import Path

from transformers import LlavaConfig, LlavaForConditionalGeneration

(Path({marker!r}) / "ran").touch()


class OwnConfig(LlavaConfig):
    model_type = {model_type!r}


class OwnModel(LlavaForConditionalGeneration):
    config_class = OwnConfig
"""


@pytest.fixture
def own(checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A checkpoint with classes of its own, which leave a mark when they are imported."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    marker = tmp_path / "marker"
    marker.mkdir()

    def make(auto: str = "AutoModelForImageTextToText", where: str = "modeling_own") -> Path:
        folder = tmp_path / f"own-{auto}"
        shutil.copytree(checkpoint("llava"), folder)
        model_type = f"own_{auto.lower()}"
        config = json.loads((folder / "config.json").read_text())
        mapped = {"AutoConfig": f"{where}.OwnConfig", auto: f"{where}.OwnModel"}
        # Under names of its own: how older names of weights are read depends on the model type.
        weights = LlavaForConditionalGeneration.from_pretrained(folder).state_dict()
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config | {"model_type": model_type, "auto_map": mapped}))
        (folder / "modeling_own.py").write_text(OWN_CODE.format(marker=str(marker), model_type=model_type))
        return folder

    return make


def card(folder: Path, **more: Any) -> ModelCard:
    return ModelCard(name="own", checkpoint=str(folder), device="cpu", **more)


def ran(folder: Path) -> bool:
    return (folder.parent / "marker" / "ran").exists()


@pytest.mark.parametrize(
    ("says", "flag", "message"),
    [
        (False, False, "nothing of it was run.*write a card with trust_remote_code = true and add --trust-remote-code"),
        (True, False, "Nothing of it was run.*add --trust-remote-code"),
        (False, True, "the card own doesn't say trust_remote_code = true, so no code of the checkpoint is run"),
    ],
)
def test_without_both_nothing_is_run(says: bool, flag: bool, message: str, own: Callable[..., Path]) -> None:
    folder = own()
    with pytest.raises(HopeBenchError, match=message):
        make_adapter(card(folder, trust_remote_code=says), print, flag)
    assert not ran(folder)


def test_the_adapter_alone_runs_nothing_either(own: Callable[..., Path]) -> None:
    from hope_bench.adapters.transformers_model import TransformersModel

    folder = own()
    for says, flag in ((True, False), (False, True)):
        with pytest.raises(HopeBenchError, match="nothing of it was run"):
            TransformersModel(card(folder, trust_remote_code=says), trust_remote_code=flag)
    assert not ran(folder)


@pytest.mark.parametrize("auto", ["AutoModelForImageTextToText", "AutoModelForCausalLM"])
def test_with_both_it_answers_as_the_same_weights_do(
    auto: str, own: Callable[..., Path], checkpoint: Callable[[str], Path]
) -> None:
    folder = own(auto)
    model = make_adapter(card(folder, trust_remote_code=True), print, True)
    assert not ran(folder), "not before the weights are loaded"
    model.load()
    assert ran(folder)
    plain = make_adapter(card(checkpoint("llava")), print)
    plain.load()
    assert model.answer(BATCH) == plain.answer(BATCH)
    assert model.info.identity.endswith(" with its own code")


def test_its_code_is_part_of_its_identity(own: Callable[..., Path]) -> None:
    folder = own()
    before = make_adapter(card(folder, trust_remote_code=True), print, True).info
    file = folder / "modeling_own.py"
    file.write_text(file.read_text() + "# changed\n")
    after = make_adapter(card(folder, trust_remote_code=True), print, True).info
    assert before.weights_sha256 != after.weights_sha256


def test_code_from_another_repository_is_refused(own: Callable[..., Path]) -> None:
    folder = own(where="someone/else--modeling_own")
    with pytest.raises(HopeBenchError, match=r"another repository \(someone/else\), which no revision pins"):
        make_adapter(card(folder, trust_remote_code=True), print, True)


def test_code_of_a_processor_from_another_repository_is_refused(own: Callable[..., Path]) -> None:
    folder = own()
    file = folder / "tokenizer_config.json"
    mapped = {"auto_map": {"AutoTokenizer": ["someone/else--tokenization.Own", None]}}
    file.write_text(json.dumps(json.loads(file.read_text()) | mapped))
    with pytest.raises(HopeBenchError, match="another repository"):
        make_adapter(card(folder, trust_remote_code=True), print, True)


def test_nothing_to_trust(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(HopeBenchError, match="brings no Python code"):
        make_adapter(card(checkpoint("llava"), trust_remote_code=True), print, True)


def test_on_the_command_line(own: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, small = own(), write_small(tmp_path / "small")
    file = tmp_path / "own.toml"
    file.write_text(f'name = "own"\ncheckpoint = "{folder}"\ntrust_remote_code = true\ndevice = "cpu"\n')
    arguments = ("evaluate", "-m", file, "-b", small.folder, "--images", small.images, "--runs", tmp_path / "runs")
    assert "Nothing of it was run" in refused(capsys, *arguments)
    assert hope_bench(capsys, *arguments, "--trust-remote-code", "--dry-run").code == 0
    assert not ran(folder)
    done = hope_bench(capsys, *arguments, "--trust-remote-code")
    assert (done.code, ran(folder)) == (0, True), done
    assert f"Running the Python code that {folder} brings along" in done.err
    assert read_run(tmp_path / "runs" / "small" / "own").settings["model"].endswith(" with its own code")  # type: ignore[union-attr]
