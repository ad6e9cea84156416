"""What a folder is where it is no checkpoint, by the files that lie in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.folders import files_of, known_format, what_it_is
from hope_bench.adapters.runnable import (
    check_format,
)
from hope_bench.errors import HopeBenchError
from tests.checkpoint_files import fill


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
        ([f"{name}/config.json" for name in "abcd"], "name one of it/a, it/b, it/c and 1 more."),
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
