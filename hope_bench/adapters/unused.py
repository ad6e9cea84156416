"""Weights that a checkpoint holds and its model has no place for: left-overs that mean nothing, or a model that isn't whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_COMPUTED = re.compile(
    r"inv_freq$|rotary_emb\.|rotary_pos_emb\.|position_ids$|relative_position_index$|masked_bias$|attn\.bias$|attention\.bias$"
    r"|num_batches_tracked$|_scale(?:_inv)?$"
)
"""What older versions saved of what is computed: rotary frequencies, positions, causal masks; and scales of quantized weights."""

_PREDICTION = re.compile(r"\.(?:eh_proj|enorm|hnorm|shared_head|mtp\w*)(?:\.|$)")
"""What tells a layer that predicts the token after the next, for speculative decoding alone: DeepSeek's and GLM's stand after the
last one."""


_SCALES = re.compile(r"\.(?:weight_(?:scale(?:_inv)?|packed|scale_2)|input_scale|qweight|qzeros|scales)$")
"""What FP8, GPTQ, AWQ and their kin store beside a quantized weight, or instead of it."""


def unused_scales(model: Any, names: Iterable[str]) -> list[str]:
    """Which of these names of weights, unknown to the model, tell of quantized ones, where the model takes them for plain
    numbers: its config.json doesn't say that they are quantized. Sorted."""
    return sorted(filter(_SCALES.search, names)) if getattr(model, "hf_quantizer", None) is None else []


def unused_weights(model: Any, names: Iterable[str]) -> list[str]:
    """Which of these names of weights, unknown to the model, it should have had a place for; sorted.

    These are layers beyond the last of a stack that the model has, and weights and biases within its layers or of its modules: a
    model that is built without them gives other numbers than the one that was trained. What else a checkpoint brings along (heads
    of other tasks, a second model, what is computed anyway) changes nothing; nor do the biases, all zero, that GPTQ's tools write
    beside every quantized weight, nor an eye's last layers: models read features before the end, and some configs leave out what
    comes after.
    """
    modules: Mapping[str, Any] = dict(model.named_modules())
    quantized = getattr(model.config, "quantization_config", None) is not None
    candidates = [name for name in names if not _COMPUTED.search(name) and not (quantized and name.endswith(".bias"))]
    eyes = _encoders(model, modules)
    candidates = [name for name in candidates if not (_beyond(modules, name) and name.startswith(eyes))]
    predicting = {layer for name in candidates if _PREDICTION.search(name) and (layer := _beyond(modules, name)) is not None}
    return sorted(name for name in candidates if _belongs(modules, name) and _beyond(modules, name) not in predicting)


def _encoders(model: Any, modules: Mapping[str, Any]) -> tuple[str, ...]:
    """What the names of weights of a model's encoders of images and sounds begin with."""
    parts = (getattr(model.config, f"{kind}_config", None) for kind in ("vision", "audio"))
    kinds = {type(part) for part in parts if part is not None} - {type(model.config), type(model.config.get_text_config())}
    return tuple(f"{name}." for name, module in modules.items() if name and type(getattr(module, "config", None)) in kinds)


def _beyond(modules: Mapping[str, Any], name: str) -> str | None:
    """The layer of a weight where it is one that a stack of the model doesn't have ("model.layers.2")."""
    parts = name.split(".")
    for place, part in enumerate(parts):
        layer = ".".join(parts[: place + 1])
        if part.isdecimal() and layer not in modules and f"{'.'.join(parts[:place])}.0" in modules:
            return layer
    return None


def _belongs(modules: Mapping[str, Any], name: str) -> bool:
    if _beyond(modules, name) is not None:
        return True
    parts = name.split(".")
    if parts[-1] not in ("weight", "bias"):
        return False
    within = any(part.isdecimal() and ".".join(parts[: place + 1]) in modules for place, part in enumerate(parts))
    return within or ".".join(parts[:-1]) in modules
