"""The look at a benchmark: its numbers by hand, and what the gallery is drawn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from hope_bench.annotations import read_annotations
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.inspection.gallery import gallery_data, write_gallery
from hope_bench.inspection.sizes import sizes_asked
from hope_bench.inspection.summary import histogram, summarize
from hope_bench.inspection.thumbnails import LONGEST, Thumbnail, shrink
from hope_bench.inspection.training import training_overlap
from tests.cli import hope_bench, refused
from tests.small_benchmark import IMAGES, Small, write_small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_numbers_by_hand(small: Small) -> None:
    summary = summarize(read_benchmark(small.folder))
    random, content, description = summary.splits
    assert (summary.images, summary.unique_questions) == (3, 11)
    assert (content.questions, content.yes, content.no, content.yes_share, content.descriptions) == (6, 3, 3, 0.5, 0)
    assert (description.yes, description.no, description.descriptions, description.images) == (3, 2, 2, 2)
    assert content.distractors == (("bus", 1), ("dog", 1), ("vase", 1))
    assert description.distractors == (("bowl", 1),), "a description's object is there: it is no distractor"
    assert content.risk == (0, 1, 0, 0, 2, 0, 0, 0, 0, 0)
    assert content.mean_risk == pytest.approx(1 / 3)
    assert (random.risk, random.mean_risk, random.risk_unknown) == (None, None, 3)
    assert (description.risk_unknown, description.mean_risk) == (1, 0.05)
    found = {one.name: (one.present, one.absent) for one in summary.categories}
    assert found["cup"] == (1, (0, 0, 0)), "asked by three splits, of one image"
    assert found["vase"] == (0, (1, 1, 0))
    assert found["bowl"] == (0, (0, 0, 1))
    assert [one.name for one in summary.categories][:3] == ["dog", "vase", "apple"], "the most asked about first, ties by name"
    assert found["car"] == (1, (0, 0, 0)), "a description of a car asks about no absent car"
    assert summary.overlap[0] == (1.0, 0.2, 0.0)
    assert [row[0] for row in summary.overlap] == list(summary.overlap[0])


LISTS = {
    "instances_train2017.json": '{"images": [{"file_name": "000000000002.jpg", '
    '"coco_url": "http://x.org/train2017/000000000002.jpg", "flickr_url": "http://farm7.x.com/6255196340_z.jpg"}]}',
    "mix665k.json": '[{"id": "my photo 12.jpg", "image": "coco/train2017/000000000002.jpg"}, {"image": "gqa/7.jpg"}]',
    "seen.jsonl": '{"image": "COCO_train2014_000000000002.jpg"}\n{"image": "b\\\\x.png"}\n',
    "seen.txt": "/data/train2017/000000000002.JPG\nother.png\n",
    "seen.csv": "image,split\n000000000002.jpg,train\nmy photo 12.jpg,train\n",
    "ids.txt": "000000000002\n000000000009\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_how_much_of_a_benchmark_a_training_list_holds(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(LISTS[name])
    asked = ["COCO_val2014_000000000002.jpg", "COCO_val2014_000000000020.jpg", "12.jpg"]
    found = training_overlap(asked, tmp_path / name)
    assert (found.seen, found.images, found.share) == (("COCO_val2014_000000000002.jpg",), 3, pytest.approx(1 / 3))
    assert training_overlap(["000000000002.jpg"], tmp_path / name).share == 1
    if name.startswith("instances"):
        assert found.listed == 1, "an image's name on Flickr is no other image"


def test_a_folder_is_a_training_list_and_inspect_tells_it(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = hope_bench(capsys, "inspect", small.folder, "--no-images", "--training", small.images)
    assert "In images (3 images): 3 of the benchmark's 3 images (100.0%)." in " ".join(said.out.split())
    (tmp_path / "empty.txt").write_text("nothing here\n")
    assert "--annotations would have no effect" in refused(
        capsys, "inspect", small.folder, "--no-images", "--annotations", small.annotations
    )
    assert "names no images" in refused(capsys, "inspect", small.folder, "--no-images", "--training", "empty.txt")
    assert "nowhere does not exist" in refused(capsys, "inspect", small.folder, "--no-images", "--training", "nowhere")


def test_the_risk_histogram_covers_both_ends() -> None:
    assert histogram([0.0, 0.099, 0.1, 0.999, 1.0]) == (2, 1, 0, 0, 0, 0, 0, 0, 0, 2)


def test_each_question_is_in_the_data_once_with_every_split_that_asks_it(small: Small) -> None:
    benchmark = read_benchmark(small.folder)
    data = gallery_data(benchmark, {IMAGES[0]: Thumbnail("thumbs/000001.jpg", 160, 120)})
    (a, b, _) = data["images"]
    assert a[:4] == [IMAGES[0], "thumbs/000001.jpg", 160, 120]
    assert b[1] is None
    assert a[4] == [
        [1, "cup", 0, [[0, 1, None, None, 0, None], [1, 1, None, None, 0, None], [2, 1, None, None, 0, None]], 0],
        [0, "vase", 0, [[0, 2, None, None, 0, None], [1, 2, 0.31, 0.45, 0, 0.6667]], {"whole image": 0.21, "best tile": 0.27}],
        [0, "bowl", 0, [[2, 2, 0.2, None, 0, 0.3333]], 0],
    ]
    assert [0, "a red car", "Is there a red car in the image?", [[2, 4, 0.4, 0.05, 0, 1.0]], 0] in b[4]
    asked = sum(len(row[3]) for image in data["images"] for row in image[4])
    assert asked == sum(len(questions) for questions in benchmark.splits.values())


def test_the_same_inputs_give_the_same_gallery_and_nothing_from_elsewhere(small: Small, tmp_path: Path) -> None:
    benchmark = read_benchmark(small.folder)
    for out in ("one", "two"):
        write_gallery(benchmark, summarize(benchmark), tmp_path / out, small.images)
        (tmp_path / out / "thumbs" / "000009.jpg").write_bytes(b"of a longer gallery")
        assert write_gallery(benchmark, summarize(benchmark), tmp_path / out, small.images) == {}
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert sorted(path for path in files(tmp_path / "one") if "thumbs" in path) == [f"thumbs/00000{n}.jpg" for n in (1, 2, 3)]
    for name, content in files(tmp_path / "one").items():
        if not name.endswith(".jpg"):
            assert b"//" not in content.replace(b"// ", b""), f"{name} names an address"
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert json.loads((tmp_path / "one" / "data.js").read_text(encoding="utf-8").removeprefix("window.GALLERY = ").rstrip(";\n"))


def test_images_that_cannot_be_shown_are_counted_and_none_at_all_is_an_error(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small.images / "b.png").write_bytes(b"no picture")
    outcome = hope_bench(capsys, "inspect", small.folder, "--images", small.images, "--out", tmp_path / "out")
    assert outcome.code == 0
    assert "1 image could not be shown: b.png (not an image, or of an unknown format)." in outcome.err
    assert "could not be shown, b.png for one" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    (tmp_path / "empty").mkdir()
    assert "holds none of the 3 images" in refused(capsys, "inspect", small.folder, "--images", tmp_path / "empty")
    assert f"{small.folder} holds no spec.toml that could name" in refused(capsys, "inspect", small.folder)
    (small.folder / "spec.toml").write_text('name = "small"\nstrategies = ["random"]\nheadline = "random"\n')
    assert "small are: its spec.toml names no folder. Give" in refused(capsys, "inspect", small.folder)
    for name in IMAGES:
        (small.images / name).write_bytes(b"no picture")
    message = refused(capsys, "inspect", small.folder, "--images", small.images, "--out", tmp_path / "none")
    assert "None of the 3 images can be shown" in message


def test_a_gallery_is_written_over_an_earlier_or_interrupted_one_only(small: Small, tmp_path: Path) -> None:
    benchmark = read_benchmark(small.folder)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gallery(benchmark, summarize(benchmark), tmp_path / "out", small.images, interrupt)
    assert "not finished" in (tmp_path / "out" / "index.html").read_text()
    for _ in range(2):
        write_gallery(benchmark, summarize(benchmark), tmp_path / "out", small.images)
    assert "not finished" not in (tmp_path / "out" / "index.html").read_text()
    (tmp_path / "out" / "index.html").write_text("my own page")
    with pytest.raises(HopeBenchError, match="out holds files, but no gallery that hope-bench inspect wrote"):
        write_gallery(benchmark, summarize(benchmark), tmp_path / "out", small.images)
    assert (tmp_path / "out" / "index.html").read_text() == "my own page"


def test_the_tables(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = hope_bench(capsys, "inspect", small.folder, "--no-images", "--out", tmp_path / "out", "--details")
    words = " ".join(outcome.out.split())
    assert "Small: 3 images, 11 different questions" in words
    assert "2 content 20" in words
    assert "bus 33.3%, dog 33.3%, vase 33.3%" in words
    assert not (tmp_path / "out" / "thumbs").exists()


def test_a_thumbnail_is_turned_and_small(tmp_path: Path) -> None:
    picture = Image.new("RGB", (1600, 900), "red")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert shrink((tmp_path / "turned.jpg").read_bytes()).size == (LONGEST * 9 // 16, LONGEST)
    Image.new("CMYK", (30, 20)).save(tmp_path / "cmyk.jpg")
    assert (shrink((tmp_path / "cmyk.jpg").read_bytes()).mode) == "RGB"


def test_sizes_of_what_is_asked_and_what_is_not(tmp_path: Path) -> None:
    small = write_small(tmp_path)
    content = json.loads(small.annotations.read_text())
    # In a.jpg a vase that covers a quarter of 160 x 120 pixels; nothing asks about it with yes.
    content["annotations"].append({"id": 9, "image_id": 0, "category_id": 3, "bbox": [0, 0, 80, 60]})
    small.annotations.write_text(json.dumps(content))
    found = {one.split: one for one in sizes_asked(read_benchmark(small.folder), read_annotations(small.annotations))}
    assert (found["random"].asked, found["random"].unasked) == (3, 1)
    assert found["random"].asked_share == pytest.approx(70 * 70 / (160 * 120))
    assert found["random"].unasked_share == pytest.approx(0.25)
