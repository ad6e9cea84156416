"""How questions are worded: POPE's sentence as it is, and good English where it is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hope_bench.wording import bare, count_phrase, existence_question, indefinite, is_counted, is_plural, plural


@pytest.mark.parametrize(
    ("name", "pope", "natural"),
    [
        ("apple", "Is there an apple in the image?", "Is there an apple in the image?"),
        ("hourglass", "Is there a hourglass in the image?", "Is there an hourglass in the image?"),
        ("uniform", "Is there an uniform in the image?", "Is there a uniform in the image?"),
        ("SUV", "Is there a SUV in the image?", "Is there an SUV in the image?"),
        ("TV", "Is there a TV in the image?", "Is there a TV in the image?"),
        ("8-ball", "Is there a 8-ball in the image?", "Is there an 8-ball in the image?"),
        ("éclair", "Is there a éclair in the image?", "Is there an éclair in the image?"),
        ("scissors", "Is there a scissors in the image?", "Are there scissors in the image?"),
        ("skis", "Is there a skis in the image?", "Are there skis in the image?"),
        ("street lights", "Is there a street lights in the image?", "Are there street lights in the image?"),
        ("people", "Is there a people in the image?", "Are there people in the image?"),
        ("pair of shoes", "Is there a pair of shoes in the image?", "Is there a pair of shoes in the image?"),
        ("broccoli", "Is there a broccoli in the image?", "Is there broccoli in the image?"),
        ("orange juice", "Is there an orange juice in the image?", "Is there orange juice in the image?"),
        ("bus", "Is there a bus in the image?", "Is there a bus in the image?"),
        ("sheep", "Is there a sheep in the image?", "Is there a sheep in the image?"),
        ("猫", "Is there a 猫 in the image?", "Is there a 猫 in the image?"),
    ],
)
def test_existence_questions(name: str, pope: str, natural: str) -> None:
    assert existence_question(name) == pope
    assert existence_question(name, "natural") == natural


def test_plurals_and_counts() -> None:
    expected = {
        "person": "people", "knife": "knives", "bus": "buses", "lens": "lenses", "mouse": "mice", "sheep": "sheep", "TV": "TVs",
        "cabinet or shelf": "cabinets or shelves", "pair of shoes": "pairs of shoes", "glass of water": "glasses of water",
        "bow (weapon)": "bows (weapon)", "jalapeño": "jalapeños", "crêpe": "crêpes", "skis": "skis", "people": "people",
        "T-shirt": "T-shirts", "猫": "猫", "wine glass": "wine glasses",
    }  # fmt: skip
    assert {name: plural(name) for name in expected} == expected
    assert count_phrase(1, "TV") == "one TV"
    assert count_phrase(4, "hot dog") == "four hot dogs"
    assert [name for name in (*expected, "broccoli", "gloves", "orange juice") if not is_counted(name)] == [
        "cabinet or shelf", "skis", "people", "broccoli", "gloves", "orange juice",
    ]  # fmt: skip


def test_which_names_are_plurals() -> None:
    for name in ("mittens", "bananas", "geese", "women", "cacti", "menus", "sunglasses", "French fries", "cattle", "Boots"):
        assert is_plural(name), name
    for name in ("glass", "gas", "canvas", "tennis", "iris", "walrus", "fish", "dress", "series", "bunch of bananas", "mouse"):
        assert not is_plural(name), name


def test_adjectives_take_the_article() -> None:
    assert indefinite("car", "orange") == "an orange car"
    assert indefinite("umbrella", "red") == "a red umbrella"
    assert indefinite("scissors", "orange") == "orange scissors"
    assert indefinite("broccoli", "green") == "green broccoli"


@given(st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip())))
def test_any_name_can_be_worded(name: str) -> None:
    for wording in ("pope", "natural"):
        said = existence_question(name, wording)  # type: ignore[arg-type]
        assert said.endswith(f"{bare(name)} in the image?")
        assert "  " not in said
    assert count_phrase(2, name)
