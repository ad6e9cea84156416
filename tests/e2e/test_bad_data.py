"""What is wrong with data, through the command line: refused in words or survived, counted and listed; nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.registry import data_root
from tests.cli import generated, hope_bench, refused
from tests.datasets import BOXES, LABELS, open_images_folder, visual_genome_folder, write_json

Capture = pytest.CaptureFixture[str]
SPEC = """
name = "trial"
strategies = {strategies}
headline = "content"
sample_images = {images}
k = 1
[clip]
model = "local-dir:{clip}"
[guards]
same_name = 1.0
annotated = false
"""


def coco(folder: Path, images: list[dict[str, Any]], **more: Any) -> Path:
    """A COCO file in which every image shows a cup on the left."""
    names = more.pop("names", ["cup", "naïve café ☕", "猫"])
    boxes = [{"id": n, "image_id": one["id"], "category_id": 0, "bbox": [1, 4, 12, 12]} for n, one in enumerate(images)]
    data = {"images": images, "annotations": boxes, "categories": [{"id": n, "name": name} for n, name in enumerate(names)]}
    return write_json(folder / "instances.json", data | more)


def survived(
    capsys: Capture, folder: Path, annotations: Path, images: int, strategies: tuple[str, ...] = ("content",)
) -> tuple[Benchmark, str]:
    """The benchmark that `hope-bench generate` makes with one question a split and image, and what it told meanwhile."""
    clip = data_root() / "benchmarks" / "demo" / "clip"
    (folder / "spec.toml").write_text(SPEC.format(images=images, clip=clip, strategies=json.dumps(strategies)))
    outcome = generated(capsys, folder, annotations)
    return read_benchmark(folder / "out"), outcome.err


def paint(folder: Path, *names: str) -> None:
    """Pictures of 40 x 30 pixels in the folder's pictures/."""
    for name in names:
        path = folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 30), 80).save(path)


# Refused


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (
            lambda folder: coco(folder, [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]),
            "1 image id occurs more than once (1)",
        ),
        (
            lambda folder: coco(folder, [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]),
            "1 image file_name occurs more than once ('a.png')",
        ),
        (
            lambda folder: coco(folder, [{"id": 1, "file_name": "a.png"}], categories=[{"id": 7, "name": "cup"}]),
            "1 category id it does not define (0)",
        ),
        (
            lambda folder: write_json(folder / "objects.json", [{"image_id": 1, "objects": []}] * 2),
            "image_id occurs more than once (1)",
        ),
    ],
    ids=["image id", "file name", "class id", "visual genome id"],
)
def test_what_is_ambiguous_is_refused(capsys: Capture, tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    annotations = write(tmp_path)
    (tmp_path / "spec.toml").write_text('name = "x"\nsample_images = 1\nk = 1\nstrategies = ["random"]\nheadline = "random"\n')
    message = refused(capsys, "generate", tmp_path / "spec.toml", "--annotations", annotations, "--out", tmp_path / "out")
    assert words in message
    assert annotations.name in message
    assert not (tmp_path / "out").exists()


# Survived


def test_malformed_rows_and_unknown_classes_of_open_images(capsys: Capture, tmp_path: Path) -> None:
    row = "0001eeaf4aed83f9,xclick,{},1,{},0.5,0.1,0.2,0,0,0,0,0\n"
    boxes = BOXES + row.format("/m/zzz", 0.1) + row.format("/m/0bt9lr", "x") + "ff\n"
    labels = LABELS + "0001eeaf4aed83f9,verification,/m/04hgtk,0\n00075905539074f2,verification,/m/04hgtk,yes\n\x00,\n"
    paint(tmp_path, *(f"{name}.jpg" for name in ("0001eeaf4aed83f9", "000595fe6fee6369", "00075905539074f2")))
    benchmark, told = survived(capsys, tmp_path, open_images_folder(tmp_path / "data", boxes, labels), 3)
    for words in (
        "bbox.csv: 1 row left out, with too few or too many fields",
        "bbox.csv: 1 row left out, their label has no class description (/m/zzz)",
        "bbox.csv: 1 object has no usable box: present, and nothing is claimed of the place",
        "boxable.csv: 1 row left out, a field is no number",
        "boxable.csv: 1 row left out, with too few or too many fields",
    ):
        assert words in told
        assert any(words in note for note in benchmark.manifest.notes)
    asked = {(one.image, one.object) for one in benchmark.splits["content"] if one.label == "no"}
    assert asked == {("0001eeaf4aed83f9.jpg", "Human head"), ("000595fe6fee6369.jpg", "Human head")}
    assert [one.image for one in benchmark.manifest.skipped] == ["00075905539074f2.jpg"]


def test_boxes_outside_and_without_size(capsys: Capture, tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(3)]
    boxes = [[-9, 4, 20, 12], [1, 4, 0, 12], [90, 4, 12, 12]]
    rows = [{"id": n, "image_id": n, "category_id": 0, "bbox": box} for n, box in enumerate(boxes)]
    rows += [{"id": 10 + n, "image_id": n, "category_id": 1, "bbox": [30, 4, 8, 8]} for n in range(3)]
    paint(tmp_path, "0.png", "1.png", "2.png")
    annotations = coco(tmp_path, images, annotations=rows)
    benchmark, told = survived(capsys, tmp_path, annotations, 3, ("content", "description"))
    for words in ("1 box reaches beyond the image, cut", "2 boxes have no size within the image"):
        assert words in told
        assert any(words in note for note in benchmark.manifest.notes)
    described = {(one.image, one.object) for one in benchmark.splits["description-twins"]}
    assert not described & {("1.png", "cup"), ("2.png", "cup")}, "nothing is said of what has no box"
    assert {one.object for one in benchmark.splits["content"] if one.label == "yes"} == {"cup"}, "it is present all the same"


def test_pictures_of_every_kind_and_names_of_any_script(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = Image.effect_noise((40, 30), 80)
    colour = Image.merge("RGB", (noise, noise.rotate(180), noise))
    turned = Image.Exif()
    turned[0x0112] = 6
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.convert("P").save(folder / "palette.png")
    noise.convert("I;16").save(folder / "sixteen.png")
    colour.rotate(90, expand=True).save(folder / "turned.jpg", exif=turned)  # 40 x 30 once turned
    colour.save(folder / "sideways.jpg", exif=turned)  # 30 x 40 once turned: not what was annotated
    colour.save(folder / "animated.gif", save_all=True, append_images=[noise.convert("RGB")])
    colour.convert("RGBA").save(folder / "straße ü.png")
    colour.convert("1").save(folder / "bilevel.png")
    (folder / "cut.jpg").write_bytes((folder / "turned.jpg").read_bytes()[:300])
    names = sorted(path.name for path in folder.iterdir())
    images = [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate([*names, "missing.png"])]
    rows = [{"id": n, "image_id": n, "category_id": n % 3, "bbox": [1, 4, 12, 12]} for n in range(len(images))]
    rows += [{"id": 99 + n, "image_id": n, "category_id": (n + 1) % 3, "bbox": [20, 4, 12, 12]} for n in range(len(images))]
    annotations = coco(tmp_path, images, annotations=rows)
    strategies = ("content", "category-similarity", "random")
    benchmark, told = survived(capsys, tmp_path, annotations, len(images), strategies)
    skipped = {one.image: one.reason for one in benchmark.manifest.skipped}
    assert skipped.keys() == {"cut.jpg", "missing.png"}
    assert "truncated" in skipped["cut.jpg"]
    assert skipped["missing.png"] == "the file is missing"
    assert "2 of 10 sampled images get no questions" in told
    assert "1 picture is of another shape than the annotations say" in told
    assert "sideways.jpg: 30 x 40, not 40 x 30" in told
    text = (tmp_path / "out" / "splits" / "content.jsonl").read_text(encoding="utf-8")
    assert "naïve café ☕" in text
    assert "猫" in text
    shown = hope_bench(capsys, "inspect", tmp_path / "out", "--images", folder, "--out", tmp_path / "gallery")
    assert shown.code == 0, shown.err
    assert "could not be shown" not in shown.err
    for target in ("vlmevalkit", "lmms-eval", "datasets"):
        options = ("--to", target, "--images", folder, "--out", tmp_path / target)
        assert hope_bench(capsys, "export", tmp_path / "out", *options).code == 0


def test_nothing_is_claimed_of_places_in_a_picture_that_was_turned_later(capsys: Capture, tmp_path: Path) -> None:
    paint(tmp_path, "upright.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.effect_noise((40, 30), 80).save(tmp_path / "pictures" / "sideways.jpg", exif=turned)
    images = [{"id": n, "file_name": f"{name}.jpg", "width": 40, "height": 30} for n, name in enumerate(("upright", "sideways"))]
    benchmark, _ = survived(capsys, tmp_path, coco(tmp_path, images), 2, ("content", "description"))
    assert [one.image for one in benchmark.manifest.skipped] == ["sideways.jpg"]
    assert "left for description" in benchmark.manifest.skipped[0].reason


def test_crops_of_pictures_that_were_not_sampled_are_checked(capsys: Capture, tmp_path: Path) -> None:
    """Missing, no picture, and turned after it was annotated: told, listed and survived; a size that is missing is read."""
    paint(tmp_path, "0.png", "1.png", "unsized.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.effect_noise((40, 30), 80).save(tmp_path / "pictures" / "sideways.jpg", exif=turned)
    (tmp_path / "pictures" / "text.png").write_text("not a picture")
    (tmp_path / "pictures" / "unsized text.png").write_text("nor this")
    names = ["0.png", "1.png", "missing.png", "sideways.jpg", "text.png", "unsized text.png", "unsized.png"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    images = [one if "unsized" in one["file_name"] else one | {"width": 40, "height": 30} for one in images]
    shown = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)]  # two in the sampled, one in the others
    rows = [{"id": n, "image_id": image, "category_id": what, "bbox": [1, 4, 12, 12]} for n, (image, what) in enumerate(shown)]
    annotations = coco(tmp_path, images, annotations=rows, names=["cup", "dog", "egg", "hat", "owl"])
    clip = data_root() / "benchmarks" / "demo" / "clip"
    spec = SPEC.format(images=2, clip=clip, strategies='["category-similarity"]').replace('"content"', '"category-similarity"')
    (tmp_path / "spec.toml").write_text(spec.replace("k = 1", "k = 2"))
    told = generated(capsys, tmp_path, annotations).err
    manifest = read_benchmark(tmp_path / "out").manifest
    assert manifest.images.keys() == {"0.png", "1.png"}
    (note,) = manifest.notes
    assert note == (
        "4 of 9 object crops could not be used "
        "(missing.png: the file is missing, sideways.jpg: its shape is 30 x 40, not 40 x 30, "
        "text.png: not an image, or of an unknown format and 1 more); 2 categories are compared by their name alone."
    )
    assert note in " ".join(told.split())
    assert manifest.prototypes is not None
    assert (manifest.prototypes.crops, manifest.prototypes.pictures) == (5, 3)


def test_an_image_without_candidates_is_skipped_counted_and_listed(capsys: Capture, tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(2)]
    shown = [(0, 0), (0, 1), (1, 0)]  # the first image shows everything there is
    rows = [{"id": n, "image_id": image, "category_id": what, "bbox": [1, 4, 12, 12]} for n, (image, what) in enumerate(shown)]
    paint(tmp_path, "0.png", "1.png")
    annotations = coco(tmp_path, images, annotations=rows, names=["cup", "dog"])
    benchmark, told = survived(capsys, tmp_path, annotations, 2, ("content", "random"))
    (skipped,) = benchmark.manifest.skipped
    assert (skipped.image, skipped.reason) == ("0.png", "fewer than 1 distractors are left for content")
    assert "1 of 2 sampled images get no questions: 0.png (fewer than 1 distractors are left for content)" in told
    assert {one.image for questions in benchmark.splits.values() for one in questions} == {"1.png"}
    assert benchmark.manifest.images.keys() == {"1.png"}


def test_visual_genome_with_everything_wrong_at_once(capsys: Capture, tmp_path: Path) -> None:
    paint(tmp_path, "VG_100K_2/1.jpg", "VG_100K/2.jpg")
    benchmark, told = survived(capsys, tmp_path, visual_genome_folder(tmp_path / "data"), 2)
    for words in ("1 object without a name", "image_data.json lacks 1 image", "are not in objects.json"):
        assert words in told
        assert any(words in note for note in benchmark.manifest.notes)
