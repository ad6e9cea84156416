"""Entries, ids, repeats and captions of COCO files, one at a time: the whole row that each becomes, or why there is none."""

from __future__ import annotations

import json
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hope_bench.annotations import read_annotations
from hope_bench.annotations.coco import read_captions
from hope_bench.annotations.coco_entries import BadEntries, Key, is_placeholder, rows_of, with_names
from hope_bench.annotations.coco_file import load_instances
from hope_bench.annotations.coco_repeats import distinct_categories, distinct_images
from hope_bench.annotations.coco_rows import CategoryRow, ImageRow, InstanceRow, Instances, image_name, image_table, supercategories
from hope_bench.annotations.ids import IdIndex, canonical, check_first_number, look_up, unique_index, unknown_ids
from hope_bench.errors import HopeBenchError



def read(key: Key, entry: Any) -> tuple[dict[str, Any] | None, list[str], int]:
    """The one row, its box None for NaN; what is told, and how many boxes were none."""
    bad = BadEntries(key)
    (row,) = rows_of(key, [entry], 6, bad)
    fields = None if row is None else msgspec.structs.asdict(row)
    if fields and "bbox" in fields:
        assert len({isnan(one) for one in fields["bbox"]}) == 1
        fields["bbox"] = None if isnan(fields["bbox"][0]) else fields["bbox"]
    return fields, bad.problems("x.json"), bad.boxes


BOX = (1, 2, 3, 4)
ANNOTATION = {"image_id": 1, "category_id": 2, "bbox": BOX, "area": None, "iscrowd": 0, "attributes": None}
LOOSE = {"image_id": 1, "category_id": 2, "bbox": "1 2 3 4"}
"""Its box isn't of COCO's type, so that all of it is looked at."""

POLYGON = [[5, 6, 9, 6, 9, 9]]
BOXES: list[tuple[Any, Any, int]] = [
    ([1, 2, 3, 4], BOX, 0), ("1,2,3,4", BOX, 0), (" [1, 2, 3, 4] ", BOX, 0), ("(1 2 3 4)", BOX, 0), ([[1, 2, 3, 4]], BOX, 0),
    (["1", 2, "3", 4], BOX, 0), (["1", 0, 0, 0], (1, 0, 0, 0), 0), (["0", 1, 0, 0], (0, 1, 0, 0), 0),
    (["0", 0, 1, 0], (0, 0, 1, 0), 0), (["0", 0, 0, 1], (0, 0, 0, 1), 0), (["0", 0, 0, 0], None, 1), ([0, 0, 0, 0], None, 0),
    ([], None, 0), (None, None, 0), ([1, 2, 3], None, 1), ([1, 2, 3, 4, 5], None, 1), ([1, 2, 3, "x"], None, 1),
    ([inf, 2, 3, "4"], None, 1), ([1, 2, nan, "4"], None, 1), ([[1, 2, 3, 4], [1, 2, 3, 4]], None, 1), ({"x": 1}, None, 1),
]  # fmt: skip


@pytest.mark.parametrize(("given", "box", "odd"), BOXES)
def test_boxes_of_annotations(given: Any, box: Any, odd: int) -> None:
    entry = {"image_id": 1, "category_id": 2, "bbox": given}
    assert read("annotations", entry) == (ANNOTATION | {"bbox": box}, [], odd)
    around = box or (5, 6, 4, 3)
    assert read("annotations", entry | {"segmentation": POLYGON}) == (ANNOTATION | {"bbox": around}, [], 0)
    assert read("annotations", entry | {"segmentation": [POLYGON[0][:4]]}) == (ANNOTATION | {"bbox": box}, [], odd)


FIELDS: list[tuple[str, Any, Any]] = [
    ("area", 12.5, 12.5), ("area", "12.5", 12.5), ("area", "x", None), ("area", inf, None), ("area", nan, None),
    ("area", True, None), ("area", None, None),
    ("iscrowd", "1", True), ("iscrowd", "1.0", True), ("iscrowd", " TRUE", True), ("iscrowd", "Yes ", True),
    ("iscrowd", "0", False), ("iscrowd", "no", False), ("iscrowd", "", False), ("iscrowd", True, True), ("iscrowd", False, False),
    ("iscrowd", 1, True), ("iscrowd", 0, False), ("iscrowd", 0.5, True), ("iscrowd", 0.0, False), ("iscrowd", nan, False),
    ("iscrowd", None, False), ("iscrowd", [1], False), ("iscrowd", 2, True),
    ("attributes", {"a": 1}, {"a": 1}), ("attributes", "red", None), ("attributes", [], None), ("attributes", 3, None),
    ("attributes", ["red", 3, "shiny"], {"attributes": ["red", "shiny"]}), ("attributes", [{"name": 3, "value": 1}, 4], None),
    ("attributes", [{"name": "colour", "value": "red"}, {"name": "size"}], {"colour": "red", "size": None}),
    ("attributes", [{"name": "colour", "value": 1}, "old"], {"colour": 1, "attributes": ["old"]}),
    ("image_id", " a ", " a "), ("image_id", 3.0, 3), ("image_id", "3", "3"), ("category_id", -1, -1), ("category_id", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("key", "given", "expected"), FIELDS)
def test_fields_of_annotations(key: str, given: Any, expected: Any) -> None:
    found, told, _ = read("annotations", LOOSE | {key: given})
    assert (found, told) == (ANNOTATION | {key: expected}, [])
    assert found is not None
    assert type(found[key]) is type(expected)


def test_a_well_formed_entry_stays_as_it_is() -> None:
    assert read("annotations", LOOSE | {"bbox": [1, 2, 3, 4], "iscrowd": 2, "area": 5}) == (
        ANNOTATION | {"iscrowd": 2, "area": 5}, [], 0)  # fmt: skip
    assert is_placeholder(InstanceRow(1, 2, (0, 0, 0, 0)))
    assert not any(is_placeholder(InstanceRow(1, 2, tuple(box))) for box in np.eye(4).tolist())
    named = [ImageRow(1), ImageRow(1, ""), ImageRow(1, "a"), ImageRow(1, None, "u"), ImageRow(1, "a", "u")]
    assert list(map(is_placeholder, named)) == [True, True, False, False, False]
    assert not is_placeholder(CategoryRow(1, ""))


@pytest.mark.parametrize("wrong", [None, "", " ", 3.5, nan, True, [], {}])
def test_entries_without_an_id(wrong: Any) -> None:
    def told(key: str, lacks: str) -> tuple[None, list[str], int]:
        return None, [f"x.json: 1 of its {key} left out, without {lacks} (number 7, in file order)."], 0

    assert read("annotations", LOOSE | {"image_id": wrong}) == told("annotations", "an image_id")
    assert read("annotations", LOOSE | {"category_id": wrong}) == told("annotations", "a category_id")
    assert read("images", {"file_name": 3, "id": wrong}) == told("images", "an id")
    assert read("categories", {"name": 3, "id": wrong}) == told("categories", "an id")
    assert read("categories", [wrong]) == told("categories", "")[:1] + (
        ["x.json: 1 of its categories left out, no JSON object (number 7, in file order)."], 0)  # fmt: skip


IMAGE = {"id": 1, "file_name": "a.jpg", "coco_url": None, "width": None, "height": None, "neg_category_ids": None,
         "not_exhaustive_category_ids": None}  # fmt: skip
IMAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"file_name": " b.jpg "}, {"file_name": "b.jpg"}), ({"file_name": " ", "filename": "c"}, {"file_name": "c"}),
    ({"file_name": None, "path": "d"}, {"file_name": "d"}), ({"file_name": None, "filename": 3, "path": "d"}, {"file_name": "d"}),
    ({"file_name": "a", "filename": "b", "path": "c"}, {"file_name": "a"}), ({"file_name": ""}, {"file_name": None}),
    ({"coco_url": "http://x/a.jpg"}, {"coco_url": "http://x/a.jpg"}), ({"coco_url": 3}, {}),
    *(({side: given}, {side: expected}) for side in ("width", "height") for given, expected in
      (("640", 640), (640.4, 640), (640.6, 641), (0, None), ("-1", None), ("x", None), (inf, None), (nan, None), ("1", 1), ("2", 2))),
    *(({key: given}, {key: expected}) for key in ("neg_category_ids", "not_exhaustive_category_ids") for given, expected in
      ((["1", 2, None, 3.0, 3.5], ["1", 2, 3]), ([], []), ("x", None), (None, None))),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), IMAGES)
def test_images(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read("images", {"id": 1.0, "file_name": "a.jpg", "width": "?"} | given) == (IMAGE | expected, [], 0)


CATEGORY = {"id": 1, "name": "dog", "supercategory": None, "synset": None, "synonyms": []}
CATEGORIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}), ({"name": 7}, {"name": "7"}), ({"name": 7.5}, {"name": "7.5"}), ({"name": True}, {"name": ""}),
    ({"name": None}, {"name": ""}), ({"supercategory": "pet"}, {"supercategory": "pet"}), ({"supercategory": 3}, {}),
    ({"synset": "dog.n.01"}, {"synset": "dog.n.01"}), ({"synset": 3}, {}), ({"synonyms": ["a", 3, "b"]}, {"synonyms": ["a", "b"]}),
    ({"synonyms": "ab"}, {}), ({"synonyms": None}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), CATEGORIES)
def test_categories(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read("categories", {"id": 1.0, "name": "dog", "synonyms": 3} | given) == (CATEGORY | expected, [], 0)


@pytest.mark.parametrize(("count", "numbers"), [(1, "3"), (5, "3, 4, 5, 6, 7"), (6, "3, 4, 5, 6, 7 and 1 more")])
def test_bad_entries_are_counted_by_reason(count: int, numbers: str) -> None:
    bad = BadEntries("images")
    rows = rows_of("images", [{"id": 1, "file_name": "a"}, *[{"file_name": "b"}] * count, []], 1, bad)
    assert rows == [ImageRow(1, "a")] + [None] * (count + 1)
    assert bad.problems("x.json") == [
        f"x.json: {count} of its images left out, without an id (number {numbers}, in file order).",
        f"x.json: 1 of its images left out, no JSON object (number {count + 3}, in file order).",
    ]


def test_images_that_nothing_names() -> None:
    rows, bad = [ImageRow(1, "a"), None, ImageRow(2), ImageRow(3, None, "u"), ImageRow(4, "")], BadEntries("images")
    assert with_names(rows, bad) == [rows[0], None, None, rows[3], None]
    assert bad.named == {"with neither file_name nor coco_url": [3, 5]}


def repeats(rows: list[ImageRow | None]) -> tuple[list[int], dict[str, list[int]]]:
    """The places, from 1, of the images that are kept, and of those that aren't by reason."""
    bad = BadEntries("images")
    found = distinct_images(rows, bad)
    assert all(kept in (None, row) for kept, row in zip(found, rows, strict=True))
    return [place for place, row in enumerate(found, 1) if row is not None], bad.named


def test_images_listed_more_than_once() -> None:
    a, b, c, d = (ImageRow(number, name) for number, name in enumerate("abcd", 1))
    assert repeats([a, None, b]) == ([1, 3], {})
    assert repeats([a, a, None, b, a, b]) == ([1, 4], {"listed before": [2, 5, 6]})
    assert repeats([a, b, ImageRow(1, "x"), c]) == ([2, 4], {"whose id another image has": [1, 3]})
    assert repeats([ImageRow(9, "a"), a, b, c]) == ([3, 4], {"whose file_name another image has": [1, 2]})
    # most of the file: its reader refuses it
    assert repeats([a, b, ImageRow(1, "x")]) == ([1, 2, 3], {})
    assert repeats([a, a, b, ImageRow(1, "x")]) == ([1, 3, 4], {"listed before": [2]})
    # the same file by another address
    url = ImageRow(1, None, "http://h/x/y/a.jpg")
    assert repeats([ImageRow(1, "y/a.jpg"), url, b, c, d]) == ([1, 3, 4, 5], {"listed before": [2]})
    assert (image_name(url), image_name(ImageRow(1, None, "a.jpg")), image_name(ImageRow(1))) == ("y/a.jpg", "a.jpg", "")


def test_categories_listed_more_than_once() -> None:
    def distinct(*rows: CategoryRow) -> tuple[list[CategoryRow], dict[Any, int], list[str]]:
        kept, index, told = distinct_categories(Path("f/x.json"), rows)
        return kept, dict(index.exact), told

    dog, cat, seven = CategoryRow(1, "dog"), CategoryRow(2, "cat"), CategoryRow(3, "7")
    assert distinct(dog, cat, seven) == ([dog, cat, seven], {"dog": 0, "cat": 1, 1: 0, 2: 1, 3: 2}, [])
    ends = "x.json: {} listed more than once, and read as one each: {}."
    again = CategoryRow(9, "dog", synset="s")
    one = ends.format("1 category is", "'dog' (ids 1, 9)")
    assert distinct(dog, cat, again) == ([again, cat], {"dog": 0, "cat": 1, 1: 0, 2: 1, 9: 0}, [one])
    root, below, shouted = CategoryRow(0, "Dog"), CategoryRow(1, "dog", "Dog"), CategoryRow(2, "DOG", " dog")
    other = CategoryRow(3, "cup", "Dog")
    three = ends.format("1 category is", "'DOG' (ids 0, 1, 2)")
    assert distinct(root, below, shouted, other) == ([shouted, other], {"DOG": 0, "cup": 1, 0: 0, 1: 0, 2: 0, 3: 1}, [three])
    assert distinct(root, CategoryRow(1, "dog"))[2] == []  # no supercategory of that name
    swapped = (CategoryRow("cat", "dog"), CategoryRow("dog", "cat"))
    assert distinct(*swapped)[1] == {"cat": 0, "dog": 1}
    several = [CategoryRow(f"{name}{copy}", name) for name in "abcd" for copy in (1, 2)]
    told = ends.format("4 categories are", ", ".join(f"'{name}' (ids '{name}1', '{name}2')" for name in "abc") + " and 1 more")
    assert distinct(*several)[2] == [told]
    with pytest.raises(HopeBenchError, match=r"^f/x.json: 1 category id occurs more than once \(1\)\. Each must be unique\.$"):
        distinct(dog, CategoryRow(1, "cat"))
    assert distinct(dog, dog)[0] == [dog]


def test_a_supercategory_that_is_a_category() -> None:
    rows = [CategoryRow(1, "Pet"), CategoryRow(2, "dog", " pet "), CategoryRow(3, "cup"), CategoryRow(4, "self", "self"),
            CategoryRow(5, "spoon", "cutlery")]  # fmt: skip
    assert supercategories(rows) == {"dog": ("Pet",)}


@pytest.mark.parametrize(
    ("value", "form"),
    [(7, 7), ("7", 7), (" 007 ", 7), ("7.0", 7), ("7.", 7), ("-3.00", -3), ("+2", 2), ("7.5", "7.5"), (" a b ", "a b"), ("", ""),
     ("1e3", "1e3")],
)  # fmt: skip
def test_the_one_form_of_an_id(value: Any, form: Any) -> None:
    found = canonical(value)
    assert (found, type(found)) == (form, type(form))


def test_ids_are_found_exactly_or_by_their_one_form() -> None:
    index = IdIndex({"01": 0, "1": 1, 2: 2, " x ": 3, 0: 4})
    wanted: dict[Any, int | None] = {"01": 0, "1": 1, 1: None, "001": None, 2: 2, "2.0": 2, "x": 3, " x ": 3, 0: 4, "0": 4, 9: None}
    assert {one: index.get(one) for one in wanted} == wanted
    assert index.find(list(wanted)).tolist() == [-1 if place is None else place for place in wanted.values()]
    assert look_up(Path("x"), "image", ["2", 0], index).tolist() == [2, 4]
    for what, there in (("image", "images"), ("category", "categories")):
        with pytest.raises(HopeBenchError) as caught:
            look_up(Path("x.json"), what, ["2", 9, 8, 9], index)
        said = f"3 annotations name 2 {what} ids it does not define (9, 8)"
        assert str(caught.value) == f"x.json: {said}. Add them to its {there}, or remove those annotations."
    assert unknown_ids("image", ["a", 5], [1]) == "1 annotation names 1 image id it does not define (5)"


def test_ids_must_be_unique() -> None:
    assert unique_index(Path("x"), "image id", ["a", 5]) == {"a": 0, 5: 1}
    with pytest.raises(HopeBenchError) as caught:
        unique_index(Path("x"), "image id", ["a", 5, "a", 3, 5, 5])
    assert str(caught.value) == "x: 2 image ids occur more than once ('a', 5). Each must be unique."
    with pytest.raises(HopeBenchError, match=r"^x: 1 image id occurs more than once \('a'\)"):
        unique_index(Path("x"), "image id", ["a", 5, "a"])


def numbered(used: dict[int, bool], strays: list[Any], annotations: int) -> str:
    try:
        check_first_number(Path("x"), used, strays, annotations)
    except HopeBenchError as error:
        return str(error)
    return ""


def test_numbers_counted_from_another_one() -> None:
    ends = "so that each has its neighbour's name. Number both alike."
    one_less = f"x: its categories are numbered 1 to 3, but 2 annotations name category 0, and none 3: the annotations seem to count from 0, {ends}"
    one_more = f"x: its categories are numbered 0 to 1, but 1,000 annotations name category 2, and none 0: the annotations seem to count from 1, {ends}"
    used = {1: True, 2: True, 3: False}
    assert numbered(used, [0, "0"], 24) == one_less
    assert numbered(used, [0, "0"], 25) == ""  # rarer than others by far
    assert numbered({0: False, 1: True}, [2] * 1000, 8000) == one_more
    assert numbered({0: False, 1: True}, [2] * 1000, 8001) == ""
    assert numbered(used, [0], 1) == ""
    assert numbered(used, [0, -1], 2) == ""
    assert numbered({1: False}, [0, 0], 2) == ""
    assert numbered({1: True, 2: False}, [0, 0], 2) == one_less.replace("1 to 3", "1 to 2").replace("none 3", "none 2")
    assert numbered(dict.fromkeys(used, True), [0, 0], 2) == ""  # the last is annotated
    assert numbered({0: True, 1: True}, [2, 2], 2) == ""
    assert numbered({0: False, 1: True}, [3, 3], 2) == numbered({2: True, 3: False}, [0, 0], 2) == ""
    assert numbered({1: True, 2: True, 4: False}, [0, 0], 2) == ""  # one between them is missing
    assert numbered({1: False, 2: True, 3: False}, [4, 4], 9).endswith(f"none 1: the annotations seem to count from 2, {ends}")


def captions_of(folder: Path, *files: list[dict[str, Any]]) -> tuple[dict[int, tuple[str, ...]], str]:
    paths = []
    for place, rows in enumerate(files):
        paths.append(folder / f"{place}.json")
        paths[-1].write_text(json.dumps({"annotations": rows}), encoding="utf-8")
    try:
        return read_captions(paths, IdIndex({3: 0, "a": 1, "3.5": 2, "3": 3})), ""
    except HopeBenchError as error:
        return {}, str(error).replace(f"{folder}/", "")


def test_captions(tmp_path: Path) -> None:
    rows = [
        {"image_id": 3, "caption": "one"}, {"image_id": 3.0, "caption": "two"}, {"image_id": "3", "caption": "three"},
        {"image_id": 3.5, "caption": "half"}, {"image_id": "a", "caption": " "}, {"image_id": 9, "caption": "x"}, {"caption": "y"},
        {"image_id": "a"},
    ]  # fmt: skip
    held = {0: ("one", "two"), 3: ("three",), 2: ("half",)}
    assert captions_of(tmp_path, rows) == (held, "")
    assert captions_of(tmp_path, [], rows[3:]) == ({2: ("half",)}, "")
    assert captions_of(tmp_path, rows, rows[:1]) == (held | {0: ("one", "two", "one")}, "")
    assert captions_of(tmp_path) == captions_of(tmp_path, []) == ({}, "")
    none = "of {}, none is for an image of the instances file."
    assert captions_of(tmp_path, rows[4:6], rows[5:6], []) == ({}, f"0.json, 1.json, 2.json: {none.format('3 captions')}")
    assert captions_of(tmp_path, rows[5:6]) == ({}, f"0.json: {none.format('1 caption')}")
    kind = "0.json is JSON, but not a COCO captions file (annotations with image_id and caption): none of its annotations has both."
    assert captions_of(tmp_path, rows[6:]) == captions_of(tmp_path, rows[6:7]) == captions_of(tmp_path, rows[7:]) == ({}, kind)


def test_supercategories_that_are_categories_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    rows = [{"id": n, "name": name, "supercategory": above} for n, (name, above) in enumerate(
        [("pet", None), ("dog", "pet"), ("cat", "pet"), ("a", None), ("b", "a"), ("c", None), ("d", "c"), ("e", None), ("f", "e")])]
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": "a"}], "annotations": [], "categories": rows}))  # fmt: skip
    found = read_annotations(path)
    (told,) = found.problems
    assert told == (
        "x.json: 4 categories are the supercategory of others ('pet', 'a', 'c' and 1 more): what is below one is never asked to "
        "be absent beside it, nor it beside them, unless the ontology guard is off."
    )
    assert [one.parents for one in found.categories[:3]] == [(), ("pet",), ("pet",)]


def test_the_table_of_images() -> None:
    rows = [ImageRow("x", "a.jpg", None, 1, 2, [], [3]), ImageRow(7, None, "h/b/c.jpg", 0, 5), ImageRow(8, "d", None, -1, None, [1])]
    table = image_table(Path("x"), rows)
    assert [(one.file_name, one.width, one.height) for one in table.images] == [("a.jpg", 1, 2), ("b/c.jpg", None, 5), ("d", None, None)]
    assert (table.index.exact, table.negative, table.not_exhaustive) == ({"x": 0, 7: 1, 8: 2}, {0: [], 2: [1]}, {0: [3]})
    assert image_table(Path("x"), rows[1:2]).negative is None
    with pytest.raises(HopeBenchError, match="1 image file_name occurs more than once"):
        image_table(Path("x"), [ImageRow(1, "a"), ImageRow(2, "a")])


def instances(*batches: list[InstanceRow | None]) -> Instances:
    made = Instances(Path("x.json"), IdIndex({0: 0, 1: 1}), IdIndex({1: 0, 2: 1}))
    for batch in batches:
        made.add(batch)
    return made


def row(image: Any, category: Any, left: float, **more: Any) -> InstanceRow:
    return InstanceRow(image, category, (left, 2, 3, 4), **more)


def test_annotations_part_by_part() -> None:
    """What is left out is named by its place in the file, what is kept by its row."""
    good = [row(0, 1, 1, area=5, attributes={"n": 0}), row(1, 2, 2, iscrowd=1), row(1, 1, 3, attributes={"n": 2}), row(0, 2, 4, attributes={"n": 3})]
    stray, lost, again = row(9, 1, 5), row(1, 9, 6, attributes={"n": 9}), row(1, 2, 2, iscrowd=1, attributes={"n": 8})
    for batches in (
        [[good[0], None, good[1], stray, again, good[2], lost, None, good[3]]],
        [[good[0], None, good[1], stray], [again, good[2], lost, None, good[3]]],
        [[good[0], None, good[1]], [stray], [again, good[2], lost], [], [None, good[3]]],
    ):
        made = instances(*batches)
        columns = made.columns()
        assert (made.seen, made.kept, made.repeats) == (9, 5, 1)
        assert sorted(made.left_out) == [1, 3, 4, 6, 7]
        assert made.attributes == {0: {"n": 0}, 2: {"n": 2}, 3: {"n": 3}}
        assert columns.image_of.tolist() == [0, 1, 1, 0]
        assert columns.category_of.tolist() == [0, 1, 0, 1]
        assert columns.crowd.tolist() == [False, True, False, False]
        assert columns.boxes is not None and columns.areas is not None
        assert columns.boxes[:, 0].tolist() == [1, 2, 3, 4]
        assert [None if isnan(one) else one for one in columns.areas.tolist()] == [5, None, None, None]
        assert made.problems() == [
            "x.json: 1 annotation names 1 image id it does not define (9), and are left out.",
            "x.json: 1 annotation names 1 category id it does not define (9), and are left out.",
            "x.json: 1 annotation repeats one before it, box and category alike, and counts once.",
        ]
    assert instances().columns().image_of.tolist() == []
    for what, several in (("image", "images"), ("category", "categories")):
        wrong = row(9, 1, 1) if what == "image" else row(1, 9, 1)
        with pytest.raises(HopeBenchError) as caught:
            instances([wrong, wrong]).columns()
        said = f"2 annotations name 1 {what} id it does not define (9). Add them to its {several}, or remove those annotations."
        assert str(caught.value) == f"x.json: {said}"
    with pytest.raises(HopeBenchError, match="seem to count from 0"):
        instances([row(0, 1, 1), row(0, 0, 2), row(1, 0, 3)]).columns()


def test_a_file_that_says_not_a_number(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    images = [{"id": 1, "file_name": "a"}, {"id": 2}]
    data = {"images": images, "categories": [{"id": 1, "name": "dog"}], "annotations": [LOOSE | {"area": nan, "category_id": 1}, None]}
    path.write_text(json.dumps(data), encoding="utf-8")
    assert load_instances(path).problems == (
        "x.json: 1 of its images left out, with neither file_name nor coco_url (number 2, in file order).",
        "x.json: 1 of its annotations left out, no JSON object (number 2, in file order).",
    )
    lists = "is JSON, but not a COCO instances file .*: not an object with lists of images, annotations and categories"
    for other in (nan, {"z": nan} | data | {"images": {}}, {"z": nan, "images": [], "annotations": []}):
        path.write_text(json.dumps(other), encoding="utf-8")
        with pytest.raises(HopeBenchError, match=lists):
            load_instances(path)
