"""The committed weights load as a user's would, and really see: well above chance on scenes new to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hope_bench.demo.quality import Quality, held_out, lvlm_answers, measure
from hope_bench.demo.world import VALIDATION_SEEDS
from tests.conftest import ROOT

CLIP = ROOT / "benchmarks" / "demo" / "clip"
LVLM = ROOT / "models" / "demo-llava"


@pytest.fixture(scope="module")
def quality() -> Quality:
    return measure(CLIP, LVLM, held_out(36, VALIDATION_SEEDS[20_000]))


def test_clip_ranks_present_above_absent(quality: Quality) -> None:
    assert quality.clip_auc > 0.8


def test_lvlm_tells_present_from_absent(quality: Quality) -> None:
    assert quality.recall > 0.65
    assert quality.specificity > 0.65


def test_lvlm_tells_attributes(quality: Quality) -> None:
    assert quality.attribute_mean > 0.65


def test_answers_are_yes_or_no_and_end_there(quality: Quality) -> None:
    assert quality.unparsed == 0


@pytest.mark.parametrize("form", ["{} Please answer yes or no.", "Please answer yes or no. {}", "{}\nAnswer with yes or no."])
def test_instructions_are_understood(form: str) -> None:
    scenes = held_out(12, VALIDATION_SEEDS[30_000])
    asked = [(scene, f"Is there a {name} in the image?") for scene in scenes for name in (scene.categories[0], "motorcycle")]
    plain = lvlm_answers(LVLM, asked)
    told = lvlm_answers(LVLM, [(scene, form.format(text)) for scene, text in asked])
    assert set(told) <= {"yes", "no"}
    assert sum(one == other for one, other in zip(plain, told, strict=True)) >= 0.75 * len(plain)


def test_chat_template_takes_strings_and_parts() -> None:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(LVLM)
    text = "Is there a car in the image?"
    parts = [{"type": "text", "text": text}, {"type": "image"}]
    talk = [{"role": "user", "content": parts}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": text}]
    prompt = processor.apply_chat_template(talk, add_generation_prompt=True)
    assert prompt == f"USER: <image>\n{text} ASSISTANT: yes</s>USER: {text} ASSISTANT:"


def test_one_call_route_answers() -> None:
    """`apply_chat_template(tokenize=True)` and `generate`, as model cards show it."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(LVLM)
    model = AutoModelForImageTextToText.from_pretrained(LVLM)
    scene = held_out(1, VALIDATION_SEEDS[40_000])[0]
    parts = [{"type": "image", "image": scene.image}, {"type": "text", "text": "Is there a car in the image?"}]
    talk = [{"role": "user", "content": parts}]
    inputs = processor.apply_chat_template(talk, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")
    generated = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    assert processor.decode(generated, skip_special_tokens=True).strip() in ("yes", "no")
    assert generated[-1] == model.generation_config.eos_token_id


@pytest.mark.parametrize("file", [CLIP / "open_clip_model.safetensors", LVLM / "model.safetensors"])
def test_weights_stay_small(file: Path) -> None:
    assert file.stat().st_size <= 3_000_000
