"""Every dataset in its published layout: LVIS, Objects365, Open Images, Visual Genome, Hugging Face; and what may be wrong."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from hope_bench.annotations import annotation_files, coco_file, detect_format, read_annotations
from hope_bench.annotations.columns import TOLERANCE, clean_boxes
from hope_bench.annotations.hf_dataset import export_images
from hope_bench.annotations.wording import plain_names, spoken_names
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Image, Relationship
from hope_bench.spec import DatasetSpec


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def names(annotations: Annotations, indices: Sequence[int] | frozenset[int]) -> list[str]:
    return sorted(annotations.categories[index].name for index in indices)


# LVIS v1


def lvis_file(folder: Path, **changes: Any) -> Path:
    """lvis_v1_val.json in little: images named by coco_url only, federated labels, polygons, no iscrowd."""

    def category(number: int, name: str, *others: str) -> dict[str, Any]:
        return {"id": number, "name": name, "synset": f"{name}.n.01", "synonyms": [name, *others], "def": "a thing",
                "frequency": "f", "image_count": 9, "instance_count": 19}  # fmt: skip

    def image(number: int, absent: list[int], partly: list[int]) -> dict[str, Any]:
        return {"id": number, "coco_url": f"http://images.cocodataset.org/val2017/{number:012}.jpg", "license": 4, "height": 480,
                "width": 640, "flickr_url": "http://farm5.staticflickr.com/x.jpg", "date_captured": "2013-11-14 17:02:52",
                "neg_category_ids": absent, "not_exhaustive_category_ids": partly}  # fmt: skip

    def annotation(number: int, image_id: int, category_id: int) -> dict[str, Any]:
        return {"id": number, "image_id": image_id, "category_id": category_id, "area": 6.5, "bbox": [1.5, 2.0, 3.0, 4.0],
                "segmentation": [[1.5, 2.0, 4.5, 2.0, 4.5, 6.0]]}  # fmt: skip

    data = {
        "info": {"year": 2020, "version": "v1.0"},
        "annotations": [annotation(1, 397133, 2), annotation(2, 37777, 5), annotation(3, 37777, 1), annotation(4, 37777, 5)],
        "images": [image(397133, [1, 5], []), image(37777, [2, 5], [1]), image(252219, [], [])],
        "licenses": [{"id": 4, "name": "Attribution License"}],
        "categories": [
            category(1, "alarm_clock"),
            category(2, "bow_(weapon)", "bow"),
            category(3, "bow_(decorative_ribbons)"),
            category(4, "pop_(soda)", "soda_(pop)", "pop_(soft_drink)"),
            category(5, "jalapeño_(food)"),
        ],
    }  # fmt: skip
    return write_json(folder / "lvis_v1_val.json", data | changes)


def test_lvis(tmp_path: Path) -> None:
    annotations = read_annotations(lvis_file(tmp_path))
    assert [image.file_name for image in annotations.images] == [f"val2017/{n:012}.jpg" for n in (397133, 37777, 252219)]
    assert [category.name for category in annotations.categories] == [
        "alarm clock", "bow (weapon)", "bow (decorative ribbons)", "pop", "jalapeño",
    ]  # fmt: skip
    assert [category.in_words for category in annotations.categories[:1]] == ["alarm clock"]
    assert annotations.categories[1].synset == "bow_(weapon).n.01"
    assert annotations.categories[1].synonyms == ("bow",)
    assert annotations.categories[3].synonyms == ("soda",)
    assert annotations.present(1) == ("jalapeño", "alarm clock")
    absent = annotations.verified_absent
    assert absent is not None
    # jalapeño is listed as absent from the second image, where it is annotated
    assert [names(annotations, absent[image]) for image in range(3)] == [["alarm clock", "jalapeño"], ["bow (weapon)"], []]
    assert names(annotations, annotations.not_exhaustive[1]) == ["alarm clock"]
    (problem,) = annotations.problems
    assert "lvis_v1_val.json" in problem
    assert "val2017/000000037777.jpg" in problem


def test_lvis_takes_coco_captions_and_can_be_read_as_coco(tmp_path: Path) -> None:
    path = lvis_file(tmp_path)
    captions = write_json(tmp_path / "captions.json", {"annotations": [{"id": 1, "image_id": 37777, "caption": "a clock"}]})
    assert read_annotations(path, captions=captions).captions == {1: ("a clock",)}
    plain = read_annotations(path, "coco")
    assert plain.verified_absent is None
    assert [category.in_words for category in plain.categories[:2]] == ["alarm clock", "bow (weapon)"]


def test_lvis_refuses_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=r"category id\(s\) it does not define \(77\)"):
        read_annotations(lvis_file(tmp_path, images=[{"id": 397133, "coco_url": "http://x/a.jpg", "neg_category_ids": [77]},
                                                     {"id": 37777, "coco_url": "http://x/b.jpg"}]))  # fmt: skip
    twice = [{"id": 1, "name": "alarm_clock"}, {"id": 2, "name": "alarm_clock"}]
    with pytest.raises(HopeBenchError, match=r"category name.*alarm_clock"):
        read_annotations(lvis_file(tmp_path, categories=twice))
    with pytest.raises(HopeBenchError, match="neither file_name nor coco_url"):
        read_annotations(lvis_file(tmp_path, images=[{"id": 1}]))
    with pytest.raises(HopeBenchError, match="no image lists neg_category_ids"):
        read_annotations(objects365_file(tmp_path), "lvis")


def test_names_as_words() -> None:
    assert plain_names(["mouse_(computer)", "mouse", "pan_(for_cooking)", "a_b", "a b"]) == [
        "mouse (computer)", "mouse", "pan", "a_b", "a b",
    ]  # fmt: skip
    assert spoken_names(["Person", "Cabinet/shelf", "Moniter/TV", "SUV", "Street Lights"]) == [
        "person", "cabinet or shelf", "moniter or TV", None, "street lights",
    ]  # fmt: skip
    # capitals that not every name has say something
    assert spoken_names(["person", "Eiffel Tower", "traffic_light"]) == [None, None, "traffic light"]
    assert spoken_names(["Cat", "cat"]) == [None, None]


# Objects365


def objects365_file(folder: Path, annotations: list[dict[str, Any]] | None = None) -> Path:
    """zhiyuan_objv2_val.json in little. Annotations are not grouped by image."""
    rows = [
        (420917, 84, [491.4, 88.2, 35.7, 44.4], 0),
        (1, 13, [0.0, 0.0, 0.0, 7.0], 0),
        (420917, 1, [700.0, 500.0, 90.0, 40.0], 1),
        (1, 13, [-9.0, 1.0, 4.0, 3.0], 0),
        (420917, 84, [768.5, 1.0, 1.0, 1.0], 0),
    ]
    made = [
        {"id": 50 + number, "iscrowd": crowd, "isfake": 0, "area": box[2] * box[3], "isreflected": 0, "bbox": box,
         "image_id": image, "category_id": category}
        for number, (image, category, box, crowd) in enumerate(rows)
    ]  # fmt: skip
    data = {
        "images": [
            {"height": 512, "id": 420917, "license": 5, "width": 769, "file_name": "images/v1/patch8/objects365_v1_00420917.jpg",
             "url": ""},
            {"height": 10, "id": 1, "license": 5, "width": 20, "file_name": "images/v2/patch16/objects365_v2_00000001.jpg",
             "url": ""},
        ],
        "annotations": made if annotations is None else annotations,
        "categories": [{"id": 1, "name": "Person"}, {"id": 13, "name": "Cabinet/shelf"}, {"id": 84, "name": "Moniter/TV"}],
        "licenses": [{"name": "Public domain", "id": 5}],
    }  # fmt: skip
    return write_json(folder / "zhiyuan_objv2_val.json", data)


@pytest.mark.parametrize("stream", [False, True])
def test_objects365_whole_and_as_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0 if stream else 1 << 40)
    annotations = read_annotations(objects365_file(tmp_path))
    assert [category.name for category in annotations.categories] == ["Person", "Cabinet/shelf", "Moniter/TV"]
    assert [category.in_words for category in annotations.categories] == ["person", "cabinet or shelf", "moniter or TV"]
    assert annotations.categories[1].synonyms == ("Cabinet", "shelf")
    assert annotations.images[0] == Image("images/v1/patch8/objects365_v1_00420917.jpg", 769, 512)
    assert annotations.present(0) == ("Moniter/TV", "Person")
    first, crowd, rounded = annotations.instances(0)
    assert first.bbox == pytest.approx((491.4, 88.2, 35.7, 44.4))
    assert (crowd.crowd, crowd.bbox) == (True, (700, 500, 69, 12))  # cut to the image
    assert rounded.bbox == (768.5, 1, 1, 1)  # less than a pixel beyond it
    assert [instance.bbox for instance in annotations.instances(1)] == [None, None]  # no size; wholly outside
    assert annotations.present(1) == ("Cabinet/shelf",)
    assert annotations.extent(0) == (769, 512)
    cut, empty = annotations.problems
    assert "1 box(es) reach beyond their image" in cut
    assert "(annotations 3," in cut
    assert "2 box(es) have no size" in empty
    assert "(annotations 2, 4," in empty


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ([{"image_id": 1, "category_id": 13}], ["not a COCO instances file", "bbox", "after 0 rows of annotations"]),
        ([{"image_id": 1, "category_id": 99, "bbox": [0, 0, 1, 1]}], ["category id(s)", "99"]),
        ([{"image_id": 2, "category_id": 13, "bbox": [0, 0, 1, 1]}], ["image id(s)", "2"]),
    ],
)
def test_a_stream_is_refused_as_a_whole_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotations: list[dict[str, Any]], words: list[str]
) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    path = objects365_file(tmp_path, annotations)
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_streams_that_are_no_coco_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    path = objects365_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(HopeBenchError, match=r"not JSON .*cut off"):
        read_annotations(path)
    path.write_text('{"info": {}}')
    with pytest.raises(HopeBenchError, match="lists no categories or no images"):
        read_annotations(path)


def test_attributes_stay_with_their_annotation_in_a_stream_of_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"image_id": 420917 if n % 3 else 1, "category_id": 13, "bbox": [n, 0, 1, 1], "attributes": {"n": n}} for n in range(9)
    ]
    path = objects365_file(tmp_path, rows)
    monkeypatch.setattr("hope_bench.annotations.coco_stream._BATCH", 2)
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    annotations = read_annotations(path)
    for image, expected in ((0, [1, 2, 4, 5, 7, 8]), (1, [0, 3, 6])):
        assert [one.attributes["n"] for one in annotations.instances(image)] == expected
        assert [one.bbox and one.bbox[0] for one in annotations.instances(image)] == expected


@given(st.lists(st.tuples(*[st.floats(-30, 50, width=32)] * 4), max_size=6), st.sampled_from([(20, 10), (None, None)]))
def test_boxes_against_a_loop(boxes: list[tuple[float, ...]], size: tuple[int | None, int | None]) -> None:
    cleaned = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    problems = clean_boxes(cleaned, np.zeros(len(boxes), np.int32), [Image("a.jpg", *size)], "f.json", "pixels")
    cut = empty = 0
    for row, (x, y, width, height) in zip(cleaned.tolist(), np.array(boxes, np.float32).reshape(-1, 4).tolist(), strict=True):
        right, bottom = np.float32(x) + np.float32(width), np.float32(y) + np.float32(height)
        limit = [size[0] or np.inf, size[1] or np.inf]
        tolerance = TOLERANCE["pixels"]
        if width > 0 and height > 0 and (min(x, y) < -tolerance or right > limit[0] + tolerance or bottom > limit[1] + tolerance):
            x, y, right, bottom = max(x, 0), max(y, 0), min(right, limit[0]), min(bottom, limit[1])
            width, height = right - np.float32(x), bottom - np.float32(y)
            cut += bool(width > 0 and height > 0)
        if width > 0 and height > 0:
            assert row == pytest.approx([x, y, width, height])
        else:
            empty += 1
            assert np.isnan(row).all()
    assert sum(f"{cut} box(es) reach beyond" in problem for problem in problems) == (cut > 0)
    assert sum(f"{empty} box(es) have no size" in problem for problem in problems) == (empty > 0)


# Open Images V7

BOXES = """ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
0001eeaf4aed83f9,xclick,/m/0bt9lr,1,0.25,0.75,0.5,1.000000,0,0,0,0,0
0001eeaf4aed83f9,xclick,/m/01g317,1,0.0,0.5,0.0,0.5,0,0,1,0,0
000595fe6fee6369,xclick,/m/0bt9lr,1,0.5,0.5,0.1,0.2,0,0,0,0,0
"""
LABELS = """ImageID,Source,LabelName,Confidence
000595fe6fee6369,verification,/m/01g317,1
000595fe6fee6369,verification,/m/04hgtk,0
0001eeaf4aed83f9,crowdsource-verification,/m/0jbk,0
00075905539074f2,verification,/m/0jbk,1
"""
CLASSES = '/m/01g317,Person\n/m/04hgtk,Human head\n/m/0jbk,Animal\n/m/0bt9lr,Dog\n/m/0c06p,"Candle, crêpe"\n'
HIERARCHY = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {"LabelName": "/m/0jbk", "Subcategory": [{"LabelName": "/m/0bt9lr"}]},
        {"LabelName": "/m/01g317", "Part": [{"LabelName": "/m/04hgtk"}]},
    ],
}


def open_images_folder(folder: Path, boxes: str = BOXES, labels: str | None = LABELS, classes: str | None = CLASSES) -> Path:
    """One subset's files under their published names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "validation-annotations-bbox.csv").write_text(boxes, encoding="utf-8")
    if labels is not None:
        (folder / "validation-annotations-human-imagelabels-boxable.csv").write_text(labels, encoding="utf-8")
    if classes is not None:
        (folder / "oidv7-class-descriptions-boxable.csv").write_text(classes, encoding="utf-8")
    write_json(folder / "bbox_labels_600_hierarchy.json", HIERARCHY)
    return folder


def test_open_images(tmp_path: Path) -> None:
    folder = open_images_folder(tmp_path)
    annotations = read_annotations(folder)
    assert [image.file_name for image in annotations.images] == [
        "0001eeaf4aed83f9.jpg", "000595fe6fee6369.jpg", "00075905539074f2.jpg",
    ]  # fmt: skip
    assert [category.name for category in annotations.categories] == ["Person", "Human head", "Animal", "Dog", "Candle, crêpe"]
    assert annotations.categories[1].in_words == "human head"
    assert [category.parents for category in annotations.categories] == [(), (), (), ("Animal",), ()]  # the root is no category
    assert annotations.box_units == "fractions"
    assert annotations.extent(0) == (1, 1)
    dog, people = annotations.instances(0)
    assert (dog.bbox, dog.crowd, dog.area) == ((0.25, 0.5, 0.5, 0.5), False, 0.25)
    assert people.crowd  # IsGroupOf
    assert annotations.instances(1)[0].bbox is None  # no width
    # boxed first, then the verified labels
    assert [annotations.present(image) for image in range(3)] == [("Dog", "Person"), ("Dog", "Person"), ("Animal",)]
    absent = annotations.verified_absent
    assert absent is not None
    assert [names(annotations, absent[image]) for image in range(3)] == [["Animal"], ["Human head"], []]
    assert len(annotations.problems) == 1
    assert read_annotations(folder / "validation-annotations-bbox.csv").present(2) == ("Animal",)
    assert sorted(path.name for path in annotation_files(folder)) == sorted(path.name for path in folder.iterdir())


def test_open_images_bad_rows_are_counted_and_shown(tmp_path: Path) -> None:
    boxes = BOXES + (
        "000595fe6fee6369,xclick,/m/0bt9lr,1,x,0.5,0.1,0.2,0,0,0,0,0\n"  # no number
        "000595fe6fee6369,xclick,/m/zzz,1,0.1,0.5,0.1,0.2,0,0,0,0,0\n"  # unknown class
        "000595fe6fee6369,xclick,/m/0bt9lr,1,0.1\n"  # too few fields
        "fffffffffffffff0,xclick,/m/0bt9lr,1,0.5,1.5,0.1,0.2,0,0,0,0,0\n"  # beyond the image
        "fffffffffffffff0,xcl"
    )
    labels = LABELS + (
        "0001eeaf4aed83f9,verification,/m/0bt9lr,0\n"  # a box says otherwise
        "0001eeaf4aed83f9,machine,/m/04hgtk,1\n"
        "0001eeaf4aed83f9,verification,/m/04hgtk,0.7\n"
        '0001eeaf4aed83f9,"verification,/m/04hgtk,no\n'
        "0001eeaf4aed83f9\n"
    )
    annotations = read_annotations(open_images_folder(tmp_path, boxes, labels, CLASSES + "/m/0dog2,Dog\n/m/lonely\n"))
    assert len(annotations.categories) == 5
    assert annotations.present(0) == ("Dog", "Person")
    assert annotations.verified_absent is not None
    assert names(annotations, annotations.verified_absent[0]) == ["Animal"]
    (last,) = annotations.instances(2)
    assert last.bbox == pytest.approx((0.5, 0.1, 0.5, 0.1))
    text = "\n".join(annotations.problems)
    for words in [
        "class-descriptions-boxable.csv: 1 malformed line(s) left out ('/m/lonely')",
        "1 label(s) share another's name",
        "bbox.csv: 2 row(s) left out, with too few or too many fields (line 7: '000595fe6fee6369,xclick,/m/0bt9lr,1,0.1', line",
        "bbox.csv: 1 row(s) left out, a field is no number (000595fe6fee6369)",
        "bbox.csv: 1 row(s) left out, their label has no class description (/m/zzz)",
        "boxable.csv: 2 row(s) left out, machine-made",
        "boxable.csv: 1 row(s) left out, a field is no number",
        "boxable.csv: 1 row(s) left out, with too few",
        "1 image label(s) say absent where a box or another label says present",
        "bbox.csv: 1 box(es) reach beyond their image",
        "bbox.csv: 1 box(es) have no size",
    ]:
        assert words in text


def test_open_images_other_published_layouts(tmp_path: Path) -> None:
    """The train boxes with their click columns, class descriptions with a header line, boxes without labels and labels alone."""
    clicks = "\n".join(line + (",XClick1X" if number == 0 else ",0.1") for number, line in enumerate(BOXES.splitlines()))
    folder = open_images_folder(tmp_path / "a", clicks + "\n", labels=None, classes="LabelName,DisplayName\n" + CLASSES)
    annotations = read_annotations(folder)
    assert annotations.verified_absent is None
    assert annotations.present(0) == ("Dog", "Person")
    (folder / "validation-annotations-bbox.csv").unlink()
    (folder / "oidv7-val-annotations-human-imagelabels.csv").write_text(LABELS)
    (folder / "validation-annotations-machine-imagelabels.csv").write_text(LABELS)
    labelled = read_annotations(folder)
    assert [labelled.present(image) for image in range(3)] == [("Person",), (), ("Animal",)]


def test_open_images_several_subsets_and_missing_files(tmp_path: Path) -> None:
    folder = open_images_folder(tmp_path)
    (folder / "oidv6-train-annotations-bbox.csv").write_text(BOXES)
    (folder / "train-annotations-human-imagelabels-boxable.csv").write_text("ImageID,Source,LabelName,Confidence\n")
    with pytest.raises(HopeBenchError, match=r"several files that could be its boxes .*files.boxes"):
        read_annotations(folder)
    train = read_annotations(folder, files={"boxes": "oidv6-train-annotations-bbox.csv"})
    assert len(train.images) == 2
    assert len(read_annotations(folder / "validation-annotations-bbox.csv").images) == 3
    with pytest.raises(HopeBenchError, match=r"nothing\.csv does not exist"):
        read_annotations(folder / "validation-annotations-bbox.csv", files={"labels": "nothing.csv"})
    with pytest.raises(HopeBenchError, match=r"files\.label means nothing .*'labels'"):
        read_annotations(folder, files={"label": "x.csv"})
    with pytest.raises(HopeBenchError, match="no class descriptions"):
        read_annotations(open_images_folder(tmp_path / "b", classes=None))
    with pytest.raises(HopeBenchError, match="no readable box"):
        read_annotations(open_images_folder(tmp_path / "c", BOXES.splitlines()[0] + "\nx\n", labels=None))


# Visual Genome


def visual_genome_folder(folder: Path) -> Path:
    """Version 1.4's files in little."""

    def box(number: int, *called: str, **more: Any) -> dict[str, Any]:
        return {"synsets": ["tree.n.01"], "h": 5, "object_id": number, "names": list(called), "w": 8, "y": 1, "x": 2} | more

    def end(number: int, name: str) -> dict[str, Any]:
        return {"name": name, "h": 5, "synsets": [], "object_id": number, "w": 8, "y": 1, "x": 2}

    def relationship(number: int, subject: int, predicate: str, other: int) -> dict[str, Any]:
        return {"predicate": predicate, "object": end(other, "b"), "relationship_id": number, "synsets": ["on.r.01"],
                "subject": end(subject, "a")}  # fmt: skip

    objects = [
        {"image_id": 1, "image_url": "https://cs.stanford.edu/people/rak248/VG_100K_2/1.jpg", "objects": [
            box(10, "trees", merged_object_ids=[11]), box(12, "Man ", "rider"), box(13, "café"), box(14, "horse", x=-8, w=60),
            box(15), box(16, "burger", w=0)]},
        {"image_id": 2, "objects": [box(20, "tree")]},
        {"image_id": 3, "objects": []},
    ]  # fmt: skip
    attributes = [
        {"image_id": 1, "attributes": [
            box(10, "trees", attributes=["green", "tall "]), box(11, "trees", attributes=["Green", "old"]), box(12, "man"),
            box(99, "x", attributes=["red"]), box(13, "c", attributes=None)]},
        {"image_id": 2, "attributes": []},
    ]  # fmt: skip
    relationships = [
        {"relationships": [relationship(2, 20, "near", 20)], "image_id": 2},
        {"relationships": [relationship(1, 12, "RIDING", 14), relationship(3, 12, "rides", 11), relationship(4, 12, "on", 99)],
         "image_id": 1},
    ]  # fmt: skip
    image_data = [
        {"width": 50, "url": "https://cs.stanford.edu/people/rak248/VG_100K_2/1.jpg", "height": 40, "image_id": 1,
         "coco_id": None, "flickr_id": None},
        {"width": 50, "url": "https://cs.stanford.edu/people/rak248/VG_100K/2.jpg", "height": 40, "image_id": 2, "coco_id": 7,
         "flickr_id": 8},
    ]  # fmt: skip
    for name, data in (
        ("objects", objects),
        ("attributes", attributes),
        ("relationships", relationships),
        ("image_data", image_data),
    ):
        write_json(folder / f"{name}.json", data)
    (folder / "object_alias.txt").write_text("tree,trees,tree s\nhamburger,burger\n")
    (folder / "relationship_alias.txt").write_text("ride,riding,rides\n")
    return folder


@pytest.mark.parametrize("by_file", [False, True])
def test_visual_genome(tmp_path: Path, by_file: bool) -> None:
    folder = visual_genome_folder(tmp_path)
    annotations = read_annotations(folder / "objects.json" if by_file else folder)
    assert [image.file_name for image in annotations.images] == ["VG_100K_2/1.jpg", "VG_100K/2.jpg", "3.jpg"]
    assert annotations.images[0].width == 50
    # aliases merged; a second name counts as present
    assert [annotations.present(image) for image in range(3)] == [
        ("tree", "man", "café", "horse", "hamburger", "rider"),
        ("tree",),
        (),
    ]
    assert annotations.categories[0].synonyms == ("trees", "tree s")
    tree, man, _, horse, burger = annotations.instances(0)
    assert tree.attributes == {"attributes": ("green", "tall", "old")}  # those of the object merged into it too
    assert man.attributes == {}
    assert horse.bbox == (0, 1, 50, 5)
    assert burger.bbox is None
    assert annotations.relationships is not None
    assert annotations.relationships.of(0) == (Relationship(1, "ride", 3), Relationship(1, "ride", 0))
    assert annotations.relationships.of(1) == (Relationship(5, "near", 5),)
    assert annotations.relationships.of(2) == ()
    text = "\n".join(annotations.problems)
    for words in ["1 object(s) without a name", "image_data.json lacks 1 image(s)", "attributes.json: 1 object(s) are not in",
                  "relationships.json: 1 relationship(s)", "1 box(es) reach beyond", "1 box(es) have no size"]:  # fmt: skip
        assert words in text
    assert len(annotation_files(folder)) == 6


def test_visual_genome_objects_alone_and_broken(tmp_path: Path) -> None:
    path = visual_genome_folder(tmp_path / "all") / "objects.json"
    alone = write_json(tmp_path / "objects.json", json.loads(path.read_text()))
    annotations = read_annotations(alone)
    assert annotations.relationships is None
    assert annotations.images[0] == Image("1.jpg")
    assert annotations.present(0)[:1] == ("trees",)
    write_json(alone, [{"image_id": 1, "objects": []}, {"image_id": 1, "objects": []}])
    with pytest.raises(HopeBenchError, match=r"image_id\(s\) occur more than once \(1\)"):
        read_annotations(alone)
    write_json(alone, [{"image_id": 1, "regions": []}])
    with pytest.raises(HopeBenchError, match=r"not Visual Genome's objects\.json"):
        read_annotations(alone)


# Hugging Face datasets


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    PillowImage.new("RGB", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def hf_dataset(**changes: Any) -> Any:
    """As cppe-5 is: image, size, and objects as parallel lists with a ClassLabel."""
    import datasets

    data: dict[str, Any] = {
        "image_id": [15, 19],
        "image": [{"bytes": png(20, 10), "path": "a.png"}, {"bytes": png(20, 10), "path": None}],
        "width": [20, 20],
        "height": [10, 10],
        "objects": [
            {"id": [1, 2], "area": [12, 9], "bbox": [[1, 1, 4, 3], [0, 0, 3, 3]], "category": [1, 0]},
            {"id": [3, 4], "area": [1, 1], "bbox": [[18, 1, 9, 9], [1, 1, 1, 1]], "category": [1, -1]},
        ],
    }
    features: dict[str, Any] = {
        "image_id": datasets.Value("int64"),
        "image": datasets.Image(),
        "width": datasets.Value("int32"),
        "height": datasets.Value("int32"),
        "objects": {
            "id": datasets.List(datasets.Value("int64")),
            "area": datasets.List(datasets.Value("int64")),
            "bbox": datasets.List(datasets.List(datasets.Value("float32"), length=4)),
            "category": datasets.List(datasets.ClassLabel(names=["Coverall", "Face_Shield"])),
        },
    }
    for key, (values, feature) in changes.items():
        data[key], features[key] = values, feature
    return datasets.Dataset.from_dict(data, features=datasets.Features(features))


@pytest.mark.parametrize("layout", ["saved", "split", "parquet", "hub"])
def test_hf_dataset(tmp_path: Path, layout: str) -> None:
    import datasets

    path, files = tmp_path / "cppe-5", {}
    if layout == "saved":
        hf_dataset().save_to_disk(path)
    elif layout == "split":
        datasets.DatasetDict(train=hf_dataset().select([0]), test=hf_dataset()).save_to_disk(path)
        files = {"split": "test"}
    elif layout == "parquet":
        hf_dataset().to_parquet(path)
    else:
        (path / "data").mkdir(parents=True)
        hf_dataset().select([0]).to_parquet(path / "data" / "train-00000-of-00002.parquet")
        hf_dataset().select([1]).to_parquet(path / "data" / "train-00001-of-00002.parquet")
        hf_dataset().select([1]).to_parquet(path / "data" / "test-00000-of-00001.parquet")
        files = {"split": "train"}
    annotations = read_annotations(path, files=files)
    assert [image.file_name for image in annotations.images] == ["a.png", "00000001.jpg"]
    assert [category.in_words for category in annotations.categories] == ["coverall", "face shield"]
    assert annotations.present(0) == ("Face_Shield", "Coverall")
    assert annotations.instances(0)[0].bbox == (1, 1, 4, 3)
    assert annotations.instances(1)[0].bbox == (18, 1, 2, 9)
    assert "1 object(s) without a known category left out (-1)" in "\n".join(annotations.problems)
    assert annotation_files(path, files=files)
    split = files.get("split", "")
    assert export_images(path, tmp_path / "images", split=split) == 2
    assert export_images(path, tmp_path / "images", split=split) == 0
    assert PillowImage.open(tmp_path / "images" / "00000001.jpg").size == (20, 10)


def test_hf_dataset_of_structs_and_of_names_under_other_column_names(tmp_path: Path) -> None:
    import datasets

    text = datasets.Value("string")
    structs = datasets.List({"what": text, "corners": datasets.List(datasets.Value("float32"))})
    rows = [[{"what": "naïve cup", "corners": [1, 1, 5, 3]}, {"what": None, "corners": None}], [{"what": "dog", "corners": None}]]
    data = datasets.Dataset.from_dict(
        {"photo": ["x/a.jpg", "x/b.jpg"], "things": rows}, features=datasets.Features({"photo": text, "things": structs})
    )
    data.save_to_disk(tmp_path / "a")
    columns = {"image": "photo", "objects": "things", "category": "what", "box": "corners", "box_format": "xyxy"}
    annotations = read_annotations(tmp_path / "a", columns=columns)
    assert [image.file_name for image in annotations.images] == ["x/a.jpg", "x/b.jpg"]
    assert [annotations.present(image) for image in range(2)] == [("naïve cup",), ("dog",)]
    assert annotations.instances(0)[0].bbox == (1, 1, 4, 2)
    assert annotations.instances(1)[0].bbox is None

    listed = datasets.Dataset.from_dict({"file_name": ["a.jpg", "b.jpg"], "objects": [["cup", "dog"], []]})
    listed.to_parquet(tmp_path / "b.parquet")
    annotations = read_annotations(tmp_path / "b.parquet")
    assert annotations.boxes is None
    assert [annotations.present(image) for image in range(2)] == [("cup", "dog"), ()]


def test_hf_datasets_that_are_refused(tmp_path: Path) -> None:
    import datasets

    hf_dataset().save_to_disk(tmp_path / "a")
    for columns, words in (
        ({"objects": "object"}, r"no column 'object' .*'objects'"),
        ({"picture": "image"}, r"columns\.picture is nothing"),
        ({"box_format": "yolo"}, "box_format"),
    ):
        with pytest.raises(HopeBenchError, match=words):
            read_annotations(tmp_path / "a", columns=columns)
    numbers = datasets.List(datasets.Value("int64"))
    hf_dataset(objects=([[1], [2]], numbers)).save_to_disk(tmp_path / "b")
    with pytest.raises(HopeBenchError, match="numbers without names"):
        read_annotations(tmp_path / "b")
    datasets.DatasetDict(train=hf_dataset(), test=hf_dataset()).save_to_disk(tmp_path / "c")
    with pytest.raises(HopeBenchError, match=r"files\.split.*test, train"):
        read_annotations(tmp_path / "c")
    hf_dataset(image=(["a.jpg", "a.jpg"], datasets.Value("string"))).save_to_disk(tmp_path / "d")
    with pytest.raises(HopeBenchError, match="occur more than once"):
        read_annotations(tmp_path / "d")
    hf_dataset().to_parquet(tmp_path / "e.parquet")
    (tmp_path / "e.parquet").write_bytes((tmp_path / "e.parquet").read_bytes()[:-50])
    with pytest.raises(HopeBenchError, match="can't be read as a dataset"):
        read_annotations(tmp_path / "e.parquet")
    hf_dataset(file_name=(["../x.png", "y.png"], datasets.Value("string"))).save_to_disk(tmp_path / "f")
    with pytest.raises(HopeBenchError, match="outside"):
        export_images(tmp_path / "f", tmp_path / "images")


# Which is which


def test_formats_are_told_from_the_files(tmp_path: Path) -> None:
    hf_dataset().save_to_disk(tmp_path / "hf")
    objects = tmp_path / "pope.json"
    objects.write_text('{"image": "a.jpg", "objects": ["cup"]}\n')
    for path, expected in (
        (objects365_file(tmp_path), "coco"),
        (lvis_file(tmp_path), "coco"),  # which of the two shows once decoded
        (open_images_folder(tmp_path / "oi"), "open-images"),
        (tmp_path / "oi" / "validation-annotations-bbox.csv", "open-images"),
        (visual_genome_folder(tmp_path / "vg"), "visual-genome"),
        (tmp_path / "hf", "hf-dataset"),
        (objects, "object-list"),
    ):
        assert detect_format(path) == expected
        assert DatasetSpec(format=expected).format == expected
    with pytest.raises(HopeBenchError, match="name the file itself"):
        read_annotations(tmp_path)
    with pytest.raises(HopeBenchError, match="is a folder"):
        read_annotations(tmp_path, "coco")
    other = tmp_path / "other.csv"
    other.write_text("image,object\n")
    with pytest.raises(HopeBenchError, match="no Open Images CSV"):
        read_annotations(other)
    with pytest.raises(HopeBenchError, match="captions go with COCO"):
        read_annotations(tmp_path / "oi", captions=objects)
    with pytest.raises(HopeBenchError, match="columns are those of"):
        read_annotations(objects, columns={"image": "x"})


def test_importing_the_readers_is_light() -> None:
    code = (
        "import hope_bench.annotations, sys; print([m for m in ('torch', 'pandas', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_documented_specs_are_valid() -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    specs = [tomllib.loads(block)["dataset"] for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    read = [DatasetSpec.model_validate(spec) for spec in specs]
    assert [sorted(spec.files) for spec in read] == [[], ["boxes", "classes", "hierarchy", "labels"], ["split"]]
