"""Numbers over several splits, from their letters alone."""

from __future__ import annotations

import numpy as np
import pytest

from hope_bench.files.result import Bootstrap
from hope_bench.scoring.intervals import bootstrap_of
from hope_bench.scoring.probability import Evidence
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
