"""Annotated images and their files: names as tools write them, ambiguity, turned pictures, several files, a list of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from hope_bench.annotations import read_annotations
from hope_bench.annotations.fitting import fit_boxes, fit_names, turn_upright
from hope_bench.annotations.image_files import Folder, files_within, plain_path
from hope_bench.annotations.of_spec import listed_images, read_dataset
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.spec import BenchmarkSpec, DatasetSpec, GuardsSpec
from hope_bench.records import Annotations
from hope_bench.search.description import Describer
from hope_bench.search.generate import generate
from hope_bench.search.guards import guard
from hope_bench.search.space import SearchSpace
from tests.cli import hope_bench, refused
from tests.datasets import lvis_file, write_json

W, H = 40, 20


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("a.jpg", ["a.jpg", "thumbs/a.jpg"], "a.jpg"),
        ("images\\train\\a.jpg", ["train/a.jpg"], "train/a.jpg"),
        ("C:\\Users\\me\\images\\a.jpg", ["a.jpg"], "a.jpg"),
        ("D:/images/a.jpg", ["images/a.jpg"], "images/a.jpg"),
        ("/home/me/images/a.jpg", ["a.jpg"], "a.jpg"),
        ("../images/a.jpg", ["a.jpg"], "a.jpg"),
        ("./a.jpg", ["a.jpg"], "a.jpg"),
        ("my%20dog%20%C3%BC.jpg", ["my dog ü.jpg"], "my dog ü.jpg"),
        ("a%20b.jpg", ["a%20b.jpg", "a b.jpg"], "a%20b.jpg"),
        ("a.jpg", ["a.JPG"], "a.JPG"),
        ("A.JPG", ["a.jpeg"], "a.jpeg"),
        ("a", ["a.png"], "a.png"),
        ("a.b", ["a.b.png"], "a.b.png"),
        ("train/a", ["train/a.jpg", "val/a.jpg"], "train/a.jpg"),
        ("a.jpg", ["train/a.jpg"], "train/a.jpg"),
        ("u\u0308.jpg", ["\u00fc.jpg"], "\u00fc.jpg"),
        ("http://images.cocodataset.org/val2017/1.jpg", ["val2017/1.jpg"], "val2017/1.jpg"),
        ("https://x.blob/bucket/my%20a.jpg?sig=1", ["my a.jpg"], "my a.jpg"),
        ("/data/local-files/?d=images/a.jpg", ["a.jpg"], "a.jpg"),
        ("/data/upload/3/1f2e-a.jpg", ["1f2e-a.jpg"], "1f2e-a.jpg"),
        ("images/1f2e3d4c-a.jpg", ["images/a.jpg"], "images/a.jpg"),
        ("images/1f2e3d4c-a.jpg", ["images/1f2e3d4c-a.jpg", "images/a.jpg"], "images/1f2e3d4c-a.jpg"),
        ("back\\slash.jpg", ["back\\slash.jpg"], "back\\slash.jpg"),
        ("a.jpg", ["a.png"], None),
        ("train/a.jpg", ["val/a.jpg"], None),
        ("a", ["a.txt", "a.json"], None),
        ("a.jpg", ["x/a.jpg", "y/a.jpg"], None),
        ("a", ["a.jpg", "a.png"], None),
        ("a.jpg", ["b.jpg"], None),
    ],
)  # fmt: skip
def test_one_name_one_file(name: str, files: list[str], found: str | None) -> None:
    assert Folder(files).find([name]).files == [found]


def test_no_file_is_two_images() -> None:
    found = Folder(["1.jpg", "x/2.jpg"]).find(["a/1.jpg", "b/1.jpg", "2.jpg"])
    assert found.files == [None, None, "x/2.jpg"]
    assert found.unclear == {0: ("1.jpg",), 1: ("1.jpg",)}
    assert Folder(["1.jpg"]).find(["a/1.jpg", "1.jpg"]).files == [None, "1.jpg"], "the better fit has it"
    assert plain_path("a/b.jpg") == "a/b.jpg"


def coco(folder: Path, names: list[str], boxes: list[list[float]] | None = None, **more: Any) -> Path:
    """A dog (with a box, the image's) and a cup in every image."""
    images = [{"id": n, "file_name": name, "width": W, "height": H} for n, name in enumerate(names)]
    rows = [
        {"image_id": n, "category_id": category, "bbox": box if category == 1 else None}
        for n, box in enumerate(boxes or [[2, 2, 10, 10]] * len(names))
        for category in (1, 2)
    ]
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cup"}, {"id": 3, "name": "cat"}]
    name = more.pop("file", "instances.json")
    return write_json(folder / name, {"images": images, "annotations": rows, "categories": categories} | more)


def spec_of(dataset: DatasetSpec, **more: Any) -> BenchmarkSpec:
    return BenchmarkSpec(name="x", strategies=("random",), headline="random", sample_images=2, k=2, dataset=dataset, **more)


def paint(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        PillowImage.new("RGB", (W, H)).save(path)


def test_pictures_are_found_by_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(tmp_path / "pictures" / "one dog.JPG", tmp_path / "pictures" / "deep" / "b.png")
    (tmp_path / "spec.toml").write_text('name = "x"\nstrategies = ["random"]\nheadline = "random"\nsample_images = 2\nk = 1\n')
    where = ("--images", tmp_path / "pictures", "--out", tmp_path / "out")
    annotations = coco(
        tmp_path,
        ["C:\\data\\one%20dog.jpg", "other/deep/b"],
        annotations=[{"image_id": n, "category_id": 1 + n, "bbox": [2, 2, 10, 10]} for n in range(2)],
    )
    done = hope_bench(capsys, "generate", tmp_path / "spec.toml", "--annotations", annotations, *where)
    assert done.code == 0, done.err
    assert sorted(read_benchmark(tmp_path / "out").manifest.images) == ["deep/b.png", "one dog.JPG"]


def test_images_that_could_be_several_files_are_none(tmp_path: Path) -> None:
    paint(*(tmp_path / "pictures" / name for name in ("x/a.jpg", "y/a.jpg", "b.jpg")))
    folder = tmp_path / "pictures"
    annotations = read_annotations(coco(tmp_path, ["a.jpg", "b.jpg"]))
    fitted = fit_names(annotations, lambda name: (folder / name).is_file(), lambda: files_within(folder))
    assert [image.file_name for image in fitted.images] == ["a.jpg", "b.jpg"]
    assert "1 image counts as missing" in fitted.problems[-1]
    assert "a.jpg: x/a.jpg, y/a.jpg" in fitted.problems[-1]
    only = read_annotations(coco(tmp_path, ["a.jpg"]))
    with pytest.raises(HopeBenchError, match=r"None of the 1 images is found: 1 could be several files"):
        fit_names(only, lambda _: False, lambda: files_within(folder))


# Turned pictures


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_as_pillow_turns_pictures(orientation: int) -> None:
    stored = np.zeros((H, W), dtype=np.uint8)
    stored[3:8, 5:17] = 255
    picture = PillowImage.fromarray(stored)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    picture.info["exif"] = exif.tobytes()
    seen = np.asarray(ImageOps.exif_transpose(picture))
    rows, columns = np.nonzero(seen)
    expected = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    box = np.array([[5, 3, 12, 5]], dtype=np.float32)
    np.testing.assert_allclose(turn_upright(box, (W, H), orientation), [expected])
    sides = [seen.shape[1], seen.shape[0], seen.shape[1], seen.shape[0]]
    shares = turn_upright(box / np.array([W, H, W, H], np.float32), (1.0, 1.0), orientation) * sides
    np.testing.assert_allclose(shares, [expected], rtol=1e-5)


def turned(path: Path, orientation: int, size: tuple[int, int] = (W, H)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.new("RGB", size).save(path, exif=exif)


def said(annotations: Annotations, folder: Path, image: int = 0) -> tuple[set[str], tuple[str, ...]]:
    fitted, told = fit_boxes(annotations, range(len(annotations.images)), folder)
    return {one.question for one in Describer(fitted, ("geometry",)).describe(image).true}, told


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("fractions", [False, True], ids=["pixels", "fractions"])
@pytest.mark.parametrize("square", [False, True])
def test_nothing_is_claimed_of_places_in_turned_pictures_unless_the_spec_says_where_boxes_are(
    orientation: int, fractions: bool, square: bool, tmp_path: Path
) -> None:
    size = (H, H) if square else (W, H)
    turned(tmp_path / "a.jpg", orientation, size)
    upright = size[::-1] if orientation > 4 else size
    stored_box = [1.0, 2.0, size[0] / 2 - 3, size[1] - 4]  # on the left of the stored picture
    upright_box = [1.0, 2.0, upright[0] / 2 - 3, upright[1] - 4]

    def read(box: list[float], said_size: tuple[int, int]) -> Annotations:
        if fractions:
            box = [side / whole for side, whole in zip(box, (*said_size, *said_size), strict=True)]
        path = coco(tmp_path, ["a.jpg"], [box])
        data = read_annotations(path, boxes="fractions" if fractions else "xywh")
        return replace(data, images=tuple(replace(one, width=said_size[0], height=said_size[1]) for one in data.images))

    claims, told = said(read(upright_box, upright), tmp_path)
    assert not any("side" in claim or "half" in claim for claim in claims)
    assert f"a.jpg: EXIF orientation {orientation}" in told[0]
    assert "dataset.orientation" in told[0]
    claims, told = said(replace(read(upright_box, upright), orientation="upright"), tmp_path)
    assert "Is there a dog on the left side of the image?" in claims
    assert told == ()
    claims, told = said(replace(read(stored_box, size), orientation="stored"), tmp_path)
    expected = {
        2: "right side",
        3: "right side",
        4: "left side",
        5: "top half",
        6: "top half",
        7: "bottom half",
        8: "bottom half",
    }
    assert any(expected[orientation] in claim for claim in claims), claims
    assert not any("left side" in claim for claim in claims) or orientation == 4
    assert told == ()


def test_a_picture_is_turned_once(tmp_path: Path) -> None:
    turned(tmp_path / "a.jpg", 3)
    annotations = replace(read_annotations(coco(tmp_path, ["a.jpg"])), orientation="stored")
    once, _ = fit_boxes(annotations, [0], tmp_path)
    twice, _ = fit_boxes(once, [0], tmp_path)
    assert once.instances(0)[0].bbox == twice.instances(0)[0].bbox == (W - 12, H - 12, 10, 10)


def test_sizes_of_pictures_tell_corners(tmp_path: Path) -> None:
    paint(*(tmp_path / "pictures" / f"{n}.jpg" for n in range(3)))
    boxes = [[20, 10, 38, 18], [15, 8, 30, 18], [25, 2, 35, 12]]
    path = coco(tmp_path, [f"{n}.jpg" for n in range(3)], boxes, images=[{"id": n, "file_name": f"{n}.jpg"} for n in range(3)])
    dataset = DatasetSpec(annotations=str(path), images=str(tmp_path / "pictures"))
    with pytest.raises(HopeBenchError, match=r'gives no sizes of its images.*dataset\.boxes = "xyxy"'):
        generate(spec_of(dataset).model_copy(update={"sample_images": 3, "k": 1}), tmp_path / "out", tmp_path / "cache")


# Roots, and what nobody annotated

ANIMALS = [
    {"id": 0, "name": "animals", "supercategory": "none"},
    {"id": 1, "name": "dog", "supercategory": "animals"},
    {"id": 2, "name": "cup", "supercategory": "animals"},
    {"id": 3, "name": "cat", "supercategory": "Animals"},
    {"id": 4, "name": "person", "supercategory": "person"},
    {"id": 5, "name": "chair", "supercategory": "furniture"},
]


def allowed(annotations: Annotations, **guards: Any) -> set[str]:
    """What may be claimed absent from the first image."""
    spec = BenchmarkSpec(name="x", guards=GuardsSpec(same_name=1.0, **guards))
    space = SearchSpace(spec, annotations, tuple(range(len(annotations.images))), {})
    return {name for name, free in zip(space.names, guard(space).allowed[0], strict=True) if free}


def test_a_root_category_is_an_ancestor_and_what_nobody_annotated_no_distractor(tmp_path: Path) -> None:
    rows = [(0, 1), (0, 2), (1, 3), (1, 4)]
    more = [{"image_id": image, "category_id": category} for image, category in rows]
    annotations = read_annotations(coco(tmp_path, ["a.jpg", "b.jpg"], annotations=more, categories=ANIMALS))
    assert {one.name: one.parents for one in annotations.categories} == {
        "animals": (), "dog": ("animals",), "cup": ("animals",), "cat": ("animals",), "person": (), "chair": (),
    }  # fmt: skip
    assert "1 category is the supercategory of others ('animals')" in annotations.problems[-1]
    assert allowed(annotations) == {"cat", "person"}
    assert allowed(annotations, annotated=False) == {"cat", "person", "chair"}
    assert allowed(annotations, annotated=False, ontology=False) == {"cat", "person", "chair", "animals"}
    annotated = read_annotations(
        coco(tmp_path, ["a.jpg", "b.jpg"], annotations=[*more, {"image_id": 1, "category_id": 0}], categories=ANIMALS)
    )
    assert allowed(annotated) == {"cat", "person"}, "what is annotated elsewhere is above a dog all the same"


def test_verified_absences_say_who_looked(tmp_path: Path) -> None:
    annotations = read_annotations(lvis_file(tmp_path))
    names = {category.name for category in annotations.categories}
    assert "pop" in names, "a category that nothing is annotated with"
    assert allowed(annotations) == {"alarm clock", "jalapeño"}


def test_what_nobody_annotated_is_told(tmp_path: Path) -> None:
    paint(tmp_path / "pictures" / "a.jpg", tmp_path / "pictures" / "b.jpg")
    rows = [{"image_id": n, "category_id": n, "bbox": [2, 2, 9, 9]} for n in range(2)]
    path = coco(
        tmp_path,
        ["a.jpg", "b.jpg"],
        annotations=rows,
        categories=[{"id": n, "name": name} for n, name in enumerate(("dog", "cup", *"tuvwx"))],
    )
    dataset = DatasetSpec(annotations=str(path), images=str(tmp_path / "pictures"))
    spec = BenchmarkSpec(
        name="x", strategies=("random-guarded",), headline="random-guarded", sample_images=2, k=1, dataset=dataset
    )
    said: list[str] = []
    manifest = generate(spec, tmp_path / "out", tmp_path / "cache", said.append)
    words = "5 categories are never annotated (t, u, v and 2 more)"
    assert any(words in line for line in said)
    assert any(words in note for note in manifest.notes)


@pytest.mark.parametrize("name", ["cup\u200b", "\ufeffcup", "c\u00adup", "\u202epuc", "c\x07up"])
def test_names_that_no_leaderboard_shows_are_told_before_anything_is_asked(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "pictures"
    paint(images / "a.jpg", images / "b.jpg")
    path = coco(
        tmp_path, ["a.jpg", "b.jpg"], categories=[{"id": n + 1, "name": one} for n, one in enumerate(("dog", name, "cat"))]
    )
    expected = f"1 category has a name with what can't be seen or changes how the text around it reads ({name!a}: the"
    for command in (("check-data", path), ("generate", "--annotations", path)):
        outcome = hope_bench(capsys, *command, "--images", images)
        assert (outcome.code, expected in " ".join((outcome.out + outcome.err).split())) == (2, True), outcome
    paint(images / f"{name}.jpg")
    hope = hope_bench(capsys, "check-data", coco(tmp_path, ["a.jpg", f"{name}.jpg"]), "--images", images)
    assert f"1 image is called by what can't be seen or changes how the text around it reads ({name + '.jpg'!a}: the" in " ".join(
        (hope.out + hope.err).split()
    )


# Several files, and a list of images


def test_several_files_are_one_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    categories = [{"id": n + 7, "name": name} for n, name in enumerate(("cat", "cup", "dog"))]
    rows = [{"image_id": 0, "category_id": 9, "bbox": [3, 3, 5, 5], "attributes": {"colour": "red"}}]
    train = coco(tmp_path, ["t/a.jpg", "t/b.jpg"], file="train.json")
    val = coco(tmp_path, ["v/a.jpg", "v/b.jpg"], file="val.json", annotations=rows, categories=categories)
    captions = [
        write_json(tmp_path / f"{name}_captions.json", {"annotations": [{"image_id": 0, "caption": f"of {name}"}]})
        for name in ("train", "val")
    ]
    made = read_dataset(DatasetSpec(annotations=(str(train), str(val)), captions=tuple(map(str, captions))))
    assert [image.file_name for image in made.images] == ["t/a.jpg", "t/b.jpg", "v/a.jpg", "v/b.jpg"]
    assert [made.present(image) for image in range(4)] == [("dog", "cup"), ("dog", "cup"), ("dog",), ()]
    assert made.instances(2)[0].bbox == (3, 3, 5, 5)
    assert made.instances(2)[0].attributes == {"colour": "red"}
    assert made.instances(0)[1].bbox is None
    assert made.captions.keys() == {0, 2}
    (tmp_path / "spec.toml").write_text('name = "x"\nstrategies = ["random"]\nheadline = "random"\nsample_images = 3\nk = 1\n')
    both = ("--annotations", train, "--annotations", val, "--out", tmp_path / "out")
    done = hope_bench(capsys, "generate", tmp_path / "spec.toml", *both)
    assert done.code == 0, done.err
    assert {source.file for source in read_benchmark(tmp_path / "out").manifest.sources} == {"train.json", "val.json"}


def test_files_that_are_not_one_dataset_are_refused(tmp_path: Path) -> None:
    one = coco(tmp_path, ["a.jpg"])
    for other, words in (
        (coco(tmp_path, ["a.jpg"], file="same.json"), r"share 1 image \(a\.jpg\)"),
        (coco(tmp_path, ["b.jpg"], file="more.json", categories=ANIMALS), "have other categories"),
        (coco(tmp_path, ["b.jpg"], [[0.1, 0.1, 0.5, 0.5]], file="shares.json"), "boxes of .* are pixels, those of .* fractions"),
    ):
        with pytest.raises(HopeBenchError, match=words):
            read_dataset(DatasetSpec(annotations=(str(one), str(other))))


def test_only_listed_images_are_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"image_id": n, "category_id": 1 + n % 2, "bbox": [2, 2, 9, 9]} for n in range(4)]
    path = coco(tmp_path, [f"val/{n}.jpg" for n in range(4)], annotations=rows)
    listed = tmp_path / "list.txt"
    listed.write_text("\ufeffval/1.jpg\n\n2.jpg\nval\\3\nnowhere.jpg\n", encoding="utf-8")
    found, told = listed_images(listed, read_annotations(path))
    assert found == {1, 2, 3}
    assert "1 of its 4 images are not in the annotations (nowhere.jpg)" in told[0]
    (tmp_path / "spec.toml").write_text('name = "x"\nstrategies = ["random"]\nheadline = "random"\nsample_images = 3\nk = 1\n')
    options = ("generate", tmp_path / "spec.toml", "--annotations", path, "--image-list", listed, "--out", tmp_path / "out")
    done = hope_bench(capsys, *options)
    assert done.code == 0, done.err
    manifest = read_benchmark(tmp_path / "out").manifest
    assert sorted({row.image for rows in read_benchmark(tmp_path / "out").splits.values() for row in rows}) == [
        "val/1.jpg",
        "val/2.jpg",
        "val/3.jpg",
    ]
    assert any("nowhere.jpg" in note for note in manifest.notes)
    (tmp_path / "spec.toml").write_text('name = "x"\nstrategies = ["random"]\nheadline = "random"\nsample_images = 4\nk = 1\n')
    assert "has 3 images of the image list" in refused(capsys, *options)
    listed.write_text("elsewhere.jpg\n")
    assert "names no image of the annotations" in refused(capsys, *options)
