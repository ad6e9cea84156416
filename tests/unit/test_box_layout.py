"""What a file's boxes are, at the edges of every margin: the layout and the whole words, or the whole refusal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hope_bench.annotations import box_layout
from hope_bench.annotations.box_layout import drop_first_pixel, image_sizes, settle_boxes, tell_layout, to_xywh
from hope_bench.annotations.columns import InstanceRows
from hope_bench.errors import HopeBenchError
from hope_bench.records import Image

Rows = list[tuple[float, float, float, float]]

CORNERS, CENTRE = "corners (left, top, right, bottom)", "(centre x, centre y, width, height)"
SHARES = "fractions of the picture's width and height"


def boxes_of(rows: Any) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


@dataclass(frozen=True)
class Given:
    """Boxes, all in pictures of one size, and what the file says of their areas."""

    boxes: Rows
    size: tuple[float, float] = (640, 480)
    areas: list[float] | None = None

    def told(self) -> tuple[str, str]:
        """The layout, or "", and what is said of it."""
        sizes = np.array([(9, 9), self.size], dtype=np.float32)
        areas = None if self.areas is None else np.array(self.areas, dtype=np.float32)
        image_of = np.ones(len(self.boxes), dtype=np.int32)
        try:
            found = tell_layout(Path("a/b.json"), boxes_of(self.boxes), image_of, sizes, areas=areas)
        except HopeBenchError as error:
            return "", str(error)
        return found.layout, found.why or ""


def read_as(layout: str, shape: str, unit: str = "pixels") -> tuple[str, str]:
    said = f'b.json: its boxes are read as {shape} in {unit}, which they fit. dataset.boxes = "{layout}" says so for good, or what'
    return layout, f"{said} they are instead."


def asked(why: str, *readings: str) -> tuple[str, str]:
    choices = " or ".join(f'dataset.boxes = "{one}"' for one in readings)
    return "", f"a/b.json: what its boxes are can't be told: {why}. Say which: {choices}."


def units_asked(count: int, of: int) -> tuple[str, str]:
    mixed = " (the file seems to hold both)" if count < of else ""
    said = f"{count} of {of} boxes hold no number above 1: they may be {SHARES}{mixed}, or pixels in its first corner"
    return asked(said, "fractions", "xywh")


def shape_asked(of: int, readings: dict[str, tuple[str, str]]) -> tuple[str, str]:
    shares = ", ".join(f"as {shape} {share}" for shape, share in readings.values())
    return asked(f"of {of} boxes, {shares} leave their picture or have no size", *readings)


def doubted(share: str, of: int) -> tuple[str, str]:
    return "", (
        f"a/b.json: its boxes can't be right as (x, y, width, height) in pixels: {share} of {of} leave their picture or have no "
        "size. They may be of pictures of another size, have y before x, or their images width and height swapped. Export them "
        'again, or, if they are right, set dataset.boxes = "xywh".'
    )


def scaled(why: str) -> tuple[str, str]:
    return "xywh", f"b.json: its boxes may be of pictures of another size: {why}."


XYWH, FRACTIONS = ("xywh", ""), read_as("fractions", "(x, y, width, height)", SHARES)
FINE, SMALL, WHOLE = (10, 10, 400, 300), (0.5, 0.25, 0.25, 0.5), (0, 0, 1, 1)
MOSTLY = [FINE] * 18
NOWHERE, NO_SIZE = (700, 500, 900, 900), (300, 200, 0, 0)
"""Out of a picture of 640 x 480, and of no size, however they are read."""
CORNER, CENTRED, EITHER = (300, 200, 630, 470), (400, 300, 300, 200), (400, 300, 420, 340)
"""Inside as corners alone, as a centre and a size alone, and as both of these."""
ALIKE = (0, 0, 300, 200)
"""The same as corners."""
ONCE, SUM = "nearly all are less than half of the areas that the file gives", "none of {} leaves the first quarter of its picture"
PERCENT = "none reaches beyond 100, though all pictures are larger, so they may be percentages"

UNITS: dict[str, tuple[Given, tuple[str, str]]] = {
    "no boxes": (Given([]), XYWH),
    "none known": (Given([(np.nan,) * 4, (0, 0, np.inf, 1)]), XYWH),
    "unknown ones count for nothing": (Given([SMALL, (np.nan,) * 4, (np.nan,) * 4]), FRACTIONS),
    "one fraction": (Given([SMALL]), FRACTIONS),
    "19 of 20 are small": (Given([SMALL] * 19 + [FINE]), FRACTIONS),
    "18 of 20 are small": (Given([SMALL] * 18 + [FINE] * 2), units_asked(18, 20)),
    "half are broken": (Given([SMALL] * 10 + [WHOLE] * 10), units_asked(20, 20)),
    "more than half are broken": (Given([SMALL] * 11 + [WHOLE] * 9), FRACTIONS),
    "all but one are whole": (Given([WHOLE] * 19 + [SMALL]), units_asked(20, 20)),
    "1 of 20 is broken": (Given([*[FINE] * 19, SMALL]), XYWH),
    "2 of 20 are broken": (Given([*MOSTLY, SMALL, SMALL]), units_asked(2, 20)),
    "19 of 20 are small and whole": (Given([WHOLE] * 19 + [FINE]), units_asked(19, 20)),
    "all ones": (Given([(1, 1, 1, 1)] * 3), units_asked(3, 3)),
    "whole numbers are pixels": (Given([*MOSTLY, WHOLE, WHOLE]), XYWH),
    "four zeros are no fractions": (Given([*MOSTLY, (0, 0, 0, 0), (0, 0, 0, 0)]), XYWH),
    "2% over": (Given([(0.5, 0.25, 0.515, 0.5), (0, 0, 1.02, 0.5)]), FRACTIONS),
    "4% over": (Given([FINE, (0, 0, 1.04, 0.5)]), XYWH),
    "below the first pixel": (Given([FINE, (-1.5, 0, 0.5, 0.5)]), XYWH),
    "tiny pictures": (Given([(0.5, 0.5, 0.5, 0.5)], (4, 4)), XYWH),
    "long pictures": (Given([(0.5, 0.5, 0.5, 0.5)], (5, 4)), FRACTIONS),
    "pictures of unknown size": (Given([(0.5, 0.5, 0.5, 0.5)], (np.nan, np.nan)), FRACTIONS),
    "thousands": (Given([SMALL] * 1200 + [FINE] * 800), units_asked(1200, 2000)),
}
UNITS["thousands"] = (UNITS["thousands"][0], ("", UNITS["thousands"][1][1].replace("1200", "1,200").replace("2000", "2,000")))

SHAPES: dict[str, tuple[Given, tuple[str, str]]] = {
    "1 of 5 is wrong": (Given([FINE] * 4 + [CORNER]), XYWH),
    "2 of 5 are wrong, and corners": (Given([(10, 10, 400, 300)] * 3 + [CORNER] * 2), read_as("xyxy", CORNERS)),
    "corners": (Given([CORNER] * 3), read_as("xyxy", CORNERS)),
    "two corners": (
        Given([CORNER] * 2),
        shape_asked(2, {"xywh": ("(x, y, width, height)", "100%"), "xyxy": (CORNERS, "0%")}),
    ),
    "centres": (Given([CENTRED] * 3), read_as("cxcywh", CENTRE)),
    "either": (
        Given([EITHER] * 4),
        shape_asked(4, {"xywh": ("(x, y, width, height)", "100%"), "xyxy": (CORNERS, "0%"), "cxcywh": (CENTRE, "0%")}),
    ),
    "corners but for 1 of 20": (Given([CORNER] * 19 + [CENTRED]), read_as("xyxy", CORNERS)),
    "corners but for 2 of 20": (Given([CORNER] * 18 + [NOWHERE] * 2), doubted("100%", 20)),
    "sizes and corners": (
        Given([CORNER] * 10 + [(300, 200, 50, 40)] * 10),
        shape_asked(20, {"xywh": ("(x, y, width, height)", "50%"), "xyxy": (CORNERS, "50%")}),
    ),
    "sizes and corners but for 1 of 20": (
        Given([CORNER] * 9 + [(300, 200, 50, 40)] * 10 + [NOWHERE]),
        shape_asked(20, {"xywh": ("(x, y, width, height)", "50%"), "xyxy": (CORNERS, "55%")}),
    ),
    "sizes and corners but for 2 of 20": (Given([CORNER] * 9 + [(300, 200, 50, 40)] * 9 + [NOWHERE] * 2), doubted("55%", 20)),
    "2 of 4 are nowhere": (Given([FINE] * 2 + [NOWHERE] * 2), XYWH),
    "3 of 4 are nowhere": (Given([FINE] + [NOWHERE] * 3), doubted("75%", 4)),
    "2 of 2 are nowhere": (Given([NOWHERE] * 2), XYWH),
    "3 of 3 are nowhere": (Given([NOWHERE] * 3), doubted("100%", 3)),
    "9 of 19 are nowhere": (Given([(300, 200, 50, 40)] * 10 + [NOWHERE] * 9), XYWH),
    "4 of 20 are nowhere, and 5 have no size": (Given([(300, 200, 50, 40)] * 11 + [NOWHERE] * 4 + [NO_SIZE] * 5), XYWH),
    "5 of 20 are nowhere": (Given([(300, 200, 50, 40)] * 15 + [NOWHERE] * 5), doubted("25%", 20)),
    "four zeros count for nothing": (Given([(0, 0, 0, 0)] * 20 + [CORNER] * 3), read_as("xyxy", CORNERS)),
    "pictures of unknown size count for nothing": (Given([CORNER] * 4, (np.nan, np.nan)), XYWH),
    "corners in fractions": (
        Given([(0.5, 0.5, 0.9, 0.9), (0.2, 0.9, 0.9, 1)] * 2),
        read_as("xyxy-fractions", CORNERS, SHARES),
    ),
    "centres in fractions": (Given([(0.7, 0.5, 0.5, 0.4)] * 3), read_as("cxcywh-fractions", CENTRE, SHARES)),
    "right before left": (Given([(400, 200, 300, 470)] * 3), doubted("100%", 3)),
    "bottom before top": (Given([(300, 300, 630, 200)] * 3), doubted("100%", 3)),
    "left is right": (Given([(400, 200, 400, 470)] * 3), doubted("100%", 3)),
    "all of no width": (Given([(300, 200, 0, 50)] * 3), XYWH),
}

OVERHANG: dict[str, tuple[Given, tuple[str, str]]] = {
    # 2% of a side, 12.8 and 9.6 pixels, but a pixel at least
    "right": (Given([(600, 300, 52, 40)] * 3), XYWH),
    "too far right": (Given([(600, 300, 53.5, 40)] * 3), read_as("cxcywh", CENTRE)),
    "left": (Given([(-12, 300, 50, 40)] * 3), XYWH),
    "too far left": (Given([(-13.5, 300, 50, 40)] * 3), doubted("100%", 3)),
    "down": (Given([(300, 450, 50, 39)] * 3), XYWH),
    "too far down": (Given([(300, 450, 50, 40.5)] * 3), read_as("cxcywh", CENTRE)),
    "up": (Given([(300, -9, 50, 100)] * 3), XYWH),
    "too far up": (Given([(300, -10.5, 50, 100)] * 3), doubted("100%", 3)),
    "a pixel": (Given([(10, 10, 31, 31)] * 3, (40, 40)), XYWH),
    "more than a pixel": (Given([(10, 10, 31.5, 31.5)] * 3, (40, 40)), read_as("xyxy", CORNERS)),
    "a pixel of two": (Given([(0, 0, 2, 3)] * 3, (2, 2)), XYWH),
    "2% of fractions": (Given([(0.5, 0.5, 0.515, 0.515)] * 3), FRACTIONS),
}

CORNER_AREA, SIZE_AREA = 20 * 15, 30 * 25
GIVEN = (10.0, 10.0, 30.0, 25.0)
UNSIZED = (np.nan, np.nan)

AREAS: dict[str, tuple[Given, tuple[str, str]]] = {
    "corners'": (Given([GIVEN] * 3, UNSIZED, [CORNER_AREA] * 3), read_as("xyxy", CORNERS)),
    "corners', beside none": (Given([GIVEN] * 5, UNSIZED, [CORNER_AREA] * 3 + [np.nan, 0]), read_as("xyxy", CORNERS)),
    "two": (Given([GIVEN] * 5, UNSIZED, [CORNER_AREA] * 2 + [np.nan, 0, -9]), XYWH),
    "sizes'": (Given([GIVEN] * 3, UNSIZED, [SIZE_AREA] * 3), XYWH),
    "of one pixel": (Given([(5, 5, 6, 6)] * 3, UNSIZED, [1] * 3), read_as("xyxy", CORNERS)),
    "nearly": (Given([GIVEN] * 3, UNSIZED, [307] * 3), read_as("xyxy", CORNERS)),
    "not nearly": (Given([GIVEN] * 3, UNSIZED, [308] * 3), XYWH),
    "negative corners": (Given([(30, 10, 20, 5)] * 3, UNSIZED, [2] * 3), XYWH),
    "negative corners of that area": (Given([(30, 10, 20, 5)] * 3, UNSIZED, [50] * 3), XYWH),
    "corners' but for 1 of 20": (Given([GIVEN] * 20, UNSIZED, [CORNER_AREA] * 19 + [9]), read_as("xyxy", CORNERS)),
    "corners' but for 2 of 20": (Given([GIVEN] * 20, UNSIZED, [CORNER_AREA] * 18 + [9] * 2), XYWH),
    "both's in 1 of 20": (Given([GIVEN] * 19 + [ALIKE], UNSIZED, [CORNER_AREA] * 19 + [60_000]), read_as("xyxy", CORNERS)),
    "both's in 2 of 20": (Given([GIVEN] * 18 + [ALIKE] * 2, UNSIZED, [CORNER_AREA] * 18 + [60_000] * 2), XYWH),
    "of corners that show without": (Given([CORNER] * 3, (640, 480), [330 * 270] * 3), read_as("xyxy", CORNERS)),
    "twice their boxes' and four": (Given([FINE] * 3, (640, 480), [240_004] * 3), XYWH),
    "more than twice": (Given([FINE] * 3, (640, 480), [240_006] * 3), scaled(ONCE)),
    "more than twice, of two": (Given([FINE] * 3, (640, 480), [240_006] * 2 + [0]), XYWH),
    "more than twice, without sizes": (Given([FINE] * 3, UNSIZED, [240_006] * 3), scaled(ONCE)),
    "more than twice, of a pixel": (Given([(5, 5, 0.5, 1), (5, 5, 1, 0.4), FINE], UNSIZED, [6, 6, 9e5]), scaled(ONCE)),
    "more than twice but for 1 of 20": (Given([FINE] * 20, (640, 480), [240_006] * 19 + [9]), XYWH),
    "more than twice but for 1 of 21": (Given([FINE] * 21, (640, 480), [240_006] * 20 + [9]), scaled(ONCE)),
    "more than twice, but for those of no size": (Given([FINE] * 3 + [NO_SIZE], UNSIZED, [240_006] * 3 + [1]), scaled(ONCE)),
    "of no size alone": (Given([(9, 9, 0, 5)] * 3, UNSIZED, [50] * 3), XYWH),
}

NEAR, FAR = (5, 5, 60, 50), (5, 5, 90, 60)

SCALE: dict[str, tuple[Given, tuple[str, str]]] = {
    "ten below 100": (Given([NEAR] * 9 + [FAR], (300, 200)), scaled(PERCENT)),
    "nine below 100": (Given([NEAR] * 8 + [FAR], (300, 200)), XYWH),
    "ten, one of them of no size": (Given([NEAR] * 8 + [FAR, NO_SIZE], (300, 200)), XYWH),
    "up to 101": (Given([NEAR] * 9 + [(5, 5, 96, 60)], (300, 200)), scaled(PERCENT)),
    "beyond 101": (Given([NEAR] * 9 + [(5, 5, 96.5, 60)], (300, 200)), XYWH),
    "down to 101": (Given([NEAR] * 9 + [(5, 5, 60, 96)], (300, 200)), scaled(PERCENT)),
    "none near 100": (Given([(5, 5, 60, 75)] * 10, (300, 200)), XYWH),
    "one near 100": (Given([(5, 5, 60, 75.5)] * 10, (300, 200)), scaled(PERCENT)),
    "pictures of 150": (Given([NEAR] * 9 + [FAR], (300, 150)), XYWH),
    "pictures of 151": (Given([NEAR] * 9 + [FAR], (300, 151)), scaled(PERCENT)),
    "20 in the first quarter": (Given([(5, 5, 200, 200)] * 20), scaled(SUM.format(20))),
    "19 in the first quarter": (Given([(5, 5, 200, 200)] * 19), XYWH),
    "one up to the middle": (Given([(5, 5, 200, 200)] * 19 + [(5, 5, 315, 200)]), XYWH),
    "one nearly to the middle": (Given([(5, 5, 200, 200)] * 19 + [(5, 5, 314, 200)]), scaled(SUM.format(20))),
    "one beyond the middle": (Given([(5, 5, 200, 200)] * 19 + [(5, 5, 200, 300)]), XYWH),
    "2,000 in the first quarter": (Given([(5, 5, 200, 200)] * 2000), scaled(SUM.format("2,000"))),
    "nothing of fractions": (Given([SMALL] * 20), FRACTIONS),
    "corners of another scale": (
        Given([(40, 30, 60, 50)] * 10 + [(40, 30, 50, 95)] * 10, (640, 480), [400] * 10 + [650] * 10),
        (lambda layout, words: (layout, f"{words} {scaled(PERCENT)[1]}"))(*read_as("xyxy", CORNERS)),
    ),
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [pytest.param(*row, id=f"{kind}: {name}") for kind, table in
     (("units", UNITS), ("shapes", SHAPES), ("overhang", OVERHANG), ("areas", AREAS), ("scale", SCALE)) for name, row in table.items()],
)  # fmt: skip
def test_what_boxes_are(given: Given, expected: tuple[str, str]) -> None:
    assert given.told() == expected


def test_boxes_spread_over_a_large_file_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_layout, "_LOOKED_AT", 2)
    sizes, first, other = np.array([(640, 480), (0, 0)], dtype=np.float32), SMALL, FINE
    image_of = np.array([0, 1, 0, 1, 0], dtype=np.int32)
    assert tell_layout(Path("a"), boxes_of([first, other, first, other, first]), image_of, sizes).layout == "fractions"
    with pytest.raises(HopeBenchError, match=r"2 of 3 boxes hold no number above 1: .*mine = .fractions"):
        tell_layout(Path("a"), boxes_of([first] * 3 + [other] * 2), image_of * 0, sizes, "mine")


def test_sizes_of_which_a_side_is_unknown_are_unknown() -> None:
    images = [Image("a", 640, 480), Image("b", 1, 2), Image("c"), Image("d", 5, None), Image("e", None, 5), Image("f", 0, 5), Image("g", 2, 1)]
    none = [np.nan, np.nan]
    np.testing.assert_array_equal(image_sizes(images), [[640, 480], [1, 2], none, none, none, none, [2, 1]])
    assert image_sizes([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("xywh", (1, 2, 5, 8)), ("fractions", (1, 2, 5, 8)), ("xyxy", (1, 2, 4, 6)), ("xyxy-fractions", (1, 2, 4, 6)),
        ("cxcywh", (-1.5, -2, 5, 8)), ("cxcywh-fractions", (-1.5, -2, 5, 8)),
    ],
)  # fmt: skip
def test_boxes_of_every_layout(layout: str, expected: tuple[float, ...]) -> None:
    boxes = boxes_of([(1, 2, 5, 8)] * 2)
    to_xywh(boxes, layout)
    assert boxes.tolist() == [list(expected)] * 2


def settled(rows: Rows, said: Any = None, areas: list[float] | None = None) -> tuple[Any, ...]:
    """The unit, what is told, the boxes and the areas afterwards, None for NaN; and the layouts that could have been refused."""
    count, asked_of = len(rows), list[str]()
    held = None if areas is None else np.array(areas, dtype=np.float32)
    columns = InstanceRows(np.zeros(count, np.int32), np.zeros(count, np.int32), boxes_of(rows), held, np.zeros(count, np.bool_))
    unit, words = settle_boxes(Path("a/b.json"), columns, [Image("1.jpg", 640, 480)], said, asked_of.append)
    assert columns.boxes is not None
    boxes = [None if np.isnan(box[0]) else tuple(box) for box in columns.boxes.tolist()]
    return unit, words, boxes, None if held is None else [None if np.isnan(one) else one for one in held.tolist()], asked_of


def test_boxes_are_settled_in_place() -> None:
    fractions = read_as("fractions", "(x, y, width, height)", SHARES)[1]
    assert settled([FINE] * 3) == ("pixels", [], [FINE] * 3, None, ["xywh"])
    assert settled([SMALL] * 3, areas=[0.5, 1, 2]) == ("fractions", [fractions], [SMALL] * 3, [0.5, 1, None], ["fractions"])
    assert settled([SMALL] * 3) == ("fractions", [fractions], [SMALL] * 3, None, ["fractions"])
    assert settled([SMALL], "fractions", [3]) == ("fractions", [], [SMALL], [None], [])
    assert settled([SMALL], "xywh", [3]) == ("pixels", [], [SMALL], [3], [])
    assert settled([CORNER], "xyxy") == ("pixels", [], [(300, 200, 330, 270)], None, [])
    corners = ("pixels", [read_as("xyxy", CORNERS)[1]], [(300, 200, 330, 270)] * 3, None, ["xyxy"])
    assert settled([CORNER] * 3) == corners
    first = "b.json: 1 box lies within the first pixel of the image, as fractions would, and are not used (annotations 20)."
    assert settled([FINE] * 19 + [SMALL]) == ("pixels", [first], [FINE] * 19 + [None], None, ["xywh"])
    empty = InstanceRows(*(np.zeros(0, np.int32),) * 2, None, None, np.zeros(0, np.bool_))
    assert settle_boxes(Path("a"), empty, [], None) == ("pixels", [])


@pytest.mark.parametrize("block", [1, 2, 7])
def test_fractions_among_pixels_are_not_used(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_layout, "_BLOCK", block)
    kept: Rows = [
        FINE, (0, 0, 1, 1), (0, 0, 0, 0), (0.5, 0.5, 1, 0.5), (0.5, 0.5, 0.5, 1), (1.5, 0.5, 0.5, 0.5), (-1.5, 0.5, 0.5, 0.5),
        (0, 1, 0, 0),
    ]  # fmt: skip
    lost: Rows = [(0.5, 0.5, 0.5, 0.5), (1, 0.5, 0.5, 0.5), (0, 0, 0.5, 0.5), (-0.5, 0, 0.5, 0.9)]
    rows, tiny = [lost[0], *kept, *lost[1:]], [lost[0]]
    boxes = boxes_of(rows + tiny)
    sizes = np.array([(640, 480), (4, 4)], dtype=np.float32)
    image_of = np.array([0] * len(rows) + [1], dtype=np.int32)
    expected = "4 boxes lie within the first pixel of the image, as fractions would, and are not used (annotations 1, 10, 11, 12)."
    assert drop_first_pixel("b.json", boxes, image_of, sizes) == [f"b.json: {expected}"]
    np.testing.assert_array_equal(boxes, boxes_of([(np.nan,) * 4, *kept, *[(np.nan,) * 4] * 3, *tiny]))
    assert drop_first_pixel("b.json", boxes_of(kept), image_of[: len(kept)], sizes) == []
