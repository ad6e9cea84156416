"""A trend of checkpoints, held against the comparison of each two neighbours, which has other code and the same truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Bootstrap, ModelInfo, Result, RunInfo
from hope_bench.files.split_score import Estimate
from hope_bench.records import Label, Verdict
from hope_bench.scoring.comparing import compare
from hope_bench.scoring.comparison_tables import changes_table
from hope_bench.scoring.prompt_spread import HowAsked, how_asked
from hope_bench.scoring.score import score
from hope_bench.scoring.significance import holm
from hope_bench.scoring.trend import NUMBERS, Trend, TrendPoint, trend_of
from tests.runs import make_benchmark, make_run

IMAGES = tuple(f"{number:02}.jpg" for number in range(40))
FAST = Bootstrap(replicates=200, seed=0, confidence=0.95)
AFFIRMED = {100: (36, 30, 8), 200: (36, 24, 8), 300: (34, 2, 1)}
"""Of each step: of how many images it affirms the dog, the searched wolf, and the frequent fox."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Result]:
    folder = tmp_path_factory.mktemp("trend")
    splits: dict[str, list[tuple[str, str, Label]]] = {
        name: [(image, thing, label) for image in IMAGES for thing, label in (("dog", "yes"), (absent, "no"))]  # type: ignore[misc]
        for name, absent in (("adversarial", "fox"), ("content", "wolf"))
    }
    benchmark = make_benchmark(folder / "benchmark", splits)
    rng = np.random.default_rng(0)
    results = {}
    for step, affirmed in AFFIRMED.items():
        said: dict[tuple[str, str], Verdict] = {}
        for thing, count in zip(("dog", "wolf", "fox"), affirmed, strict=True):
            chosen = set(rng.permutation(len(IMAGES))[:count].tolist())
            said |= {(image, thing): "yes" if place in chosen else "no" for place, image in enumerate(IMAGES)}
        name = f"run-checkpoint-{step}"
        made = make_run(folder / name, benchmark, said, model=ModelInfo(name=name), run=RunInfo(prompt="{question}"))
        results[step] = score(benchmark, made, FAST)
    return results


def trend(results: list[Result], steps: list[int] | None = None, **given: str | None) -> Trend:
    names = [result.model.name for result in results]
    chosen = {"split": None, "baseline": None, **given}
    return trend_of(results, names, steps, chosen["split"], chosen["baseline"], FAST, ["adversarial", "content"])


def test_each_change_is_what_comparing_the_two_says(checkpoints: dict[int, Result]) -> None:
    found = trend([checkpoints[step] for step in (300, 100, 200)])
    assert (found.split, found.baseline, [point.step for point in found.points]) == ("content", "adversarial", [100, 200, 300])
    both = Bootstrap(replicates=200, seed=0, confidence=0.975)  # two changes at once, 95% together
    for number in ("hallucination_rate", "balanced_accuracy"):
        pairs = [
            compare([checkpoints[now], checkpoints[before]], metric=number, bootstrap=both).pairs[0]
            for now, before in ((200, 100), (300, 200))
        ]
        assert [point.changes[number] for point in found.points[1:]] == [pair.difference for pair in pairs]
        raw = [pair.p or 0 for pair in pairs]
        by_hand = [max(p, min(raw) * 2) if p == max(raw) else p * 2 for p in raw]
        assert [point.p_holm[number] for point in found.points[1:]] == pytest.approx(by_hand)
    assert found.points[0].changes == {}


def test_the_drop_is_of_precision_and_its_test_of_both_splits(checkpoints: dict[int, Result]) -> None:
    found = trend([*checkpoints.values()])
    for step, point in zip(AFFIRMED, found.points, strict=True):
        dogs, wolves, foxes = AFFIRMED[step]
        drop = dogs / (dogs + foxes) - dogs / (dogs + wolves)
        assert point.numbers["precision_drop"].value == pytest.approx(drop, abs=1e-6)
        assert point.numbers["hallucination_rate"].value == pytest.approx(wolves / 40, abs=1e-6)
    alone = trend([*checkpoints.values()], split="adversarial")
    assert (alone.baseline, alone.points[1].changes["precision_drop"].value) == (None, None)


def test_the_test_of_a_drop_swaps_an_images_answers_on_both_splits(checkpoints: dict[int, Result]) -> None:
    now, before = checkpoints[300], checkpoints[200]
    yes = np.array(
        [
            [[one == "y" for one in result.splits[name].verdicts] for name in ("adversarial", "content")]
            for result in (now, before)
        ]
    ).reshape(2, 2, len(IMAGES), 2)  # checkpoint, split, image, question
    label = np.array([one == "y" for one in now.splits["content"].labels]).reshape(len(IMAGES), 2)

    def change(swapped: np.ndarray) -> float:  # type: ignore[type-arg]
        given = np.where(swapped[:, None], yes[::-1], yes)
        precision = (given & label).sum(axis=(2, 3)) / given.sum(axis=(2, 3))
        return float(np.subtract(*(precision[:, 0] - precision[:, 1])))

    seen = change(np.zeros(len(IMAGES), dtype=bool))
    rng = np.random.default_rng(0)
    swaps = [abs(change(rng.random(len(IMAGES)) < 0.5)) >= abs(seen) for _ in range(2000)]
    point = trend([before, now]).points[1]
    assert point.changes["precision_drop"].value == pytest.approx(seen, abs=1e-6)
    assert point.p_holm["precision_drop"] == pytest.approx(np.mean(swaps), abs=0.015)


def test_what_is_shown_says_which_change_is_told_from_chance(checkpoints: dict[int, Result]) -> None:
    found = trend([*checkpoints.values()])
    sentence, apart = found.summary().verdict
    assert "hallucination rate from 75.0 to 5.0" in sentence
    assert "at step 300 (-55.0" in apart
    assert "step 200" not in apart
    rows = [[str(cell) for cell in column.cells] for column in changes_table(found).columns]
    assert rows[0] == ["200", "300"]
    assert rows[2][1].startswith("-55.0")
    assert rows[2][1].endswith(")")
    assert "No checkpoint is told apart" in trend([checkpoints[100], checkpoints[200]]).summary().verdict[1]
    curve = next(one for one in found.plot().data if one.name == "hallucination rate")
    assert list(curve.x) == [100, 200, 300]
    assert list(curve.y) == pytest.approx([75, 60, 5])
    low, high = found.points[0].numbers["hallucination_rate"].low or 0, found.points[0].numbers["hallucination_rate"].high or 0
    assert (curve.error_y.array[0], curve.error_y.arrayminus[0]) == pytest.approx((100 * high - 75, 75 - 100 * low))


@pytest.mark.parametrize(
    ("steps", "says"),
    [([5, 5], r"1 step is of two runs \(5\)"), ([-1, 5], "-1: a training step"), ([True, None], "None: a training step")],
)
def test_steps_that_are_none(checkpoints: dict[int, Result], steps: list[int], says: str) -> None:
    with pytest.raises(HopeBenchError, match=says):
        trend([checkpoints[100], checkpoints[200]], steps)


def test_a_trend_takes_two_and_a_step_may_be_0(checkpoints: dict[int, Result]) -> None:
    with pytest.raises(HopeBenchError, match="takes two runs"):
        trend([checkpoints[100]])
    assert [point.step for point in trend([checkpoints[100], checkpoints[200]], [9, 0]).points] == [0, 9]


def test_the_baseline_is_adversarial_where_there_is_one(tmp_path: Path) -> None:
    rows: dict[str, list[tuple[str, str, Label]]] = {
        name: [("1.jpg", name, "no")] for name in ("random", "adversarial", "content")
    }
    benchmark = make_benchmark(tmp_path / "benchmark", rows)
    made = [make_run(tmp_path / f"run-{step}", benchmark, {("1.jpg", name): "no" for name in rows}) for step in (1, 2)]
    results = [score(benchmark, run, FAST) for run in made]

    def baseline(*whole: str) -> str | None:
        return trend_of(results, ["run-1", "run-2"], [1, 2], None, None, FAST, whole).baseline

    assert baseline("random", "adversarial", "content") == "adversarial"
    assert baseline("random", "content") == "random"
    assert baseline("content") is None


def test_a_number_without_an_interval_is_drawn_without_one(tmp_path: Path) -> None:
    benchmark = make_benchmark(tmp_path / "one", {"content": [("a.jpg", "dog", "yes"), ("a.jpg", "wolf", "no")]})
    results = []
    for step in (1, 2):
        said: dict[tuple[str, str], Verdict] = {("a.jpg", "dog"): "yes", ("a.jpg", "wolf"): "yes" if step == 1 else "no"}
        results.append(score(benchmark, make_run(tmp_path / f"step-{step}", benchmark, said, name=f"step-{step}"), FAST))
    found = trend_of(results, ["step-1", "step-2"], None, None, None, FAST, ["content"])
    rates = next(one for one in found.plot().data if one.name == "hallucination rate")
    assert (list(rates.y), list(rates.error_y.array), list(rates.error_y.arrayminus)) == ([100, 0], [0, 0], [0, 0])
    assert found.to_frame()["hallucination_rate_low"].isna().all()


def test_how_a_result_was_asked(checkpoints: dict[int, Result]) -> None:
    result = checkpoints[100]
    assert how_asked(result) == HowAsked("the benchmark's", "{question}")
    for prompt, name, said in (
        ("Look. {question}", None, HowAsked("another", "Look. {question}")),
        (None, None, HowAsked("another", "unknown")),
        ("Look. {question}", "short", HowAsked("short", "Look. {question}")),
    ):
        run = result.run.model_copy(update={"prompt": prompt, "prompt_name": name})
        assert how_asked(result.model_copy(update={"run": run})) == said


def by_hand(baseline: str | None) -> Trend:
    """Three checkpoints: both rates move, the middle one hasn't all of them; two changes are told from chance."""

    def point(step: int, rate: float | None, balanced: float | None, drop: float | None, **p: float | None) -> TrendPoint:
        numbers = {name: Estimate(value=value, low=None if value is None else value - 0.05,
                                  high=None if value is None else value + 0.025)
                   for name, value in zip(NUMBERS, (rate, balanced, drop), strict=True)}  # fmt: skip
        changes = {name: Estimate(value=0.125, low=0.0625, high=0.1875) for name in p}
        return TrendPoint(step, f"run-{step}", numbers, changes, p)

    same = dict.fromkeys(NUMBERS)
    return Trend("tiny", "content", baseline, (
        point(0, 0.25, 0.5, 0.1),
        point(1000, None, 0.625, None, hallucination_rate=None, balanced_accuracy=0.049, precision_drop=0.05),
        point(2500, 0.75, None, 0.3, **(same | {"precision_drop": 0.01})),
    ))  # fmt: skip


@pytest.mark.parametrize("baseline", ["adversarial", None])
def test_all_that_is_shown_of_a_trend(baseline: str | None) -> None:
    found = by_hand(baseline)
    summary = found.summary()
    assert summary.verdict == (
        "tiny, content, run-0 (step 0) to run-2500 (step 2,500): hallucination rate from 25.0 to 75.0.",
        "Changes told from chance (corrected p below 0.05): balanced accuracy at step 1,000 (+12.5 [6.2, 18.8]), "
        "precision drop at step 2,500 (+12.5 [6.2, 18.8]).",
    )
    assert summary.notes == (
        "Percent, 95% intervals." + (" Precision drop: points lost from adversarial, paired by image." if baseline else ""),
    )
    columns = {str(column.header): [str(cell) for cell in column.cells] for column in summary.table.columns}
    assert columns == {
        "step": ["0", "1,000", "2,500"], "hallucination": ["25.0 [20.0, 27.5]", "-", "75.0 [70.0, 77.5]"],
        "balanced accuracy": ["50.0 [45.0, 52.5]", "62.5 [57.5, 65.0]", "-"],
        "precision drop": ["+10.0 [5.0, 12.5]", "-", "+30.0 [25.0, 32.5]"],
    }  # fmt: skip
    figure = found.plot()
    assert figure.layout.title.text == "tiny: content" + (", against adversarial" if baseline else "")
    drawn = {one.name: (list(one.x), list(one.y), list(one.error_y.array), list(one.error_y.arrayminus)) for one in figure.data}
    assert drawn == {
        "hallucination rate": ([0, 2500], [25, 75], pytest.approx([2.5] * 2), pytest.approx([5] * 2)),
        "balanced accuracy": ([0, 1000], [50, 62.5], pytest.approx([2.5] * 2), pytest.approx([5] * 2)),
        "precision drop": ([0, 2500], [10, 30], pytest.approx([2.5] * 2), pytest.approx([5] * 2)),
    }
    frame = found.to_frame()
    assert list(frame.columns) == ["step", "run"] + [
        f"{name}{part}" for name in NUMBERS for part in ("", "_low", "_high", "_change", "_change_low", "_change_high", "_p")
    ]
    assert frame["balanced_accuracy_change_high"].fillna(-1).tolist() == [-1, 0.1875, 0.1875]
    assert frame["precision_drop_p"].fillna(-1).tolist() == [-1, 0.05, 0.01]
    assert frame["hallucination_rate"].fillna(-1).tolist() == [0.25, -1, 0.75]
    assert [str(frame.dtypes[name]) for name in ("step", "run", "precision_drop_p")] == ["int64", "string", "float64"]


def test_where_no_rate_is_known_none_is_said_to_move() -> None:
    whole = by_hand(None)
    bare = replace(whole, points=whole.points[1:2] * 2)
    ends = "run-1000 (step 1,000) to run-1000 (step 1,000)"
    assert bare.summary().verdict[0] == f"tiny, content, {ends}: balanced accuracy from 62.5 to 62.5."
    empty = replace(whole.points[0], numbers=dict.fromkeys(NUMBERS, Estimate(value=None)))
    quiet = replace(whole, points=(empty, replace(empty, p_holm=dict.fromkeys(NUMBERS))))
    assert quiet.summary().verdict == (
        "tiny, content, run-0 (step 0) to run-0 (step 0).",
        "No checkpoint is told apart from the one before (corrected p below 0.05).",
    )
    assert len(quiet.plot().data) == 0


def test_six_changes_are_named() -> None:
    whole = by_hand("random")
    told = replace(whole.points[1], p_holm=dict.fromkeys(NUMBERS, 0.01))
    one = "hallucination rate at step 1,000 (+12.5 [6.2, 18.8])"
    for count, more in ((2, ""), (3, " and 3 more")):
        said = replace(whole, points=(whole.points[0], *[told] * count)).summary().verdict[1]
        assert (said.count("+12.5"), said.count(one), said.endswith(f"]){more}.")) == (6, 2, True)


def test_a_checkpoint_of_several_samples_counts_as_much_as_one(checkpoints: dict[int, Result]) -> None:
    """Each change is tested as the comparison of the two tests it, where one answered three times."""
    thrice = {
        name: one.model_copy(update={"further_verdicts": (one.verdicts[::-1], one.verdicts)})
        for name, one in checkpoints[200].splits.items()
    }
    results = [checkpoints[100], checkpoints[200].model_copy(update={"splits": thrice}), checkpoints[300]]
    found = trend(results)
    for metric in NUMBERS[:2]:
        pairs = [compare([results[place], results[place - 1]], metric=metric, bootstrap=FAST).pairs[0] for place in (1, 2)]
        assert [point.p_holm[metric] for point in found.points[1:]] == pytest.approx(holm([pair.p for pair in pairs]))
        assert [point.changes[metric].value for point in found.points[1:]] == [pair.difference.value for pair in pairs]


def test_a_page_stands_alone(tmp_path: Path) -> None:
    path = by_hand(None).write_page(tmp_path / "page.html")
    page = path.read_text(encoding="utf-8")
    assert (path.name, 'id="trend"' in page, len(page) > 1_000_000) == ("page.html", True, True)


def test_what_no_trend_is_made_of(checkpoints: dict[int, Result]) -> None:
    both = [checkpoints[100], checkpoints[200]]
    with pytest.raises(HopeBenchError, match=r"has no split 'contnt'\. Did you mean 'content'"):
        trend(both, split="contnt")
    with pytest.raises(HopeBenchError, match=r"has no split 'adversaril'\. Did you mean 'adversarial'"):
        trend(both, baseline="adversaril")
    with pytest.raises(HopeBenchError, match=r"asked content\. Name one that they were, with --split: adversarial\.$"):
        trend_of(both, ["1", "2"], [1, 2], None, None, FAST, ["adversarial"])
    with pytest.raises(HopeBenchError, match=r"^2 steps are of two runs \(3, 5\)\. Give each run its own with --step\."):
        trend([*both, *both], [5, 3, 3, 5])
    with pytest.raises(HopeBenchError, match=r"^Nothing says which training step run last is of"):
        trend_of(both, ["step-7", "last"], None, None, None, FAST, ["content"])
    said = both[1].model_copy(update={"run": both[1].run.model_copy(update={"step": 9})})
    named = trend_of([both[0], said], ["step-7", "step-8"], None, None, None, FAST, ["content", "adversarial"])
    assert [(point.step, point.run) for point in named.points] == [(7, "step-7"), (9, "step-8")]
    late = trend_of([both[0], said], ["b", "a"], [4, 2], None, None, FAST, ["content", "adversarial"])
    assert [(point.step, point.run) for point in late.points] == [(2, "a"), (4, "b")]
