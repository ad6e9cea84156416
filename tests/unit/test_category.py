"""Scores by the company that categories keep, against loops over their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from hope_bench.search import category
from hope_bench.search.category import association, cooccurrence, similarity, standardized_sum
from tests.search_space import WORDS, make_annotations, unit

PRESENT = np.array([[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], dtype=np.bool_)
"""Images that show two things, one, none, all and all but one."""


def test_how_often_categories_occur_together_over_all_images() -> None:
    """An image counts a category once, and what it is only known to hold, too."""
    objects = [["dog", "cup", "dog"], ["dog"], ["owl", "cup"], ["egg"], []]
    also = {1: (WORDS.index("bus"),), 4: (WORDS.index("cup"), WORDS.index("owl"))}
    for more in ({}, also):
        held = [{*names, *(WORDS[column] for column in more.get(image, ()))} for image, names in enumerate(objects)]
        expected = [
            [sum({one, other} <= own for own in held) / max(1, sum(one in own for own in held)) for other in WORDS]
            for one in WORDS
        ]
        found = cooccurrence(make_annotations(objects, np.random.default_rng(0), also_present=more))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[WORDS.index("egg"), WORDS.index("egg")] == 1


@pytest.mark.parametrize("how", ["mean", "max"])
def test_how_a_category_goes_with_all_that_an_image_shows(how: category.Aggregate) -> None:
    table = np.random.default_rng(0).normal(size=(5, 5))
    found = association(table, PRESENT, how)
    for row, own in enumerate(PRESENT):
        for column in range(5):
            of = [table[one, column] for one in np.flatnonzero(own)] or [0.0]
            assert found[row, column] == pytest.approx(max(of) if how == "max" else sum(of) / len(of))
    assert (association(table, PRESENT) == association(table, PRESENT, "mean")).all()


def test_alike_are_those_whose_prototypes_are() -> None:
    prototypes = unit(np.random.default_rng(0), 5, 3)
    found = similarity(prototypes)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[one @ other for other in prototypes] for one in prototypes], rtol=1e-6)


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
@pytest.mark.filterwarnings("error")
def test_sources_are_standardized_over_what_is_absent_and_added(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(category, "ROWS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    sources = (rng.normal(size=(5, 5)), 0.01 * rng.random((5, 5)) + 7, rng.normal(size=(5, 5)))
    sources[1][0] = 0.1 + 0.2  # the same of all absent ones, but for the last digits of a sum
    sources[1][0, 1] = 0.3
    found = standardized_sum(sources, PRESENT)
    expected = np.zeros((5, 5))
    for source in sources:
        for row in range(5):
            absent = source[row][~PRESENT[row]].tolist()
            mean = sum(absent) / max(1, len(absent))
            spread = (sum((one - mean) ** 2 for one in absent) / max(1, len(absent))) ** 0.5
            if spread > 1e-12:
                expected[row] += (source[row] - mean) / spread
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (expected[3:] == 0).all()
    assert (expected[0] != 0).all()
