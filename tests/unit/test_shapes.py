"""Annotation files as tools write them, a row each: what is present, the boxes, and what is told, or the words of the refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import coco_file, read_annotations
from hope_bench.annotations.known_tools import another_tool
from hope_bench.errors import HopeBenchError

Box = tuple[float, float, float, float] | None

W, H = 640, 480
CATEGORIES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "cup"}]
IMAGES = [{"id": n, "file_name": f"{n}.jpg", "width": W, "height": H} for n in (1, 2, 3)]
BOXES: tuple[tuple[int, int, tuple[float, float, float, float]], ...] = (
    (1, 1, (40, 60, 100, 80)),
    (1, 2, (400, 60, 120, 90)),
    (2, 1, (320, 300, 200, 100)),
    (2, 3, (10, 20, 60, 40)),
    (3, 3, (500, 400, 100, 60)),
    (3, 2, (200, 30, 50, 300)),
)
"""Every image's id, category and (x, y, width, height): what all rows but those that say so hold."""


def entry(number: int, box: Any, **more: Any) -> dict[str, Any]:
    image, category, _ = BOXES[number]
    return {"id": number + 1, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0, "area": 1.0} | more


def entries(made: Callable[[tuple[float, float, float, float]], Any] = list, **more: Any) -> list[dict[str, Any]]:
    return [entry(number, made(box), **more) for number, (_, _, box) in enumerate(BOXES)]


def coco(**changes: Any) -> dict[str, Any]:
    return {"images": IMAGES, "annotations": entries(), "categories": CATEGORIES} | changes


def but(number: int, **changes: Any) -> list[dict[str, Any]]:
    """All entries, one changed; a key that becomes ... is missing."""
    rows = entries()
    rows[number] = {key: value for key, value in (rows[number] | changes).items() if value is not ...}
    return rows


def spread(made: Callable[[tuple[float, float, float, float]], Any]) -> list[dict[str, Any]]:
    """All entries four times, each a little larger."""
    return [one for more in range(4) for one in entries(lambda box: made((*box[:2], box[2] + more, box[3] + more)))]  # noqa: B023


def each(rows: list[dict[str, Any]], **changes: Callable[[Any], Any]) -> list[dict[str, Any]]:
    return [row | {key: change(row.get(key)) for key, change in changes.items()} for row in rows]


def without(rows: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in keys} for row in rows]


def polygon(box: tuple[float, float, float, float]) -> list[list[float]]:
    x, y, width, height = box
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def corners(box: tuple[float, float, float, float]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y + height]


def centred(box: tuple[float, float, float, float]) -> list[float]:
    x, y, width, height = box
    return [x + width / 2, y + height / 2, width, height]


def shares(box: Any) -> list[float]:
    return [box[0] / W, box[1] / H, box[2] / W, box[3] / H]


def runs(box: tuple[float, float, float, float]) -> dict[str, Any]:
    """The box as uncompressed run lengths, down the columns."""
    x, y, width, height = (int(one) for one in box)
    counts, outside = [], x * H + y
    for _ in range(width):
        counts += [outside, height]
        outside = H - height
    return {"counts": counts, "size": [H, W]}


def compressed(box: tuple[float, float, float, float]) -> dict[str, Any]:
    from pycocotools import mask

    made = mask.frPyObjects(runs(box), H, W)
    return {"counts": made["counts"].decode(), "size": [H, W]}


ALL = {
    "1.jpg": {"dog": [BOXES[0][2]], "cat": [BOXES[1][2]]},
    "2.jpg": {"dog": [BOXES[2][2]], "cup": [BOXES[3][2]]},
    "3.jpg": {"cup": [BOXES[4][2]], "cat": [BOXES[5][2]]},
}


def lacking(number: int, **instead: Any) -> dict[str, dict[str, list[Box]]]:
    """ALL, one entry without its box, or without itself."""
    names = {one["id"]: one["name"] for one in CATEGORIES}
    made: dict[str, dict[str, list[Box]]] = {f"{one['id']}.jpg": {} for one in IMAGES}
    for place, (image, category, box) in enumerate(BOXES):
        if place != number or "box" in instead:
            made[f"{image}.jpg"][names[category]] = [box if place != number else instead["box"]]
    return made


@dataclass(frozen=True)
class Shape:
    """`data` is the file; `holds` the present categories with their boxes by image, in pixels; `told` words of its problems."""

    data: Any
    holds: dict[str, dict[str, list[Box]]] = field(default_factory=lambda: dict(ALL))
    told: tuple[str, ...] = ()
    boxes: Any = None


COCO: dict[str, Shape] = {
    "COCO's own": Shape(coco()),
    "CVAT: attributes, floats": Shape(
        coco(annotations=entries(lambda box: [float(one) for one in box], attributes={"occluded": False}))
    ),
    "CVAT: a rotated box": Shape(coco(annotations=entries(attributes={"occluded": False, "rotation": 30.5}))),
    "Roboflow: date and extra": Shape(
        coco(
            images=each(IMAGES, extra=lambda _: {"name": "a.jpg"}, date_captured=lambda _: "2026"),
            annotations=entries(segmentation=[]),
        )
    ),
    "Label Studio: iscrowd and ignore": Shape(coco(annotations=entries(ignore=0, iscrowd=0, segmentation=[]))),
    "Label Studio: annotations without iscrowd": Shape(coco(annotations=without(entries(), "iscrowd", "area"))),
    "Labelbox: ids that are text": Shape(
        coco(
            images=each(IMAGES, id=lambda one: f"clx{one}"),
            annotations=each(entries(), image_id=lambda one: f"clx{one}", id=lambda one: f"a{one}"),
        )
    ),
    "Datumaro: numbers as floats": Shape(
        coco(
            images=each(IMAGES, width=float, height=float),
            annotations=entries(lambda box: [float(one) for one in box], iscrowd=0.0, area=12.5),
        )
    ),
    "Supervisely: no sizes in pixels but text": Shape(coco(images=each(IMAGES, width=str, height=str))),
    "VGG VIA: everything is text": Shape(
        coco(
            images=each(IMAGES, id=str, width=str, height=str),
            categories=each(CATEGORIES, id=str),
            annotations=entries(lambda box: [str(one) for one in box], iscrowd="0", area="9.5"),
        )
    ),
    "VGG VIA: flat polygons": Shape(
        coco(annotations=[entry(n, None, segmentation=polygon(box)[0]) for n, (_, _, box) in enumerate(BOXES)])
    ),
    "FiftyOne: null segmentation, ids from 0": Shape(
        coco(
            categories=each(CATEGORIES, id=lambda one: one - 1, supercategory=lambda _: None),
            annotations=each(entries(segmentation=None), category_id=lambda one: one - 1),
        )
    ),
    "Detectron2's converter: scores of ground truth": Shape(coco(annotations=entries(num_keypoints=0, iscrowd=0))),
    "MMDetection: images2coco with empty licences": Shape(coco(licenses=[], info=None)),
    "MMDetection: instances with ignore": Shape(coco(annotations=entries(ignore=0, segmentation=[]))),
    "LVIS-like: no iscrowd, polygons": Shape(
        coco(
            annotations=without(
                [entry(n, list(box), segmentation=polygon(box)) for n, (_, _, box) in enumerate(BOXES)], "iscrowd"
            )
        )
    ),
    "Objects365: flags": Shape(coco(annotations=entries(isfake=0, isreflected=0))),
    "Datumaro: crowds as booleans": Shape(coco(annotations=entries(iscrowd=False))),
    "keys in another order": Shape({"annotations": entries(), "categories": CATEGORIES, "images": IMAGES}),
    "a tool's own keys beside": Shape({"version": 2, "type": "instances"} | coco()),
    # ids
    "image ids as text there, numbers here": Shape(coco(images=each(IMAGES, id=str))),
    "image ids as numbers there, text here": Shape(coco(annotations=each(entries(), image_id=str))),
    "image ids with leading zeros": Shape(coco(annotations=each(entries(), image_id=lambda one: f"{one:012}"))),
    "category ids as text": Shape(coco(annotations=each(entries(), category_id=str))),
    "category ids as floats": Shape(coco(annotations=each(entries(), category_id=float))),
    "category ids as text that is a float": Shape(coco(annotations=each(entries(), category_id=lambda one: f"{one}.0"))),
    "ids with spaces": Shape(coco(annotations=each(entries(), image_id=lambda one: f" {one} "))),
    "image ids as floats": Shape(coco(images=each(IMAGES, id=float), annotations=each(entries(), image_id=float))),
    "ids that are distinct as text only": Shape(
        coco(
            images=[{"id": "01", "file_name": "1.jpg"}, {"id": "1", "file_name": "2.jpg"}, {"id": "x", "file_name": "3.jpg"}],
            annotations=each(entries(), image_id=lambda one: {1: "01", 2: "1", 3: "x"}[one]),
        )
    ),
    # missing boxes
    "one box is null": Shape(
        coco(annotations=but(1, bbox=None)), lacking(1, box=None), ("1 object has no usable box", "annotations 2")
    ),
    "one box is missing": Shape(coco(annotations=but(1, bbox=...)), lacking(1, box=None), ("1 object has no usable box",)),
    "one box is []": Shape(coco(annotations=but(5, bbox=[])), lacking(5, box=None), ("annotations 6",)),
    "one box is four zeros": Shape(coco(annotations=but(2, bbox=[0, 0, 0, 0])), lacking(2, box=None), ("no usable box",)),
    "one box has three numbers": Shape(coco(annotations=but(2, bbox=[1, 2, 3])), lacking(2, box=None), ("no usable box",)),
    "one box holds null": Shape(coco(annotations=but(2, bbox=[1, None, 3, 4])), lacking(2, box=None), ("no usable box",)),
    "one box holds words": Shape(coco(annotations=but(2, bbox=["a", 1, 2, 3])), lacking(2, box=None), ("no usable box",)),
    "one box holds NaN": Shape(coco(annotations=but(2, bbox=[float("nan")] * 4)), lacking(2, box=None), ("no usable box",)),
    "one box is infinite": Shape(
        coco(annotations=but(2, bbox=[0, 0, float("inf"), 5])), lacking(2, box=None), ("no usable box",)
    ),
    "one box has no size": Shape(coco(annotations=but(2, bbox=[9, 9, 0, 5])), lacking(2, box=None), ("no size",)),
    "one box lies outside": Shape(coco(annotations=but(2, bbox=[900, 9, 10, 5])), lacking(2, box=None), ("no size within",)),
    "one box is negative": Shape(coco(annotations=but(2, bbox=[90, 90, -10, -5])), lacking(2, box=None), ("no size",)),
    "one box overhangs": Shape(
        coco(annotations=but(4, bbox=[500, 400, 300, 60])), lacking(4, box=(500, 400, 140, 60)), ("beyond the image",)
    ),
    "one fraction among pixels": Shape(
        coco(
            annotations=[
                *entries(),
                *[entry(n % 6, [90 + n // 6, 90, 30, 30]) for n in range(30)],
                entry(0, [0.1, 0.2, 0.3, 0.1]),
            ]
        ),
        {
            name: {
                what: [*boxes, *[(90 + n, 90, 30, 30) for n in range(5)], *([None] if (name, what) == ("1.jpg", "dog") else [])]
                for what, boxes in held.items()
            }
            for name, held in ALL.items()
        },
        ("within the first pixel",),
    ),
    "boxes as text": Shape(coco(annotations=entries(lambda box: "[" + ", ".join(map(str, box)) + "]"))),
    "boxes in a list of one": Shape(coco(annotations=entries(lambda box: [list(box)]))),
    "no boxes at all: image labels": Shape(
        coco(annotations=without(entries(), "bbox", "area")),
        {name: {what: [None] for what in held} for name, held in ALL.items()},
        ("6 objects have no usable box",),
    ),
    # segmentations
    "polygons alone": Shape(coco(annotations=[entry(n, None, segmentation=polygon(box)) for n, (_, _, box) in enumerate(BOXES)])),
    "polygons alone, as points": Shape(
        coco(
            annotations=without(
                [
                    entry(n, 0, segmentation=[[[x, y] for x, y in zip(polygon(box)[0][::2], polygon(box)[0][1::2], strict=True)]])
                    for n, (_, _, box) in enumerate(BOXES)
                ],
                "bbox",
            )
        )
    ),
    "polygons of several parts, boxes of zeros": Shape(
        coco(
            annotations=[
                entry(n, [0, 0, 0, 0], segmentation=[polygon((x, y, 1, 1))[0], polygon((x + w - 1, y + h - 1, 1, 1))[0]])
                for n, (_, _, (x, y, w, h)) in enumerate(BOXES)
            ]
        )
    ),
    "a box of zeros with a polygon, beside an unknown image": Shape(
        coco(annotations=[*but(3, bbox=[0, 0, 0, 0], segmentation=polygon(BOXES[3][2])), entry(0, [1, 2, 3, 4], image_id=9)]),
        told=("1 annotation names 1 image id",),
    ),
    "one polygon alone": Shape(coco(annotations=but(3, bbox=..., segmentation=polygon(BOXES[3][2])))),
    "run lengths alone": Shape(coco(annotations=[entry(n, None, segmentation=runs(box)) for n, (_, _, box) in enumerate(BOXES)])),
    "compressed run lengths alone": Shape(
        coco(annotations=[entry(n, [], segmentation=compressed(box)) for n, (_, _, box) in enumerate(BOXES)])
    ),
    "a polygon of two points": Shape(coco(annotations=but(3, bbox=[], segmentation=[[1, 2, 3, 4]])), lacking(3, box=None)),
    # layouts
    "boxes as fractions": Shape(coco(annotations=entries(shares)), told=("fractions",)),
    "boxes as fractions, sizes unknown": Shape(coco(images=without(IMAGES, "width", "height"), annotations=entries(shares))),
    "boxes as fractions, areas in pixels": Shape(coco(annotations=entries(shares, area=8000.0))),
    "boxes as corners": Shape(coco(annotations=entries(corners)), told=("corners",)),
    "boxes as corners in fractions": Shape(
        coco(annotations=entries(lambda box: shares(corners(box)))), told=("corners", "fractions")
    ),
    "boxes as centres": Shape(coco(annotations=entries(centred)), boxes="cxcywh"),
    "boxes as centres in fractions": Shape(coco(annotations=entries(lambda box: shares(centred(box)))), boxes="cxcywh-fractions"),
    "corners that the spec names": Shape(coco(annotations=entries(corners)), boxes="xyxy"),
    "corners as text": Shape(coco(annotations=entries(lambda box: [str(one) for one in corners(box)]))),
    # one bad entry
    "one annotation of an unknown image": Shape(
        coco(annotations=but(3, image_id=99)), lacking(3), ("1 annotation names 1 image id it does not define (99)",)
    ),
    "one annotation of an unknown category": Shape(
        coco(annotations=but(3, category_id=99)), lacking(3), ("1 category id it does not define (99)",)
    ),
    "one annotation without an image": Shape(
        coco(annotations=but(3, image_id=None)), lacking(3), ("without an image_id (number 4",)
    ),
    "one annotation without a category": Shape(coco(annotations=but(3, category_id=...)), lacking(3), ("without a category_id",)),
    "annotations written twice": Shape(
        coco(annotations=[*entries(), *entries()[:2], entry(0, None), *but(3, bbox=None)[3:4]]),
        lacking(9)
        | {
            "1.jpg": {"dog": [BOXES[0][2], None], "cat": [BOXES[1][2]]},
            "2.jpg": {"dog": [BOXES[2][2]], "cup": [BOXES[3][2], None]},
        },
        ("2 annotations repeat one before it", "annotations 9, 10"),
    ),
    "one annotation is null": Shape(coco(annotations=[*entries(), None]), told=("no JSON object (number 7",)),
    "one annotation is a list": Shape(coco(annotations=[[], *entries()]), told=("no JSON object (number 1",)),
    "one image is null": Shape(coco(images=[*IMAGES, None]), told=("1 of its images left out",)),
    "one image has no name": Shape(coco(images=[*IMAGES, {"id": 9}]), told=("neither file_name",)),
    "one image has no id": Shape(coco(images=[*IMAGES, {"file_name": "x.jpg"}]), told=("without an id",)),
    "images named by path": Shape(coco(images=[without([one], "file_name")[0] | {"path": one["file_name"]} for one in IMAGES])),
    "images named by filename": Shape(
        coco(images=[without([one], "file_name")[0] | {"filename": one["file_name"]} for one in IMAGES])
    ),
    "one image is listed twice": Shape(coco(images=[*IMAGES, IMAGES[0]]), told=("left out, listed before (number 4",)),
    "two images have one id": Shape(
        coco(images=[*IMAGES, {"id": 9, "file_name": "9.jpg"}, {"id": 9, "file_name": "8.jpg"}]),
        told=("2 of its images left out, whose id another image has",),
    ),
    "two images have one file": Shape(
        coco(images=[*IMAGES, {"id": 8, "file_name": "9.jpg"}, {"id": 9, "file_name": "9.jpg"}]),
        told=("2 of its images left out, whose file_name another image has",),
    ),
    "sides of images are -1": Shape(coco(images=each(IMAGES, width=lambda _: -1, height=lambda _: -1))),
    # categories
    "one category is listed twice": Shape(coco(categories=[*CATEGORIES, CATEGORIES[0]]), told=("read as one each: 'dog'",)),
    "a category by two ids": Shape(
        coco(categories=[*CATEGORIES, {"id": 9, "name": "dog"}], annotations=but(2, category_id=9)),
        told=("'dog' (ids 1, 9)",),
    ),
    "Roboflow: a root called as its class": Shape(
        coco(categories=[{"id": 0, "name": "Dog"}, *({**one, "supercategory": "Dog"} for one in CATEGORIES)]),
        told=("'dog' (ids 0, 1)",),
    ),
    "a category without a name that nothing is": Shape(
        coco(categories=[*CATEGORIES, {"id": 9, "name": None}]), told=("1 of its categories left out, without a name (number 4",)
    ),
    "annotations name their categories": Shape(
        coco(annotations=each(entries(), category_id=lambda one: CATEGORIES[one - 1]["name"]))
    ),
    "corners that only areas tell": Shape(
        coco(
            images=without(IMAGES, "width", "height"),
            annotations=[entry(n, corners(box), area=box[2] * box[3]) for n, (_, _, box) in enumerate(BOXES)],
        ),
        told=("corners",),
    ),
    "images without sizes": Shape(coco(images=without(IMAGES, "width", "height"))),
    "images with sizes of 0": Shape(coco(images=each(IMAGES, width=lambda _: 0, height=lambda _: 0))),
    "NaN after numbers as text": Shape(coco(annotations=[entry(0, list(map(str, BOXES[0][2]))), *but(2, area=float("nan"))[1:]])),
    "NaN beside a box of four zeros": Shape(
        coco(annotations=[*but(2, bbox=[0, 0, 0, 0])[:3], *but(3, area=float("nan"))[3:]]),
        lacking(2, box=None),
        ("no usable box",),
    ),
    "areas as text and NaN": Shape(coco(annotations=but(2, area=float("nan")))),
    "attributes as a list": Shape(coco(annotations=entries(attributes=[{"name": "colour", "value": "red"}]))),
    "attributes as words": Shape(coco(annotations=entries(attributes=["red", "shiny"]))),
    "category names as numbers": Shape(
        coco(categories=[{"id": 1, "name": 7}, *CATEGORIES[1:]]),
        {name: {"7" if what == "dog" else what: boxes for what, boxes in held.items()} for name, held in ALL.items()},
    ),
}


def held(path: Path, boxes: Any = None) -> dict[str, dict[str, list[Any]]]:
    """What annotations say, boxes in pixels of 640 x 480, those that are nearly whole numbers as such."""
    annotations = read_annotations(path, boxes=boxes)
    scale = (W, H, W, H) if annotations.box_units == "fractions" else (1, 1, 1, 1)
    found: dict[str, dict[str, list[Any]]] = {}
    for place, image in enumerate(annotations.images):
        assert tuple(dict.fromkeys(one.category for one in annotations.instances(place))) == annotations.present(place)
        own = found.setdefault(image.file_name, {})
        for one in annotations.instances(place):
            box = None if one.bbox is None else tuple(side * factor for side, factor in zip(one.bbox, scale, strict=True))
            own.setdefault(one.category, []).append(box)
    return found


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, categories in expected.items():
        assert list(found[name]) == list(categories), name
        for category, boxes in categories.items():
            for one, other in zip(found[name][category], boxes, strict=True):
                assert one == (None if other is None else pytest.approx(other, abs=0.01)), (name, category)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("shape", COCO.values(), ids=COCO)
def test_coco_as_tools_write_it(shape: Shape, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(shape.data)
    if stream and ("NaN" in text or "Infinity" in text):
        pytest.skip("NaN is no JSON, and read in files that fit into memory only")
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0 if stream else 1 << 40)
    path = tmp_path / "instances.json"
    path.write_text(text, encoding="utf-8")
    same(held(path, shape.boxes), shape.holds)
    problems = "\n".join(read_annotations(path, boxes=shape.boxes).problems)
    for words in shape.told:
        assert words in problems


def pixel_corner(number: int) -> list[float]:
    return [[0, 0, 1, 1], [0, 1, 1, 1]][number % 2]  # type: ignore[return-value]


DOUBTED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "percentages": (spread(lambda box: [100 * one for one in shares(box)]), "they may be percentages"),
    "boxes of pictures a third of the size": (spread(lambda box: [one / 3 for one in box]), "first quarter"),
    "boxes smaller than their areas": (
        [entry(n, [one * 0.6 for one in box], area=box[2] * box[3]) for n, (_, _, box) in enumerate(BOXES)],
        "less than half of the areas",
    ),
}


@pytest.mark.parametrize(("annotations", "words"), DOUBTED.values(), ids=DOUBTED)
def test_boxes_that_may_be_of_another_scale_are_told(annotations: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(coco(annotations=annotations)), encoding="utf-8")
    assert words in "\n".join(read_annotations(path).problems)
    assert words not in "\n".join(read_annotations(path, boxes="xywh").problems)


REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "pixels or fractions": (
        coco(annotations=[entry(n, pixel_corner(n)) for n in range(6)]),
        ("can't be told", 'dataset.boxes = "fractions"', 'dataset.boxes = "xywh"'),
    ),
    "half pixels, half fractions": (
        coco(annotations=[entry(n, shares(box) if n % 2 else list(box)) for n, (_, _, box) in enumerate(BOXES)]),
        ("can't be told", "hold both", 'dataset.boxes = "fractions"'),
    ),
    "half sizes, half corners": (
        coco(
            annotations=[entry(n, corners(box) if n in (1, 2, 4) else [300, 200, 50, 40]) for n, (_, _, box) in enumerate(BOXES)]
        ),
        ("can't be told", 'dataset.boxes = "xywh"', 'dataset.boxes = "xyxy"'),
    ),
    "two boxes that may be corners": (
        coco(annotations=[entry(2, corners(BOXES[2][2])), entry(4, corners(BOXES[4][2]))]),
        ("can't be told", 'dataset.boxes = "xyxy"'),
    ),
    "annotations of unknown images alone": (
        coco(annotations=each(entries(), image_id=lambda one: one + 50)),
        ("6 annotations name ", "image id"),
    ),
    "annotations of unknown categories alone": (coco(annotations=each(entries(), category_id=lambda _: 50)), ("category id",)),
    "annotations without images alone": (coco(annotations=without(entries(), "image_id")), ("6 without an image_id",)),
    "boxes of three numbers alone": (coco(annotations=entries(lambda box: list(box)[:3])), ("none has a bbox of four numbers",)),
    "images without names alone": (coco(images=without(IMAGES, "file_name")), ("none of its images", "3 with neither file_name")),
    "a category without a name that is annotated": (
        coco(categories=[*CATEGORIES[:2], {"id": 3, "name": " "}]),
        ("1 category has no name (ids 3)",),
    ),
    "an id of two categories": (coco(categories=[*CATEGORIES, {"id": 3, "name": "mug"}]), ("category id occurs more than once",)),
    "an id of most images": (coco(images=[IMAGES[0], *IMAGES[:1], *({**one, "id": 1} for one in IMAGES)]), ("image id occurs",)),
    "annotations count from 0, categories from 1": (
        coco(annotations=each(entries(), category_id=lambda one: one - 1)),
        ("numbered 1 to 3", "category 0", "seem to count from 0"),
    ),
    "annotations count from 1, categories from 0": (
        coco(categories=each(CATEGORIES, id=lambda one: one - 1)),
        ("numbered 0 to 2", "category 3", "seem to count from 1"),
    ),
    "boxes of pictures twice the size": (
        coco(annotations=entries(lambda box: [2 * one for one in box])),
        ("can't be right", "another size", 'dataset.boxes = "xywh"'),
    ),
    "y before x": (
        coco(annotations=spread(lambda box: [corners(box)[at] for at in (1, 0, 3, 2)])),
        ("can't be right", "y before x"),
    ),
    "widths and heights swapped": (
        coco(
            images=each(IMAGES, width=lambda _: H, height=lambda _: W),
            annotations=spread(lambda box: [box[0] + 120, *box[1:]]),
        ),
        ("can't be right", "width and height swapped"),
    ),
    "annotations as an object": (coco(annotations={"1": entry(0, [1, 2, 3, 4])}), ("not a COCO instances file",)),
    "no categories": ({"images": IMAGES, "annotations": entries()}, ("not a COCO instances file", "categories")),
    "COCO captions": (
        {"images": IMAGES, "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]},
        ("COCO captions file", "--captions"),
    ),
    "COCO panoptic": (
        coco(annotations=[{"image_id": 1, "file_name": "1.png", "segments_info": [{"id": 1, "category_id": 1}]}]),
        ("COCO panoptic file", "instances file"),
    ),
    "COCO image_info": (
        {"info": {}, "images": IMAGES, "categories": CATEGORIES, "licenses": []},
        ("image_info", "no annotations"),
    ),
    "pycocotools results": (
        [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}],
        ("detections", "model's output"),
    ),
    "mask results": ([{"image_id": 1, "category_id": 1, "segmentation": {}, "score": 0.9}], ("detections", "model's output")),
    "caption results": ([{"image_id": 1, "caption": "a dog"}], ("results format",)),
    "Detectron2 dataset dicts": (
        [{"file_name": "1.jpg", "image_id": 1, "height": H, "width": W, "annotations": [{"bbox": [1, 2, 3, 4], "bbox_mode": 1}]}],
        ("Detectron2 dataset dicts", "convert_to_coco_json"),
    ),
    "MMDetection's middle format": (
        [{"filename": "1.jpg", "width": W, "height": H, "ann": {"bboxes": [], "labels": []}}],
        ("MMDetection",),
    ),
    "MMDetection 3": ({"metainfo": {"classes": ["dog"]}, "data_list": []}, ("MMDetection", "COCO")),
    "Labelbox": ([{"data_row": {"id": "x"}, "media_attributes": {}, "projects": {}}], ("Labelbox", "COCO")),
    "Labelbox, older": ([{"ID": "x", "Labeled Data": "https://a/b.jpg", "Label": {"objects": []}}], ("Labelbox", "COCO")),
    "Label Studio": ([{"id": 1, "data": {"image": "/data/1.jpg"}, "annotations": [{"result": []}]}], ("Label Studio", "COCO")),
    "Label Studio, JSON-MIN": (
        [{"image": "/data/1.jpg", "label": [], "annotation_id": 3, "lead_time": 1.5}],
        ("Label Studio", "COCO"),
    ),
    "Supervisely": (
        {"description": "", "tags": [], "size": {"height": H, "width": W}, "objects": [{"classTitle": "dog", "points": {}}]},
        ("Supervisely", "Export to COCO"),
    ),
    "Supervisely's meta.json": ({"classes": [{"title": "dog"}], "tags": [], "projectType": "images"}, ("Supervisely",)),
    "VIA project": (
        {"_via_settings": {}, "_via_img_metadata": {}, "_via_attributes": {}},
        ("VGG Image Annotator", "COCO format"),
    ),
    "VIA annotations": (
        {"1.jpg123": {"filename": "1.jpg", "size": 123, "regions": [], "file_attributes": {}}},
        ("VGG Image Annotator",),
    ),
    "VIA 3": ({"project": {"pid": "__"}, "config": {}, "attribute": {}, "file": {}, "metadata": {}, "view": {}}, ("VIA 3",)),
    "LabelMe, one file": ({"version": "5.5.0", "shapes": [], "imagePath": "1.jpg"}, ("LabelMe", "folder")),
    "FiftyOne": ({"samples": [{"filepath": "1.jpg"}]}, ("FiftyOne", "COCODetectionDataset")),
    "FiftyOne detections": ({"classes": ["dog"], "labels": {"1": [{"label": 0, "bounding_box": [0, 0, 1, 1]}]}}, ("FiftyOne",)),
    "Datumaro": ({"info": {}, "categories": {"label": {"labels": []}}, "items": [{"id": "1"}]}, ("Datumaro", "coco_instances")),
    "CreateML": ([{"image": "1.jpg", "annotations": [{"label": "dog", "coordinates": {}}]}], ("CreateML", "COCO")),
    "VoTT": ({"name": "x", "assets": {}, "tags": []}, ("VoTT", "COCO")),
    "Scale AI": ([{"task_id": "x", "response": {"annotations": []}}], ("Scale AI", "COCO")),
    "V7 Darwin": ({"version": "2.0", "item": {"name": "1.jpg"}, "annotations": []}, ("Darwin", "COCO")),
    "BDD100K": ([{"name": "1.jpg", "labels": [{"category": "car", "box2d": {}}]}], ("BDD100K", "to_coco")),
    "Cityscapes": ({"imgHeight": H, "imgWidth": W, "objects": [{"label": "car", "polygon": []}]}, ("Cityscapes", "COCO")),
    "SageMaker": ({"source-ref": "s3://x/1.jpg", "boxes": {"annotations": []}}, ("Ground Truth", "COCO")),
    "Hasty": ({"project_name": "x", "label_classes": [], "images": []}, ("Hasty", "COCO")),
    "SuperAnnotate": ({"metadata": {"name": "1.jpg"}, "instances": []}, ("SuperAnnotate", "COCO")),
    "Encord": ([{"title": "x", "data_hash": "y", "data_units": {}}], ("Encord", "COCO")),
    "Kili": ([{"id": "x", "externalId": "1", "labels": []}], ("Kili", "COCO")),
    "a list of something else": ([{"a": 1}], ("is a list", "COCO")),
    "something else": ({"a": 1}, ("not a COCO instances file",)),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named_with_what_to_do(data: Any, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


TEXTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "CVAT XML": ("a.xml", '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>', ("CVAT", "COCO 1.0")),
    "CVAT XML under another name": ("a.json", "<annotations><version>1.1</version></annotations>", ("CVAT", "COCO 1.0")),
    "one Pascal VOC file": ("a.xml", "<annotation><folder>x</folder></annotation>", ("Pascal VOC", "folder")),
    "dlib": ("a.xml", "<?xml version='1.0'?><?xml-stylesheet x?>\n<dataset><images/></dataset>", ("dlib", "COCO")),
    "YOLO labels": ("1.txt", "0 0.5 0.5 0.2 0.1\n1 0.2 0.2 0.1 0.1\n", ("YOLO", "data.yaml")),
    "YOLO polygons": ("1.txt", "0 0.5 0.5 0.2 0.1 0.4 0.4\n", ("YOLO", "data.yaml")),
    "KITTI": ("1.txt", "Car 0.00 0 -1.58 587 173 614 200 1.65 1.67 3.64 -0.65 1.71 46.7 -1.59\n", ("KITTI", "COCO")),
    "DOTA": ("1.txt", "imagesource:GoogleEarth\ngsd:0.1\n", ("DOTA", "COCO")),
    "MOT": ("gt.txt", "1,1,912,484,97,109,0,7,1\n", ("MOT", "COCO")),
    "TensorFlow's table": (
        "a.csv",
        "filename,width,height,class,xmin,ymin,xmax,ymax\n1.jpg,9,9,dog,1,1,2,2\n",
        ("TensorFlow", "COCO"),
    ),
    "Roboflow's multi-class table": ("_classes.csv", "filename, dog, cat\n1.jpg, 1, 0\n", ("table", "COCO")),
    "VIA's table": (
        "via.csv",
        'filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n1.jpg,9,"{}",0,0,"{}","{}"\n',
        ("VGG Image Annotator", "COCO format"),
    ),
    "Label Studio's table": (
        "a.csv",
        "image,id,label,annotator,annotation_id,created_at\nx,1,y,1,1,z\n",
        ("Label Studio", "COCO"),
    ),
    "a SageMaker manifest": (
        "a.manifest",
        '{"source-ref": "s3://x/1.jpg", "b": {}}\n{"source-ref": "s3://x/2.jpg"}\n',
        ("Ground Truth",),
    ),
    "Labelbox lines": ("a.ndjson", '{"data_row": {"id": "x"}, "projects": {}}\n{"data_row": {}}\n', ("Labelbox", "COCO")),
    "makesense.ai's table": ("labels.csv", "dog,12,20,100,80,my cat 1.jpg,640,480\n", ("makesense.ai", "VOC XML")),
    "TFRecord": ("a.tfrecord", "\x00\x01", ("TensorFlow records", "COCO")),
    "a pickle": ("a.pkl", "\x80\x04", ("pickle", "COCO")),
    "an archive": ("a.zip", "PK\x03\x04", ("archive", "Unpack")),
    "a packed file": ("instances.json.gz", "\x1f\x8b", ("compressed", "Unpack")),
}


@pytest.mark.parametrize(("name", "text", "words"), TEXTS.values(), ids=TEXTS)
def test_other_files_are_named_with_what_to_do(name: str, text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "whose"),
    [
        ("a.json", '{"a": {"filename": "x", "regions": []}}', "VGG Image Annotator (VIA) annotations"),
        ("a.json", '{"images": [{"filename": "x", "regions": []}], "annotations": [], "categories": []}', None),
        ("a.json", "[]", None),
        ("a.json", "words", None),
        ("a.txt", "name\nother\n", None),
        ("a.txt", "", None),
        ("a.xml", " \n<annotations/>", "a CVAT export (XML)"),
        ("a.xml", "<?xml version='1.0'?>", None),
        ("x.NAMES", "dog\n", "darknet's list of classes"),
    ],
)
def test_whose_file_it_is(name: str, text: str, whose: str | None, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    found = another_tool(path)
    assert (found or "").partition(", which isn't read. ")[0] == ("" if whose is None else f"{path} is {whose}")
