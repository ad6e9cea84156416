"""Folders as tools export them and files as people pass them on: each is read as what it says, or named with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hope_bench as hb
from hope_bench.annotations import read_annotations
from hope_bench.errors import HopeBenchError
from hope_bench.preparing.find import look

IDS = ("000a1249af2bc5f0", "1234567890123456", "12345678901234e5")
"""Open Images' ids: hexadecimal, some of digits alone, some like a number with an exponent."""
HEAD = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax", "IsOccluded", "IsGroupOf")
ROWS = [
    (IDS[0], "xclick", "/m/01", "1", "0.1", "0.5", "0.2", "0.6", "0", "0"),
    (IDS[1], "xclick", "/m/02", "1", "0.2", "0.4", "0.2", "0.6", "0", "1"),
    (IDS[2], "xclick", "/m/01", "1", "0.1", "0.5", "0.2", "0.6", "0", "0"),
]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), "red").save(path)


def lines(rows: Sequence[Sequence[str]], made: Callable[[Sequence[str]], str], end: str = "\n") -> bytes:
    return (end.join(made(row) for row in rows) + end).encode()


def permuted(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return [(*row[::-1][:4], *row[:6]) for row in rows]


WRITTEN: Mapping[str, bytes] = {
    "as published": lines([HEAD, *ROWS], ",".join),
    "columns permuted": lines(permuted([HEAD, *ROWS]), ",".join),
    "every field quoted": lines([HEAD, *ROWS], lambda row: ",".join(f'"{one}"' for one in row)),
    "quoted, a mark before it, Windows' line ends, empty rows": b"\xef\xbb\xbf"
    + lines([HEAD, *ROWS, [""], [""] * len(HEAD)], lambda row: ",".join(f'"{one}"' if one else "" for one in row), "\r\n"),
    "a blank after each comma": lines([HEAD, *ROWS], ", ".join),
    "semicolons, as Excel writes them": lines([HEAD, *ROWS], ";".join),
    "tabs": lines([HEAD, *ROWS], "\t".join),
    "true and false as pandas writes them": lines([HEAD, *((*row[:9], str(row[9] == "1")) for row in ROWS)], ",".join),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_open_images_boxes_however_they_are_written(written: bytes, tmp_path: Path) -> None:
    (tmp_path / "class-descriptions-boxable.csv").write_text('/m/01,Dog\n/m/02,"Bird, exotic"\n/m/03,Cup\n')
    (tmp_path / "train-annotations-bbox.csv").write_bytes(written)
    read = read_annotations(tmp_path)
    assert [image.file_name for image in read.images] == [f"{one}.jpg" for one in IDS]
    assert [read.present(image) for image in range(3)] == [("Dog",), ("Bird, exotic",), ("Dog",)]
    assert read.crowd.tolist() == [False, True, False]
    assert read.boxes is not None
    np.testing.assert_allclose(read.boxes, [[0.1, 0.2, 0.4, 0.4], [0.2, 0.2, 0.2, 0.4], [0.1, 0.2, 0.4, 0.4]], atol=1e-6)


def test_open_images_object_without_numbers_is_present(tmp_path: Path) -> None:
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/01,Dog\n/m/02,Bird\n")
    rows = [ROWS[0], (*ROWS[1][:4], "", "", "", "", "0", "0")]
    (tmp_path / "train-annotations-bbox.csv").write_bytes(lines([HEAD, *rows], ",".join))
    read = read_annotations(tmp_path)
    assert read.present(1) == ("Bird",)
    assert any("no usable box: present" in problem for problem in read.problems)


def test_visual_genome_gaps_and_numbers_as_text(tmp_path: Path) -> None:
    box = {"x": 5, "y": 6, "w": 20, "h": 10, "synsets": ["dog.n.01"]}
    first = [{"object_id": "1", "names": ["dog", "puppy"], **box}, {"object_id": 2, "names": ["cup"], **box, "w": None}]
    second = [{"object_id": "3", "names": [None, "Tree "], **box, "h": "10"}, {"object_id": 4, "names": None, **box}]
    objects = [{"image_id": "1", "objects": first}, {"image_id": "2", "objects": second}]
    (tmp_path / "objects.json").write_text(json.dumps(objects))
    read = read_annotations(tmp_path)
    assert [read.present(image) for image in (0, 1)] == [("dog", "cup", "puppy"), ("tree",)]
    assert read.boxes is not None
    assert read.boxes[:, 2].tolist()[::2] == [20, 20]
    assert any("1 object without a name" in problem for problem in read.problems)


def roboflow(folder: Path, names: Callable[[str, int], str] = "{}{}.rf.jpg".format) -> Path:
    """Roboflow's COCO export: a file in each split, its ids from 0, a root category that is never annotated."""
    categories = [
        {"id": 0, "name": "animals", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "animals"},
        {"id": 2, "name": "dog", "supercategory": "animals"},
    ]
    for split, count in (("train", 4), ("valid", 2), ("test", 2)):
        images = [{"id": one, "file_name": names(split, one), "height": 48, "width": 64} for one in range(count)]
        objects: list[dict[str, Any]] = [
            {"id": one, "image_id": one, "category_id": 1 + one % 2, "bbox": [5, 6, 20, 10], "iscrowd": 0} for one in range(count)
        ]
        for image in images:
            picture(folder / split / str(image["file_name"]))
        (folder / split / "_annotations.coco.json").write_text(
            json.dumps({"images": images, "annotations": objects, "categories": categories})
        )
    return folder


def test_the_splits_of_an_export_are_one_dataset(tmp_path: Path) -> None:
    folder = roboflow(tmp_path / "pets")
    assert hb.init(folder, strategies=["random"], out=tmp_path / "spec").spec.name == "pets"
    made = {"from a spec": hb.generate(tmp_path / "spec", out=tmp_path / "one", progress="quiet")}
    made["from the folder"] = hb.generate(
        annotations=folder, strategies=("random",), sample_images="all", out=tmp_path / "two", progress="quiet"
    )
    for benchmark in made.values():
        asked = {(one.image, one.object): one.label for one in benchmark.splits["random"]}
        assert asked == {
            (f"{split}/{split}{one}.rf.jpg", name): "yes" if name == ("cat", "dog")[one % 2] else "no"
            for split, count in (("train", 4), ("valid", 2), ("test", 2)) for one in range(count) for name in ("cat", "dog")
        }  # fmt: skip
        assert len(set(benchmark.manifest.notes)) == len(benchmark.manifest.notes), "what all files share is said once"


def test_splits_whose_images_share_names_are_not_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="share 2 images"):
        hb.init(roboflow(tmp_path / "pets", lambda _, one: f"{one}.jpg"), out=tmp_path / "spec")


def darknet(folder: Path, classes: str, pictures: str) -> Path:
    for one in range(3):
        picture(folder / pictures / f"{one}.jpg")
        (folder / pictures / f"{one}.txt").write_text(f"{one % 2} 0.5 0.5 0.2 0.4\n")
    (folder / classes).write_text("dog\ntraffic light\n")
    (folder / classes).with_name("train.txt").write_text("".join(f"data/{pictures}/{one}.jpg\n" for one in range(3)))
    (folder / classes).with_suffix(".data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    return folder


@pytest.mark.parametrize(
    ("classes", "pictures"),
    [("obj.names", "obj_train_data"), ("data/obj.names", "data/obj"), ("data/pets.names", "data/img")],
    ids=["CVAT", "darknet", "darknet, another name"],
)
def test_darknet_folders(classes: str, pictures: str, tmp_path: Path) -> None:
    folder = darknet(tmp_path, classes, pictures)
    found = look([folder])
    assert [found.read.present(image) for image in range(3)] == [("dog",), ("traffic light",), ("dog",)]
    assert found.images is not None
    assert all((found.images / image.file_name).is_file() for image in found.read.images)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("obj.names", "darknet's list of classes, which isn't read. Name the folder"),
        ("obj.data", "darknet's list of files, which isn't read. Name the folder"),
        ("train.txt", "a list of pictures, which isn't read. Name the annotations, and this as the --image-list"),
    ],
)
def test_a_darknet_file_alone_is_named(file: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=words):
        read_annotations(darknet(tmp_path, "obj.names", "obj_train_data") / file)


def voc(folder: Path) -> Path:
    for one in range(4):
        picture(folder / f"JPEGImages/2007_{one}.jpg")
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / f"Annotations/2007_{one}.xml").write_text(
            f"<annotation><filename>2007_{one}.jpg</filename><size><width>64</width><height>48</height></size><object>"
            f"<name>{('dog', 'cat')[one % 2]}</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>30</xmax><ymax>20</ymax></bndbox>"
            "</object></annotation>"
        )
    (folder / "ImageSets/Main").mkdir(parents=True)
    (folder / "ImageSets/Main/val.txt").write_text("2007_2\n2007_3\n")
    return folder


@pytest.mark.parametrize("wanted", [{}, {"sample_images": "all"}, {"sample_images": 2}])
def test_a_list_of_images_decides_how_many_there_are(wanted: Mapping[str, Any], tmp_path: Path) -> None:
    folder = voc(tmp_path / "VOC2007")
    made = hb.generate(
        annotations=folder, image_list=folder / "ImageSets/Main/val.txt", strategies=("random",), out=tmp_path / "out",
        progress="quiet", **wanted,
    )  # fmt: skip
    assert sorted(made.manifest.images) == ["2007_2.jpg", "2007_3.jpg"]


def test_a_devkit_of_two_years_finds_its_pictures(tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        (tmp_path / year).mkdir()
        voc(tmp_path / year)
    found = look([tmp_path])
    assert found.images == tmp_path
    assert [image.file_name for image in found.read.images][::4] == [
        f"{one}/JPEGImages/2007_0.jpg" for one in ("VOC2007", "VOC2012")
    ]
