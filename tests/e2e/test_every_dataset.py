"""From every dataset's published layout to questions, through the command line, with a real CLIP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hope_bench.annotations import read_annotations
from hope_bench.annotations.of_benchmark import find_annotations
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.registry import data_root
from hope_bench.reviewing.picture import known_present
from tests.cli import generated, hope_bench
from tests.datasets import hf_dataset, lvis_file, objects365_file, open_images_folder, visual_genome_folder

SPEC = """
name = "trial"
strategies = ["random", "popular", "adversarial", "category", "content", "description"]
headline = "content"
sample_images = {images}
k = 1
wording = "natural"
[clip]
model = "local-dir:{clip}"
[guards]
same_name = 1.0
verified = {verified}
"""


def object_list(folder: Path) -> Path:
    path = folder / "objects.json"
    path.write_text('{"image": "a.jpg", "objects": ["cup", "dog"]}\n{"image": "b.jpg", "objects": ["skis"]}\n')
    return path


def saved_dataset(folder: Path) -> Path:
    hf_dataset().save_to_disk(folder / "cppe-5")
    return folder / "cppe-5"


def made(
    capsys: pytest.CaptureFixture[str], folder: Path, annotations: Path, images: int, verified: bool = False, drop: str = ""
) -> Benchmark:
    """The benchmark that `hope-bench generate` makes, with pictures under the names that the annotations give."""
    read = read_annotations(annotations)
    for image in read.images:
        path = folder / "pictures" / image.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((image.width or 64, image.height or 48), 80).convert("RGB").save(path, "JPEG")
    text = SPEC.format(images=images, clip=data_root() / "benchmarks" / "demo" / "clip", verified=str(verified).lower())
    (folder / "spec.toml").write_text(text.replace(f', "{drop}"', ""))
    outcome = generated(capsys, folder, annotations)
    for problem in read.problems:
        assert problem in outcome.err, "what was wrong is told"
        assert problem in read_benchmark(folder / "out").manifest.notes
    return read_benchmark(folder / "out")


def texts(benchmark: Benchmark) -> set[str]:
    return {question.text for questions in benchmark.splits.values() for question in questions}


@pytest.mark.parametrize(
    ("dataset", "images", "drop", "expected"),
    [
        (lvis_file, 2, "description", {"Is there a bow (weapon) in the image?", "Is there a jalapeño in the image?"}),
        (
            objects365_file,
            2,
            "description",
            {"Is there a monitor or TV in the image?", "Is there a cabinet or shelf in the image?"},
        ),
        (open_images_folder, 3, "description", {"Is there a dog in the image?", "Is there an animal in the image?"}),
        (visual_genome_folder, 2, "description", {"Is there a tree in the image?"}),
        (saved_dataset, 2, "", {"Is there a face shield in the image?", "Is there a coverall in the image?"}),
        (object_list, 2, "description", {"Is there a cup in the image?", "Are there skis in the image?"}),
    ],
)
def test_from_published_files_to_questions(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    dataset: Callable[[Path], Path],
    images: int,
    drop: str,
    expected: set[str],
) -> None:
    (tmp_path / "data").mkdir()
    annotations = dataset(tmp_path / "data")
    benchmark = made(capsys, tmp_path, annotations, images, drop=drop)
    assert expected <= texts(benchmark)
    assert all(re.fullmatch(r"(Is|Are) there [^_/]+ in the image\?", text) for text in texts(benchmark)), texts(benchmark)
    present = {
        image.file_name: read_annotations(annotations).present(n) for n, image in enumerate(read_annotations(annotations).images)
    }
    for questions in benchmark.splits.values():
        for question in questions:
            assert question.object is not None
            there = question.object in present[question.image]
            assert there == (question.label == "yes" or question.description is not None)


def test_verified_absences_are_the_only_distractors_of_open_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    head = "{},verification,/m/04hgtk,{}\n"
    labels = "ImageID,Source,LabelName,Confidence\n" + "".join(
        head.format(image, present)
        for image, present in (("0001eeaf4aed83f9", 0), ("000595fe6fee6369", 0), ("00075905539074f2", 1))
    )
    annotations = open_images_folder(tmp_path / "data", labels=labels)
    benchmark = made(capsys, tmp_path, annotations, 3, verified=True, drop="description")
    asked = {(one.image, one.object) for questions in benchmark.splits.values() for one in questions if one.label == "no"}
    assert asked == {("0001eeaf4aed83f9.jpg", "Human head"), ("000595fe6fee6369.jpg", "Human head")}
    (skipped,) = benchmark.manifest.skipped
    assert skipped.image == "00075905539074f2.jpg", "nothing is known to be absent from it"
    assert "fewer than 1 distractors are left" in skipped.reason
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["images"]) == 2


def test_the_folder_of_the_images_may_be_the_innermost_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    annotations = lvis_file(tmp_path)
    made(capsys, tmp_path, annotations, 2, drop="description")
    options = ("--annotations", annotations, "--images", tmp_path / "pictures" / "val2017", "--cache", tmp_path / "cache")
    outcome = hope_bench(capsys, "generate", tmp_path / "spec.toml", *options, "--out", tmp_path / "inner")
    assert outcome.code == 0, outcome.err
    whole, inner = read_benchmark(tmp_path / "out"), read_benchmark(tmp_path / "inner")
    assert list(inner.manifest.images) == [name.removeprefix("val2017/") for name in whole.manifest.images]
    found = find_annotations(inner, annotations)
    assert found is not None
    assert known_present(inner, found).keys() == inner.manifest.images.keys()
