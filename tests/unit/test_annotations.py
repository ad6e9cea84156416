"""Annotation files: what is read, and what is refused with which words."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import annotation_files, detect_format, read_annotations
from hope_bench.errors import HopeBenchError


def coco_file(folder: Path, **changes: Any) -> Path:
    """A small valid instances file with some top-level keys replaced."""
    data: dict[str, Any] = {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "b.jpg", "width": 40, "height": 30, "license": 1},
            {"id": 3, "file_name": "a.jpg", "width": 20, "height": 10},
            {"id": 9, "file_name": "empty.jpg"},
        ],
        "categories": [
            {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
            {"id": 1, "name": "person"},
            {"id": 2, "name": "naïve café ☕"},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 20.5, "iscrowd": 1, "segmentation": {}},
            {"id": 2, "image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 4], "iscrowd": 0, "attributes": {"color": "red"}},
            {"id": 3, "image_id": 3, "category_id": 90, "bbox": [1, 1, 2, 2], "area": 4, "iscrowd": 0},
            {"id": 4, "image_id": 3, "category_id": 1, "bbox": [2, 2, 2, 2], "area": 4, "iscrowd": 0},
        ],
    } | changes  # fmt: skip
    path = folder / "instances.json"
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}), encoding="utf-8")
    return path


def test_coco_file_in_columns(tmp_path: Path) -> None:
    annotations = read_annotations(coco_file(tmp_path))
    assert [image.file_name for image in annotations.images] == ["b.jpg", "a.jpg", "empty.jpg"]
    assert [category.name for category in annotations.categories] == ["toothbrush", "person", "naïve café ☕"]
    assert annotations.categories[0].supercategory == "indoor"
    # distinct, in order of first annotation; a crowd region counts as present
    assert [annotations.present(image) for image in range(3)] == [("toothbrush",), ("person", "toothbrush"), ()]
    crowd, brush, person = annotations.instances(1)
    assert (crowd.category, crowd.crowd, crowd.bbox, crowd.area) == ("person", True, (0, 0, 5, 5), 20.5)
    assert (brush.crowd, person.category) == (False, "person")
    (only,) = annotations.instances(0)
    assert only.attributes == {"color": "red"}
    assert only.area == 12.0  # no area given: that of the box


def test_captions_are_kept_by_image(tmp_path: Path) -> None:
    captions = tmp_path / "captions.json"
    rows = [
        {"id": 1, "image_id": 3, "caption": "one"},
        {"id": 2, "image_id": 3, "caption": "two"},
        {"id": 3, "image_id": 55, "caption": "x"},
    ]
    captions.write_text(json.dumps({"images": [], "annotations": rows}))
    assert read_annotations(coco_file(tmp_path), captions=captions).captions == {1: ("one", "two")}
    odd = [*rows, {"id": 4, "image_id": "3", "caption": "three"}, {"id": 5, "image_id": 3, "caption": None}, {"id": 6}]
    captions.write_text(json.dumps({"annotations": odd}))
    assert read_annotations(coco_file(tmp_path), captions=captions).captions == {1: ("one", "two", "three")}
    others, none = tmp_path / "others.json", tmp_path / "none.json"
    others.write_text(json.dumps({"annotations": [{"image_id": image, "caption": "x"} for image in (55, 56)]}))
    none.write_text('{"annotations": []}')
    with pytest.raises(HopeBenchError, match=r"of 2 captions, none is for an image of the instances file"):
        read_annotations(coco_file(tmp_path), captions=(others, none))
    with pytest.raises(HopeBenchError, match="not a COCO captions file"):
        read_annotations(coco_file(tmp_path), captions=coco_file(tmp_path))


def test_object_list_with_a_truncated_line(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    path.write_text(
        '{"image": "a.jpg", "objects": ["cup", "dog", "cup"]}\n\n{"image": "b.jpg", "objects": ["dog"]}\n'
        '{"image": "c.jpg", "objects": ["cup", " "]}\n{"image": "d.jp'
    )
    annotations = read_annotations(path)
    assert [annotations.present(image) for image in range(2)] == [("cup", "dog"), ("dog",)]
    assert [category.name for category in annotations.categories] == ["cup", "dog"]
    assert len(annotations.problems) == 2
    assert "objects.json, line 4 left out: an image or object without a name" in annotations.problems[0]
    assert "objects.json, line 5" in annotations.problems[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"annotations": None}, ["not a COCO instances file", "annotations"]),
        ({"annotations": [{"image_id": 3, "caption": "a cup"}]}, ["not a COCO instances file", "category_id"]),
        (
            {"annotations": [{"image_id": 4, "category_id": 1, "bbox": [0, 0, 1, 1]}] * 3},
            ["3 annotations name 1 image id", "4"],
        ),
        ({"annotations": [{"image_id": 3, "category_id": 5, "bbox": [0, 0, 1, 1]}]}, ["1 annotation names 1 category id", "5"]),
        ({"annotations": [{"image_id": 3, "category_id": 1, "bbox": [0, 0, 1]}]}, ["bbox"]),
        ({"images": [{"id": 3, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}]}, ["image id", "more than once"]),
        ({"categories": [{"id": 1, "name": "cup"}, {"id": 1, "name": "mug"}]}, ["category id", "more than once"]),
    ],
)
def test_json_of_another_kind_is_refused(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    path = coco_file(tmp_path, **changes)
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_missing_and_malformed_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="does not exist"):
        read_annotations(tmp_path / "nowhere.json")
    path = coco_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(HopeBenchError, match=r"not JSON .*cut off"):
        read_annotations(path)
    path.write_text("")
    with pytest.raises(HopeBenchError, match="is empty"):
        read_annotations(path)
    path.write_text("image,object\n")
    with pytest.raises(HopeBenchError, match="not JSON"):
        read_annotations(path)
    with pytest.raises(HopeBenchError, match="holds no line"):
        read_annotations(path, "object-list")


@pytest.mark.parametrize("other", ["Dining Table", "dining_table", " dining  table"])
def test_two_names_that_questions_say_alike_are_refused(other: str, tmp_path: Path) -> None:
    """They would be asked of one image with both answers."""
    categories = [{"id": 90, "name": "dining table"}, {"id": 1, "name": other}, {"id": 2, "name": "cup"}]
    with pytest.raises(HopeBenchError, match=r"1 category goes by more than one name .*'dining table' and "):
        read_annotations(coco_file(tmp_path, categories=categories))
    lines = tmp_path / "objects.jsonl"
    lines.write_text(json.dumps({"image": "a.jpg", "objects": ["dining table", other]}) + "\n")
    with pytest.raises(HopeBenchError, match="by more than one name"):
        read_annotations(lines)


@pytest.mark.parametrize("above", [1 << 40, 0], ids=["whole", "as a stream"])
def test_a_file_from_windows_or_still_packed(above: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = coco_file(tmp_path)
    plain = read_annotations(path)
    monkeypatch.setattr("hope_bench.annotations.coco_file.STREAM_ABOVE", above)
    packed = tmp_path / "instances.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    marked = read_annotations(path)
    assert (marked.images, marked.categories) == (plain.images, plain.categories)
    with pytest.raises(HopeBenchError, match=r"is compressed\. Unpack it"):
        read_annotations(packed, "coco")


def test_what_would_be_ignored_is_refused(tmp_path: Path) -> None:
    coco, lines, folder = coco_file(tmp_path), tmp_path / "x.jsonl", tmp_path / "folder"
    lines.write_text('{"image": "a.jpg", "objects": ["dog"]}\n')
    folder.mkdir()
    nowhere = tmp_path / "nowhere"

    def refused(path: Path, *given: Any, **more: Any) -> str:
        messages = []
        for read in (read_annotations, annotation_files):
            if read is annotation_files and "columns" in more:
                continue
            with pytest.raises(HopeBenchError) as caught:
                read(path, *given, **more)
            messages.append(str(caught.value).replace(f"{tmp_path}/", ""))
        assert len(set(messages)) == 1
        return messages[0]

    assert refused(coco, captions=[coco, nowhere]) == "nowhere does not exist or is not a file."
    assert refused(nowhere, captions=coco) == "nowhere does not exist."
    for named in ("coco", "lvis", "object-list"):
        assert refused(folder, named) == f"folder is a folder; name the annotation file in it (format {named!r})."
    for named in ("voc", "labelme"):
        told = f"x.jsonl is a file; name the folder that holds the annotations of all pictures (format {named!r})."
        assert refused(lines, named) == told
    assert refused(lines, captions=coco) == "instances.json: captions go with COCO annotations, but x.jsonl is an object list."
    assert refused(folder, "voc", captions=coco) == "instances.json: captions go with COCO annotations, but folder is voc."
    assert (
        refused(coco, columns={"image": "x"})
        == "columns are those of a Hugging Face dataset, but instances.json is coco. Remove them."
    )
    assert refused(coco, files={"split": "x"}).startswith("files.split means nothing for instances.json, which is coco.")
    assert refused(lines, files={"split": "x"}).startswith("files.split means nothing for x.jsonl, which is object-list.")
    yolo = "files.spilt means nothing for folder, which is yolo. Did you mean 'split'?"
    assert refused(folder, "yolo", files={"spilt": "x"}).startswith(yolo)
    assert annotation_files(coco, captions=[coco]) == (coco, coco)
    assert annotation_files(lines) == (lines,)


def test_an_object_list_from_windows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + b'{"image": "a.jpg", "objects": ["dog"]}\n')
    assert detect_format(path) == "object-list"
    path.write_bytes(codecs.BOM_UTF8 + b" [\n ]\n")
    with pytest.raises(HopeBenchError, match="holds an empty list"):
        detect_format(path)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.json", '  [{"a": 1}]', "x.json is a list, as no format that is read has it but Visual Genome's objects.json"),
        ("x.json", "[[1]]", "x.json is a list, as no format that is read has it"),
        ("x.json", '  [{"image_id": 1, "objects": []}]', "visual-genome"),
        ("x.json", '  {"a": 1}', "coco"),
        ("x.json", '\n{"a": 1}', "coco"),
        ("x.json", '  {"shapes": [], "imagePath": "a.jpg"}', "coco"),  # whose reader says what it is
        ("x.jsonl", ' {"image": "a", "objects": [], "more": 1}', "object-list"),
        (
            "x.CSV",
            "a,b\n1,2\n",
            "x.CSV is no Open Images CSV: its first line lacks ImageID, LabelName, XMin, XMax, YMin, YMax (boxes) or ",
        ),
        ("x.csv", "ImageID,Source,LabelName,Confidence\n", "open-images"),
        ("x.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\n", "open-images"),
        ("x.manifest", '{"source-ref": "s3://x/1.jpg", "b": {}}\n', "x.manifest is "),
        ("x.txt", "nothing known\n", "coco"),
        ("x.YAML", "names: [a]\n", "yolo"),
        ("x.parquet", "PAR1", "hf-dataset"),
    ],
)
def test_which_format_a_file_has(name: str, text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    if " " not in told:
        assert detect_format(path) == told
        return
    with pytest.raises(HopeBenchError) as caught:
        detect_format(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(told)


def test_a_folder_of_no_format(tmp_path: Path) -> None:
    def told() -> str:
        with pytest.raises(HopeBenchError) as caught:
            detect_format(tmp_path)
        return str(caught.value).replace(str(tmp_path), "ROOT")

    (tmp_path / "x.zip").mkdir()
    general = told()
    assert general.startswith("ROOT holds no annotations known by folder: a saved Hugging Face dataset, ")
    assert general.endswith("or an object list, name the file itself.")
    for number in range(4):
        (tmp_path / "x.zip" / f"{number}.json").write_text('{"info": {}, "images": [], "annotations": [], "categories": []}')
    (tmp_path / "x.zip" / "00.json").write_text('{"a": 1}')
    assert told() == f"{general} It holds x.zip/0.json, x.zip/1.json, x.zip/2.json and 1 more."
    (tmp_path / "a.xml").write_text("<x/>")
    (tmp_path / "b.xml").write_text("<annotations/>")
    assert "CVAT" not in told(), "one file of each kind is looked at"
    (tmp_path / "y.zip").touch()
    (tmp_path / "a.txt").write_text("x")
    assert told().startswith("ROOT holds no annotations known by folder, but ROOT/y.zip is ")


def test_many_names_that_questions_say_alike(tmp_path: Path) -> None:
    names = [name for letter in "abcd" for name in (f"{letter} cup", f"{letter}_cup", f" {letter.upper()}  cup")][:-1]
    categories = [{"id": place, "name": name} for place, name in enumerate(names)]
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(coco_file(tmp_path, categories=categories, annotations=[]))
    three = ", ".join(f"'{one} cup' and '{one}_cup' and ' {one.upper()}  cup'" for one in "abc")
    assert str(caught.value) == (
        f"{tmp_path / 'instances.json'}: 4 categories go by more than one name that questions say alike ({three} and 1 more). "
        "Give them one name, or different ones."
    )


@pytest.mark.real
def test_real_coco_file_against_json(real: Path) -> None:
    path = real / "coco-mini" / "instances_val2017.json"
    annotations = read_annotations(path, captions=real / "coco-mini" / "captions_val2017.json")
    data = json.loads(path.read_text())
    names = {category["id"]: category["name"] for category in data["categories"]}
    for index, image in enumerate(data["images"]):
        rows = [row for row in data["annotations"] if row["image_id"] == image["id"]]
        assert annotations.present(index) == tuple(dict.fromkeys(names[row["category_id"]] for row in rows))
        found = annotations.instances(index)
        assert [instance.crowd for instance in found] == [bool(row["iscrowd"]) for row in rows]
        assert [instance.bbox for instance in found] == [pytest.approx(tuple(row["bbox"])) for row in rows]
    assert len(annotations.captions) == len(data["images"])


@pytest.mark.parametrize(("bad", "rest"), [(5, ""), (6, " and 1 more"), (9, " and 4 more")])
def test_the_first_five_bad_entries_are_named_and_the_others_counted(bad: int, rest: str, tmp_path: Path) -> None:
    good = [{"id": n, "image_id": 7, "category_id": 1, "bbox": [n % 30, n % 20, 5, 5]} for n in range(40)]
    found = read_annotations(coco_file(tmp_path, annotations=["no entry"] * bad + good))
    said = f"{bad} of its annotations left out, no JSON object (number 1, 2, 3, 4, 5{rest}, in file order)"
    assert any(said in problem for problem in found.problems)
    assert len(found.category_of) == len(good)


@pytest.mark.parametrize("box", [{}, {"bbox": None}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}])
def test_a_coco_file_may_say_what_is_there_without_where(box: dict[str, Any], tmp_path: Path) -> None:
    """Tags of whole images, for which tools write no box or four zeros."""
    path = tmp_path / "tags.json"
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, **box}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cup"}],
    }
    path.write_text(json.dumps(content))
    annotations = read_annotations(path)
    assert (annotations.present(0), annotations.instances(0)[0].bbox) == (("cup",), None)
