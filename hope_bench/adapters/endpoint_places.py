"""Where a card's servers are, what opens them, and which of them is asked about which picture."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import openai

from hope_bench.adapters.endpoint_card import LOCAL, find_access
from hope_bench.adapters.endpoint_errors import LARGEST_REFUSAL
from hope_bench.adapters.endpoint_failures import FAILURES, BadReplyError, is_gone
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.card import ModelCard

_SIGN_OF_LIFE = 10.0
"""Seconds to wait for one."""
_LOST = 3
"""Failures in a row after which a server's work goes to the others."""


def _cut_refusal(response: Any) -> None:
    """Let no more than the beginning of an error's body be read, which the client reads before anybody can look at it."""
    if response.is_error:
        packed = response.headers.get("content-encoding", "identity") != "identity"  # may unfold to a thousand times its size
        response.stream = _beginning(response.stream, LARGEST_REFUSAL // 16 if packed else LARGEST_REFUSAL)


def _beginning(body: Any, most: int) -> Any:
    """A stream of at most so many bytes, of the kind that this version of the client takes (httpx's or httpx2's)."""
    kind: Any = next(one for one in type(body).__mro__ if one.__name__ == "SyncByteStream")

    class Beginning(kind):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            left = most
            for part in body:
                yield part[:left]
                left -= len(part)
                if left <= 0:
                    return

        def close(self) -> None:
            body.close()

    return Beginning()


_HOOKS = {"response": [_cut_refusal]}


@dataclass(slots=True)
class Place:
    """One server: its place among the card's, its address, a client for it, the headers of every request, and how many requests
    failed in a row as if it were gone."""

    number: int
    url: str
    client: openai.OpenAI = field(repr=False)
    headers: Mapping[str, Any] = field(repr=False)
    failed: int = 0

    def greet(self) -> None:
        """Ask which models it has, and leave the list unread. Raises one of `FAILURES` where it doesn't say."""
        try:
            with self.client.models.with_streaming_response.list(timeout=_SIGN_OF_LIFE, extra_headers=self.headers):
                pass
        except FAILURES:
            raise
        except Exception as error:  # noqa: BLE001 - a refusal that is cut off or badly packed is the HTTP client's own error
            raise BadReplyError(f"the reply can't be read: {short_reason(error)}") from None


class Places:
    """The servers of one model. Each picture's questions go to one of them, chosen by a hash of the picture and of the server's
    place in the card, so that a server that keeps prefixes computes it once, on whatever port it is today; the pictures of one
    that is lost are dealt among the others."""

    def __init__(self, card: ModelCard, say: Callable[[str], None]) -> None:
        """Check the addresses and find the keys, in the environment only. Raises HopeBenchError."""
        access = find_access(card)
        key, headers = access.key, access.headers
        self.secrets = tuple(dict.fromkeys(value for value in (key, *headers.values()) if value))
        # A key that a header of its own carries isn't sent a second time.
        in_header = card.api_key_env in card.extra_headers.values() or (key is None and bool(headers))
        sent: dict[str, Any] = {"Authorization": openai.Omit()} if in_header else {}
        sent |= headers
        self._say = say
        self._lock = threading.Lock()
        self._alive = [
            Place(number, url, _client(card, url, host, key), sent)
            for number, (url, host) in enumerate(zip(access.urls, access.hosts, strict=True))
        ]

    @property
    def alive(self) -> list[Place]:
        """Those that are asked."""
        with self._lock:
            return list(self._alive)

    def of(self, picture: str) -> Place:
        """The server whose turn a picture is: the same one as long as it lives, whichever others there are."""
        return max(self.alive, key=lambda place: hashlib.sha256(f"{place.number}\n{picture}".encode()).digest())

    def answered(self, place: Place) -> None:
        """A server lives."""
        place.failed = 0

    def lost(self, place: Place, error: BaseException) -> bool:
        """Whether a failed request had better be sent to another server; gives a server up that failed some times in a row, and
        doesn't even list its models: a picture that makes it fail is no reason."""
        if not is_gone(error):
            return False
        with self._lock:
            place.failed += 1
            if place not in self._alive:
                return True
            if place.failed < _LOST or len(self._alive) == 1:
                return False
        if _lives(place):
            place.failed = 0
            return False
        with self._lock:
            if place not in self._alive or len(self._alive) == 1:
                return place not in self._alive
            self._alive.remove(place)
        self._say(f"{place.url} doesn't answer any more; its pictures go to the other servers.")
        return True

    def drop(self, place: Place) -> None:
        """Ask a server nothing."""
        with self._lock:
            self._alive.remove(place)

    def close(self) -> None:
        """Close all connections."""
        for place in self.alive:
            place.client.close()


def _client(card: ModelCard, url: str, host: str, key: str | None) -> openai.OpenAI:
    """What asks the server at `url`. Raises HopeBenchError where the address, or a proxy's of the environment, can't be used."""
    try:
        return openai.OpenAI(
            base_url=url, api_key=key or "none", timeout=card.timeout, max_retries=0, default_query=dict(card.extra_query),
            http_client=_http_client(url, host),
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the HTTP client's own errors have no common kind
        # What else it says may repeat a proxy's password.
        why = short_reason(error) if isinstance(error, ImportError) else type(error).__name__
        raise HopeBenchError(
            f"The base_url {url!r} of the card {card.name} can't be asked ({why}). Correct it, or the environment's proxies "
            "(HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)."
        ) from None


def _http_client(url: str, host: str) -> Any:
    """What is on this machine is reached without a proxy, and without reading the system's certificates (30 ms) if no certificate
    is shown there: none is trusted then."""
    if host not in LOCAL:
        return openai.DefaultHttpxClient(event_hooks=_HOOKS)
    certificates: Any = True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return openai.DefaultHttpxClient(trust_env=False, verify=certificates, event_hooks=_HOOKS)


def _lives(place: Place) -> bool:
    try:
        place.greet()
    except FAILURES as error:
        return not is_gone(error)
    return True
