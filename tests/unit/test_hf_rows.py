"""Rows of a Hugging Face dataset, given as its reader gets them: whole records, and refusals in whole words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import hf_dataset
from hope_bench.annotations.hf_dataset import ExportedImages, export_images, read_hf_dataset
from hope_bench.annotations.hf_source import Source
from hope_bench.errors import HopeBenchError

datasets = pytest.importorskip("datasets")

TEXT, WHOLE, REAL = (datasets.Value(kind) for kind in ("string", "int64", "float32"))
CLASSES = datasets.ClassLabel(names=["dog", "cup"])
BOX = datasets.List(REAL)
LISTS = {"bbox": datasets.List(BOX), "category": datasets.List(CLASSES), "area": datasets.List(REAL), "iscrowd": datasets.List(WHOLE)}
NAMES = {"file_name": TEXT, "objects": datasets.List(TEXT)}


class Given:
    """Datasets that were not read from a disk: what is asked of them, and rows in batches of two."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.asked: list[tuple[list[str], bool]] = []

    def dataset(self, features: dict[str, Any], rows: Sequence[dict[str, Any]], **more: Any) -> Path:
        def batches(columns: Sequence[str], with_bytes: bool) -> Iterator[list[dict[str, Any]]]:
            self.asked.append((list(columns), with_bytes))
            for start in range(0, len(rows), 2):
                yield [{name: row.get(name) for name in columns} for row in rows[start : start + 2]]

        path = Path("f/x")
        self.monkeypatch.setattr(hf_dataset, "open_dataset", lambda *_: Source(path, features, batches, **more))
        return path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(monkeypatch)


def read(path: Path, *options: Any, **more: Any) -> Any:
    """By image, with its size, each object's category, box, area and whether it is a crowd; and the problems."""
    made = read_hf_dataset(path, *options, **more)
    held = {
        (image.file_name, image.width, image.height): [(one.category, one.bbox, one.area, one.crowd) for one in made.instances(place)]
        for place, image in enumerate(made.images)
    }
    return held, made.problems


def refusal(path: Path, *options: Any, **more: Any) -> str:
    with pytest.raises(HopeBenchError) as caught:
        read_hf_dataset(path, *options, **more)
    return str(caught.value)


MISSING = "x: {} no usable box: present, and nothing is claimed of the place (annotations {}, in file order)."


def test_objects_as_a_struct_of_lists(given: Given) -> None:
    features = {"other": TEXT, "image": datasets.Image(), "width": WHOLE, "height": WHOLE, "objects": LISTS}
    first = {"bbox": [[1, 2, 3, 4], [5, 6, 7], None, [1, None, 3, 4]], "category": [1, 0, 0, 1], "area": [None, 2, 3, None],
             "iscrowd": [1, 0, None, 2]}  # fmt: skip
    rows = [
        {"image": {"path": "a.png"}, "width": 40, "height": 30, "objects": first},
        {"image": {"path": "/z/b.png"}, "width": 40.0, "height": "30", "objects": {"bbox": [[1, 1, 2, 2]] * 4, "category": [-1, 2, None, 0],
                                                                                   "area": [1] * 4, "iscrowd": [0] * 4}},
        {"image": {"path": None}, "objects": {"bbox": None, "category": None, "area": None, "iscrowd": []}},
        {"image": {"path": "d/e.png"}, "objects": None},
    ]  # fmt: skip
    held = {
        ("a.png", 40, 30): [("cup", (1, 2, 3, 4), 12, True), ("dog", None, 2, False), ("dog", None, 3, False), ("cup", None, None, True)],
        ("b.png", None, None): [("dog", (1, 1, 2, 2), 1, False)], ("00000002.jpg", None, None): [], ("d/e.png", None, None): [],
    }  # fmt: skip
    unknown = "x: 3 objects without a known category left out (-1, 2, None)."
    path = given.dataset(features, rows)
    assert read(path) == (held, (unknown, MISSING.format("3 objects have", "2, 3, 4")))
    assert given.asked == [(["image", "width", "height", "objects"], False)]
    others = "x: has several splits, of which test is read. files.split names another: train, more."
    given.dataset(features, rows, split="test", others=("train", "more"))
    assert read(path)[1] == (others, unknown, MISSING.format("3 objects have", "2, 3, 4"))


def test_objects_as_a_list_of_structs_or_of_names(given: Given) -> None:
    rows = [
        {"img": "i.jpg", "path": "a.jpg", "labels": [{"label": " dog "}, {"label": ""}, {"label": "cup"}, {"label": None}]},
        {"img": "/i/j.jpg", "path": None, "labels": None}, {"img": 3, "path": "", "labels": [{"label": "dog"}, {"label": " "}]},
    ]  # fmt: skip
    structs = {"img": TEXT, "path": TEXT, "labels": datasets.List({"label": TEXT})}
    dog, cup = (("dog", None, None, False), ("cup", None, None, False))
    held = {("a.jpg", None, None): [dog, cup], ("j.jpg", None, None): [], ("00000002.jpg", None, None): [dog]}
    assert read(given.dataset(structs, rows)) == (held, ("x: 3 objects without a known category left out ('', None, ' ').",))
    named = [{"file_name": "a.jpg", "objects": ["dog", "cup", " dog", 5]}, {"file_name": "b.jpg", "objects": []}]
    held = {("a.jpg", None, None): [dog, cup, dog], ("b.jpg", None, None): []}
    path = given.dataset(NAMES, named)
    assert read(path) == (held, ("x: 1 object without a known category left out (5).",))
    assert [one.name for one in read_hf_dataset(path).categories] == ["dog", "cup"]
    numbered = {"file_name": TEXT, "objects": datasets.List(CLASSES)}
    made = read_hf_dataset(given.dataset(numbered, [{"file_name": "a", "objects": [1, 1]}]))
    assert ([one.name for one in made.categories], made.present(0)) == (["dog", "cup"], ("cup",))


def test_columns_of_other_names(given: Given) -> None:
    features = {"photo": TEXT, "image": TEXT, "things": {"what": datasets.List(TEXT), "where": datasets.List(BOX), "bbox": datasets.List(BOX)}}
    rows = [{"photo": "a", "image": "b", "things": {"what": ["dog"], "where": [[1, 2, 3, 4]], "bbox": [[5, 6, 7, 8]]}}]
    columns = {"image": "photo", "objects": "things", "category": "what"}
    assert read(given.dataset(features, rows), columns)[0] == {("a", None, None): [("dog", (5, 6, 7, 8), 56, False)]}
    where = columns | {"box": "where", "box_format": "xyxy"}
    assert read(Path(), where)[0] == {("a", None, None): [("dog", (1, 2, 2, 2), 4, False)]}
    assert read(Path(), columns | {"box": "where"}, boxes="cxcywh")[0] == {("a", None, None): [("dog", (-0.5, 0, 3, 4), 12, False)]}
    assert refusal(Path(), where | {"box": "were"}) == "f/x has no column 'were' (columns.box). Did you mean 'where'? Known: bbox, what, where."
    assert refusal(Path(), where | {"image": "things2"}).startswith("f/x has no column 'things2' (columns.image). Did you mean 'things'?")
    assert refusal(Path(), {"imag": "a"}).startswith("columns.imag is nothing that is read. Did you mean 'image'?")
    assert refusal(Path(), {"box_format": "xyx"}) == "columns.box_format is 'xyx'. Did you mean 'xyxy'? Known: xywh, xyxy."


def test_columns_that_are_missing(given: Given) -> None:
    assert refusal(given.dataset({"file_name": TEXT}, [])).startswith("f/x has no objects column; name it as columns.objects. ")
    assert refusal(given.dataset({"objects": datasets.List(TEXT)}, [])).startswith("f/x has no image column; name it as columns.image. ")
    boxes = {"file_name": TEXT, "objects": {"bbox": datasets.List(BOX)}}
    assert refusal(given.dataset(boxes, [])).startswith("f/x: the objects have no category; name the field as columns.category. ")
    listed = "f/x: its column 'objects' holds {} a picture, not a list of the objects in it"
    for feature, kind in ((CLASSES, "one class"), (TEXT, "one value"), (WHOLE, "one value")):
        assert refusal(given.dataset({"file_name": TEXT, "objects": feature}, [])).startswith(listed.format(kind))
    for feature in (datasets.List(WHOLE), {"category": datasets.List(WHOLE)}):
        assert refusal(given.dataset({"file_name": TEXT, "objects": feature}, [])).startswith("f/x: the categories are numbers without names.")
    assert refusal(given.dataset(NAMES, [])) == "f/x holds no rows."
    again = [{"file_name": "a", "objects": ["dog"]}] * 3
    assert refusal(given.dataset(NAMES, again)) == "f/x: 1 image file name occurs more than once ('a'). Each must be unique."


def test_corners_in_a_dataset_are_asked_about(given: Given) -> None:
    features = {"file_name": TEXT, "width": WHOLE, "height": WHOLE, "objects": LISTS}
    corners = {"bbox": [[300, 200, 630, 470]] * 1200, "category": [1] * 1200, "area": [None] * 1200, "iscrowd": [0] * 1200}
    path = given.dataset(features, [{"file_name": "a", "width": 640, "height": 480, "objects": corners}])
    told = (
        "f/x: many of 1,200 boxes reach beyond their image, but don't as corners (left, top, right, bottom). Are they corners? Then set "
        'columns.box_format = "xyxy"; if they are (x, y, width, height) all the same, "xywh".'
    )
    assert refusal(path) == told
    for options in (({"box_format": "xyxy"},), ({}, "", "xyxy")):
        assert read(path, *options)[0]["a", 640, 480][0] == ("cup", (300, 200, 330, 270), 330 * 270, False)


def export(given: Given, folder: Path, *images: Any, **columns: str) -> ExportedImages | str:
    features = {"image": datasets.Image(), "file_name": TEXT, "photo": datasets.Image()}
    rows = [{"image": image, "photo": image, "file_name": None} if not isinstance(image, tuple) else
            {"image": image[0], "photo": image[0], "file_name": image[1]} for image in images]  # fmt: skip
    path = given.dataset(features, rows)
    try:
        return export_images(path, folder, columns)
    except HopeBenchError as error:
        return str(error).replace(str(folder), "ROOT")


def held(data: bytes | None, path: str | None) -> dict[str, Any]:
    return {"bytes": data, "path": path}


def test_pictures_are_written(given: Given, tmp_path: Path) -> None:
    folder = tmp_path / "to"
    images = [held(b"a", "a.png"), (held(b"b", "b.png"), "x/c.png"), held(None, "q/d.png"), "e.png", None, held(b"", None), {"bytes": "text", "path": "t.png"}]
    missing = ("q/d.png", "e.png", "nowhere (row 4)", "nowhere (row 5)", "t.png")
    assert export(given, folder, *images, box_format="xywh") == ExportedImages(2, missing)
    assert given.asked == [(["image", "file_name"], False), (["image", "file_name"], True)]
    assert {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.*") if file.suffix == ".png"} == {
        "a.png": b"a", "x/c.png": b"b"}  # fmt: skip
    (folder / "e.png").write_bytes(b"e")
    assert export(given, folder, *images) == ExportedImages(0, ("q/d.png", "nowhere (row 4)", "nowhere (row 5)", "t.png"))
    other = "ROOT/a.png is there already, and is not the picture of row 1 of f/x. Give each dataset, and each split of one, a folder of its own (--out)."
    assert export(given, folder, None, held(b"z", "a.png")) == other
    assert export(given, tmp_path / "to2", held(b"p", "p.png"), image="photo") == ExportedImages(1, ())


def test_pictures_that_cannot_be_written(given: Given, tmp_path: Path) -> None:
    assert export(given, tmp_path) == "f/x holds no rows."
    names = ["a.png", "A.png", "b.png", "./b.png", "b.png", "x/../b.png", "c", "c", "d", "d"]
    found = export(given, tmp_path, *[held(b"a", name) for name in names])
    assert found == (
        "f/x: 4 files of ROOT would hold the picture of more than one row (a.png: rows 0, 1, b.png: rows 2, 3, 4 and 1 more, c: rows 6, 7 "
        "and 1 more). Give each row its own file name, in a column that columns.file_name (--column file_name=NAME) names."
    )
    assert export(given, tmp_path, held(b"a", "a"), held(b"a", "../b")) == "f/x: row 1 names its image ROOT/../b, which is outside ROOT."
    assert export(given, tmp_path, held(None, "q"), held(b"a", "a\0b")) == "f/x: row 1 names its image ROOT/a?b, as no file can be called."
    none = export(given, tmp_path / "none", *[held(None, name) for name in ("a", "b", "c", "d")])
    assert none == (
        "f/x: no picture can be written to ROOT: 4 of 4 rows hold no picture bytes, and no row holds any. They point to a, b, c and 1 more. If "
        "those files are there, give their folder to hope-bench generate as --images; else save the dataset with the pictures in it."
    )
    given.dataset({"file_name": TEXT} | {f"column{n}": TEXT for n in range(21)}, [])
    with pytest.raises(HopeBenchError) as caught:
        export_images(Path("f/x"), tmp_path)
    assert str(caught.value) == f"f/x has no image column (its columns: file_name, {', '.join(f'column{n}' for n in range(19))} and 2 more)."
