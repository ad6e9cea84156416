"""What LLaVA-1.5-13B really answered, imported and scored: the numbers its paper reports."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.result_file import read_result
from hope_bench.files.run import read_run
from hope_bench.reviewing.noise import read_label_noise
from hope_bench.site.sheet import read_sheets
from tests.cli import hope_bench
from tests.unit.test_docs import commands

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
    assert ">85.5<" in index, "balanced accuracy on adversarial"
    page = (tmp_path / "site" / "pope-coco" / "llava-v1.5-13b.html").read_text()
    assert "90 of random" in page


def test_the_committed_result_is_what_the_documented_commands_give(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number of the published result comes out again from the public files, by docs/interchange.md."""
    for file in (*(real / "pope").iterdir(), *(real / "llava-v1.5-13b").iterdir()):
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    documented = [shlex.split(line)[1:] for line in commands(ROOT / "docs" / "interchange.md")]
    first = next(number for number, words in enumerate(documented) if "POPE on MS-COCO" in words)
    for words in documented[first : first + 3]:
        done = hope_bench(capsys, *words)
        assert done.code == 0, done.err
        assert "not ranked" not in done.out.lower()
    ours = read_result(tmp_path / "leaderboard" / "results" / "pope-coco" / "llava-v1.5-13b.json")
    committed = read_result(ROOT / "leaderboard" / "results" / "pope-coco" / "llava-v1.5-13b.json")
    apart = {"run", "added"}  # where the files come from, in words, and when
    assert ours.model_dump(exclude=apart) == committed.model_dump(exclude=apart)
    assert ours.run.command == committed.run.command
    assert ours.run.prompt == committed.run.prompt == PROMPT


def test_another_prompt_than_the_answers_is_said_and_how_to_rank(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = f"random={real / 'pope' / 'coco_pope_random.json'}"
    assert hope_bench(capsys, "import", "pope", "--name", "bare", "--split", random, "--out", tmp_path / "b").code == 0
    llava = real / "llava-v1.5-13b"
    files = [llava / "answers.jsonl", "--questions", llava / "questions.jsonl"]
    options = ["--benchmark", tmp_path / "b", "--name", "x", "--runs", tmp_path]
    said = hope_bench(capsys, "import", "answers", *files, *options)
    assert said.code == 0
    assert "not ranked: asked with another prompt than the benchmark's" in said.out
    assert r"import pope --prompt '{question}\nAnswer the question using a single word or phrase.'" in said.out
    assert "Of the headline split random, 90 questions have no answer" in said.out


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
