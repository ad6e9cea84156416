"""The vision tower that a checkpoint's configuration tells of, in words that say of which family it is (scoring.tower_family)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OPENAI: Final = {(1024, 14, 336): "openai/clip-vit-large-patch14-336"}
"""CLIP towers of a width, patch and picture (pixels) that only one published CLIP in transformers' format has. At 224 pixels
there are several people's, which the sizes don't tell apart."""

_KINDS: Final = {
    "clip_vision_model": "CLIP", "siglip_vision_model": "SigLIP", "siglip2_vision_model": "SigLIP2",
    "internvl_vision": "InternViT", "dinov2": "DINOv2", "dinov2_with_registers": "DINOv2",
}  # fmt: skip
"""What a configuration's model type means. Families of their own (Qwen's, Pixtral's) tell nothing about others' encoders."""

_EVA: Final = ("blip_2_vision_model", "instructblip_vision_model")
_EVA_WIDTH: Final = 1408
"""BLIP-2's first tower, EVA-CLIP's ViT-g."""


def vision_tower(config: Mapping[str, Any]) -> str | None:
    """The tower of a model with this config.json, in words: by the name that it was built from where that is told, else by its
    kind and sizes. None where that would be a guess.

    Example: {"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152, "patch_size": 14, "image_size": 384}} is
    "SigLIP, 1152 wide, patches of 14, 384px".
    """
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return None
    named, kind = vision.get("_name_or_path"), str(vision.get("model_type"))
    if isinstance(named, str) and named.count("/") == 1 and not named.startswith((".", "/")):
        return named
    sizes = tuple(_first(vision.get(name)) for name in ("hidden_size", "patch_size", "image_size"))
    if kind in _EVA:
        return "EVA-CLIP ViT-g" if sizes[0] == _EVA_WIDTH else None
    if kind == "clip_vision_model" and sizes in _OPENAI:
        return _OPENAI[sizes]
    if kind not in _KINDS:
        return None
    told = [word.format(size) for word, size in zip(("{} wide", "patches of {}", "{}px"), sizes, strict=True) if size]
    return ", ".join([_KINDS[kind], *told])


def _first(size: Any) -> Any:
    """A size that may be one for each side; None for what is no number."""
    one = size[0] if isinstance(size, list | tuple) and size else size
    return one if isinstance(one, int) else None
