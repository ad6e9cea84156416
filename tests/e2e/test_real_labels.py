"""LLaVA-1.5-13B under POPE's labels and under RePOPE's, with the paired difference."""

from __future__ import annotations

from pathlib import Path

import pytest

import hope_bench as hb
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.result import Bootstrap
from hope_bench.files.result_file import read_result
from hope_bench.interchange.relabel import relabel, relabelled
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
from hope_bench.scoring.labels import score_relabelled
from hope_bench.site.reading import check_numbers
from tests.cli import hope_bench

pytestmark = pytest.mark.real

SPLITS = ("random", "popular", "adversarial")
PROMPT = "{question}\nAnswer the question using a single word or phrase."


@pytest.fixture(scope="module")
def run(real: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The benchmark's folder and the run's, which nothing here changes."""
    folder = tmp_path_factory.mktemp("real")
    splits = {name: real / "pope" / f"coco_pope_{name}.json" for name in SPLITS}
    benchmark = hb.import_pope("pope-coco", splits, prompt=PROMPT, out=folder / "pope-coco")
    llava = real / "llava-v1.5-13b"
    imported, _ = hb.import_answers(
        [llava / "answers.jsonl"], benchmark, "llava", questions=llava / "questions.jsonl", runs=folder / "runs"
    )
    return folder / "pope-coco", imported


def test_the_corrections_move_the_numbers(real: Path, run: tuple[Path, Path], tmp_path: Path) -> None:
    labels = [real / "repope" / f"coco_repope_{name}.json" for name in SPLITS]
    benchmark = read_benchmark(run[0])
    bootstrap = Bootstrap(replicates=500, seed=0, confidence=0.95)
    scored = score_relabelled(benchmark, relabelled(benchmark, labels, "repope-coco"), run[1], bootstrap)
    before = {name: round(split.f1.value or 0, 4) for name, split in scored.before.splits.items()}
    assert before == {"random": 0.8714, "popular": 0.8625, "adversarial": 0.8446}
    after = {name: len(split.labels) for name, split in scored.after.splits.items()}
    assert after == {"random": 2774, "popular": 2727, "adversarial": 2684}
    for name in SPLITS:
        move = scored.differences[name]["f1"]
        assert move.value == pytest.approx((scored.after.splits[name].f1.value or 0) - before[name], abs=1e-4)
        assert move.low is not None
        assert move.high is not None
        assert move.low < (move.value or 0) < move.high
        print(name, "F1", before[name], "->", scored.after.splits[name].f1, "moves by", move)
        recall = scored.differences[name]["recall"]
        assert (recall.low or 0) > 0  # wrong yes-labels had counted as misses
    check_numbers(scored.after, "after")
    direct, _ = relabel(benchmark, labels, "repope-coco", "x", tmp_path / "direct")
    assert scored.after.benchmark.hash == direct.hash


def test_the_documented_numbers(real: Path, run: tuple[Path, Path]) -> None:
    """docs/scoring.md's table, with the default bootstrap."""
    labels = [real / "repope" / f"coco_repope_{name}.json" for name in SPLITS]
    benchmark = read_benchmark(run[0])
    scored = score_relabelled(benchmark, relabelled(benchmark, labels, "repope-coco"), run[1], DEFAULT_BOOTSTRAP)
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "scoring.md").read_text()
    for name in SPLITS:
        f1 = [result.splits[name].f1.percent() for result in (scored.before, scored.after)]
        moves = [scored.differences[name][metric].points() for metric in ("f1", "hallucination_rate", "recall")]
        assert f"| `{name}` | {' | '.join([*f1, *moves])} |" in page


def test_the_command(real: Path, run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = [part for name in SPLITS for part in ("--labels", real / "repope" / f"coco_repope_{name}.json")]
    options = ["-b", run[0], "--results", tmp_path / "results", "--replicates", 200]
    done = hope_bench(capsys, "score", run[1], *options, *labels, "--name", "repope-coco")
    assert done.code == 0, done.err
    assert "repope-coco minus pope-coco" in done.out
    result = read_result(tmp_path / "results" / "repope-coco" / "llava.json")
    assert result.benchmark.name == "repope-coco"
    for convention in ("pope", "vlmevalkit", "lmms-eval", "repope"):
        assert hope_bench(capsys, "score", run[1], *options, "--convention", convention).code == 0
        found = read_result(tmp_path / "results" / "pope-coco" / convention / "llava.json")
        assert round(found.splits["adversarial"].f1.value or 0, 4) == 0.8446  # plain yes and no: all conventions agree


def test_the_5127_unique_questions(run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hope_bench(capsys, "score", run[1], "-b", run[0], "--results", tmp_path, "--replicates", 100).code == 0
    found = {one.method: one for one in read_result(tmp_path / "pope-coco" / "llava.json").averages}
    assert (found["pooled"].questions, found["unique"].questions) == (9000, 5127)
    assert found["split-mean"].metrics["f1"].value == pytest.approx((0.8714 + 0.8625 + 0.8446) / 3, abs=1e-4)


def test_pope_under_repopes_labels_is_repope(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--labels repope, where repope is the folder of RePOPE's files: the same questions as importing RePOPE itself."""
    pope = [part for name in SPLITS for part in ("--split", f"{name}={real / 'pope' / f'coco_pope_{name}.json'}")]
    repope = [part for name in SPLITS for part in ("--split", f"{name}={real / 'repope' / f'coco_repope_{name}.json'}")]
    options = ("--name", "repope-coco", "--out")
    relabelled = hope_bench(capsys, "import", "pope", *pope, "--labels", real / "repope", *options, tmp_path / "relabelled")
    assert relabelled.code == 0, relabelled.err
    assert "random: 139 labels yes to no, 5 no to yes, 226 questions left out" in relabelled.out
    files = ", ".join(f"coco_pope_{split}.json" for split in SPLITS)
    assert f"The labels of {files} are replaced by those of coco_repope_" in relabelled.out
    imported = hope_bench(capsys, "import", "pope", *repope, *options, tmp_path / "imported")
    assert imported.code == 0, imported.err
    one, other = (read_benchmark(tmp_path / name) for name in ("relabelled", "imported"))
    assert one.manifest.hash == other.manifest.hash
