"""Results of runs in which too many answers can't be judged: ranked nowhere, and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, ModelInfo
from hope_bench.files.result_file import read_result, write_result
from hope_bench.records import Answer, Verdict
from hope_bench.scoring.comparing import compare
from hope_bench.scoring.score import score
from hope_bench.scoring.unread import unread_reason, unread_report
from hope_bench.site.reading import read_groups, unranked_reason
from tests.cli import hope_bench, refused
from tests.runs import make_benchmark, make_run, write_answers

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)
IMAGES = 20
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """40 questions, half of them about absent cats."""
    rows = [(f"{place}.jpg", name, label) for place in range(IMAGES) for name, label in (("dog", "yes"), ("cat", "no"))]
    return make_benchmark(tmp_path / "benchmark", {"adversarial": rows})


def says(unread: int, kind: Verdict = "unparsed") -> dict[tuple[str, str], Verdict]:
    """Right about everything but the first `unread` cats."""
    said: dict[tuple[str, str], Verdict] = {(f"{place}.jpg", "dog"): "yes" for place in range(IMAGES)}
    return said | {(f"{place}.jpg", "cat"): kind if place < unread else "no" for place in range(IMAGES)}


@pytest.mark.parametrize("kind", ["unparsed", "error"])
def test_one_in_twenty_may_be_unread(benchmark: Benchmark, tmp_path: Path, kind: Verdict) -> None:
    at_most = score(benchmark, make_run(tmp_path / "a", benchmark, says(2, kind)), FAST)
    more = score(benchmark, make_run(tmp_path / "b", benchmark, says(3, kind)), FAST)
    assert at_most.unranked is None
    assert "7.5% of the answers on adversarial can't be judged" in (more.unranked or "")
    assert "of 40; at most 5%" in (more.unranked or "")


def test_who_says_nothing_is_first_in_nothing(benchmark: Benchmark, tmp_path: Path) -> None:
    """No yes among 40 answers is a hallucination rate of 0, and no merit."""
    silent = make_run(tmp_path / "silent", benchmark, dict.fromkeys(says(0), "unparsed"), model=ModelInfo(name="Silent"))
    loud: dict[tuple[str, str], Verdict] = says(0) | {("0.jpg", "cat"): "yes"}
    spoken = make_run(tmp_path / "spoken", benchmark, loud, model=ModelInfo(name="Spoken"))
    results = [score(benchmark, run, FAST) for run in (silent, spoken)]
    assert results[0].splits["adversarial"].hallucination_rate.value == 0
    forged = results[0].model_copy(update={"unranked": None})
    for given in (results, [forged, results[1]]):
        found = compare(given, metric="hallucination_rate", bootstrap=FAST)
        assert [(one.name, one.rank, one.rank_low) for one in found.standings] == [("Spoken", 1, 1), ("Silent", None, None)]
        assert "can't be judged" in found.unranked["Silent"]
    assert "can't be judged" in (unranked_reason(forged) or "")


def test_a_forged_standing_is_refused(benchmark: Benchmark, tmp_path: Path, capsys: Capture) -> None:
    run = make_run(tmp_path / "run", benchmark, says(3))
    result = score(benchmark, run, FAST)
    results = tmp_path / "results"
    file = tmp_path / "mine.json"
    write_result(file, result.model_copy(update={"unranked": None}))
    assert "unranked is null, but 7.5% of the answers" in refused(capsys, "leaderboard", "add", file, "--results", results)
    (results / "tiny").mkdir(parents=True)
    file.rename(results / "tiny" / "model.json")
    assert "unranked is null, but 7.5%" in refused(capsys, "leaderboard", "check", "--results", results)
    with pytest.raises(HopeBenchError, match=r"unranked is null, but 7\.5%"):
        read_groups(results)
    write_result(file, result)
    (results / "tiny" / "model.json").unlink()
    assert hope_bench(capsys, "leaderboard", "add", file, "--results", results).code == 0
    assert read_result(next(results.glob("tiny/*.json"))).unranked == result.unranked


def test_score_shows_what_was_said(benchmark: Benchmark, tmp_path: Path, capsys: Capture) -> None:
    run = make_run(tmp_path / "run", benchmark, {})
    questions = benchmark.splits["adversarial"]
    words = ["The image shows a \x1b[31mstreet.", "A photo.", "A photo.", "Hm."]
    said = [Answer(one.image, one.text, words[place] if place < 4 else one.label, "no") for place, one in enumerate(questions)]
    write_answers(run, said)
    outcome = hope_bench(capsys, "score", run, "-b", benchmark.folder, "--results", tmp_path / "results", "--replicates", 100)
    text = " ".join(outcome.out.split())
    assert "4 of 40 answers can't be judged (4 unparsed, 0 errors), so a result of this run is not ranked" in text
    assert text.count(" -> ") == 3
    assert "Is there a cat in the image? -> 'A photo.'" in text
    assert "What to do: see whether these are answers at all." in text
    assert "\x1b[31m" not in outcome.out
    assert [path.parent.name for path in tmp_path.glob("results/**/*.json")] == ["unranked"]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "says nothing"),
        ("<think>The user asks", "--max-new-tokens"),
        ("Let me look at the image carefully", "--max-new-tokens"),
        ("\u662f\u7684", "--language"),
        (None, "asks again what failed"),
    ],
)
def test_what_to_do_depends_on_what_was_said(text: str | None, advice: str) -> None:
    error = None if text is not None else "timeout"
    lines = unread_report([Answer("a.jpg", "q", text, "unparsed" if error is None else "error", error=error)])
    assert advice in lines[-1]
    assert ("q -> error: timeout" in "\n".join(lines)) == (error is not None)


def test_an_error_without_a_reason_is_said_to_have_none() -> None:
    assert "q -> error: no reason given" in "\n".join(unread_report([Answer("a.jpg", "q", None, "error")]))


def test_nothing_is_said_where_enough_is_read() -> None:
    answers = [
        Answer(f"{place}.jpg", "q", "Hm" if place == 0 else "No", "unparsed" if place == 0 else "no") for place in range(20)
    ]
    assert unread_report(answers) == []
    assert unread_report([]) == []
    assert unread_reason({}) is None
