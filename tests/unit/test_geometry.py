"""What boxes say, at the edges of their margins; and the part of a picture that a box cuts out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hope_bench.annotations.box_layout import tell_layout, to_xywh
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Category, Image
from hope_bench.search.crops import draw_crops, share_box
from hope_bench.search.description_geometry import Box, beside, counts, place_words, places, usable

HALVES = {"left": "side", "right": "side", "top": "half", "bottom": "half"}


def said(boxes: Sequence[Box], slack: float = 0.0) -> dict[str, bool]:
    """Each side and half of an image of 200 x 100, and whether a thing with these boxes is there."""
    found = list(places(boxes, (200, 100), slack))
    assert all(HALVES[value] == kind for kind, value, _ in found)
    return {value: true for _, value, true in found}


def test_a_box_without_a_size_says_nothing() -> None:
    assert [usable(box) for box in (None, (9, 9, 0, 5), (9, 9, 5, 0), (0, 0, 1, 1))] == [False, False, False, True]


def test_how_a_caption_names_sides_and_halves() -> None:
    said = [place_words(kind, value) for kind, value, _ in places([(80, 40, 40, 20)], (200, 100), slack=0.2)]
    assert said == ["on the left side", "on the right side", "in the top half", "in the bottom half"]


def test_a_box_is_on_a_side_from_the_margin_on() -> None:
    assert said([(0, 55, 90, 45)]) == {"left": True, "right": False, "bottom": True, "top": False}
    assert said([(110, 0, 90, 45)]) == {"right": True, "left": False, "top": True, "bottom": False}
    assert said([(0, 54, 91, 46)]) == said([(109, 0, 91, 46)]) == said([(0, 0, 200, 100)]) == {}
    assert said([(0, 54, 91, 46)], slack=0.01) == said([(0, 55, 90, 45)])
    assert said([(109, 0, 91, 46)], slack=0.01) == said([(110, 0, 90, 45)])
    assert said([(0, 53, 93, 47)], slack=0.01) == said([(107, 0, 93, 47)], slack=0.01) == {}


def test_one_instance_makes_a_side_true_and_only_all_make_it_false() -> None:
    low, high, across = (0, 0, 20, 20), (150, 0, 20, 20), (50, 0, 100, 20)
    assert said([low, high]) == {"left": True, "right": True, "top": True, "bottom": False}
    assert said([low, across]) == {"left": True, "top": True, "bottom": False}


def test_numbers_are_claimed_up_to_one_more_than_are_counted() -> None:
    assert dict(counts(2)) == {1: False, 2: True, 3: False, 4: False, 5: False}
    assert dict(counts(4))[4]
    assert list(counts(5)) == []


def test_things_beside_each_other_may_touch_but_not_overlap() -> None:
    def relations(second: Box, slack: float = 0.0) -> set[tuple[str, str, str]]:
        return set(beside({"cup": (10, 0, 20, 20), "bowl": second, "nothing": None, "flat": (90, 0, 5, 0)}, slack))

    left = {("cup", "bowl", "left"), ("bowl", "cup", "right")}
    assert relations((30, 50, 10, 10)) == relations((29, 50, 10, 10), slack=1) == left
    assert (
        relations((0, 50, 10, 10)) == relations((0, 50, 11, 10), slack=1) == {("cup", "bowl", "right"), ("bowl", "cup", "left")}
    )
    assert relations((29, 50, 10, 10)) == relations((0, 50, 11, 10)) == set()


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((20, 25, 100, 50), (0.1, 0.25, 0.6, 0.75)),
        ((-20, -25, 100, 50), (0.0, 0.0, 0.4, 0.25)),  # cut at the left and the top
        ((150, 75, 100, 50), (0.75, 0.75, 1.0, 1.0)),  # cut at the right and the bottom
        ((10, 10, 0, 50), None),
        ((10, 10, 50, 0), None),
        ((200, 10, 50, 50), None),  # outside
        ((10, 100, 50, 50), None),
        ((-60, -60, 50, 50), None),
        ((0, 0, 5, 3), None),  # 0.00075 of the picture
        ((190, 90, 3, 5), None),
        ((0, 0, 4, 5), (0.0, 0.0, 0.02, 0.05)),  # 0.001 of it
        ((0, 0, 5, 5), (0.0, 0.0, 0.025, 0.05)),  # 0.00125 of it
    ],
)
def test_the_part_that_a_box_cuts_out(box: Box, share: Box | None) -> None:
    annotations = Annotations(
        categories=(Category("cup"),), images=(Image("a.jpg", 200, 100),), starts=np.array([0, 1]),
        category_of=np.zeros(1, dtype=np.int32), crowd=np.zeros(1, dtype=np.bool_), boxes=np.array([box], dtype=np.float32),
    )  # fmt: skip
    found = share_box(annotations, 0, 0)
    assert found == (None if share is None else pytest.approx(share))


def test_crops_that_cannot_be_used_are_told_and_only_then(tmp_path: Path) -> None:
    annotations = Annotations(
        categories=(Category("cup"), Category("bowl")), images=(Image("a.png", 8, 8), Image("b.png", 8, 8)),
        starts=np.array([0, 2, 3]), category_of=np.array([0, 1, 1], dtype=np.int32), crowd=np.zeros(3, dtype=np.bool_),
        boxes=np.tile(np.array([0, 0, 4, 4], dtype=np.float32), (3, 1)),
    )  # fmt: skip
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert draw_crops(annotations, 5, 0, tmp_path).notes() == ()
    (tmp_path / "a.png").unlink()
    (note,) = draw_crops(annotations, 5, 0, tmp_path).notes()
    assert note.startswith("2 of 3 object crops could not be used (a.png: ")
    assert note.endswith("1 categories are compared by their name alone.")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(40))
def test_boxes_beyond_all_numbers_are_told_apart_without_a_warning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    boxes = rng.choice(np.array([-3e38, -1, 0.5, 1, 50, 99, 2e19, 3e38], np.float32), (count, 4))
    if seed % 2:
        boxes[:, :2] = rng.integers(0, 50, (count, 2))
    areas = rng.choice(np.array([np.nan, 1, 100, 3e38, np.inf], np.float32), count)
    with suppress(HopeBenchError):
        found = tell_layout(Path("a.csv"), boxes, np.zeros(count, np.int32), np.array([[640, 480]], np.float32), areas=areas)
        to_xywh(boxes, found.layout)
