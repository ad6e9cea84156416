"""The families of the latest cards for the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as hf

from tests.checkpoints import CHAT, WIDTH, text_settings, tokenizer_with
from tests.families import BOS_CHAT, PINPOINTS, TINY, _qwen3_5, _qwen3_vl, llava_processor
from tests.recent_families import glm4v, minicpmv

MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


def _vipllava() -> tuple[Any, Any]:
    """Several layers of the tower at once."""
    tokenizer = tokenizer_with()
    config = hf.VipLlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TINY, image_size=56, patch_size=14), vision_feature_layer=[-2, 0],
        text_config=hf.LlamaConfig(**text_settings(tokenizer)), image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    return hf.VipLlavaForConditionalGeneration(config), llava_processor(tokenizer)


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


def _gemma3n() -> tuple[Any, Any]:
    """Four predictions of each layer side by side, embeddings for each layer, and layers that share keys and values. In place of
    its own tower, which can't be built small, stands another convolutional one of timm's."""
    marks = {
        "image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
        "audio_token": "<audio_soft_token>", "boa_token": "<start_of_audio>", "eoa_token": "<end_of_audio>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), **marks)
    images = hf.SiglipImageProcessor(size={"height": 64, "width": 64})
    processor = hf.Gemma3nProcessor(
        hf.Gemma3nAudioFeatureExtractor(), images, tokenizer, image_seq_length=4,
        chat_template=BOS_CHAT.replace("IMAGE", marks["image_token"]),
    )  # fmt: skip
    ids = {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    text = {
        **text_settings(tokenizer), "num_hidden_layers": 3, "intermediate_size": 64, "head_dim": 16, "sliding_window": 24,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"], "num_kv_shared_layers": 1,
        "vocab_size_per_layer_input": len(tokenizer), "hidden_size_per_layer_input": 8, "laurel_rank": 8,
        "activation_sparsity_pattern": [0.0, 0.0, 0.0], "tie_word_embeddings": False,
        "rope_parameters": {"sliding_attention": rope, "full_attention": rope},
    }  # fmt: skip
    vision = {
        "architecture": "resnet10t", "hidden_size": 512, "vocab_size": 8, "vocab_offset": len(tokenizer),
    }  # fmt: skip
    audio = {
        "hidden_size": 32, "conf_num_attention_heads": 2, "conf_num_hidden_layers": 1, "vocab_size": 8,
        "vocab_offset": len(tokenizer) + 8,
    }  # fmt: skip
    config = hf.Gemma3nConfig(
        text_config=text, vision_config=vision, audio_config=audio, vision_soft_tokens_per_image=4,
        boi_token_id=ids["boi_token"], eoi_token_id=ids["eoi_token"], image_token_id=ids["image_token"],
        boa_token_id=ids["boa_token"], eoa_token_id=ids["eoa_token"], audio_token_id=ids["audio_token"],
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Gemma3nForConditionalGeneration(config), processor


def _kimi_k25() -> tuple[Any, Any]:
    """DeepSeek V3's language model: latent attention and experts."""
    marks = ("<|media_pad|>", "<|kimi_k25_video_placeholder|>", "<|media_begin|>", "<|media_content|>", "<|media_end|>")
    tokenizer = tokenizer_with(*marks, image_token=marks[0], video_token=marks[1])
    processor = hf.Kimi_K25Processor(
        hf.Kimi_K25ImageProcessor(), tokenizer, hf.Kimi_K25VideoProcessor(),
        chat_template=CHAT.replace("IMAGE", f"{marks[2]}image{marks[3]}{marks[0]}{marks[4]}"),
    )  # fmt: skip
    text = hf.DeepseekV3Config(
        **{**text_settings(tokenizer), "num_key_value_heads": 4}, q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=16,
        qk_rope_head_dim=8, v_head_dim=16, n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1,
        moe_intermediate_size=32, first_k_dense_replace=1, tie_word_embeddings=False,
    )  # fmt: skip
    config = hf.Kimi_K25Config(
        text_config=text, vision_config={**TINY, "patch_size": 14, "pos_emb_height": 8, "pos_emb_width": 8},
        projection_hidden_size=32, image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
        vision_start_token_id=tokenizer.convert_tokens_to_ids(marks[2]),
        vision_end_token_id=tokenizer.convert_tokens_to_ids(marks[4]), tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Kimi_K25ForConditionalGeneration(config), processor


def _ernie4_5_vl_moe() -> tuple[Any, Any]:
    """Experts for pictures and others for words."""
    marks = {
        "image_token": "<|IMAGE_PLACEHOLDER|>", "image_start_token": "<|IMAGE_START|>", "image_end_token": "<|IMAGE_END|>",
        "video_token": "<|VIDEO_PLACEHOLDER|>", "video_start_token": "<|VIDEO_START|>", "video_end_token": "<|VIDEO_END|>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), **marks)
    images = hf.Ernie4_5_VLMoeImageProcessor(size={"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 30})
    processor = hf.Ernie4_5_VLMoeProcessor(
        images, tokenizer, hf.Ernie4_5_VLMoeVideoProcessor(draw_on_frames=False),
        chat_template=CHAT.replace("IMAGE", marks["image_start_token"] + marks["image_token"] + marks["image_end_token"]),
    )  # fmt: skip
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [3, 3, 2]}
    config = hf.Ernie4_5_VLMoeConfig(
        text_config={
            **text_settings(tokenizer), "moe_intermediate_size": [32, 16], "moe_k": 2, "moe_num_experts": 4,
            "moe_num_shared_experts": 1, "tie_word_embeddings": False, "rope_parameters": rope,
        },
        vision_config={"depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64}, **ids, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Ernie4_5_VLMoeForConditionalGeneration(config), processor


LATEST_FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "vipllava": _vipllava,
    "idefics2": _idefics2,
    "qwen3_vl_moe": lambda: _qwen3_vl("Qwen3VLMoe", **MOE),
    "qwen3_5_moe": lambda: _qwen3_5("Qwen3_5Moe", **MOE, shared_expert_intermediate_size=32),
    "glm46v": lambda: glm4v("Glm46V"),
    "granite4_vision": _granite4_vision,
    "perception_lm": _perception_lm,
    "fast_vlm": _fast_vlm,
    "molmo2": _molmo2,
    "gemma4": _gemma4,
    "minicpmv4_7": lambda: minicpmv("MiniCPMV4_7"),
    "gemma3n": _gemma3n,
    "kimi_k25": _kimi_k25,
    "ernie4_5_vl_moe": _ernie4_5_vl_moe,
}
