"""An endpoint's servers: their keys and addresses, whose turn a picture is, and which are given up."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import httpx
import openai
import pytest

from hope_bench.adapters import endpoint_places
from hope_bench.adapters.endpoint_card import find_access
from hope_bench.adapters.endpoint_failures import BadReplyError, NoAnswerError
from hope_bench.adapters.endpoint_places import Place, Places
from hope_bench.adapters.endpoint_standing import Standing
from hope_bench.errors import HopeBenchError
from tests.replies import SERVERS


def test_whose_fault_failures_are() -> None:
    standing, down, bad = Standing(), BadReplyError("x"), NoAnswerError("x")
    for count in (1, 2):
        standing.failed("a", down)
        assert (standing.in_a_row, standing.is_bad("a"), standing.proven) == (count, False, False)
    standing.blame_pictures()
    assert (standing.in_a_row, standing.is_bad("a")) == (0, True)
    standing.failed("a", down)
    assert standing.in_a_row == 0, "its fault is known"
    standing.answered("a")
    assert not standing.is_bad("a")
    standing.answered("b")
    standing.failed("a", down)
    standing.failed("c", down)
    assert (standing.in_a_row, standing.proven) == (2, False)
    standing.failed("b", down)
    assert (standing.in_a_row, standing.proven) == (3, True), "two that were answered before"
    standing.failed("d", bad)
    assert (standing.in_a_row, standing.proven) == (0, False), "a question that was refused by itself"
    standing.failed("a", down)
    standing.answered("b")
    assert (standing.in_a_row, standing.proven) == (0, False)


KEYLESS = "Set the environment variable OPENAI_API_KEY to the endpoint's key"


@pytest.mark.parametrize(
    ("key", "headers", "sent", "bearer", "secrets"),
    [
        ("kkk", {}, {}, "kkk", ("kkk",)),
        (None, {}, {}, "none", ()),
        ("kkk", {"x": "OTHER"}, {"x": "ooo"}, "kkk", ("kkk", "ooo")),
        ("kkk", {"api-key": "OPENAI_API_KEY"}, {"Authorization": None, "api-key": "kkk"}, "kkk", ("kkk",)),
        (None, {"x": "OTHER"}, {"Authorization": None, "x": "ooo"}, "none", ("ooo",)),
    ],
)
def test_a_key_is_sent_once(
    key: str | None, headers: dict[str, str], sent: dict[str, Any], bearer: str, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "ooo")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    places = Places(
        SERVERS.model_copy(update={"extra_headers": headers, "timeout": 7.0, "extra_query": {"v": "1"}}), lambda _: None
    )
    for place in places.alive:
        assert {name: None if isinstance(value, openai.Omit) else value for name, value in place.headers.items()} == sent
        assert (place.client.api_key, place.client.timeout, place.client.max_retries) == (bearer, 7.0, 0)
        assert place.client.default_query == {"v": "1"}
    assert [(place.number, place.url) for place in places.alive] == list(enumerate(SERVERS.base_urls))
    assert places.secrets == secrets
    places.close()


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"base_urls": ()}, 'The card E has adapter = "endpoint" and no base_url (such as http://host:8000/v1).'),
        ({"base_urls": ("https://h/v1",)}, f"{KEYLESS} (cards never hold keys)."),
        ({"base_urls": ("http://localhost:1", "https://h/v1")}, KEYLESS),
        ({"extra_headers": {"x": "NOWHERE"}}, "Set the environment variable NOWHERE to the value of the header x (card E)."),
        *(({"base_urls": (url,)}, "The base_url of the card E must be http(s)://HOST/... without a user name, a password")
          for url in ("ftp://h", "http://", "http://a@h", "http://:b@h", "http://h?c=d", "http://h#f",
           "http://h:0", "http://h:99999", "http://[", "h/v1")),
        ({"image_url_base": "h"}, "The image_url_base of the card E must be http(s)://HOST/..."),
        ({"base_urls": ("http://[::1]:1", "https://localhost")}, None),
        ({"base_urls": ("https://h/v1",), "extra_headers": {"x": "OTHER"}}, None),
    ],
)  # fmt: skip
def test_where_servers_are_and_what_opens_them(card: dict[str, Any], words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "ooo")
    for name in ("OPENAI_API_KEY", "NOWHERE"):
        monkeypatch.delenv(name, raising=False)
    one = SERVERS.model_copy(update=card)
    if words is None:
        assert find_access(one).urls == one.base_urls
        return
    with pytest.raises(HopeBenchError) as refused:
        find_access(one)
    assert str(refused.value).startswith(words)


def test_no_more_than_the_beginning_of_a_refusal_is_read() -> None:
    class Body(httpx.SyncByteStream):
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            for _ in range(9):
                read.append(4)
                yield b"abcd"

        def close(self) -> None:
            self.closed = True

    for most, whole, parts in (
        (10, b"abcdabcdab", 3),
        (9, b"abcdabcda", 3),
        (8, b"abcdabcd", 2),
        (1, b"a", 1),
        (99, b"abcd" * 9, 9),
    ):
        read: list[int] = []
        body = Body()
        cut = endpoint_places._beginning(body, most)
        assert (b"".join(cut), len(read)) == (whole, parts)
        cut.close()
        assert body.closed
    for error, packed, size in ((True, None, 2**18), (True, "identity", 2**18), (True, "gzip", 2**14), (False, None, None)):
        response = SimpleNamespace(is_error=error, headers={"content-encoding": packed} if packed else {}, stream=Body())
        stream = response.stream
        endpoint_places._cut_refusal(response)
        if size is None:
            assert response.stream is stream
        else:
            stream.__class__.__iter__ = lambda _: iter([b"x" * 2**19])  # type: ignore[method-assign]
            assert len(b"".join(response.stream)) == size


def test_whose_turn_a_picture_is() -> None:
    places = Places(SERVERS, lambda _: None)

    def turn(picture: str, of: Sequence[int]) -> int:
        return max(of, key=lambda number: hashlib.sha256(f"{number}\n{picture}".encode()).digest())

    pictures = [f"{place}.png" for place in range(30)]
    assert [places.of(picture).number for picture in pictures] == [turn(picture, range(3)) for picture in pictures]
    places.drop(places.alive[1])
    assert [places.of(picture).number for picture in pictures] == [turn(picture, (0, 2)) for picture in pictures]
    places.close()


def test_a_server_is_given_up_after_three_failures_if_it_lives_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    alive = {0: True, 1: False, 2: False}
    greeted: list[int] = []

    def greet(place: Place) -> None:
        greeted.append(place.number)
        if not alive[place.number]:
            raise openai.APIConnectionError(request=cast(Any, None))

    monkeypatch.setattr(Place, "greet", greet)
    places = Places(SERVERS, said.append)
    gone, about_it = openai.APIConnectionError(request=cast(Any, None)), NoAnswerError("x")
    first_, second, third = places.alive
    assert [places.lost(first_, error) for error in (gone, about_it, gone, gone, gone)] == [False] * 5
    assert (greeted, first_.failed) == ([0], 1), "it lives, and is counted anew"
    assert [places.lost(second, gone) for _ in range(4)] == [False, False, True, True]
    assert [place.number for place in places.alive] == [0, 2]
    places.lost(third, gone)
    places.answered(third)
    assert [places.lost(third, gone) for _ in range(3)] == [False, False, True]
    alive[0] = False
    assert [places.lost(first_, gone) for _ in range(5)] == [False] * 5, "the last one stays"
    assert greeted == [0, 1, 2]
    assert said == [f"http://127.0.0.1:{port} doesn't answer any more; its pictures go to the other servers." for port in (2, 3)]
    assert endpoint_places._lives(Place(0, "", cast(Any, None), {})) is False


@pytest.mark.parametrize(
    ("dropped", "elsewhere", "alive", "told"),
    [([], True, [0, 2], 1), ([1], True, [0, 2], 0), ([0], True, [2], 1), ([0, 2], False, [1], 0), ([0, 2, 1], True, [], 0)],
)
def test_a_server_is_given_up_by_whoever_is_first(
    dropped: list[int], elsewhere: bool, alive: list[int], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    places = Places(SERVERS, said.append)
    every, gone = places.alive, openai.APIConnectionError(request=cast(Any, None))

    def greet(_: Place) -> None:
        for number in dropped:  # by another thread, meanwhile
            places.drop(every[number])
        raise gone

    monkeypatch.setattr(Place, "greet", greet)
    assert [places.lost(every[1], gone) for _ in range(3)] == [False, False, elsewhere]
    assert ([place.number for place in places.alive], len(said)) == (alive, told)
    assert places.lost(every[1], gone) == elsewhere, "it is asked no more"


def test_what_is_on_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "DefaultHttpxClient", lambda **how: how)
    plain, secure, far = (
        endpoint_places._http_client(f"{scheme}://{host}/v1", host)
        for scheme, host in (("http", "localhost"), ("https", "127.0.0.1"), ("https", "h"))
    )
    assert [how.pop("event_hooks") for how in (plain, secure, far)] == [{"response": [endpoint_places._cut_refusal]}] * 3
    context = plain.pop("verify")
    assert (plain, context.verify_mode, context.get_ca_certs()) == ({"trust_env": False}, ssl.CERT_REQUIRED, [])
    assert (secure, far) == ({"trust_env": False, "verify": True}, {})
