"""The shipped model cards, and the command that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from hope_bench.api.asking import with_settings
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, find_card, read_card
from hope_bench.files.registry import known_models
from tests.cli import hope_bench, refused
from tests.unit.test_conformance import ALL

CARDS = sorted(known_models().items())


@pytest.mark.parametrize(("name", "path"), CARDS, ids=[name for name, _ in CARDS])
def test_a_card_is_valid_and_leaves_the_prompt_to_the_benchmark(name: str, path: Path) -> None:
    card = read_card(path)
    assert card.name == name
    assert card.prompt is None, "a card's prompt would make its results unranked"
    assert (card.authors_prompt is None) == (card.authors_prompt_source is None)


@pytest.mark.parametrize(("name", "path"), CARDS, ids=[name for name, _ in CARDS])
def test_a_card_of_somebody_elses_model_says_where_its_facts_are_from(name: str, path: Path) -> None:
    card = read_card(path)
    facts = (card.vision_tower, card.license, card.parameters)
    assert name == "demo-llava" or not any(facts) or card.sources
    assert "at hand" not in path.read_text()


@pytest.mark.parametrize("path", [path for _, path in CARDS], ids=[name for name, _ in CARDS])
def test_a_family_is_one_that_transformers_can_ask_about_an_image(path: Path) -> None:
    card = read_card(path)
    if card.adapter != "transformers":
        return
    known = card.family in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    assert known != card.trust_remote_code, "another one needs code of its own, and its card has to say so"


def test_families_marked_as_tested_are_in_the_suite_and_those_in_the_suite_are_marked() -> None:
    tested = {family.replace("_", "-") for family in ALL}
    cards = [card for card in (read_card(path) for _, path in CARDS) if card.adapter == "transformers"]
    marked = {str(card.family).replace("_", "-") for card in cards if card.conformance}
    assert marked <= tested
    assert len(marked) >= 14
    assert not {str(card.family).replace("_", "-") for card in cards if not card.conformance} & tested


def test_the_models_that_people_compare_are_there() -> None:
    """The families of the project's own list."""
    cards = [read_card(path) for _, path in CARDS]
    assert len([card for card in cards if card.adapter == "transformers"]) >= 25
    families = {card.family for card in cards}
    assert families >= {
        "llava", "llava_next", "llava_onevision", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl", "smolvlm", "idefics3",
        "gemma3", "paligemma", "mllama", "mistral3", "aya_vision", "blip-2", "instructblip", "minicpmv4_6", "ovis2", "glm4v",
        "phi3_v",
    }  # fmt: skip
    assert {"internvl2.5-8b-mpo", "internvl3-8b", "llava-1.5-13b", "pixtral-12b", "endpoint-example"} <= {c.name for c in cards}


def test_the_list_and_one_card(capsys: pytest.CaptureFixture[str]) -> None:
    listed = hope_bench(capsys, "models", "--details")
    assert listed.code == 0
    rows = {line.split()[0]: line for line in listed.out.splitlines() if line.strip()}
    assert {name for name, _ in CARDS} <= set(rows), "details come whole, however wide"
    for told in ("qwen2_5_vl", "3B", "yes", "Qwen Research", "own ViT with window attention, native resolution"):
        assert told in rows["qwen2.5-vl-3b"]
    assert "known" in rows["qwen2-vl-7b"]
    assert "known" not in rows["qwen2.5-vl-3b"]
    assert "own code" in rows["phi-3.5-vision"]
    shown = hope_bench(capsys, "models", "llava-1.5-7b")
    assert "checkpoint = llava-hf/llava-1.5-7b-hf" in shown.out
    assert "sources = github.com/haotian-liu/LLaVA scripts/v1_5/finetune.sh (tower)" in shown.out
    assert "authors_prompt = {question}\\nAnswer the question" in shown.out
    assert "Did you mean 'llava-1.5-7b'" in refused(capsys, "models", "llava-1.5-8b")


def test_the_list_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = hope_bench(capsys, "models").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert {name for name, _ in CARDS} <= {line.split()[0] for line in lines if line.strip()}


def test_a_hub_id_finds_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_card("llava-hf/llava-1.5-7b-hf").name == "llava-1.5-7b"
    assert find_card("somebody/llava-1.5-7b-hf") == ModelCard(name="llava-1.5-7b-hf", checkpoint="somebody/llava-1.5-7b-hf")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.toml").write_text("name = ")
    (tmp_path / "models" / "mine.toml").write_text('name = "mine"\ncheckpoint = "llava-hf/llava-1.5-7b-hf"\n')
    monkeypatch.chdir(tmp_path)
    assert find_card("llava-hf/llava-1.5-7b-hf").name == "mine", "one's own come first, and a broken one is in nobody's way"
    listed = hope_bench(capsys, "models")
    assert listed.code == 0
    assert "mine" in listed.out
    assert "broken.toml is not TOML" in listed.err


def test_the_authors_prompt_is_used_on_demand_only() -> None:
    asked = with_settings(find_card("llava-1.5-7b"), {}, authors_prompt=True)
    assert asked.prompt == "{question}\nAnswer the question using a single word or phrase."
    with pytest.raises(HopeBenchError, match="doesn't say how the model's authors ask"):
        with_settings(find_card("demo-llava"), {}, authors_prompt=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('dtype = "bf16"', "dtype: 'bf16' is not known. Did you mean 'bfloat16'? Known: auto, bfloat16, float16, float32."),
        ('attention = "flash_attention"', "Did you mean 'flash_attention_2'?"),
        ('attention = "kernels-community/flash-attn"', "is not known."),
        ('device = "gpu"', "no device 'gpu'. Known: auto, cpu, cuda, mps"),
        ('device_map = "ballanced"', "Did you mean 'balanced'?"),
        ('path = "share"', "Did you mean 'shared'?"),
        ('adapter = "transformer"', "no adapter 'transformer'. Did you mean 'transformers'?"),
        ('adapter = "my_model.py"', 'Or "FILE.py:CLASS"'),
        ('quantize = "4"', "Did you mean '4bit'?"),
        ("atention = 3", "unknown key 'atention'. Did you mean 'attention'?"),
        ("batch_size = 0", "batch_size: Input should be greater than or equal to 1"),
        ('prompt = "Is it?"', 'prompt: it holds no "{question}"'),
        ('authors_prompt = "Is it?"', 'authors_prompt: it holds no "{question}"'),
        ('api_key_env = "sk-1234"', "api_key_env: not the name of an environment variable"),
        ('adapter = "endpoint"\ntrust_remote_code = true', "trust_remote_code would have no effect"),
        (
            'image_url_base = "http://x"',
            "image_url_base would have no effect: that is for an endpoint, and the adapter is 'transf",
        ),
        (
            'adapter = "endpoint"\nquantize = "4bit"\npath = "plain"',
            "path, quantize would have no effect: that is for a checkpoint",
        ),
        ('adapter = "x.py:X"\ntrust_remote_code = true', "trust_remote_code would have no effect"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_with_the_nearest_right_thing(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "it.toml"
    path.write_text(f'name = "it"\ncheckpoint = "ORG/NAME"\n{line}\n')
    with pytest.raises(HopeBenchError) as caught:
        read_card(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "1234" not in str(caught.value)
