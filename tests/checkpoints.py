"""Tiny checkpoints of real families with random weights, saved as a user would find them on disk.

Their answers mean nothing, but they are decided by image and question, and every code path of the real classes runs. The output
rows of the yes and no tokens are scaled up, so that some answers begin with one and some don't.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from hope_bench.files.card import find_card

OBJECTS = ("person", "bicycle", "umbrella", "dog", "elephant", "cup", "traffic light", "dining table", "orange", "bench")
SPECIAL = ("<s>", "</s>", "<unk>", "<pad>", "<image>", "<|user|>", "<|model|>")
CHAT = (
    "{% for message in messages %}<|user|>{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|model|>{% endif %}"
)
WIDTH = 64


CARD_OF = {
    "paligemma": "paligemma2-3b-mix", "paligemma2": "paligemma2-3b-mix", "blip_2": "blip2-opt-2.7b",
    "instructblip": "instructblip-vicuna-7b",
}  # fmt: skip
"""The families whose checkpoints bring no chat template, here as on the Hub, and the packaged card that has one for them."""


def template_of(family: str) -> dict[str, str]:
    """What a family's card has to say about how it is asked: nothing where its checkpoints say it."""
    template = find_card(CARD_OF[family]).chat_template if family in CARD_OF else None
    return {} if template is None else {"chat_template": template}


def prompts(count: int) -> list[str]:
    """Questions of different lengths, as a benchmark fills them."""
    forms = ("Please answer yes or no. Is there a {} in the image?", "Is there a {} in the image?")
    return [forms[i % 2].format(OBJECTS[i % len(OBJECTS)]) for i in range(count)]


def pictures(count: int) -> list[Image.Image]:
    """RGB images of different shapes, each its own."""
    rng = np.random.default_rng(0)
    sizes = [(96, 64), (64, 64), (64, 112), (80, 80)]
    return [
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize(sizes[i % len(sizes)], Image.Resampling.BICUBIC)
        for i in range(count)
    ]


@cache
def _trained_bpe() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    corpus = [*prompts(40), *(["Yes", "No", " yes", " no", "yes", "no"] * 20)]
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    return str(tokenizer.to_str())


def tokenizer_with(*special: str, **named: str) -> Any:
    tokenizer = Tokenizer.from_str(_trained_bpe())
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (*SPECIAL, *special)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        extra_special_tokens=named or {"image_token": "<image>"},
    )  # fmt: skip


def text_settings(tokenizer: Any) -> dict[str, Any]:
    return {
        "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": 2048,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


TINY_CLIP = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
    "patch_size": 14,
}  # fmt: skip


def siglip() -> Any:
    return hf.SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14,
        vision_use_head=False,
    )  # fmt: skip


def _llava() -> tuple[Any, Any]:
    tokenizer = tokenizer_with()
    images = hf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = hf.LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template="{{ bos_token }}" + CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TINY_CLIP),
        text_config=hf.LlamaConfig(**text_settings(tokenizer)),
        image_token_index=tokenizer.image_token_id,
    )
    return hf.LlavaForConditionalGeneration(config), processor


def _qwen2_5_vl() -> tuple[Any, Any]:
    marks = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    tokenizer = tokenizer_with(*marks, image_token=marks[0], video_token=marks[1])
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 30})
    processor = hf.Qwen2_5_VLProcessor(
        images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=CHAT.replace("IMAGE", marks[2] + marks[0] + marks[3])
    )
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    ids = [tokenizer.convert_tokens_to_ids(mark) for mark in marks]
    config = hf.Qwen2_5_VLConfig(
        text_config={**text_settings(tokenizer), "rope_parameters": rope},
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": WIDTH, "intermediate_size": 64, "num_heads": 2,
            "fullatt_block_indexes": [1], "window_size": 56,
        },
        image_token_id=ids[0], video_token_id=ids[1], vision_start_token_id=ids[2], vision_end_token_id=ids[3],
    )  # fmt: skip
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def _idefics3() -> tuple[Any, Any]:
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = tokenizer_with("<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *rows)
    images = hf.Idefics3ImageProcessor(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    processor = hf.Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=CHAT.replace("IMAGE", "<image>"))
    config = hf.Idefics3Config(
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 64, "patch_size": 16,
        },
        text_config=hf.LlamaConfig(**text_settings(tokenizer)),
        image_token_id=processor.image_token_id, scale_factor=2, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return hf.Idefics3ForConditionalGeneration(config), processor


def _gemma3() -> tuple[Any, Any]:
    marks = {"image_token": "<soft>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokenizer = tokenizer_with(*marks.values(), **marks)
    images = hf.Gemma3ImageProcessor(size={"height": 56, "width": 56})
    template = "{{ bos_token }}" + CHAT.replace("IMAGE", marks["boi_token"])
    processor = hf.Gemma3Processor(images, tokenizer, image_seq_length=4, chat_template=template)
    text = {
        **text_settings(tokenizer), "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 24,
        "tie_word_embeddings": False,
        "layer_types": ["sliding_attention", "full_attention"],
    }  # fmt: skip
    config = hf.Gemma3Config(
        text_config=text, vision_config=siglip(), mm_tokens_per_image=4, boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id, image_token_index=tokenizer.image_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Gemma3ForConditionalGeneration(config), processor


def _paligemma() -> tuple[Any, Any]:
    tokenizer = tokenizer_with()
    images = hf.SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(images, tokenizer)
    config = hf.PaliGemmaConfig(
        vision_config=siglip(), text_config=hf.GemmaConfig(**text_settings(tokenizer), head_dim=16, tie_word_embeddings=False),
        tie_word_embeddings=False,
        image_token_index=processor.image_token_id, projection_dim=WIDTH, hidden_size=WIDTH, vocab_size=len(tokenizer),
    )  # fmt: skip
    return hf.PaliGemmaForConditionalGeneration(config), processor


SINCE = {"ernie4_5_vl_moe": "5.23", "minicpmv4_7": "5.20", "molmo2": "5.20", "vipllava": "5.23"}
"""The first version of transformers that was seen to run a family, where the lowest supported one doesn't."""

FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava": _llava,
    "qwen2_5_vl": _qwen2_5_vl,
    "idefics3": _idefics3,
    "gemma3": _gemma3,
    "paligemma": _paligemma,
}


def _randomise(model: Any, tokenizer: Any) -> None:
    """Weights large enough that image and question matter: unit variance through every matrix."""
    generator = torch.Generator().manual_seed(0)
    answers = [index for token, index in tokenizer.get_vocab().items() if token.strip("Ġ").lower() in ("yes", "no")]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim >= 2:
                scale = 1.0 if "embed" in name else weight[0].numel() ** -0.5
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
            elif "gate" in name:  # born closed: nothing of the image would come through
                weight.fill_(0.7)
        model.get_output_embeddings().weight[answers] *= 3.5


def save_checkpoint(family: str, folder: Path) -> Path:
    """Build one family's tiny model and save it in transformers' format."""
    from tests.families import MORE_FAMILIES
    from tests.latest_families import LATEST_FAMILIES
    from tests.recent_families import RECENT_FAMILIES

    model, processor = {**FAMILIES, **MORE_FAMILIES, **RECENT_FAMILIES, **LATEST_FAMILIES}[family]()
    _randomise(model, processor.tokenizer)
    # As published checkpoints do, so that a test notices if it leaks into greedy answers.
    model.generation_config.do_sample = True
    model.generation_config.temperature = 5.0
    model.generation_config.repetition_penalty = 3.0
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
