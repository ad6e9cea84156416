"""Boxes around masks and polygons, held against pycocotools; what is neither has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hope_bench.annotations.segments import NO_BOX, box_around, number

mask = pytest.importorskip("pycocotools.mask")


def drawn(seed: int) -> np.ndarray:
    """A mask of some rectangles, which may touch an edge or each other."""
    rng = np.random.default_rng(seed)
    made = np.zeros(rng.integers(1, 40, 2), dtype=np.uint8, order="F")
    for _ in range(rng.integers(1, 4)):
        top, left = (int(rng.integers(side)) for side in made.shape)
        made[top : top + rng.integers(1, 12), left : left + rng.integers(1, 12)] = 1
    return made


@pytest.mark.parametrize("seed", range(40))
def test_masks_as_pycocotools_packs_and_boxes_them(seed: int) -> None:
    made = drawn(seed)
    packed = mask.encode(made)
    box = pytest.approx(mask.toBbox(packed).tolist())
    size = list(made.shape)
    assert list(box_around({"counts": packed["counts"].decode(), "size": size})) == box
    column = made.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(column, prepend=0)).tolist()
    runs = np.diff([0, *edges, len(column)]).tolist()
    assert list(box_around({"counts": runs, "size": size})) == box
    assert list(box_around({"counts": [*map(str, runs)], "size": [*map(float, size)]})) == box


@pytest.mark.parametrize(
    "segmentation",
    [
        {"counts": "04P", "size": [20, 20]},  # cut off: more was to follow
        {"counts": "0\x7f", "size": [20, 20]},  # no such character
        {"counts": [0, 3, -1], "size": [20, 20]},
        {"counts": [0, 401], "size": [20, 20]},  # more than the picture holds
        {"counts": [400], "size": [20, 20]},  # nothing but background
        {"counts": [], "size": [20, 20]},
        {"counts": [0, 4], "size": [20]},
        {"counts": [0, 4], "size": [0, 20]},
        {"counts": None, "size": [20, 20]},
        {"counts": "04p", "size": [20, 20]},  # nor one after the last
        {"counts": "04/", "size": [20, 20]},
        {"counts": [0, 4], "size": [20, 20, 20]}, {"counts": [0, 4], "size": ["x", 20]}, {"counts": [0, 4], "size": 20},
        {"counts": [0, 4], "size": [20, 0.5]}, {"counts": [0, 4, "x"], "size": [20, 20]}, {"counts": [5, 0], "size": [20, 20]},
        {"size": [20, 20]}, {"counts": [0, 4]}, [[1, 2, 3, 4, 5, np.inf]],
        [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3, 4, 5, "x"]], [[True, 2, 3, 4, 5, 6]], None, "polygon",
    ],
)  # fmt: skip
def test_what_holds_nothing_has_no_box(segmentation: Any) -> None:
    assert np.isnan(box_around(segmentation)).all()
    assert np.isnan(NO_BOX).all()


def test_polygons_as_coordinates_points_and_text() -> None:
    for polygon in ([[1, 2, 5, 3, 4, 9]], [[[1, 2], [5, 3], [4, 9]]], [1, 2, 5, 3, 4, 9], [["1", "2", "5", "3", "4", "9"]]):
        assert box_around(polygon) == (1, 2, 4, 7)
    assert box_around([[1, 2, 5, 3, 4, 9, 0, 4]]) == (0, 2, 5, 7)
    assert box_around([[1, 2, 5, 3, 4, 9], [0, 0, 1, 1, 2, 20]]) == (0, 0, 5, 20)


def test_packed_runs_are_whole() -> None:
    assert box_around({"counts": "04", "size": [20, 20]}) == (0, 0, 1, 4)


def test_a_full_mask_and_its_last_pixel() -> None:
    assert box_around({"counts": [0, 400], "size": [20, 20]}) == (0, 0, 20, 20)
    assert box_around({"counts": [0, 5], "size": [1, 5]}) == (0, 0, 5, 1)
    assert box_around({"counts": [0, 5], "size": [5, 1]}) == (0, 0, 1, 5)
    assert box_around({"counts": [0, 0, 25, 2], "size": [20, 20]}) == (1, 5, 1, 2)  # a run of nothing
    assert box_around({"counts": [399, 1], "size": [20, 20]}) == (19, 19, 1, 1)
    assert box_around({"counts": [19, 2], "size": [20, 20]}) == (0, 0, 2, 20)  # from one column into the next


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (2.5, 2.5), ("2.5", 2.5), (" 7 ", 7), ("x", None), ("", None), (True, None), (False, None), (None, None), ([1], None),
     (10**400, None)],
)  # fmt: skip
def test_what_is_a_number(value: Any, expected: float | None) -> None:
    found = number(value)
    assert (None if np.isnan(found) else found) == expected
