"""Places that can't be written to: every command that writes says so in a paragraph, exit code 2, and leaves what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hope_bench.benchmark import read_benchmark
from tests.cli import hope_bench, refused
from tests.runs import make_run
from tests.small_benchmark import Small, write_small

Capture = pytest.CaptureFixture[str]

SPEC = 'name = "mine"\nsample_images = 2\nk = 1\nstrategies = ["random", "popular"]\nheadline = "popular"\n'
POPE_LINE = '{"question_id": 1, "image": "a.jpg", "text": "Is there a cup in the image?", "label": "yes"}\n'


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("small")
    small = write_small(folder)
    benchmark = read_benchmark(small.folder)
    said = {(one.image, one.object): "no" for one in benchmark.splits["content"]}
    make_run(folder / "runs" / "small" / "mine", benchmark, said)
    (folder / "spec.toml").write_text(SPEC)
    (folder / "pope.json").write_text(POPE_LINE)
    return small


COMMANDS: list[Sequence[str]] = [
    ["generate", "{base}/spec.toml", "--annotations", "{base}/instances.json", "--out", "{out}"],
    ["export", "{benchmark}", "--to", "llava", "--out", "{out}"],
    ["export", "{benchmark}", "--to", "datasets", "--out", "{out}"],
    ["inspect", "{benchmark}", "--no-images", "--out", "{out}"],
    ["inspect", "{benchmark}", "--images", "{base}/images", "--out", "{out}"],
    ["import", "pope", "--name", "p", "--split", "random={base}/pope.json", "--out", "{out}"],
    ["import", "labels", "{benchmark}", "{base}/pope.json", "--out", "{out}"],
    ["score", "{run}", "--benchmark", "{benchmark}", "--results", "{out}"],
    ["report", "{run}", "--benchmark", "{benchmark}", "--out", "{out}/page.html"],
    ["leaderboard", "build", "--results", "{results}", "--out", "{out}"],
    ["leaderboard", "serve", "--results", "{results}", "--out", "{out}", "--port", "0"],
    ["leaderboard", "add", "{results}/small/tiny.json", "--results", "{out}"],
    ["demo", "--scenes", "10", "--out", "{out}"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("inside", ["", "/deeper/still"])
def test_a_file_in_the_way_is_named_and_stays(
    capsys: Capture, small: Small, results: Path, tmp_path: Path, command: Sequence[str], inside: str
) -> None:
    there = tmp_path / "a-file"
    there.write_text("precious")
    values = {
        "base": small.folder.parent, "benchmark": small.folder, "run": small.folder.parent / "runs" / "small" / "mine",
        "results": results, "out": f"{there}{inside}",
    }  # fmt: skip
    message = refused(capsys, *(word.format(**values) for word in command))
    assert f"{there} is a file" in message
    assert there.read_text() == "precious"
    assert [one.name for one in tmp_path.iterdir()] == ["a-file"]


@pytest.fixture(scope="module")
def results(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hope_bench.result import write_result
    from hope_bench.scoring.score import score

    folder = tmp_path_factory.mktemp("results")
    result = score(read_benchmark(small.folder), small.folder.parent / "runs" / "small" / "mine")
    write_result(folder / "small" / "tiny.json", result)
    return folder


def test_a_folder_that_takes_nothing_is_refused_before_any_work(capsys: Capture, small: Small) -> None:
    nowhere = Path("/proc/x")  # refuses even root
    base = small.folder.parent
    outcome = hope_bench(capsys, "generate", base / "spec.toml", "--annotations", base / "instances.json", "--out", nowhere)
    assert outcome.code == 2
    assert outcome.err.startswith("Error: Nothing can be written to /proc/x")  # nothing was read before


def test_checking_a_folder_makes_none(tmp_path: Path) -> None:
    from hope_bench.provenance import check_folder

    check_folder(tmp_path / "a" / "b")
    check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
