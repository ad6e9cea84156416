"""More families for the conformance suite, built like tests/checkpoints.py builds the first ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as hf

from tests.checkpoints import CHAT, WIDTH, siglip, text_settings, tokenizer_with

BOS_CHAT = "{{ bos_token }}" + CHAT
QWEN = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
QWEN_CHAT = CHAT.replace("IMAGE", QWEN[2] + QWEN[0] + QWEN[3])
PINPOINTS = [[56, 56], [56, 112], [112, 56], [112, 112]]
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def class_of(name: str, what: str) -> Any:
    """A family's class of transformers: of "Qwen3VL" and "Config" Qwen3VLConfig."""
    return getattr(hf, name + what)


def _clip() -> Any:
    return hf.CLIPVisionConfig(**TINY, image_size=56, patch_size=14)


def llava_processor(tokenizer: Any) -> Any:
    """That of LLaVA-1.5 and its kin: small pictures, CLIP's class token left out."""
    images = hf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    return hf.LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=BOS_CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip


def _llava_mistral() -> tuple[Any, Any]:
    """Sliding windows shorter than the prompt."""
    tokenizer = tokenizer_with()
    text = hf.MistralConfig(**text_settings(tokenizer), sliding_window=12, head_dim=16)
    config = hf.LlavaConfig(vision_config=_clip(), text_config=text, image_token_index=tokenizer.image_token_id)
    return hf.LlavaForConditionalGeneration(config), llava_processor(tokenizer)


def _llava_next() -> tuple[Any, Any]:
    tokenizer = tokenizer_with()
    images = hf.LlavaNextImageProcessor(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=PINPOINTS
    )
    processor = hf.LlavaNextProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=BOS_CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    config = hf.LlavaNextConfig(
        vision_config=_clip(), text_config=hf.MistralConfig(**text_settings(tokenizer), sliding_window=None),
        image_token_index=tokenizer.image_token_id, image_grid_pinpoints=PINPOINTS,
    )  # fmt: skip
    return hf.LlavaNextForConditionalGeneration(config), processor


def _llava_onevision() -> tuple[Any, Any]:
    tokenizer = tokenizer_with("<video>", image_token="<image>", video_token="<video>")
    images = hf.LlavaOnevisionImageProcessor(size={"height": 56, "width": 56}, image_grid_pinpoints=PINPOINTS)
    processor = hf.LlavaOnevisionProcessor(
        images, tokenizer, hf.LlavaOnevisionVideoProcessor(size={"height": 56, "width": 56}), num_image_tokens=16,
        vision_feature_select_strategy="full", chat_template=CHAT.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    config = hf.LlavaOnevisionConfig(
        vision_config=siglip(), text_config=hf.Qwen2Config(**text_settings(tokenizer)), image_grid_pinpoints=PINPOINTS,
        image_token_index=tokenizer.image_token_id, video_token_index=tokenizer.video_token_id,
    )  # fmt: skip
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


def _qwen(tokenizer: Any, sections: list[int], **more: Any) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 10000.0}
    ids = [tokenizer.convert_tokens_to_ids(mark) for mark in QWEN]
    return {
        "text_config": {**text_settings(tokenizer), **more, "rope_parameters": rope | more.get("rope_parameters", {})},
        "image_token_id": ids[0], "video_token_id": ids[1], "vision_start_token_id": ids[2], "vision_end_token_id": ids[3],
    }  # fmt: skip


def _qwen2_vl() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(*QWEN, image_token=QWEN[0], video_token=QWEN[1])
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 30})
    processor = hf.Qwen2VLProcessor(images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=QWEN_CHAT)
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": WIDTH, "num_heads": 2, "mlp_ratio": 2}
    config = hf.Qwen2VLConfig(**_qwen(tokenizer, [2, 3, 3]), vision_config=vision)
    return hf.Qwen2VLForConditionalGeneration(config), processor


def _qwen3_processor(tokenizer: Any) -> Any:
    images = hf.Qwen2VLImageProcessor(patch_size=16, size={"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 30})
    return hf.Qwen3VLProcessor(images, tokenizer, hf.Qwen3VLVideoProcessor(), chat_template=QWEN_CHAT)


def _qwen3_vl(name: str = "Qwen3VL", **more: Any) -> tuple[Any, Any]:
    """`name` begins the classes' names; `more` is for the language model."""
    tokenizer = tokenizer_with(*QWEN, image_token=QWEN[0], video_token=QWEN[1])
    vision = {
        "depth": 3, "hidden_size": 32, "out_hidden_size": WIDTH, "intermediate_size": 64, "num_heads": 2,
        "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64,
    }  # fmt: skip
    text = _qwen(tokenizer, [3, 3, 2], head_dim=16, **more, rope_parameters={"mrope_interleaved": True})
    config = class_of(name, "Config")(**text, vision_config=vision)
    return class_of(name, "ForConditionalGeneration")(config), _qwen3_processor(tokenizer)


def linear_attention() -> dict[str, Any]:
    """Qwen3.5's language model: linear attention in half of the layers."""
    return {
        "head_dim": 32, "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2,
        "linear_num_value_heads": 4, "layer_types": ["linear_attention", "full_attention"],
    }  # fmt: skip


def _qwen3_5(name: str = "Qwen3_5", **more: Any) -> tuple[Any, Any]:
    tokenizer = tokenizer_with(*QWEN, image_token=QWEN[0], video_token=QWEN[1])
    vision = {
        "depth": 2, "hidden_size": 32, "out_hidden_size": WIDTH, "intermediate_size": 64, "num_heads": 2,
        "num_position_embeddings": 64,
    }  # fmt: skip
    rope = {"mrope_interleaved": True, "partial_rotary_factor": 0.25}
    text = _qwen(tokenizer, [2, 1, 1], **linear_attention(), **more, rope_parameters=rope)
    config = class_of(name, "Config")(**text, vision_config=vision)
    return class_of(name, "ForConditionalGeneration")(config), _qwen3_processor(tokenizer)


def _internvl() -> tuple[Any, Any]:
    marks = {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }  # fmt: skip
    tokenizer = tokenizer_with(*marks.values(), **marks)
    size = {"height": 56, "width": 56}
    images = hf.GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=4)
    processor = hf.InternVLProcessor(
        images, tokenizer, hf.InternVLVideoProcessor(size=size), image_seq_length=4,
        chat_template=CHAT.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )  # fmt: skip
    config = hf.InternVLConfig(
        vision_config={**TINY, "image_size": [56, 56], "patch_size": [14, 14]},
        text_config=hf.Qwen2Config(**text_settings(tokenizer)), image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.InternVLForConditionalGeneration(config), processor


def _smolvlm() -> tuple[Any, Any]:
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = tokenizer_with("<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *rows)
    images = hf.SmolVLMImageProcessor(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    processor = hf.SmolVLMProcessor(
        images, tokenizer, hf.SmolVLMVideoProcessor(), image_seq_len=4, chat_template=CHAT.replace("IMAGE", "<image>")
    )
    config = hf.SmolVLMConfig(
        vision_config={**TINY, "image_size": 64, "patch_size": 16}, text_config=hf.LlamaConfig(**text_settings(tokenizer)),
        image_token_id=processor.image_token_id, scale_factor=2, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return hf.SmolVLMForConditionalGeneration(config), processor


def _paligemma2() -> tuple[Any, Any]:
    tokenizer = tokenizer_with()
    images = hf.SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(images, tokenizer)
    text = hf.Gemma2Config(**text_settings(tokenizer), head_dim=16, sliding_window=24, tie_word_embeddings=False)
    config = hf.PaliGemmaConfig(
        vision_config=siglip(), text_config=text, image_token_index=processor.image_token_id, projection_dim=WIDTH,
        hidden_size=WIDTH, vocab_size=len(tokenizer), tie_word_embeddings=False,
    )  # fmt: skip
    return hf.PaliGemmaForConditionalGeneration(config), processor


def _mllama() -> tuple[Any, Any]:
    """The image enters through cross-attention."""
    tokenizer = tokenizer_with("<|image|>", "<|python_tag|>", image_token="<|image|>")
    images = hf.MllamaImageProcessor(size={"height": 56, "width": 56}, max_image_tiles=4)
    processor = hf.MllamaProcessor(images, tokenizer, chat_template=BOS_CHAT.replace("IMAGE", "<|image|>"))
    vision = {
        "hidden_size": 32, "num_hidden_layers": 3, "num_global_layers": 1, "attention_heads": 2, "intermediate_size": 64,
        "vision_output_dim": 96, "image_size": 56, "patch_size": 14, "max_num_tiles": 4, "intermediate_layers_indices": [0, 1],
        "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
    }  # fmt: skip
    text = {
        **text_settings(tokenizer), "num_hidden_layers": 4, "cross_attention_layers": [1, 3],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }  # fmt: skip
    config = hf.MllamaConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.image_token_id)
    return hf.MllamaForConditionalGeneration(config), processor


def _qformer(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vision_config": {**TINY, "image_size": 56, "patch_size": 14},
        "qformer_config": {**TINY, "encoder_hidden_size": 32, "vocab_size": len(tokenizer), **more},
        "num_query_tokens": 8,
        "image_token_index": tokenizer.convert_tokens_to_ids("<image>"),
    }


def _blip_2() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(unused_token="<unk>")
    processor = hf.Blip2Processor(hf.BlipImageProcessor(size={"height": 56, "width": 56}), tokenizer, num_query_tokens=8)
    settings = text_settings(tokenizer)
    names = (
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "vocab_size",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
    )
    text = hf.OPTConfig(
        **{name: settings[name] for name in names}, ffn_dim=128, max_position_embeddings=512, word_embed_proj_dim=WIDTH,
        tie_word_embeddings=False,
    )  # fmt: skip
    config = hf.Blip2Config(**_qformer(tokenizer), text_config=text, tie_word_embeddings=False)
    return hf.Blip2ForConditionalGeneration(config), processor


def _instructblip() -> tuple[Any, Any]:
    """The question enters the Q-Former, so no prefix is shared."""
    tokenizer, second = tokenizer_with(unused_token="<unk>"), tokenizer_with(unused_token="<unk>")
    processor = hf.InstructBlipProcessor(
        hf.BlipImageProcessor(size={"height": 56, "width": 56}), tokenizer, second, num_query_tokens=8
    )
    config = hf.InstructBlipConfig(**_qformer(tokenizer), text_config=hf.LlamaConfig(**text_settings(tokenizer)))
    return hf.InstructBlipForConditionalGeneration(config), processor


def _pixtral_processor(merge: int) -> tuple[Any, Any]:
    marks = ("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    tokenizer = tokenizer_with(*marks, image_token=marks[0])
    images = hf.PixtralImageProcessor(size={"longest_edge": 64}, patch_size={"height": 8 * merge, "width": 8 * merge})
    processor = hf.PixtralProcessor(
        images, tokenizer, patch_size=8, spatial_merge_size=merge, chat_template=BOS_CHAT.replace("IMAGE", "[IMG]")
    )
    return processor, tokenizer


def _pixtral() -> tuple[Any, Any]:
    """LLaVA's class on a tower of native resolution."""
    processor, tokenizer = _pixtral_processor(1)
    vision = hf.PixtralVisionConfig(**TINY, image_size=64, patch_size=8)
    config = hf.LlavaConfig(
        vision_config=vision, text_config=hf.MistralConfig(**text_settings(tokenizer), sliding_window=None, head_dim=16),
        image_token_index=tokenizer.image_token_id, vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip
    return hf.LlavaForConditionalGeneration(config), processor


def _mistral3() -> tuple[Any, Any]:
    processor, tokenizer = _pixtral_processor(2)
    vision = hf.PixtralVisionConfig(**TINY, image_size=64, patch_size=8)
    config = hf.Mistral3Config(
        vision_config=vision, text_config=hf.MistralConfig(**text_settings(tokenizer), sliding_window=None, head_dim=16),
        image_token_index=tokenizer.image_token_id, spatial_merge_size=2, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Mistral3ForConditionalGeneration(config), processor


def _aya_vision() -> tuple[Any, Any]:
    marks = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>")
    tokenizer = tokenizer_with(*marks, "TILE", "TILE_GLOBAL", image_token="<|IMG_PATCH|>")
    size = {"height": 56, "width": 56}
    images = hf.GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=4)
    processor = hf.AyaVisionProcessor(
        images, tokenizer, patch_size=14, img_size=56, downsample_factor=2, chat_template=BOS_CHAT.replace("IMAGE", "<image>")
    )
    text = hf.Cohere2Config(**text_settings(tokenizer), sliding_window=24, layer_types=["sliding_attention", "full_attention"])
    config = hf.AyaVisionConfig(
        vision_config=siglip(), text_config=text, image_token_index=tokenizer.image_token_id, downsample_factor=2,
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.AyaVisionForConditionalGeneration(config), processor


MORE_FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava_mistral": _llava_mistral,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "qwen2_vl": _qwen2_vl,
    "qwen3_vl": _qwen3_vl,
    "qwen3_5": _qwen3_5,
    "internvl": _internvl,
    "smolvlm": _smolvlm,
    "paligemma2": _paligemma2,
    "mllama": _mllama,
    "blip_2": _blip_2,
    "instructblip": _instructblip,
    "pixtral": _pixtral,
    "mistral3": _mistral3,
    "aya_vision": _aya_vision,
}
