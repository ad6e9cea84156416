"""What only a GPU shows; skipped where there is none. `make test` on a machine with one runs it (some parts want two)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from hope_bench.files.run import read_answers, read_run
from tests.bench.bench_inference import build
from tests.checkpoints import pictures, prompts, template_of
from tests.e2e.test_evaluate import IMAGES, UNIQUE, World, world  # noqa: F401 - the fixture
from tests.e2e.test_processes import launch

DEVICE = "cuda"
GPUS = torch.cuda.device_count()
pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*"),
]

Checkpoint = Callable[[str], Path]
BATCH = [(image, prompt) for image in pictures(5) for prompt in prompts(7)]
"""Five images of four shapes."""
FAMILIES = ("llava", "llava_next", "idefics3", "qwen2_5_vl", "gemma3", "mllama", "blip_2", "paligemma", "instructblip")
"""Packed, with M-RoPE offsets, with sliding windows, with cross-attention, by the language model alone, and plain ones."""
PLAIN = ("paligemma", "instructblip")


def loaded(folder: Path, say: Callable[[str], None] = lambda _: None, **settings: Any) -> TransformersModel:
    template = template_of(folder.name)
    fields = {"device": DEVICE, "max_new_tokens": 5, **template, **settings}
    model = TransformersModel(ModelCard(name="tiny", checkpoint=str(folder), **fields), say)
    model.load()
    return model


def same(found: list[RawAnswer], expected: list[RawAnswer], within: float = 1e-4) -> None:
    assert [answer.text for answer in found] == [answer.text for answer in expected]
    assert [answer.p_yes for answer in found] == pytest.approx([answer.p_yes for answer in expected], abs=within)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_float32_answers_are_those_of_a_cpu(family: str, checkpoint: Checkpoint) -> None:
    here = loaded(checkpoint(family), dtype="float32")
    there = loaded(checkpoint(family), dtype="float32", device="cpu")
    same(here.answer(BATCH), there.answer(BATCH))
    assert here.report.path == there.report.path == ("plain" if family in PLAIN else "shared")
    assert here.info.device_kind == torch.device(DEVICE).type


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in PLAIN])
def test_auto_is_bfloat16_with_sdpa_and_shares(family: str, checkpoint: Checkpoint) -> None:
    model = loaded(checkpoint(family))
    answers = model.answer(BATCH)
    assert all(answer.error is None for answer in answers)
    assert model.info.dtype == ("bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16")
    assert model._model.config.get_text_config()._attn_implementation == "sdpa"
    assert model.report.path == "shared", model.report.checks
    assert model.report.gpu_bytes
    plain = loaded(checkpoint(family), path="plain").answer(BATCH)
    agree = sum(one.text == other.text for one, other in zip(answers, plain, strict=True))
    assert agree >= 0.8 * len(BATCH), "random weights tie where a trained model doesn't"


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """576 image tokens, 70 million parameters: large enough to fill a memory that is cut to size."""
    return build(tmp_path_factory.mktemp("llava"))


@pytest.fixture
def cramped() -> Iterator[Callable[[int], None]]:
    """Cuts this process's share of the GPU's memory to what it holds and so many bytes more."""

    def cut(more: int) -> None:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + more) / total)

    yield cut
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("settings", [{"path": "plain"}, {"complete": True}, {}], ids=["plain", "written out", "shared"])
def test_memory_that_runs_out(settings: dict[str, Any], llava: Path, cramped: Callable[[int], None]) -> None:
    batch = [(image, prompt) for image in pictures(8) for prompt in prompts(12)]
    fields = {"dtype": "float32", "batch_size": 96, **settings}
    whole = loaded(llava, **fields).answer(batch)
    said: list[str] = []
    model = loaded(llava, said.append, **fields)
    cramped(300 << 20)
    same(model.answer(batch), whole)
    assert sum("don't fit in memory" in line for line in said) == 1
    same(model.answer(batch), whole)


def test_compiled(checkpoint: Checkpoint) -> None:
    plain, compiled = (loaded(checkpoint("llava"), dtype="float32", compile=on) for on in (False, True))
    same(compiled.answer(BATCH), plain.answer(BATCH), within=1e-3)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="needs hope-bench[quantized]")
@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_in_fewer_bits(bits: str, llava: Path) -> None:
    batch = [(image, prompt) for image in pictures(3) for prompt in prompts(6)]
    model = loaded(llava, quantize=bits)
    answers = model.answer(batch)
    assert all(answer.error is None for answer in answers)
    assert {parameter.dtype for parameter in model._model.parameters()} >= {torch.uint8 if bits == "4bit" else torch.int8}
    assert model.report.checks, "checked like any other"


def test_workers_write_the_bytes_that_threads_do(world: World) -> None:  # noqa: F811
    for name, more in (("workers", ()), ("threads", ("--workers", "0"))):
        assert world.evaluate(name, "--device", DEVICE, *more).exit_code == 0
    files = [(world.run(name) / "answers.jsonl").read_bytes() for name in ("workers", "threads")]
    assert files[0] == files[1]
    record = read_run(world.run("workers"))
    assert (record.errors, record.questions, record.run.path) == (0, IMAGES * UNIQUE, "shared")


def test_a_failed_assertion_in_a_kernel_ends_the_run_and_keeps_what_is_answered(world: World) -> None:  # noqa: F811
    """In a process of its own: nothing more can be asked of the GPU there."""
    script = """
import torch
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.cli import main
answer, asked = TransformersModel.answer, []
def failing(model, batch):
    asked.append(1)
    if len(asked) == 3:
        model._model.get_input_embeddings().weight.data[torch.tensor([10**9], device="cuda")]
    return answer(model, batch)
TransformersModel.answer = failing
main()
"""
    command = [sys.executable, "-c", script, *world.arguments("lost", "--device", "cuda")]
    done = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "can't be used by this process any more" in " ".join(done.stderr.split())
    kept = [line for line in (world.run("lost") / "answers.jsonl").read_text().splitlines() if '"error": null' in line]
    assert kept
    assert world.evaluate("lost", "--device", DEVICE).exit_code == 0
    assert not any(answer.error for answer in read_answers(world.run("lost") / "answers.jsonl").answers)


@pytest.mark.skipif(GPUS < 2, reason="needs two GPUs")
@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "gemma3"])
def test_a_model_spread_over_gpus(family: str, checkpoint: Checkpoint) -> None:
    spread = loaded(checkpoint(family), dtype="float32", device_map="balanced")
    assert len(set(spread._model.hf_device_map.values())) > 1
    one = loaded(checkpoint(family), dtype="float32")
    same(spread.answer(BATCH), one.answer(BATCH))
    assert spread.report.path == one.report.path == "shared"


@pytest.mark.skipif(GPUS < 2, reason="needs two GPUs")
def test_two_processes_have_a_gpu_each(world: World) -> None:  # noqa: F811
    assert world.evaluate("alone", "--device", DEVICE).exit_code == 0
    process = launch(world, "two", "--processes", "2", "--device", DEVICE)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert (world.run("two") / "answers.jsonl").read_bytes() == (world.run("alone") / "answers.jsonl").read_bytes()
