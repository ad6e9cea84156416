"""The families of the latest cards for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as hf

from tests.checkpoints import CHAT, WIDTH, text_settings, tokenizer_with
from tests.families import BOS_CHAT, PINPOINTS, QWEN, TINY, _qwen, _qwen3_processor

MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


def _vipllava() -> tuple[Any, Any]:
    """Several layers of the tower at once."""
    tokenizer = tokenizer_with()
    images = hf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = hf.LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=BOS_CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    config = hf.VipLlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TINY, image_size=56, patch_size=14), vision_feature_layer=[-2, 0],
        text_config=hf.LlamaConfig(**text_settings(tokenizer)), image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    return hf.VipLlavaForConditionalGeneration(config), processor


def _idefics2() -> tuple[Any, Any]:
    """A perceiver between tower and language model."""
    tokenizer = tokenizer_with(
        "<fake_token_around_image>", image_token="<image>", image_boundary_token="<fake_token_around_image>"
    )
    images = hf.Idefics2ImageProcessor(size={"longest_edge": 56, "shortest_edge": 28}, do_image_splitting=False)
    processor = hf.Idefics2Processor(images, tokenizer, image_seq_len=4, chat_template=BOS_CHAT.replace("IMAGE", "<image>"))
    config = hf.Idefics2Config(
        vision_config={**TINY, "image_size": 56, "patch_size": 14},
        perceiver_config={
            "hidden_size": WIDTH, "resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 2,
            "resampler_head_dim": 16, "num_key_value_heads": 1,
        },
        text_config=hf.MistralConfig(**text_settings(tokenizer), sliding_window=None, head_dim=16),
        image_token_id=tokenizer.image_token_id,
    )  # fmt: skip
    return hf.Idefics2ForConditionalGeneration(config), processor


def _qwen3_vl_moe() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(*QWEN, image_token=QWEN[0], video_token=QWEN[1])
    vision = {
        "depth": 3, "hidden_size": 32, "out_hidden_size": WIDTH, "intermediate_size": 64, "num_heads": 2,
        "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64,
    }  # fmt: skip
    text = _qwen(tokenizer, [3, 3, 2], head_dim=16, **MOE, rope_parameters={"mrope_interleaved": True})
    return hf.Qwen3VLMoeForConditionalGeneration(hf.Qwen3VLMoeConfig(**text, vision_config=vision)), _qwen3_processor(tokenizer)


def _qwen3_5_moe() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(*QWEN, image_token=QWEN[0], video_token=QWEN[1])
    vision = {
        "depth": 2, "hidden_size": 32, "out_hidden_size": WIDTH, "intermediate_size": 64, "num_heads": 2,
        "num_position_embeddings": 64,
    }  # fmt: skip
    text = _qwen(
        tokenizer, [2, 1, 1], head_dim=32, linear_key_head_dim=16, linear_value_head_dim=16, linear_num_key_heads=2,
        linear_num_value_heads=4, layer_types=["linear_attention", "full_attention"], **MOE, shared_expert_intermediate_size=32,
        rope_parameters={"mrope_interleaved": True, "partial_rotary_factor": 0.25},
    )  # fmt: skip
    return hf.Qwen3_5MoeForConditionalGeneration(hf.Qwen3_5MoeConfig(**text, vision_config=vision)), _qwen3_processor(tokenizer)


def _glm46v() -> tuple[Any, Any]:
    marks = ("<|image|>", "<|video|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")
    tokenizer = tokenizer_with(*marks, image_token=marks[0], video_token=marks[1])
    images = hf.Glm46VImageProcessor(size={"shortest_edge": 28 * 28 * 4 * 2, "longest_edge": 28 * 28 * 30 * 2})
    processor = hf.Glm46VProcessor(
        images, tokenizer, hf.Glm46VVideoProcessor(), chat_template=CHAT.replace("IMAGE", marks[2] + marks[0] + marks[3])
    )  # fmt: skip
    ids = tokenizer.convert_tokens_to_ids(list(marks))
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
    config = hf.Glm46VConfig(
        text_config={**text_settings(tokenizer), "rope_parameters": rope},
        vision_config={
            "depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": WIDTH, "intermediate_size": 64, "image_size": 56,
        },
        image_token_id=ids[0], video_token_id=ids[1], image_start_token_id=ids[2], image_end_token_id=ids[3],
        video_start_token_id=ids[4], video_end_token_id=ids[5],
    )  # fmt: skip
    return hf.Glm46VForConditionalGeneration(config), processor


def _granite4_vision() -> tuple[Any, Any]:
    """The picture enters eight layers, through windows."""
    tokenizer = tokenizer_with()
    images = hf.LlavaNextImageProcessor(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=PINPOINTS
    )
    processor = hf.Granite4VisionProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="full", downsample_rate="2/4",
        chat_template=BOS_CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    vision = hf.SiglipVisionConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14,
        vision_use_head=False,
    )  # fmt: skip
    text = {**text_settings(tokenizer), "num_hidden_layers": 4}
    config = hf.Granite4VisionConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.image_token_id, image_grid_pinpoints=PINPOINTS,
        downsample_rate="2/4", deepstack_layer_map=[(-2, 0)], spatial_target_layers=[0, 1, 2, 3],
        vision_feature_select_strategy="full",
        qformer_config={"num_hidden_layers": 1, "intermediate_size": 64, "cross_attention_frequency": 1},
    )  # fmt: skip
    return hf.Granite4VisionForConditionalGeneration(config), processor


def _perception_lm() -> tuple[Any, Any]:
    """A tower of timm's."""
    tokenizer = tokenizer_with("<|image|>", "<|video|>", image_token="<|image|>", video_token="<|video|>")
    images = hf.PerceptionLMImageProcessor(tile_size=56, max_num_tiles=4, size={"height": 56, "width": 56})
    processor = hf.PerceptionLMProcessor(
        hf.PerceptionLMVideoProcessor(), images, tokenizer, patch_size=14, pooling_ratio=2,
        chat_template=BOS_CHAT.replace("IMAGE", "<|image|>"),
    )  # fmt: skip
    vision = {
        "model_type": "timm_wrapper", "architecture": "vit_pe_core_large_patch14_336",
        "model_args": {
            "depth": 2, "embed_dim": 32, "num_heads": 2, "global_pool": "", "use_post_transformer_norm": False,
            "img_size": [56, 56], "ref_feat_shape": [4, 4], "mlp_ratio": 2.0,
        },
    }  # fmt: skip
    config = hf.PerceptionLMConfig(
        vision_config=vision, text_config=hf.LlamaConfig(**text_settings(tokenizer)), projector_pooling_ratio=2,
        image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
    )  # fmt: skip
    return hf.PerceptionLMForConditionalGeneration(config), processor


def _fast_vlm() -> tuple[Any, Any]:
    """A convolutional tower of timm's."""
    tokenizer = tokenizer_with()
    images = hf.CLIPImageProcessor(size={"shortest_edge": 128}, crop_size={"height": 128, "width": 128})
    processor = hf.LlavaProcessor(
        images, tokenizer, patch_size=64, vision_feature_select_strategy="full", num_additional_image_tokens=0,
        chat_template=CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    vision = {
        "model_type": "timm_wrapper", "architecture": "fastvit_mci3", "do_pooling": True, "global_pool": "avg",
        "hidden_size": 256,
        "model_args": {
            "inference_mode": True, "layers": [1, 1, 1, 1, 1], "embed_dims": [8, 16, 32, 64, 128],
        },
    }  # fmt: skip
    config = hf.FastVlmConfig(
        vision_config=vision, text_config=hf.Qwen2Config(**text_settings(tokenizer)), image_token_index=tokenizer.image_token_id,
        image_seq_length=4,
    )  # fmt: skip
    return hf.FastVlmForConditionalGeneration(config), processor


def _molmo2() -> tuple[Any, Any]:
    """Image tokens that attend to each other, and embeddings beside the vocabulary's."""
    marks = (
        "<im_start>", "<im_end>", "<im_patch>", "<im_col>", "<low_res_im_start>", "<|image|>", "<im_low>", "<frame_start>",
        "<frame_end>", "<|video|>",
    )  # fmt: skip
    tokenizer = tokenizer_with(*marks, image_token="<|image|>", video_token="<|video|>")
    ids = dict(zip(marks, tokenizer.convert_tokens_to_ids(list(marks)), strict=True))
    images = hf.Molmo2ImageProcessor(size={"height": 56, "width": 56}, max_crops=2, overlap_margins=[1, 1], pooling_size=[2, 2])
    processor = hf.Molmo2Processor(
        images, hf.Molmo2VideoProcessor(), tokenizer, chat_template=BOS_CHAT.replace("IMAGE", "<|image|>")
    )
    config = hf.Molmo2Config(
        vision_config={**TINY, "num_key_value_heads": 2, "head_dim": 16, "image_size": [56, 56], "num_position_embeddings": 16},
        adapter_config={
            "vision_feature_layer": [-1, -2], "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2,
            "head_dim": 16, "intermediate_size": 64, "text_hidden_size": WIDTH,
        },
        text_config={
            **text_settings(tokenizer), "head_dim": 16, "additional_vocab_size": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        image_start_token_id=ids["<im_start>"], image_end_token_id=ids["<im_end>"], image_patch_id=ids["<im_patch>"],
        low_res_image_start_token_id=ids["<low_res_im_start>"], frame_start_token_id=ids["<frame_start>"],
        frame_end_token_id=ids["<frame_end>"],
    )  # fmt: skip
    return hf.Molmo2ForConditionalGeneration(config), processor


def _gemma4() -> tuple[Any, Any]:
    """Embeddings for each layer, and layers that share keys and values."""
    marks = {
        "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
        "boa_token": "<|audio>", "eoa_token": "<audio|>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), "<|video|>", **marks)
    images = hf.Gemma4ImageProcessor(max_soft_tokens=70, patch_size=4, pooling_kernel_size=3)
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(), images, tokenizer, hf.Gemma4VideoProcessor(), image_seq_length=70,
        chat_template=BOS_CHAT.replace("IMAGE", marks["image_token"]),
    )  # fmt: skip
    ids = {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    rope = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        "full_attention": {"rope_type": "default", "rope_theta": 10000.0},
    }
    text = {
        **text_settings(tokenizer), "num_hidden_layers": 3, "head_dim": 16, "global_head_dim": 16, "sliding_window": 24,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"], "vocab_size_per_layer_input": len(tokenizer),
        "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 1, "tie_word_embeddings": False, "rope_parameters": rope,
    }  # fmt: skip
    vision = {**TINY, "num_key_value_heads": 2, "head_dim": 16, "patch_size": 4, "position_embedding_size": 256}
    config = hf.Gemma4Config(
        text_config=text, vision_config=vision, audio_config=None, boi_token_id=ids["boi_token"], eoi_token_id=ids["eoi_token"],
        image_token_id=ids["image_token"], video_token_id=tokenizer.convert_tokens_to_ids("<|video|>"),
        audio_token_id=ids["audio_token"], boa_token_id=ids["boa_token"], tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Gemma4ForConditionalGeneration(config), processor


def _minicpmv4_7() -> tuple[Any, Any]:
    marks = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), **marks)
    images = hf.MiniCPMV4_6ImageProcessor(scale_resolution=56, max_slice_nums=4)
    videos = hf.MiniCPMV4_6VideoProcessor(scale_resolution=56)
    processor = hf.MiniCPMV4_7Processor(images, videos, tokenizer, chat_template=CHAT.replace("IMAGE", marks["image_token"]))
    text = hf.Qwen3_5TextConfig(
        **text_settings(tokenizer), head_dim=32, linear_key_head_dim=16, linear_value_head_dim=16, linear_num_key_heads=2,
        linear_num_value_heads=4, layer_types=["linear_attention", "full_attention"], tie_word_embeddings=False,
    )  # fmt: skip
    config = hf.MiniCPMV4_7Config(
        vision_config={**TINY, "image_size": 56, "patch_size": 14, "num_hidden_layers": 3}, text_config=text, insert_layer_id=1,
        image_size=56, image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
    )  # fmt: skip
    return hf.MiniCPMV4_7ForConditionalGeneration(config), processor


LATEST_FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "vipllava": _vipllava,
    "idefics2": _idefics2,
    "qwen3_vl_moe": _qwen3_vl_moe,
    "qwen3_5_moe": _qwen3_5_moe,
    "glm46v": _glm46v,
    "granite4_vision": _granite4_vision,
    "perception_lm": _perception_lm,
    "fast_vlm": _fast_vlm,
    "molmo2": _molmo2,
    "gemma4": _gemma4,
    "minicpmv4_7": _minicpmv4_7,
}
