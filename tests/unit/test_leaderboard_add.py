"""hope-bench leaderboard add and check: what gets in, what doesn't, and what is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from hope_bench.files.result_file import read_result, write_result
from hope_bench.scoring.reviewed import correct
from hope_bench.site.adding import add_result
from tests.cli import hope_bench, refused
from tests.unit.test_site import change, make_result

ROOT = Path(__file__).resolve().parent.parent.parent
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    write_result(path, make_result(tmp_path, "My Model", 2))
    return path


def test_a_good_result_goes_into_place(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results, before = tmp_path / "results", datetime.now(UTC).date()
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    there = read_result(results / "tiny" / "my-model.json")
    assert there.added in (before, datetime.now(UTC).date())
    assert there.model_copy(update={"added": None}) == read_result(mine)
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    checked = hope_bench(capsys, "leaderboard", "check", "--results", results)
    assert (checked.code, checked.out.strip()) == (0, "1 result holds.")


def test_a_model_is_replaced_only_when_asked(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results = tmp_path / "results"
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    write_result(mine, make_result(tmp_path, "My Model", 3))
    assert "pass --replace" in refused(capsys, "leaderboard", "add", mine, "--results", results)
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results, "--replace").code == 0
    assert read_result(results / "tiny" / "my-model.json").splits == read_result(mine).splits


def test_a_result_keeps_the_day_it_was_added(mine: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    target = add_result(mine, results, day=date(2025, 8, 10))
    before = target.read_bytes()
    assert add_result(mine, results, day=date(2026, 1, 1)) == add_result(target, results, day=date(2026, 1, 1)) == target
    assert target.read_bytes() == before
    write_result(mine, make_result(tmp_path, "My Model", 3))
    add_result(mine, results, replace=True, day=date(2026, 1, 1))
    assert read_result(target).added == date(2026, 1, 1)


def test_other_questions_need_a_word(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results = tmp_path / "results"
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    write_result(mine, make_result(tmp_path, "Other", 3, prompt="Well? {question}"))
    message = refused(capsys, "leaderboard", "add", mine, "--results", results)
    assert "pass --new-version" in message
    assert not (results / "tiny" / "other.json").exists()
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results, "--new-version").code == 0


def test_versions_of_one_model_stand_side_by_side(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results = tmp_path / "results"
    first, second = results / "tiny" / "my-model.json", tmp_path / "second.json"
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    before = first.read_bytes()
    write_result(second, make_result(tmp_path, "My Model", 3, prompt="Well? {question}"))
    digest = read_result(second).benchmark.hash[:12]
    for options in ([], ["--replace"]):  # the questions come first: numbers of others are never replaced
        message = refused(capsys, "leaderboard", "add", second, "--results", results, *options)
        assert f"benchmark.hash is {digest}" in message
        assert "pass --new-version" in message
    for options in (["--new-version", "--replace"], ["--new-version"], []):
        assert hope_bench(capsys, "leaderboard", "add", second, "--results", results, *options).code == 0
        assert {path.name for path in first.parent.iterdir()} == {"my-model.json", f"my-model-{digest}.json"}
        assert first.read_bytes() == before
    write_result(second, make_result(tmp_path, "My Model", 1, prompt="Well? {question}"))
    assert "pass --replace" in refused(capsys, "leaderboard", "add", second, "--results", results)
    assert hope_bench(capsys, "leaderboard", "add", second, "--results", results, "--replace").code == 0
    assert first.read_bytes() == before
    assert read_result(first.with_name(f"my-model-{digest}.json")).splits == read_result(second).splits
    assert hope_bench(capsys, "leaderboard", "check", "--results", results).out.strip() == "2 results hold."
    built = hope_bench(capsys, "leaderboard", "build", "--results", results, "--out", tmp_path / "site")
    assert built.code == 0
    assert len(list((tmp_path / "site" / "benchmarks").glob("tiny-*[0-9a-f].html"))) == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change("splits", "content", "precision", "low", to=0.1), "content.precision.low is 0.1, but the result's own verdicts"),
        (change("splits", "content", "precision", "low", to=None), "half an interval"),
        (change("splits", "content", "f1", to={"value": 0.857143, "low": None, "high": None}), "splits.content.f1.low is None"),
        (change("splits", "content", "recall", "value", to=0.5), "splits.content.recall.value is 0.5"),
        (change("comparisons", 0, "precision_drop", "high", to=0.9), "comparisons.0.precision_drop.high is 0.9"),
        (change("bootstrap", "confidence", to=0.9), "but the result's own verdicts give"),
        (change("splits", "content", "d_prime", "value", to=3.0), "splits.content.d_prime.value is 3.0"),
        (change("splits", "content", "criterion", "high", to=1e9), "splits.content.criterion is not between"),
        (change("model", "nmae", to="x"), "Did you mean 'name'"),
        (change("splits", "content", "breakdowns", "category", 0, "hallucination_rate", "value", to=0.9), "breakdowns.category"),
        (change("worst", 0, "p_yes", to=0.5), "worst.0.p_yes is 0.5, but the split's packed P(yes) gives None"),
        (change("worst", 0, "place", to=0), "worst.0 is not a no-question"),
        (change("added", to="yesterday"), "added"),
        (change("model", "checkpoint", to="javascript:alert(1)"), "Links begin with https://"),
    ],
)  # fmt: skip
def test_what_is_refused(
    mine: Path, tmp_path: Path, capsys: Capture, changed: Callable[[dict[str, Any]], None], words: str
) -> None:
    data = json.loads(mine.read_text())
    changed(data)
    mine.write_text(json.dumps(data))
    message = refused(capsys, "leaderboard", "add", mine, "--results", tmp_path / "results")
    assert words in message
    assert "mine.json" in message
    assert not (tmp_path / "results").exists()


def test_only_strict_results_are_added(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results = tmp_path / "results"
    target = add_result(mine, results)
    before = target.read_bytes()
    write_result(mine, read_result(mine).model_copy(update={"convention": "pope"}))
    message = refused(capsys, "leaderboard", "add", mine, "--results", results, "--replace")
    assert f"{mine} was scored by the pope convention; the leaderboard compares strict results only." in message
    assert f"belong in {target.parent / 'pope'}/" in message
    assert target.read_bytes() == before


BLIND = ("splits", "content", "blind")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change(*BLIND, 0, "balanced_accuracy", to=0.1), "blind.0.balanced_accuracy is 0.1, but the labels give always-yes"),
        (change(*BLIND, 0, "recall", to=0.5), "content.blind.0.recall is 0.5"),
        (change(*BLIND, 1, "hallucination_rate", to=0.5), "blind.1.hallucination_rate is 0.5, but the labels"),
        (change(*BLIND, 1, "precision", to=0.5), "content.blind.1.precision is 0.5, but the labels give always-no None"),
        (change(*BLIND, 1, "name", to="always-yes"), "content.blind holds a name twice"),
        (change(*BLIND, 2, "accuracy", to=0.1), "content.blind.2.accuracy is 0.1, but the labels give category"),
        (change(*BLIND, 2, "hallucination_rate", to=0.3), "content.blind.2.accuracy is 1.0, but"),
        (change(*BLIND, 2, "recall", to=7), "content.blind.2: recall or hallucination_rate is not between 0 and 1"),
    ],
)  # fmt: skip
def test_tampered_blind_numbers_are_refused_everywhere(
    mine: Path, tmp_path: Path, capsys: Capture, changed: Callable[[dict[str, Any]], None], words: str
) -> None:
    data = json.loads(mine.read_text())
    changed(data)
    _refused_everywhere(data, mine, tmp_path, capsys, words)


def _refused_everywhere(
    data: dict[str, Any], mine: Path, tmp_path: Path, capsys: Capture, words: str, *, build: bool = True
) -> None:
    """By add; and by check and build where it lies there all the same."""
    results = tmp_path / "results"
    mine.write_text(json.dumps(data))
    assert words in refused(capsys, "leaderboard", "add", mine, "--results", results)
    target = results / "tiny" / "my-model.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(data))
    assert words in refused(capsys, "leaderboard", "check", "--results", results)
    if build:
        assert words in refused(capsys, "leaderboard", "build", "--results", results, "--out", tmp_path / "site")


def test_a_prior_is_the_same_in_all_results_of_a_benchmark(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results, other = tmp_path / "results", tmp_path / "other.json"
    add_result(mine, results)
    write_result(other, make_result(tmp_path, "Other", 3))
    data = json.loads(other.read_text())
    prior = data["splits"]["content"]["blind"][2]
    prior |= data["splits"]["content"]["blind"][0] | {"name": "category"}
    other.write_text(json.dumps(data))
    message = refused(capsys, "leaderboard", "add", other, "--results", results)
    assert "what splits.content.blind says of category differs" in message
    del data["splits"]["content"]["blind"][2:]
    other.write_text(json.dumps(data))
    assert hope_bench(capsys, "leaderboard", "add", other, "--results", results).code == 0


@pytest.mark.parametrize("key", ["name", "title", "prompt", "dataset", "headline"])
def test_the_same_questions_are_called_the_same(mine: Path, tmp_path: Path, capsys: Capture, key: str) -> None:
    results, other = tmp_path / "results", tmp_path / "other.json"
    add_result(mine, results)
    write_result(other, make_result(tmp_path, "Other", 3))
    data = json.loads(other.read_text())
    to = data["benchmark"][key] = "adversarial" if key == "headline" else "Elsewhere"
    other.write_text(json.dumps(data))
    words = f"have the same benchmark.hash, but benchmark.{key} is {to!r} in one"
    assert words in refused(capsys, "leaderboard", "add", other, "--results", results, "--new-version")
    assert [path.name for path in results.rglob("*.json")] == ["my-model.json"]
    folder = results / ("elsewhere" if key == "name" else "tiny")
    folder.mkdir(exist_ok=True)
    (folder / "other.json").write_text(json.dumps(data))
    for command in (["check"], ["build", "--out", tmp_path / "site"]):
        assert f"but benchmark.{key} is " in refused(capsys, "leaderboard", *command, "--results", results)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png", "", "."])
def test_images_outside_their_folder_are_refused(mine: Path, tmp_path: Path, capsys: Capture, name: str) -> None:
    data = json.loads(mine.read_text())
    data["worst"][0]["image"] = name
    words = f"worst.0.image {name!r} is no file name within a folder of images. Rename the image"
    _refused_everywhere(data, mine, tmp_path, capsys, words)


def test_images_may_lie_in_subfolders(mine: Path, tmp_path: Path) -> None:
    data = json.loads(mine.read_text())
    data["worst"][0]["image"] = "val2014/a..b.png"
    mine.write_text(json.dumps(data))
    assert add_result(mine, tmp_path / "results").is_file()


@pytest.mark.parametrize("key", ["input_tokens", "output_tokens", "cost_usd"])
def test_negative_counts_are_refused(mine: Path, tmp_path: Path, capsys: Capture, key: str) -> None:
    data = json.loads(mine.read_text())
    data["run"][key] = -1
    _refused_everywhere(data, mine, tmp_path, capsys, f"run.{key} is -1")


def _corrected(path: Path) -> dict[str, Any]:
    """The result with rates under the truth of a review of every question but the last, two of which were unsure."""
    result = read_result(path)
    split = result.splits["content"]
    truth = "??" + split.labels[2:-1] + "-"
    stated = correct(split, truth, (0.5,) * (len(truth) - 1), 0.95)
    changed = {**result.splits, "content": split.model_copy(update={"corrected": stated})}
    write_result(path, result.model_copy(update={"splits": changed}))
    found: dict[str, Any] = json.loads(path.read_text())
    assert found["splits"]["content"]["corrected"]["hallucination_rate"]["low"] is not None
    return found


@pytest.mark.parametrize(
    ("key", "to", "words", "build"),
    [
        (("hallucination_rate", "value"), 0.01, "corrected.hallucination_rate.value is 0.01, but", True),
        (("recall", "value"), None, "corrected.recall.value is None, but", True),
        (("hallucination_rate", "high"), 0.99, "corrected.hallucination_rate.high is 0.99", False),
        (("reviewed",), 8, "corrected: reviewed or unsure is not what its truth counts", True),
        (("unsure",), 0, "corrected: reviewed or unsure is not what its truth counts", True),
        (("truth",), "y", "", True),
        (("inclusion",), [0.5], "", True),
        (("inclusion",), [0.0] * 11, "", True),
    ],
)
def test_tampered_corrected_rates_are_refused(
    mine: Path, tmp_path: Path, capsys: Capture, key: tuple[str, ...], to: object, words: str, build: bool
) -> None:
    data = _corrected(mine)
    change("splits", "content", "corrected", *key, to=to)(data)
    _refused_everywhere(data, mine, tmp_path, capsys, f"splits.content.{words}", build=build)


def test_corrected_rates_that_follow_from_a_review_are_taken(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    results = tmp_path / "results"
    _corrected(mine)
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    assert hope_bench(capsys, "leaderboard", "check", "--results", results).code == 0
    assert hope_bench(capsys, "leaderboard", "build", "--results", results, "--out", tmp_path / "site").code == 0


def test_a_file_of_version_2_is_taken_with_its_intervals_computed_again(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    data = json.loads(mine.read_text())
    data["schema_version"] = 2
    for split in data["splits"].values():
        for key in ("d_prime", "criterion", "forced_choice"):
            del split[key]
        split["corrected"] = {"reviewed": 9}
        split["recall"] |= {"low": 0.0, "high": 1.0}
    expected = read_result(mine)
    mine.write_text(json.dumps(data))
    assert read_result(mine).splits["content"].recall.low is None, "a bootstrap's interval isn't shown as ours"
    target = add_result(mine, tmp_path / "results")
    assert read_result(target).splits["content"].recall == expected.splits["content"].recall
    assert read_result(target).splits["content"].d_prime == expected.splits["content"].d_prime
    assert hope_bench(capsys, "leaderboard", "check", "--results", tmp_path / "results").code == 0


def test_check_finds_a_file_under_another_models_name(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "results" / "tiny" / "gpt.json"
    target.parent.mkdir(parents=True)
    target.write_bytes(mine.read_bytes())
    assert "call the file my-model.json" in refused(capsys, "leaderboard", "check", "--results", tmp_path / "results")


def test_check_lists_every_file_that_is_wrong(mine: Path, tmp_path: Path, capsys: Capture) -> None:
    """Whatever it is: no result, under another name, asked about as nobody else, a stray, a sheet."""
    folder, data = tmp_path / "results" / "tiny", json.loads(mine.read_text())
    folder.mkdir(parents=True)
    for name in ("a-wrong-name", "my-model"):
        (folder / f"{name}.json").write_bytes(mine.read_bytes())
    change("benchmark", "title", to="Another")(data)
    (folder / "title.json").write_text(json.dumps(data))
    (folder / "cut.json").write_text(mine.read_text()[:100])
    (folder.parent / "stray.json").write_text("{}")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "sheet.json").write_text("{}")
    outcome = hope_bench(capsys, "leaderboard", "check", "--results", folder.parent)
    assert outcome.code == 2
    first, *told = outcome.err.splitlines()
    assert first == "Error: 6 things to mend:"
    expected = (
        f"{tmp_path / 'benchmarks' / 'sheet.json'} is not a valid sheet",
        f"{folder.parent / 'stray.json'} is not in a benchmark",
        f"{folder / 'cut.json'} is not JSON",
        f"{folder / 'title.json'} and {folder / 'a-wrong-name.json'} have the same",
        f"{folder / 'a-wrong-name.json'}: the run is called",
        f"{folder / 'title.json'}: the run is called",
    )
    for line, words in zip(told, expected, strict=True):
        assert line.startswith(words)


@pytest.mark.parametrize("command", ["check", "build"])
def test_a_folder_without_a_result_is_no_leaderboard(command: str, tmp_path: Path, capsys: Capture) -> None:
    options = ["--out", tmp_path / "site"] if command == "build" else []
    assert "does not exist" in refused(capsys, "leaderboard", command, "--results", tmp_path / "nowhere", *options)
    results = tmp_path / "results"
    (results / "tiny" / "unranked").mkdir(parents=True)
    for name in ("unranked/look.json", "notes.txt"):
        (results / "tiny" / name).write_text("{}")
    message = refused(capsys, "leaderboard", command, "--results", results, *options)
    assert f"{results} holds no result: none lies at {results}/BENCHMARK/RUN.json" in message
    assert not (tmp_path / "site").exists()
    (results / "stray.json").write_text("{}")
    assert "stray.json is not in a benchmark's folder" in refused(capsys, "leaderboard", command, "--results", results, *options)


def test_only_a_result_file_is_added(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs", "my bench", "ep-ok").mkdir(parents=True)
    Path("runs", "my bench", "ep-ok", "run.json").write_text("{}")
    Path("folder").mkdir()
    expected = "such as leaderboard/results/BENCHMARK/RUN.json."
    for given in ("my bench/ep-ok", "runs/my bench/ep-ok"):
        message = refused(capsys, "leaderboard", "add", given)
        assert f"{given} is a run, not a result file. Score it first (hope-bench score '{given}')" in message
        assert message.endswith(expected)
    for given, words in (("folder", "is a folder, not a result file"), ("no.json", "does not exist"), ("a/b", "does not exist")):
        message = refused(capsys, "leaderboard", "add", given)
        assert message == f"Error: {given} {words}. Give a file that hope-bench score wrote, {expected}"
    assert not Path("leaderboard").exists()


def test_the_committed_results_hold(capsys: Capture) -> None:
    assert hope_bench(capsys, "leaderboard", "check", "--results", ROOT / "leaderboard" / "results").code == 0


def test_the_workflow_runs_commands_that_exist_and_nothing_that_is_submitted() -> None:
    text = (ROOT / ".github" / "workflows" / "leaderboard.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert "pull_request" in workflow["jobs"]["publish"]["if"]
    steps = workflow["jobs"]["check"]["steps"]
    code, data = (step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout@"))
    assert "base.sha" in code["ref"]
    assert (data["path"], data["sparse-checkout"]) == ("submitted", "leaderboard")
    build = "hope-bench leaderboard build --results submitted/leaderboard/results --out build/site"
    assert [line for line in (step.get("run", "") for step in steps) if line.startswith("hope-bench")] == [
        "hope-bench leaderboard check --results submitted/leaderboard/results",
        build,
        build,  # once more, when the documentation it leads to is there
    ]
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one) for one in used)
    assert "pull_request_target" not in text


def test_a_submitted_folder_is_checked_and_built_from_elsewhere(
    mine: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow's commands, where they run: beside a folder `submitted`."""
    monkeypatch.chdir(tmp_path)
    results = Path("submitted", "leaderboard", "results")
    assert hope_bench(capsys, "leaderboard", "add", mine, "--results", results).code == 0
    assert hope_bench(capsys, "leaderboard", "check", "--results", results).code == 0
    assert hope_bench(capsys, "leaderboard", "build", "--results", results, "--out", "build/site").code == 0
    assert Path("build", "site", "tiny", "my-model.html").is_file()
