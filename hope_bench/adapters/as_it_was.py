"""Asking a model that somebody else goes on using: what is changed on the way is put back, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate.utils import extract_model_from_parallel

from hope_bench.adapters.decoding import use_settings


@contextmanager
def as_it_was(model: Any, settings: Any) -> Iterator[None]:
    """The model ready to answer (eval mode, greedy `settings`, no autocast, nothing compiled), and afterwards as it was before.

    What is put back: every attribute of every module (training flags, generation settings, what forwards leave in a module
    such as M-RoPE offsets), the random generators of Python, NumPy and torch, and torch's settings. Weights and gradients
    aren't touched: nothing is recorded for a backward.
    """
    modules = [(vars(module), _copied(vars(module))) for module in model.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    devices = {weight.device for weight in model.parameters() if weight.device.type not in ("cpu", "meta")}
    kind = next((device.type for device in devices), "cuda")
    try:
        with (
            torch.random.fork_rng(sorted(device.index or 0 for device in devices), device_type=kind),
            torch.autocast(kind if devices else "cpu", enabled=False),
            torch.compiler.set_stance("force_eager"),  # compiled for training, it would be compiled anew for every shape
            _current(model.device),
        ):
            model.eval()
            use_settings(model, settings)
            if "_original_forward" in vars(model):  # accelerate's mixed precision: the weights are asked in their own format
                extract_model_from_parallel(model, keep_fp32_wrapper=False)
            yield
    finally:
        for now, before in modules:
            _put_back(now, before)
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _current(device: torch.device) -> Iterator[None]:
    """Kernels of Triton run on the current GPU, whatever their inputs."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        yield


def _copied(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """A module's attributes by name, each with a copy of what it holds where that is a container (buffers, hooks, caches)."""
    return {name: (value, value.copy() if isinstance(value, dict | set | list) else None) for name, value in attributes.items()}


def _put_back(now: dict[str, Any], before: dict[str, tuple[Any, Any]]) -> None:
    for name in now.keys() - before.keys():
        del now[name]
    for name, (value, held) in before.items():
        if held is not None:
            value.clear()
            value.extend(held) if isinstance(value, list) else value.update(held)
        now[name] = value
