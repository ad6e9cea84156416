"""The inference benchmark's own code at a small size, in the number format that it takes on a GPU (under `make soak` in both)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bench.bench_inference import GPU, Setup, Sizes, bench_inference, floor_seconds
from tests.soak import only_in_soak


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@only_in_soak
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_measure_is_taken(dtype: torch.dtype, tmp_path: Path) -> None:
    small = Setup(tmp_path / "model", Sizes(64, 128, 2, 2, 1000, 32, 2, 2, image=56), dtype=dtype, images=2, rounds=1)
    found = bench_inference(small)
    assert found["path"] == "shared"
    assert found["dtype"] == str(dtype).removeprefix("torch.")
    assert all(value > 0 for name, value in found.items() if "per_second" in name or "_vs_" in name or "teraflops" in name)
    assert 0 < found["overhead_outside_the_model"] < 1
    assert set(found["cpu_ms_an_image_costs_the_model's_process"]) == {"threads", "workers"}


def test_the_models_are_of_the_sizes_said() -> None:
    def parameters(sizes: Sizes) -> float:
        text = sizes.layers * (4 * sizes.hidden**2 + 3 * sizes.hidden * sizes.inner) + 2 * sizes.hidden * sizes.vocabulary
        return text + sizes.vision_layers * 12 * sizes.vision_hidden**2

    assert parameters(Setup().sizes) == pytest.approx(70e6, rel=0.05)
    assert parameters(GPU.sizes) == pytest.approx(1.65e9, rel=0.05)
    # A forward costs two FLOP for each parameter and token, and attention some more.
    seconds = floor_seconds(GPU.sizes.image_tokens, 0, 0, 1.0, GPU.sizes)
    assert 2 * 576 * (parameters(GPU.sizes) - 2 * 2048 * 32064) < seconds < 1.2 * 2 * 577 * parameters(GPU.sizes)
