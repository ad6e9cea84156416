"""YOLO, Pascal VOC, LabelMe and imagefolder: a file a picture, in the shapes that tools write; and the same data in each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from hope_bench.annotations import annotation_files, detect_format, read_annotations
from hope_bench.annotations.fitting import fit_boxes, fit_names
from hope_bench.annotations.image_files import files_within
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.spec import BenchmarkSpec, DatasetSpec
from hope_bench.search.description import Describer
from hope_bench.search.generate import generate
from tests.datasets import write_json

W, H = 40, 20


def paint(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        PillowImage.new("RGB", (W, H)).save(path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


YAML = "names: [dog, tea cup]\nnc: 2\n"
LABELS = "0 0.25 0.5 0.25 0.5\n1 0.75 0.25 0.25 0.25\n"
BOXES = {"dog": (5, 5, 10, 10), "tea cup": (25, 2.5, 10, 5)}


def ultralytics(folder: Path, labels: str = LABELS, yaml: str = "path: .\ntrain: images/train\nval: images/val\n" + YAML) -> Path:
    paint(folder / "images" / "val" / "a.jpg", folder / "images" / "val" / "b.png")
    write(folder / "labels" / "val" / "a.txt", labels)
    write(folder / "labels" / "val" / "b.txt", "")
    write(folder / "data.yaml", yaml)
    return folder


def roboflow(folder: Path) -> Path:
    paint(folder / "valid" / "images" / "a.jpg", folder / "valid" / "images" / "b.png")
    write(folder / "valid" / "labels" / "a.txt", LABELS)
    write(folder / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n" + YAML)
    return folder


def named_by_number(folder: Path) -> Path:
    return ultralytics(folder, yaml="val: images/val\nnames:\n  0: dog\n  1: tea cup\n")


def listed(folder: Path) -> Path:
    ultralytics(folder, yaml="val: val.txt\n" + YAML)
    write(folder / "val.txt", "./images/val/a.jpg\n./images/val/b.png\n")
    return folder


def polygons(folder: Path) -> Path:
    return ultralytics(folder, "0 0.125 0.25 0.375 0.25 0.375 0.75 0.125 0.75\n1 0.625 0.125 0.875 0.125 0.875 0.375\n")


def poses(folder: Path) -> Path:
    lines = [line + " 0.1 0.1 2 0.2 0.2 1" for line in LABELS.splitlines()]
    return ultralytics(folder, "\n".join(lines), "val: images/val\nkpt_shape: [2, 3]\n" + YAML)


def confidences(folder: Path) -> Path:
    return ultralytics(folder, "".join(f"{line} 0.9\n" for line in LABELS.splitlines()))


def beside_each_other(folder: Path) -> Path:
    paint(folder / "val" / "a.jpg", folder / "val" / "b.png")
    write(folder / "val" / "a.txt", LABELS)
    write(folder / "data.yaml", "val: val\n" + YAML)
    return folder


def voc_file(
    name: str = "a.jpg",
    size: tuple[Any, Any] = (W, H),
    tail: str = "",
    cup: str = "<xmin>26</xmin><ymin>3.5</ymin><xmax>35</xmax><ymax>7.5</ymax>",
) -> str:
    return f"""<annotation><folder>x</folder><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height>
    <depth>3</depth></size><object><name>dog</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>
    <bndbox><xmin>6</xmin><ymin>6</ymin><xmax>15</xmax><ymax>15</ymax></bndbox></object>
    <object><name>tea cup</name><bndbox>{cup}</bndbox></object>{tail}</annotation>"""


def devkit(folder: Path) -> Path:
    write(folder / "Annotations" / "a.xml", voc_file())
    write(folder / "Annotations" / "b.xml", "<annotation><filename>b.png</filename></annotation>")
    return folder


def voc_beside(folder: Path) -> Path:
    write(folder / "a.xml", "<?xml version='1.0'?>\n" + voc_file().replace("<annotation>", '<annotation verified="yes">'))
    return folder


def voc_without_sizes(folder: Path) -> Path:
    write(folder / "a.xml", voc_file(size=(0, 0)))
    return folder


def voc_renamed(folder: Path) -> Path:
    write(folder / "a.xml", voc_file("C:\\pictures\\IMG 1.jpg"))
    return folder


def voc_with_polygons(folder: Path) -> Path:
    tail = "<polygon><x1>6</x1><y1>6</y1><x2>15</x2><y2>6</y2><x3>15</x3><y3>15</y3></polygon></object>"
    write(folder / "a.xml", voc_file().replace("</bndbox></object>", "</bndbox>" + tail, 1))
    return folder


def shape(label: Any, points: list[list[float]], kind: str = "rectangle", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}} | more


RECTANGLES = [shape("dog", [[5, 5], [15, 15]]), shape("tea cup", [[35, 7.5], [25, 2.5]])]


def labelme_folder(folder: Path, shapes: list[Any] = RECTANGLES, **more: Any) -> Path:
    data = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": "a.jpg",
        "imageData": None,
        "imageHeight": H,
        "imageWidth": W,
    }
    write_json(folder / "a.json", data | more)
    return folder


def labelme_polygons(folder: Path) -> Path:
    return labelme_folder(
        folder,
        [
            shape("dog", [[5, 5], [15, 5], [15, 15]], "polygon"),
            shape("tea cup", [[25, 2.5], [35, 2.5], [35, 7.5], [25, 7.5]], "polygon"),
        ],
    )


def labelme_groups(folder: Path) -> Path:
    return labelme_folder(
        folder,
        [shape("dog", [[5, 5], [7, 7]], group_id=1), RECTANGLES[1], shape("dog", [[13, 13], [15, 15]], group_id=1)],
    )


def labelme_masks(folder: Path) -> Path:
    return labelme_folder(folder, [shape(one["label"], one["points"], "mask", mask="iVBOR") for one in RECTANGLES])


def labelme_windows(folder: Path) -> Path:
    return labelme_folder(folder, imagePath="..\\pictures\\a.jpg")


def imagefolder(folder: Path, objects: Any = None, name: str = "metadata.jsonl", inside: str = "") -> Path:
    paint(folder / inside / "a.jpg", folder / inside / "b.png")
    boxes = {"bbox": [list(BOXES["dog"]), list(BOXES["tea cup"])], "category": ["dog", "tea cup"]}
    rows = [
        {"file_name": "a.jpg", "objects": objects or boxes},
        {"file_name": "b.png", "objects": [] if isinstance(objects, list) else {key: [] for key in objects or boxes}},
    ]
    write(folder / inside / name, "\n".join(map(json.dumps, rows)) + "\n")
    return folder


def imagefolder_of_structs(folder: Path) -> Path:
    return imagefolder(folder, [{"bbox": list(BOXES[name]), "category": name} for name in BOXES])


def imagefolder_of_a_split(folder: Path) -> Path:
    return imagefolder(folder, inside="validation")


SHAPES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "YOLO, Ultralytics": ("yolo", ultralytics),
    "YOLO, Roboflow": ("yolo", roboflow),
    "YOLO, names by number": ("yolo", named_by_number),
    "YOLO, a list of images": ("yolo", listed),
    "YOLO, polygons": ("yolo", polygons),
    "YOLO, key points": ("yolo", poses),
    "YOLO, confidences": ("yolo", confidences),
    "YOLO, labels beside pictures": ("yolo", beside_each_other),
    "YOLO, by its data.yaml": ("yolo", lambda folder: ultralytics(folder) / "data.yaml"),
    "VOC devkit": ("voc", devkit),
    "VOC beside pictures": ("voc", voc_beside),
    "VOC without sizes": ("voc", voc_without_sizes),
    "VOC with stale file names": ("voc", voc_renamed),
    "VOC with polygons": ("voc", voc_with_polygons),
    "LabelMe": ("labelme", labelme_folder),
    "LabelMe, polygons": ("labelme", labelme_polygons),
    "LabelMe, groups": ("labelme", labelme_groups),
    "LabelMe, masks": ("labelme", labelme_masks),
    "LabelMe from Windows": ("labelme", labelme_windows),
    "imagefolder": ("hf-dataset", imagefolder),
    "imagefolder, a struct an object": ("hf-dataset", imagefolder_of_structs),
    "imagefolder, a split": ("hf-dataset", imagefolder_of_a_split),
}


@pytest.mark.parametrize(("format", "make"), SHAPES.values(), ids=SHAPES)
def test_a_file_a_picture(format: str, make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "data")
    assert detect_format(path) == format
    assert annotation_files(path)
    read = read_annotations(path)
    paint(tmp_path / "pictures" / "a.jpg", tmp_path / "pictures" / "b.png")
    annotations = fit_names(read, lambda _: False, lambda: files_within(tmp_path / "pictures"))
    annotations, told = fit_boxes(annotations, range(len(annotations.images)), tmp_path / "pictures")
    assert told == ()
    assert annotations.images[0].file_name == "a.jpg"
    assert annotations.present(0) == ("dog", "tea cup")
    scale = (W, H, W, H) if annotations.box_units == "fractions" else (1, 1, 1, 1)
    for one in annotations.instances(0):
        assert one.bbox is not None
        assert tuple(side * factor for side, factor in zip(one.bbox, scale, strict=True)) == pytest.approx(
            BOXES[one.category], abs=1e-3
        )


def test_a_list_names_its_pictures_from_its_own_folder_or_in_full(tmp_path: Path) -> None:
    folder = listed(tmp_path / "a")
    relative = read_annotations(folder)
    assert [image.file_name for image in relative.images] == ["images/val/a.jpg", "images/val/b.png"]
    write(folder / "val.txt", "".join(f"{folder / image.file_name}\n" for image in relative.images))
    full = read_annotations(folder)
    assert (
        [full.present(image) for image in range(2)] == [relative.present(image) for image in range(2)] == [("dog", "tea cup"), ()]
    )


def test_only_val_is_also_called_valid(tmp_path: Path) -> None:
    annotations = read_annotations(roboflow(tmp_path / "a"))
    write(tmp_path / "a" / "data.yaml", "valid: valid/images\n" + YAML)
    assert read_annotations(tmp_path / "a").images == annotations.images
    for split in ("train", "test"):
        with pytest.raises(HopeBenchError, match=f"has no split '{split}'"):
            read_annotations(tmp_path / "a", files={"split": split})


SURVIVED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "YOLO, a line cut off": (lambda folder: ultralytics(folder, LABELS + "0 0.5 0.5\n"), "1 line of labels left out"),
    "YOLO, words": (lambda folder: ultralytics(folder, LABELS + "dog 0.5 0.5 0.1 0.1\n"), "1 line of labels left out"),
    "YOLO, NaN": (lambda folder: ultralytics(folder, LABELS + "0 nan 0.5 0.1 0.1\n"), "1 line of labels left out"),
    "YOLO, an unknown class": (
        lambda folder: ultralytics(folder, LABELS + "7 0.5 0.5 0.1 0.1\n"),
        "of a class that data.yaml doesn't name",
    ),
    "YOLO, no labels of a picture": (roboflow, "1 picture without a file of labels"),
    "VOC, a file cut off": (
        lambda folder: write(devkit(folder) / "Annotations" / "c.xml", "<annotation><obj").parents[1],
        "1 file left out",
    ),
    "VOC, an object without a name": (
        lambda folder: write(devkit(folder) / "Annotations" / "a.xml", voc_file(tail="<object><name/></object>")).parents[1],
        "1 object left out, without a name",
    ),
    "LabelMe, another tool's file": (
        lambda folder: write_json(labelme_folder(folder) / "b.json", {"a": 1}).parent,
        "1 file left out",
    ),
    "LabelMe, a shape without a label": (
        lambda folder: labelme_folder(folder, [*RECTANGLES, shape("", [[1, 1], [2, 2]])]),
        "without a label",
    ),
}


@pytest.mark.parametrize(("make", "words"), SURVIVED.values(), ids=SURVIVED)
def test_one_bad_entry_is_counted_and_survived(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    annotations = read_annotations(make(tmp_path / "data"))
    assert annotations.present(0) == ("dog", "tea cup")
    assert words in "\n".join(annotations.problems)


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: write(devkit(folder) / "Annotations" / "a.xml", voc_file(cup="")).parents[1],
        lambda folder: labelme_folder(folder, [RECTANGLES[0], shape("tea cup", [[1, 1], [3, 3]], "circle")]),
        lambda folder: labelme_folder(folder, [RECTANGLES[0], shape("tea cup", [[1, 1]])]),
        lambda folder: labelme_folder(folder, [RECTANGLES[0], shape("tea cup", [[3, 3]], "point")]),
    ],
    ids=["VOC without bndbox", "LabelMe, a circle", "LabelMe, a rectangle of one point", "LabelMe, a point"],
)
def test_an_object_without_a_box_is_present(make: Callable[[Path], Path], tmp_path: Path) -> None:
    annotations = read_annotations(make(tmp_path / "data"))
    assert annotations.present(0) == ("dog", "tea cup")
    assert [one.bbox is None for one in annotations.instances(0)] == [False, True]


REFUSED: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "YOLO, classes counted from 1": (
        lambda folder: ultralytics(folder, "1 0.5 0.5 0.2 0.2\n2 0.3 0.3 0.1 0.1\n2 0.6 0.6 0.1 0.1\n"),
        ("numbered 0 to 1", "category 2", "count from 1"),
    ),
    "YOLO, no images": (lambda folder: write(folder / "data.yaml", "val: nowhere\n" + YAML), ("no folder of images",)),
    "YOLO, no names": (lambda folder: ultralytics(folder, yaml="val: images/val\n") / "data.yaml", ("lists no class names",)),
    "YOLO, a name twice": (
        lambda folder: ultralytics(folder, yaml="val: images/val\nnames: [a, a]\n"),
        ("occurs more than once",),
    ),
    "YOLO, nothing but bad lines": (
        lambda folder: ultralytics(folder, "dog\ncat\n"),
        ("no object that can be used", "2 lines"),
    ),
    "VOC, nothing but bad files": (
        lambda folder: write(folder / "a.xml", "<annotation><object/></annotation>").parent,
        ("no object that can be used",),
    ),
    "LabelMe, no objects": (lambda folder: labelme_folder(folder, []), ("no object that can be used",)),
    "a folder of CVAT's XML": (lambda folder: write(folder / "annotations.xml", "<annotations/>").parent, ("CVAT", "COCO 1.0")),
    "a folder of Supervisely's": (
        lambda folder: write_json(folder / "meta.json", {"classes": [], "projectType": "images"}).parent,
        ("Supervisely", "Export to COCO"),
    ),
    "a folder of one archive": (
        lambda folder: write(folder / "annotations.zip", "PK").parent,
        ("annotations.zip is an archive", "Unpack"),
    ),
    "a folder of darknet's labels": (
        lambda folder: write(folder / "obj_train_data" / "1.txt", LABELS).parents[1],
        ("YOLO", "data.yaml"),
    ),
    "a folder with a COCO file": (
        lambda folder: write_json(folder / "train" / "_annotations.coco.json", {"info": {}, "images": []}).parents[1],
        ("name the file itself", "train/_annotations.coco.json"),
    ),
    "YOLO, numbers for folders": (
        lambda folder: ultralytics(folder, yaml="val: 5\ntrain: [7, null]\n" + YAML),
        ("no folder of images that is there",),
    ),
    "imagefolder, a list for a row": (
        lambda folder: write(imagefolder(folder) / "metadata.jsonl", '{"file_name": "a.jpg"}\n\n["b.png"]\n').parent,
        ("metadata.jsonl, line 3: not a JSON object",),
    ),
    "imagefolder, endless brackets": (
        lambda folder: write(imagefolder(folder) / "metadata.jsonl", "[" * 5000 + "\n").parent,
        ("metadata.jsonl, line 1: not a JSON object",),
    ),
    "imagefolder, numbers": (
        lambda folder: imagefolder(folder, {"bbox": [[1, 2, 3, 4]], "categories": [0]}),
        ("numbers without names",),
    ),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_with_which_words(make: Callable[[Path], Path], words: tuple[str, ...], tmp_path: Path) -> None:
    path = make(tmp_path / "data")
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in words:
        assert word in str(caught.value)


def test_of_several_yolo_splits_the_one_kept_from_training_is_read_and_told(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "train" / "x.jpg")
    path = ultralytics(tmp_path)
    annotations = read_annotations(path)
    assert annotations.present(0) == ("dog", "tea cup")
    assert "several splits, of which val is read" in annotations.problems[0]
    assert read_annotations(path, files={"split": "val"}).problems == annotations.problems[1:]


@pytest.mark.parametrize("classes", ["classes.txt", "labels/classes.txt", "obj.names"])
def test_yolo_labels_with_a_plain_list_of_classes(classes: str, tmp_path: Path) -> None:
    paint(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.txt", LABELS)
    write(tmp_path / classes, "dog\ntea cup\n")
    annotations = read_annotations(tmp_path)
    assert (detect_format(tmp_path), annotations.present(0)) == ("yolo", ("dog", "tea cup"))


def test_yolo_as_supervision_writes_it(tmp_path: Path) -> None:
    """DetectionDataset.as_yolo's data.yaml lists the classes and no splits."""
    paint(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.txt", LABELS)
    write(tmp_path / "data.yaml", "names:\n- dog\n- tea cup\nnc: 2\n")
    annotations = read_annotations(tmp_path)
    assert (annotations.present(0), annotations.problems) == (("dog", "tea cup"), ())


def test_class_names_that_yaml_takes_for_something_else_stay(tmp_path: Path) -> None:
    path = ultralytics(tmp_path, yaml="val: images/val\nnames: [no, 01]\n")
    assert [one.name for one in read_annotations(path).categories] == ["no", "01"]


def test_labelme_files_beside_a_folder_of_pictures(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "a.jpg")
    labelme_folder(tmp_path / "labels", RECTANGLES)
    for file in (tmp_path / "labels").glob("*.json"):
        data = json.loads(file.read_text(encoding="utf-8"))
        write_json(file, data | {"imagePath": "..\\images\\a.jpg"})
    annotations = read_annotations(tmp_path)
    assert (detect_format(tmp_path), annotations.images[0].file_name) == ("labelme", "images/a.jpg")


# The same data in each


def whole_pixels(real: Path, folder: Path) -> tuple[Path, Path]:
    """coco-mini with boxes of whole pixels, images sorted by name, no crowds; and its pictures, in a folder of their own."""
    data = json.loads((real / "coco-mini" / "instances_val2017.json").read_text(encoding="utf-8"))
    data["images"].sort(key=lambda image: image["file_name"])
    sizes = {image["id"]: (image["width"], image["height"]) for image in data["images"]}
    kept = []
    for one in data["annotations"]:
        x, y, width, height = one["bbox"]
        left, top = round(x), round(y)
        right, bottom = (min(round(end), side) for end, side in zip((x + width, y + height), sizes[one["image_id"]], strict=True))
        if right > left and bottom > top:
            kept.append(one | {"bbox": [left, top, right - left, bottom - top], "iscrowd": 0})
    used = {one["category_id"] for one in kept}
    data["annotations"], data["categories"] = kept, [one for one in data["categories"] if one["id"] in used]
    pictures = folder / "images" / "val"
    shutil.copytree(real / "coco-mini" / "val2017", pictures)
    return write_json(folder / "instances.json", data), pictures


def copies(instances: Path, pictures: Path, folder: Path) -> dict[str, Path]:
    """The same in other formats, written by supervision and, for an imagefolder, as datasets documents it."""
    import supervision

    data = json.loads(instances.read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in data["categories"]}
    classes = sorted(names.values())
    detections, rows = {}, []
    for image in data["images"]:
        own = [one for one in data["annotations"] if one["image_id"] == image["id"]]
        corners = np.array([[x, y, x + w, y + h] for x, y, w, h in (one["bbox"] for one in own)], dtype=np.float32).reshape(-1, 4)
        numbers = np.array([classes.index(names[one["category_id"]]) for one in own], dtype=int)
        detections[str(pictures / image["file_name"])] = supervision.Detections(xyxy=corners, class_id=numbers)
        objects = {"bbox": [one["bbox"] for one in own], "category": [names[one["category_id"]] for one in own]}
        rows.append({"file_name": image["file_name"], "width": image["width"], "height": image["height"], "objects": objects})
    dataset = supervision.DetectionDataset(classes, list(detections), detections)
    dataset.as_pascal_voc(annotations_directory_path=str(folder / "voc"))
    dataset.as_labelme(annotations_directory_path=str(folder / "labelme"))
    dataset.as_yolo(annotations_directory_path=str(folder / "labels" / "val"), data_yaml_path=str(folder / "data.yaml"))
    with (folder / "data.yaml").open("a", encoding="utf-8") as stream:
        stream.write("val: images/val\n")
    shutil.copytree(pictures, folder / "imagefolder")
    write(folder / "imagefolder" / "metadata.jsonl", "\n".join(map(json.dumps, rows)))
    return {
        "yolo": folder / "data.yaml",
        "voc": folder / "voc",
        "labelme": folder / "labelme",
        "hf-dataset": folder / "imagefolder",
    }


def said(path: Path, pictures: Path) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """All geometry that is known of each image: true, and false."""
    annotations = fit_names(read_annotations(path), lambda name: (pictures / name).is_file(), lambda: files_within(pictures))
    annotations, _ = fit_boxes(annotations, range(len(annotations.images)), pictures)
    describer = Describer(annotations, ("geometry",))
    found = {}
    for place, image in enumerate(annotations.images):
        known = describer.describe(place)
        found[image.file_name] = frozenset(one.question for one in known.true), frozenset(one.question for one in known.false)
    return found


def test_coco_mini_asks_the_same_in_every_format(real: Path, tmp_path: Path) -> None:
    instances, pictures = whole_pixels(real, tmp_path)
    made = {"coco": instances} | copies(instances, pictures, tmp_path)
    splits, geometry = {}, {}
    for format, path in made.items():
        assert detect_format(path) == format
        dataset = DatasetSpec(annotations=str(path), images=str(pictures))
        strategies = ("random", "popular", "adversarial", "random-guarded")
        spec = BenchmarkSpec(name=format, strategies=strategies, headline="random", sample_images=40, k=3, dataset=dataset)
        generate(spec, tmp_path / "made" / format, tmp_path / "cache")
        splits[format] = {
            name: tuple(map(replace, rows)) for name, rows in read_benchmark(tmp_path / "made" / format).splits.items()
        }
        geometry[format] = said(path, pictures)
    assert sum(len(true) + len(false) for true, false in geometry["coco"].values()) > 1000
    for format in made:
        assert splits[format] == splits["coco"], format
        assert len(read_benchmark(tmp_path / "made" / format).manifest.sources) <= 2, "of a file a picture, one line"
        assert geometry[format] == geometry["coco"], format
