"""Results of runs in which too many answers can't be judged: ranked nowhere, and shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, ModelInfo
from hope_bench.files.result_file import read_result, write_result
from hope_bench.files.split_score import VerdictCounts
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


def asked(text: str | None, verdict: Verdict = "unparsed", error: str | None = None, question: str = "q") -> Answer:
    return Answer("a.jpg", question, text, verdict, error=error)


EMPTY, REASONS, FOREIGN, WORDS, FAILED = (
    f"What to do: {rest}"
    for rest in (
        "a model that says nothing is mostly asked wrongly. See that the checkpoint is instruction-tuned and that its chat "
        "template is the right one (chat_template in the card).",
        "the model reasons and is cut off before its answer. Evaluate with a larger --max-new-tokens, under another --name.",
        "the model answers in another language. Score with --language (de, fr, zh, ...).",
        "see whether these are answers at all. If they break off, evaluate with a larger --max-new-tokens; if they talk, ask for "
        "one word with a prompt of its own (--prompts, docs/scoring.md). Either takes another --name.",
        "the same evaluate command asks again what failed; the reasons above say what to mend first.",
    )
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "(nothing)"),
        ("", "(nothing)"),
        (" \n", "(nothing)"),
        ("It's  a\ndog. ", '"It\'s a dog."'),
        ("x" * 160, f"'{'x' * 160}'"),
        ("x" * 161, f"'{'x' * 160}...'"),
        (" " * 480 + "x" * 170, f"'{'x' * 160}'"),  # of the first 640 characters
        (" " * 479 + "x" * 170, f"'{'x' * 160}...'"),
    ],
)
def test_what_was_said_is_told_in_a_line(text: str | None, told: str) -> None:
    assert unread_report([asked(text)])[1:2] == [f"  q -> {told}"]
    if text and text.strip():
        assert unread_report([asked(None, "error", text)])[1] == f"  q -> error: {told[1:-1]}"
        assert unread_report([asked("Hm", question=text)])[1] == f"  {told[1:-1]} -> 'Hm'"


def test_the_commonest_are_told_first() -> None:
    said = ["a", "b", "c", "b", "c", "c", "d", "d", "d", "d"]
    answers = [asked(text, question=f"{place}?") for place, text in enumerate(said)]
    assert unread_report(answers) == [
        "10 of 10 answers can't be judged (10 unparsed, 0 errors), so a result of this run is not ranked. For example:",
        "  6? -> 'd'", "  2? -> 'c'", "  1? -> 'b'", WORDS,
    ]  # fmt: skip
    assert unread_report(answers[1:2] + answers[3:4])[1:3] == ["  1? -> 'b'", "  3? -> 'b'"]
    alike = [asked("a", question=f"{place}?") for place in range(1200)] + [asked(None, "error", "e")] * 1100
    assert unread_report(alike + [asked("yes", "yes")] * 9)[:4] == [
        "2,300 of 2,309 answers can't be judged (1,200 unparsed, 1,100 errors), so a result of this run is not ranked. For "
        "example:",
        "  0? -> 'a'", "  q -> error: e", "  1? -> 'a'",
    ]  # fmt: skip


@pytest.mark.parametrize(("unread", "said"), [(1, False), (2, True)])
def test_a_report_is_made_of_more_than_one_in_twenty(unread: int, said: bool) -> None:
    answers = [asked("yes", "yes")] * (20 - unread) + [asked("Hm")] * unread
    assert bool(unread_report(answers)) == said
    assert unread_report(answers, lambda _: "yes") == []
    assert len(unread_report([asked("yes", "yes")], lambda _: "unparsed")) == 3


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (asked(None), EMPTY),
        (asked(" 1, 2! "), EMPTY),
        (asked("1" * 1000 + "dog"), EMPTY),  # of the first 1,000 characters
        (asked("1" * 999 + "dog"), WORDS),
        (asked("dog"), WORDS),
        (asked("是的"), FOREIGN),
        (asked("да yo"), WORDS),  # as many letters of either
        (asked("да y"), FOREIGN),
        (asked("是的 1234567"), FOREIGN),
        (asked("<think>"), REASONS),
        (asked("Let me look"), REASONS),
        (asked("a dog, let me look"), WORDS),
        (asked("dog", "error"), FAILED),
        (asked("dog", error="down"), FAILED),
        (asked(None, error="down"), FAILED),
    ],
)
def test_every_cause_has_its_advice(answer: Answer, advice: str) -> None:
    assert unread_report([answer])[-1] == advice
    assert unread_report([answer, answer, asked("dog" if advice != WORDS else None)])[-1] == advice


def counts(yes: int = 0, no: int = 0, unparsed: int = 0, error: int = 0, unasked: int = 0) -> VerdictCounts:
    return VerdictCounts(yes=yes, no=no, unparsed=unparsed, error=error, unasked=unasked)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"a": (counts(), counts(unasked=9))}, None),
        ({"a": (counts(yes=10), counts(no=9, error=1))}, None),
        ({"a": (counts(unparsed=1), counts(no=18, unasked=50))}, "5.26% of the answers on a can't be judged (1 unparsed and 0 "
         "errors of 19; at most 5% may be)"),
        ({"a": (counts(no=9, error=1), counts(no=2, unparsed=3)),
          "b": (counts(yes=1000, unparsed=1000), counts(no=1500, error=500))},
         "37.5% of the answers on b can't be judged (1,000 unparsed and 500 errors of 4,000; at most 5% may be)"),
        ({"a": (counts(error=1), counts()), "b": (counts(unparsed=2), counts())},
         "100% of the answers on a can't be judged (0 unparsed and 1 error of 1; at most 5% may be)"),
    ],
)  # fmt: skip
def test_the_worst_split_is_named(splits: dict[str, tuple[VerdictCounts, VerdictCounts]], said: str | None) -> None:
    given = {name: SimpleNamespace(on_yes=yes, on_no=no) for name, (yes, no) in splits.items()}
    assert unread_reason(given) == said  # type: ignore[arg-type]
