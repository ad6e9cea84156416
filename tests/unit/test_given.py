"""Objects that are given in Python: their card and identity, what they may answer, and a model that is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from hope_bench.adapters.base import AdapterReport, RawAnswer, encodes_elsewhere, reads_words
from hope_bench.adapters.checked import checked_answers
from hope_bench.adapters.given import GivenObject, card_of
from hope_bench.adapters.kept import Kept
from hope_bench.errors import HopeBenchError


def test_what_is_given_in_python_has_a_card_and_an_identity() -> None:
    model = SimpleNamespace(config=SimpleNamespace(_name_or_path="org/it/", model_type="llava"))
    made = card_of(model, batch_size=3)
    assert (made.name, made.checkpoint, made.family, made.batch_size) == ("it", "it", "llava", 3)
    assert card_of(model, "n" * 150).name == "n" * 100
    assert card_of(object()).name == "object"
    with pytest.raises(HopeBenchError, match=r"^dtype, device would have no effect"):
        card_of(model, device="cpu", dtype="float32")
    said: list[str] = []

    class Mine:
        identity: Any = "2"

    where = f"{__name__}.{Mine.__qualname__}"
    assert GivenObject(Mine(), said.append).info.identity == f"{where} 2"
    assert GivenObject(Mine(), said.append, identity="3").info.said == "3"
    assert said == []
    Mine.identity = None
    assert GivenObject(Mine(), said.append).info.identity == where
    assert len(said) == 1
    for wrong in (7, ""):
        Mine.identity = wrong
        with pytest.raises(HopeBenchError, match="not a text that says which model it is"):
            GivenObject(Mine())


def test_what_an_adapter_can_besides_answering() -> None:
    both = cast(Any, SimpleNamespace(read_words=1, elsewhere=2))
    assert (reads_words(both), encodes_elsewhere(both)) == (both, both)
    neither = cast(Any, SimpleNamespace())
    assert (reads_words(neither), encodes_elsewhere(neither)) == (None, None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes", RawAnswer("Yes")),
        ("", RawAnswer("")),
        (RawAnswer("No", 0, np.float32(1)), RawAnswer("No", 0.0, 1.0)),
        (RawAnswer("No", True, None), RawAnswer("No", 1.0)),
        (RawAnswer(error="broke"), RawAnswer(error="broke")),
        (RawAnswer("<think>hm</think>No", 0.5, 0.5, False), RawAnswer("No", None, None, False)),
        ("<think>hm", RawAnswer(error="the text ends within the model's thought, without an answer")),
        (None, "gave nothing (None) as an answer, not a text or a RawAnswer."),
        (7, "gave a int as an answer, not a text or a RawAnswer."),
        (RawAnswer(), "gave a RawAnswer with neither text nor error."),
        (RawAnswer(cast(str, 7)), "gave text = 7, which is not a text or None."),
        (RawAnswer("x", error=cast(str, 7)), "gave error = 7, which is not a text or None."),
        (RawAnswer("x", complete=cast(bool, 1)), "gave complete = 1, which is not True or False."),
        (RawAnswer("x", cast(float, "1")), "gave p_yes = '1', which is not a number but a str."),
        (RawAnswer("x", 1.01), "gave p_yes = 1.01, which is not in [0, 1]."),
        (RawAnswer("x", 1.0, -0.01), "gave mass = -0.01, which is not in [0, 1]."),
        (RawAnswer("x", float("nan")), "gave p_yes = nan, which is not in [0, 1]."),
    ],
)
def test_what_an_object_answers(said: Any, expected: RawAnswer | str) -> None:
    asked = SimpleNamespace(answer=lambda _: (said,))
    batch = [(Image.new("RGB", (1, 1)), "q")]
    if isinstance(expected, RawAnswer):
        (found,) = checked_answers(asked, batch, "Mine")
        assert found == expected
        assert all(one is None or type(one) is float for one in (found.p_yes, found.mass))
        return
    with pytest.raises(HopeBenchError) as refused:
        checked_answers(asked, batch, "Mine")
    assert str(refused.value) == f"Mine.answer() {expected}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Yes", "gave a str, not a list of answers."),
        (None, "gave nothing (None), not a list of answers."),
        ([], "gave 0 answers to 1 question, so which belongs to which is unknown."),
        (["a", "b"], "gave 2 answers to 1 question, so which belongs to which is unknown."),
    ],
)
def test_answers_that_are_no_list_of_one_each(said: Any, words: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        checked_answers(SimpleNamespace(answer=lambda _: said), [(Image.new("RGB", (1, 1)), "q")], "Mine")
    assert str(refused.value) == f"Mine.answer() {words}"


def test_a_kept_model_reports_what_each_run_used() -> None:
    model = SimpleNamespace(report=AdapterReport(), loads=0, info="i", odd="o")
    model.load = lambda: setattr(model, "loads", model.loads + 1)
    model.answer = lambda *given: given
    kept = Kept(cast(Any, model))
    kept.load()
    kept.load()
    assert (model.loads, kept.info, kept.odd) == (1, "i", "o")
    assert kept.report == AdapterReport()
    model.report = AdapterReport("shared", input_tokens=10, output_tokens=3, cost=0.5)
    assert kept.report == model.report
    kept.new_run()
    model.report = AdapterReport("plain", input_tokens=17, output_tokens=3, cost=0.7)
    assert kept.report == AdapterReport("plain", input_tokens=7, output_tokens=0, cost=0.2)
    batch: Any = ["batch"]
    assert (kept.answer(batch), kept.answer(batch, [1])) == ((batch,), (batch, [1]))  # type: ignore[comparison-overlap]
