"""What transformers can't run is refused by its config.json, before weights travel, with advice that is right for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.choosing import make_adapter
from hope_bench.adapters.known import check_card
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.scoring.score import tower_family

LLAVA = {
    "architectures": ["LlavaLlamaForCausalLM"],
    "model_type": "llava",
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
}
"""As liuhaotian/llava-v1.5-7b has it: a model type that transformers takes for its own."""
CODE = {"AutoConfig": "configuration_own.Own", "AutoModel": "modeling_own.Own"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A Hub where every repository has one config.json and files that it names; `fetched` is what left it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def repository(config: dict[str, Any] | None, files: tuple[str, ...] = ("model.safetensors",)) -> list[str]:
        fetched: list[str] = []

        def fake(*_: Any, local_files_only: bool = False, allow_patterns: Any = (), **__: Any) -> str:
            if local_files_only:
                raise FileNotFoundError
            snapshot = tmp_path / "snapshots" / "c0ffee"
            snapshot.mkdir(parents=True, exist_ok=True)
            fetched.extend(allow_patterns)
            if config is not None:
                (snapshot / "config.json").write_text(json.dumps(config))
            return str(snapshot)

        monkeypatch.setattr("huggingface_hub.snapshot_download", fake)
        monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *_, **__: list(files))
        return fetched

    return repository


def refusals(name: str) -> list[str]:
    """Why a model is refused, by files alone and by transformers."""
    card, told = ModelCard(name="one", checkpoint=name, device="cpu"), []
    for check in (lambda: check_card(card, False, lambda _: None), lambda: make_adapter(card, lambda _: None)):
        try:
            check()
        except HopeBenchError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize(
    ("name", "config", "told", "not_told"),
    [
        ("liuhaotian/llava-v1.5-7b", LLAVA, ["LLaVA's own code", "llava-hf/llava-1.5-7b-hf: --model llava-1.5-7b"], "upgrade"),
        ("liuhaotian/llava-v1.6-mistral-7b",
         LLAVA | {"architectures": ["LlavaMistralForCausalLM"], "model_type": "llava_mistral"},
         ["--model llava-next-mistral-7b"], "-U"),
        ("lmms-lab/llava-onevision-qwen2-7b-ov", {"architectures": ["LlavaQwenForCausalLM"], "model_type": "llava_qwen"},
         ["--model llava-onevision-7b"], "-U"),
        ("apple/FastVLM-0.5B", {"architectures": ["LlavaQwen2ForCausalLM"], "model_type": "llava_qwen2", "auto_map": CODE},
         ["--model fastvlm-0.5b"], "-U"),
        ("me/my-llava", {"architectures": ["BunnyPhiForCausalLM"], "model_type": "bunny-phi", "mm_projector_type": "mlp2x_gelu"},
         ['names of copies that are converted to transformers\' own classes often end in "-hf"', "SGLang"], "-U"),
        ("OpenGVLab/InternVL3-8B", {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "auto_map": CODE},
         ["needs Python code that it brings along, and nothing of it was run", "--model internvl3-8b"], "-U"),
        ("AIDC-AI/Ovis2-2B", {"architectures": ["Ovis"], "model_type": "ovis", "auto_map": CODE}, ["--model ovis2-2b"], "-U"),
        ("OpenGVLab/InternVL3-38B", {"model_type": "internvl_chat", "auto_map": CODE}, ['often end in "-hf"'], "-U"),
        ("Qwen/Qwen3-8B", {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}, ["language model without eyes"], "-U"),
        ("openai/clip-vit-large-patch14", {"model_type": "clip"}, ["goes into --clip"], "without eyes"),
        ("org/new", {"model_type": "qwen9_vl", "transformers_version": "99.1"}, ["pip install -U transformers", "99.1"], "-url"),
        ("org/old", {"model_type": "qwen9_vl", "transformers_version": "4.40.0"}, ["a newer one won't help", "--base-url"], "-U"),
        ("org/bare", {"model_type": "llavva"}, ["nearest it knows is 'llava'", "--base-url"], "-U"),
        ("mistralai/Pixtral-12B-2409", None, ["Mistral's and Meta's own code", "vllm serve mistralai/Pixtral-12B-2409"], "-U"),
        ("someone/llava-GGUF", None, ["llama-server -m llava-q4.gguf --mmproj mmproj-f16.gguf"], "config.json"),
    ],
)  # fmt: skip
def test_it_is_refused_by_its_config(
    name: str, config: dict[str, Any] | None, told: list[str], not_told: str, hub: Callable[..., list[str]]
) -> None:
    of = {"mistralai": ("params.json", "consolidated.safetensors"), "someone": ("llava-q4.gguf", "mmproj-f16.gguf")}
    fetched = hub(config, of.get(name.split("/")[0], ("model.safetensors",)))
    said = refusals(name)
    assert said
    for line in said:
        assert all(part in line for part in (name, *told)), line
        assert not_told not in line
        assert "\n" not in line
    assert not any("safetensors" in pattern or "bin" in pattern for pattern in fetched), "no weights were asked for"
    if "LLaVA's own code" in said[0] or config is None:
        assert len(said) == 2, "also before transformers is imported"


def test_a_cached_or_copied_one_is_refused_too(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("llava"), tmp_path / "llava-v1.5-7b"))
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"architectures": ["LlavaLlamaForCausalLM"]}))
    said = refusals(str(folder))
    assert len(said) == 2
    assert all("The same model for transformers is llava-hf/llava-1.5-7b-hf" in line for line in said)


def test_what_another_program_runs_is_for_it_to_refuse(hub: Callable[..., list[str]]) -> None:
    hub(LLAVA)
    check_card(ModelCard(name="one", checkpoint="liuhaotian/llava-v1.5-7b", server="sglang"), False, lambda _: None)


CLIP = {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336}
SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": 1152, "patch_size": 14, "image_size": 384}


@pytest.mark.parametrize(
    ("vision", "family"),
    [
        (CLIP, "openai"),
        (CLIP | {"image_size": 224}, None),
        (CLIP | {"image_size": 224, "_name_or_path": "openai/clip-vit-large-patch14"}, "openai"),
        (CLIP | {"image_size": 224, "_name_or_path": "facebook/metaclip-l14-fullcc2.5b"}, "metaclip"),
        (CLIP | {"image_size": 224, "_name_or_path": "/home/me/openai/clip"}, None),
        (SIGLIP, "siglip"),
        (SIGLIP | {"model_type": "siglip2_vision_model"}, "siglip"),
        ({"model_type": "internvl_vision", "hidden_size": 1024, "patch_size": [14, 14], "image_size": [448, 448]}, "internvit"),
        ({"model_type": "blip_2_vision_model", "hidden_size": 1408}, "eva"),
        ({"model_type": "blip_2_vision_model", "hidden_size": 32}, None),
        ({"model_type": "qwen2_5_vl", "hidden_size": 1280}, None),
        (None, None),
    ],
)
def test_the_tower_that_a_configuration_tells_of(vision: dict[str, Any] | None, family: str | None) -> None:
    assert tower_family(vision_tower({"vision_config": vision})) == family


def test_a_folder_without_a_card_has_its_towers_family(checkpoint: Callable[[str], Path]) -> None:
    from hope_bench.adapters.known import known_info

    card = ModelCard(name="one", checkpoint=str(checkpoint("paligemma")), device="cpu", chat_template="{{ messages }}")
    info = known_info(card)
    assert info is not None
    assert tower_family(info.vision_tower) == "siglip"
