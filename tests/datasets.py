"""Every dataset in its published layout, in little, for tests to write to a folder."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from hope_bench.records import Annotations


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def names(annotations: Annotations, indices: Sequence[int] | frozenset[int]) -> list[str]:
    return sorted(annotations.categories[index].name for index in indices)


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
        return {"id": number, "image_id": image_id, "category_id": category_id, "area": 6.5,
                "bbox": [0.5 + number, 2.0, 3.0, 4.0], "segmentation": [[1.5, 2.0, 4.5, 2.0, 4.5, 6.0]]}  # fmt: skip

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


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "PNG")
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
