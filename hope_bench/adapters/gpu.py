"""What is particular about GPUs: which number formats they have, and how they fail."""

from __future__ import annotations

import torch

from hope_bench.errors import HopeBenchError, short_reason


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has bfloat16 of its own. torch emulates it on GPUs before Ampere, without the fast attention kernels."""
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Also where a library below torch ran out of memory, and only its message says so."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in ("out of memory", "ALLOC_FAILED"))


def raise_if_lost(device: torch.device, error: BaseException) -> None:
    """After `error` in a forward: raise HopeBenchError where the GPU has failed for good (an illegal access, a failed assertion
    in a kernel). All that this process asks of it would fail alike, and is no question's fault."""
    if device.type != "cuda":
        return
    try:
        torch.cuda.synchronize(device)
    except Exception:  # noqa: BLE001 - AcceleratorError, or RuntimeError in older versions
        raise HopeBenchError(
            f"The GPU {device} has failed and can't be used by this process any more: {short_reason(error)}. Everything answered "
            "before is kept. Run the same command again to go on; if that fails, too, try --path plain."
        ) from None
