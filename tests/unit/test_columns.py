"""What the readers share, held against loops that do the same one instance at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hope_bench.annotations import columns
from hope_bench.annotations.columns import BoxUnits, InstanceRows, assemble, by_image, clean_boxes, repeated_rows, single
from hope_bench.records import Category, Image

CATEGORIES = tuple(Category(name) for name in ("dog", "cat", "cup"))


def random_rows(seed: int, count: int, images: int, steps: int = 12) -> InstanceRows:
    """Boxes on halves of pixels, some unknown, some infinite, some of no size; some areas unknown."""
    rng = np.random.default_rng(seed)
    boxes = (rng.integers(-4, steps, (count, 4)) / 2).astype(np.float32)
    boxes[rng.random(count) < 0.1] = np.nan
    boxes[rng.random(count) < 0.05, rng.integers(4)] = np.inf
    boxes[rng.random(count) < 0.05, rng.integers(1, 4)] = np.nan
    areas = np.where(rng.random(count) < 0.5, np.nan, 3).astype(np.float32)
    drawn = (rng.integers(0, bound, count).astype(np.int32) for bound in (images, len(CATEGORIES)))
    return InstanceRows(*drawn, boxes, areas, rng.random(count) < 0.3)


def one_by_one(boxes: NDArray[np.float32], sides: Sequence[tuple[float, float]], tolerance: float) -> tuple[list[Any], ...]:
    """Each box as it should become, None for none; the rows cut, without a known box, without size."""
    made: list[Any] = []
    cut, missing, empty = list[int](), list[int](), list[int]()
    for row, (box, (across, down)) in enumerate(zip(boxes.tolist(), sides, strict=True)):
        x, y, width, height = box
        beyond = x < -tolerance or y < -tolerance or x + width > across + tolerance or y + height > down + tolerance
        if beyond and width > 0 and height > 0:
            right, bottom, x, y = min(x + width, across), min(y + height, down), max(x, 0), max(y, 0)
            width, height = right - x, bottom - y
        usable = width > 0 and height > 0 and bool(np.all(np.isfinite([x, y, width, height])))
        made.append((x, y, width, height) if usable else None)
        if beyond and usable:
            cut.append(row)
        if not usable:
            (missing if np.isnan(box[0]) else empty).append(row)
    return made, cut, missing, empty


def said(rows: list[int], one: str, several: str, rest: str, places: list[int]) -> list[str]:
    if not rows:
        return []
    numbers = ", ".join(str(places[row] + 1) for row in rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
    return [f"x.json: {len(rows)} {one if len(rows) == 1 else several} {rest} (annotations {numbers}, in file order)."]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("units", ["pixels", "fractions"])
@pytest.mark.parametrize("seed", range(12))
def test_boxes_are_cut_to_their_images_and_what_was_done_is_said(
    seed: int, units: BoxUnits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_BLOCK", 1 + seed % 7)
    rng = np.random.default_rng(seed)
    images = [Image("a", 4, 3), Image("b", 1, 1), Image("c", None, 3), Image("d", 4), Image("e")]
    rows = random_rows(seed, [0, 1, 8, 40][seed % 4], len(images), 4 if units == "fractions" else 12)
    places = sorted(rng.choice(80, len(rows.crowd), replace=False).tolist())
    left_out = [place for place in range(80) if place not in places]
    unit = units == "fractions"
    sides = [(1.0, 1.0) if unit else (images[one].width or np.inf, images[one].height or np.inf) for one in rows.image_of]
    boxes = rows.boxes
    assert boxes is not None
    expected, cut, missing, empty = one_by_one(boxes, sides, 0.001 if unit else 1.0)
    problems = clean_boxes(boxes, rows.image_of, images, "x.json", units, left_out)
    np.testing.assert_array_equal(boxes, np.reshape([(np.nan,) * 4 if one is None else one for one in expected], (-1, 4)))
    assert problems == [
        *said(cut, "box reaches", "boxes reach", "beyond the image, cut to it", places),
        *said(missing, "object has", "objects have", "no usable box: present, and nothing is claimed of the place", places),
        *said(empty, "box has", "boxes have", "no size within the image: present, without a box", places),
    ]


@pytest.mark.parametrize(("count", "numbers"), [(1, "1"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 more")])
def test_the_first_five_boxes_are_named(count: int, numbers: str) -> None:
    boxes = single([(0, 0, 0, 1)] * count)
    (problem,) = clean_boxes(boxes, np.zeros(count, np.int32), [Image("a", 4, 3)], "x", "pixels")
    assert problem.endswith(f"(annotations {numbers}, in file order).")


@pytest.mark.parametrize("units", ["pixels", "fractions"])
@pytest.mark.parametrize("known", ["boxes and areas", "boxes", "nothing"])
@pytest.mark.parametrize("seed", range(4))
def test_instances_are_grouped_by_image(seed: int, known: str, units: BoxUnits) -> None:
    images = tuple(Image(str(place), 4, 3) for place in range(6))
    rows = random_rows(seed, 30, 5)  # the last has none
    if seed == 3:
        rows.image_of = np.sort(rows.image_of)
    if seed == 2:
        rows.image_of[0] = 0
    if known != "boxes and areas":
        rows.areas = None
    if known == "nothing":
        rows.boxes = None
    attributes = {row: {"number": row} for row in (0, 7, 29)}
    boxes = None if rows.boxes is None else rows.boxes.copy()
    problems = [] if boxes is None else clean_boxes(boxes, rows.image_of, images, "x", units, (3,))
    order = sorted(range(30), key=rows.image_of.tolist().__getitem__)
    image_of, category_of, crowd, areas = (
        None if one is None else one.tolist() for one in (rows.image_of, rows.category_of, rows.crowd, rows.areas)
    )
    made = assemble("x", images, CATEGORIES, rows, attributes, units, (3,))
    assert made.starts.tolist() == [sum(one < image for one in image_of) for image in range(7)]
    assert made.category_of.tolist() == [category_of[row] for row in order]
    assert made.crowd.tolist() == [crowd[row] for row in order]
    assert dict(made.attributes) == {order.index(row): held for row, held in attributes.items()}
    assert (made.images, made.categories, made.problems, made.box_units) == (images, CATEGORIES, tuple(problems), units)
    if boxes is None:
        assert (made.boxes, made.areas) == (None, None)
        return
    np.testing.assert_array_equal(made.boxes, boxes[order])
    if areas is None:
        assert made.areas is None
    else:
        own = np.where(np.isnan(areas), boxes[:, 2] * boxes[:, 3], areas)
        np.testing.assert_array_equal(made.areas, own[order])


@pytest.mark.parametrize("seed", range(12))
def test_rows_that_say_what_one_before_them_says(seed: int) -> None:
    rows = random_rows(seed, 60 * (seed % 4), 2, -1)
    seen, expected = set(), []
    assert rows.boxes is not None
    for row, box in enumerate(rows.boxes.tolist()):
        key = (int(rows.image_of[row]), int(rows.category_of[row]), bool(rows.crowd[row]), *box)
        if not np.isnan(box).any() and key in seen:
            expected.append(row)
        seen.add(key)
    assert repeated_rows(rows).tolist() == expected
    rows.boxes = None
    assert repeated_rows(rows).tolist() == []


def test_repeats_among_thousands_of_boxes_that_differ_little() -> None:
    across, down = (axis.ravel() for axis in np.meshgrid(np.arange(64), np.arange(1, 65)))
    boxes = np.tile(single(np.stack([across * 0 + 8, across, across * 0 + 8, down], axis=1)), (2, 1))
    none = np.zeros(len(boxes), dtype=np.int32)
    assert repeated_rows(InstanceRows(none, none, boxes, None, none.astype(np.bool_))).tolist() == list(range(4096, 8192))


def test_repeats_of_boxes_that_only_both_halves_of_a_product_tell_apart() -> None:
    one = single([(266.1, 25.8, 366.4, 263.0), (89.7, 454.9, 396.1, 535.3), (124.8, 262.2, 59.2, 487.7)])
    other = single([(161.4, 35.2, 415.3, 302.2), (484.0, 0.1, 257.1, 631.8), (77.8, 452.8, 35.3, 554.5)])
    none = np.zeros(12, dtype=np.int32)
    rows = InstanceRows(none, none, np.concatenate([one, other, one, other]), None, none.astype(np.bool_))
    assert repeated_rows(rows).tolist() == [6, 7, 8, 9, 10, 11]


def test_rows_alike_in_all_but_one_column_are_no_repeats() -> None:
    image_of, category_of, crowd = (
        np.array(one) for one in ([0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0])
    )
    boxes = single([(1, 2, 3, 4)] * 7)
    boxes[4, 0], boxes[5, 2] = 9, 9
    rows = InstanceRows(image_of.astype(np.int32), category_of.astype(np.int32), boxes, None, crowd.astype(np.bool_))
    assert repeated_rows(rows).tolist() == [6]


def test_rows_that_are_kept() -> None:
    rows = random_rows(0, 5, 3)
    assert rows.boxes is not None
    assert rows.areas is not None
    kept = np.array([True, False, False, True, True])
    left = rows.where(kept)
    for name in InstanceRows.__slots__:
        np.testing.assert_array_equal(getattr(left, name), getattr(rows, name)[[0, 3, 4]])
    rows.boxes = rows.areas = None
    assert (rows.where(kept).boxes, rows.where(kept).areas) == (None, None)


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_single_precision_are_infinite() -> None:
    made = single([1e300, -1e300, 0.5])
    assert (made.tolist(), made.dtype) == ([np.inf, -np.inf, 0.5], np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_pairs_by_image(seed: int, kind: Any) -> None:
    rng = np.random.default_rng(seed)
    image_of, values = (rng.integers(0, 5, 12 * seed).astype(np.int32) for _ in range(2))
    found = by_image(image_of, values, 6, kind)
    pairs = list(zip(image_of.tolist(), values.tolist(), strict=True))
    assert dict(found) == {image: kind(value for own, value in pairs if own == image) for image in range(6)}
    assert len(found) == 6
    assert [found.get(image) for image in (-1, 6)] == [None, None]
