"""Places that can't be written to: every command that writes says so in a paragraph, exit code 2, and leaves what is there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from hope_bench.cli.run_eval import run_eval
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import run_demo
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
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


OWN = {
    "README.md": "mine", "manifest.json": '{"name": "my app"}', "utils.py": "mine", "index.html": "<p>mine</p>",
    "splits/a.jsonl": "{}", "world/instances.json": '{"images": []}',
}  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of the user's own files."""
    for name, text in OWN.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text(text)
    return tmp_path / "own"


def unchanged(own: Path) -> bool:
    return {str(path.relative_to(own)): path.read_text() for path in own.rglob("*") if path.is_file()} == OWN


FOLDERS = [one for one in COMMANDS if one[0] in ("generate", "export", "inspect", "import", "demo") or one[1] == "build"]
FOLDERS += [
    ["export", "{benchmark}", "--to", "vlmevalkit", "--out", "{out}"],
    ["export", "{benchmark}", "--to", "lmms-eval", "--images", "{base}/images", "--out", "{out}"],
]  # fmt: skip


@pytest.mark.parametrize("command", FOLDERS, ids=lambda command: " ".join([*command[:2], command[3]]))
@pytest.mark.parametrize("link", [False, True])
def test_a_folder_of_the_users_own_is_refused_and_stays(
    capsys: Capture, small: Small, results: Path, tmp_path: Path, own: Path, command: Sequence[str], link: bool
) -> None:
    (tmp_path / "link").symlink_to(own)
    out = tmp_path / "link" if link else own
    values = {"base": small.folder.parent, "benchmark": small.folder, "results": results, "out": out}
    outcome = hope_bench(capsys, *(word.format(**values) for word in command))
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("Error: "), "before any work"
    message = " ".join(outcome.err.split())
    assert str(out) in message
    assert "another" in message or "Choose an empty or a new folder" in message
    assert unchanged(own)


def test_a_benchmark_is_only_written_where_one_may_be(capsys: Capture, small: Small, tmp_path: Path, own: Path) -> None:
    base, out = small.folder.parent, tmp_path / "out"
    generate = ["generate", base / "spec.toml", "--annotations", base / "instances.json", "--out"]
    (own / "manifest.json").unlink()
    assert "own holds files, but no benchmark" in refused(capsys, *generate, own)
    (out / "splits").mkdir(parents=True)
    (out / "spec.toml").write_text(SPEC)
    (out / "splits" / "mine.jsonl").write_text("{}")
    for _ in range(2):  # over a spec alone, then over an earlier benchmark
        assert hope_bench(capsys, *generate, out).code == 0
        assert (out / "splits" / "mine.jsonl").read_text() == "{}", "in no manifest"
    manifest = read_benchmark(out).manifest
    (out / "manifest.json").write_text(manifest.model_dump_json().replace('"schema_version":1', '"schema_version":0'))
    assert hope_bench(capsys, *generate, out).code == 0, "a benchmark of an earlier version"
    (out / "manifest.json").write_text("{}")
    assert "out/manifest.json is no benchmark's manifest, and would be replaced" in refused(capsys, *generate, out)


def test_an_interrupted_writing_of_a_benchmark_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hope_bench.files.benchmark as module

    write = module.write_text

    def interrupted(path: Path, text: str) -> None:
        if path.name == "description.jsonl":
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(module, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_small(tmp_path / "one")
    monkeypatch.undo()
    with pytest.raises(HopeBenchError, match=r"description.jsonl is missing.*Generate the benchmark again"):
        read_benchmark(tmp_path / "one" / "benchmark")
    shutil.rmtree(tmp_path / "one" / "images")
    write_small(tmp_path / "one")
    assert len(read_benchmark(tmp_path / "one" / "benchmark").splits) == 3


def test_a_demo_of_another_number_of_scenes_is_refused(capsys: Capture, tmp_path: Path) -> None:
    write_world(tmp_path / "world", 10, EVALUATION_SEED)
    message = refused(capsys, "demo", "--scenes", "20", "--out", tmp_path)
    assert (
        f"{tmp_path} holds a demo of 10 scenes, not of 20. Ask for 10 (hope-bench demo --scenes 10), or choose another folder."
        in message
    )
    with pytest.raises(HopeBenchError, match="demo of 10 scenes, not of 500"):
        run_eval(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_run_eval_refuses_a_folder_of_the_users_own(own: Path) -> None:
    with pytest.raises(HopeBenchError, match="own holds files, but no demo"):
        run_eval(out=own)
    assert unchanged(own)


def test_an_interrupted_demo_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hope_bench.demo.run as module

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def half(folder: Path, *_: object) -> None:
        write_world(folder, 5, EVALUATION_SEED)
        (folder / "captions.json").unlink()
        raise KeyboardInterrupt

    (tmp_path / ".world.killed" / "world").mkdir(parents=True)  # what SIGKILL leaves
    monkeypatch.setattr(module, "generate", interrupt)
    for draw in (half, write_world, interrupt):  # interrupted while drawing, and after it; then not drawn again
        monkeypatch.setattr(module, "write_world", draw)
        with pytest.raises(KeyboardInterrupt):
            run_demo(tmp_path, 10)
        assert (tmp_path / "world").exists() == (draw is not half)
    assert len(list((tmp_path / "world" / "images").iterdir())) == 10


@pytest.fixture(scope="module")
def results(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hope_bench.files.result_file import write_result
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
