"""LVIS v1: federated labels, synsets and synonyms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hope_bench.annotations import read_annotations
from hope_bench.errors import HopeBenchError
from tests.datasets import (
    lvis_file,
    names,
    objects365_file,
    write_json,
)


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


def test_lvis_problems_of_boxes_and_of_labels_are_told(tmp_path: Path) -> None:
    path = lvis_file(tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["annotations"][0]["bbox"] = [0, 0, 0, 5]
    data["images"][0]["neg_category_ids"] = [2, 3]
    assert read_annotations(write_json(path, data)).problems == (
        "lvis_v1_val.json: 1 box has no size within the image: present, without a box (annotations 1, in file order).",
        "lvis_v1_val.json: 2 images list a category as absent that is annotated in them, which is believed "
        "(val2017/000000397133.jpg, val2017/000000037777.jpg).",
    )


def test_lvis_takes_coco_captions_and_can_be_read_as_coco(tmp_path: Path) -> None:
    path = lvis_file(tmp_path)
    captions = write_json(tmp_path / "captions.json", {"annotations": [{"id": 1, "image_id": 37777, "caption": "a clock"}]})
    assert read_annotations(path, captions=captions).captions == {1: ("a clock",)}
    plain = read_annotations(path, "coco")
    assert plain.verified_absent is None
    assert [category.in_words for category in plain.categories[:2]] == ["alarm clock", "bow (weapon)"]


def test_lvis_refuses_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=r"category id it does not define \(77\)"):
        read_annotations(lvis_file(tmp_path, images=[{"id": 397133, "coco_url": "http://x/a.jpg", "neg_category_ids": [77]},
                                                     {"id": 37777, "coco_url": "http://x/b.jpg"}]))  # fmt: skip
    twice = [{"id": 1, "name": "alarm_clock"}, {"id": 1, "name": "clock"}]
    with pytest.raises(HopeBenchError, match="category id occurs more than once"):
        read_annotations(lvis_file(tmp_path, categories=twice))
    with pytest.raises(HopeBenchError, match="neither file_name nor coco_url"):
        read_annotations(lvis_file(tmp_path, images=[{"id": 1}]))
    with pytest.raises(HopeBenchError, match="no image lists neg_category_ids"):
        read_annotations(objects365_file(tmp_path), "lvis")
