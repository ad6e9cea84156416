"""Numbers over several splits, from their letters alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.intervals import bootstrap_of
from hope_bench.scoring.numbers import control_of
from hope_bench.scoring.probability import Evidence, pack
from hope_bench.scoring.recount import How, Letters, Recount, fixed_tables
from hope_bench.scoring.sensitivity import at_fixed_threshold, fixed_thresholds


def letters(seed: int, images: int = 24, each: int = 4) -> Letters:
    rng = np.random.default_rng(seed)
    return Letters("pope", "yn" * (images * each // 2), "".join(rng.choice(["y", "n"], images * each)), [each] * images)


@pytest.mark.parametrize("copies", [2, 3])
def test_the_mean_of_equal_splits_is_each_of_them(copies: int) -> None:
    names = tuple("abc"[:copies])
    found = Recount(
        dict.fromkeys(names, letters(0)), {"pope": names}, 24, How(Bootstrap(replicates=200, seed=0, confidence=0.95))
    )
    (mean, pooled) = found.averages("pope")
    assert (mean.group, mean.method, mean.splits, mean.questions) == ("pope", "split-mean", names, 96 * copies)
    assert (pooled.method, pooled.splits, pooled.questions) == ("pooled", names, 96 * copies)
    for name in ("accuracy", "balanced_accuracy", "recall", "hallucination_rate"):
        own = found.split("a")[name]
        for one in (mean.metrics[name], pooled.metrics[name]):
            assert (one.value, one.low, one.high) == pytest.approx((own.value, own.low, own.high), abs=0.02)
            assert one.value == pytest.approx(own.value, abs=1e-6)


def test_each_family_has_its_thresholds() -> None:
    """Fixed on the random split, of the balanced family on that family's own."""

    def known(seed: int) -> Evidence:
        rng = np.random.default_rng(seed)
        return Evidence(rng.random(80), rng.random(80) < 0.5, np.repeat(np.arange(20), 4))

    def at(base: Evidence, one: Evidence) -> list[object]:
        thresholds = fixed_thresholds(base.p_yes, base.positive, base.image, 20)
        assert thresholds is not None
        return at_fixed_threshold(one.p_yes, one.positive, one.image, thresholds).tolist()  # type: ignore[no-any-return]

    found = {name: known(seed) for seed, name in enumerate(("content", "random", "content-balanced", "random-balanced"))}
    tables = fixed_tables(found, 20)
    assert list(tables) == list(found)
    for name, table in tables.items():
        assert table is not None
        assert table.tolist() == at(
            found["random-balanced" if name in ("content-balanced", "random-balanced") else "random"], found[name]
        )
    assert at(found["random"], found["content"]) != at(found["random-balanced"], found["content"])
    del found["random"]
    assert [name for name, table in fixed_tables(found, 20).items() if table is None] == ["content"]
    del found["random-balanced"]
    assert list(fixed_tables(found, 20).values()) == [None, None]


@pytest.mark.parametrize("replicates", [100, 101, 2000, 99_999, 100_000])
def test_replicates_within_their_limits(replicates: int) -> None:
    assert bootstrap_of(replicates) == Bootstrap(replicates=replicates, seed=0, confidence=0.95)


def test_what_p_yes_gives() -> None:
    """Only of splits where any is known; a comparison's AUROC drop where both are; the fixed threshold where random is."""
    rng = np.random.default_rng(1)

    def told(seed: int) -> Letters:
        return replace(letters(seed), p_yes=pack(tuple(rng.random(96).tolist())))

    splits = {"random": told(0), "content": told(1), "silent": letters(2)}
    how = How(Bootstrap(replicates=100, seed=0, confidence=0.95))
    found = Recount(splits, {}, 24, how)
    assert list(found.rankings) == ["random", "content"]
    assert [found.comparison(*pair).auroc_drop is None for pair in product(splits, repeat=2)] == [
        False, False, True, False, False, True, True, True, True,
    ]  # fmt: skip
    drop = found.comparison("content", "random").auroc_drop
    areas = [found.rankings[name].numbers.auroc.value for name in ("random", "content")]
    assert drop is not None
    assert drop.value == pytest.approx((areas[0] or 0) - (areas[1] or 0), abs=1e-6)
    evidence = {name: one.evidence for name, one in found.rankings.items()}
    for name, table in fixed_tables(evidence, 24).items():
        fixed = found.rankings[name].numbers.fixed_balanced_accuracy
        assert table is not None
        assert fixed is not None
        shares = [row[kept] / row.sum() for kept, row in enumerate(table.sum(axis=0))]
        assert fixed.value == pytest.approx(sum(shares) / 2, abs=1e-6)
    assert found.split("silent")["probabilities"] is None
    assert found.split("content")["probabilities"] == found.rankings["content"].numbers
    alone = Recount({"content": splits["content"]}, {}, 24, how)
    assert alone.rankings["content"].numbers.fixed_balanced_accuracy is None
    nothing = Recount({}, {}, 24, how)
    assert (nothing.measured, nothing.rankings) == ({}, {})


def test_pairs_of_twins() -> None:
    """Both right, and which of the two has the higher P(yes): of twins alone."""
    pairs = Letters("twin", "ny" * 12, "ny" * 6 + "yy" * 4 + "nn" * 2, [2] * 12)
    how = How(Bootstrap(replicates=100, seed=0, confidence=0.95))
    told = replace(pairs, p_yes=pack((0.1, 0.9) * 9 + (0.9, 0.1) * 3))
    found = Recount({"a": pairs, "b": told, "c": replace(told, kind="hope")}, {}, 12, how)
    values = [
        [None if (one := found.split(name)[key]) is None else one.value for key in ("paired_discrimination", "forced_choice")]
        for name in "abc"
    ]
    assert values == [[0.5, None], [0.5, 0.75], [None, None]]


def test_what_a_control_is_called() -> None:
    names = {
        "content": "control-content", "category": "control-category", "content-balanced": "control-balanced",
        "content@other": "control-content@other", "content-panel": "control-content-panel",
        "hope-balanced": "control-hope-balanced",
    }  # fmt: skip
    assert {name: control_of(name) for name in names} == names
