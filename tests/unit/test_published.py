"""Published figures: the shipped file, how far two honest runs may be apart, and which files are POPE's."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import read_card
from hope_bench.files.published import Figure, PublishedTable, find_figures
from hope_bench.files.registry import data_root
from hope_bench.files.result import Bootstrap, ModelInfo, RunInfo
from hope_bench.files.run import Run, RunRecord
from hope_bench.files.split_score import Estimate, VerdictCounts
from hope_bench.interchange.find_pope import find_pope_files
from hope_bench.records import Verdict
from hope_bench.scoring.conventions import STRICT
from hope_bench.scoring.published import FLIPPED, Check, Verification, check_figures, explanations, flip_deviation
from hope_bench.scoring.published_tables import verdict
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

SHIPPED = data_root() / "leaderboard" / "published.toml"
CARDS = data_root() / "models"


def test_figures_are_found_by_card_and_by_every_checkpoint_of_the_same_weights() -> None:
    by_card = find_figures(SHIPPED, ["llava-1.5-13b"])
    assert {(one.split, one.value) for one in by_card} == {
        ("random", 87.1), ("popular", 86.2), ("adversarial", 84.5), ("split-mean", 85.9),
    }  # fmt: skip
    for checkpoint in ("llava-hf/llava-1.5-13b-hf", "liuhaotian/LLaVA-v1.5-13B"):
        assert find_figures(SHIPPED, [None, checkpoint]) == by_card
    with pytest.raises(HopeBenchError, match=r"Did you mean 'llava-1.5-13b'.*--as NAME"):
        find_figures(SHIPPED, ["llava-1.5-13"])


def test_the_shipped_figures_fit_the_cards_the_site_and_each_other() -> None:
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    tables = {table["name"]: table for table in shipped["table"]}
    for path in CARDS.glob("*.toml"):
        card = read_card(path)
        if card.name in shipped["checkpoints"]:
            assert card.checkpoint in shipped["checkpoints"][card.name]
            prompts = {one.table.prompt for one in find_figures(SHIPPED, [card.name]) if one.table.name.startswith("llava")}
            assert prompts <= {card.authors_prompt, tables["llava-1.5"]["prompt"]}
    for name, row in tables["llava-1.5"]["values"].items():  # the authors' mean is that of their three figures
        assert tables["llava-model-zoo"]["values"][name]["split-mean"] == pytest.approx(np.mean(list(row.values())), abs=0.05)
    published = {
        (row["model"].lower(), split): value
        for table in json.loads((SHIPPED.parent / "elsewhere.json").read_text(encoding="utf-8"))["tables"]
        for row in table["rows"]
        for split, value in zip(table["columns"], row["values"], strict=True)
    }
    for table in tables.values():
        for name, row in table["values"].items():
            for split, value in row.items():
                assert published.get((name, split), value) == value


@pytest.mark.parametrize("counts", [((1182, 318), (59, 1441)), ((1500, 0), (700, 800)), ((20, 10), (3, 27))])
def test_the_allowed_difference_is_what_flipped_answers_make(counts: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Against a simulation: of each label's answers one in 20 turns, either way alike, and F1 is computed anew."""
    (hits, misses), (false, _) = counts
    rng = np.random.default_rng(0)
    turned = [rng.binomial(sum(row), FLIPPED, 20_000) for row in counts]
    yes, no = (2 * rng.binomial(many, 0.5) - many for many in turned)
    f1 = 200 * (hits + yes) / (2 * (hits + yes) + (false + no) + (misses - yes))
    table = np.array([[*row, 0, 0, 0] for row in counts], dtype=np.int64)
    assert flip_deviation(table, "f1", STRICT) == pytest.approx(f1.std(), rel=0.05)


def test_the_allowed_difference_shrinks_with_the_root_of_the_questions_and_is_0_for_an_undefined_number() -> None:
    table = np.array([[1182, 318, 0, 0, 0], [59, 1441, 0, 0, 0]], dtype=np.int64)
    one, four = (flip_deviation(table * times, "f1", STRICT) for times in (1, 4))
    assert one == pytest.approx(2 * four, rel=0.01)
    assert flip_deviation(np.zeros((2, 5), dtype=np.int64), "f1", STRICT) == 0


def test_popes_files_are_known_by_their_names(tmp_path: Path) -> None:
    for name in ("coco_pope_random.json", "gqa_pope_random.json", "coco_pope_popular.json", "notes_adversarial.txt"):
        (tmp_path / name).touch()
    found = find_pope_files([tmp_path], ("random", "popular", "adversarial"))
    assert {split: path.name for split, path in found.items()} == {
        "random": "coco_pope_random.json", "popular": "coco_pope_popular.json",
    }  # fmt: skip
    assert find_pope_files([tmp_path / "gqa_pope_random.json"], ("random",)) == {"random": tmp_path / "gqa_pope_random.json"}
    (tmp_path / "coco_old_random.json").touch()
    with pytest.raises(HopeBenchError, match="2 files may be POPE's random split"):
        find_pope_files([tmp_path], ("random",))
    with pytest.raises(HopeBenchError, match="does not exist"):
        find_pope_files([tmp_path / "nowhere"], ("random",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"f1"', '"F1"', "metric"),
        ("{question}", "", "holds no"),
        ("adversarial = 84.5", "adversarial = 0.845, hope = 1", "hope"),
        ("random = 87.1", "random = 871", "percent"),
        ("decimals = 1", "decimal = 1", "unknown key"),
    ],
)
def test_a_malformed_file_is_refused_by_key(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(HopeBenchError, match=rf"mine\.toml.*{said}"):
        find_figures(path, ["llava-1.5-13b"])


@pytest.mark.parametrize(
    ("here", "errors", "said"),
    [
        (84.9, 0, "Agrees: 1"),
        (84.9, 3, "Not settled"),
        (86.0, 3, "Differs here: 1 of 1 published figures (adversarial by +1.50 points)"),
        (None, 0, "Differs here: 1 of 1 published figures (adversarial by - points)"),
    ],
)
def test_a_run_with_failed_answers_settles_nothing(here: float | None, errors: int, said: str, tmp_path: Path) -> None:
    [figure] = [one for one in find_figures(SHIPPED, ["llava-1.5-13b"]) if one.split == "adversarial"]
    record = RunRecord(
        name="x", benchmark="pope", benchmark_hash="", key="", model=ModelInfo(name="x"), run=RunInfo(), errors=errors
    )
    found = Verification("x", (Check(figure, here, 0.9, 3000, 0),), (Run(tmp_path, record),), ())
    assert verdict(found).startswith(said)
    assert found.agrees == (said == "Agrees: 1")
    assert bool(explanations(found)) != found.agrees


def test_half_a_unit_of_a_figures_last_digit_is_allowed_beside_what_flips_make(tmp_path: Path) -> None:
    rows: list[Row] = [(f"{place}.jpg", name, label) for place in range(40) for name, label in (("dog", "yes"), ("cat", "no"))]
    benchmark = make_benchmark(tmp_path / "b", {"adversarial": rows})
    said: dict[tuple[str, str], Verdict] = {(image, name): "no" if name == "cat" else "yes" for image, name, _ in rows}
    said |= {("0.jpg", "dog"): "unparsed", ("1.jpg", "cat"): "yes"}
    result = score(benchmark, make_run(tmp_path / "run", benchmark, said), Bootstrap(replicates=100, seed=0, confidence=0.95))
    [figure] = [one for one in find_figures(SHIPPED, ["llava-1.5-13b"]) if one.split == "adversarial"]

    def checked(decimals: int) -> Check:
        table = figure.table.model_copy(
            update={"decimals": decimals, "questions": {}, "convention": "strict", "same_questions": True}
        )
        [[check], left_out] = check_figures({"strict": result}, [replace(figure, table=table)], True)
        assert left_out == []
        return check

    exact, rounded = checked(4), checked(1)
    assert exact.here == pytest.approx(100 * 2 * 39 / (2 * 39 + 1 + 1))
    assert (exact.questions, exact.unread) == (80, 1)
    assert rounded.allowed - exact.allowed == pytest.approx(0.05 - 0.00005)
    flips = 1.96 * flip_deviation(np.array([[39, 0, 1, 0, 0], [1, 39, 0, 0, 0]], dtype=np.int64), "f1", STRICT)
    assert rounded.allowed == pytest.approx(flips + 0.05)


def figure(split: str = "random", value: float = 85.0, **table: Any) -> Figure:
    fields = {"name": "t", "source": "paper", "benchmark": "POPE", "dataset": "COCO", "metric": "f1", "prompt": "{question}",
              "convention": "strict", "same_questions": True, "values": {}}  # fmt: skip
    return Figure(PublishedTable.model_validate(fields | table), "m", split, value)


def run(name: str, errors: int = 0, **info: Any) -> Run:
    record = RunRecord(
        name="x", benchmark="pope", benchmark_hash="", key="", model=ModelInfo(name="x"), run=RunInfo(**info), errors=errors
    )
    return Run(Path(name), record)


USUAL = (
    "What usually explains a difference: another prompt or chat template; how pictures are resized, cropped or padded; quantized "
    "weights or another precision (try --dtype float16); another revision of the checkpoint; other questions."
)


@pytest.mark.parametrize(
    ("checks", "runs", "said"),
    [
        ([Check(figure(), 85.0, 0.5, 100, 9)], [run("a", dtype="float16")], []),
        ([Check(figure(), 85.5, 0.5, 100, 9)], [run("a", 1), run("b")], ["1 answer is an error. The same command asks again."]),
        ([Check(figure(), 84.5, 0.5, 100, 9)], [run("a", 1200), run("b", 34)],
         ["1,234 answers are errors. The same command asks again."]),
        ([Check(figure(), 84.25, 0.5, 100, 0)], [run("a")], [USUAL]),
        ([Check(figure(), None, 0.5, 3000, 1200), Check(figure("popular"), 90.0, 0.5, 9000, 1234),
          Check(figure("adversarial"), 85.0, 0.5, 99, 5000)],
         [run("a", 2, dtype="float16", device="cuda", path="shared"), run("b", device="cpu"), run("c")],
         ["2 answers are errors. The same command asks again.",
          "1,234 of 9,000 answers are neither yes nor no. Read some: hope-bench score RUN.",
          "Run a was asked in float16, on cuda, path shared.", "Run b was asked on cpu.", USUAL]),
        ([Check(figure(note="n"), None, 0.5, 1, 1), Check(figure("popular", note="n"), None, 0.5, 2, 1),
          Check(figure(name="u", note="o"), None, 0.5, 3, 0), Check(figure(name="v", note="p"), 85.0, 0.5, 3, 0)], [],
         ["1 of 1 answers are neither yes nor no. Read some: hope-bench score RUN.", "t: n", "u: o", USUAL]),
    ],
)  # fmt: skip
def test_what_to_look_at_first(checks: list[Check], runs: list[Run], said: list[str]) -> None:
    assert explanations(Verification("m", tuple(checks), tuple(runs), ())) == said


def test_a_verification_as_rows() -> None:
    checks = (Check(figure(note="n"), 84.123456789, 0.876543211, 3000, 12), Check(figure("split-mean", 80.0), None, 0.5, 9, 0))
    found = Verification("m", checks, (), ("note",))
    rows = [
        {"model": "m", "benchmark": "POPE", "split": "random", "metric": "f1", "published": 85.0, "here": 84.123457,
         "difference": -0.876543, "allowed": 0.876543, "agrees": True, "questions": 3000, "unread": 12, "convention": "strict",
         "prompt": "{question}", "source": "paper"},
        {"model": "m", "benchmark": "POPE", "split": "split-mean", "metric": "f1", "published": 80.0, "here": None,
         "difference": None, "allowed": 0.5, "agrees": False, "questions": 9, "unread": 0, "convention": "strict",
         "prompt": "{question}", "source": "paper"},
    ]  # fmt: skip
    assert found.rows() == rows
    frame = found.to_frame()
    assert frame.astype(object).where(frame.notna(), None).to_dict("records") == rows
    assert (found.agrees, found.errors) == (False, 0)
    assert Verification("m", checks[:1], (run("a"),), ()).agrees
    assert not Verification("m", checks[:1], (run("a", 1), run("b", 2)), ()).agrees
    assert Verification("m", checks[:1], (run("a", 1), run("b", 2)), ()).errors == 3


@pytest.mark.parametrize(
    ("here", "apart", "agrees"),
    [(85.5, 0.5, True), (84.5, -0.5, True), (85.5625, 0.5625, False), (84.4375, -0.5625, False), (None, None, False)],
)
def test_a_figure_agrees_within_what_is_allowed(here: float | None, apart: float | None, agrees: bool) -> None:
    check = Check(figure(), here, 0.5, 1, 0)
    assert (check.difference, check.agrees) == (apart, agrees)


def asked(counts: tuple[tuple[int, ...], tuple[int, ...]], width: float | None = None) -> Any:
    """A split of which [label][verdict] answers are known; every metric's interval is `width` wide."""
    sides = [VerdictCounts(**dict(zip(("yes", "no", "unparsed", "error", "unasked"), side, strict=True))) for side in counts]
    ends = {} if width is None else {"low": 0.5 - width / 2, "high": 0.5 + width / 2}
    return SimpleNamespace(
        on_yes=sides[0], on_no=sides[1], labels="y" * sum(counts[0]) + "n" * sum(counts[1]), unasked=counts[0][4] + counts[1][4],
        f1=Estimate(value=0.5, **ends), recall=Estimate(value=0.5, low=0.4), accuracy=Estimate(value=0.5, high=0.4),
    )  # fmt: skip


RANDOM = ((90, 8, 1, 1, 0), (20, 70, 4, 2, 4))
OTHERS = {"popular": ((50, 50, 0, 0, 0), (50, 50, 0, 0, 0)), "adversarial": ((99, 1, 0, 0, 0), (0, 96, 0, 0, 4))}


def percent_f1(counts: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    (hits, missed, *rest), (false, *_) = counts
    return 200 * hits / (2 * hits + false + missed + sum(rest[:2]))


def flips(counts: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    """1.96 standard deviations of F1, where one answer in 20 of each label's turns; a flip's size by hand."""
    (hits, missed, *rest), (false, right, *more) = counts
    before = percent_f1(counts)
    hit = percent_f1(((hits - 1, missed + 1, *rest), counts[1])) - before
    alarm = percent_f1((counts[0], (false + 1, right - 1, *more))) - before
    return 1.96 * math.sqrt(0.05 * (sum(counts[0][:4]) * hit**2 + sum(counts[1][:4]) * alarm**2))


def test_what_is_allowed() -> None:
    result: Any = SimpleNamespace(splits={"random": asked(RANDOM, 0.125), **{name: asked(one) for name, one in OTHERS.items()}})

    def check(official: bool = True, split: str = "random", **table: Any) -> Check:
        [[found], left_out] = check_figures({"strict": result}, [figure(split, **table)], official)
        assert left_out == []
        return found

    same = check()
    assert (same.here, same.questions, same.unread) == (pytest.approx(percent_f1(RANDOM)), 196, 8)
    assert same.allowed == pytest.approx(flips(RANDOM) + 0.05)
    assert check(decimals=2).allowed == pytest.approx(flips(RANDOM) + 0.005)
    for other in (check(official=False), check(same_questions=False), check(official=False, same_questions=False)):
        assert other.allowed == pytest.approx(math.hypot(flips(RANDOM), math.sqrt(2) * 6.25) + 0.05)
    for metric in ("recall", "accuracy"):  # half an interval is none
        assert check(official=False, metric=metric).allowed == pytest.approx(check(metric=metric).allowed)
    mean = check(split="split-mean")
    each = [RANDOM, *OTHERS.values()]
    assert mean.here == pytest.approx(sum(map(percent_f1, each)) / 3)
    assert mean.allowed == pytest.approx(sum(map(flips, each)) / 3 + 0.05)
    assert (mean.questions, mean.unread) == (592, 8)


def test_figures_left_out() -> None:
    result: Any = SimpleNamespace(splits={"random": asked(((0, 950, 0, 0, 0), (0, 949, 0, 0, 101))), "popular": asked(RANDOM)})
    figures = [
        figure(), figure(questions={"random": 1999}), figure(metric="recall", questions={"random": 2001}), figure("adversarial"),
        figure("split-mean"), figure("popular"), figure(questions={"random": 1998}),
    ]  # fmt: skip
    checks, left_out = check_figures({"strict": result}, figures, True)
    assert [check.figure for check in checks] == figures[5:]
    assert left_out == [
        "Left out: f1 random (paper): 1,899 of 2,000 questions of random were asked.",
        "Left out: f1 random (paper): 1,899 of 1,999 questions of random were asked.",
        "Left out: recall random (paper): 1,899 of 2,001 questions of random were asked.",
        "Left out: f1 adversarial (paper): no split adversarial here.",
        "Left out: f1 split-mean (paper): no split adversarial here.",
    ]
    whole: Any = SimpleNamespace(splits={"random": asked(((0, 19, 0, 0, 0), (0, 0, 0, 0, 1)))})
    assert len(check_figures({"strict": whole}, [figure()], True)[0]) == 1
    empty: Any = SimpleNamespace(splits={})
    with pytest.raises(HopeBenchError) as refused:
        check_figures({"strict": empty}, [figure(), figure("split-mean")], True)
    assert str(refused.value) == (
        "No published figure can be compared with this run. Left out: f1 random (paper): no split random here. Left out: f1 "
        "split-mean (paper): no split random, popular, adversarial here."
    )


def test_what_is_undefined_moves_nothing() -> None:
    """Precision without a yes: no number here, and a flip that leads there counts nothing."""
    result: Any = SimpleNamespace(splits={"random": asked(((0, 10, 0, 0, 0), (0, 10, 0, 0, 0)))})
    [[check], _] = check_figures({"strict": result}, [figure(metric="precision")], True)
    assert (check.here, check.allowed, check.agrees) == (None, 0.05, False)
    table = np.array([[1, 9, 0, 0, 0], [0, 10, 0, 0, 0]], dtype=np.int64)
    assert flip_deviation(table, "precision", STRICT) == pytest.approx(math.sqrt(0.05 * 10 * 50**2))


def test_a_split_of_one_label_moves_with_its_answers() -> None:
    table = np.array([[0, 0, 0, 0, 9], [2, 8, 0, 0, 0]], dtype=np.int64)
    assert flip_deviation(table, "accuracy", STRICT) == pytest.approx(math.sqrt(0.05 * 10 * 10**2))
    assert flip_deviation(table, "accuracy", STRICT, 0.2) == pytest.approx(math.sqrt(0.2 * 10 * 10**2))
