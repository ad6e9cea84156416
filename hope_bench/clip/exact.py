"""Numbers that a GPU computes as a CPU does: for CLIP, and for the LVLMs of adapters/."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def compute_exactly() -> None:
    """Process-wide: float32 is computed as float32, as on a CPU (convolutions round to TF32 by default, and the first layer of
    most vision towers is one), and attention by kernels that are there (cuDNN's, which torch prefers on H100 and later, are made
    anew for every shape, and questions come in many)."""
    for place, name in (*_old_flags(), *_new_flags()):
        setattr(place, name, False if name == "allow_tf32" else "ieee")
    torch.backends.cuda.enable_cudnn_sdp(False)


@contextmanager
def computing_exactly() -> Iterator[None]:
    """`compute_exactly` for a while: whatever this process computes besides finds every setting as it was."""
    attention = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    before = [(place, name, getattr(place, name)) for place, name in (*_old_flags(), *_new_flags())]
    compute_exactly()
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)
        torch.backends.cuda.enable_cudnn_sdp(attention)


def _old_flags() -> list[tuple[Any, str]]:
    """torch keeps TF32 in two ways. The older one can't be read where somebody has set the newer one, and then means nothing."""
    return [(place, "allow_tf32") for place in (torch.backends.cudnn, torch.backends.cuda.matmul) if _readable(place)]


def _new_flags() -> list[tuple[Any, str]]:
    """The newer way, which wins; torch before 2.9 has none."""
    backends: Any = torch.backends
    places = (getattr(backends.cudnn, "conv", None), getattr(backends.cudnn, "rnn", None), backends.cuda.matmul)
    return [(place, "fp32_precision") for place in places if hasattr(place, "fp32_precision")]


def _readable(place: Any) -> bool:
    try:
        return isinstance(place.allow_tf32, bool)
    except RuntimeError:
        return False
