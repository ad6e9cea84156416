"""What is known of a card's model without torch and transformers, which take seconds of CPU to import."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.checkpoint import check_here, known_checkpoint
from hope_bench.adapters.endpoint_card import endpoint_info, find_access, served_by, served_dtype
from hope_bench.adapters.runnable import read_config
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard

_COMPUTE_CAPABILITY_MAJOR = 75
"""CUDA's CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR."""

_AMPERE = 8
"""The first major compute capability with bfloat16 of its own."""


def check_card(card: ModelCard, trust_remote_code: bool, say: Callable[[str], None] | None = None) -> None:
    """Raise HopeBenchError for what is wrong with a card and can be seen from files alone: flags that don't go together, a device
    that isn't there, a checkpoint that is no checkpoint or lacks files. With `say`, also for a Hugging Face id that can't be
    fetched: its config.json is."""
    check_agreed(card, trust_remote_code)
    if card.adapter == "endpoint":
        find_access(card)
    if card.adapter != "transformers":
        return
    kind = None if card.server is not None else known_device(card.device)
    if card.device.startswith("cuda") and kind == "cpu":
        raise HopeBenchError(
            f"Device {card.device!r} can't be used: this machine has no GPU driver. Use auto or cpu (torch sees no GPU here)."
        )
    if kind is not None:
        check_quantize(card.quantize, kind)
    check_here(card, say)


def check_agreed(card: ModelCard, trust_remote_code: bool) -> None:
    """Raise HopeBenchError unless card and flag agree: code that a checkpoint brings along runs only where both say so."""
    if card.trust_remote_code and not trust_remote_code:
        raise HopeBenchError(
            f"The checkpoint {card.checkpoint} brings Python code that would run on this machine (its card says "
            "trust_remote_code). Nothing of it was run. Read the code, pin it with --revision, and if you trust it, add "
            "--trust-remote-code."
        )
    if trust_remote_code and not card.trust_remote_code:
        raise HopeBenchError(
            f"--trust-remote-code was given, but the card {card.name} doesn't say trust_remote_code = true, so no code of the "
            "checkpoint is run. Leave the flag out, or write a card that says so (docs/models.md)."
        )


def check_quantize(quantize: str | None, kind: str) -> None:
    """Raise HopeBenchError where weights can't be loaded in 4 or 8 bits on a `kind` of device: without bitsandbytes, or on a
    CPU, where its own code fails on common layer sizes (0.50: a RuntimeError in the first forward)."""
    if quantize is None:
        return
    if kind == "cpu":
        raise HopeBenchError(f"--quantize {quantize} needs a GPU, and this run is on the CPU. Leave it out, or give a --device.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise HopeBenchError(
            f"--quantize {quantize} needs bitsandbytes, which is not installed: pip install 'hope-bench[quantized]'."
        )


def known_info(card: ModelCard) -> AdapterInfo | None:
    """What the card's adapter would say of itself, as far as a run's answers depend on it; None where only torch, or the Python
    file that a card names, can tell. A checkpoint folder is hashed. Raises HopeBenchError as the adapter would."""
    if card.adapter == "endpoint":
        return endpoint_info(card)
    if card.adapter != "transformers":
        return None
    kind = served_by(card) if card.server is not None else known_device(card.device)
    if kind is None:
        return None
    found = known_checkpoint(card)
    if found is None:
        return None
    return AdapterInfo(
        adapter="transformers" if card.server is None else kind,
        identity=found.identity + (" with its own code" if card.trust_remote_code else ""),
        revision=found.revision,
        weights_sha256=found.weights_sha256,
        dtype=known_dtype(card.dtype, kind) if card.server is None else served_dtype(card),
        device_kind=kind,
        device=kind,
        vision_tower=vision_tower(read_config(found.folder)),
    )


def known_device(name: str) -> str | None:
    """The kind of device that a card's `device` means here, as `loading.find_device` finds it: "cpu", "cuda", or None where only
    torch can tell. A GPU that is named and not there is "cpu" where there is none at all."""
    if name == "cpu":
        return "cpu"
    gpus = _gpus()
    if gpus is None or not (name == "auto" or name.startswith("cuda")):
        return None
    if not gpus:
        return "cpu"
    number = name.removeprefix("cuda").removeprefix(":")
    return "cuda" if not number.isdecimal() or int(number) < len(gpus) else None


def known_dtype(name: str, kind: str) -> str:
    """The number format that a card's `dtype` means on a known kind of device, as `loading.find_dtype` finds it."""
    if name != "auto":
        return name
    if kind == "cpu":
        return "float32"
    gpus = _gpus()
    return "bfloat16" if gpus and gpus[0] >= _AMPERE else "float16"


@cache
def _gpus() -> tuple[int, ...] | None:
    """The major compute capability of each NVIDIA GPU that this process may use, asked of the driver; None where only torch can
    tell (an AMD GPU, another system, a driver that says nothing). Without CUDA's driver library, torch finds no GPU either."""
    if sys.platform == "darwin":
        return ()
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return None
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    count, device, major = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return None
    found = []
    for number in range(count.value):
        if driver.cuDeviceGet(ctypes.byref(device), number) or driver.cuDeviceGetAttribute(
            ctypes.byref(major), _COMPUTE_CAPABILITY_MAJOR, device
        ):
            return None
        found.append(major.value)
    return tuple(found)
