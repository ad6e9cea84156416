"""Averages, answers without looking, MCC and threshold-free comparisons of a result."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.files.split_score import Estimate
from hope_bench.records import Answer, Question
from hope_bench.scoring import restating
from hope_bench.scoring.blind import above_blind, blind_scores, strongest
from hope_bench.scoring.detail_tables import blind_table
from hope_bench.scoring.differing import differing_questions
from hope_bench.scoring.metrics import point_metrics
from hope_bench.scoring.restating import backed, restate, with_intervals
from hope_bench.scoring.score import score
from hope_bench.scoring.tables import percent, points
from hope_bench.site.reading import check_numbers
from tests.cli import hope_bench
from tests.runs import Row, make_benchmark, make_run, write_answers

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1, 2])), min_size=1, max_size=40))
def test_mcc_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    counts = np.zeros((2, 5), dtype=np.int64)
    for label, verdict in pairs:
        counts[label, verdict] += 1
    ours = point_metrics(counts)["mcc"]
    with warnings.catch_warnings(action="ignore"):  # that one class is all there is
        theirs = matthews_corrcoef([label for label, _ in pairs], [verdict for _, verdict in pairs])
    assert (theirs == 0) if ours is None else ours == pytest.approx(theirs, abs=1e-6)  # scikit-learn writes 0 for undefined


def rows(distractor: str, images: int = 4) -> list[Row]:
    return [row for n in range(images) for row in ((f"{n}.jpg", "dog", "yes"), (f"{n}.jpg", distractor, "no"))]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    splits = {"random": rows("cat"), "popular": [*rows("cat")[:4], *rows("fox")[4:]], "content": rows("wolf")}
    return make_benchmark(tmp_path / "b", splits)


def answers_with(benchmark: Benchmark, folder: Path, p_yes: dict[str, float]) -> Path:
    run = make_run(folder, benchmark, {})
    asked = {(one.image, one.text): one for questions in benchmark.splits.values() for one in questions}
    write_answers(run, [
        Answer(image, text, None, "yes" if p_yes[one.object or ""] > 0.5 else "no", p_yes=p_yes[one.object or ""])
        for (image, text), one in asked.items()
    ])  # fmt: skip
    return run


def test_averages(benchmark: Benchmark, tmp_path: Path) -> None:
    # dog right; cat affirmed (4 of random's no-questions, 2 of popular's); fox denied
    result = score(benchmark, answers_with(benchmark, tmp_path / "r", {"dog": 0.9, "cat": 0.8, "fox": 0.2, "wolf": 0.1}), FAST)
    found = {one.method: one for one in result.averages}
    assert {one.group for one in result.averages} == {"pope"}
    assert found["split-mean"].metrics["precision"].value == pytest.approx((4 / 8 + 4 / 6) / 2, abs=1e-6)
    assert found["pooled"].metrics["precision"].value == pytest.approx(8 / 14, abs=1e-6)
    assert found["unique"].questions == 4 + 4 + 2  # dogs once, cats once, and popular's two foxes
    assert found["unique"].metrics["precision"].value == pytest.approx(4 / 8, abs=1e-6)
    assert found["unique"].metrics["accuracy"].value == pytest.approx(6 / 10, abs=1e-6)
    assert result.splits["popular"].repeated == "rrrr" + "r.r."
    assert result.splits["content"].repeated is None
    assert found["unique"].metrics["precision"].low is not None
    check_numbers(result, "result")


def test_p_yes_is_scored_and_compared(benchmark: Benchmark, tmp_path: Path) -> None:
    result = score(benchmark, answers_with(benchmark, tmp_path / "r", {"dog": 0.9, "cat": 0.8, "fox": 0.2, "wolf": 0.95}), FAST)
    found = {name: split.probabilities for name, split in result.splits.items()}
    assert [one.auroc.value for one in found.values() if one is not None] == [1, 1, 0]
    drops = {(pair.split, pair.baseline): pair.auroc_drop for pair in result.comparisons}
    assert [drop.value for drop in drops.values() if drop is not None] == [1, 1]
    path = tmp_path / "result.json"
    write_result(path, result)
    again = read_result(path)
    assert again == result
    check_numbers(again, "again")


def test_how_far_apart_models_are_on_a_question(benchmark: Benchmark, tmp_path: Path) -> None:
    sure, unsure = (
        score(benchmark, answers_with(benchmark, tmp_path / f"{wolf}", {"dog": 0.9, "cat": 0.1, "fox": 0.2, "wolf": wolf}), FAST)
        for wolf in (0.95, 0.25)
    )
    assert {one.p_yes_apart for one in differing_questions(benchmark, [sure, unsure], "content", 9)} == {0.7}
    silent = unsure.model_copy(
        update={"splits": {name: one.model_copy(update={"probabilities": None}) for name, one in unsure.splits.items()}}
    )
    assert {one.p_yes_apart for one in differing_questions(benchmark, [sure, silent], "content", 9)} == {None}


def test_no_p_yes_no_numbers(benchmark: Benchmark, tmp_path: Path) -> None:
    said = {(f"{n}.jpg", what): "no" for n in range(4) for what in ("dog", "cat", "fox", "wolf")}
    del said["0.jpg", "fox"], said["1.jpg", "fox"], said["2.jpg", "cat"], said["3.jpg", "cat"]
    said |= {("2.jpg", "cat"): "no", ("3.jpg", "cat"): "no"}
    result = score(benchmark, make_run(tmp_path / "r", benchmark, said), FAST)  # type: ignore[arg-type]
    assert all(split.probabilities is None for split in result.splits.values())
    assert all(pair.auroc_drop is None for pair in result.comparisons)
    assert result.splits["random"].mcc is not None
    assert result.splits["random"].mcc.value is None  # always no: undefined, not 0


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("mcc", "value"), 0.1, "mcc.value is 0.1"),
        (("probabilities", "auroc", "value"), 0.3, "auroc.value is 0.3"),
        (("probabilities", "ece"), 0.3, "ece is 0.3"),
        (("probabilities", "packed"), "AAAA", "isn't P"),
        (("probabilities", "packed"), "%", "isn't P"),
        (("probabilities", "questions"), 3, "questions or bins"),
        (("repeated",), "r", "repeated is not one r or ."),
    ],
)
def test_stated_numbers_are_checked(
    benchmark: Benchmark, tmp_path: Path, keys: tuple[str, ...], value: object, words: str
) -> None:
    run = answers_with(benchmark, tmp_path / "r", {"dog": 0.9, "cat": 0.8, "fox": 0.2, "wolf": 0.6})
    path = tmp_path / "result.json"
    write_result(path, score(benchmark, run, FAST))
    data = json.loads(path.read_text())
    place = data["splits"]["popular"]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(data))
    with pytest.raises(HopeBenchError, match=words):
        check_numbers(read_result(path), "x")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("questions", 7, "averages.2: questions"),
        ("splits", ["random", "other"], "averages.2 can't be recomputed"),
        ("splits", [], "averages.2: questions"),
        ("splits", ["random", "content"], "averages.2 can't be recomputed"),
        ("metrics", {"f1": {"value": 0.123}}, "averages.2.metrics.f1.value is 0.123"),
    ],
)
def test_stated_averages_are_checked(benchmark: Benchmark, tmp_path: Path, key: str, value: object, words: str) -> None:
    path = tmp_path / "result.json"
    write_result(
        path, score(benchmark, answers_with(benchmark, tmp_path / "r", dict.fromkeys(("dog", "cat", "fox", "wolf"), 0.9)), FAST)
    )
    data = json.loads(path.read_text())
    data["averages"][2][key] = value
    path.write_text(json.dumps(data))
    with pytest.raises(HopeBenchError, match=words):
        check_numbers(read_result(path), "x")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, "schema_version missing.*Score the run again"),
        (0, "schema_version 0; .*reads versions 1 to 3.*Score the run again"),
        (4, "schema_version 4; .*Update hope-bench"),
        (True, "schema_version True"),
        ("3", "schema_version 3; .*Score"),
    ],
)
def test_other_schemas_are_refused(tmp_path: Path, version: object, words: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"anything": 1} if version is None else {"schema_version": version, "anything": 1}))
    with pytest.raises(HopeBenchError, match=words):
        read_result(path)
    path.write_text("[1]")
    with pytest.raises(HopeBenchError, match="not a valid result"):
        read_result(path)


def test_a_real_file_of_version_1(tmp_path: Path) -> None:
    """Written by the code that wrote version 1."""
    golden = Path(__file__).resolve().parent.parent / "golden" / "result-version-1.json"
    old = read_result(golden)
    assert (old.schema_version, old.worst, old.model.name) == (3, None, "Old")
    assert old.splits["content"].hallucination_rate.value == 1
    check_numbers(old, "old")
    write_result(tmp_path / "new.json", old)
    assert read_result(tmp_path / "new.json") == old


def test_a_file_of_version_1_is_migrated(benchmark: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    run = answers_with(benchmark, tmp_path / "r", {"dog": 0.9, "cat": 0.8, "fox": 0.2, "wolf": 0.6})
    write_result(path, score(benchmark, run, FAST))
    data = json.loads(path.read_text())
    data["schema_version"] = 1
    for key in ("languages", "averages", "worst"):
        del data[key]
    for key in ("prompt_set", "prompt_name"):
        del data["run"][key]
    for pair in data["comparisons"]:
        del pair["auroc_drop"]
    for split in data["splits"].values():
        for key in ("mcc", "probabilities", "blind", "repeated", "breakdowns", "corrected"):
            del split[key]
    path.write_text(json.dumps(data))
    old: Result = read_result(path)
    assert old.schema_version == 3
    assert old.worst is None
    assert old.splits["content"].breakdowns == {}
    assert old.splits["content"].mcc is None
    check_numbers(old, "old")


def question(number: int, image: str, name: str, label: str) -> Question:
    return Question(number, image, f"Is there a {name} in the image?", label, "random", name)  # type: ignore[arg-type]


def test_blind_ways_learn_from_other_images_only() -> None:
    """Dogs are there and cats are not: as the other images have it, whatever this split says of them."""
    others = [question(n, f"o{n}", "dog" if n % 2 else "cat", "yes" if n % 2 else "no") for n in range(20)]
    asked = [question(n, str(n), "cat" if n % 2 else "dog", "yes" if n % 2 else "no") for n in range(20)]
    for one in blind_scores(asked, others)[2:]:
        assert (one.balanced_accuracy, one.fitted_on, one.images) == (0, "other-images", 20)
        assert one.either_way is not None
        assert one.either_way.value == 1
        assert one.auroc is not None
        assert one.auroc.value == 0
    for one in blind_scores(asked)[2:]:
        assert (one.balanced_accuracy, one.fitted_on) == (1, "crosswise")


def test_nothing_is_learnt_from_the_images_that_are_asked_about() -> None:
    """Each image has a thing of its own, so that of the others nothing is learnt about it."""
    asked = [question(n, str(n), f"thing {n}", "yes" if n % 2 else "no") for n in range(20)]
    found = {one.name: one for one in blind_scores(asked)}["category"]
    assert (found.balanced_accuracy, found.fitted_on) == (0.5, "crosswise")


def test_blind_numbers_against_sklearn_and_a_bootstrap() -> None:
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    rng = np.random.default_rng(0)
    names = ["dog", "cat", "cup", "bus", "owl"]

    def drawn(images: int, first: int) -> list[Question]:
        made = []
        for image in range(images):
            for name in rng.choice(names, 4, replace=False):
                label = "yes" if rng.random() < 0.25 + 0.12 * names.index(name) else "no"
                made.append(question(len(made) + 1, str(first + image), str(name), label))
        return made

    others, asked = drawn(100, 1000), drawn(150, 0)
    found = {one.name: one for one in blind_scores(asked, others)}["category"]
    share = {name: np.mean([one.label == "yes" for one in others if one.object == name]) for name in names}
    says = np.array([share[one.object or ""] for one in asked])
    labels = np.array([one.label == "yes" for one in asked])
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, says > 0.5), abs=1e-6)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(roc_auc_score(labels, says), abs=0.01)
    image = np.array([int(one.image) for one in asked])
    replicates = []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(image == one) for one in rng.integers(0, 150, 150)])
        replicates.append(balanced_accuracy_score(labels[rows], says[rows] > 0.5))
    low, high = np.percentile(replicates, [2.5, 97.5])
    assert found.either_way is not None
    assert found.either_way.high == pytest.approx(high, abs=0.012)
    assert found.either_way.low == pytest.approx(max(low, 0.5), abs=0.012)


def test_a_pair_counts_where_both_are_right() -> None:
    pairs = [
        one
        for n in range(12)
        for one in (
            replace(question(2 * n + 1, str(n), "car", "no"), text="Is there a red car in the image?"),
            replace(question(2 * n + 2, str(n), "car", "yes"), text="Is there a blue car in the image?", twin_of=2 * n + 1),
        )
    ]
    found = {one.name: one.paired_discrimination for one in blind_scores(pairs, pairs)}
    assert found == {"always-yes": 0, "always-no": 0, "category": 0, "words": 1, "words-and-others": 1}


def test_what_is_left_above_blind() -> None:
    asked = [question(n, str(n), "dog" if n % 2 else "cat", "yes" if n % 4 < 2 else "no") for n in range(20)]
    scores = blind_scores(asked, asked)
    best = strongest(scores)
    assert best is not None
    assert best.either_way is not None
    blind = best.either_way.value
    assert blind is not None
    assert blind < 1
    assert above_blind(1.0, scores) == 1
    assert above_blind(blind, scores) == 0
    assert above_blind(None, scores) is None


def test_the_strongest_blind_way_may_be_strong_the_wrong_way_round() -> None:
    asked = [question(n, str(n), "dog" if n % 2 else "cat", "yes" if n % 2 else "no") for n in range(12)]
    scores = {one.name: one for one in blind_scores(asked)}
    unknown = scores["category"].model_copy(update={"name": "unknown", "either_way": None})
    reversed_ = scores["category"].model_copy(
        update={"name": "reversed", "balanced_accuracy": 0.1, "either_way": Estimate(value=0.9)}
    )
    assert strongest([scores["always-yes"], reversed_, unknown, scores["always-no"]]) == reversed_
    assert above_blind(0.95, [scores["always-yes"], reversed_]) == pytest.approx(0.5)
    assert strongest([unknown]) is None


def test_tables_in_full_say_what_is_undefined() -> None:
    asked = [question(n, str(n), "dog" if n % 2 else "cat", "yes" if n % 2 else "no") for n in range(12)]
    table = blind_table("of dogs", {"content": blind_scores(asked)})
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    of = dict(zip(cells[1], zip(*cells[2:], strict=True), strict=True))
    assert of["always-yes"][0] == "50.0"
    assert of["always-yes"][1].startswith("50.0")
    assert of["category"][1].startswith("100.0")
    assert (of["category"][3], of["category"][4], of["category"][6]) == ("100.0", "0.0", "12 images, crosswise")
    assert (of["always-no"][2], of["always-no"][6]) == ("-", "-")
    assert (percent(None), percent(0.12349), points(None), points(-0.0004), points(0.12351)) == (
        "-",
        "12.3",
        "-",
        "+0.0",
        "+12.4",
    )


def test_a_benchmark_that_gives_itself_away() -> None:
    asked = [question(n, str(n), "dog" if n % 2 else "cat", "yes" if n % 2 else "no") for n in range(10)]
    scores = {one.name: one for one in blind_scores(asked)}
    assert scores["always-yes"].balanced_accuracy == scores["always-no"].balanced_accuracy == 0.5
    assert scores["always-yes"].precision == 0.5
    assert scores["always-no"].precision is None
    assert scores["category"].balanced_accuracy == 1
    assert blind_scores([]) == ()


def test_the_command_shows_it(benchmark: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    done = hope_bench(capsys, "baselines", benchmark.folder)
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if line.split()[:2] == ["content", "category"])
    assert row.split()[2] == "100.0"
    rows = json.loads(hope_bench(capsys, "baselines", benchmark.folder, "--json").out)
    prior = next(one for one in rows if (one["split"], one["name"]) == ("content", "category"))
    assert prior["balanced_accuracy"] == prior["either_way"] == prior["either_way_high"] == 1
    assert next(one for one in rows if one["name"] == "always-no")["precision"] is None
    header = hope_bench(capsys, "baselines", benchmark.folder, "--csv").out.splitlines()[0]
    assert header.startswith("split,name,accuracy,balanced_accuracy,")
    assert "either_way,either_way_low,either_way_high,auroc," in header
    assert hope_bench(capsys, "baselines", benchmark.folder, "--json", "--csv").code == 2


def test_a_result_counted_again_is_the_same(benchmark: Benchmark, tmp_path: Path) -> None:
    run = answers_with(benchmark, tmp_path / "r", {"dog": 0.9, "cat": 0.8, "fox": 0.2, "wolf": 0.1})
    result = score(benchmark, run, FAST)
    assert result.splits["content"].probabilities is not None
    assert restate(result) == backed(result) == result
    forged = {
        name: split.model_copy(update={"accuracy": Estimate(value=0.1), "probabilities": split.probabilities and
                               split.probabilities.model_copy(update={"ece": 0.9})})
        for name, split in result.splits.items()
    }  # fmt: skip
    assert restate(result.model_copy(update={"splits": forged, "comparisons": (), "averages": ()})) == result
    old = result.splits["content"]
    old = old.model_copy(update={"part_of": {}, "blind": tuple(one.model_copy(update={"levels": None}) for one in old.blind)})
    found = backed(result.model_copy(update={"splits": {**result.splits, "content": old}}))
    assert [one.name for one in old.blind] != ["always-yes", "always-no"] == [one.name for one in found.splits["content"].blind]
    assert (found.splits["content"].breakdowns, found.splits["random"]) == ({}, result.splits["random"])


@pytest.mark.parametrize(
    ("headline", "accuracy", "images", "again"),
    [
        ("content", Estimate(value=0.5), 2, True),
        ("content", Estimate(value=0.5), 3, True),
        ("content", Estimate(value=0.5), 1, False),
        ("content", Estimate(value=0.5, low=0.0, high=1.0), 9, False),
        ("content", Estimate(value=None), 9, False),
        ("other", Estimate(value=0.5), 9, False),
    ],
)
def test_only_files_without_intervals_are_counted_again(
    headline: str, accuracy: Estimate, images: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    result: Any = SimpleNamespace(
        splits={"content": SimpleNamespace(accuracy=accuracy)}, benchmark=SimpleNamespace(headline=headline, images=images)
    )
    monkeypatch.setattr(restating, "restate", lambda _: "counted")
    assert with_intervals(result) == ("counted" if again else result)
