"""What people have while they train: adapters, checkpoints without a processor, shards, and other formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from hope_bench.adapters.choosing import make_adapter
from hope_bench.adapters.known import check_card, known_info
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, find_card
from tests.checkpoints import pictures, prompts

Checkpoint = Callable[[str], Path]
BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(3)]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning:transformers.*"),
]


def card(folder: Path | str, **more: Any) -> ModelCard:
    return ModelCard(name="tiny", checkpoint=str(folder), **{"device": "cpu", "path": "plain", **more})


def answers(folder: Path | str, **more: Any) -> list[Any]:
    model = make_adapter(card(folder, **more), print)
    model.load()
    return model.answer(BATCH)


@pytest.fixture
def adapter(checkpoint: Checkpoint, tmp_path: Path) -> Callable[..., Path]:
    """A LoRA folder as PEFT writes it, of the tiny LLaVA, and the same merged."""
    peft = pytest.importorskip("peft")

    def make(name: str = "lora", seed: int = 0, base: Path | None = None) -> Path:
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_pretrained(base or checkpoint("llava"), dtype=torch.float32)
        lora = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=4, lora_alpha=32, init_lora_weights=False)
        adapted = peft.get_peft_model(model, lora)
        adapted.save_pretrained(tmp_path / name)
        shutil.copytree(checkpoint("llava"), tmp_path / f"{name}-merged")
        (tmp_path / f"{name}-merged" / "model.safetensors").unlink()
        adapted.merge_and_unload().save_pretrained(tmp_path / f"{name}-merged")
        return tmp_path / name

    return make


def test_an_adapter_is_asked_on_its_base(adapter: Callable[..., Path], checkpoint: Checkpoint) -> None:
    folder = adapter()
    found, merged = answers(folder), answers(f"{folder}-merged")
    assert [answer.text for answer in found] == [answer.text for answer in merged]
    assert [answer.p_yes for answer in found] == pytest.approx([answer.p_yes for answer in merged], abs=1e-4)
    plain = answers(checkpoint("llava"))
    assert [answer.p_yes for answer in found] != pytest.approx([answer.p_yes for answer in plain], abs=1e-3)
    assert answers(folder, path="auto")[0].text == merged[0].text


def test_an_adapters_identity_is_that_of_both(adapter: Callable[..., Path], checkpoint: Checkpoint, tmp_path: Path) -> None:
    base = Path(shutil.copytree(checkpoint("llava"), tmp_path / "base"))
    one, other = adapter("one", 0, base), adapter("other", 1, base)

    def identity(folder: Path) -> tuple[str, str | None]:
        info = make_adapter(card(folder), print).info
        known = known_info(card(folder))
        assert known is not None
        assert (known.identity, known.weights_sha256) == (info.identity, info.weights_sha256), "known before torch is"
        return info.identity, info.weights_sha256

    before = identity(one)
    assert before == identity(one)
    assert len({*before, *identity(other), *identity(base)}) == 6
    file = base / "config.json"
    file.write_text(file.read_text() + " ")
    assert set(identity(one)).isdisjoint(before), "another base"


@pytest.mark.filterwarnings("ignore:Found missing adapter keys:UserWarning")
def test_an_adapter_that_does_not_fit_is_refused(adapter: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file, save_file

    folder = adapter()
    weights = load_file(folder / "adapter_model.safetensors")
    renamed = {name.replace("language_model.", "text_model."): weight for name, weight in weights.items()}
    assert renamed.keys() != weights.keys()
    save_file(renamed, folder / "adapter_model.safetensors")
    with pytest.raises(HopeBenchError, match=r"lacks \d+ of the weights .*merge_and_unload\(\)"):
        answers(folder)
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text())
    for name, message in [
        ("/where/it/was/trained", "trained on /where/it/was/trained, which is no folder here"),
        (None, "names no base model"),
    ]:
        file.write_text(json.dumps({**config, "base_model_name_or_path": name}))
        with pytest.raises(HopeBenchError, match=message):
            check_card(card(folder), False)
    file.write_text(json.dumps({**config, "peft_type": "PROMPT_TUNING"}))
    with pytest.raises(HopeBenchError, match="learnt prompt"):
        check_card(card(folder), False)
    file.write_text(json.dumps(config))
    monkeypatch.setattr("hope_bench.adapters.served.command_line", lambda *_: [])
    with pytest.raises(HopeBenchError, match=r"--server vllm is given whole models only.*merge"):
        make_adapter(ModelCard(name="tiny", checkpoint=str(folder), server="vllm"), print)


def test_without_peft_it_is_said_how_to_merge(checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"peft_type": "LORA", "base_model_name_or_path": str(checkpoint("llava"))}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(HopeBenchError, match=r"pip install 'hope-bench\[peft\]'.*merge_and_unload\(\)"):
        check_card(card(tmp_path), False)


@pytest.fixture
def training(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """What a Trainer leaves: checkpoints without a processor, in a folder that has one."""
    folder = tmp_path / "training"
    shutil.copytree(checkpoint("llava"), folder / "checkpoint-500")
    for file in (folder / "checkpoint-500").glob("*"):
        if file.name not in ("config.json", "generation_config.json", "model.safetensors"):
            shutil.move(file, folder / file.name)
    (folder / "trainer_state.json").write_text("{}")
    return folder


def test_a_checkpoint_without_a_processor_has_that_of_its_training(training: Path, checkpoint: Checkpoint) -> None:
    step = training / "checkpoint-500"
    assert answers(step) == answers(checkpoint("llava"))
    before = make_adapter(card(step), print).info
    assert known_info(card(step)).identity == before.identity  # type: ignore[union-attr]
    (training / "trainer_state.json").write_text('{"step": 2}')
    assert make_adapter(card(step), print).info.identity == before.identity, "what is no processor's changes nothing"
    template = training / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert make_adapter(card(step), print).info.identity != before.identity


def test_the_processor_that_is_named(training: Path, checkpoint: Checkpoint, tmp_path: Path) -> None:
    alone = Path(shutil.move(training / "checkpoint-500", tmp_path / "alone"))
    with pytest.raises(HopeBenchError, match="--processor says whose to take"):
        answers(alone)
    assert answers(alone, processor=str(training)) == answers(checkpoint("llava"))
    assert answers(alone, processor=str(checkpoint("llava"))) == answers(checkpoint("llava"))
    with pytest.raises(HopeBenchError, match="'nothing' is no folder here"):
        check_card(card(alone, processor="nothing"), False)
    with pytest.raises(HopeBenchError, match="holds no processor"):
        make_adapter(card(alone, processor=str(alone)), print)
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ncheckpoint = "./alone"\nprocessor = "./training"\n')
    assert find_card(str(file)).processor == str(training)


DEEPSPEED = ("config.json", "zero_to_fp32.py", "latest", "global_step500/zero_pp_rank_0_mp_rank_00_model_states.pt")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("m-Q4_K_M.gguf", "mmproj-f16.gguf"), "llama-server -m m-Q4_K_M.gguf --mmproj mmproj-f16.gguf.* --model m-Q4_K_M "),
        (("m.gguf",), "--mmproj MMPROJ.gguf"),
        (DEEPSPEED, "python {folder}/zero_to_fp32.py {folder} {folder}-whole --safe_serialization"),
        (("bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt",), "python {parent}/zero_to_fp32.py {parent} {parent}-whole"),
        (
            ("config.json", "pytorch_model_fsdp_0/__0_0.distcp", "pytorch_model_fsdp_0/.metadata", "optimizer_0/__0_0.distcp"),
            "accelerate merge-weights {folder}/pytorch_model_fsdp_0 {folder}-whole",
        ),
        (("__0_0.distcp", ".metadata"), "accelerate merge-weights {folder} {folder}-whole"),
        (("config.json", "pytorch_model_fsdp.bin"), "call pytorch_model_fsdp.bin pytorch_model.bin"),
        (
            ("checkpoint-500/model.safetensors", "checkpoint-1000/config.json", "all_results.json"),
            r"2 checkpoints .* such as {folder}/checkpoint-1000",
        ),
        (("params.json", "consolidated.safetensors", "tekken.json"), "Mistral's and Meta's own code"),
        (("params.json", "consolidated.00.pth"), "Meta's own code. .* that is the folder above"),
        (("vlm.nemo",), "NeMo or Megatron"),
        (("latest_checkpointed_iteration.txt", "iter_0000500/model_optim_rng.pt"), "NeMo or Megatron"),
        (("config.json", "openvino_language_model.xml", "openvino_language_model.bin"), "an export"),
        (("config.json", "weights.npz"), "the format of MLX"),
        (("optimizer.pt", "rng_state.pth", "training_args.bin"), "goes on with .* and no weights. Name the folder that holds"),
        (("config.json", "best.pth"), "holds best.pth, weights that only the code which saved them can read"),
        (("hf_model_0001_0.pt", "recipe_state.pt"), "load them there, and write them with save_pretrained"),
        (("config.json", "awq_model_w4.safetensors"), "by a name that transformers doesn't look for"),
        (("args.json", "v0-2026/checkpoint-10/adapter_config.json"), "one lies in it: name {folder}/v0-2026/checkpoint-10"),
        (("mm_projector.bin", "config.json"), "LLaVA's own code trains"),
        (("last.ckpt",), "PyTorch Lightning"),
        (("notes.txt", "x.py"), "holds notes.txt, x.py, and no config.json. Such a folder has config.json, model.safetensors"),
        ((), "it is empty. Such a folder has"),
    ],
)
def test_other_formats_and_what_to_run(files: tuple[str, ...], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    for check in (lambda: check_card(find_card(str(folder)), False), lambda: make_adapter(card(folder), print)):
        with pytest.raises(HopeBenchError, match=message.format(folder=folder, parent=tmp_path)) as caught:
            check()
        assert "\n" not in str(caught.value)


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    for name, message in [("m.gguf", "llama-server -m"), ("model.safetensors", "is a file. Name the checkpoint's folder")]:
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(HopeBenchError, match=message):
            check_card(find_card(str(tmp_path / name)), False)


def test_shards_beside_whole_weights_are_in_nobodys_way(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """ZeRO-2's checkpoints have both."""
    folder = Path(shutil.copytree(checkpoint("llava"), tmp_path / "zero2"))
    (folder / "zero_to_fp32.py").write_text("")
    (folder / "global_step5").mkdir()
    (folder / "global_step5" / "mp_rank_00_model_states.pt").write_bytes(b"")
    check_card(card(folder), False)
