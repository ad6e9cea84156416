"""Keys: taken from the environment as a header can hold them, and blotted out of every text that somebody else wrote."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable
from functools import lru_cache

from hope_bench.errors import HopeBenchError

BLOT = "***"
_LEAST = 6
"""Characters of a key: shorter ones, such as "none" and "EMPTY", are for servers that want none, and words of answers."""
_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_LEAST_UNNAMED = 8
_BROKEN = r"(?:\s|\\[nr]){0,2}"
"""Where base64 may be broken into lines: between any two of its characters."""


def secret_of(variable: str) -> str | None:
    """An environment variable's value; None where it is empty. Raises HopeBenchError for what no header can hold."""
    value = os.environ.get(variable, "").strip()  # a key read from a file ends in a line break
    if not value.isascii() or not value.isprintable():
        raise HopeBenchError(f"The environment variable {variable} holds characters that no key or header has. Set it again.")
    return value or None


def environment_secrets() -> tuple[str, ...]:
    """What the environment holds under names such as OPENAI_API_KEY and HF_TOKEN."""
    named = (value.strip() for name, value in os.environ.items() if _VARIABLE.search(name))
    return tuple(value for value in named if len(value) >= _LEAST_UNNAMED)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with secrets blotted out: as they are, escaped (JSON, repr, HTML, addresses, one in another), in hexadecimal, and
    within base64, such as that of a header. Call it before anything is cut off: half a key is a secret, too."""
    for secret in secrets:
        if len(secret) >= _LEAST:
            for form in _forms(secret):
                text = form.sub(BLOT, text)
    return text


@lru_cache(maxsize=64)
def _forms(secret: str) -> tuple[re.Pattern[str], ...]:
    data = secret.encode()
    base64s = {_BROKEN.join(map(re.escape, one)) for one in _within_base64(data)}
    return (
        re.compile("".join(map(_written, secret))),
        re.compile(r"[\s:-]{0,2}".join(f"{byte:02x}" for byte in data), re.IGNORECASE),
        re.compile("|".join(sorted(base64s, key=len, reverse=True))),
    )


def _written(character: str) -> str:
    """A pattern of all ways to write a character; what is escaped twice has more backslashes."""
    code = ord(character)
    named = html.escape(character)
    ways = {
        re.escape(character), re.escape(json.dumps(character)[1:-1]), re.escape(named),
        rf"\\{{1,8}}{re.escape(character)}", rf"\\{{1,8}}(?i:u00{code:02x}|x{code:02x})", rf"%(?:25)*(?i:{code:02x})",
        rf"&(?:amp;)*#(?:0*{code}|(?i:x0*{code:x}));", re.escape(named.replace("&", "&amp;")),
    }  # fmt: skip
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def _within_base64(data: bytes) -> Iterable[str]:
    """What base64 of any text with the data in it holds: three forms, by where the data begins in its groups of three bytes."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[skipped:whole]
