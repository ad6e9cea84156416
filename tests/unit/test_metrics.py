"""Metrics against confusion tables computed by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from hope_bench.files.split_score import VerdictCounts
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.metrics import (
    METRICS,
    VERDICTS,
    answer_table,
    cells,
    compute,
    count_table,
    discrimination,
    divide,
    optional,
    pair_table,
    point_metrics,
    share_right,
    verdict_counts,
)
from hope_bench.scoring.recount import Letters


def metrics(on_yes: list[int], on_no: list[int]) -> dict[str, float | None]:
    return point_metrics(np.array([on_yes, on_no]))


def test_every_verdict_at_once() -> None:
    # Present: 6 yes, 2 no, 1 unparsed, 1 error (10 asked), 3 unasked. Absent: 3 yes, 4 no, 2 unparsed, 1 error (10), 5 unasked.
    found = metrics([6, 2, 1, 1, 3], [3, 4, 2, 1, 5])
    expected = {
        "accuracy": (6 + 4) / 20,
        "balanced_accuracy": (0.6 + 0.4) / 2,
        "precision": 6 / 9,  # unparsed and error on an absent object are no false positives
        "recall": 6 / 10,  # but misses on a present one
        "f1": 12 / (12 + 3 + 4),
        "specificity": 4 / 10,  # and wrong on an absent one
        "hallucination_rate": 3 / 10,
        "yes_ratio": 9 / 20,
        # answered yes 9, no 6, neither 5; 10 should have been yes and 10 no; 10 of 20 are right
        "mcc": (10 * 20 - 9 * 10 - 6 * 10) / math.sqrt((400 - 81 - 36 - 25) * (400 - 100 - 100)),
    }
    assert found == {name: pytest.approx(value, abs=1e-6) for name, value in expected.items()}
    assert list(found) == list(METRICS)


@pytest.mark.parametrize(
    ("on_yes", "on_no", "expected"),
    [
        # always yes: no drop in precision can show it, its hallucination rate does
        ([5, 0, 0, 0, 0], [5, 0, 0, 0, 0], (0.5, 0.5, 0.5, 1, 2 / 3, 0, 1, 1, None)),
        # always no: precision is undefined, F1 is 0
        ([0, 5, 0, 0, 0], [0, 5, 0, 0, 0], (0.5, 0.5, None, 0, 0, 1, 0, 0, None)),
        # all errors: wrong everywhere, but not a single hallucination
        ([0, 0, 0, 5, 0], [0, 0, 0, 5, 0], (0, 0, None, 0, 0, 0, 0, 0, None)),
        ([0, 0, 5, 0, 0], [0, 0, 5, 0, 0], (0, 0, None, 0, 0, 0, 0, 0, None)),
        # nothing asked: nothing defined
        ([0, 0, 0, 0, 5], [0, 0, 0, 0, 5], (None,) * 9),
        # no questions about absent objects
        ([3, 1, 0, 0, 0], [0, 0, 0, 0, 9], (0.75, None, 1, 0.75, 6 / 7, None, None, 0.75, None)),
        # one question of each label
        ([1, 0, 0, 0, 0], [0, 1, 0, 0, 0], (1, 1, 1, 1, 1, 1, 0, 0.5, 1)),
        ([0, 1, 0, 0, 0], [1, 0, 0, 0, 0], (0, 0, 0, 0, 0, 0, 1, 0.5, -1)),
        # no questions about present objects
        ([0, 0, 0, 0, 9], [1, 3, 0, 0, 0], (0.75, None, 0, None, None, 0.75, 0.25, 0.25, None)),
    ],
)
def test_corners(on_yes: list[int], on_no: list[int], expected: tuple[float | None, ...]) -> None:
    assert list(metrics(on_yes, on_no).values()) == [None if v is None else pytest.approx(v, abs=1e-6) for v in expected]


def test_many_tables_at_once_are_each_table_alone() -> None:
    tables = np.random.default_rng(0).integers(0, 4, size=(3, 50, 2, len(VERDICTS)))
    together = compute(tables)
    for index in np.ndindex(3, 50):
        for name, value in point_metrics(tables[index]).items():
            found = together[name][index]
            assert math.isnan(found) if value is None else found == pytest.approx(value, abs=1e-6)


def test_packed_letters_are_counted_by_image() -> None:
    table = count_table("ynynyn", "yyu-en", (2, 0, 4))
    assert table.shape == (3, 2, 5)
    assert table[0].tolist() == [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    assert table[1].sum() == 0
    assert verdict_counts(table[2][0]) == VerdictCounts(unparsed=1, error=1)
    assert verdict_counts(table[2][1]) == VerdictCounts(unasked=1, no=1)
    assert count_table("", "", ()).shape == (0, 2, 5)


def test_pairs_are_right_only_together_and_count_only_when_both_were_asked() -> None:
    # Image 1: both right; false description affirmed. Image 2: none. Image 3: twin denied; false one never asked; both right.
    pairs = pair_table(Letters("twin", "nynynynyny", "nyyynn-yny", (4, 0, 6)))
    assert pairs.tolist() == [[[1, 2]], [[0, 0]], [[1, 2]]]
    assert float(discrimination(pairs.sum(axis=0))) == 2 / 4
    drawn = Letters("twin", "ny", "ny", (2,), further_verdicts=("yy", "nn", "ny"))
    assert pair_table(drawn)[:, 0].tolist() == [[2, 4]], "both right in one sample"
    assert np.isnan(discrimination(pairs[1]))


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=lambda one: one.name)
def test_every_metric_answer_by_answer(convention: Convention) -> None:
    """Random tables counted one answer at a time, as the convention's `unread` says."""
    rng = np.random.default_rng(2)
    for table in rng.integers(0, 4, (20, 2, 5)) * (rng.random((20, 2, 5)) < 0.7):
        answers = [
            (label, verdict)
            for label, row in zip(("yes", "no"), table, strict=True)
            for verdict, count in zip(VERDICTS, row, strict=True)
            for _ in range(count)
            if verdict != "unasked" and (convention.unread != "nowhere" or verdict in ("yes", "no"))
        ]
        read = [(label, verdict) for label, verdict in answers if verdict in ("yes", "no")]
        recalled = read if convention.unread == "not in recall" else answers
        pairs = Counter(answers)
        hits, alarms = pairs["yes", "yes"], pairs["no", "yes"]
        positives, negatives = (sum(one == label for one, _ in answers) for label in ("yes", "no"))
        own = sum(label == "yes" for label, _ in recalled)
        said = positives if convention.gold_yes_ratio else hits + alarms

        def share(above: float, below: float) -> float | None:
            return above / below if below else None

        recall, specificity = share(hits, own), share(pairs["no", "no"], negatives)
        expected = {
            "accuracy": share(hits + pairs["no", "no"], len(answers)),
            "balanced_accuracy": None if recall is None or specificity is None else (recall + specificity) / 2,
            "precision": share(hits, hits + alarms), "recall": recall,
            "f1": share(2 * hits, hits + alarms + own) if positives else None,
            "specificity": specificity, "hallucination_rate": share(alarms, negatives), "yes_ratio": share(said, len(answers)),
        }  # fmt: skip
        found = point_metrics(table, convention)
        assert {name: found[name] for name in expected} == {
            name: None if value is None else round(value, 6) for name, value in expected.items()
        }


def test_samples_are_counted_together_and_what_is_not_chosen_as_never_asked() -> None:
    split = Letters("hope", "ynny", "yn-e", (1, 3), further_verdicts=("nnu-",))
    assert answer_table(split).tolist() == [[[1, 1, 0, 0, 0], [0] * 5], [[0, 0, 0, 1, 1], [0, 2, 1, 0, 1]]]
    chosen = answer_table(split, np.array([True, False, True, True]))
    assert chosen.tolist() == [[[1, 1, 0, 0, 0], [0] * 5], [[0, 0, 0, 1, 1], [0, 0, 1, 0, 3]]]
    right, asked = share_right(split)
    assert (right.tolist(), asked.tolist()) == ([0.5, 1, 0, 0], [True, True, False, False])
    assert cells("ynyn", "yn-e").tolist() == [0, 6, 4, 8]


def test_quotients_and_numbers_as_results_hold_them() -> None:
    assert divide(np.array([[1.0], [2.0]]), np.array([4.0, 0.0, -1.0, 0.5])).tolist() == [
        [0.25, pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), 2],
        [0.5, pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), 4],
    ]
    assert (optional(0.12345678), optional(math.nan)) == (0.123457, None)
