"""Numbers that a GPU computes as a CPU does: for CLIP, and for the LVLMs of adapters/."""

from __future__ import annotations

import torch


def compute_exactly() -> None:
    """Process-wide: float32 is computed as float32, as on a CPU (convolutions round to TF32 by default, and the first layer of
    most vision towers is one), and attention by kernels that are there (cuDNN's, which torch prefers on H100 and later, are made
    anew for every shape, and questions come in many)."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.enable_cudnn_sdp(False)
