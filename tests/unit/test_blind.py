"""Which questions a blind way answers right, as the wall of questions shows it."""

from __future__ import annotations

import base64
import itertools

import pytest

from hope_bench.files.split_score import Blind
from hope_bench.scoring.blind import answered_right


def blind(levels: bytes | None, balanced_accuracy: float | None) -> Blind:
    said = None if levels is None else base64.b64encode(levels).decode()
    numbers = dict.fromkeys(("accuracy", "precision", "recall", "f1", "hallucination_rate"))
    return Blind(name="words", balanced_accuracy=balanced_accuracy, levels=said, **numbers)


@pytest.mark.parametrize(("balanced_accuracy", "other_way"), [(0.75, False), (0.5, False), (0.499, True), (0.0, True)])
def test_what_is_answered_right(balanced_accuracy: float, other_way: bool) -> None:
    asked = list(itertools.product((0, 127, 128, 255), "yn"))
    found = answered_right(blind(bytes(level for level, _ in asked), balanced_accuracy), "".join(label for _, label in asked))
    assert found is not None
    assert found.tolist() == [((level > 127) == (label == "y")) != other_way for level, label in asked]


def test_nothing_is_known_without_answers_or_a_balanced_accuracy() -> None:
    assert answered_right(blind(None, 0.75), "yn") is None
    assert answered_right(blind(b"\x00\xff", None), "yn") is None
