"""What LLaVA-1.5-13B really answered, imported and scored: the numbers its paper reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hope_bench.benchmark import read_benchmark
from hope_bench.result import read_result
from hope_bench.review.noise import read_label_noise
from hope_bench.runs import read_run
from hope_bench.site.sheet import read_sheets
from tests.cli import hope_bench

pytestmark = pytest.mark.real

SPLITS = ("random", "popular", "adversarial")
PROMPT = "{question}\nAnswer the question using a single word or phrase."
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def pope_coco(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    splits = [part for name in SPLITS for part in ("--split", f"{name}={real / 'pope' / f'coco_pope_{name}.json'}")]
    out = tmp_path / "pope-coco"
    done = hope_bench(capsys, "import", "pope", "--name", "pope-coco", "--prompt", PROMPT, *splits, "--out", out)
    assert done.code == 0, done.err
    return out


def test_the_papers_numbers(real: Path, pope_coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    llava = real / "llava-v1.5-13b"
    imported = hope_bench(
        capsys, "import", "answers", llava / "answers.jsonl", "--questions", llava / "questions.jsonl", "--benchmark", pope_coco,
        "--name", "llava-v1.5-13b", "--model-name", "LLaVA-v1.5-13B", "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert imported.code == 0, imported.err
    run = tmp_path / "runs" / "pope-coco" / "llava-v1.5-13b"
    assert read_run(run).run.prompt == PROMPT
    scored = hope_bench(capsys, "score", run, "--benchmark", pope_coco, "--results", tmp_path / "results")
    assert scored.code == 0, scored.err

    result = read_result(tmp_path / "results" / "pope-coco" / "llava-v1.5-13b.json")
    counts = {name: split.on_yes.unasked + split.on_no.unasked for name, split in result.splits.items()}
    asked = {name: len(split.labels) - counts[name] for name, split in result.splits.items()}
    assert asked == {"random": 2910, "popular": 3000, "adversarial": 3000}
    f1 = {name: round(split.f1.value or 0, 4) for name, split in result.splits.items()}
    assert f1 == {"random": 0.8714, "popular": 0.8625, "adversarial": 0.8446}
    assert result.unranked is None

    built = hope_bench(capsys, "leaderboard", "build", "--results", tmp_path / "results", "--out", tmp_path / "site")
    assert built.code == 0, built.err
    index = (tmp_path / "site" / "index.html").read_text()
    assert 'href="pope-coco/llava-v1.5-13b.html">LLaVA-v1.5-13B</a>' in index
    assert ">84.5<" in index
    page = (tmp_path / "site" / "pope-coco" / "llava-v1.5-13b.html").read_text()
    assert "90 of random" in page


def test_the_committed_result_is_this_one(
    real: Path, pope_coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every number of the published result comes out again from the public files."""
    llava = real / "llava-v1.5-13b"
    files = [llava / "answers.jsonl", "--questions", llava / "questions.jsonl"]
    options = ["--benchmark", pope_coco, "--name", "llava", "--runs", tmp_path]
    assert hope_bench(capsys, "import", "answers", *files, *options).code == 0
    assert hope_bench(capsys, "score", tmp_path / "pope-coco" / "llava", "-b", pope_coco, "--results", tmp_path / "out").code == 0
    ours = read_result(tmp_path / "out" / "pope-coco" / "llava.json")
    committed = read_result(ROOT / "leaderboard" / "results" / "pope-coco" / "llava-v1.5-13b.json")
    assert committed.splits == ours.splits
    assert committed.benchmark.hash == ours.benchmark.hash


def test_repope_files_become_a_benchmark(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = [part for name in SPLITS for part in ("--split", f"{name}={real / 'repope' / f'coco_repope_{name}.json'}")]
    done = hope_bench(capsys, "import", "pope", "--name", "repope-coco", *splits, "--out", tmp_path / "b")
    assert done.code == 0, done.err
    for count in ("2,774", "2,727", "2,684"):
        assert count in done.out
    assert "don't share their yes-questions" in done.out


def test_the_committed_sheets_label_noise_is_repopes(
    real: Path, pope_coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RePOPE's corrections as a review of every question: a label it left out was ambiguous."""
    benchmark = read_benchmark(pope_coco)
    files = [part for name in SPLITS for part in ("--split", f"{name}={real / 'repope' / f'coco_repope_{name}.json'}")]
    assert hope_bench(capsys, "import", "pope", "--name", "repope-coco", *files, "--out", tmp_path / "repope").code == 0
    decisions = {}
    for name, corrected in read_benchmark(tmp_path / "repope").splits.items():
        labels = {(question.image, question.object): question.label for question in corrected}
        for question in benchmark.splits[name]:
            claim = (question.image, question.object)
            found = {"yes": "present", "no": "absent", None: "unsure"}[labels.get(claim)]
            assert decisions.setdefault(claim, found) == found
    review = tmp_path / "RePOPE.jsonl"
    rows = [{"image": image, "object": name, "decision": one, "reviewer": "RePOPE"} for (image, name), one in decisions.items()]
    review.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = hope_bench(capsys, "label-noise", pope_coco, review, "--sample", 3000)
    assert made.code == 0, made.err
    noise = read_label_noise(pope_coco, benchmark.manifest.hash)
    assert noise is not None
    sheets = read_sheets(ROOT / "leaderboard" / "benchmarks")
    assert sheets["pope-coco", benchmark.manifest.hash].sheet.label_noise == noise
    wrong = {(one.split, one.label): one.wrong.value for one in noise.estimates}
    assert round(wrong["random", "yes"] or 0, 3) == 0.093  # as RePOPE's paper says
