"""The library as its users call it: the same bytes as the commands, frames, a trend, names that can't collide."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hope_bench as hb
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import demo_spec
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.files.registry import data_root
from tests.cli import hope_bench, refused

ROOT = Path(__file__).resolve().parent.parent.parent
SCENES = 12


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a drawn world and a benchmark of it, called demo."""
    folder = tmp_path_factory.mktemp("api")
    write_world(folder / "world", SCENES, EVALUATION_SEED, lambda _: None)
    hb.generate(demo_spec(folder / "world", SCENES), out=folder / "benchmarks" / "demo", cache=folder / "cache", progress="quiet")
    return folder


@pytest.fixture(scope="module")
def run(world: Path) -> hb.Run:
    """The demo's LVLM asked by the library."""
    return hb.evaluate(
        "demo-llava", world / "benchmarks" / "demo", images=world / "world" / "images", runs=world / "runs", progress="quiet"
    )


@pytest.fixture(scope="module")
def result_file(world: Path, run: hb.Run) -> Path:
    """Its result."""
    hb.score(run, benchmark=world / "benchmarks" / "demo", results=world / "results", progress="quiet")
    (file,) = (world / "results").rglob("*.json")
    return file


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path, but locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_importing_the_library_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "open_clip", "pandas", "plotly", "numpy", "scipy", "pydantic")
    code = f"import hope_bench, sys; dir(hope_bench); print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in hb.__all__:
        thing = getattr(hb, name)
        if not callable(thing) or isinstance(thing, type):
            continue
        assert f"hb.{name}(" in page, f"docs/api.md doesn't speak of {name}"
        assert "Example: " in (thing.__doc__ or ""), f"{name} has no example"
        assert "Raises HopeBenchError" in " ".join((thing.__doc__ or "").split()), f"{name} doesn't say what it raises"
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        hb.evaluat  # noqa: B018 - the access is what is tested


def test_the_library_and_the_commands_write_the_same_bytes(
    world: Path, run: hb.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = data_root() / "benchmarks" / "demo" / "spec.toml"
    spec = tmp_path / "benchmarks" / "demo" / "spec.toml"
    shutil.copytree(shipped.parent, spec.parent, ignore=shutil.ignore_patterns("splits", "manifest.json"))
    spec.write_text(re.sub(r"sample_images = \d+", f"sample_images = {SCENES}", shipped.read_text()))
    drawn = world / "world"
    generated = hope_bench(
        capsys, "generate", spec, "--annotations", drawn / "instances.json", "--captions", drawn / "captions.json",
        "--images", drawn / "images", "--out", tmp_path / "out", "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert generated.code == 0, generated.err
    assert files(tmp_path / "out" / "splits") == files(world / "benchmarks" / "demo" / "splits")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (world / "benchmarks" / "demo" / "manifest.json").read_bytes()

    asked = hope_bench(
        capsys, "evaluate", "--model", "demo-llava", "--benchmark", tmp_path / "out", "--images", drawn / "images",
        "--runs", tmp_path / "runs", "--progress", "quiet",
    )  # fmt: skip
    assert asked.code == 0, asked.err
    folder = tmp_path / "runs" / "demo" / "demo-llava"
    assert (folder / "answers.jsonl").read_bytes() == (run.folder / "answers.jsonl").read_bytes()

    flags = ("--benchmark", tmp_path / "out", "--annotations", drawn / "instances.json", "--results", tmp_path / "by-command")
    assert hope_bench(capsys, "score", folder, *flags).code == 0
    hb.score(
        run, benchmark=world / "benchmarks" / "demo", annotations=drawn / "instances.json", results=tmp_path / "by-library",
        progress="quiet",
    )  # fmt: skip
    assert files(tmp_path / "by-command") == files(tmp_path / "by-library")
    assert list(files(tmp_path / "by-library")) == ["demo/demo-llava.json"]


def test_frames_say_what_the_files_say(world: Path, run: hb.Run) -> None:
    benchmark = hb.load_benchmark(world / "benchmarks" / "demo")
    questions = benchmark.to_frame()
    lines = [json.loads(line) for path in sorted((benchmark.folder / "splits").glob("*.jsonl")) for line in path.open()]
    assert len(questions) == len(lines)
    assert sorted(questions["text"]) == sorted(line["text"] for line in lines)
    assert questions.dtypes["text"] == "string"
    assert questions.dtypes["twin_of"] == "Int64"

    answers = run.to_frame()
    said = [json.loads(line) for line in (run.folder / "answers.jsonl").open()]
    assert answers["verdict"].tolist() == [one["verdict"] for one in said]
    assert answers["p_yes"].tolist() == [one["p_yes"] for one in said]

    result = hb.score(run, benchmark=benchmark, progress="quiet")
    frame = result.to_frame().set_index("split")
    # From questions and answers alone, by pandas: the share of no-questions that were answered yes.
    joined = questions.merge(answers, left_on=["image", "text"], right_on=["image", "question"])
    rates = joined[joined["label"] == "no"].groupby("split")["verdict"].apply(lambda one: (one == "yes").mean())
    for split in ("random", "adversarial", "content", "hope"):
        assert frame.loc[split, "hallucination_rate"] == pytest.approx(rates[split], abs=1e-6)
    assert frame.loc["content", "baseline"] == "adversarial"
    assert pd.isna(frame.loc["random", "precision_drop"])
    for shown in (benchmark, run, result):
        assert "<table" in shown._repr_html_()
        assert len(str(shown).splitlines()) > 3


def test_the_picture_shows_every_split_and_what_pope_hid(run: hb.Run, world: Path) -> None:
    result = hb.score(run, benchmark=world / "benchmarks" / "demo", progress="quiet")
    figure = result.plot()
    marks = {name: x for trace in figure.data if trace.mode == "markers" for name, x in zip(trace.y, trace.x, strict=True)}
    assert marks["content"] == pytest.approx(100 * (result.splits["content"].hallucination_rate.value or 0))
    assert {"random", "popular", "adversarial", "content", "hope"} <= marks.keys()
    lines = {trace.y[0]: tuple(trace.x) for trace in figure.data if trace.mode == "lines"}
    assert lines["content"] == pytest.approx((marks["adversarial"], marks["content"]))


def test_quiet_is_quiet_and_errors_are_hope_bench_errors(world: Path, run: hb.Run, capfd: pytest.CaptureFixture[str]) -> None:
    hb.evaluate(
        "demo-llava", world / "benchmarks" / "demo", images=world / "world" / "images", runs=world / "runs", progress="quiet"
    )
    hb.score(run, benchmark=world / "benchmarks" / "demo", progress="quiet")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    messages: list[str] = []
    hb.evaluate(
        "demo-llava", world / "benchmarks" / "demo", images=world / "world" / "images", runs=world / "runs", say=messages.append
    )
    assert messages == [f"All {run.record.questions:,} questions were answered before; nothing to ask."]
    with pytest.raises(hb.HopeBenchError, match="Did you mean 'demo-llava'"):
        hb.evaluate("demo-lava", world / "benchmarks" / "demo")
    with pytest.raises(hb.HopeBenchError, match="dtype: 'bf16' is not known"):
        hb.evaluate("demo-llava", world / "benchmarks" / "demo", dtype="bf16")
    with pytest.raises(hb.HopeBenchError, match="unknown key 'sample_image'"):
        hb.generate(demo_spec(world / "world", SCENES), sample_image=3)


def test_a_benchmark_needs_no_spec_file(world: Path, tmp_path: Path) -> None:
    drawn = world / "world"
    made = hb.generate(
        name="mine", sample_images=5, k=2, strategies=["random", "popular"], headline="popular",
        annotations=drawn / "instances.json", out=tmp_path / "mine", progress="quiet",
    )  # fmt: skip
    assert (made.name, made.manifest.k, set(made.splits)) == ("mine", 2, {"random", "popular"})
    assert len(made.manifest.images) == 5


@pytest.fixture
def checkpoints(world: Path, run: hb.Run, tmp_path: Path) -> list[hb.Run]:
    """Three runs whose answers get worse: of the no-questions first none, then some, then all are affirmed."""
    folder = tmp_path / "runs" / "demo"
    made = []
    truth = {
        (one["image"], one["text"]): one["label"]
        for one in hb.load_benchmark(world / "benchmarks" / "demo").to_frame().to_dict("records")
    }
    for step, every in ((100, 0), (200, 3), (300, 1)):
        shutil.copytree(run.folder, folder / f"checkpoint-{step}")
        lines = []
        for place, line in enumerate((run.folder / "answers.jsonl").open()):
            one = json.loads(line)
            wrong = truth[one["image"], one["question"]] == "no" and every and place % every == 0
            said = "yes" if wrong else truth[one["image"], one["question"]]
            lines.append(json.dumps(one | {"verdict": said, "text": said}) + "\n")
        (folder / f"checkpoint-{step}" / "answers.jsonl").write_text("".join(lines))
        made.append(hb.load_run(folder / f"checkpoint-{step}"))
    return made


def test_a_trend_pairs_neighbours_and_corrects_for_their_number(
    world: Path, checkpoints: list[hb.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = world / "benchmarks" / "demo"
    found = hb.trend(checkpoints[::-1], benchmark=benchmark)
    frame = found.to_frame()
    assert frame["step"].tolist() == [100, 200, 300]
    rates = frame["hallucination_rate"].tolist()
    assert rates[0] == 0
    assert rates[2] == 1
    assert frame["hallucination_rate_change"].tolist()[1:] == pytest.approx([rates[1], 1 - rates[1]])
    assert frame["balanced_accuracy"].tolist() == pytest.approx([1 - rate / 2 for rate in rates])
    # Two changes: each interval holds 97.5%, so it is wider than the 95% one of the difference alone.
    alone = hb.trend(checkpoints[:2], benchmark=benchmark).to_frame()
    assert frame.loc[1, "hallucination_rate_change_low"] <= alone.loc[1, "hallucination_rate_change_low"]
    assert frame.loc[1, "hallucination_rate_p"] >= alone.loc[1, "hallucination_rate_p"]
    assert len(found.plot().data) == 3

    runs = [run.folder for run in checkpoints]
    page = tmp_path / "trend.html"
    shown = hope_bench(capsys, "trend", *runs, "--benchmark", benchmark, "--out", page)
    assert shown.code == 0, shown.err
    assert "checkpoint-300" in shown.out
    assert "training step" in page.read_text(encoding="utf-8")
    printed = hope_bench(capsys, "trend", *runs, "--benchmark", benchmark, "--json")
    assert [row["step"] for row in json.loads(printed.out)] == [100, 200, 300]
    page.unlink()
    written = hope_bench(capsys, "trend", *runs, "--benchmark", benchmark, "--json", "--out", page)
    assert (json.loads(written.out), page.is_file()) == (json.loads(printed.out), True)
    assert str(page) in written.err, "said, but not among the numbers"
    assert "--details" in refused(capsys, "trend", *runs, "--benchmark", benchmark, "--json", "--details")
    as_csv = hope_bench(capsys, "trend", *runs, "--benchmark", benchmark, "--csv", "--step", 7, "--step", 8, "--step", 9)
    assert [line.split(",")[0] for line in as_csv.out.splitlines()] == ["step", "7", "8", "9"]
    assert "One of them" not in refused(capsys, "trend", *runs, "--benchmark", benchmark, "--step", 7)
    twice = refused(capsys, "trend", *runs, "--benchmark", benchmark, "--step", 7, "--step", 7, "--step", 9)
    assert "1 step is of two runs (7)" in twice


def test_a_trend_compares_common_questions_of_splits_that_all_were_asked(world: Path, run: hb.Run, tmp_path: Path) -> None:
    benchmark, images = world / "benchmarks" / "demo", world / "world" / "images"
    asked: dict[str, Any] = {"images": images, "runs": tmp_path / "runs", "progress": "quiet"}
    some = hb.evaluate("demo-llava", benchmark, limit=6, name="some", **asked)
    found = hb.trend([run, some], steps=[1, 2], benchmark=benchmark)
    assert found.points[1].changes["hallucination_rate"].value == 0, "the same model, asked the same questions"
    two = hb.evaluate("demo-llava", benchmark, splits=["popular", "content"], name="two", **asked)
    with pytest.raises(hb.HopeBenchError, match=r"Not all runs were asked hope. Name one .*: content, popular"):
        hb.trend([run, two], steps=[1, 2], benchmark=benchmark)
    assert hb.trend([run, two], steps=[1, 2], split="content", benchmark=benchmark).baseline == "popular"


def test_what_evaluate_gives_is_scored_wherever_its_benchmark_lies_and_shows_short(world: Path, tmp_path: Path) -> None:
    benchmark = hb.load_benchmark(world / "benchmarks" / "demo")
    asked = hb.evaluate(
        "demo-llava", benchmark, images=world / "world" / "images", limit=6, runs=tmp_path / "runs", progress="quiet"
    )
    result = hb.score(asked, progress="quiet")  # no folder benchmarks/demo in the working directory
    assert result.benchmark.hash == benchmark.manifest.hash
    assert [repr(asked), repr(benchmark)] == [f"Run({str(asked.folder)!r})", f"Benchmark({str(benchmark.folder)!r})"]
    assert repr(result) == "Result('demo-llava' on 'demo')"
    again = hb.load_run(asked.folder)
    assert again == asked
    with pytest.raises(hb.HopeBenchError, match="hope-bench generate demo"):
        hb.score(again)


class Says:
    """An object that answers, and says which it is."""

    def __init__(self, text: str, identity: str) -> None:
        self.text, self.identity = text, identity

    def answer(self, batch: Sequence[object]) -> list[str]:
        return [self.text for _ in batch]


def test_a_run_whose_answers_were_replaced_is_not_scored_as_what_it_was(world: Path, tmp_path: Path) -> None:
    benchmark, images = world / "benchmarks" / "demo", world / "world" / "images"
    asked: dict[str, Any] = {"images": images, "runs": tmp_path / "runs", "progress": "quiet", "limit": 4}
    said_yes = hb.evaluate(Says("yes", "v1"), benchmark, **asked)
    assert hb.score(said_yes).splits["random"].recall.value == 1
    said_no = hb.evaluate(Says("no", "v2"), benchmark, **asked)  # no name of its own: the same folder
    assert hb.score(said_no).splits["random"].recall.value == 0
    for use in (hb.score, hb.report, hb.load_run, lambda run: run.to_frame(), lambda run: hb.trend([run, said_no], steps=[1, 2])):
        with pytest.raises(hb.HopeBenchError, match=r"answers of this run were replaced.*Give each run a name of its own"):
            use(said_yes)


def test_what_an_object_says_it_is_tells_its_result_from_others(world: Path, tmp_path: Path) -> None:
    benchmark, images = world / "benchmarks" / "demo", world / "world" / "images"
    for place, (text, identity) in enumerate((("yes", "v1"), ("no", "v2"))):
        run = hb.evaluate(
            Says(text, identity), benchmark, images=images, name="same", runs=tmp_path / str(place), limit=4, progress="quiet"
        )
        assert run.record.run.identity == identity
        if not place:
            hb.score(run, results=tmp_path / "results")
            continue
        with pytest.raises(hb.HopeBenchError, match="holds the result of another model"):
            hb.score(run, results=tmp_path / "results")
    with pytest.raises(hb.HopeBenchError, match="a named one is known by its files"):
        hb.evaluate("demo-llava", benchmark, identity="it")


def test_a_finished_run_takes_the_step_that_it_is_said_to_be_of(world: Path, tmp_path: Path) -> None:
    benchmark, images = world / "benchmarks" / "demo", world / "world" / "images"
    asked: dict[str, Any] = {"images": images, "runs": tmp_path / "runs", "progress": "quiet", "limit": 4}
    for model in (Says("no", "v1"), "demo-llava"):
        assert hb.evaluate(model, benchmark, **asked).record.run.step is None
        again = hb.evaluate(model, benchmark, step=500, **asked)
        assert again.record.run.step == hb.load_run(again.folder).record.run.step == 500


def test_runs_with_other_prompts_are_no_trend(world: Path, run: hb.Run, tmp_path: Path) -> None:
    benchmark, images = world / "benchmarks" / "demo", world / "world" / "images"
    other = hb.evaluate(
        Says("no", "v"), benchmark, images=images, runs=tmp_path, limit=4, prompt="So: {question}", progress="quiet"
    )
    with pytest.raises(hb.HopeBenchError, match="asked with 2 prompts"):
        hb.trend([run, other], steps=[1, 2], benchmark=benchmark)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("answers", lambda text: text.replace('"mass":', '"mass":-', 1), "line 1: not an answer"),
        ("answers", lambda text: re.sub(r'"p_yes":[^,]*', '"p_yes":7', text, count=1), "line 1: not an answer"),
        ("run", lambda _: "[" * 100_000, "is not JSON"),
        ("run", lambda _: '{"seconds": ' + "9" * 5000 + "}", "is not JSON"),
        ("result", lambda text: re.sub(r'"splits": \{.*?\n\}', '"splits": {}', text, flags=re.DOTALL), "splits"),
        ("result", lambda text: text.replace('"baseline":"popular"', '"baseline":"gone"', 1), "is no split of this result"),
        ("result", lambda text: re.sub(r'"value":0\.\d+', '"value":NaN', text, count=1), "finite number"),
    ],
)
def test_files_that_say_what_cannot_be_are_refused(
    kind: str, change: Callable[[str], str], says: str, world: Path, run: hb.Run, result_file: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(run.folder, tmp_path / "runs" / "demo" / "it"))
    result = Path(shutil.copy(result_file, tmp_path / "result.json"))
    file = {"answers": copy / "answers.jsonl", "run": copy / "run.json", "result": result}[kind]
    before = file.read_text()
    assert change(before) != before
    file.write_text(change(before))
    with pytest.raises(hb.HopeBenchError, match=re.escape(says)):
        hb.load_result(file) if kind == "result" else hb.score(copy, benchmark=world / "benchmarks" / "demo", progress="quiet")


def test_a_result_is_named_after_its_run_and_never_replaces_another_models(
    world: Path, checkpoints: list[hb.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark, results = world / "benchmarks" / "demo", tmp_path / "results"
    for run in checkpoints[:2]:
        assert hope_bench(capsys, "score", run.folder, "--benchmark", benchmark, "--results", results).code == 0
    assert sorted(files(results)) == ["demo/checkpoint-100.json", "demo/checkpoint-200.json"]
    written = json.loads((results / "demo" / "checkpoint-100.json").read_text())
    assert written["run"]["name"] == "checkpoint-100"
    # The same name, other weights: another training run's checkpoint.
    other = tmp_path / "elsewhere" / "demo" / "checkpoint-100"
    shutil.copytree(checkpoints[0].folder, other)
    record = json.loads((other / "run.json").read_text())
    record["run"]["weights_sha256"] = "f" * 64
    (other / "run.json").write_text(json.dumps(record))
    before = files(results)
    said = refused(capsys, "score", other, "--benchmark", benchmark, "--results", results)
    assert "holds the result of another model" in said
    assert files(results) == before
    assert hope_bench(capsys, "score", other, "--benchmark", benchmark, "--results", results, "--replace").code == 0
    assert json.loads((results / "demo" / "checkpoint-100.json").read_text())["run"]["weights_sha256"] == "f" * 64


def test_score_and_compare_print_for_programs(
    world: Path, checkpoints: list[hb.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark, results = world / "benchmarks" / "demo", tmp_path / "results"
    printed = [
        hope_bench(capsys, "score", run.folder, "--benchmark", benchmark, "--results", results, "--json").out
        for run in checkpoints
    ]
    rows = {row["split"]: row for row in json.loads(printed[1])}
    assert rows["random"]["precision_drop"] is None
    assert 0 < rows["hope"]["hallucination_rate"] < 1
    by_csv = hope_bench(capsys, "score", checkpoints[1].folder, "--benchmark", benchmark, "--results", results, "--csv").out
    assert by_csv.splitlines()[0].startswith("split,kind,questions,yes,no,unparsed,error,unasked,accuracy,accuracy_low")
    pairs = hope_bench(capsys, "compare", "demo/checkpoint-100", "demo/checkpoint-300", "--results", results, "--json")
    (pair,) = json.loads(pairs.out)
    assert pair["difference"] == pytest.approx(0.5)
    frame = hb.compare(["demo/checkpoint-100", "demo/checkpoint-300"], results=results).to_frame()
    assert frame.loc[0, "difference"] == pytest.approx(0.5)
    one = hb.load_result("demo/checkpoint-100", results)
    undefined = hb.compare([one, one], metric="hallucination_rate").to_frame()
    assert undefined.dtypes["right_p_holm"] == "float64"
    assert "exclude each other" in refused(capsys, "compare", "demo", "--results", results, "--json", "--csv")
