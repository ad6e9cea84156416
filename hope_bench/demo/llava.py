"""The demo's LLaVA before training: configuration, word-level tokenizer, processor and chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from hope_bench.demo.questions import question_vocabulary
from hope_bench.demo.world import SIZE

PATCH: Final = 12
GRID: Final = SIZE // PATCH
IMAGE_TOKENS: Final = GRID * GRID
WIDTH: Final = 128
"""Width of the vision tower and of the language model."""
VISION_LAYERS: Final = 4
TEXT_LAYERS: Final = 3
SPECIAL: Final = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
PAD, BOS, EOS, UNKNOWN, IMAGE = range(len(SPECIAL))

# Images first, as LLaVA was trained; content may be a string or a list of parts, of either side's type names.
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] in ['image', 'image_url', 'input_image'] %}"
    "<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] in ['text', 'input_text'] %}"
    "{{ part['text'] }}{% endfor %}{% endif %}"
    "{% if message['role'] == 'assistant' %}</s>{% else %} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word or mark, lower case; words the world doesn't know are `<unk>`."""
    words = {word: index for index, word in enumerate([*SPECIAL, *question_vocabulary()])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    # Splits at blanks and sets every mark apart.
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pad, bos, eos, unknown, image = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        unk_token=unknown,
        additional_special_tokens=[image],
        padding_side="left",
        model_max_length=512,
    )


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    """A LlavaProcessor for 96 x 96 images of 64 image tokens."""
    images = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Any:
    """A freshly initialised LlavaForConditionalGeneration of about 1.1 million parameters, float32."""
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=VISION_LAYERS,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=64,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        image_seq_length=IMAGE_TOKENS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    # transformers initialises from torch's global generator.
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, do_sample=False, max_new_tokens=8
    )
    return model


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write fp16 weights and everything AutoProcessor and AutoModelForImageTextToText read."""
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    # fp16 keeps the file small; the configuration asks for float32, which CPUs are fast at.
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for part in (config, config["text_config"], config["vision_config"]):
        part["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
