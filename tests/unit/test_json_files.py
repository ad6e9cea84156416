"""What a checkpoint's JSON files say: configurations that can't be, files that are no object, and the tower of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.json_files import check_config, read_object
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError
from tests.checkpoint_files import IS_POINTER, POINTER, fill


@pytest.mark.parametrize(
    ("vision", "words"),
    [
        (None, None),
        ("x", None),
        ({}, None),
        ({"_name_or_path": "openai/clip", "model_type": "x"}, "openai/clip"),
        ({"_name_or_path": "./a/b", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": "/a", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": "a/b/c", "model_type": "dinov2"}, "DINOv2"),
        ({"_name_or_path": 7, "model_type": "dinov2"}, "DINOv2"),
        (
            {"model_type": "siglip_vision_model", "hidden_size": 1152, "patch_size": 14, "image_size": 384},
            "SigLIP, 1152 wide, patches of 14, 384px",
        ),
        (
            {"model_type": "internvl_vision", "hidden_size": 1024, "patch_size": [14, 14], "image_size": [448, 336]},
            "InternViT, 1024 wide, patches of 14, 448px",
        ),
        ({"model_type": "siglip_vision_model", "patch_size": 14, "image_size": "big"}, "SigLIP, patches of 14"),
        ({"model_type": "siglip_vision_model", "image_size": []}, "SigLIP"),
        (
            {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336},
            "openai/clip-vit-large-patch14-336",
        ),
        (
            {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 224},
            "CLIP, 1024 wide, patches of 14, 224px",
        ),
        (
            {"model_type": "siglip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336},
            "SigLIP, 1024 wide, patches of 14, 336px",
        ),
        ({"model_type": "blip_2_vision_model", "hidden_size": 1408}, "EVA-CLIP ViT-g"),
        ({"model_type": "instructblip_vision_model", "hidden_size": 1409}, None),
        ({"model_type": "pixtral", "hidden_size": 9}, None),
    ],
)
def test_the_tower_that_a_configuration_tells_of(vision: Any, words: str | None) -> None:
    assert vision_tower({"vision_config": vision}) == words


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, None),
        ({"model_type": "llava", "architectures": ["A"], "auto_map": {}, "vision_config": {"model_type": "x"}}, None),
        ({"model_type": 7}, "model_type is a number, not a text"),
        ({"model_type": True}, "model_type is true or false, not a text"),
        ({"architectures": "A"}, "architectures is a text, not a list of texts"),
        ({"architectures": [7]}, "architectures is a list, not a list of texts"),
        ({"auto_map": []}, "auto_map is a list, not an object"),
        ({"num_hidden_layers": 10_000}, None),
        ({"num_hidden_layers": 10_001}, "num_hidden_layers is more than 10,000"),
        ({"text_config": {"depth": 10_001}}, "depth is more than 10,000"),
        ({"other_config": {"depth": 10_001}}, None),
        ({"num_hidden_layers": "10001"}, None),
        ({"deepest": 10_001}, None),
        ({"vision_config": None}, None),
        ({"vision_config": []}, "vision_config is a list, not an object"),
        ({"vision_config": {"model_type": None}}, None),
        ({"vision_config": {"model_type": 1.5}}, "vision_config.model_type is a number, not a text"),
        (
            {"model_type": 7, "architectures": "A", "auto_map": 7, "text_config": 7},
            "model_type is a number, not a text, architectures is a text, not a list of texts, auto_map is a number, "
            "not an object and "
            "1 more",
        ),
    ],
)
def test_a_configuration_that_can_not_be(config: dict[str, Any], words: str | None) -> None:
    if words is None:
        check_config("it", config)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_config("it", config)
    assert str(refused.value) == f"Checkpoint it has a damaged config.json: {words}. Copy or download it again."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, None),
        ([], "it holds a list, not an object. Copy or download it again."),
        ("null", "it holds null, not an object. Copy or download it again."),
        (POINTER, f"it is {IS_POINTER}."),
        (b"\xff", "UnicodeDecodeError: "),
        ("{", "JSONDecodeError: "),
    ],
)
def test_a_json_file_that_is_no_object(content: Any, words: str | None, tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": content})
    if words is None:
        assert read_object(tmp_path / "config.json", "it") == content
        return
    with pytest.raises(HopeBenchError) as refused:
        read_object(tmp_path / "config.json", "it")
    assert str(refused.value).startswith(f"Checkpoint it has a damaged config.json: {words}")
