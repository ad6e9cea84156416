"""Open Images V7: boxes, human-verified labels, class hierarchy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.annotations.open_images import find_open_images
from hope_bench.errors import HopeBenchError
from tests.datasets import (
    BOXES,
    CLASSES,
    LABELS,
    names,
    open_images_folder,
)


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


def test_the_labels_of_version_7_belong_to_the_boxes_though_named_otherwise(tmp_path: Path) -> None:
    """validation-annotations-bbox.csv and oidv7-val-annotations-human-imagelabels.csv are of one subset."""
    folder = open_images_folder(tmp_path, labels=None)
    labels = LABELS.replace(",1\n", ",1.0\n").replace(",0\n", ",0.0\n")
    (folder / "oidv7-val-annotations-human-imagelabels.csv").write_text(labels + "0001eeaf4aed83f9,verification,/m/0bt9lr,1\n")
    for other in ("train", "test"):
        (folder / f"oidv7-{other}-annotations-human-imagelabels.csv").write_text("ImageID,Source,LabelName,Confidence\n")
    annotations = read_annotations(folder)
    assert annotations.verified_absent is not None
    assert names(annotations, annotations.verified_absent[0]) == ["Animal"]
    assert names(annotations, annotations.also_present[0]) == [], "a label of what has boxes adds nothing"
    assert names(annotations, annotations.also_present[1]) == ["Person"]
    assert annotations.present(0) == ("Dog", "Person")


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
        "class-descriptions-boxable.csv: 1 malformed line left out ('/m/lonely')",
        "1 label shares another's name",
        "bbox.csv: 2 rows left out, with too few or too many fields (line 7: '000595fe6fee6369,xclick,/m/0bt9lr,1,0.1', line",
        "bbox.csv: 1 object has no usable box: present, and nothing is claimed of the place",
        "bbox.csv: 1 row left out, their label has no class description (/m/zzz)",
        "boxable.csv: 2 rows left out, machine-made",
        "boxable.csv: 1 row left out, a field is no number",
        "boxable.csv: 1 row left out, with too few",
        "1 image label says absent where a box or another label says present",
        "bbox.csv: 1 box reaches beyond the image",
        "bbox.csv: 1 box has no size",
    ]:
        assert words in text


def test_a_stray_quote_in_the_first_line_hides_no_column(tmp_path: Path) -> None:
    boxes = BOXES.replace("ImageID,Source,", 'ImageID,"Source,')
    annotations = read_annotations(open_images_folder(tmp_path, boxes, labels=None))
    assert annotations.present(0) == ("Dog", "Person")


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


def test_a_table_called_as_boxes_are_that_holds_none(tmp_path: Path) -> None:
    folder = open_images_folder(tmp_path)
    other = folder / "train-annotations-bbox.csv"
    other.write_text("ImageID,LabelName,XMin\n")
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(folder)
    assert str(caught.value) == (
        f"{other} is called as Open Images' boxes are, but its first line lacks ImageID, LabelName, XMin, XMax, YMin, YMax. "
        "Get it again, or remove it."
    )
    with pytest.raises(HopeBenchError, match=r"train-annotations-bbox\.csv has no column XMax, YMin, YMax\. Its first line is"):
        read_annotations(folder, files={"boxes": other.name})


def test_class_descriptions_that_are_malformed(tmp_path: Path) -> None:
    classes = "LabelName,DisplayName\n" + CLASSES + "\n,Cup\n/m/x, \na,b,c\n/m/y\n/m/dog2, Dog\n/m/dog3,Dog\n"
    annotations = read_annotations(open_images_folder(tmp_path, labels=None, classes=classes))
    assert [category.name for category in annotations.categories] == ["Person", "Human head", "Animal", "Dog", "Candle, crêpe"]
    assert annotations.problems[:2] == (
        "oidv7-class-descriptions-boxable.csv: 4 malformed lines left out (',Cup', '/m/x, ', 'a,b,c' and 1 more).",
        "oidv7-class-descriptions-boxable.csv: 2 labels share another's name; each name is one category.",
    )


def test_boxes_without_groups(tmp_path: Path) -> None:
    boxes = "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/0bt9lr,0.25,0.75,0.5,1\na,/m/0bt9lr,x,0.75,0.5,1\n"
    annotations = read_annotations(open_images_folder(tmp_path, boxes, labels=None))
    assert [(one.bbox, one.crowd) for one in annotations.instances(0)] == [((0.25, 0.5, 0.5, 0.5), False), (None, False)]


def test_of_several_class_descriptions_those_of_boxes_are_meant(tmp_path: Path) -> None:
    folder = open_images_folder(tmp_path)
    (folder / "oidv7-class-descriptions.csv").write_text("/m/0bt9lr,Hound\n")
    assert read_annotations(folder).present(0) == ("Dog", "Person")
    (folder / "my-class-descriptions-boxable.csv").write_text("/m/0bt9lr,Hound\n")
    several = (
        r"data holds several files that could be its classes \(my-class-descriptions-boxable\.csv, "
        r"oidv7-class-descriptions-boxable\.csv\)\."
    )
    with pytest.raises(HopeBenchError, match=several.replace("data", tmp_path.name)):
        read_annotations(folder)


def test_labels_of_more_images_than_categories(tmp_path: Path) -> None:
    """Each is of its own image: none is said of another."""
    images = [f"{number:016x}" for number in range(12)]
    rows = [f"{image},verification,{label},{int(number % 3 == place)}" for number, image in enumerate(images)
            for place, label in enumerate(("/m/01g317", "/m/04hgtk", "/m/0jbk"))]  # fmt: skip
    labels = "ImageID,Source,LabelName,Confidence\n" + "\n".join(rows) + "\n"
    boxes = BOXES.splitlines()[0] + "\n" + "".join(f"{image},xclick,/m/0bt9lr,1,0,1,0,1,0,0,0,0,0\n" for image in images[::2])
    annotations = read_annotations(open_images_folder(tmp_path, boxes, labels))
    three = ("Person", "Human head", "Animal")
    for place, image in enumerate(annotations.images):
        number = images.index(image.file_name.removesuffix(".jpg"))
        assert annotations.present(place) == (*(["Dog"] if number % 2 == 0 else []), three[number % 3])
        assert annotations.verified_absent is not None
        assert names(annotations, annotations.verified_absent[place]) == sorted(
            name for at, name in enumerate(three) if at != number % 3
        )
    assert annotations.problems == ()


def test_a_subset_is_found_by_either_of_its_tables(tmp_path: Path) -> None:
    folder = open_images_folder(tmp_path)
    boxes, labels = folder / "validation-annotations-bbox.csv", folder / "validation-annotations-human-imagelabels-boxable.csv"
    others = (folder / "oidv7-class-descriptions-boxable.csv", folder / "bbox_labels_600_hierarchy.json")
    for path in (folder, boxes, labels):
        assert find_open_images(path, {}).paths == (boxes, labels, *others)


def test_a_subset_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    boxes = BOXES.splitlines()[0] + "\na,x,/m/zzz,1,0,1,0,1,0,0,0,0,0\nb,x\n"
    labels = LABELS.splitlines()[0] + "\na,verification,/m/yyy,1\nb,verification,/m/0jbk,x\nc,machine,/m/0jbk,1\n"
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(open_images_folder(tmp_path, boxes, labels))
    told = str(caught.value)
    assert told.startswith(
        f"{tmp_path} holds no readable box or human-verified image label. validation-annotations-bbox.csv: 1 row "
    )
    assert told.count("left out") == 3
    assert told.endswith(" and 2 more")
