"""Which activation an encoder's weights were trained with: GELU, or OpenAI's QuickGELU (x * sigmoid(1.702 x)).

open_clip builds what the architecture's config says and merely warns where the weights' own entry says otherwise (of 3.3's 196
pairs 28, `ViT-L-14:openai` among them): the encoder then runs, with other numbers than its authors'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transformer import QuickGELU

from hope_bench.errors import HopeBenchError

Activation = Literal["gelu", "quick_gelu"]

CONFIG_KNOWS = {"roberta-ViT-B-32": "laion2b_s12b_b32k"}
"""Architecture and tag where the architecture's config is right and the tag says nothing: it was made with QuickGELU for exactly
these weights (LAION trained it with that config; the tag's entry has no `quick_gelu`, which elsewhere means GELU)."""


def choose_activation(architecture: str, pretrained: str | None, asked: Activation | None = None) -> Activation | None:
    """What to build for these weights; None leaves it to the config beside them (local-dir, hf-hub: `pretrained` is None).

    `pretrained` is a tag or a checkpoint file; `asked` is the spec's `clip.activation`, for what names no activation itself.
    Raises HopeBenchError where the weights' own entry contradicts `asked`, and where nothing says which it is.
    """
    if pretrained is None:
        return asked
    configured = _named(open_clip.get_model_config(architecture).get("quick_gelu", False))
    tags = {tag: _of_tag(architecture, tag) for tag in open_clip.list_pretrained_tags_by_model(architecture)}
    entry = get_pretrained_cfg(architecture, pretrained)
    if not entry:  # a checkpoint file
        return asked or _of_file(architecture, {**tags, "its config": configured})
    stated = None if entry.get("quick_gelu") is None else _named(entry["quick_gelu"])
    if stated is not None and asked not in (None, stated):
        raise HopeBenchError(f"The weights {architecture}:{pretrained} are {stated} weights; leave activation = {asked!r} out.")
    if stated is None and asked is None and configured == "quick_gelu" and CONFIG_KNOWS.get(architecture) != pretrained:
        raise HopeBenchError(
            f"open_clip builds {architecture} with quick_gelu, and its weights {pretrained!r} don't say whether they want it. "
            'Look up what they were trained with, and set activation = "gelu" or "quick_gelu" beside clip.model in the spec.'
        )
    return stated or asked or _of_tag(architecture, pretrained)


def build_options(activation: Activation | None) -> Mapping[str, Any]:
    """What to pass to open_clip, so that it builds that activation."""
    if activation is None:
        return {}
    # Its own flag can only turn QuickGELU on; what a config turns on is turned off as the model's keyword.
    return {"force_quick_gelu": True} if activation == "quick_gelu" else {"quick_gelu": False}


def built_activation(model: torch.nn.Module) -> Activation:
    """What a built model really computes: QuickGELU in any tower, else GELU (or a timm or Hugging Face tower's own)."""
    return _named(any(isinstance(module, QuickGELU) for module in model.modules()))


def _of_tag(architecture: str, tag: str) -> Activation:
    """A tag that says nothing means GELU, but where the architecture's config is known to be right."""
    said = get_pretrained_cfg(architecture, tag).get("quick_gelu")
    return _named(said if said is not None else CONFIG_KNOWS.get(architecture) == tag)


def _of_file(architecture: str, says: Mapping[str, Activation]) -> Activation:
    if len(set(says.values())) == 1:
        return says["its config"]
    quick = [name for name, activation in says.items() if activation == "quick_gelu"]
    plain = [name for name, activation in says.items() if activation == "gelu"]
    raise HopeBenchError(
        f"{architecture} has weights of both kinds: quick_gelu ({', '.join(quick)}) or gelu ({', '.join(plain)}), and a "
        f'checkpoint file doesn\'t say which. Set activation = "gelu" or "quick_gelu" beside clip.model in the spec.'
    )


def _named(quick: object) -> Activation:
    return "quick_gelu" if quick else "gelu"
