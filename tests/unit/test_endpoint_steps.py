"""An endpoint's questions without a server: their order, what is kept of refusals, and what a reply answers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest
from PIL import Image

from hope_bench.adapters import endpoint
from hope_bench.adapters.base import AdapterReport, RawAnswer, draw_seed
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_failures import NoAnswerError
from hope_bench.adapters.endpoint_picture import picture_url
from hope_bench.adapters.endpoint_refusals import NO_LOGPROBS, Adaptation
from hope_bench.adapters.endpoint_reply import Reply
from hope_bench.errors import HopeBenchError
from tests.replies import SERVERS


def test_one_question_of_every_image_goes_first() -> None:
    assert endpoint._first_ones_first([7, 7, 8, 7, 9, 8]) == [0, 2, 4, 1, 3, 5]
    assert endpoint._first_ones_first([]) == []
    begun: list[int] = []

    def work(place: int) -> RawAnswer:
        begun.append(place)
        assert threading.current_thread().daemon, "nobody waits for it at the end of Python"
        return RawAnswer(str(place))

    order = [2, 0, 1]
    assert endpoint._side_by_side(work, order, 1) == {place: RawAnswer(str(place)) for place in order}
    assert begun == order
    barrier = threading.Barrier(3)

    def meet(place: int) -> RawAnswer:
        barrier.wait(30)
        return RawAnswer(str(place))

    assert len(endpoint._side_by_side(meet, order, 3)) == 3
    assert endpoint._side_by_side(work, [], 3) == {}

    def fail(_: int) -> RawAnswer:
        raise HopeBenchError("gone")

    with pytest.raises(HopeBenchError, match="gone"):
        endpoint._side_by_side(fail, order, 2)


def test_what_helped_is_kept_and_said_once() -> None:
    said: list[str] = []
    model = Endpoint(SERVERS, said.append)
    cold = Adaptation("temperature", {"temperature": None}, "No temperature.")
    renamed = Adaptation("max_tokens", {"max_tokens": None}, "Renamed.")
    model._keep({"temperature": cold, "max_tokens": renamed})
    model._keep({"temperature": cold, "max_tokens": renamed})
    assert said == ["No temperature."]
    assert model._kept == {"temperature": cold, "max_tokens": renamed}
    assert model.report == AdapterReport(input_tokens=0, output_tokens=0, cost=0.0, notes=("No temperature.", "Renamed."))
    seed = Adaptation("seed", {"seed": None}, "No seed.")
    model._keep({"temperature": cold, "max_tokens": renamed, "seed": seed})
    assert said[1:] == ["For some questions alone: No seed."]
    assert "seed" not in model._kept
    model._keep({"seed": seed})
    model._keep({"temperature": cold, "seed": seed})
    assert (list(model._kept), said[2:]) == (["temperature", "max_tokens"], []), "it has been taken once"
    model._count(1_000_000, 100_001)
    model._count(1, 0)
    assert (model.report.input_tokens, model.report.output_tokens, model.report.cost) == (1_000_001, 100_001, 3.000012)
    cheap = Endpoint(SERVERS.model_copy(update={"price_input": 0.15, "price_output": 0.6}))
    cheap._count(7, 1)
    assert cheap.report.cost == 0.000002
    cheap.close()
    model.give_up("why")
    model.give_up("another why")
    assert model.answer([(Image.new("RGB", (1, 1)), "q")] * 2) == [RawAnswer(error="not asked: why")] * 2
    model.close()


@pytest.mark.parametrize(
    ("reply", "asked", "answer", "notes"),
    [
        (Reply(" Yes ", False, False, "done", (("Yes", 0.0),)), True, RawAnswer("Yes", 1.0, 1.0), ()),
        (Reply("Yes", False, False, "done", (("Yes", 0.0),)), False, RawAnswer("Yes"), ()),
        (Reply("Yes", False, True, "done", (("Yes", 0.0),)), True, RawAnswer("Yes"), ()),
        (Reply("<think>hm</think>Yes", False, False, "done", (("Yes", 0.0),)), True, RawAnswer("Yes"), ()),
        (Reply("Yes", False, False, "done", None), True, RawAnswer("Yes"), (NO_LOGPROBS,)),
        (Reply(" ", False, False, "done", None), True, RawAnswer(""), ()),
        (Reply("Yes", False, False, "done", ()), True, RawAnswer("Yes", None, 0.0), ()),
    ],
)
def test_what_a_reply_answers(reply: Reply, asked: bool, answer: RawAnswer, notes: tuple[str, ...]) -> None:
    card = SERVERS.model_copy(update={"thinking": "auto", "sampling": None, "seed": 0})
    said: list[str] = []
    model = Endpoint(card, said.append)
    assert model._answer_of(reply, {"logprobs": True} if asked else {}) == answer
    assert (model.report.notes, tuple(said)) == (notes, notes)
    model.close()


def test_a_thought_that_was_cut_off_is_no_answer_unless_it_was_told_apart() -> None:
    model = Endpoint(SERVERS)
    for ended in ("done", "cut off"):
        reply = Reply("<think>hm", False, False, cast(Any, ended), None)
        with pytest.raises(NoAnswerError):
            model._answer_of(reply, {})
    assert model._answer_of(Reply("Yes", True, True, "done", None), {}) == RawAnswer("Yes")
    model.close()


@pytest.mark.parametrize("samples", [(), (1, 2, 3)])
def test_what_is_asked_of_each_question(samples: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (2, 2))
    one.info["file_name"] = "a.png"
    model = Endpoint(SERVERS)
    urls = [picture_url(image, SERVERS) for image in (one, other)]
    monkeypatch.setattr(model, "_answer_one", lambda *asked: RawAnswer(repr(asked)))
    found = model.answer([(one, "q"), (other, "r"), (one, "s")], samples)
    hashed = hashlib.sha256(urls[1].encode()).hexdigest()
    named = [("a.png", urls[0], "q", "a.png"), (hashed, urls[1], "r", "None"), ("a.png", urls[0], "s", "a.png")]
    assert found == [
        RawAnswer(repr((picture, url, prompt, draw_seed(5, name, prompt, samples[place] if samples else 0))))
        for place, (picture, url, prompt, name) in enumerate(named)
    ]
    model.close()
