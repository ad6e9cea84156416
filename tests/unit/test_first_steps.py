"""From somebody's folder to questions: a spec is written, the data is checked, and nothing goes by another's name."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hope_bench as hb
from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import read_spec
from tests.cli import hope_bench, refused
from tests.clips import save_tiny_clip

Capture = pytest.CaptureFixture[str]
NAMES = ["apple", "bus", "cup", "dog", "egg", "fork", "gate", "hat", "owl", "pan"]
BLIND = "random,popular,adversarial"


def own_data(folder: Path, images: int = 50, per_image: int = 3, **changes: Any) -> Path:
    """A folder as people have it: annotations/instances_train.json beside photos/, 50 images of 3 objects each."""
    rng = np.random.default_rng(3)
    (folder / "photos").mkdir(parents=True)
    (folder / "annotations").mkdir()
    rows, boxes = [], []
    for index in range(images):
        name = f"{index:04}.png"
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(folder / "photos" / name)
        rows.append({"id": index, "file_name": name, "width": 40, "height": 30})
        for place, category in enumerate(rng.choice(len(NAMES), size=per_image, replace=False).tolist()):
            boxes.append({"id": len(boxes), "image_id": index, "category_id": category, "bbox": [place, 1, 9, 12]})
    categories = [{"id": index, "name": name} for index, name in enumerate(NAMES)]
    data = {"images": rows, "annotations": boxes, "categories": categories, **changes}
    file = folder / "annotations" / "instances_train.json"
    file.write_text(json.dumps(data))
    return file


def edit(file: Path, change: Any) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_becomes_a_spec_and_the_spec_a_benchmark(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    clip = save_tiny_clip(here / "clip")
    own_data(here / "Kitchen photos")
    said = hope_bench(capsys, "init", "Kitchen photos", "--clip", "local-dir:clip", "--name", "kitchen")
    assert said.code == 0, said.err
    assert "hope-bench generate kitchen" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    path = here / "benchmarks" / "kitchen" / "spec.toml"
    written = tomllib.loads(path.read_text())
    assert written["dataset"]["images"] == "../../Kitchen photos/photos", "relative, so that both may be moved"
    spec = read_spec(path)
    assert (spec.name, spec.sample_images, spec.k, spec.headline, spec.wording) == ("kitchen", 50, 3, "hope", "natural")
    assert spec.clip is not None
    assert Path(spec.clip.model.removeprefix("local-dir:")).samefile(clip.removeprefix("local-dir:"))
    assert "exists already" in refused(capsys, "init", "Kitchen photos", "--name", "kitchen")
    made = hope_bench(capsys, "generate", "kitchen", "--cache", "cache", "--strategies", "popular,content")
    assert made.code == 0, made.err
    manifest = hb.load_benchmark("kitchen").manifest
    assert (manifest.name, manifest.dataset, len(manifest.images)) == ("kitchen", "kitchen", 50)
    assert hope_bench(capsys, "inspect", "kitchen").code == 0, "it knows where its images are"
    (here / "clip").rename(here / "gone")
    assert hope_bench(capsys, "inspect", "kitchen").code == 0, "and needs no encoder to look at them"
    assert "names the folder" in refused(capsys, "generate", "kitchen", "--cache", "cache")


def test_annotations_need_no_spec_and_bring_their_own_name(here: Path, capsys: Capture) -> None:
    file = own_data(here / "Street Scenes")
    made = hope_bench(capsys, "generate", "--annotations", file, "--strategies", BLIND)
    assert made.code == 0, made.err
    manifest = hb.load_benchmark("street-scenes").manifest
    assert (manifest.title, manifest.dataset, manifest.k) == ("POPE and HOPE on street-scenes", "street-scenes", 3)
    assert len(manifest.images) == 50
    assert all(manifest.images.values()), "the folder of the images was found"
    flags = ("--name", "few", "--title", "A few", "--sample-images", "7", "--k", "2", "--seed", "5", "--strategies", "random")
    assert hope_bench(capsys, "generate", "--annotations", file, *flags).code == 0
    few = hb.load_benchmark("few").manifest
    assert few.spec is not None
    assert (few.title, len(few.images), few.k, few.spec.seed, list(few.splits)) == ("A few", 7, 2, 5, ["random"])
    by_library = hb.generate(
        annotations=file, name="few", title="A few", sample_images=7, k=2, seed=5, strategies=["random"], headline="random",
        out="by-library", progress="quiet",
    )  # fmt: skip
    assert by_library.manifest == few
    assert hb.inspect(by_library, out="gallery", progress="quiet").gallery.is_file(), "it remembers where its images are"
    assert hb.estimate("demo-llava", by_library)[0].stops is None
    every = hb.generate(
        annotations=file, sample_images="all", strategies=["random"], headline="random", out="all", progress="quiet"
    )
    assert len(every.manifest.images) == 50
    assert "at most 50, or all" in refused(capsys, "generate", "--annotations", file, "--sample-images", "51")
    assert "no number of images" in refused(capsys, "generate", "--annotations", file, "--sample-images", "some")
    assert "Did you mean 'popular'" in refused(capsys, "generate", "--annotations", file, "--strategies", "populer")
    assert "Give a spec" in refused(capsys, "generate")
    assert "hope-bench generate --annotations" in refused(capsys, "generate", file)
    edit(file, lambda data: data["images"].pop())
    edit(file, lambda data: data.update(annotations=[one for one in data["annotations"] if one["image_id"] != 49]))
    assert "a benchmark of other data" in refused(capsys, "generate", "--annotations", file)


def test_somebodys_data_is_never_called_coco(here: Path, capsys: Capture) -> None:
    file = own_data(here / "mine")
    clip = save_tiny_clip(here / "clip")
    made = hope_bench(
        capsys, "generate", "hope-coco", "--annotations", file, "--images", here / "mine" / "photos", "--clip", clip,
        "--cache", here / "cache",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "is not MS-COCO val2014" in made.err
    (folder,) = (here / "benchmarks").iterdir()
    text = (folder / "manifest.json").read_text()
    assert folder.name == "mine"
    assert "hope-coco" not in text
    assert "COCO" not in text.replace("POPE and HOPE", "")
    manifest = hb.load_benchmark("mine").manifest
    assert len(manifest.images) == 50
    assert {"hope", "content", "popular-guarded"} <= manifest.splits.keys(), "the settings are the spec's"
    # COCO's own images keep the name, and a smaller part of them is told how to be asked about.
    edit(file, lambda data: [row.update(file_name=f"COCO_val2014_{row['file_name']}") for row in data["images"]])
    message = refused(capsys, "generate", "hope-coco", "--annotations", file, "--strategies", BLIND)
    assert "Pass --sample-images 50 (or all)" in message
    assert (
        hope_bench(capsys, "generate", "hope-coco", "--annotations", file, "--strategies", BLIND, "--sample-images", "all").code
        == 0
    )
    assert hb.load_benchmark("hope-coco").manifest.dataset == "MS-COCO val2014"


@pytest.mark.parametrize(("per_image", "k"), [(1, 1), (2, 2), (5, 3)])
def test_k_is_what_the_images_allow(here: Path, per_image: int, k: int) -> None:
    own_data(here / "data" / "pets", images=6, per_image=per_image)
    made = hb.init(here / "data" / "pets")
    assert (made.spec.name, made.spec.k, made.spec.sample_images) == ("pets", k, 6)
    assert made.path == Path("benchmarks/pets/spec.toml")
    assert made.health.eligible[k] == 6


def as_it_is(data: dict[str, Any]) -> None:
    assert data["annotations"]


def without_boxes(data: dict[str, Any]) -> None:
    for row in data["annotations"]:
        row["bbox"] = None


def of_unknown_gender(data: dict[str, Any]) -> None:
    for number, row in enumerate(data["categories"]):
        row["name"] = f"Dings{'abcdefghij'[number]}"


@pytest.mark.parametrize(
    ("change", "language", "described"),
    [
        (as_it_is, "en", True),
        (without_boxes, "en", False),
        (lambda data: [row.update(bbox=None) for row in data["annotations"][:40]], "en", False),
        (lambda data: [row.update(bbox=None) for row in data["annotations"][::2]], "en", True),
        (as_it_is, "./xx.toml", False),
        ("turned", "en", False),
        (of_unknown_gender, "de", False),
    ],
)
def test_nothing_is_described_where_most_images_offer_no_description(
    change: Any, language: str, described: bool, here: Path, capsys: Capture
) -> None:
    """Images without one get no questions at all, so that a first benchmark would be empty."""
    file = own_data(here / "data", images=20)
    if change == "turned":  # as phones write pictures
        for photo in (here / "data" / "photos").iterdir():
            turn(photo, 6)
    else:
        edit(file, change)
    clip = save_tiny_clip(here / "clip")
    questions = '[answers]\nyes = ["ya"]\nno = ["nu"]\n[questions]\nexistence = "{name}?"\n'
    (here / "xx.toml").write_text(f'code = "xx"\nprompt = "{{question}}"\n{questions}')
    said = hope_bench(capsys, "init", "data", "--name", "first", "--k", "1", "--language", language, "--clip", clip)
    assert said.code == 0, said.err
    spec = read_spec(here / "benchmarks" / "first" / "spec.toml")
    if change is without_boxes:
        message = refused(capsys, "generate", "first", "--strategies", "random,description", "--out", "x", "--cache", "cache")
        assert "Leave description out (--strategies), or lower k" in message
    assert ("description" in spec.strategies, "hope" in spec.strategies) == (described, described)
    if change is without_boxes:
        assert hope_bench(capsys, "generate", "first", "--cache", "cache").code == 0
        assert len(hb.load_benchmark("first").manifest.images) == 20


def test_what_can_not_be_found_is_said(here: Path, capsys: Capture) -> None:
    file = own_data(here / "data")
    (here / "empty").mkdir()
    assert "holds no annotations known" in refused(capsys, "init", "empty")
    assert "nowhere does not exist" in refused(capsys, "init", "nowhere")
    shutil.copy(file, file.with_name("instances_other.json"))
    message = refused(capsys, "init", "data")
    assert "2 files of annotations" in message
    assert "hope-bench init" in message
    assert hope_bench(capsys, "init", file, "--strategies", BLIND).code == 0
    shutil.rmtree(here / "data" / "photos")
    alone = hb.init(file, name="alone")
    assert alone.spec.dataset.images is None
    assert not alone.spec.needs_clip


def test_parts_of_one_dataset_are_taken_together(here: Path) -> None:
    """As Roboflow exports them: the annotations beside the images, a folder for each part."""
    files = []
    for part in ("train", "valid"):
        file = own_data(here / part, images=6)
        edit(file, lambda data, part=part: [row.update(file_name=f"{part}{row['file_name']}") for row in data["images"]])
        (here / "set" / part).mkdir(parents=True)
        for photo in (here / part / "photos").iterdir():
            photo.rename(here / "set" / part / f"{part}{photo.name}")
        files.append(file.rename(here / "set" / part / "_annotations.coco.json"))
    made = hb.init(files, strategies=["popular"])
    assert (made.spec.name, made.spec.sample_images) == ("set", 12)
    assert not [one for one in made.health.findings if one.key.startswith("images_")]
    assert len(hb.generate("set", progress="quiet").manifest.images) == 12


def test_of_several_parts_the_one_kept_from_training_is_taken_and_told(here: Path, capsys: Capture) -> None:
    """As COCO is published: files of one folder, their pictures in a folder for each."""
    for part in ("train2017", "val2017"):
        file = own_data(here / "made" / part, images=6)
        edit(file, lambda data, part=part: [row.update(file_name=f"{part}{row['file_name']}") for row in data["images"]])
        (here / "set" / part).mkdir(parents=True)
        for photo in (here / "made" / part / "photos").iterdir():
            photo.rename(here / "set" / part / f"{part}{photo.name}")
        (here / "set" / "annotations").mkdir(exist_ok=True)
        file.rename(here / "set" / "annotations" / f"instances_{part}.json")
    said = hope_bench(capsys, "init", "set", "--strategies", BLIND, "--name", "parts")
    assert said.code == 0, said.err
    assert "Other annotations, not used: set/annotations/instances_train2017.json." in " ".join(said.err.split())
    assert hope_bench(capsys, "generate", "parts").code == 0
    manifest = hb.load_benchmark("parts").manifest
    assert len(manifest.images) == 6
    assert all(name.startswith("val") and found for name, found in manifest.images.items())


def test_key_points_are_boxes_where_there_is_nothing_else(here: Path) -> None:
    """COCO's own lie beside its instances file; a file of one's own may be the only one."""
    file = own_data(here / "data", images=6)
    beside = file.with_name("person_keypoints_train.json")
    shutil.copy(file, beside)
    edit(beside, lambda data: [row.update(keypoints=[1, 1, 2], num_keypoints=1) for row in data["annotations"]])
    assert (
        hb.init("data", name="one", strategies=["popular"]).health.paths["annotations"] == "data/annotations/instances_train.json"
    )
    file.unlink()
    alone = hb.init("data", name="two", strategies=["popular"])
    assert alone.health.paths["annotations"] == "data/annotations/person_keypoints_train.json"
    assert alone.health.facts["boxes"] == 18


def test_a_folder_with_an_archive_says_so(here: Path, capsys: Capture) -> None:
    (here / "data").mkdir()
    (here / "data" / "export.zip").write_bytes(b"PK\x03\x04")
    assert "export.zip is an archive, which isn't read. Unpack it" in refused(capsys, "init", "data")


def test_names_that_make_no_question_are_told(here: Path) -> None:
    file = own_data(here / "data", images=6)
    names = ["NO-Hardhat", "without_mask", "0", "class_3", "others", "no", "number 7 jersey", "off-road car", "nose", "notebook"]
    edit(file, lambda data: [row.update(name=name) for row, name in zip(data["categories"], names, strict=True)])
    found = {one.key: one.examples for one in hb.check_data(file).findings if one.key.startswith("categories_")}
    found.pop("categories_never_annotated", None)
    assert found == {
        "categories_that_negate": ("NO-Hardhat", "without_mask"),
        "categories_without_name": ("0", "class_3"),
        "categories_of_the_rest": ("others",),
    }


def test_pictures_of_a_dataset_beside_are_not_ones_own(here: Path) -> None:
    own_data(here / "b other", images=6)
    file = own_data(here / "a" / "b" / "mine", images=6)
    classes = "names: [" + ", ".join(NAMES) + "]\ntrain: train/images\n"
    deep = here / "c" / "train" / "images"
    shutil.copytree(file.parents[1] / "photos", deep)
    shutil.copytree(file.parents[1] / "photos", here / "b" / "photos")
    (here / "c" / "data.yaml").write_text(classes)
    (here / "c" / "train" / "labels").mkdir()
    for picture in deep.iterdir():
        (here / "c" / "train" / "labels" / f"{picture.stem}.txt").write_text("0 0.5 0.5 0.2 0.2\n3 0.2 0.2 0.1 0.1\n")
    made = hb.init(Path("c"), strategies=["popular"])
    assert made.spec.dataset.images is not None
    assert Path(made.spec.dataset.images).resolve() == deep.resolve()


def findings(health: Any) -> dict[str, tuple[str, int]]:
    return {one.key: (one.level, one.count) for one in health.findings}


def turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    with Image.open(path) as picture:
        picture.save(path, exif=exif)


def test_a_health_report_counts_what_is_wrong(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    file = own_data(here / "data", images=20)
    assert findings(hb.check_data(file)) == {}
    photos = here / "data" / "photos"
    (photos / "0000.png").unlink()
    (photos / "0001.png").write_bytes((photos / "0001.png").read_bytes()[:90])
    turn(photos / "0002.png", 3)
    turn(photos / "0003.png", 6)
    Image.new("RGB", (80, 60)).save(photos / "0004.png")
    Image.new("RGB", (40, 30)).save(photos / "more.png")

    def spoil(data: dict[str, Any]) -> None:
        data["annotations"][0]["bbox"] = [30, 20, 40, 40]
        data["annotations"][1]["bbox"] = [1, 1, 0, 5]
        data["categories"] += [{"id": 90, "name": "cups"}, {"id": 91, "name": "sofa"}, {"id": 92, "name": "couch"}]
        data["categories"] += [{"id": 93, "name": "things"}]
        data["categories"][0]["supercategory"] = "things"

    edit(file, spoil)
    health = hb.check_data(here / "data")
    assert findings(health) | {"reader": None} == {
        "images_missing": ("wrong", 1), "images_unreadable": ("wrong", 1), "images_turned": ("doubtful", 2),
        "images_of_another_size": ("doubtful", 1), "images_unlisted": ("note", 1), "boxes_outside": ("doubtful", 1),
        "boxes_empty": ("note", 1), "categories_root": ("doubtful", 1), "categories_never_annotated": ("doubtful", 4),
        "categories_same_thing": ("doubtful", 2), "reader": None,
    }  # fmt: skip
    assert dict(health.eligible) == {1: 18, 2: 18, 3: 18}, "but the missing one and the unreadable one"
    monkeypatch.setenv("COLUMNS", "80")
    said = hope_bench(capsys, "check-data", "data")
    assert said.code == 2, "something makes no questions"
    assert max(map(len, said.out.splitlines())) <= 80
    assert "cup and cups" in " ".join(said.out.split())
    told = json.loads(hope_bench(capsys, "check-data", "data", "--json").out)
    assert {one["key"]: one["count"] for one in told["findings"] if one["key"] != "reader"} == {
        key: count for key, (_, count) in findings(health).items() if key != "reader"
    }
    assert told["facts"]["images"] == 20


def boxes(change: Any) -> Any:
    """A change of every box, which is (x, y, width, height) in a picture of 40 x 30."""

    def apply(data: dict[str, Any]) -> None:
        for row in data["annotations"]:
            row["bbox"] = change(*row["bbox"])

    return apply


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (boxes(lambda x, y, w, h: [x / 40, y / 30, w / 40, h / 30]), {"boxes_as_fractions": ("doubtful", 30)}),
        (boxes(lambda x, y, w, h: [x + 20, y + 12, x + 20 + w, y + 12 + h]), {"boxes_as_corners": ("wrong", 30)}),
        (boxes(lambda x, y, w, h: [str(x), y, w, h]), {}),
    ],
)
def test_boxes_of_another_kind_are_told(here: Path, change: Any, expected: Mapping[str, tuple[str, int]]) -> None:
    """Whatever the reader makes of them: the report comes all the same."""
    file = own_data(here / "data", images=10)
    edit(file, change)
    found = findings(hb.check_data(file))
    assert {key: value for key, value in found.items() if key.startswith("boxes_")} == expected


def test_ids_of_two_types_are_told_though_the_reader_refuses_them(here: Path) -> None:
    file = own_data(here / "data", images=10)
    edit(file, lambda data: [row.update(image_id=str(row["image_id"])) for row in data["annotations"]])
    for where in (file, here / "data"):
        assert findings(hb.check_data(where))["ids_of_two_types"] == ("doubtful", 10)


def test_a_dry_run_makes_nothing_and_says_what_would_be_done(here: Path, capsys: Capture) -> None:
    file = own_data(here / "data")
    clip = save_tiny_clip(here / "clip")
    where = ("--annotations", file, "--images", here / "data" / "photos", "--clip", clip)
    said = hope_bench(capsys, "generate", *where, "--dry-run")
    assert said.code == 0, said.err
    words = " ".join(said.out.split())
    assert "CLIP will embed 50 images, 150 object crops and 10 texts: about" in words
    assert "at this machine's measured speed" in words
    assert not (here / "benchmarks").exists()
    (here / "spec.toml").write_text('name = "many"\nsample_images = 51\nstrategies = ["random"]\nheadline = "random"\n')
    said = hope_bench(capsys, "generate", "spec.toml", "--annotations", file, "--dry-run")
    assert said.code == 2
    assert "51 images are wanted, and 50 can be asked about with k = 3" in " ".join(said.out.split())
    with pytest.raises(HopeBenchError, match="nowhere"):
        hb.check_data("nowhere")


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        ("", ("--reviewed", "page.jsonl")),
        ('[descriptions]\nfile = "page.jsonl"\n', ()),
        ('[guards]\nevidence = "page.jsonl"\ncalibrated = { completeness = 0.9 }\n', ()),
    ],
)
def test_a_dry_run_reads_what_people_bring(spec: str, more: tuple[str, ...], here: Path, capsys: Capture) -> None:
    file = own_data(here / "data")
    (here / "page.jsonl").write_text("<!DOCTYPE html>")
    (here / "spec.toml").write_text(f'name = "x"\nstrategies = ["random"]\nheadline = "random"\n{spec}')
    said = hope_bench(capsys, "generate", "spec.toml", "--annotations", file, "--dry-run", *more)
    assert "page.jsonl is a web page. Download the file itself" in " ".join((said.out + said.err).split())
    assert said.code == 2


def test_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = json.loads(hope_bench(capsys, "env", "--json").out)
    assert found["torch"] == importlib.metadata.version("torch")
    assert found["python"] == platform.python_version()
    assert found["HF_HUB_OFFLINE"] == "1"
    shown = hope_bench(capsys, "env").out
    assert all(name in shown for name in ("transformers", "GPUs", "system"))
    assert "hf_secret" not in json.dumps(found) + shown
