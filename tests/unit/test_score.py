"""From a run folder to a result: joining, ranking, notes, comparisons, bytes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from rich.console import Console

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, ClipInfo, read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap, ModelInfo, RunInfo
from hope_bench.files.result_file import read_result, write_result
from hope_bench.files.run import find_run
from hope_bench.files.split_score import VerdictCounts
from hope_bench.records import Answer, Question, Verdict
from hope_bench.scoring.detail_tables import part_table
from hope_bench.scoring.score import comparison_pairs, score, tower_family
from hope_bench.scoring.tables import remarks, split_table
from hope_bench.site.reading import check_numbers, read_groups
from hope_bench.tables import print_whole
from tests.cli import Outcome, hope_bench, refused
from tests.runs import Row, make_benchmark, make_run, write_answers

FAST = Bootstrap(replicates=200, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(8)]


def rows(distractor: str) -> list[Row]:
    return [row for image in IMAGES for row in ((image, "dog", "yes"), (image, distractor, "no"))]  # type: ignore[misc]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    splits = {"adversarial": rows("cat"), "control-content": rows("fox"), "content": rows("wolf")}
    clip = ClipInfo(model="ViT-L-14:openai", sha256="0" * 64, templates=("a {category}",))
    return make_benchmark(tmp_path / "benchmark", splits, clip=clip)


def says() -> dict[tuple[str, str], Verdict]:
    """Affirms every dog, 1 cat, 2 foxes and 4 wolves of 8."""
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES):
        said |= {(image, "dog"): "yes", (image, "cat"): "yes" if number < 1 else "no"}
        said |= {(image, "fox"): "yes" if number < 2 else "no", (image, "wolf"): "yes" if number < 4 else "no"}
    return said


def test_numbers_and_comparisons(benchmark: Benchmark, tmp_path: Path) -> None:
    result = score(benchmark, make_run(tmp_path / "run", benchmark, says()), FAST)
    content = result.splits["content"]
    assert content.on_no == VerdictCounts(yes=4, no=4)
    assert content.hallucination_rate.value == 0.5
    assert content.precision.value == pytest.approx(8 / 12, abs=1e-6)
    assert content.questions_per_image == (2,) * 8
    assert content.labels == "yn" * 8
    assert content.verdicts == "yy" * 4 + "yn" * 4
    pairs = {(pair.split, pair.baseline): pair for pair in result.comparisons}
    assert list(pairs) == [("content", "adversarial"), ("content", "control-content")]
    pair = pairs["content", "adversarial"]
    assert pair.precision_drop.value == pytest.approx(8 / 9 - 8 / 12, abs=2e-6)
    assert pair.hallucination_rise.value == pytest.approx(4 / 8 - 1 / 8)
    assert pair.precision_drop.low is not None
    assert pair.precision_drop.low <= 8 / 9 - 8 / 12 <= (pair.precision_drop.high or 0)
    assert result.unranked is None
    assert result.notes == ()
    check_numbers(result, "result")


def test_the_same_answers_give_the_same_bytes(benchmark: Benchmark, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", benchmark, says())
    backwards = make_run(tmp_path / "backwards" / "run", benchmark, dict(reversed(says().items())))
    for name, folder in (("a", run), ("b", run), ("c", backwards)):
        write_result(tmp_path / name, score(benchmark, folder, FAST))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_every_verdict_is_counted_apart(benchmark: Benchmark, tmp_path: Path) -> None:
    said = says() | {("0.jpg", "wolf"): "unparsed", ("1.jpg", "wolf"): "error"}
    del said["7.jpg", "wolf"]
    result = score(benchmark, make_run(tmp_path / "run", benchmark, said), FAST)
    assert result.splits["content"].on_no == VerdictCounts(yes=2, no=3, unparsed=1, error=1, unasked=1)
    assert result.splits["content"].hallucination_rate.value == pytest.approx(2 / 7, abs=1e-6)
    assert result.unranked == "1 of 16 questions of the headline split content were never asked"
    assert any("1 verdict over all splits is an error" in note for note in result.notes)


def test_splits_may_ask_about_different_images(tmp_path: Path) -> None:
    splits = {"adversarial": rows("cat")[:6], "content": rows("wolf")}
    benchmark = make_benchmark(tmp_path / "benchmark", splits)
    said = {key: verdict for key, verdict in says().items() if key[1] in ("dog", "wolf") or (key[1] == "cat" and key[0] < "3")}
    result = score(benchmark, make_run(tmp_path / "run", benchmark, said), FAST)
    assert result.splits["adversarial"].questions_per_image == (2, 2, 2, 0, 0, 0, 0, 0)
    assert result.splits["adversarial"].hallucination_rate.value == pytest.approx(1 / 3, abs=1e-6)
    assert result.comparisons[0].hallucination_rise.value == pytest.approx(1 / 2 - 1 / 3, abs=2e-6)


def test_why_a_result_is_not_ranked(benchmark: Benchmark, tmp_path: Path) -> None:
    def reason(**record: object) -> str:
        return score(benchmark, make_run(tmp_path / "run", benchmark, says(), **record), FAST).unranked or ""

    assert "another prompt" in reason(run=RunInfo(prompt="Really? {question}"))
    assert "--limit 4" in reason(run=RunInfo(prompt="{question}", limit=4))
    assert reason(unranked="because") == "because"


def test_towers_of_one_family_are_named(benchmark: Benchmark, tmp_path: Path) -> None:
    same = make_run(
        tmp_path / "a", benchmark, says(), model=ModelInfo(name="M", vision_tower="openai/clip-vit-large-patch14-336")
    )
    other = make_run(tmp_path / "b", benchmark, says(), model=ModelInfo(name="M", vision_tower="google/siglip-so400m"))
    assert any("one family (openai)" in note for note in score(benchmark, same, FAST).notes)
    assert score(benchmark, other, FAST).notes == ()
    assert tower_family("ViT-SO400M-14-SigLIP:webli") == tower_family("google/siglip-so400m-patch14-384") == "siglip"
    assert tower_family("EVA02-L-14:merged2b") == "eva"
    assert tower_family("retrieval tower") is tower_family(None) is None


def test_a_run_of_other_questions_is_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    said = says() | {("0.jpg", "bus"): "no"}
    words = rf"another benchmark or version.*ffff.*Of its {len(said)} answers, 1 are to questions"
    with pytest.raises(HopeBenchError, match=words):
        score(benchmark, make_run(tmp_path / "run", benchmark, said, benchmark_hash="f" * 64), FAST)
    with pytest.raises(HopeBenchError, match=r"1 answer is to questions that benchmark tiny doesn't ask: 0.jpg: Is there a bus"):
        score(benchmark, make_run(tmp_path / "run", benchmark, says() | {("0.jpg", "bus"): "no"}), FAST)


def answer(verdict: Verdict, splits: tuple[str, ...] | None = None) -> Answer:
    return Answer("0.jpg", "Is there a dog in the image?", verdict, verdict, splits=splits)


def test_repeated_answers(benchmark: Benchmark, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", benchmark, {})
    write_answers(run, [answer("yes"), answer("yes")])
    assert score(benchmark, run, FAST).splits["content"].on_yes.yes == 1
    write_answers(run, [answer("error"), answer("yes")])
    result = score(benchmark, run, FAST)
    assert result.splits["content"].on_yes == VerdictCounts(yes=1, unasked=7)
    assert any("asked again after an error" in note for note in result.notes)
    write_answers(run, [answer("no"), answer("yes")])
    with pytest.raises(HopeBenchError) as refused:
        score(benchmark, run, FAST)
    assert str(refused.value) == (
        f"{run / 'answers.jsonl'}: 1 question has answers that disagree: 0.jpg: Is there a dog in the image? (lines 1, 2). Keep "
        "one answer to each question (delete the other lines). Of an interrupted run, the same evaluate keeps the later answers."
    )


def test_an_imported_answer_holds_for_the_splits_it_was_given_in(benchmark: Benchmark, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", benchmark, {})
    write_answers(run, [answer("no", ("adversarial",)), answer("yes", ("content",))])
    splits = score(benchmark, run, FAST).splits
    assert splits["adversarial"].on_yes == VerdictCounts(no=1, unasked=7)
    assert splits["content"].on_yes == VerdictCounts(yes=1, unasked=7)
    assert splits["control-content"].on_yes == VerdictCounts(unasked=8)
    write_answers(run, [answer("no", ("popular",))])
    with pytest.raises(HopeBenchError, match="doesn't ask"):
        score(benchmark, run, FAST)


def test_a_cut_off_last_line_is_tolerated_and_a_malformed_one_is_not(benchmark: Benchmark, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", benchmark, says())
    path = run / "answers.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"image": "0.jp')
    assert any("cut off" in note for note in score(benchmark, run, FAST).notes)
    path.write_bytes(b'{"image": "0.jpg"}\n' + whole)
    with pytest.raises(HopeBenchError, match=r"answers.jsonl, line 1: not an answer"):
        score(benchmark, run, FAST)
    path.write_bytes(whole + b"{}\n")
    with pytest.raises(HopeBenchError, match=r"line 33: not an answer"):
        score(benchmark, run, FAST)
    path.unlink()
    with pytest.raises(HopeBenchError, match="no answers yet"):
        score(benchmark, run, FAST)


def test_comparison_pairs() -> None:
    kinds = {"random": "pope", "adversarial": "pope", "category": "hope", "content": "hope", "control-content": "control"}
    assert comparison_pairs(kinds) == [  # type: ignore[arg-type]
        ("category", "random"),
        ("category", "adversarial"),
        ("content", "random"),
        ("content", "adversarial"),
        ("content", "control-content"),
    ]
    family = {"random-balanced": "pope", "content-balanced": "hope", "hope-balanced": "hope", "control-balanced": "control"}
    balanced = [
        ("content-balanced", "random-balanced"),
        ("hope-balanced", "random-balanced"),
        ("content-balanced", "control-balanced"),
    ]
    assert [pair for pair in comparison_pairs(kinds | family) if "balanced" in pair[0] + pair[1]] == balanced  # type: ignore[arg-type]


def test_tables_are_plain_and_whole_in_a_pipe(benchmark: Benchmark, tmp_path: Path) -> None:
    said = says() | {("0.jpg", "wolf"): "unparsed"}
    result = score(benchmark, make_run(tmp_path / "run", benchmark, said, model=ModelInfo(name="[red]Mine[/]")), FAST)
    with (tmp_path / "out").open("w") as stream:
        result.summary().show(Console(file=stream, width=40))
        print_whole(Console(file=stream, width=40), split_table(result))
    text = (tmp_path / "out").read_text()
    assert "\x1b" not in text
    assert "…" not in text
    assert "[red]Mine[/] on Tiny" in text
    short, full = (line for line in text.splitlines() if re.match(r"content +\d", line))
    assert full.split() == ["content", "16", "75.0", "75.0", "72.7", "100.0", "84.2", "68.8", "37.5", "1", "0", "0"]
    assert len(short) <= 80
    assert re.fullmatch(r"content +37\.5 \[.*\] +75\.0 \[.*\] +\+16\.2 \[.*\]", short), "from adversarial, not from random"
    assert "Neither yes nor no: content 1 unparsed." in text


def test_a_result_prints_with_the_interval_and_the_baseline_of_its_drop(benchmark: Benchmark, tmp_path: Path) -> None:
    result = score(benchmark, make_run(tmp_path / "run", benchmark, says()), FAST)
    drop = result.compared("content")
    assert drop is not None
    assert drop.precision_drop.low is not None
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if re.match(r"content +\d", line)).endswith(drop.precision_drop.points())
    assert f"points lost from {drop.baseline}" in " ".join(lines)
    assert result._repr_html_().count("<tr>") == 1 + len(result.splits)


def test_a_table_wider_than_the_pipe_keeps_its_columns(benchmark: Benchmark, tmp_path: Path) -> None:
    result = score(benchmark, make_run(tmp_path / "run", benchmark, says()), FAST)
    table = part_table(result, "category")
    assert table is not None
    with (tmp_path / "out").open("w") as stream:
        print_whole(Console(file=stream, width=40), table)
    text = (tmp_path / "out").read_text()
    assert "…" not in text
    heading = next(line for line in text.splitlines() if line.startswith("category "))
    assert heading.split()[-6:] == ["precision", "F1", "yes", "ratio", "MCC", "neither"]


@pytest.mark.parametrize(
    ("cats", "wolves", "words"),
    [
        (4, 18, "content finds more hallucinations than random: +58.3 ["),
        (18, 4, "content finds fewer hallucinations than random: -58.3 ["),
        (10, 12, "content and random are not told apart by how often absent objects are affirmed (+8.3 ["),
    ],
)
def test_a_straight_answer(tmp_path: Path, cats: int, wolves: int, words: str) -> None:
    """24 images; the model affirms so many cats (asked by POPE's split) and wolves (asked by HOPE's)."""
    images = [f"{number}.jpg" for number in range(24)]
    splits: dict[str, list[Row]] = {
        name: [row for image in images for row in ((image, "dog", "yes"), (image, what, "no"))]  # type: ignore[misc]
        for name, what in (("random", "cat"), ("content", "wolf"))
    }
    made = make_benchmark(tmp_path / "b", splits)
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(images):
        said |= {(image, "dog"): "yes", (image, "cat"): "yes" if number < cats else "no"}
        said[image, "wolf"] = "yes" if number >= 24 - wolves else "no"
    with (tmp_path / "out").open("w") as stream:
        score(made, make_run(tmp_path / "r", made, said), FAST).summary().show(Console(file=stream, width=200))
    assert words in (tmp_path / "out").read_text()


def test_pairs_that_were_not_asked_are_in_no_denominator(tmp_path: Path) -> None:
    false = [Question(2 * n, image, f"Is there a red car? {n}", "no", "description", "car") for n, image in enumerate(IMAGES)]
    twins = [replace(one, question_id=one.question_id + 1, text=f"{one.text}!", label="yes") for one in false]
    pairs = [one for pair in zip(false, twins, strict=True) for one in pair]
    write_benchmark(
        tmp_path / "b", {"description": false, "description-twins": pairs}, {"description": "hope", "description-twins": "twin"},
        name="tiny", title="Tiny", headline="description", prompt="{question}", k=1, dataset="none", images=dict.fromkeys(IMAGES),
    )  # fmt: skip
    twin_benchmark = read_benchmark(tmp_path / "b")
    run = make_run(tmp_path / "run", twin_benchmark, {})
    # Three pairs asked in full, one of them right twice; of a fourth only the false one.
    write_answers(run, [*_said(pairs[:2], "no", "yes"), *_said(pairs[2:6], "no", "no"), *_said(pairs[6:7], "no")])
    result = score(twin_benchmark, run, FAST)
    assert result.splits["description-twins"].pairs_asked == 3
    assert re.search(r"right in 33\.3( \[.*\])? of 3 pairs\.", " ".join(remarks(result)))


def _said(questions: Sequence[Question], *verdicts: Verdict) -> list[Answer]:
    return [Answer(one.image, one.text, said, said) for one, said in zip(questions, cycle(verdicts))]


def test_a_quick_look_never_takes_the_place_of_a_full_result(
    benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = make_run(tmp_path / "runs" / "model", benchmark, says())
    quick = make_run(
        tmp_path / "quick" / "model", benchmark, dict(list(says().items())[:4]), run=RunInfo(prompt="{question}", limit=2)
    )
    results = tmp_path / "my results"

    def scored(run: Path, *more: object) -> Outcome:
        options = ("--benchmark", benchmark.folder, "--results", results, "--replicates", 100)
        outcome = hope_bench(capsys, "score", run, *options, *more)
        assert outcome.code == 0, outcome.err
        return outcome

    assert f"Next: hope-bench leaderboard build --results '{results}'\n" in scored(full).out
    model = read_result(next((results / "tiny").glob("*.json")))
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    (looked, told), stays = scored(quick)[1:], "result of a run of this name stays at {}. Remove it if it is out of date."
    assert "It is not ranked (evaluated with --limit 2; " in looked
    assert f"ranked {stays.format(results / 'tiny' / 'model.json')}" in " ".join(told.split())
    assert f"unranked {stays.format(results / 'tiny' / 'unranked' / 'model.json')}" in " ".join(scored(full).err.split())
    scored(quick, "--convention", "pope")
    assert {path: path.read_bytes() for path in before} == before
    added = set(results.rglob("*.json")) - set(before)
    folder = results / "tiny"
    assert added == {folder / "unranked" / "model.json", folder / "pope" / "unranked" / "model.json"}
    assert [entry.result for group in read_groups(results) for entry in group.entries] == [model]

    # The headline split alone is ranked, and refused here.
    headline = {question: said for question, said in says().items() if question[1] in ("dog", "wolf")}
    part = make_run(tmp_path / "part" / "model", benchmark, headline)
    message = refused(capsys, "score", part, "--benchmark", benchmark.folder, "--results", results, "--replicates", 100)
    assert "answers to 48 questions" in message
    assert "holds 32." in message
    assert {path: path.read_bytes() for path in before} == before

    # A run in which many questions failed is not ranked, and leaves the full result alone.
    two_failed = {question: "error" if place < 2 else said for place, (question, said) in enumerate(says().items())}
    failed = make_run(tmp_path / "failed" / "model", benchmark, two_failed)
    outcome = hope_bench(capsys, "score", failed, "--benchmark", benchmark.folder, "--results", results, "--replicates", 100)
    assert outcome.code == 0
    assert (folder / "unranked" / "model.json").is_file()
    assert {path: path.read_bytes() for path in before} == before

    # The line it prints takes it onto the leaderboard on purpose, but not over the full result.
    line = next(line for line in looked.splitlines() if "leaderboard add" in line)
    words = shlex.split(line[line.index("hope-bench") :])
    assert "pass --replace" in refused(capsys, *words[1:])


def test_a_run_without_an_answer_is_not_among_those_known(benchmark: Benchmark, tmp_path: Path) -> None:
    """As an evaluate leaves it that fails before the first answer."""
    make_run(tmp_path / "runs" / "tiny" / "done", benchmark, says())
    failed = make_run(tmp_path / "runs" / "tiny" / "failed", benchmark, {})
    with pytest.raises(HopeBenchError, match=r"Known: tiny/done\.$"):
        find_run("tiny/fail", tmp_path / "runs")
    (failed / "answers.jsonl").unlink()
    with pytest.raises(HopeBenchError, match=r"Known: tiny/done\.$"):
        find_run("tiny/fail", tmp_path / "runs")


def test_what_a_run_was_not_asked_has_no_numbers(benchmark: Benchmark, tmp_path: Path) -> None:
    """content's questions hold all of adversarial's yes-questions: half of a split, and no fair half."""
    said = {(image, name): verdict for (image, name), verdict in says().items() if name in ("dog", "wolf")}
    run = make_run(tmp_path / "run", benchmark, said, settings={"splits": "content"})
    result = score(benchmark, run, FAST)
    asked = result.splits["content"].on_no
    assert (asked.yes, asked.no, asked.unasked) == (4, 4, 0)
    assert result.splits["adversarial"].on_yes == result.splits["control-content"].on_yes == VerdictCounts(unasked=8)
    assert "Not asked: adversarial, control-content." in str(result)
    assert "adversarial  " not in str(result), "no line of dashes"
    assert result.splits["adversarial"].recall.value is None
    whole = make_run(tmp_path / "whole", benchmark, says(), settings={"splits": "content"})
    assert score(benchmark, whole, FAST).splits["adversarial"].recall.value == 1.0, "answered all the same"
