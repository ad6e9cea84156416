"""What is particular about GPUs, as far as it can be seen without one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hope_bench.adapters import loading
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.decoding import Decoder
from hope_bench.adapters.loading import find_dtype, load_model
from hope_bench.adapters.shared_prefix import Prefix, SharedPrefix
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoints import pictures, prompts

Checkpoint = Callable[[str], Path]
CUDA = torch.device("cuda")
BATCH = [(pictures(1)[0], prompt) for prompt in prompts(6)]


def loaded(checkpoint: Checkpoint, **settings: Any) -> TransformersModel:
    model = TransformersModel(ModelCard(name="tiny", checkpoint=str(checkpoint("llava")), device="cpu", **settings))
    model.load()
    return model


def lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every call to the GPU fails, as after an illegal access."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    for name in ("first_logits", "answer"):
        monkeypatch.setattr(Decoder, name, fail)
    monkeypatch.setattr(SharedPrefix, "prefix", fail)


def test_a_loaded_model_computes_float32_as_float32(checkpoint: Checkpoint) -> None:
    backends: Any = torch.backends
    places = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    model = loaded(checkpoint)
    seen: list[Any] = []
    model._model.register_forward_pre_hook(
        lambda *_: seen.append(([place.fp32_precision for place in places], backends.cuda.cudnn_sdp_enabled()))
    )
    model.answer(BATCH[:2])
    assert seen
    assert all(one == (["ieee"] * 3, False) for one in seen)
    assert [place.fp32_precision for place in places] == before, "what else this process computes is its own affair"


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_is_a_number_format_that_the_gpu_has(has: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert find_dtype("auto", CUDA) == expected
    assert find_dtype("bfloat16", CUDA) == torch.bfloat16
    assert find_dtype("auto", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("path", ["auto", "plain"])
def test_a_gpu_that_is_lost_ends_the_run_and_is_no_questions_error(
    path: str, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(checkpoint, path=path)
    model._device = CUDA
    assert model.answer(BATCH)[0].error is None
    lose(monkeypatch)
    with pytest.raises(HopeBenchError, match=r"GPU cuda has failed .* illegal memory access .* same command again"):
        model.answer(BATCH)


def test_an_error_that_the_gpu_survives_stays_what_it_is(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(checkpoint)
    model._device = CUDA
    lose(monkeypatch)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    with pytest.raises(RuntimeError, match="illegal"):
        model.answer(BATCH)


@pytest.mark.parametrize("words", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"])
def test_libraries_that_run_out_of_memory_in_words_of_their_own(words: str) -> None:
    budget = Budget(8, 100)
    with pytest.raises(torch.OutOfMemoryError, match=r"ALLOC_FAILED|out of memory"), budget.forward("rows", 70):
        raise RuntimeError(words)
    assert budget.learnt == {"rows": 70}
    with pytest.raises(RuntimeError, match="size mismatch"), budget.forward("rows", 50):
        raise RuntimeError("size mismatch")
    assert budget.learnt == {"rows": 70}


@pytest.mark.parametrize(("questions", "tokens", "most"), [(4, 1000, 4), (1000, 20, 4), (3, 34, 3), (1000, 4, 1)])
def test_rows_are_parted_evenly_into_as_few_parts_as_fit(questions: int, tokens: int, most: int) -> None:
    """Rows of 5 tokens, of which a part holds `most`; a row alone may be too long."""
    for rows in range(1, 30):
        parts = Budget(questions, tokens).parts("plain", [5] * rows)
        assert [place for part in parts for place in part] == list(range(rows))
        assert len(parts) == math.ceil(rows / most)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_model_that_is_left_on_the_disk_is_refused(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    class Auto:
        @staticmethod
        def from_pretrained(*_: object, **__: object) -> tuple[Any, dict[str, list[str]]]:
            return SimpleNamespace(hf_device_map={"model.vision": 0, "model.layers.1": "cpu", "lm_head": "disk"}), {
                "missing_keys": []
            }

    monkeypatch.setattr(loading, "AutoModelForImageTextToText", Auto)
    card = ModelCard(name="tiny", checkpoint="x", device_map="auto")
    with pytest.raises(HopeBenchError, match=r"don't fit on the GPUs here: --device-map auto .* the cpu and the disk"):
        load_model(str(checkpoint("llava")), torch.bfloat16, CUDA, card)


def test_what_questions_hold_in_memory() -> None:
    """Two images of 10 tokens, questions of 3 and 5 about the first and 4 about the second; Mllama keeps 90 of each in one of
    four layers."""

    def image(*lengths: int) -> Any:
        return SimpleNamespace(rows=tuple({"input_ids": torch.zeros(1, 10 + length)} for length in lengths))

    def layer(tokens: int) -> Any:
        return SimpleNamespace(keys=torch.zeros(2, 1, tokens, 1))

    plain = Prefix((image(3, 5), image(4)), 10, SimpleNamespace(layers=[layer(10)] * 4), ())
    assert plain.held([0, 1, 2], packed=True) == 2 * 10 + 12
    assert plain.held([0, 1], packed=True) == 10 + 8
    assert plain.held([0, 1, 2], packed=False) == 3 * 10 + 12
    mllama = Prefix(plain.images, 10, SimpleNamespace(layers=[*[layer(10)] * 3, layer(90)]), ())
    assert mllama.held([0, 1, 2], packed=False) == 3 * 30 + 12
