"""What a card says of the server that answers for it: addresses, keys, and which model that is. No client is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.endpoint_asks import thinks
from hope_bench.adapters.secrets import secret_of
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """The servers of a card and what opens them: each one's address and host, the key, and the headers of every request."""

    urls: tuple[str, ...]
    hosts: tuple[str, ...]
    key: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def find_access(card: ModelCard) -> Access:
    """Check the addresses and find the keys, in the environment only. Raises HopeBenchError."""
    urls = addresses(card)
    if not urls:
        raise HopeBenchError(f'The card {card.name} has adapter = "endpoint" and no base_url (such as http://host:8000/v1).')
    hosts = tuple(_checked_host(card, "base_url", url) for url in urls)
    if card.image_url_base is not None:
        _checked_host(card, "image_url_base", card.image_url_base)
    key = secret_of(card.api_key_env)
    headers = {}
    for name, variable in card.extra_headers.items():
        value = secret_of(variable)
        if value is None:
            raise HopeBenchError(f"Set the environment variable {variable} to the value of the header {name} (card {card.name}).")
        headers[name] = value
    if key is None and not headers and any(host not in LOCAL for host in hosts):
        raise HopeBenchError(f"Set the environment variable {card.api_key_env} to the endpoint's key (cards never hold keys).")
    return Access(urls, hosts, key, headers)


def endpoint_info(card: ModelCard) -> AdapterInfo:
    """What a card calls the model, and where it is; nothing is known of its weights. Servers come and go: another address is no
    other model, another `revision` is."""
    images = (card.image_url_base or "").rstrip("/")
    named = card.checkpoint if card.revision is None else f"{card.checkpoint}@{card.revision}"
    identity = f"{named}, images from {images}" if images else named
    where = addresses(card)
    return AdapterInfo("endpoint", identity, card.revision, None, "the server's", "endpoint", "endpoint", where, thinks(card))


def served_by(card: ModelCard) -> str:
    """What runs the checkpoint of a card with `server`, apart from what runs one in this process."""
    return "transformers-serve" if card.server == "transformers" else card.server or ""


def served_dtype(card: ModelCard) -> str:
    """The number format of a card with `server`, which is the server's choice unless the card says it."""
    return "the server's" if card.dtype == "auto" else card.dtype


def addresses(card: ModelCard) -> tuple[str, ...]:
    """A card's servers, in the card's order."""
    named = card.base_urls or (() if card.base_url is None else (card.base_url,))
    return tuple(url.rstrip("/") for url in named)


def _checked_host(card: ModelCard, key: str, url: str) -> str:
    """The host. Raises HopeBenchError for what is no web address, or would carry a secret into files."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    secret = parts.username or parts.password or parts.query or parts.fragment
    if port == 0 or parts.scheme not in ("http", "https") or not parts.hostname or secret:
        raise HopeBenchError(
            f"The {key} of the card {card.name} must be http(s)://HOST/... without a user name, a password or a query: it is "
            f"written into run.json, and keys come from the environment variable {card.api_key_env} (other queries: extra_query)."
        )
    return parts.hostname
