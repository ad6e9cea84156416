"""The demo as users run it: a smaller one end to end, twice; its invariants, its effect and its page."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import hope_bench as hb
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.result import Result
from hope_bench.files.result_file import read_result
from hope_bench.files.run import read_answers
from tests import forks
from tests.cli import hope_bench
from tests.soak import SOAK

ROOT = Path(__file__).resolve().parent.parent.parent
SCENES = 120 if SOAK else 32


def run(*arguments: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return forks.run(arguments, {**os.environ, "COLUMNS": "140", **environment}, cwd)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = run("-m", "hope_bench", "demo", "--out", folder, "--scenes", SCENES)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def result_of(folder: Path) -> Result:
    return read_result(folder / "leaderboard" / "results" / "demo" / "demo-llava.json")


def test_prints_a_table_the_caveats_and_where_the_page_is(demo: tuple[Path, str]) -> None:
    folder, out = demo
    for word in ("random", "popular", "adversarial", "content", "control-content", "does not replicate the paper"):
        assert word in out
    assert str(folder / "site" / "index.html") in out
    page = (folder / "site" / "index.html").read_text(encoding="utf-8")
    assert "demo-llava" in page
    own = (folder / "site" / "demo" / "demo-llava.html").read_text(encoding="utf-8")
    assert "Above answering blind on" in own
    assert "without looking" in own


def test_balanced_splits_ask_every_claim_as_often_with_no_as_with_yes(demo: tuple[Path, str]) -> None:
    """Whatever learns from the words of other scenes' questions answers them no better than chance, and others far better."""
    benchmark, result = read_benchmark(demo[0] / "benchmarks" / "demo"), result_of(demo[0])
    balanced = [name for name in benchmark.splits if name.endswith("-balanced")]
    assert len(balanced) == 6
    for name in balanced:
        lean = Counter[str]()
        for one in benchmark.splits[name]:
            lean[one.text] += 1 if one.label == "no" else -1
        assert max(map(abs, lean.values())) <= 1
        best = max(one.either_way.low for one in result.splits[name].blind if one.either_way and one.either_way.low is not None)
        assert best < 0.52, name
    for name, least in (("popular", 0.6), ("description", 0.95)):
        assert max(one.balanced_accuracy or 0 for one in result.splits[name].blind) > least


def test_every_question_got_a_clear_answer_and_recall_is_shared(demo: tuple[Path, str]) -> None:
    result = result_of(demo[0])
    splits = {name: split for name, split in result.splits.items() if split.kind != "twin"}
    for split in splits.values():
        assert split.on_yes.unparsed + split.on_yes.error + split.on_yes.unasked == 0
        assert split.on_yes.yes + split.on_yes.no == 3 * SCENES == split.on_no.yes + split.on_no.no
    own = {"hard-positives", "description-balanced", "hope-balanced"}  # other yes-questions, or described ones
    for family in (True, False):
        shared = {name for name in splits.keys() - own if name.endswith("-balanced") == family}
        assert len(shared) >= 4
        assert len({splits[name].recall.value for name in shared}) == 1
    manifest = read_benchmark(demo[0] / "benchmarks" / "demo").manifest
    assert len(manifest.images) == SCENES


def test_hope_finds_more_than_pope_and_more_than_its_control(demo: tuple[Path, str]) -> None:
    found = {(one.split, one.baseline): one for one in result_of(demo[0]).comparisons}
    for baseline in ("random", "popular", "adversarial", "control-content"):
        drop, rise = found["content", baseline].precision_drop, found["content", baseline].hallucination_rise
        assert drop.low is not None
        assert drop.low > 0
        assert rise.low is not None
        assert rise.low > 0


def test_the_same_table_and_files_again(demo: tuple[Path, str], tmp_path: Path) -> None:
    """In a folder of the demo's own name, as the help's example puts it."""
    first, once = demo
    second = tmp_path / "demo"
    again = run("-m", "hope_bench", "demo", "--out", "demo", "--scenes", SCENES, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for name in (
        "benchmarks/demo/manifest.json",
        "runs/demo/demo-llava/answers.jsonl",
        "leaderboard/results/demo/demo-llava.json",
    ):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    for path in sorted((first / "benchmarks/demo/splits").iterdir()):
        assert path.read_bytes() == (second / "benchmarks/demo/splits" / path.name).read_bytes()
    table = once[: once.index("The leaderboard page")]
    assert again.stdout.startswith(table)


def test_every_file_fits_its_schema(demo: tuple[Path, str]) -> None:
    kinds = {
        "benchmarks/demo/manifest.json": "manifest", "benchmarks/demo/images.json": "images",
        "benchmarks/demo/splits/*": "question", "benchmarks/demo/blind/*": "question",
        "runs/*/*/run.json": "run", "runs/*/*/answers.jsonl": "answer",
        "leaderboard/results/*/*.json": "result", "leaderboard/benchmarks/*.json": "sheet", "site/demo/*.json": "result",
        "site/data/leaderboard.json": "leaderboard", "site/data/questions/*[0-9a-f].json": "questions",
        "site/data/questions/*-review.jsonl": "listed",
    }  # fmt: skip
    foreign = ("world/", "site/data/result.schema.json")  # COCO's own; a schema itself
    checkers = {kind: Draft202012Validator(hb.schema(kind)) for kind in kinds.values()}
    seen = set()
    for path in sorted(one for one in demo[0].rglob("*") if one.suffix in (".json", ".jsonl", ".toml")):
        name = path.relative_to(demo[0]).as_posix()
        if name.startswith(foreign):
            continue
        (kind,) = {found for pattern, found in kinds.items() if fnmatch(name, pattern)}
        text = path.read_text(encoding="utf-8")
        for one in text.splitlines() if path.suffix == ".jsonl" else [text]:
            checkers[kind].validate(json.loads(one))
        seen.add(kind)
    assert seen == set(kinds.values())


def test_the_documentation_names_what_is_there(demo: tuple[Path, str]) -> None:
    """As docs/publishing.md does, whose lines tests/e2e/test_docs_run.py runs."""
    page = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"build/demo/(\S+)", page))
    assert len(named) >= 3
    assert [name for name in named if not (demo[0] / name).exists()] == []


@pytest.mark.parametrize(
    ("how", "words"), [("gray", "gray pictures instead of the images"), ("shuffled", "other images in place of each one's own")]
)
def test_without_the_images_the_model_knows_next_to_nothing(
    demo: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, words: str
) -> None:
    benchmark = demo[0] / "benchmarks" / "demo"
    asked = hope_bench(
        capsys, "evaluate", "--model", "demo-llava", "--benchmark", benchmark, "--images", demo[0] / "world" / "images",
        "--split", "random", "--runs", tmp_path / "runs", "--name", "mine", "--blind", how,
    )  # fmt: skip
    assert asked.code == 0, asked.err
    assert f"asked without looking, with {words}" in asked.out
    folder = tmp_path / "runs" / "demo" / f"mine-blind-{how}"
    scored = hope_bench(capsys, "score", folder, "--benchmark", benchmark, "--results", tmp_path / "results")
    assert scored.code == 0, scored.err
    result = read_result(tmp_path / "results" / "demo" / "unranked" / f"mine-blind-{how}.json")
    assert result.unranked is not None
    assert result.run.blind == how
    blind, seeing = result.splits["random"].balanced_accuracy, result_of(demo[0]).splits["random"].balanced_accuracy
    assert blind.value is not None
    assert seeing.low is not None
    assert 0.4 < blind.value < 0.6 < 0.75 < seeing.low
    if how == "gray":  # all scenes are of one size, so that nothing but the words is left
        said: dict[str, set[float | None]] = {}
        for one in read_answers(folder / "answers.jsonl").answers:
            said.setdefault(one.question, set()).add(None if one.p_yes is None else round(one.p_yes, 4))
        assert max(map(len, said.values())) == 1 < len(set().union(*said.values()))


def test_run_eval_takes_a_model_and_a_benchmark(demo: tuple[Path, str], tmp_path: Path) -> None:
    questions, images = demo[0] / "benchmarks" / "demo", demo[0] / "world" / "images"
    done = run(
        "run_eval.py", "--model", "demo-llava", "--benchmark", questions, "--images", images, "--limit", 40, "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "leaderboard" / "results" / "demo" / "unranked" / "demo-llava.json")
    assert "limit" in (result.unranked or "")
    assert not (tmp_path / "build").exists(), "a quick look is not on the leaderboard"
    assert run("run_eval.py", "--model", "demo-llava").returncode == 2
