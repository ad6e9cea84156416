"""Tiny LLaVAs with real vocabularies, that say what a test dictates."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
import transformers as hf

from hope_bench.adapters.transformers_model import TransformersModel
from tests.checkpoints import TINY_CLIP

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>\n{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


MARKS = (
    "[THINK]", "[/THINK]", "<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|channel>", "<channel|>", "<turn|>",
    "<|begin_of_box|>", "<|end_of_box|>", "<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>",
    "<seed:think>", "</seed:think>",
)  # fmt: skip
"""Of which some are special tokens of their models' vocabularies: what skip_special_tokens would drop."""


@cache
def unpacked(real: Path, name: str) -> Path:
    """The folder of a real vocabulary (shared/real/tokenizers)."""
    folder = Path(mkdtemp(prefix=name))
    for packed in (real / "tokenizers" / name).glob("*.xz"):
        (folder / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    return folder


@cache
def vocabulary(real: Path, name: str, *marks: str) -> Any:
    """A real tokenizer with `<image>` and further special tokens, as a model's authors add them."""
    tokenizer = hf.AutoTokenizer.from_pretrained(unpacked(real, name))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>", *marks]}, replace_extra_special_tokens=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def real_tokenizer(real: Path, name: str, special: Sequence[str], named: Mapping[str, str]) -> Any:
    """A fresh real tokenizer with further special tokens, some of them by the names that a processor asks for."""
    folder = unpacked(real, name)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    own = {key: settings.get(key) for key in ("bos_token", "eos_token", "unk_token", "pad_token")}
    words = {key: word["content"] if isinstance(word, dict) else word for key, word in own.items() if word}
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), **words, extra_special_tokens=dict(named)
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)}, replace_extra_special_tokens=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.bos_token_id is None:  # Qwen's begin with nothing, and templates that write it write nothing
        tokenizer.bos_token = tokenizer.eos_token
    return tokenizer


def processor_of(tokenizer: Any, template: str | dict[str, str] | None = CHATML) -> Any:
    """A LLaVA's processor with that vocabulary."""
    images = hf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    tokenizer.image_token, tokenizer.image_token_id = "<image>", tokenizer.convert_tokens_to_ids("<image>")
    tokenizer.chat_template = None
    return hf.LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=template,
    )  # fmt: skip


def save_llava(folder: Path, tokenizer: Any, template: str | None = CHATML) -> Path:
    """A LLaVA of that vocabulary, 16 numbers wide."""
    processor_of(tokenizer, template).save_pretrained(folder)
    text = hf.LlamaConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TINY_CLIP), text_config=text, image_token_index=tokenizer.image_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    hf.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


@contextmanager
def dictated(model: TransformersModel, text: str) -> Iterator[None]:
    """The model says `text`, token by token, each with a probability of nearly 1. One question at a time, on the plain path."""
    ids = iter(model._asking[0].tokenizer(text, add_special_tokens=False)["input_ids"])

    def say(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros_like(logits)
        logits[..., next(ids)] = 30.0
        return logits

    hook = model._model.get_output_embeddings().register_forward_hook(say)
    try:
        yield
    finally:
        hook.remove()
