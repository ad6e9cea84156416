"""What may be the name of a file or folder, wherever it comes from: the one rule for all names in files of others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hope_bench.errors import HopeBenchError

_NAME = re.compile(r"[^\W_][\w.@+-]{0,199}")
_ELSEWHERE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
_LONGEST_PART, _LONGEST_PATH = 255, 1000
"""Bytes that the file systems of today allow a name, and that leave room for the folder before it."""


def is_name(name: str) -> bool:
    """Whether a name is plain enough to be a file's, a folder's and a task's in every tool: at most 200 letters, digits and
    . - _ @ +, beginning with a letter or digit. So it leads nowhere, hides nothing, and needs no escaping."""
    return _NAME.fullmatch(name) is not None


def within_folder(name: str) -> bool:
    """Whether an image's name is that of a file within a folder of images, on every system; subfolders are fine."""
    parts = re.split(r"[/\\]", name)
    if "\0" in name or ".." in parts or not set(parts) - {"", "."} or _ELSEWHERE.match(name):
        return False
    sizes = [len(part.encode(errors="surrogatepass")) for part in parts]
    return max(sizes) <= _LONGEST_PART and sum(sizes) + len(sizes) <= _LONGEST_PATH


def check_names(where: str, what: str, names: Iterable[str]) -> None:
    """Raise HopeBenchError where a name that a file holds isn't one by `is_name`; `what` says whose it is ("A split's name")."""
    for name in names:
        if not is_name(name):
            raise HopeBenchError(
                f"{where}: {what} can't be {_shown(name)}: letters, digits and . - _ @ + only, 200 at most, beginning with a "
                "letter or digit."
            )


def check_images(where: str, names: Iterable[str]) -> None:
    """Raise HopeBenchError where an image's name leads out of the folder of images: what is read there is sent to models and
    published, and no file from elsewhere on this machine may be."""
    for name in names:
        if not within_folder(name):
            raise HopeBenchError(f"{where}: {_shown(name)} is no file name within a folder of images. Rename the image.")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 200 else name[:200] + "...")
