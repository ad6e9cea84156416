"""Asking a model that somebody else goes on using: what is changed on the way is put back, whatever happens."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate.utils import extract_model_from_parallel
from torch import Tensor

from hope_bench.adapters.decoding import use_settings


@contextmanager
def as_it_was(model: Any, settings: Any) -> Iterator[None]:
    """The model ready to answer (eval mode, greedy `settings`, no autocast, nothing compiled), and afterwards as it was before.

    What is put back: every attribute of every module (training flags, generation settings, what forwards leave in a module
    such as M-RoPE offsets), what its buffers hold, the random generators of Python, NumPy and torch, and torch's settings.
    Weights and gradients aren't touched: nothing is recorded for a backward.

    Autocast stays as the caller has it where the weights are of several number formats, which don't go together without it.
    """
    modules = [(vars(module), _copied(vars(module))) for module in model.modules()]
    buffers = _held(model)
    default = torch.get_default_dtype()
    python, numpy = random.getstate(), np.random.get_state()
    devices = {weight.device for weight in model.parameters() if weight.device.type not in ("cpu", "meta")}
    kind = next((device.type for device in devices), "cuda")
    try:
        with (
            torch.random.fork_rng(sorted(device.index or 0 for device in devices), device_type=kind),
            torch.autocast(kind if devices else "cpu", enabled=autocast_dtype(model) is not None),
            torch.compiler.set_stance("force_eager"),  # compiled for training, it would be compiled anew for every shape
            _current(model.device),
        ):
            torch.set_default_dtype(torch.float32)  # as where a checkpoint is loaded
            model.eval()
            use_settings(model, settings)
            if "_original_forward" in vars(model):  # accelerate's mixed precision: the weights are asked in their own format
                extract_model_from_parallel(model, keep_fp32_wrapper=False)
            yield
    finally:
        torch.set_default_dtype(default)
        for now, before in modules:
            _put_back(now, before)
        for buffer, version, content in buffers:
            if buffer._version != version:
                with torch.no_grad():
                    buffer.copy_(content)
        random.setstate(python)
        np.random.set_state(numpy)


def autocast_dtype(model: Any) -> torch.dtype | None:
    """What the caller's autocast computes in, where it is on and a model's weights are of several number formats; else None."""
    formats = {weight.dtype for weight in model.parameters() if weight.is_floating_point()}
    kind = model.device.type
    return torch.get_autocast_dtype(kind) if len(formats) > 1 and torch.is_autocast_enabled(kind) else None


def _held(model: Any) -> list[tuple[Tensor, int, Tensor]]:
    """Every tensor that a module holds besides its weights, with its version and a copy of what it holds."""
    found = {id(one): one for one in model.buffers()}
    for module in model.modules():
        found |= {id(one): one for one in vars(module).values() if isinstance(one, Tensor) and one.grad_fn is None}
    return [(one, one._version, one.clone()) for one in found.values() if not one.is_inference() and one.device.type != "meta"]


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
    return {
        name: (value, value.copy() if isinstance(value, dict | set | list | deque) else None)
        for name, value in attributes.items()
    }


def _put_back(now: dict[str, Any], before: dict[str, tuple[Any, Any]]) -> None:
    for name in now.keys() - before.keys():
        del now[name]
    for name, (value, held) in before.items():
        if held is not None:
            value.clear()
            value.extend(held) if isinstance(value, list | deque) else value.update(held)
        now[name] = value
