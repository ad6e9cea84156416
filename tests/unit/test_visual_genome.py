"""Visual Genome: objects, attributes, relationships and aliases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    assert annotations.problems == (
        "image_data.json lacks 1 image of objects.json (3).",
        "objects.json: 1 object without a name left out.",
        "attributes.json: 1 object is not in objects.json; their attributes are left out.",
        "relationships.json: 1 relationship without a predicate, or of objects or images that are not in objects.json, left out.",
        "objects.json: 1 box reaches beyond the image, cut to it (annotations 4, in file order).",
        "objects.json: 1 box has no size within the image: present, without a box (annotations 5, in file order).",
    )
    assert (annotations.every_instance, annotations.box_units) == (False, "pixels")
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


def test_visual_genome_with_gaps(tmp_path: Path) -> None:
    def things(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
        return [{"object_id": number, "names": [name], "x": 1, "y": 2, "w": 3, "h": 4} for number, name in pairs]

    def relation(predicate: str, subject: int, other: int) -> dict[str, Any]:
        return {"predicate": predicate, "subject": {"object_id": subject}, "object": {"object_id": other}}

    write_json(
        tmp_path / "objects.json",
        [
            {
                "image_id": 5,
                "objects": [*things((30, "A Dog"), (10, "the cup"), (20, " ")), {"object_id": 40, "names": [None, "hat", "Cap"]}],
            },
            {"image_id": 4, "objects": [*things((7, "cup"), (8, "")), {"object_id": 9}]},
        ],
    )
    given = {30: ["Big ", None, " "], 10: [], 7: ["red"], 6: ["x"], 99: ["x"], 40: [" "]}
    rows = [{"object_id": number, "attributes": values} for number, values in given.items()]
    write_json(
        tmp_path / "attributes.json", [{"attributes": rows}, {"attributes": [{"object_id": 7, "attributes": ["RED", "old"]}]}]
    )
    relations = [
        {
            "image_id": 4,
            "relationships": [relation("On", 7, 7), relation(" ", 7, 7), relation("on", 7, 1), relation("on", 99, 7)],
        },
        {"image_id": 5, "relationships": [relation("near", 30, 10), relation("on ", 10, 40)]},
        {"image_id": 6, "relationships": [relation("on", 30, 10)]},
    ]
    write_json(tmp_path / "relationships.json", relations)
    write_json(tmp_path / "image_data.json", [{"image_id": 9}])
    made = read_annotations(tmp_path)
    assert made.images == (Image("5.jpg"), Image("4.jpg"))
    assert [made.present(image) for image in range(2)] == [("dog", "cup", "hat", "cap"), ("cup",)]
    assert [one.bbox for one in made.instances(0)] == [(1, 2, 3, 4), (1, 2, 3, 4), None]
    assert [dict(one.attributes) for image in range(2) for one in made.instances(image)] == [
        {"attributes": ("big",)},
        {},
        {},
        {"attributes": ("red", "old")},
    ]
    assert made.relationships is not None
    assert [made.relationships.of(image) for image in range(2)] == [
        (Relationship(0, "near", 1), Relationship(1, "on", 2)),
        (Relationship(3, "on", 3),),
    ]
    assert made.relationships.starts.tolist() == [0, 2, 3]
    assert made.problems == (
        "image_data.json lacks 2 images of objects.json (5, 4).",
        "objects.json: 3 objects without a name left out.",
        "attributes.json: 2 objects are not in objects.json; their attributes are left out.",
        "relationships.json: 4 relationships without a predicate, or of objects or images that are not in "
        "objects.json, left out.",
        "objects.json: 1 object has no usable box: present, and nothing is claimed of the place (annotations 3, in file order).",
    )
    write_json(tmp_path / "relationships.json", [{"image_id": 5, "relationships": [relation("near", 30, 10)]}])
    assert [problem for problem in read_annotations(tmp_path).problems if "relationship" in problem] == [], "none is left out"
    write_json(tmp_path / "relationships.json", relations)
    write_json(tmp_path / "objects.json", [{"image_id": 5, "objects": []}])
    empty = read_annotations(tmp_path)
    assert empty.relationships is not None
    assert (empty.relationships.of(0), len(empty.category_of), dict(empty.attributes)) == ((), 0, {})
    assert "attributes.json: 6 objects are not in objects.json" in empty.problems[1]


def test_aliases_of_aliases(tmp_path: Path) -> None:
    """A line stands under its first name, or under what that is an alias of; a name in several lines keeps its first."""
    called = ("hound", "puppy", "tree", "bush", "lonely", "cup")
    objects = [{"object_id": str(number), "names": [name]} for number, name in enumerate(called)]  # numbers as text are read, too
    write_json(tmp_path / "objects.json", [{"image_id": "1", "objects": objects}])
    write_json(tmp_path / "image_data.json", [{"image_id": 1, "url": "a/b/1.jpg"}])
    (tmp_path / "object_alias.txt").write_text("dog,hound\nhound,puppy,dog\ntree\nplant,tree,bush\n\nlonely, ,\n")
    made = read_annotations(tmp_path)
    assert made.present(0) == ("dog", "tree", "plant", "lonely", "cup")
    assert [one.synonyms for one in made.categories] == [("hound", "puppy"), (), ("bush",), (), ()]
    assert [one.file_name for one in made.images] == ["b/1.jpg"]
    (problem,) = made.problems
    assert "6 objects have no usable box" in problem, "every image is in image_data.json"
