"""Models compared: tests against hand-computed values, error rates by simulation, ranks, refusals, the command."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, ModelInfo, Result
from hope_bench.files.result_file import write_result
from hope_bench.files.split_score import Estimate
from hope_bench.records import Label, Question, Verdict
from hope_bench.scoring.comparing import best, check_comparable, check_metric, compare, model_names
from hope_bench.scoring.comparison import ModelComparison, Pair, Standing, verdict_on
from hope_bench.scoring.comparison_tables import differing_table
from hope_bench.scoring.differing import Differing, differing_questions
from hope_bench.scoring.score import score
from hope_bench.scoring.significance import _in_units, detectable_difference, holm, sign_flip
from tests.cli import hope_bench, refused
from tests.runs import make_benchmark, make_run

FAST = Bootstrap(replicates=300, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(30)]


def brute_force(differences: Sequence[float]) -> float:
    """All signs, one by one."""
    sums = [abs(sum(signs)) for signs in itertools.product(*((one, -one) for one in differences))]
    return sum(one >= abs(sum(differences)) - 1e-9 for one in sums) / len(sums)


@settings(deadline=None)
@given(st.lists(st.integers(-4, 4), max_size=11))
def test_the_sign_flip_test_is_exact(differences: list[int]) -> None:
    found = sign_flip(np.array(differences))
    assert found == (pytest.approx(brute_force(differences)) if any(differences) else None)
    for scale in (1 / 900, 1e-6, 7.0):  # in whatever unit
        assert sign_flip(np.array(differences) * scale) == (found if found is None else pytest.approx(found))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1).map(lambda one: round(one, 3)), min_size=1, max_size=10))
def test_the_sign_flip_test_takes_any_numbers(differences: list[float]) -> None:
    found = sign_flip(np.array(differences))
    assert found == (pytest.approx(brute_force(differences), abs=0.02) if any(differences) else None)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
def test_ties_are_never_told_apart_by_rounding(scale: float) -> None:
    """a + b = c + d, so that two ways of signing are as far from 0 as the one seen; in no unit is p too small."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b, c, e = rng.random(4)
        differences = [a, b, -c, c - a - b, -e]
        found, exact = sign_flip(scale * np.array(differences)), brute_force(differences)  # type: ignore[arg-type]
        assert found is not None
        assert exact - 1e-12 <= found <= exact + 0.13  # at most two of 32 sums are nearer than the grid is fine
    assert sign_flip(scale * np.array([3, -1, 1, 0])) == pytest.approx(brute_force([3, -1, 1]))
    assert sign_flip(scale * np.array([1.0, 1e-10])) == 1.0  # what is nothing beside the largest is nothing


@pytest.mark.parametrize(("better", "worse"), [(1600, 1400), (3000, 2900), (2001, 2000)])
def test_many_images_are_counted_exactly(better: int, worse: int) -> None:
    given = np.repeat([0.5, -0.5, 0.0], [better, worse, 100])
    assert sign_flip(given) == pytest.approx(binomtest(better, better + worse).pvalue, rel=1e-6)


@pytest.mark.parametrize(("images", "steps"), [(400, 2**18), (512, 2**18), (1024, 2**17), (4096, 2**15)])
def test_a_grid_is_as_fine_as_so_many_images_allow(images: int, steps: int) -> None:
    whole, slack = _in_units(np.random.default_rng(0).random(images) - 0.5)
    assert (np.abs(whole).sum(), slack) == (pytest.approx(steps, abs=images / 2), images)


@pytest.mark.parametrize(("images", "exact"), [(8, True), (8192, True), (8194, False)])
def test_units_are_whole_while_that_is_a_fraction_of_a_second(images: int, exact: bool) -> None:
    """Of 8,192 images with differences of 1 and 3 there are 2 ** 27 steps."""
    whole, slack = _in_units(np.tile([0.5, -1.5], images // 2))
    assert (whole[:2].tolist(), slack) == ([1, -3], 0 if exact else images)
    assert _in_units(np.array([1.0, 1e-9, 3.0]))[0].tolist() == [1, 3]
    assert _in_units(np.array([1.0, 1e-9]))[0].tolist() == [1], "what is nothing beside the largest is nothing"


def test_few_images_that_all_favour_one() -> None:
    assert sign_flip(np.array([1] * 5 + [0] * 2)) == pytest.approx(0.0625)
    assert sign_flip(np.array([6] * 5)) == pytest.approx(0.0625)
    assert sign_flip(np.ones(17)) == pytest.approx(2 * 0.5**17)
    assert sign_flip(np.tile([1.0, -1.0], 39)) == 1.0, "rounding makes no more of it"
    many = sign_flip(np.random.default_rng(0).integers(-3, 5, 5000))
    assert many is not None
    assert 0 < many < 1e-6


def test_mcnemars_exact_test_is_the_special_case() -> None:
    """One question an image: the binomial test of who is right alone how often."""
    balance = np.array([1] * 9 + [-1] * 3 + [0] * 40)
    assert sign_flip(balance) == pytest.approx(binomtest(3, 12).pvalue)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06), None]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_holm_keeps_the_order_and_never_lowers(values: list[float | None]) -> None:
    found = holm(values)
    known = [(p, q) for p, q in zip(values, found, strict=True) if p is not None and q is not None]
    assert len(known) == sum(p is not None for p in values)
    assert all(p <= q <= 1 for p, q in known)
    assert sorted(q for _, q in known) == [q for _, q in sorted(known)]


def test_detectable_difference() -> None:
    influence = np.random.default_rng(0).normal(0, 0.01 / 100, 10_000)
    assert detectable_difference(influence) == pytest.approx(2.8016 * 0.01, rel=0.03)


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    rows: list[tuple[str, str, Label]] = []
    for image in IMAGES:
        rows += [(image, "dog", "yes"), (image, "wolf", "no")]
    return make_benchmark(tmp_path / "b", {"content": rows})


def model(benchmark: Benchmark, folder: Path, name: str, affirmed: int, errors: Sequence[int] = ()) -> Result:
    """Right on every dog; affirms the first wolves."""
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES):
        said |= {(image, "dog"): "yes", (image, "wolf"): "yes" if number < affirmed else "no"}
        if number in errors:
            said[image, "wolf"] = "error"
    return score(benchmark, make_run(folder / name, benchmark, said, model=ModelInfo(name=name)), FAST)


def test_a_difference_that_is_there(benchmark: Benchmark, tmp_path: Path) -> None:
    results = [model(benchmark, tmp_path, name, affirmed) for name, affirmed in (("good", 2), ("bad", 15), ("twin", 2))]
    found = compare(results, bootstrap=FAST)
    assert [(one.name, one.rank) for one in found.standings] == [("good", 1), ("twin", 1), ("bad", 3)]
    assert [(one.rank_low, one.rank_high) for one in found.standings] == [(1, 2), (1, 2), (3, 3)]
    pairs = {(pair.one, pair.other): pair for pair in found.pairs}
    assert list(pairs) == [("good", "bad"), ("good", "twin"), ("bad", "twin")]
    pair = pairs["good", "bad"]
    assert pair.difference.value == pytest.approx(13 / 30 / 2, abs=1e-6)
    assert (pair.one_only, pair.other_only) == (13, 0)
    assert pair.p == pair.right_p == pytest.approx(2 * 0.5**13)
    assert pair.p_holm == pytest.approx(2 * 2 * 0.5**13), "two pairs differ anywhere"
    same = pairs["good", "twin"]
    assert same.difference.value == 0
    assert -0.1 < (same.difference.low or 0) <= 0 <= (same.difference.high or 0) < 0.1
    assert (same.p, same.right_p, same.detectable) == (None, None, 0)
    only = compare(results, against="bad", metric="hallucination_rate", bootstrap=FAST)
    assert [(pair.one, pair.other) for pair in only.pairs] == [("good", "bad"), ("twin", "bad")]
    assert [one.name for one in only.standings] == ["good", "twin", "bad"]  # the lowest rate is the best


def changed(result: Result, **parts: dict[str, Any]) -> Result:
    """A result with other words in `model` or `run`."""
    return result.model_copy(update={key: getattr(result, key).model_copy(update=update) for key, update in parts.items()})


def test_names_tell_models_apart(benchmark: Benchmark, tmp_path: Path) -> None:
    one = model(benchmark, tmp_path, "same", 1)
    polite = one.model_copy(update={"run": one.run.model_copy(update={"prompt_set": "ways", "prompt_name": "polite"})})
    assert model_names([one, polite, one]) == ["same (1)", "same, polite", "same (2)"]
    steps = [changed(one, run={"step": step, "name": f"mine-{step}"}) for step in (None, 900, 1000)]
    assert model_names(steps) == ["same", "same (step 900)", "same (step 1,000)"]
    sized = [changed(result, model={"parameters": size}) for result in steps[1:] for size in ("2B", "7B")]
    assert model_names(sized)[:2] == ["same (step 900, 2B)", "same (step 900, 7B)"]
    again = [changed(one, run={"name": name}) for name in ("mine", "mine-at-half")]
    assert model_names([*again, again[0]]) == ["same (mine, 1)", "same (mine-at-half)", "same (mine, 2)"]
    found = compare([one, polite, one], against="same, polite", bootstrap=FAST)
    assert [(pair.one, pair.other) for pair in found.pairs] == [("same (1)", "same, polite"), ("same (2)", "same, polite")]


def test_pairs_with_one_stand_in_the_order_of_ranks(benchmark: Benchmark, tmp_path: Path) -> None:
    affirmed = {"mid": 8, "bad": 25, "good": 1, "fair": 4}
    results = [model(benchmark, tmp_path, name, count) for name, count in affirmed.items()]
    found = compare(results, against="mid", bootstrap=FAST)
    assert [(pair.one, pair.other) for pair in found.pairs] == [("good", "mid"), ("fair", "mid"), ("bad", "mid")]
    assert [(pair.one_only, pair.other_only) for pair in found.pairs] == [(7, 0), (4, 0), (0, 17)]
    every = compare(results, bootstrap=FAST)
    assert [(pair.one, pair.other) for pair in every.pairs] == list(itertools.combinations(affirmed, 2))
    assert [(one.name, one.rank) for one in every.standings] == [("good", 1), ("fair", 2), ("mid", 3), ("bad", 4)]
    for metric, first in (("balanced_accuracy", "good"), ("hallucination_rate", "good"), ("yes_ratio", "bad"), ("recall", "mid")):
        assert best(results, None, metric) == first
    worst = [results[place] for place in (1, 0)]
    assert (best(worst, "content", "hallucination_rate"), best(worst, "elsewhere", "recall")) == ("mid", "bad")
    unknown = {"content": results[2].splits["content"].model_copy(update={"hallucination_rate": Estimate(value=None)})}
    quiet = results[2].model_copy(update={"splits": unknown})
    assert best([quiet, *worst], None, "hallucination_rate") == "mid"
    # the first result's headline split is meant
    headless = [one.model_copy(update={"benchmark": one.benchmark.model_copy(update={"headline": "other"})}) for one in worst]
    assert best([results[0], *headless], None, "hallucination_rate") == "mid (1)"
    assert compare([results[0], *headless[:1]], bootstrap=FAST).split == "content"
    benchmark_info = results[2].benchmark.model_copy(update={"headline": "other"})
    assert best([results[0], results[2].model_copy(update={"benchmark": benchmark_info})], None, "hallucination_rate") == "good"


def test_a_model_that_affirms_nothing_has_no_precision_to_compare(benchmark: Benchmark, tmp_path: Path) -> None:
    silent = make_run(tmp_path / "silent", benchmark, {(image, thing): "no" for image in IMAGES for thing in ("dog", "wolf")})
    (pair,) = compare(
        [score(benchmark, silent, FAST), model(benchmark, tmp_path, "one", 3)], metric="precision", bootstrap=FAST
    ).pairs
    assert (pair.difference, pair.p, pair.p_holm, pair.detectable) == (Estimate(value=None), None, None, None)
    assert (pair.one_only, pair.other_only) == (3, len(IMAGES))
    assert pair.right_p is not None


def test_an_unranked_model_stands_last(benchmark: Benchmark, tmp_path: Path) -> None:
    """Too many errors to judge; of two without a rank the names' order."""
    broken = [model(benchmark, tmp_path, name, 0, errors=range(25)) for name in ("z", "a")]
    found = compare([*broken, model(benchmark, tmp_path, "poor", 29)], bootstrap=FAST)
    assert [(one.name, one.rank, one.rank_low, one.rank_high) for one in found.standings] == [
        ("poor", 1, 1, 1), ("a", None, None, None), ("z", None, None, None),
    ]  # fmt: skip
    assert set(found.unranked) == {"a", "z"}


def test_what_is_not_comparable_is_said_in_full(benchmark: Benchmark, tmp_path: Path) -> None:
    one, two = model(benchmark, tmp_path, "one", 1), model(benchmark, tmp_path, "two", 2)
    check_comparable([one, two], "content", "f1")
    for result in (
        two.model_copy(update={"splits": {}}),
        two.model_copy(update={"splits": {"content": two.splits["content"].model_copy(update={"labels": "n" * 60})}}),
        two.model_copy(
            update={"splits": {"content": two.splits["content"].model_copy(update={"questions_per_image": (4,) * 15})}}
        ),
    ):
        with pytest.raises(HopeBenchError, match=r"^two's labels of content are not one's\. Score the runs again\.$"):
            check_comparable([one, result], "content", "f1")
    with pytest.raises(HopeBenchError, match=r"^No metric 'f2'\. Did you mean 'f1'"):
        check_metric("f2")
    alien = two.benchmark.model_copy(update={"hash": "0123456789abcdef" * 4, "name": "other"})
    hashed = one.model_copy(update={"benchmark": one.benchmark.model_copy(update={"hash": "fedcba9876543210" * 4})})
    with pytest.raises(HopeBenchError) as caught:
        check_comparable([hashed, two.model_copy(update={"benchmark": alien}), hashed], "content", "f1")
    assert str(caught.value) == (
        f"1 of 3 results answer other questions than one's ({one.benchmark.name}, hash fedcba987654), such as two's "
        "(other, hash 0123456789ab). Only results of one benchmark version compare."
    )


def test_undefined_is_null(benchmark: Benchmark, tmp_path: Path) -> None:
    silent = model(benchmark, tmp_path, "silent", 0)
    never: dict[tuple[str, str], Verdict] = {(image, what): "no" for image in IMAGES for what in ("dog", "wolf")}
    never_yes = score(benchmark, make_run(tmp_path / "never", benchmark, never, model=ModelInfo(name="never")), FAST)
    found = compare([silent, never_yes], metric="precision", bootstrap=FAST)
    assert [(one.name, one.rank) for one in found.standings] == [("silent", 1), ("never", None)]
    (pair,) = found.pairs
    assert (pair.difference.value, pair.p, pair.p_holm, pair.detectable) == (None, None, None, None)
    ratio = compare([silent, never_yes], metric="yes_ratio", bootstrap=FAST)
    assert [one.rank for one in ratio.standings] == [None, None]


def test_what_does_not_compare(benchmark: Benchmark, tmp_path: Path) -> None:
    one = model(benchmark, tmp_path, "one", 1)
    other = one.model_copy(update={"benchmark": one.benchmark.model_copy(update={"hash": "f" * 64})})
    with pytest.raises(HopeBenchError, match="1 of 2 results answer other questions"):
        compare([one, other])
    pope = one.model_copy(update={"convention": "pope"})
    with pytest.raises(HopeBenchError, match=r"can't be compared \(strict: one \(1\); pope: one \(2\)\).*--convention strict"):
        compare([one, pope])
    many = [Path(f"{number}.json") for number in range(5)]
    with pytest.raises(HopeBenchError, match=r"\(strict: 0.json, 1.json, 2.json and 1 more; pope: 4.json\)"):
        compare([one, one, one, one, pope], files=many)
    with pytest.raises(HopeBenchError, match=r"\(pope: pope/one.json; strict: one.json\).*--convention pope"):
        compare([pope, one], files=[Path("pope/one.json"), Path("one.json")])
    with pytest.raises(HopeBenchError, match=r"no split 'contnt'. Did you mean 'content'"):
        compare([one, one], split="contnt")
    with pytest.raises(HopeBenchError, match="two results or more"):
        compare([one])
    with pytest.raises(HopeBenchError, match="No model 'onee'"):
        compare([one, one], against="onee")


def partial(benchmark: Benchmark, folder: Path, name: str, affirmed: int, images: int) -> Result:
    """As `model`, asked about the first images alone."""
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES[:images]):
        said |= {(image, "dog"): "yes", (image, "wolf"): "yes" if number < affirmed else "no"}
    return score(benchmark, make_run(folder / name, benchmark, said, model=ModelInfo(name=name)), FAST)


def test_only_questions_asked_of_all_count(benchmark: Benchmark, tmp_path: Path) -> None:
    """The same model asked about fewer images is the same model, not a better one."""
    whole = model(benchmark, tmp_path, "whole", 15)
    half, few = partial(benchmark, tmp_path, "half", 15, 20), partial(benchmark, tmp_path, "few", 2, 20)
    found = compare([whole, half, few], bootstrap=FAST)
    assert (found.images, found.questions, found.common, found.unasked) == (20, 60, 40, {"half": 20, "few": 20})
    assert "20 of 60 questions" in (half.unranked or "")
    assert set(found.unranked) == {"half", "few"}
    assert {one.name: one.value.value for one in found.standings} == {
        "few": 0.95, "whole": (1 + 5 / 20) / 2, "half": (1 + 5 / 20) / 2
    }  # fmt: skip
    pairs = {(pair.one, pair.other): pair for pair in found.pairs}
    same = pairs["whole", "half"]
    assert (same.difference.value, same.one_only, same.other_only, same.p) == (0, 0, 0, None)
    assert pairs["whole", "few"].other_only == 13
    assert pairs["whole", "few"].right_p == pytest.approx(2 * 0.5**13)
    said = " ".join(str(found).split())
    assert "Compared on the 40 of 60 questions that every model was asked (not asked: half 20, few 20)." in said
    assert "half is not ranked: 20 of 60 questions" in said
    assert "they answered alike as far as this number goes" in verdict_on(same, found.metric)
    last: dict[tuple[str, str], Verdict] = {(IMAGES[-1], "dog"): "yes", (IMAGES[-1], "wolf"): "no"}
    other = score(benchmark, make_run(tmp_path / "last", benchmark, last, model=ModelInfo(name="last")), FAST)
    with pytest.raises(HopeBenchError, match="No question of content was asked of all 2 models"):
        compare([half, other], bootstrap=FAST)


def test_the_most_divided_questions(benchmark: Benchmark, tmp_path: Path) -> None:
    results = [model(benchmark, tmp_path, "a", 2), model(benchmark, tmp_path, "b", 1, errors=[5])]
    found = differing_questions(benchmark, results, "content", 10)
    assert [(one.question.image, one.question.object, one.verdicts) for one in found] == [
        ("1.jpg", "wolf", ("yes", "no")),
        ("5.jpg", "wolf", ("no", "error")),
    ]


def of_eight(p_holm: Sequence[float | None]) -> ModelComparison:
    """The best model `m0` and seven others, each 10 points below the one before; the first's p-value with each of them."""
    standings = tuple(Standing(f"m{place}", Estimate(value=0.9 - place / 10), place + 1, 1, 8) for place in range(8))
    pairs = tuple(
        Pair(f"m{place}", "m0", Estimate(value=-place / 10), p, p, p, p, 1, 1 + place, None) for place, p in enumerate(p_holm, 1)
    )
    return ModelComparison("content", "accuracy", 40, 80, 80, {}, {}, standings, pairs)


def test_many_models_are_summed_up_against_the_best() -> None:
    about, told = of_eight([None, 0.05, 0.049, 0.01, 0.001, 0.0001, 0.00001]).summary().verdict
    assert about == "Accuracy on content, 8 models, 40 images: m0 ranks first, 90.0."
    assert told == (
        "By corrected p below 0.05, of 7 other models 5 are lower than m0 (m3, m4, m5 and 2 more), "
        "2 are not told apart from m0 (m1, m2)."
    )
    assert "m2 and m0 are not told apart (corrected p 0.200)." in of_eight([0.01, 0.2]).summary().verdict  # few: a sentence each


def test_questions_are_shown_model_by_model_for_up_to_four() -> None:
    question = Question(1, "a.jpg", "Is there a fox in the image?", "no", "content", "fox")

    def shown(said: Sequence[Verdict]) -> list[str]:
        table = differing_table([f"m{place}" for place in range(len(said))], "content", [Differing(question, tuple(said), None)])
        return [f"{column.header}: {next(iter(column.cells))}" for column in table.columns[3:]]

    assert shown(["yes", "no", "no", "error"]) == ["m0: yes", "m1: no", "m2: no", "m3: error"]
    assert shown(["yes", "no", "unasked", "error", "yes"]) == ["answered yes: m0, m4", "answered no: m1", "neither: m2, m3"]
    assert shown(["yes"] * 6 + ["no"])[:2] == ["answered yes: m0, m1, m2, m3 and 2 more", "answered no: m6"]


def test_the_command(benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results" / "tiny"
    for name, affirmed in (("good", 2), ("bad", 15)):
        write_result(folder / f"{name}.json", model(benchmark, tmp_path, name, affirmed))
    options = ["--results", tmp_path / "results", "--replicates", 200]
    done = hope_bench(capsys, "compare", "tiny", *options, "-b", benchmark.folder)
    assert done.code == 0, done.err
    assert "good has a higher balanced accuracy than bad" in done.out or "bad and good" in done.out
    assert "Is there a wolf in the image?" in done.out
    assert (
        "Without looking: 50.0 (always-yes), 50.0 (always-no), 100.0 (category), 100.0 (words), 100.0 (words-and-others)."
        in done.out
    )
    assert hope_bench(capsys, "compare", folder / "good.json", "tiny/bad", *options, "--questions", 0).code == 0
    assert "--benchmark FOLDER (tiny)" in hope_bench(capsys, "compare", "tiny", *options).out
    assert "Did you mean 'tiny/good'" in refused(capsys, "compare", "tiny/goo", *options)
    assert "Did you mean 'precision'" in refused(capsys, "compare", "tiny", "--metric", "precison", *options)
    write_result(folder / "glance.json", partial(benchmark, tmp_path, "glance", 0, 3))
    done = hope_bench(capsys, "compare", "tiny", *options, "--questions", 0)
    assert "Left out, as they are not ranked: glance." in done.err
    assert "glance" not in done.out
    done = hope_bench(capsys, "compare", "tiny/good", "tiny/glance", *options, "--questions", 0)
    assert "Compared on the 6 of 60 questions" in done.out
