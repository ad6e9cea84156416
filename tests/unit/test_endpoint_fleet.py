"""Who is asked when servers fail: an endpoint of several, each step with servers that are made up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import openai
import pytest
from PIL import Image

from hope_bench.adapters import endpoint
from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_failures import BadReplyError, NoAnswerError
from hope_bench.adapters.endpoint_places import Place
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard

GONE = openai.APIConnectionError(request=cast(Any, None))
KEY = openai.AuthenticationError(
    "no such key", response=cast(Any, SimpleNamespace(request=None, status_code=401, headers={})), body=None
)
PICTURE = Image.new("RGB", (1, 1))


def made(said: list[str], monkeypatch: pytest.MonkeyPatch, asks: Callable[[str], RawAnswer], **card: Any) -> Endpoint:
    """An endpoint whose questions go to `asks`, by the picture that they are about (its own: "plain")."""
    fields = {"base_urls": ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"), "attempts": 1, "concurrency": 1, **card}
    model = Endpoint(ModelCard(name="m", checkpoint="it", adapter="endpoint", **fields), said.append)
    plain = endpoint._short(endpoint.picture_url(endpoint.plain_picture(), model._card))

    def ask_somewhere(picture: str, messages: Any, _: int) -> RawAnswer:
        assert messages[0]["role"] == "user"
        return asks("plain" if picture == plain else picture)

    monkeypatch.setattr(model, "_ask_somewhere", ask_somewhere)
    return model


@pytest.mark.parametrize(
    ("error", "concurrency", "plain", "enough", "stops"),
    [
        (KEY, 9, None, 5, True),
        (GONE, 1, GONE, 5, True),
        (GONE, 7, GONE, 7, True),
        (GONE, 1, None, 5, False),
        (GONE, 1, NoAnswerError("x"), 5, False),
        (NoAnswerError("x"), 1, None, 99, False),
    ],
    ids=["certain", "gone", "gone, many at once", "plain picture is answered", "plain picture is refused", "of one picture"],
)
def test_how_many_failures_in_a_row_end_a_run(
    error: Exception, concurrency: int, plain: Any, enough: int, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, asked = list[str](), list[str]()

    def asks(picture: str) -> RawAnswer:
        asked.append(picture)
        if picture != "plain" or plain is not None:
            raise plain if picture == "plain" else error
        return RawAnswer("Yes")

    model = made(said, monkeypatch, asks, concurrency=concurrency)
    for place in range(10):
        answer = model._answer_one(f"{place}.png", "url", "q?", 0)
        assert answer.text is None
        assert model._stop.is_set() == (stops and place >= enough - 1)
        assert (answer.error or "").startswith("not asked: " if stops and place >= enough else "the endpoint failed: ")
    assert asked.count("plain") == (0 if error is KEY or enough == 99 else 1 if stops else asked.count("plain"))
    assert len(asked) - asked.count("plain") == (enough if stops else 10)
    if stops:
        assert model._why.startswith(f"{enough} questions in a row were not answered (the endpoint failed: ")
        ending = "Nothing further is asked; what is left are errors, which the same command asks again."
        assert said == [f"{model._why} {ending}"]
    else:
        assert said == []
    model.close()


def test_an_answer_counts_failures_anew_and_is_tried_as_often_as_the_card_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said, left = list[str](), [4, 4, 2, 9]

    def asks(_: str) -> RawAnswer:
        left[0] -= 1
        if left[0] >= 0:
            raise GONE
        left.pop(0)
        return RawAnswer("Yes")

    monkeypatch.setattr(endpoint, "pause", lambda _: 0.0)
    model = made(said, monkeypatch, asks)
    for count in (4, 4):
        for _ in range(count):
            assert model._answer_one("a.png", "url", "q?", 0).text is None
        assert model._answer_one("b.png", "url", "q?", 0).text == "Yes"
    assert not model._stop.is_set()
    again = made(said, monkeypatch, asks, attempts=3)
    assert again._answer_one("c.png", "url", "q?", 0).text == "Yes"
    assert said == ["The endpoint fails (APIConnectionError); such questions are tried again."]
    error = again._answer_one("d.png", "url", "q?", 0).error or ""
    assert error.startswith("the endpoint failed after 3 attempts: ")
    assert not error.endswith("."), "nothing else is advised"
    assert left == [6], "three more were asked"
    again._standing.blame_pictures()
    assert (again._answer_one("d.png", "url", "q?", 0).error or "").startswith("the endpoint failed: ")
    assert left == [5], "a picture that is to blame is tried once"
    twice = made(said, monkeypatch, asks, attempts=2)
    assert (twice._answer_one("e.png", "url", "q?", 0).error or "").startswith("the endpoint failed after 2 attempts: ")
    for one in (model, again, twice):
        one.close()


def test_what_can_be_done_stands_behind_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reply: Any = SimpleNamespace(request=None, status_code=413, headers={})

    def asks(_: str) -> RawAnswer:
        raise openai.APIStatusError("too much", response=reply, body=None)

    model = made([], monkeypatch, asks)
    error = model._answer_one("a.png", "url", "q?", 0).error or ""
    assert error.startswith("the endpoint failed: ")
    assert error.endswith('. The picture is too large for this server: set image_format = "jpeg" or image_max_side in the card.')
    model.close()


def test_a_lost_servers_pictures_go_to_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said, asked, answered = list[str](), list[int](), list[int]()
    fields = {"base_urls": ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")}
    model = Endpoint(ModelCard(name="m", checkpoint="it", adapter="endpoint", **fields), said.append)  # type: ignore[arg-type]
    first = model._places.of("a.png").number

    def ask(place: Place, messages: Any, seed: int) -> RawAnswer:
        assert (messages, seed) == ("messages", 5)
        asked.append(place.number)
        if place.number == first:
            raise GONE
        return RawAnswer("Yes")

    def lost(place: Place, _: Exception) -> bool:
        if asked.count(first) < 2:
            return False
        model._places.drop(place)
        return True

    monkeypatch.setattr(model, "_ask", ask)
    monkeypatch.setattr(model._places, "lost", lost)
    monkeypatch.setattr(model._places, "answered", lambda place: answered.append(place.number))
    with pytest.raises(openai.APIConnectionError):
        model._ask_somewhere("a.png", cast(Any, "messages"), 5)
    assert model._ask_somewhere("a.png", cast(Any, "messages"), 5) == RawAnswer("Yes")
    assert (asked, answered) == ([first, first, 1 - first], [1 - first])
    model._stop.set()
    monkeypatch.setattr(model, "_ask", lambda *_: (_ for _ in ()).throw(GONE))
    with pytest.raises(openai.APIConnectionError):
        model._ask_somewhere("a.png", cast(Any, "messages"), 5)
    model.close()


@pytest.mark.parametrize(
    ("errors", "left", "words", "said"),
    [
        ([None, None], [0, 1], None, 0),
        ([openai.APITimeoutError(cast(Any, None)), KEY], [0, 1], None, 0),
        ([GONE, None], [1], None, 1),
        ([None, GONE], [0], None, 1),
        ([GONE, GONE], [1], "Nothing answers at http://127.0.0.1:2/v1", 1),
        ([BadReplyError("x"), GONE], [0], None, 1),
    ],
)
def test_servers_that_are_not_there_are_dropped_before_anything_is_asked(
    errors: list[Any], left: list[int], words: str | None, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def greet(place: Place) -> None:
        if errors[place.number] is not None:
            raise errors[place.number]

    monkeypatch.setattr(Place, "greet", greet)
    model = made(lines, monkeypatch, lambda _: RawAnswer())
    if words is None:
        model.load()
    else:
        with pytest.raises(HopeBenchError) as refused:
            model.load()
        assert str(refused.value).startswith(words)
        assert str(refused.value).endswith(". Start the server, or correct the card's base_url.")
    assert [place.number for place in model._places.alive] == left
    assert len(lines) == said
    assert all(line.endswith(". The other servers are asked.") for line in lines)
    model.close()
