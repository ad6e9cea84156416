"""What is shown of trends, comparisons and who chose whom: whole outputs of numbers made up here."""

from __future__ import annotations

import io
from textwrap import dedent

import pytest
from rich.console import Console, RenderableType

from hope_bench.files.split_score import Estimate
from hope_bench.scoring.comparison import ModelComparison, Pair, Standing, p_value, verdict_on
from hope_bench.scoring.comparison_tables import changes_table, pair_table
from hope_bench.scoring.transfer import HomeAdvantage, ModelRow, Searcher, Transfer
from hope_bench.scoring.trend import NUMBERS, Trend, TrendPoint


def e(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high)


def shown(table: RenderableType | None, width: int = 110) -> str:
    assert table is not None
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return trimmed(console.file.getvalue())  # type: ignore[attr-defined]


def trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in dedent(text).strip("\n").splitlines())


def home(own: float, others: float, advantage: tuple[float, float, float], *compared: str) -> HomeAdvantage:
    return HomeAdvantage(e(own, own - 0.1, own + 0.1), e(others), e(*advantage), compared)


SEARCHERS = (
    Searcher("content", "local-dir:a", "openai"), Searcher("content@b", "b", "siglip"), Searcher("content@c", None, None),
    Searcher("content-panel", None, None),
)  # fmt: skip
MODELS = (
    ModelRow("Alpha", "openai/x", "openai", (e(0.5, 0.4, 0.6), e(0.25, 0.2, 0.3), e(0.125), e(None)),
             home(0.25, -0.05, (0.3, 0.001, 0.5), "Beta", "Gamma")),
    ModelRow("Beta", "s", "siglip", (e(0.5, 0.4, 0.6), e(0.25, 0.2, 0.3), e(0.0, 0.0, 0.1), e(1.0, 0.9, 1.0)),
             home(-0.25, 0.05, (-0.3, -0.5, -0.001), "Alpha")),
    ModelRow("Gamma", None, "siglip", (e(0.1),) * 4, home(0.0, 0.0, (0.0, 0.0, 0.1), "Alpha")),
    ModelRow("Delta", "d", "siglip", (e(0.1),) * 4, home(0.1, 0.0, (0.1, -0.1, 0.0), "Alpha")),
    ModelRow("Omega", None, None, (e(0.1),) * 4, None),
)  # fmt: skip


def test_who_chose_whom() -> None:
    found = Transfer("content", 1234, SEARCHERS, MODELS, ("Psi",))
    assert trimmed(str(found)) == trimmed("""
        Hallucination rates on content by searching encoder, 5 models, 1,234 images.
        Fooled more by what their own family chose than models of other families are:
        Alpha.
        Fooled less by it than they: Beta.
        Not told apart from models of other families in this: Gamma, Delta.

                            content   content
        model    content         @b        @c  content-panel
        ----------------------------------------------------
        Alpha      50.0*       25.0      12.5              -
               40.0-60.0  20.0-30.0
        Beta        50.0      25.0*       0.0          100.0
               40.0-60.0  20.0-30.0  0.0-10.0     90.0-100.0
        Gamma       10.0      10.0*      10.0           10.0
        Delta       10.0      10.0*      10.0           10.0
        Omega       10.0       10.0      10.0           10.0
        Percent, 95% intervals. * chosen by an encoder of the family of the model's own
        vision tower.
        content: local-dir:a, family openai.
        content@b: b, family siglip.
        content@c: an encoder that the results do not name, of a family that its name
        doesn't tell.
        content-panel: chosen by all encoders together.
        Of unknown family, by their vision towers' names, and in no home advantage:
        Omega.
        Left out, as they were not asked all of these splits: Psi.
    """)
    assert shown(found.home_table()) == trimmed("""
        Home advantage (points, 95% intervals paired by image)
                            own minus  the same of other
        model  family  other encoders  models (how many)       home advantage
        ---------------------------------------------------------------------
        Alpha  openai           +25.0           -5.0 (2)    +30.0 [0.1, 50.0]
        Delta  siglip           +10.0           +0.0 (1)   +10.0 [-10.0, 0.0]
        Gamma  siglip            +0.0           +0.0 (1)     +0.0 [0.0, 10.0]
        Beta   siglip           -25.0           +5.0 (1)  -30.0 [-50.0, -0.1]
    """)
    frame = found.to_frame()
    assert frame.iloc[0].to_dict() == {
        "name": "Alpha", "vision_tower": "openai/x", "family": "openai", "split": "content", "encoder": "local-dir:a",
        "encoder_family": "openai", "hallucination_rate": 0.5, "hallucination_rate_low": 0.4, "hallucination_rate_high": 0.6,
        "own": 0.25, "own_low": 0.15, "own_high": 0.35, "others": -0.05, "others_low": pytest.approx(float("nan"), nan_ok=True),
        "others_high": pytest.approx(float("nan"), nan_ok=True), "home_advantage": 0.3, "home_advantage_low": 0.001,
        "home_advantage_high": 0.5,
    }  # fmt: skip
    assert frame.iloc[-1][["own", "own_low", "others", "home_advantage", "home_advantage_high"]].isna().all()
    assert (frame.shape, frame.iloc[-1]["hallucination_rate"], frame.iloc[-1]["split"]) == ((20, 18), 0.1, "content-panel")


def test_who_chose_whom_where_nobody_is_at_home() -> None:
    found = Transfer("content", 1, SEARCHERS[:1], MODELS[-1:], ())
    assert found.home_table() is None
    assert trimmed(str(found)) == trimmed("""
        Hallucination rates on content by searching encoder, 1 model, 1 image.

        model  content
        --------------
        Omega     10.0
        Percent, 95% intervals.
        content: local-dir:a, family openai.
        No home advantage is known: that takes models of two families, one of which
        searched, and an encoder of another.
        Of unknown family, by their vision towers' names, and in no home advantage:
        Omega.
    """)


def test_home_advantages_are_in_order() -> None:
    homes = {"a": 0.0, "b": -0.1, "c": None, "d": 0.3}
    models = [
        ModelRow(name, "s", "siglip", (e(0.1),), HomeAdvantage(e(0.1), e(0.1), e(value, value, value), ("x",) * 1234))
        for name, value in homes.items()
    ]
    table = Transfer("content", 1, SEARCHERS[:1], tuple(models), ()).home_table()
    assert table is not None
    assert [str(cell) for cell in table.columns[0].cells] == ["d", "a", "c", "b"]
    assert [str(cell) for cell in table.columns[3].cells] == ["+10.0 (1,234)"] * 4


def point(
    step: int, run: str, numbers: tuple[Estimate, ...], changes: tuple[Estimate, ...], p: tuple[float | None, ...]
) -> TrendPoint:
    return TrendPoint(
        step, run, dict(zip(NUMBERS, numbers, strict=True)), dict(zip(NUMBERS[: len(changes)], changes, strict=True)),
        dict(zip(NUMBERS[: len(p)], p, strict=True)),
    )  # fmt: skip


POINTS = (
    point(0, "base", (e(0.5, 0.4, 0.6), e(0.75, 0.7, 0.8), e(0.1, 0.05, 0.15)), (), ()),
    point(1500, "run-1500", (e(0.25, 0.2, 0.3), e(0.8), e(None)), (e(-0.25, -0.3, -0.2), e(0.05, -0.01, 0.1), e(None)),
          (0.049, 0.05, None)),
    point(3000, "run-3000", (e(0.0, 0.0, 0.1), e(0.9, 0.85, 0.95), e(0.2, 0.1, 0.3)),
          (e(-0.25, -0.3, -0.2), e(0.1, 0.05, 0.15), e(0.1, -0.1, 0.2)), (0.0001, 0.01, 0.3)),
)  # fmt: skip


def test_a_trend() -> None:
    found = Trend("mine", "content", "adversarial", POINTS)
    assert trimmed(str(found)) == trimmed("""
        mine, content, base (step 0) to run-3000 (step 3,000): hallucination rate from
        50.0 to 0.0, balanced accuracy from 75.0 to 90.0.
        Changes told from chance (corrected p below 0.05): hallucination rate at step
        1,500 (-25.0 [-30.0, -20.0]), hallucination rate at step 3,000 (-25.0 [-30.0,
        -20.0]), balanced accuracy at step 3,000 (+10.0 [5.0, 15.0]).

         step      hallucination  balanced accuracy      precision drop
        ---------------------------------------------------------------
            0  50.0 [40.0, 60.0]  75.0 [70.0, 80.0]   +10.0 [5.0, 15.0]
        1,500  25.0 [20.0, 30.0]               80.0                   -
        3,000    0.0 [0.0, 10.0]  90.0 [85.0, 95.0]  +20.0 [10.0, 30.0]
        Percent, 95% intervals. Precision drop: points lost from adversarial, paired by
        image.
    """)
    assert shown(changes_table(found)) == trimmed("""
        Changes since the checkpoint before (points, 95% intervals over all 2; corrected p)
         step  run                  hallucination rate          balanced accuracy               precision drop
        ------------------------------------------------------------------------------------------------------
        1,500  run-1500   -25.0 [-30.0, -20.0] (0.049)  +5.0 [-1.0, 10.0] (0.050)                            -
        3,000  run-3000  -25.0 [-30.0, -20.0] (<0.001)  +10.0 [5.0, 15.0] (0.010)  +10.0 [-10.0, 20.0] (0.300)
    """)
    frame = found.to_frame()
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row, one in zip(rows, POINTS, strict=True):
        expected: dict[str, object] = {"step": one.step, "run": one.run}
        for name in NUMBERS:
            own, change = one.numbers[name], one.changes.get(name, e(None))
            expected |= {name: own.value, f"{name}_low": own.low, f"{name}_high": own.high, f"{name}_p": one.p_holm.get(name)}
            expected |= {f"{name}_change": change.value, f"{name}_change_low": change.low, f"{name}_change_high": change.high}
        assert row == expected
    assert list(frame.dtypes.astype(str))[:3] == ["int64", "string", "float64"]


def test_a_trend_as_a_chart() -> None:
    figure = Trend("mine", "content", "adversarial", POINTS).plot()
    assert [one.name for one in figure.data] == ["hallucination rate", "balanced accuracy", "precision drop"]
    rates, accuracy, drops = figure.data
    assert (list(rates.x), list(rates.y)) == ([0, 1500, 3000], [50, 25, 0])
    assert list(rates.error_y.array) == pytest.approx([10, 5, 10])
    assert list(rates.error_y.arrayminus) == pytest.approx([10, 5, 0])
    assert (list(accuracy.y), list(accuracy.error_y.array)) == (pytest.approx([75, 80, 90]), pytest.approx([5, 0, 5]))
    assert list(accuracy.error_y.arrayminus) == pytest.approx([5, 0, 5])
    assert (list(drops.x), list(drops.y)) == ([0, 3000], pytest.approx([10, 20]))
    assert figure.layout.title.text == "mine: content, against adversarial"
    quiet = point(9, "b", (e(None), e(0.5), e(None)), (e(None),) * 3, (0.06, None, 0.05))
    alone = Trend("mine", "content", None, (point(5, "a", (e(0.5), e(0.5), e(None)), (), ()), quiet))
    assert [one.name for one in alone.plot().data] == ["hallucination rate", "balanced accuracy"]
    assert alone.plot().layout.title.text == "mine: content"
    assert trimmed(str(alone)) == trimmed("""
        mine, content, a (step 5) to b (step 9): balanced accuracy from 50.0 to 50.0.
        No checkpoint is told apart from the one before (corrected p below 0.05).

        step  hallucination  balanced accuracy  precision drop
        ------------------------------------------------------
           5           50.0               50.0               -
           9              -               50.0               -
        Percent, 95% intervals.
    """)


def pair(
    one: str, other: str, difference: Estimate, p: float | None, p_holm: float | None, detectable: float | None = 0.1,
    right_p_holm: float | None = 0.6, counts: tuple[int, int] = (1, 2),
) -> Pair:  # fmt: skip
    return Pair(one, other, difference, p, p_holm, 0.5, right_p_holm, *counts, detectable)


STANDINGS = (
    Standing("good", e(0.9, 0.85, 0.95), 1, 1, 2), Standing("fair", e(0.8), 2, 1, 4), Standing("bad", e(0.8, 0.7, 0.9), 2, 2, 4),
    Standing("none", e(None), None, None, None),
)  # fmt: skip
FEW = (
    pair("good", "fair", e(0.1, 0.05, 0.15), 0.01, 0.03, 0.0456, 0.05, (1234, 0)),
    pair("good", "bad", e(0.1, -0.05, 0.2), 0.04, 0.05, None, None, (3, 4)),
    pair("bad", "fair", e(0.0, -0.1, 0.1), None, None, 0.0, 0.0004, (0, 0)),
)


def test_few_models_compared() -> None:
    found = ModelComparison("content", "f1", 30, 60, 60, {}, {}, STANDINGS[:3], FEW)
    assert found.focus == "good"
    assert trimmed(str(found)) == trimmed("""
        F1 on content, 3 models, 30 images:
        good has a higher F1 than fair (corrected p 0.030).
        good and bad are not told apart (corrected p 0.050).
        bad and fair are not told apart: on every image they answered alike as far as
        this number goes.

           rank  model                 F1           difference      p
        -------------------------------------------------------------
        1 (1-2)  good   90.0 [85.0, 95.0]
        2 (1-4)  fair                80.0  -10.0 [-15.0, -5.0]  0.030
        2 (2-4)  bad    80.0 [70.0, 90.0]   -10.0 [-20.0, 5.0]  0.050
        Percent, 95% intervals and rank ranges. Difference: points from good, paired by
        image; p corrected (Holm).
    """)
    turned = ModelComparison("content", "f1", 30, 60, 60, {}, {}, STANDINGS[:3], FEW[::-1])
    assert (
        shown(pair_table(turned))
        == shown(pair_table(found))
        == trimmed("""
        Differences in F1 (percentage points, paired by image)
                                                           only the first  only the second  equally right
        model  minus          difference      p  p (Holm)           right            right       p (Holm)  detectable
        -------------------------------------------------------------------------------------------------------------
        good   fair    +10.0 [5.0, 15.0]  0.010     0.030           1,234                0          0.050         4.6
        good   bad    +10.0 [-5.0, 20.0]  0.040     0.050               3                4              -           -
        bad    fair   +0.0 [-10.0, 10.0]      -         -               0                0         <0.001           -
    """)
    )
    frame = found.to_frame()
    assert frame.astype(object).where(frame.notna(), None).to_dict("records") == [
        {
            "one": one.one, "other": one.other, "p": one.p, "p_holm": one.p_holm, "right_p": 0.5,
            "right_p_holm": one.right_p_holm,
            "one_only": one.one_only, "other_only": one.other_only, "detectable": one.detectable,
            "difference": one.difference.value, "difference_low": one.difference.low, "difference_high": one.difference.high,
        }
        for one in FEW
    ]  # fmt: skip


def test_many_models_compared() -> None:
    differences = (("good", -0.2, 0.01), ("bad", 0.0, 0.049), ("none", 0.3, 0.05))
    pairs = tuple(pair(one, "fair", e(value, value - 0.01, value + 0.01), p, p) for one, value, p in differences)
    last = pair("fair", "last", e(0.2, 0.1, 0.3), 0.001, 0.0004)
    found = ModelComparison(
        "hope", "hallucination_rate", 1, 2000, 1234, {"fair": 1500, "bad": 2},
        {"bad": "3 of 4 questions", "none": "its number is undefined"}, STANDINGS, (*pairs, last),
    )  # fmt: skip
    assert found.focus == "good", "no model is in all pairs' second place"
    assert trimmed(str(found)) == trimmed("""
        Hallucination rate on hope, 4 models, 1 image: good ranks first, 90.0 [85.0,
        95.0].
        By corrected p below 0.05, of 1 other model 1 is higher than good (fair).

           rank  model  hallucination rate          difference      p
        -------------------------------------------------------------
        1 (1-2)  good    90.0 [85.0, 95.0]
        2 (1-4)  fair                 80.0  +20.0 [19.0, 21.0]  0.010
        2 (2-4)  bad     80.0 [70.0, 90.0]
              -  none                    -
        Percent, 95% intervals and rank ranges. Difference: points from good, paired by
        image; p corrected (Holm).
        Compared on the 1,234 of 2,000 questions that every model was asked (not asked:
        fair 1,500, bad 2).
        bad is not ranked: 3 of 4 questions.
        none is not ranked: its number is undefined.
    """)
    against = ModelComparison("hope", "mcc", 1, 9, 9, {}, {}, STANDINGS, (*pairs, pair("last", "fair", e(None), None, None)))
    assert (against.focus, against.summary().verdict[1]) == ("fair", (
        "By corrected p below 0.05, of 4 other models 1 is lower than fair (good), 1 is higher than fair (bad), 2 are not told "
        "apart from fair (none, last)."
    ))  # fmt: skip
    one = ModelComparison("hope", "mcc", 1, 9, 9, {}, {}, STANDINGS, pairs[:1])
    assert (one.focus, len(one.summary().verdict)) == ("good", 2)
    frame = found.standings_frame()
    assert frame.astype(object).where(frame.notna(), None).to_dict("records") == [
        {"name": one.name, "value": one.value.value, "value_low": one.value.low, "value_high": one.value.high, "rank": one.rank,
         "rank_low": one.rank_low, "rank_high": one.rank_high} for one in STANDINGS
    ]  # fmt: skip
    assert list(frame.dtypes.astype(str)) == ["string", *["float64"] * 3, *["Int64"] * 3]


def test_numbers_without_their_ends() -> None:
    """What is told of models whose numbers have no interval, no rank range, or no value at all."""
    standings = (
        Standing("a", e(0.5), 1, None, None), Standing("b", e(None), 1234, 1000, 2000), Standing("c", e(0.5), 3, 3, 3),
        Standing("d", e(0.5, 0.4, 0.6), None, None, None),
    )  # fmt: skip
    pairs = (
        pair("a", "b", e(None), None, None), pair("a", "c", e(0.25), 0.01, 0.02), pair("d", "a", e(None), 0.01, 0.049),
        pair("c", "d", e(0.0), None, None),
    )  # fmt: skip
    found = ModelComparison("content", "accuracy", 2, 4, 4, {}, {}, standings, pairs)
    assert trimmed(str(found)) == trimmed("""
        Accuracy on content, 4 models, 2 images: a ranks first, 50.0.
        By corrected p below 0.05, of 3 other models 1 is lower than a (c), 1 is higher
        than a (d), 1 is not told apart from a (b).

                       rank  model           accuracy  difference      p
        ----------------------------------------------------------------
                          1  a                   50.0
        1,234 (1,000-2,000)  b                      -           -      -
                    3 (3-3)  c                   50.0       -25.0  0.020
                          -  d      50.0 [40.0, 60.0]           -  0.049
        Percent, 95% intervals and rank ranges. Difference: points from a, paired by
        image; p corrected (Holm).
    """)
    nothing = ModelComparison("content", "accuracy", 2, 4, 4, {}, {}, (Standing("x", e(None), None, None, None),), ())
    assert list(nothing.standings_frame().dtypes.astype(str)) == ["string", *["float64"] * 3, *["Int64"] * 3]


@pytest.mark.parametrize(
    ("difference", "p_holm", "detectable", "said"),
    [
        (None, None, None, "a and b: the difference is undefined."),
        (-0.1, 0.0499, 0.1, "b has a higher MCC than a (corrected p 0.050)."),
        (0.0, 0.02, 0.1, "a has a higher MCC than b (corrected p 0.020)."),
        (-0.1, 0.05, None, "a and b are not told apart (corrected p 0.050)."),
        (-0.1, 0.05, 0.0, "a and b are not told apart (corrected p 0.050)."),
        (-0.1, 0.5, 0.031, "a and b are not told apart (corrected p 0.500); this comparison would find a true difference of 3.1 "
         "points 4 times in 5."),
        (0.1, None, 0.1, "a and b are not told apart: on every image they answered alike as far as this number goes."),
    ],
)  # fmt: skip
def test_a_pair_in_a_sentence(difference: float | None, p_holm: float | None, detectable: float | None, said: str) -> None:
    assert verdict_on(pair("a", "b", e(difference), 0.01, p_holm, detectable), "mcc") == said


def test_a_p_value_has_three_digits() -> None:
    assert [p_value(p) for p in (None, 0.0, 0.00099, 0.001, 0.0015, 0.05, 1.0)] == [
        "-", "<0.001", "<0.001", "0.001", "0.002", "0.050", "1.000",
    ]  # fmt: skip
