"""The forms of a name under which an answer may speak of it."""

from __future__ import annotations

import pytest

from hope_bench.scoring.asked_object import _numbers


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
