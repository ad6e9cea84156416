"""Tiny open_clip models with random weights, saved as a user's local folder would be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

WORDS = ("a", "photo", "of", "the", "cup", "dog", "blue", "car", "tree", "in", "it", ".")

VISION = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}

SIGLIP: Mapping[str, Any] = {
    "custom_text": True,
    "init_logit_bias": -10,
    "text_cfg": {
        "context_length": 64, "vocab_size": len(WORDS) + 2, "hf_tokenizer_name": "own",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 16, "heads": 2, "layers": 1, "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
    },
}  # fmt: skip
"""What sets SigLIP apart: a tower that attends to its padding and pools at the last place, 64 tokens, a sigmoid's bias."""


def read_words_once() -> None:
    """Let open_clip read CLIP's own 49,408 words once in this process: it takes 55 ms for each model that it loads."""
    from open_clip import SimpleTokenizer, factory

    made = cache(SimpleTokenizer)
    factory.SimpleTokenizer = lambda **settings: (made if settings.keys() == {"context_length"} else SimpleTokenizer)(**settings)


def save_tiny_clip(folder: Path, seed: int = 0, text_cfg: Mapping[str, Any] | None = None, **model_cfg: Any) -> str:
    """Build, save and name a random CLIP ("local-dir:...") of 32 x 32 pixels and 16 dimensions; `text_cfg` and `model_cfg` change
    its configuration. Where it names a tokenizer of Hugging Face's, one of WORDS is saved beside it."""
    import torch
    from safetensors.torch import save_file

    config = {"embed_dim": 16, "vision_cfg": VISION, **model_cfg, "text_cfg": {**TEXT, **(text_cfg or {})}}
    folder.mkdir(parents=True, exist_ok=True)
    model = random_model(config, seed)
    if "hf_tokenizer_name" in config["text_cfg"]:
        save_word_tokenizer(folder)
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    tensors: dict[str, torch.Tensor] = model.state_dict()
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def random_model(config: Mapping[str, Any], seed: int = 0) -> Any:
    """What open_clip builds of a `model_cfg`, with random weights, spread enough to tell texts and activations apart."""
    import torch
    from open_clip.model import CLIP, CustomTextCLIP

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = {key: value for key, value in config.items() if key != "custom_text"}
        model = (CustomTextCLIP if config.get("custom_text") else CLIP)(**settings)
        with torch.no_grad():
            for name, value in model.named_parameters():
                if "transformer" in name or "embedding" in name:
                    value.add_(torch.randn_like(value), alpha=0.3)
    return model.eval()


def save_word_tokenizer(folder: Path) -> None:
    """A fast tokenizer of whole words that ends a text with </s>, as T5's and SigLIP's do."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(("<pad>", "</s>", *WORDS))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>").save_pretrained(folder)
