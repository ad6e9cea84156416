"""Which present objects are asked about: by size, from boxes, areas or both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.search.positives import ordered, sizes
from hope_bench.search.space import SearchSpace
from tests.search_space import make_space

OBJECTS = [["apple", "bus", "cup", "dog", "apple"]] * 30
BOXES = np.array([[0, 0, 2, 2], [0, 0, 50, 50], [0, 0, 4, 4], [0, 0, 30, 30], [0, 0, 3, 3]] * 30, dtype=np.float32)
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


def test_sizes_are_of_all_instances_together_and_needed() -> None:
    assert sizes(known(BOXES, None), 0) == {"apple": 13, "bus": 2500, "cup": 16, "dog": 900}
    assert sizes(known(BOXES, AREAS), 0) == {"apple": 903, "bus": 1, "cup": 950, "dog": 2}
    with pytest.raises(HopeBenchError, match="needs the objects' boxes"):
        ordered(known(None, None), "size-stratified")
