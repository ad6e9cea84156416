"""Families of the conformance suite with the real vocabularies of their models, each of which marks words in its own way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from tests import checkpoints, families, latest_families, recent_families
from tests.checkpoints import SPECIAL, pictures, prompts, save_checkpoint, template_of
from tests.real_vocabulary import real_tokenizer
from tests.soak import SOAK

FITS = {
    "llama2": ("llava", "llava_next", "vipllava", "instructblip"),
    "llama3_1": ("mllama", "idefics3", "perception_lm"),
    "qwen3": ("qwen2_5_vl", "qwen2_vl", "qwen3_vl", "qwen3_vl_moe", "llava_onevision", "internvl", "fast_vlm", "molmo2"),
    "gemma3": ("gemma3", "gemma3n", "paligemma2"),
    "deepseek_v3": ("deepseek_vl",),
}
"""The families that each vocabulary fits (Mistral's: tests/unit/test_tekken.py; Kimi's and ERNIE's are not at hand): all in
`make soak`, else two: large ones take seconds to load."""
ALL = [(name, family) for name, fitting in FITS.items() for family in fitting]
CASES = ALL if SOAK else [("llama2", "llava"), ("qwen3", "qwen2_5_vl")]
PLAIN = ("paligemma2", "instructblip")
BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(4)]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*")


@pytest.mark.usefixtures("loads_processors_once")
@pytest.mark.parametrize(("name", "family"), CASES)
def test_answers_are_the_plain_ones(name: str, family: str, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tokenizer(*special: str, **named: str) -> Any:
        return real_tokenizer(real, name, (*SPECIAL[4:], *special), named or {"image_token": "<image>"})

    for module in (checkpoints, families, recent_families, latest_families):
        monkeypatch.setattr(module, "tokenizer_with", tokenizer)
    folder = save_checkpoint(family, tmp_path / family)

    def loaded(path: str) -> TransformersModel:
        card = ModelCard(name="tiny", checkpoint=str(folder), device="cpu", max_new_tokens=3, **template_of(family), path=path)
        model = TransformersModel(card)
        model.load()
        return model

    model, plain = loaded("auto"), loaded("plain")
    found, expected = model.answer(BATCH), [answer for pair in BATCH for answer in plain.answer([pair])]
    assert [(a.text, a.complete, a.error) for a in found] == [(a.text, a.complete, a.error) for a in expected]
    assert [a.mass for a in found] == pytest.approx([a.mass for a in expected], abs=1e-4)
    assert [a.p_yes for a in found] == pytest.approx([a.p_yes for a in expected], abs=1e-4)
    assert model.report.path == ("plain" if family in PLAIN else "shared")
    ids = model._asking[1].inputs(model._asking[0], BATCH[:1])["input_ids"][0].tolist()
    assert ids.count(model._asking[0].tokenizer.bos_token_id) <= 1, "no doubled beginning"
