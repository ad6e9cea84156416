"""Visual Genome: objects, attributes, relationships and aliases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.errors import HopeBenchError
from hope_bench.records import Image, Relationship
from tests.datasets import (
    visual_genome_folder,
    write_json,
)


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
    for words in ["1 object without a name", "image_data.json lacks 1 image", "attributes.json: 1 object is not in",
                  "relationships.json: 1 relationship", "1 box reaches beyond", "1 box has no size"]:  # fmt: skip
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
    with pytest.raises(HopeBenchError, match=r"image_id occurs more than once \(1\)"):
        read_annotations(alone)
    write_json(alone, [{"image_id": 1, "regions": []}])
    with pytest.raises(HopeBenchError, match=r"Visual Genome's objects\.json"):
        read_annotations(alone)
