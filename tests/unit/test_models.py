"""The shipped model cards, and the command that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hope_bench.card import find_card, read_card
from hope_bench.errors import HopeBenchError
from hope_bench.registry import known_models
from tests.cli import hope_bench
from tests.unit.test_conformance import ALL

CARDS = sorted(known_models().items())


@pytest.mark.parametrize(("name", "path"), CARDS, ids=[name for name, _ in CARDS])
def test_a_card_is_valid_and_leaves_the_prompt_to_the_benchmark(name: str, path: Path) -> None:
    card = read_card(path)
    assert card.name == name
    assert card.prompt is None, "a card's prompt would make its results unranked"
    if name == "demo-llava":
        return
    assert (card.authors_prompt is None) == (card.authors_prompt_source is None)
    assert card.authors_prompt is None or "{question}" in card.authors_prompt


def test_families_marked_as_tested_are_in_the_suite() -> None:
    tested = {family.replace("_", "-") for family in ALL}
    cards = [read_card(path) for _, path in CARDS]
    marked = {str(card.family).replace("_", "-") for card in cards if card.conformance}
    assert marked <= tested
    assert len(marked) >= 12
    assert len([card for card in cards if card.adapter == "transformers"]) >= 20


def test_families_are_ones_that_transformers_can_ask_about_an_image() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    families = {card.family for card in (read_card(path) for _, path in CARDS) if card.adapter == "transformers"}
    assert families <= set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def test_the_list_and_one_card(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listed = hope_bench(capsys, "models")
    assert listed.code == 0
    assert all(name in listed.out for name, _ in CARDS)
    shown = hope_bench(capsys, "models", "llava-1.5-7b")
    assert "checkpoint = llava-hf/llava-1.5-7b-hf" in shown.out
    assert hope_bench(capsys, "models", "llava-1.5-8b").code == 2


def test_the_authors_prompt_is_used_on_demand_only() -> None:
    from hope_bench.cli.evaluate import _authors_prompt

    assert _authors_prompt(find_card("llava-1.5-7b")) == "{question}\nAnswer the question using a single word or phrase."
    with pytest.raises(HopeBenchError, match="doesn't say how the model's authors ask"):
        _authors_prompt(find_card("demo-llava"))
