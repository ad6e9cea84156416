"""Formats of one file or line a picture (Pascal VOC, LabelMe, object lists): whole records, and what is left out in whole words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hope_bench.annotations.collected import Collected, corners_as_boxes, each_or_none, no_duplicates
from hope_bench.annotations.labelme import is_labelme, labelme_files, read_labelme
from hope_bench.annotations.object_list import read_object_list
from hope_bench.annotations.voc import is_voc, read_voc, voc_files
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Image


def held(made: Annotations) -> dict[tuple[str, int | None, int | None], list[tuple[str, Any]]]:
    """By image, with its size, the categories with their boxes."""
    return {
        (image.file_name, image.width, image.height): [
            (one.category, None if one.bbox is None else tuple(round(side, 3) for side in one.bbox)) for one in made.instances(place)
        ]
        for place, image in enumerate(made.images)
    }


def refusal(read: Any, path: Path) -> str:
    with pytest.raises(HopeBenchError) as caught:
        read(path)
    return str(caught.value).replace(str(path), "ROOT")


def voc(*objects: tuple[str, str], width: str = "40", height: str = "30", filename: str = "x.jpg", root: str = "annotation") -> str:
    """Objects of a name and the text in their bndbox."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{number}</{side}>" for side, number in zip(sides, box.split(), strict=False))
        + "</bndbox></object>"
        for name, box in objects
    )
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<{root}><filename>{filename}</filename>{size}{inner}</{root}>"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


DOG = ("dog", "6 6 15 15")
THE_DOG = ("dog", (5, 5, 10, 10))


def test_a_voc_folder(tmp_path: Path) -> None:
    entity = "e" * 100
    folder = write(tmp_path / "voc", {
        "a.xml": voc(DOG, ("tea cup", "26 3.5 35 7.5"), ("dog", "1 1 x 5"), (" ", "1 1 2 2"), ("", "1 1 2 2")),
        "b.xml": "<annotation", "c.xml": voc(DOG, root="annotations"),
        "d.xml": f'<!DOCTYPE a [<!ENTITY {entity} "b">]><annotation/>',
        "e/f.xml": voc(DOG, width="1", height="1", filename="C:\\y\\z.PNG"), "g.xml": voc(width="0.5"), "h.xml": voc(height="inf"),
        "i.xml": voc(width="inf"), "j.xml": voc(height="0"), "k.xml": voc(width="20.4", height="20.6"), "l.xml": voc(width="", height="x"),
        "m.xml": "<annotation><object><name>dog</name></object></annotation>",
        "n.txt": "",
    })  # fmt: skip
    made = read_voc(folder)
    assert held(made) == {
        ("a.jpg", 40, 30): [THE_DOG, ("tea cup", (25, 2.5, 10, 5)), ("dog", None)],
        ("e/f.PNG", 1, 1): [("dog", None)], ("g.jpg", None, None): [], ("h.jpg", None, None): [], ("i.jpg", None, None): [],
        ("j.jpg", None, None): [], ("k.jpg", 20, 21): [], ("l.jpg", None, None): [], ("m", None, None): [("dog", None)],
    }  # fmt: skip
    unnamed, broken, foreign = made.problems[:3]
    assert unnamed == "voc: 2 objects left out, without a name (a.xml, a.xml)."
    assert broken.startswith("voc: 2 files left out: no XML (b.xml: ")
    words = f"EntitiesForbidden(name='{entity}"[:80]
    assert broken.endswith(f", d.xml: EntitiesForbidden: {words}...).")
    assert foreign == "voc: 1 file left out: not Pascal VOC's (c.xml)."
    assert [one.name for one in made.categories] == ["dog", "tea cup"]
    assert made.box_units == "pixels"


def test_where_voc_files_and_pictures_lie(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", {"Annotations/x/a.xml": voc(DOG), "b.xml": voc(DOG)})
    assert voc_files(folder) == (folder / "Annotations", (folder / "Annotations" / "x" / "a.xml",))
    assert list(held(read_voc(folder))) == [("x/a.jpg", 40, 30)]
    folder = write(tmp_path / "b", {"07/Annotations/a.xml": voc(DOG), "12/Annotations/a.xml": voc(DOG), "07/JPEGImages/a.jpg": "",
                                    "x.xml": voc(DOG), "y/Annotations.xml": voc(DOG)})  # fmt: skip
    names = ["07/JPEGImages/a.jpg", "12/Annotations/a.jpg", "x.jpg", "y/Annotations.jpg"]
    assert [image.file_name for image in read_voc(folder).images] == names
    (tmp_path / "none").mkdir()
    assert refusal(read_voc, tmp_path / "none") == "ROOT holds no XML files."
    texts = {"<annotation>": True, '<?xml version="1"?><annotation verified="yes">': True, "<annotations>": False,
             "<!--" + " " * 4096 + "--><annotation>": False}  # fmt: skip
    for place, (text, known) in enumerate(texts.items()):
        assert is_voc(write(tmp_path / f"is{place}", {"a.xml": text, "b.xml": "<annotation>"})) == known
    assert not is_voc(tmp_path / "none")


def shape(label: Any, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": label, "points": [list(point) for point in points]} | more


def labelme(*shapes: Any, **more: Any) -> str:
    return json.dumps({"shapes": list(shapes), "imagePath": "x.jpg", "imageWidth": 40, "imageHeight": 30} | more)


SQUARE = ((5, 5), (15, 5), (15, 15))


def test_a_labelme_folder(tmp_path: Path) -> None:
    two = ((9, 9), (5, 5))
    folder = write(tmp_path / "me", {
        "a.json": labelme(shape("dog", *SQUARE), shape("cup", *two, shape_type="rectangle"), shape("hat", *two, shape_type="mask"),
                          shape("pen", (1, 1), shape_type="point"), shape(" ", *SQUARE), "x", shape("bad", ("a", 2)), shape(7, *SQUARE)),
        "b.json": "[", "c.json": json.dumps({"shapes": {}, "imagePath": "x"}), "d.json": labelme(imagePath=""), "e.json": "[1]",
        "f/g.json": "\ufeff" + labelme(shape("dog", *SQUARE), imagePath="..\\pictures\\g.png", imageWidth=1, imageHeight=1),
        "h.json": labelme(imageWidth=0.5, imagePath="h"), "i.json": labelme(imageHeight=0, imagePath="i"),
        "j.json": labelme(imageHeight="30", imageWidth=20.6, imagePath="j"), "k.json": labelme(imageWidth=None, imagePath="k"),
        "l.json": labelme(imageHeight="inf", imagePath="l"), "m.json": labelme(imageWidth="inf", imagePath="m"),
    })  # fmt: skip
    made = read_labelme(folder)
    assert held(made) == {
        ("x.jpg", 40, 30): [("dog", (5, 5, 10, 10)), ("cup", (5, 5, 4, 4)), ("hat", (5, 5, 4, 4)), ("pen", None), ("bad", None),
                            ("7", (5, 5, 10, 10))],
        ("pictures/g.png", 1, 1): [("dog", None)], ("h", None, None): [], ("i", None, None): [], ("j", 21, 30): [], ("k", None, None): [],
        ("l", None, None): [], ("m", None, None): [],
    }  # fmt: skip
    assert made.problems[:2] == (
        "me: 2 shapes left out, without a label (a.json, a.json).",
        "me: 4 files left out: not LabelMe's (b.json, c.json, d.json and 1 more).",
    )
    (tmp_path / "none").mkdir()
    assert refusal(read_labelme, tmp_path / "none") == "ROOT holds no JSON files."
    assert [file.name for file in labelme_files(folder)][:3] == ["a.json", "b.json", "c.json"]


def test_shapes_of_one_group_are_one_object(tmp_path: Path) -> None:
    corner = lambda at, **more: shape(more.pop("label", "dog"), (at, at), (at + 2, at), (at, at + 2), **more)  # noqa: E731
    folder = write(tmp_path, {"a.json": labelme(
        corner(1, group_id=0), corner(5), corner(9, group_id=0), corner(13, group_id=1), corner(17, group_id=0, label="cup"),
        corner(21, group_id=0), corner(3), corner(25, group_id=2), shape("dog", (1, 1), shape_type="circle", group_id=2),
        corner(1, group_id=4, label=""), corner(2, group_id=4, label=""),
    )})  # fmt: skip
    assert held(read_labelme(folder)) == {("x.jpg", 40, 30): [
        ("dog", (1, 1, 22, 22)), ("dog", (5, 5, 2, 2)), ("dog", (13, 13, 2, 2)), ("cup", (17, 17, 2, 2)), ("dog", (3, 3, 2, 2)),
        ("dog", None),
    ]}  # fmt: skip
    assert "2 shapes left out, without a label" in read_labelme(folder).problems[0]


def test_which_folders_are_labelmes(tmp_path: Path) -> None:
    others = {f"{name}.json": "{}" for name in "abc"}
    assert is_labelme(write(tmp_path / "1", {"a.json": "{}", "b.json": "[", "c.json": labelme()}))
    assert not is_labelme(write(tmp_path / "2", others | {"d.json": labelme()}))
    assert is_labelme(write(tmp_path / "3", {"x/a.json": labelme()}))
    assert not is_labelme(write(tmp_path / "4", {"x/a.json": labelme(), "b.json": "{}"}))
    assert not is_labelme(write(tmp_path / "5", {"a.json": '["shapes", "imagePath"]', "b.json": '{"shapes": []}'}))


def test_object_lists(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"image": "a", "objects": ["Dog/Cat", "cup", "Dog/Cat"]}\n[]\n{"image": " ", "objects": []}\n'
                    '{"image": "b", "objects": ["cup", " "]}\n{"image": "c", "objects": []}\n{"image": "d", "objects": ["hat"]}\n')  # fmt: skip
    made = read_object_list(path)
    assert [made.present(image) for image in range(3)] == [("Dog/Cat", "cup"), (), ("hat",)]
    assert (made.starts.tolist(), made.category_of.tolist(), made.crowd.tolist()) == ([0, 3, 3, 4], [0, 1, 0, 2], [False] * 4)
    assert [one.file_name for one in made.images] == ["a", "c", "d"]
    assert [(one.name, one.in_words, one.synonyms) for one in made.categories][0] == ("Dog/Cat", "Dog or Cat", ("Dog", "Cat"))
    no_object, *nameless = made.problems
    assert no_object.startswith("x.jsonl, line 3 left out: ")
    assert nameless == [f"x.jsonl, line {line} left out: an image or object without a name" for line in (4, 5)]
    path.write_text('[]\n{"image": "", "objects": []}\n')
    none = refusal(read_object_list, path)
    assert none.startswith('ROOT holds no line {"image": ..., "objects": [...]}. x.jsonl, line 1 left out: ')
    assert none.endswith(" and 1 more")
    path.write_text("".join(f'{{"image": "{name}", "objects": []}}\n' for name in "cabacdd"))
    twice = "ROOT: images occur more than once (a, c, d). Put all objects of an image on one line."
    assert refusal(read_object_list, path) == twice


def test_objects_collected_one_by_one(tmp_path: Path) -> None:
    collected = Collected(tmp_path / "x", {"hat": 0})
    for name in ("a", "b", "a"):
        collected.add_image(Image(name, 9, 9))
        collected.add("dog" if name == "a" else "hat", (1, 2, 3, 4))
    with pytest.raises(HopeBenchError, match="1 image file name occurs more than once"):
        collected.annotations("pixels")
    collected.images[2] = Image("c", 9, 9)
    made = collected.annotations("pixels")
    assert held(made) == {("a", 9, 9): [("dog", (1, 2, 3, 4))], ("b", 9, 9): [("hat", (1, 2, 3, 4))], ("c", 9, 9): [("dog", (1, 2, 3, 4))]}
    assert [one.name for one in made.categories] == ["hat", "dog"]
    assert made.areas is not None
    assert (made.areas.tolist(), made.crowd.tolist()) == ([12] * 3, [False] * 3)
    empty = Collected(tmp_path / "x")
    assert refusal(lambda _: empty.annotations("pixels"), tmp_path) == "ROOT/x holds no object that can be used."
    for reason in ("file bad", "shape bad", "line bad", "box bad"):
        empty.leave_out(reason, "here")
    several = "x: 1 file bad (here)., x: 1 shape bad (here)., x: 1 line bad (here). and 1 more"
    assert refusal(lambda _: empty.annotations("pixels"), tmp_path) == f"ROOT/x holds no object that can be used. {several}"


def test_what_cannot_be_read_at_once_is_read_one_by_one() -> None:
    calls: list[list[str]] = []

    def read(texts: Any) -> list[int]:
        calls.append(list(texts))
        return [int(text) for text in texts if text]

    assert list(each_or_none(read, ["1", "2"])) == [("1", 1, ""), ("2", 2, "")]
    long = "x" * 200
    one, bad, none, two = each_or_none(read, ["1", long, "", "2"])
    assert (one, none[:2], two) == (("1", 1, ""), ("", None), ("2", 2, ""))
    words = f"invalid literal for int() with base 10: '{long}"[:120]
    assert bad == (long, None, f"ValueError: {words}...")
    assert calls == [["1", "2"], ["1", long, "", "2"], ["1"], [long], [""], ["2"]]
    assert corners_as_boxes(np.array([[1, 2, 4, 8]])) == [(1, 2, 3, 6)]
    assert corners_as_boxes([]) == []


def test_class_names_that_occur_twice(tmp_path: Path) -> None:
    no_duplicates(tmp_path, ["a", "b"])
    assert refusal(lambda path: no_duplicates(path, list("abacbb")), tmp_path) == (
        "ROOT: 2 class names occur more than once ('a', 'b'). Each must be unique.")  # fmt: skip
    assert refusal(lambda path: no_duplicates(path, list("aba")), tmp_path).startswith("ROOT: 1 class name occurs more")
