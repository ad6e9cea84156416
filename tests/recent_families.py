"""Still more families for the conformance suite, those of the most recent cards among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as hf

from tests.checkpoints import CHAT, WIDTH, siglip, text_settings, tokenizer_with
from tests.families import BOS_CHAT, TINY, class_of, linear_attention


def _deepseek_vl() -> tuple[Any, Any]:
    tokenizer = tokenizer_with()
    images = hf.DeepseekVLImageProcessor(size={"height": 56, "width": 56}, min_size=14)
    processor = hf.DeepseekVLProcessor(
        images, tokenizer, num_image_tokens=16, chat_template=BOS_CHAT.replace("IMAGE", "<image>")
    )  # fmt: skip
    config = hf.DeepseekVLConfig(
        vision_config=siglip(), text_config=hf.LlamaConfig(**text_settings(tokenizer)), image_token_id=tokenizer.image_token_id,
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.DeepseekVLForConditionalGeneration(config), processor


def glm4v(name: str = "Glm4v") -> tuple[Any, Any]:
    """M-RoPE, with other names for its marks than Qwen's; `name` begins the classes' names."""
    marks = ("<|image|>", "<|video|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")
    tokenizer = tokenizer_with(*marks, image_token=marks[0], video_token=marks[1])
    images = class_of(name, "ImageProcessor")(size={"shortest_edge": 28 * 28 * 4 * 2, "longest_edge": 28 * 28 * 30 * 2})
    template = CHAT.replace("IMAGE", marks[2] + marks[0] + marks[3])
    processor = class_of(name, "Processor")(images, tokenizer, class_of(name, "VideoProcessor")(), chat_template=template)
    ids = tokenizer.convert_tokens_to_ids(list(marks))
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
    config = class_of(name, "Config")(
        text_config={**text_settings(tokenizer), "rope_parameters": rope},
        vision_config={
            "depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": WIDTH, "intermediate_size": 64, "image_size": 56,
        },
        image_token_id=ids[0], video_token_id=ids[1], image_start_token_id=ids[2], image_end_token_id=ids[3],
        video_start_token_id=ids[4], video_end_token_id=ids[5],
    )  # fmt: skip
    return class_of(name, "ForConditionalGeneration")(config), processor


def _ovis2() -> tuple[Any, Any]:
    """The image as a mixture of a visual vocabulary's entries."""
    marks = ("<IMG_START>", "<IMG_ATOM>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")
    tokenizer = tokenizer_with(*marks)
    images = hf.Ovis2ImageProcessor(
        size={"height": 56, "width": 56}, crop_to_patches=True, min_patches=1, max_patches=4
    )  # fmt: skip
    processor = hf.Ovis2Processor(images, tokenizer, image_seq_length=4, chat_template=CHAT.replace("IMAGE", "<image>\n"))
    ids = tokenizer.convert_tokens_to_ids(list(marks))
    config = hf.Ovis2Config(
        vision_config={**TINY, "image_size": 56, "patch_size": 14, "hidden_stride": 2, "vocab_size": 48},
        text_config=hf.Qwen2Config(**text_settings(tokenizer)), image_token_id=ids[1],
        visual_indicator_token_ids=[ids[0], *ids[2:]], vocab_size=len(tokenizer), hidden_size=WIDTH, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Ovis2ForConditionalGeneration(config), processor


def _lfm2_vl() -> tuple[Any, Any]:
    """Short convolutions in half of the layers."""
    rows = [f"<|img_row_{row}_col_{column}|>" for row in range(1, 4) for column in range(1, 4)]
    marks = ("<|image_start|>", "<|image_end|>", "<|img_thumbnail|>")
    tokenizer = tokenizer_with(*marks, *rows)
    images = hf.Lfm2VlImageProcessor(
        encoder_patch_size=16, tile_size=64, min_image_tokens=4, max_image_tokens=9, max_tiles=4, do_image_splitting=True
    )
    processor = hf.Lfm2VlProcessor(images, tokenizer, chat_template=BOS_CHAT.replace("IMAGE", "<image>"))
    vision = hf.Siglip2VisionConfig(**TINY, patch_size=16, num_patches=64, vision_use_head=False)
    text = hf.Lfm2Config(
        **text_settings(tokenizer), layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False,
        tie_word_embeddings=False,
    )  # fmt: skip
    config = hf.Lfm2VlConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.image_token_id, projector_hidden_size=WIDTH,
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Lfm2VlForConditionalGeneration(config), processor


def minicpmv(name: str = "MiniCPMV4_6") -> tuple[Any, Any]:
    """Slices of the image behind a thumbnail, and Qwen3.5's language model; `name` begins the classes' names."""
    marks = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), **marks)
    images = hf.MiniCPMV4_6ImageProcessor(scale_resolution=56, max_slice_nums=4)
    videos = hf.MiniCPMV4_6VideoProcessor(scale_resolution=56)
    template = CHAT.replace("IMAGE", marks["image_token"])
    processor = class_of(name, "Processor")(images, videos, tokenizer, chat_template=template)
    text = hf.Qwen3_5TextConfig(**text_settings(tokenizer), **linear_attention(), tie_word_embeddings=False)
    config = class_of(name, "Config")(
        vision_config={**TINY, "image_size": 56, "patch_size": 14, "num_hidden_layers": 3}, text_config=text, insert_layer_id=1,
        image_size=56, image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
    )  # fmt: skip
    return class_of(name, "ForConditionalGeneration")(config), processor


def _cohere2_vision() -> tuple[Any, Any]:
    marks = ("<|IMG_PATCH|>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_LINE_BREAK|>")
    named = {"image_token": marks[0], "boi_token": marks[1], "eoi_token": marks[2], "img_line_break_token": marks[3]}
    tokenizer = tokenizer_with(*marks, **named)
    images = hf.Cohere2VisionImageProcessor(
        size={"height": 56, "width": 56}, crop_to_patches=True, min_patches=1, max_patches=4, patch_size=2
    )
    processor = hf.Cohere2VisionProcessor(images, tokenizer, chat_template=BOS_CHAT.replace("IMAGE", marks[0]))
    text = hf.Cohere2Config(**text_settings(tokenizer), sliding_window=24, layer_types=["sliding_attention", "full_attention"])
    config = hf.Cohere2VisionConfig(
        vision_config=siglip(), text_config=text, image_token_id=tokenizer.image_token_id, downsample_factor=2,
        alignment_intermediate_size=64, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Cohere2VisionForConditionalGeneration(config), processor


def _llama4() -> tuple[Any, Any]:
    """Chunked attention, and experts in every layer."""
    marks = ("<|image|>", "<|image_start|>", "<|image_end|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>")
    tokenizer = tokenizer_with(*marks)
    images = hf.Llama4ImageProcessor(size={"height": 56, "width": 56}, max_patches=4)
    processor = hf.Llama4Processor(images, tokenizer, patch_size=14, chat_template=BOS_CHAT.replace("IMAGE", "<|image|>"))
    vision = hf.Llama4VisionConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128, vision_output_dim=32, image_size=56,
        patch_size=14, projector_input_dim=32, projector_output_dim=32, pixel_shuffle_ratio=0.5,
    )  # fmt: skip
    text = hf.Llama4TextConfig(
        **text_settings(tokenizer), intermediate_size_mlp=128, head_dim=16, num_local_experts=2, attention_chunk_size=24,
        layer_types=["chunked_attention", "full_attention"], no_rope_layers=[1, 0], tie_word_embeddings=False,
    )  # fmt: skip
    config = hf.Llama4Config(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<|patch|>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<|image_start|>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<|image_end|>"), tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Llama4ForConditionalGeneration(config), processor


RECENT_FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "deepseek_vl": _deepseek_vl,
    "glm4v": glm4v,
    "ovis2": _ovis2,
    "lfm2_vl": _lfm2_vl,
    "minicpmv4_6": minicpmv,
    "cohere2_vision": _cohere2_vision,
    "llama4": _llama4,
}
