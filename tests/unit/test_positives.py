"""Which present objects are asked about: by size, from boxes, areas or both."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.search.positives import _stratified, ordered, sizes
from hope_bench.search.space import SearchSpace
from tests.search_space import WORDS, make_space

OBJECTS = [["apple", "bus", "cup", "dog", "apple"]] * 30
BOXES = np.array([[0, 0, 1, 4], [0, 0, 50, 50], [0, 0, 8, 2], [0, 0, 30, 30], [0, 0, 3, 3]] * 30, dtype=np.float32)
AREAS = np.array([900, 1, 950, 2, 3] * 30, dtype=np.float32)


def known(boxes: np.ndarray | None, areas: np.ndarray | None) -> SearchSpace:
    space = make_space(OBJECTS, 0)
    return replace(space, annotations=replace(space.annotations, boxes=boxes, areas=areas))


@pytest.mark.parametrize(
    ("boxes", "areas", "small"), [(BOXES, None, {"apple", "cup"}), (BOXES, AREAS, {"bus", "dog"}), (None, AREAS, {"bus", "dog"})]
)
def test_one_of_the_smaller_comes_first_then_one_of_the_larger(
    boxes: np.ndarray | None, areas: np.ndarray | None, small: set[str]
) -> None:
    order = ordered(known(boxes, areas), "size-stratified")
    large = {"apple", "bus", "cup", "dog"} - small
    assert {names[0] for names in order} == small  # k = 2: a half each, and either of it is drawn sometimes
    assert {names[1] for names in order} == large
    assert all(sorted(names) == ["apple", "bus", "cup", "dog"] for names in order)


def test_strata_are_by_size_and_their_rest_follows() -> None:
    """Of seven objects in three strata: two, three and two (edges are rounded); what has no size counts as largest."""
    names = tuple("abcdefg")
    size = {name: float(place) for place, name in enumerate("gfedcb")}  # a: unknown
    for seed in range(20):
        rng, same = random.Random(seed), random.Random(seed)
        drawn = [same.choice(one) for one in (["g", "f"], ["e", "d", "c"], ["b", "a"])]
        rest = [name for name in names if name not in drawn]
        assert _stratified(names, size, 3, rng) == (*drawn, *same.sample(rest, len(rest)))
    two = _stratified(("a", "b"), {}, 5, random.Random(0))
    assert sorted(two) == ["a", "b"]


def test_random_positives_are_an_images_own_draw() -> None:
    space = make_space(OBJECTS[:3], 7)
    expected = [
        tuple(random.Random(f"7 positives {file}").sample(("apple", "bus", "cup", "dog"), 4))
        for file in ("0.png", "1.png", "2.png")
    ]
    assert list(ordered(space, "random")) == expected
    assert ordered(space, "first") == space.present


def test_the_hardest_are_what_the_encoder_finds_least_likely_and_ties_go_by_name() -> None:
    space = make_space([["egg", "dog", "cup", "bus"], ["owl"]], 0)
    texts = np.zeros((7, 5), dtype=np.float32)
    for name, score in {"egg": 0.00100000035, "dog": 0.00100000012, "cup": 0.001002, "bus": -0.5}.items():
        texts[WORDS.index(name), 0] = score
    images = np.tile(np.eye(5, dtype=np.float32)[:1], (2, 1))
    told = replace(space, encoded={"": space.encoded[""], "other": replace(space.encoded[""], images=images, categories=texts)})
    assert ordered(told, "hard", "other") == (("bus", "dog", "egg", "cup"), ("owl",))
    texts[WORDS.index("egg"), 0] = 0.0009999
    assert ordered(told, "hard", "other")[0] == ("bus", "egg", "dog", "cup")
    assert ordered(told, "hard") != ordered(told, "hard", "other")


def test_sizes_are_of_all_instances_together_and_needed() -> None:
    assert sizes(known(BOXES, None), 0) == {"apple": 13, "bus": 2500, "cup": 16, "dog": 900}
    assert sizes(known(BOXES, AREAS), 0) == {"apple": 903, "bus": 1, "cup": 950, "dog": 2}
    with pytest.raises(HopeBenchError, match="needs the objects' boxes"):
        ordered(known(None, None), "size-stratified")
