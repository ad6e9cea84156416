"""The forms of a name under which an answer may speak of it, and the relation in which it says a thing stands."""

from __future__ import annotations

import pytest

from hope_bench.scoring.asked_object import _numbers
from hope_bench.scoring.described import _kind


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("dog", "dog dogs"),
        ("dogs", "dog dogs dogses dogss"),
        ("glass", "glass glasses glasss"),
        ("berry", "berry berries berrys"),
        ("knives", "knif knife knive knives kniveses knivess"),
        ("box", "box boxes boxs"),
        ("s", "s ses ss"),
    ],
)
def test_names_in_the_singular_and_the_plural(name: str, forms: str) -> None:
    assert _numbers(name) == set(forms.split())


@pytest.mark.parametrize(
    ("words", "relation"),
    [
        ("sitting on the left of", "left"),
        ("left of and above", "left"),
        ("lying in front of the window on top of", "on"),
        ("on the left on the right of", "right"),
        ("lying on the floor under", "under"),
        ("wearing", None),
    ],
)
def test_the_relation_that_stands_last(words: str, relation: str | None) -> None:
    """A side counts for more than what else is said, and being on top for more than a side."""
    assert _kind(words.split()) == relation
