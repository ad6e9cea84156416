"""A model spread over two devices, on a machine that has none: two GPUs are emulated with real numbers on the CPU.

`python -m tests.two_devices FAMILY=CHECKPOINT_FOLDER ...` asks each checkpoint on one device and on both, and prints one JSON
object for each way of spreading it. Not to be imported: it registers a torch backend, which a process can't be rid of again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from accelerate import dispatch_model, infer_auto_device_map
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _DummyPrivateUse1Hook, _setup_privateuseone_for_python_backend

from hope_bench.adapters import transformers_model
from hope_bench.adapters.loading import load_model
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from tests.checkpoints import pictures, prompts, template_of

KERNELS = torch.library.Library("aten", "IMPL")
"""Kept, as what is registered goes with it."""
CPU = torch.device("cpu")
QUESTIONS = 4
WAYS = ((0.6, False), (0.95, True))
"""The first device's part of the weights, and whether images are computed together: it ends before the language model's layers,
then between them, so that the cache lies on both devices."""


class _Devices(_DummyBackendModule):  # type: ignore[misc]
    def device_count(self) -> int:
        return 2


class _Hook(_DummyPrivateUse1Hook):  # type: ignore[misc]
    def device_count(self) -> int:
        return 2


class _Placed(Tensor):
    """A CPU tensor, `held`, that says it is on a device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor, device: torch.device) -> _Placed:
        """What torch sees of the tensor: all but its numbers."""
        placed: _Placed = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=device,
            requires_grad=held.requires_grad,
        )  # fmt: skip
        placed.held = held
        return placed

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.held} on {self.device}"

    def tolist(self) -> Any:
        """torch's own reads the memory, not through any operation."""
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Operations(TorchDispatchMode):
    """Takes the operations that have no placed tensor among their arguments, too: those that make one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _held(value: Any) -> Any:
    return value.held if isinstance(value, _Placed) else value


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation on the CPU, its result placed where a GPU's would be. Raises RuntimeError where it mixes devices."""
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
    device = _result_device(func._schema.name, args, tensors)
    if kwargs.get("device") is not None:
        device = torch.device(kwargs["device"])
        kwargs = {**kwargs, "device": CPU}
    made = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    changed = {id(value.held): value for value in tensors if isinstance(value, _Placed)}

    def place(value: Any) -> Any:
        if not isinstance(value, Tensor) or (device == CPU and id(value) not in changed):
            return value
        return changed[id(value)] if id(value) in changed else _Placed(value, device)

    return tree_map(place, made)


def _result_device(name: str, args: tuple[Any, ...], tensors: list[Tensor]) -> torch.device:
    """Where an operation's result is, by CUDA's rules: numbers and indices may be on the CPU, and copies go anywhere."""
    if name in ("aten::copy_", "aten::_to_copy"):
        return args[0].device
    if name in ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"):
        indices = [index for index in args[1] if index is not None and index.device == CPU]
        tensors = [value for value in tensors if all(value is not index for index in indices)]
    devices = {value.device for value in tensors if value.dim() or value.device != CPU}
    if len(devices) > 1:
        raise RuntimeError(f"{name}: all tensors must be on one device, these are on {sorted(map(str, devices))}")
    return devices.pop() if devices else CPU


def _copied(source: Tensor, target: Tensor, _non_blocking: bool = False) -> Tensor:
    _held(target).copy_(_held(source))
    return target


def _empty(size: Any, stride: Any, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: Any = None) -> Tensor:
    return _Placed(torch.empty_strided(size, stride, dtype=dtype, layout=layout, pin_memory=pin_memory), device)


@contextmanager
def two_devices() -> Iterator[None]:
    """Where "fake:0" and "fake:1" are devices like any others."""
    # Within inference mode, torch refuses tensors that only say where they are.
    with _Operations(), patch.object(torch, "inference_mode", torch.no_grad):
        yield


def register() -> None:
    """Make the two devices known to torch. Raises where mixing them goes unnoticed, or their numbers are wrong."""
    _setup_privateuseone_for_python_backend("fake", backend_module=_Devices(), hook=_Hook())
    # What torch's own code reaches for where it moves data, past every mode.
    KERNELS.impl("empty_strided", _empty, "PrivateUse1")
    KERNELS.impl("_copy_from", _copied, "PrivateUse1")
    KERNELS.impl("_local_scalar_dense", lambda value: _held(value).item(), "PrivateUse1")
    with two_devices():
        one, other = torch.arange(3.0).to("fake:0"), torch.ones(3, device="fake:1")
        with pytest.raises(RuntimeError, match="must be on one device"):
            one + other
        total = one.to("fake:1") + other
        assert (str(total.device), total.tolist()) == ("fake:1", [1, 2, 3])


def spread_loader(part: float) -> Callable[..., Any]:
    """A `load_model` that puts the first `part` of the weights on the first device and the others on the second."""

    def load(folder: str, dtype: torch.dtype, _device: torch.device, card: ModelCard, trust: bool, peft: Path | None) -> Any:
        model = load_model(folder, dtype, CPU, card, trust, peft)
        size = sum(weight.nbytes for weight in model.parameters())
        # accelerate plans for devices it knows. Unlike GPUs, these two need no spare room for the largest layer.
        places = infer_auto_device_map(
            model, {"cpu": int(size * part), "disk": 2 * size}, no_split_module_classes=list(model._no_split_modules)
        )
        devices = {name: {"cpu": "fake:0", "disk": "fake:1"}[str(place)] for name, place in places.items()}
        return dispatch_model(model, devices, main_device="fake:0", skip_keys=model._skip_keys_device_placement)

    return load


def adapter(family: str, folder: Path, together: bool, say: Callable[[str], None]) -> TransformersModel:
    """The loaded adapter, by whatever `load_model` is at the time."""
    template = template_of(family)
    model = TransformersModel(ModelCard(name="tiny", checkpoint=str(folder), device="cpu", max_new_tokens=5, **template), say)
    model.load()
    assert model._paths is not None
    model._paths.together = together
    return model


def compare(family: str, folder: Path, part: float, together: bool) -> dict[str, Any]:
    """What the adapter says and does on two devices, beside what it does on one."""
    images, asked = pictures(5), prompts(QUESTIONS + 1)
    # The first and the last are of one shape.
    batch = [(images[place], prompt) for place in (0, 1, 4) for prompt in asked[place % 2 :][:QUESTIONS]]
    said: list[str] = []
    one = adapter(family, folder, together, lambda _: None)
    expected = one.answer(batch)
    with patch.object(transformers_model, "load_model", spread_loader(part)), two_devices():  # loading asks a first question
        two = adapter(family, folder, together, said.append)
        found = two.answer(batch)
    weights = {name: str(weight.device) for name, weight in two._model.named_parameters()}
    differ = sum(
        (a.text, a.complete) != (b.text, b.complete) or abs((a.p_yes or 0) - (b.p_yes or 0)) > 1e-4
        for a, b in zip(found, expected, strict=True)
    )
    return {
        "family": family,
        "together": together,
        "map": sorted(set(two._model.hf_device_map.values())),
        "weights": sorted(set(weights.values())),
        "layers": sorted({weights[name] for name in weights if "language_model" in name and ".layers." in name}),
        "paths": [one.report.path, two.report.path],
        "checks": [[(check.what, check.passed) for check in model.report.checks] for model in (one, two)],
        "answers": len(found),
        "differ": differ,
        "errors": [answer.error for answer in found if answer.error is not None],
        "said": said,
    }


def main() -> None:
    """Ask every checkpoint of the command line in every way."""
    torch.set_num_threads(1)
    register()
    for argument in sys.argv[1:]:
        family, folder = argument.split("=", 1)
        for part, together in WAYS:
            print(json.dumps(compare(family, Path(folder), part, together)), flush=True)


if __name__ == "__main__":
    main()
