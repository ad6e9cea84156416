"""The tables behind a result's main ones: whole outputs of numbers made up here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.split_score import Average, Blind, Estimate, NullBand, Part, Probabilities, VerdictCounts
from hope_bench.records import Question
from hope_bench.scoring.averaging import group_splits, mark_repeated
from hope_bench.scoring.comparison import ModelComparison
from hope_bench.scoring.comparison_tables import differing_table, without_looking
from hope_bench.scoring.detail_tables import (
    average_table,
    blind_summary,
    blind_table,
    corrected_table,
    correlation,
    part_table,
    probability_table,
    relabelled_table,
    sensitivity_table,
)
from hope_bench.scoring.differing import Differing, differing_questions
from hope_bench.scoring.probability import pack
from hope_bench.scoring.tables import _split_row, comparison_table, percent, points, remarks, split_table
from tests.unit.test_reviewed import split as a_split
from tests.unit.test_scoring_shown import e, shown, trimmed


def made(**fields: object) -> Any:
    """A record with these fields alone."""
    return SimpleNamespace(**fields)


def blind(name: Any, balanced_accuracy: float | None, either_way: Estimate | None = None, **more: Any) -> Blind:
    none: dict[str, Any] = dict.fromkeys(("accuracy", "precision", "recall", "f1", "hallucination_rate"))
    return Blind(name=name, balanced_accuracy=balanced_accuracy, either_way=either_way, **none | more)


def p_yes(questions: int, null: NullBand | None, d_a: Estimate, fixed: Estimate | None) -> Probabilities:
    return Probabilities(
        questions=questions, auroc=e(0.9, 0.85, 0.95), d_a=d_a, average_precision=e(0.8), fixed_balanced_accuracy=fixed,
        brier=e(0.125, 0.1, 0.15), ece=0.05, ece_null=null, bins=(), packed="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("estimate", "said"),
    [(None, "-"), (e(None), "-"), (e(None, 0.1, 0.2), "-"), (e(0.0), "+0.00"), (e(-0.719), "-0.72"), (e(0.5, None, 0.6), "+0.50"),
     (e(0.5, 0.4, None), "+0.50"), (e(0.5, -0.051, 0.6), "+0.50 [-0.05, +0.60]"), (e(0.0, 0.0, 0.0), "+0.00 [+0.00, +0.00]")],
)  # fmt: skip
def test_a_correlation(estimate: Estimate | None, said: str) -> None:
    assert correlation(estimate) == said


SPLITS = {
    "random": made(
        without_p_yes=1234, d_prime=e(2.0, 1.5, 2.5), criterion=e(-0.3), forced_choice=None,
        probabilities=p_yes(5678, NullBand(mean=0.02, low=0.01, high=0.03), e(1.8), e(0.85)),
    ),
    "content": made(without_p_yes=0, d_prime=e(None), criterion=None, forced_choice=None, probabilities=None),
    "twins": made(
        without_p_yes=0, d_prime=e(1.0), criterion=e(0.0), forced_choice=e(0.75, 0.7, 0.8),
        probabilities=p_yes(9, None, e(None), None),
    ),
}  # fmt: skip


def test_p_yes() -> None:
    assert shown(probability_table(made(splits=SPLITS))) == trimmed("""
        From P(yes), no threshold (percent)
        split   questions  left out              AUROC  average precision        Brier score  ECE   if calibrated
        ---------------------------------------------------------------------------------------------------------
        random      5,678     1,234  90.0 [85.0, 95.0]               80.0  12.5 [10.0, 15.0]  5.0  2.0 [1.0, 3.0]
        twins           9         0  90.0 [85.0, 95.0]               80.0  12.5 [10.0, 15.0]  5.0               -
    """)
    assert probability_table(made(splits={"content": SPLITS["content"]})) is None
    assert shown(sensitivity_table(made(splits=SPLITS))) == trimmed("""
        Sensitivity and bias (d' moves with the threshold, d_a doesn't; criterion below 0: a bias to
        yes)
        split                      d'  criterion    d_a  bal. acc. at fixed threshold    twins by P(yes)
        ------------------------------------------------------------------------------------------------
        random   +2.00 [+1.50, +2.50]      -0.30  +1.80                          85.0                  -
        content                     -          -      -                             -                  -
        twins                   +1.00      +0.00      -                             -  75.0 [70.0, 80.0]
    """)


def test_averages() -> None:
    metrics = {"accuracy": e(0.9, 0.8, 1.0), "precision": e(0.5), "f1": e(None), "mcc": e(0.4, 0.3, 0.5)}
    averages = [
        Average(group="pope", method="split-mean", splits=("a", "b"), questions=9000, metrics=metrics),
        Average(group="hope", method="unique", splits=("c", "d"), questions=1, metrics=metrics | {"mcc": e(None)}),
    ]
    assert shown(average_table(made(averages=averages))) == trimmed("""
        Averages (percent)
        split  method      questions            accuracy  precision  F1                   MCC
        -------------------------------------------------------------------------------------
        pope   split-mean      9,000  90.0 [80.0, 100.0]       50.0   -  +0.40 [+0.30, +0.50]
        hope   unique              1  90.0 [80.0, 100.0]       50.0   -                     -
    """)
    assert average_table(made(averages=[])) is None


def test_answers_without_looking() -> None:
    splits = {
        "content": (
            blind("always-yes", 0.5, e(0.5), recall=1.0, hallucination_rate=1.0),
            blind("words", 0.4, e(0.6, 0.55, 0.65), auroc=e(0.35), recall=0.25, hallucination_rate=0.45, fitted_on="other-images",
                  images=1234),
        ),
        "twins": (
            blind("category", None),
            blind("words-and-others", 0.55, e(0.55), paired_discrimination=0.25, fitted_on="crosswise", images=80),
        ),
    }  # fmt: skip
    assert shown(blind_table("Mine", splits), 150) == trimmed("""
        Answered without looking: Mine (percent)
        split    answers           balanced accuracy         either way  AUROC  recall  halluc. rate  both of a pair           learnt from
        ----------------------------------------------------------------------------------------------------------------------------------
        content  always-yes                     50.0               50.0      -   100.0         100.0               -                     -
        content  words                          40.0  60.0 [55.0, 65.0]   35.0    25.0          45.0               -    1,234 other images
        twins    category                          -                  -      -       -             -               -                     -
        twins    words-and-others               55.0               55.0      -       -             -            25.0  80 images, crosswise
    """)  # noqa: E501
    assert trimmed(blind_summary("Mine", splits).as_text()) == trimmed("""
        Mine, answered without looking: up to 60.0 [55.0, 65.0] in balanced accuracy
        (words on content).

        split    answers           balanced accuracy  either way
        --------------------------------------------------------
        content  always-yes                     50.0        50.0
        content  words                          40.0        60.0
        twins    category                          -           -
        twins    words-and-others               55.0        55.0
        Percent. 50 is what chance gives; what stays as far below it tells as much
        (either way).
    """)
    for nothing in ({}, {"content": ()}, {"content": (blind("words", None), blind("words", 0.5, e(None)))}):
        assert blind_summary("Mine", nothing).verdict == ("Mine: nothing to answer.",)
    worse = {"a": (blind("words", 0.0, e(0.0)),), "b": (blind("category", 0.25, e(0.001)),)}
    assert blind_summary("M", worse).verdict == ("M, answered without looking: up to 0.1 in balanced accuracy (category on b).",)


def part(name: str | None, images: int, on_yes: tuple[int, ...], on_no: tuple[int, ...]) -> Part:
    sides = [
        VerdictCounts(**dict(zip(("yes", "no", "unparsed", "error", "unasked"), side, strict=True))) for side in (on_yes, on_no)
    ]
    return Part(name=name, images=images, on_yes=sides[0], on_no=sides[1], recall=e(0.75, 0.7, 0.8), hallucination_rate=e(0.25))


def test_a_split_taken_apart() -> None:
    parts = (
        part("cat", 1200, (6, 2, 1000, 200, 50), (2, 6, 30, 4, 5)),
        part("dog", 0, (0, 0, 0, 0, 7), (0, 0, 0, 0, 1)),
        part(None, 3, (1, 0, 0, 0, 0), (0, 2, 0, 0, 0)),
    )
    split = made(breakdowns={"object-size": parts, "category": parts[:1]})
    result = made(benchmark=made(headline="content"), convention="strict", splits={"content": split})
    assert shown(part_table(result, "object-size"), 150) == trimmed("""
        content by object size (percent)
        size        images  yes / no asked  halluc. rate             recall  accuracy  bal. acc.  precision     F1  yes ratio    MCC  neither
        -------------------------------------------------------------------------------------------------------------------------------------
        cat          1,200      1,208 / 42          25.0  75.0 [70.0, 80.0]       1.0        7.4       75.0    1.0        0.6  +0.08    1,234
        dog              0           0 / 0          25.0  75.0 [70.0, 80.0]         -          -          -      -          -      -        0
        all others       3           1 / 2          25.0  75.0 [70.0, 80.0]     100.0      100.0      100.0  100.0       33.3  +1.00        0
    """)  # noqa: E501
    category = part_table(result, "category")
    assert category is not None
    assert str(category.columns[0].header) == "category"
    assert part_table(result, "description-kind") is None


def test_rates_under_reviewed_truth() -> None:
    found = made(reviewed=1500, unsure=1200, hallucination_rate=e(0.2, 0.1, 0.3), recall=e(None))
    one = made(corrected=found, hallucination_rate=e(0.25, 0.2, 0.3), recall=e(0.9))
    other = made(corrected=None)
    assert shown(corrected_table(made(splits={"content": one, "random": other}))) == trimmed("""
        Under reviewed truth (percent)
        split    reviewed  unsure  halluc. rate     reviewed truth  recall  reviewed truth
        ----------------------------------------------------------------------------------
        content     1,500   1,200          25.0  20.0 [10.0, 30.0]    90.0               -
    """)
    assert corrected_table(made(splits={"random": other})) is None


def test_relabelled() -> None:
    def result(title: str, questions: int, f1: float | None) -> Any:
        return made(
            model=made(name="M"), benchmark=made(name=title), splits={"random": made(labels="y" * questions, f1=e(f1, 0.0, 1.0))}
        )

    moves = {"f1": e(0.125, 0.1, 0.15), "hallucination_rate": e(-0.05), "recall": e(None), "accuracy": e(1.0)}
    scored = made(before=result("old", 3000, 0.75), after=result("new", 2999, None), differences={"random": moves})
    assert shown(relabelled_table(scored)) == trimmed("""
        M: new minus old (points, paired)
        split       questions  F1 before  F1 after         F1 moves by  halluc. rate moves by  recall moves by
        ------------------------------------------------------------------------------------------------------
        random  3,000 → 2,999       75.0         -  +12.5 [10.0, 15.0]                   -5.0                -
    """)


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("abcd", ["yes", "yes", "yes", "yes"]),
        ("abcde", ["a, b, c, d and 1 more", "", ""]),
        ("abcdefgh", ["a, b, c, d and 4 more", "", ""]),
    ],
)
def test_models_that_differ(names: str, cells: list[str]) -> None:
    found = Differing(Question(1, "a.jpg", "Is there a cat?", "no", "random"), ("yes",) * len(names), None)
    table = differing_table(tuple(names), "content", [found])
    assert [str(column.header) for column in table.columns] == [
        "image", "question", "label", *(names if len(names) < 5 else ("answered yes", "answered no", "neither"))
    ]  # fmt: skip
    assert [str(next(iter(column.cells))) for column in table.columns] == ["a.jpg", "Is there a cat?", "no", *cells]


def test_models_that_differ_by_their_verdicts() -> None:
    verdicts = ("no", "yes", "unparsed", "error", "unasked", "no", "no", "no", "yes", "yes", "yes")
    found = Differing(Question(1, "a.jpg", "Is there a cat?", "no", "random"), verdicts, 0.5)
    table = differing_table(tuple("abcdefghijk"), "content", [found])
    assert [str(next(iter(column.cells))) for column in table.columns][3:] == ["b, i, j, k", "a, f, g, h", "c, d, e"]


def test_the_questions_on_which_models_differ() -> None:
    """The most evenly divided first, then those whose P(yes) are furthest apart, then the benchmark's order."""
    labels = "ynynynyny"
    verdicts = ("yyyy-yuny", "nynynynny", "ynnyynyny", "yyyyynyny")
    p_yes = ((0.9, 0.5, None, 0.5, 0.5, 0.5, 0.2, 0.5, 0.5), (0.1, 0.2, 0.5, 0.9, 0.0, 0.1, 0.7, 0.5, 0.5))
    asked = [Question(n, f"{n // 3}.jpg", str(n), "yes" if label == "y" else "no", "content") for n, label in enumerate(labels)]
    benchmark = made(
        manifest=made(hash="h", images={"0.jpg": None, "1.jpg": None, "2.jpg": None}), folder="here",
        splits={"content": asked[6:] + asked[:6]},
    )  # fmt: skip
    results = [
        made(benchmark=made(hash="h"), splits={"content": made(verdicts=one, probabilities=made(packed=pack(p_yes[row % 2])))})
        for row, one in enumerate(verdicts)
    ]
    right = [[letter == label for letter, label in zip(one, labels, strict=True)] for one in verdicts]
    divided = [min(sum(column), 4 - sum(column)) for column in zip(*right, strict=True)]
    apart = [0.8, 0.3, None, 0.4, 0.5, 0.4, 0.5, 0.0, 0.0]
    found = differing_questions(benchmark, results, "content", 9)
    told = [n for n in range(9) if divided[n] and "-" not in [one[n] for one in verdicts]]
    assert [one.question.question_id for one in found] == sorted(told, key=lambda n: (-divided[n], -(apart[n] or 0), n))
    assert (len(told), 4 in told, divided[4]) == (5, False, 2)
    assert [one.p_yes_apart for one in found] == [
        None if (gap := apart[one.question.question_id]) is None else pytest.approx(gap, abs=1e-3) for one in found
    ]
    assert found[0].verdicts == ("unparsed", "no", "yes", "yes")
    assert differing_questions(benchmark, results, "content", 2) == found[:2]
    results[1].splits["content"].probabilities = None
    assert [(one.question.question_id, one.p_yes_apart) for one in differing_questions(benchmark, results, "content", 9)] == [
        (n, None) for n in sorted(told, key=lambda n: (-divided[n], n))
    ]
    results[3].benchmark.hash = "other"
    with pytest.raises(HopeBenchError) as refused:
        differing_questions(benchmark, results, "content", 9)
    assert str(refused.value) == "The results answer other questions than here holds (their hashes differ)."


def test_a_comparison_without_looking() -> None:
    def result(*blind_: Blind) -> Any:
        return made(splits={"content": made(blind=blind_)})

    def found(metric: str) -> ModelComparison:
        return ModelComparison("content", metric, 1, 2, 2, {}, {}, (), ())

    told = result(blind("always-yes", 0.5, recall=1.0), blind("words", None))
    other = result(blind("category", 0.75))
    assert (
        without_looking([result(), told, other], found("balanced_accuracy")) == "Without looking: 50.0 (always-yes), - (words)."
    )
    assert without_looking([other, told], found("balanced_accuracy")) == "Without looking: 75.0 (category)."
    assert without_looking([told], found("recall")) == "Without looking: 100.0 (always-yes), - (words)."
    assert without_looking([told], found("mcc")) is None
    assert without_looking([result()], found("recall")) is None


def test_groups_that_papers_average() -> None:
    kinds: dict[str, Any] = {
        "content-balanced": "hope", "random": "pope", "random-balanced": "pope", "random-guarded": "pope", "content": "hope",
        "content-twins": "twin", "content@other": "hope", "popular": "pope", "popular-guarded": "pope",
        "control-content": "control", "hard-positives": "hope",
    }  # fmt: skip
    assert group_splits(kinds) == {
        "pope": ("random", "popular"), "pope-guarded": ("random-guarded", "popular-guarded"),
        "hope": ("content", "hard-positives"),
    }  # fmt: skip
    assert group_splits({"random": "pope", "content": "hope", "popular-guarded": "pope"}) == {}


def test_a_groups_repeated_questions() -> None:
    def asked(*keys: str) -> list[Question]:
        return [Question(number, key[0], key[1], "no", "random") for number, key in enumerate(keys)]

    questions = {
        "a": asked("1x", "1y", "1y"),
        "b": asked("1y", "2y", "1x"),
        "c": asked("2y", "3z"),
        "d": asked("1x"),
        "e": asked("1x"),
    }
    assert mark_repeated({"pope": ("a", "b", "c"), "hope": ("d",)}, questions) == {"a": "...", "b": "r.r", "c": "r.", "d": "."}


def counts(unparsed: int = 0, error: int = 0, unasked: int = 0) -> VerdictCounts:
    return VerdictCounts(unparsed=unparsed, error=error, unasked=unasked)


def scored(questions: int, balanced_accuracy: Estimate, on_no: VerdictCounts, **more: Any) -> Any:
    fields = {"kind": "hope", "labels": "y" * questions, "accuracy": e(0.75, 0.7, 0.8), "precision": e(0.5, 0.4, 0.6),
              "recall": e(0.25, 0.2, 0.3), "f1": e(None), "yes_ratio": e(0.123), "hallucination_rate": e(0.0, 0.0, 0.1),
              "on_yes": counts(1000, 2, 30), "paired_discrimination": None, "blind": ()}  # fmt: skip
    return made(balanced_accuracy=balanced_accuracy, on_no=on_no, **fields | more)


def result_of(splits: dict[str, Any], convention: str = "strict", images: int = 1234, **more: Any) -> Any:
    benchmark = made(title="Mine", images=images, headline="content", description=more.pop("description", None))
    return made(model=made(name="M"), benchmark=benchmark, convention=convention, splits=splits, **more)


def test_splits_in_full() -> None:
    splits = {
        "random": scored(6000, e(0.9), counts()), "twins": scored(5, e(0.5), counts(), kind="twin"),
        "content": scored(12, e(0.8, 0.7, 0.9), counts(234, 5, 6), precision=e(None)),
    }  # fmt: skip
    table = split_table(result_of(splits))
    assert str(table.title) == "M on Mine (1,234 images, percent, 95% intervals)"
    assert [[str(cell) for cell in column.cells] for column in table.columns] == [
        ["random", "content"], ["6,000", "12"], ["90.0", "80.0\n70.0-90.0"], ["75.0"] * 2, ["50.0\n40.0-60.0", "-"], ["25.0"] * 2,
        ["-"] * 2, ["12.3"] * 2, ["0.0\n0.0-10.0"] * 2, ["1,000", "1,234"], ["2", "7"], ["30", "36"],
    ]  # fmt: skip
    assert [cell.style for cell in table.columns[0].cells] == ["", "bold"]  # type: ignore[union-attr]
    quiet = split_table(result_of({"content": scored(1, e(0.5), counts(), on_yes=counts(error=1))}, "lmms-eval", 1))
    assert str(quiet.title) == "M on Mine (1 image, percent, 95% intervals, lmms-eval convention)"
    assert [cell.style for column in quiet.columns[-3:] for cell in column.cells] == ["dim", "yellow", "dim"]  # type: ignore[union-attr]


def test_comparisons_in_full() -> None:
    def pair(split: str, auroc_drop: Estimate | None) -> Any:
        return made(
            split=split, baseline="random", precision_drop=e(0.1, 0.05, 0.15), auroc_drop=auroc_drop, hallucination_rise=e(-0.2)
        )

    assert shown(comparison_table(made(comparisons=[pair("content", None), pair("hope", None)]))) == trimmed("""
        Harder than the baseline by (percentage points, 95%
        intervals paired by image)
        split    baseline     precision drop  hallucination rise
        --------------------------------------------------------
        content  random    +10.0 [5.0, 15.0]               -20.0
        hope     random    +10.0 [5.0, 15.0]               -20.0
    """)
    assert shown(comparison_table(made(comparisons=[pair("content", None), pair("hope", e(0.3))]))) == trimmed("""
        Harder than the baseline by (percentage points, 95% intervals paired
        by image)
        split    baseline     precision drop  AUROC drop  hallucination rise
        --------------------------------------------------------------------
        content  random    +10.0 [5.0, 15.0]           -               -20.0
        hope     random    +10.0 [5.0, 15.0]       +30.0               -20.0
    """)


def test_remarks() -> None:
    twins = {
        "content-twins": scored(2468, e(0.5), counts(), paired_discrimination=e(0.25, 0.2, 0.3), pairs_asked=1234),
        "hope-twins": scored(2, e(0.5), counts(), paired_discrimination=e(0.0), pairs_asked=1),
    }
    said = [
        "content: both a false description and its true twin right in 25.0 [20.0, 30.0] of 1,234 pairs.",
        "hope: both a false description and its true twin right in 0.0 of 1 pair.",
    ]
    blind_ = (blind("always-yes", 0.5, e(0.5)), blind("words", 0.6, e(0.6, 0.5, 0.7)))
    assert remarks(result_of({"content": scored(2, e(0.9), counts(), blind=blind_), **twins}, description="About.")) == [
        *said,
        "Without looking, content gives a balanced accuracy of up to 60.0 [50.0, 70.0] (words); above blind: of what is left "
        "above that, M gets 75.0%.",
        "About.",
    ]  # fmt: skip
    assert remarks(result_of({"content": scored(2, e(None), counts(), blind=blind_)}, description="")) == [
        "Without looking, content gives a balanced accuracy of up to 60.0 [50.0, 70.0] (words); above blind: of what is left "
        "above that, M gets -%.",
    ]  # fmt: skip
    assert remarks(result_of({"content": scored(2, e(0.9), counts(), blind=(blind("words", None),)), **twins})) == said


@pytest.mark.parametrize(
    ("share", "percent_", "points_"),
    [(None, "-", "-"), (0.0, "0.0", "+0.0"), (-0.0004, "-0.0", "+0.0"), (0.8849, "88.5", "+88.5"), (-0.165, "-16.5", "-16.5")],
)
def test_shares_as_text(share: float | None, percent_: str, points_: str) -> None:
    assert (percent(share), points(share)) == (percent_, points_)


def test_questions_without_an_answer_stand_out() -> None:
    update = {"on_yes": VerdictCounts(unparsed=1), "on_no": VerdictCounts(unparsed=1, unasked=1)}
    counted = _split_row("hope", a_split("yn", "yn", 1).model_copy(update=update), False)[-3:]
    assert [(text.plain, text.style) for text in counted] == [("2", "yellow"), ("0", "dim"), ("1", "yellow")]
