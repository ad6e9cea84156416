"""No model is built that is far larger than its weights: for CLIP, and for the LVLMs of adapters/."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.nn.modules.module import register_module_buffer_registration_hook, register_module_parameter_registration_hook

from hope_bench.errors import HopeBenchError

A_BYTE = 2
"""Parameters that a byte of weights can stand for: a byte holds one at most, and those that are tied are built twice."""
A_QUANTIZED_BYTE = 16
"""The same of quantized weights, of one bit at least."""
_SPARE = 1_000_000
"""Parameters that a model may have beside those: what is computed, not saved."""


@contextmanager
def no_larger_than(weights: Sequence[Path], config: Path, *, buffers: bool = False) -> Iterator[None]:
    """While a model is built: raise HopeBenchError as soon as it has more parameters than its weight files can hold.

    `config`, which describes it, may be another model's, damaged or hostile; built, the model might not fit into memory. Nothing
    is bounded where there are no weight files. Only what this thread builds is counted, with `buffers` also what isn't trained:
    masks, which may be large where a model is small.
    """
    if not weights:
        yield
        return
    size = sum(file.stat().st_size for file in weights)
    a_byte = A_QUANTIZED_BYTE if b"quantization_config" in config.read_bytes() else A_BYTE
    here, held = threading.get_ident(), dict[tuple[int, str], int]()
    total = 0

    def count(module: Any, name: str, held_there: Any) -> None:
        nonlocal total
        if held_there is None or threading.get_ident() != here:
            return
        place = (id(module), name)
        total += held_there.numel() - held.get(place, 0)
        held[place] = held_there.numel()
        if total > a_byte * size + _SPARE:
            raise HopeBenchError(
                f"{config} describes a model of more than {total // 1_000_000} million parameters, and its weights are {size:,} "
                f"bytes: it is another model's, or was changed. Take the {config.name} that was saved with these weights."
            )

    hooks = [register_module_parameter_registration_hook(count)]
    if buffers:
        hooks.append(register_module_buffer_registration_hook(count))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
