"""A benchmark's sheet: what its page tells where only results are at hand, and which pictures may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, GuardStats, read_benchmark, write_benchmark
from hope_bench.files.result import Result
from hope_bench.files.result_file import write_result
from hope_bench.records import Question
from hope_bench.reviewing.noise import LabelNoise, NoiseEstimate, share, write_label_noise
from hope_bench.scoring.score import score
from hope_bench.site import build_site
from hope_bench.site.sheet import Sheet, describe, read_sheets
from tests.cli import hope_bench, refused
from tests.runs import make_run
from tests.unit.test_site import FAST, Links, change

IMAGES = [f"{number}.jpg" for number in range(6)]
RISKS = (0.0, 0.04, 0.31, 0.35, 0.99, 1.0)
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Six images, a dog that is there and a wolf that isn't, with a risk on `content`."""
    folder = tmp_path / "benchmarks" / "tiny"
    splits = {
        name: [
            question
            for number, image in enumerate(IMAGES)
            for question in (
                Question(2 * number, image, "Is there a dog in the image?", "yes", name, "dog"),
                Question(2 * number + 1, image, f"Is there a {absent} in the image?", "no", name, absent, risk=risk[number]),
            )
        ]
        for name, absent, risk in (("adversarial", "cat", [None] * 6), ("content", "wolf", RISKS))
    }
    write_benchmark(
        folder, splits, {"adversarial": "pope", "content": "hope"}, name="tiny", title="Tiny", headline="content",
        prompt="{question}", k=1, dataset="none", images=dict.fromkeys(IMAGES),
        guards={"captions": GuardStats(removed=7, displaced={"content": 2})},
    )  # fmt: skip
    return read_benchmark(folder)


@pytest.fixture
def result(benchmark: Benchmark, tmp_path: Path) -> Result:
    """Affirms the dogs, and the wolves of the last two images."""
    said: dict[tuple[str, str], Any] = {(image, "dog"): "yes" for image in IMAGES} | {(image, "cat"): "no" for image in IMAGES}
    said |= {(image, "wolf"): "yes" if image in IMAGES[4:] else "no" for image in IMAGES}
    made = score(benchmark, make_run(tmp_path / "run", benchmark, said), FAST)
    write_result(tmp_path / "leaderboard" / "results" / "tiny" / "model.json", made)
    return made


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in IMAGES:
        Image.new("RGB", (1000, 500), "red").save(folder / name, exif=b"Exif\x00\x00 a secret place")
    return folder


def about(site: Path) -> str:
    (page,) = (site / "benchmarks").glob("*-about.html")
    return page.read_text()


NEEDS_RESULT = pytest.mark.usefixtures("result")


def built(tmp_path: Path, benchmarks: str = "nowhere") -> Path:
    build_site(tmp_path / "leaderboard" / "results", tmp_path / "site", tmp_path / benchmarks)
    return tmp_path / "site"


@pytest.mark.usefixtures("benchmark", "result")
def test_a_benchmark_at_hand_needs_no_sheet(tmp_path: Path) -> None:
    assert "has no sheet" in about(built(tmp_path))
    page = about(built(tmp_path, "benchmarks"))
    for words in ('<td class="num">7</td>', "content 2", ">wolf</a>", "0.jpg"):
        assert words in page, words
    assert "img" not in Links(page).tags
    assert re.search(r'id="risk">\{"splits":\[\{"name":"content","kind":"hope","counts":\[2,0,0,2,0,0,0,0,0,2\]', page)


@pytest.mark.usefixtures("benchmark", "result")
def test_a_broken_benchmark_that_no_result_is_of_is_left_out(tmp_path: Path, capsys: Capture) -> None:
    broken = tmp_path / "benchmarks" / "other" / "manifest.json"
    broken.parent.mkdir()
    broken.write_text('{"name": "oth')
    command = ("leaderboard", "build", "--results", tmp_path / "leaderboard" / "results", "--out", tmp_path / "site")
    outcome = hope_bench(capsys, *command)
    assert outcome.code == 0, outcome.err
    assert f"Left out, as no result here is of other: {broken} is not JSON" in " ".join(outcome.err.split())
    assert ">wolf</a>" in about(tmp_path / "site"), "the others are described"
    broken.parent.rename(tmp_path / "benchmarks" / "x")
    (tmp_path / "benchmarks" / "tiny" / "manifest.json").write_text("{")
    assert f"{tmp_path / 'benchmarks' / 'tiny' / 'manifest.json'} is not JSON" in refused(capsys, *command)


def test_what_a_sheet_counts(benchmark: Benchmark) -> None:
    sheet = describe(benchmark)
    content = sheet.splits["content"]
    assert (content.yes, content.no) == (6, 6)
    assert content.risk is not None
    assert (content.risk.known, content.risk.tenths) == (6, (2, 0, 0, 2, 0, 0, 0, 0, 0, 2))
    assert content.risk.mean == pytest.approx(sum(RISKS) / 6, abs=1e-6)
    assert sheet.splits["adversarial"].risk is None
    assert [(one.image, one.question) for one in content.examples][:2] == [
        ("0.jpg", "Is there a wolf in the image?"), ("1.jpg", "Is there a wolf in the image?"),
    ]  # fmt: skip
    assert sheet.guards["captions"].removed == 7


@NEEDS_RESULT
def test_a_described_benchmark_stands_alone_with_its_pictures(
    benchmark: Benchmark, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ("leaderboard", "describe", benchmark.folder, "--results", tmp_path / "leaderboard" / "results")
    assert hope_bench(capsys, *command, "--images", images, "--licence", "CC0").code == 0
    site = built(tmp_path)
    page, model = about(site), (site / "tiny" / "model.html").read_text()
    for html, folder, shown in ((page, site / "benchmarks", 3), (model, site / "tiny", 2)):
        pictures = [link for link in Links(html).links if "/images/" in link]
        assert len(set(pictures)) == shown
        for link in pictures:
            with Image.open(folder / link) as picture:
                assert (picture.format, picture.size) == ("JPEG", (512, 256))
                assert not picture.getexif()
            assert b"secret" not in (folder / link).read_bytes()
    assert "CC0" in page
    again = {path: path.read_bytes() for path in (tmp_path / "leaderboard" / "benchmarks").rglob("*.*") if path.is_file()}
    assert hope_bench(capsys, *command, "--images", images, "--licence", "CC0").code == 0
    assert again == {path: path.read_bytes() for path in again}
    assert hope_bench(capsys, *command).code == 0
    assert [path.name for path in (tmp_path / "leaderboard" / "benchmarks").glob("*/*")] == ["questions.json.gz"]
    site = built(tmp_path)
    assert "img" not in Links(about(site)).tags
    next((tmp_path / "leaderboard" / "benchmarks").glob("*/questions.json.gz")).unlink()
    site = built(tmp_path)
    assert all(words in about(site) for words in ("Is there a wolf in the image?", "risk 0.31"))  # its examples
    assert "5.jpg" in (site / "tiny" / "model.html").read_text()


@NEEDS_RESULT
def test_pictures_need_a_licence(benchmark: Benchmark, images: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("leaderboard", "describe", benchmark.folder, "--results", tmp_path / "leaderboard" / "results", "--images")
    assert "--licence" in refused(capsys, *command, images)
    assert "--images" in refused(capsys, *command, tmp_path / "elsewhere", "--licence", "CC0")
    assert not (tmp_path / "leaderboard" / "benchmarks").exists()


@NEEDS_RESULT
def test_the_label_noise_of_a_review_is_shown(benchmark: Benchmark, tmp_path: Path) -> None:
    rows = [LabelNoise(split="content", label="no", sampled=50, wrong=share(3, 50), unsure=share(1, 50))]
    estimate = NoiseEstimate(
        benchmark="tiny", hash=benchmark.manifest.hash, sample=50, seed=0, reviewers=("Ada", "Bob"), estimates=tuple(rows)
    )
    assert "label noise isn&rsquo;t known" in about(built(tmp_path, "benchmarks"))
    write_label_noise(benchmark.folder, estimate)
    page = about(built(tmp_path, "benchmarks"))
    assert "Ada, Bob" in page
    assert '<span class="number">6.0</span><span class="interval">2.1 to 16.2</span>' in page


Change = Callable[[dict[str, Any]], None]
EVIL = "<script>alert(1)</script>"


@NEEDS_RESULT
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change("splits", "content", "no", to=5), "doesn't describe the split content"),
        (change("splits", "content", "risk", "known", to=5), "tenths don't count"),
        (change("pictures", to={"0.jpg": "../../../etc/passwd.png"}), "A picture is called"),
        (change("pictures", to={"0.jpg": "x.svg"}), "A picture is called"),
        (change("pictures", to={"0.jpg": "gone.png"}), "is missing"),
        (change("images_licence", to=None), "pictures without images_licence"),
        (change("splits", "content", "examples", 0, "question", to="a\u202eb"), "U+202E"),
        (change("commit", to="javascript:alert(1)"), "a link with javascript:"),
        (change("hash", to="0" * 64), "call it tiny-000000000000.json"),
        (change("nmae", to="x"), "Did you mean 'name'"),
    ],
)  # fmt: skip
def test_what_a_sheet_may_not_be(benchmark: Benchmark, images: Path, tmp_path: Path, changed: Change, words: str) -> None:
    path = written(benchmark, tmp_path, images)
    data = json.loads(path.read_text())
    changed(data)
    path.write_text(json.dumps(data))
    with pytest.raises(HopeBenchError, match=re.escape(words)):
        built(tmp_path)
    assert not (tmp_path / "site").exists()


def written(benchmark: Benchmark, tmp_path: Path, images: Path) -> Path:
    from hope_bench.site.sheet import describe_benchmark

    return describe_benchmark(benchmark, tmp_path / "leaderboard" / "results", images, "CC0")


@NEEDS_RESULT
def test_a_picture_is_a_picture(benchmark: Benchmark, images: Path, tmp_path: Path) -> None:
    path = written(benchmark, tmp_path, images)
    picture = next(path.with_suffix("").glob("*.jpg"))
    good = picture.read_bytes()
    for bad in (b"<svg onload=alert(1)>", good + b" " * 2**20):
        picture.write_bytes(bad)
        with pytest.raises(HopeBenchError, match="is no JPG picture"):
            built(tmp_path)
    picture.unlink()
    picture.symlink_to("/etc/passwd")
    with pytest.raises(HopeBenchError, match="leads out of"):
        read_sheets(path.parent)


@NEEDS_RESULT
def test_markup_in_a_sheet_is_text(benchmark: Benchmark, tmp_path: Path, images: Path) -> None:
    path = written(benchmark, tmp_path, images)
    sheet = Sheet.model_validate_json(path.read_text())
    split = sheet.splits["content"]
    example = split.examples[0].model_copy(update={"question": EVIL, "image": EVIL})
    splits = {**sheet.splits, "content": split.model_copy(update={"examples": (example,)})}
    evil = {"splits": splits, "commit": EVIL, "images_licence": EVIL, "versions": {EVIL: EVIL}}
    path.write_text(sheet.model_copy(update=evil).model_dump_json())
    page = about(built(tmp_path))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
