"""What a name that is no model's was probably meant to be."""

from __future__ import annotations

import os
import re

_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:[/?#].*)?")


def meant(name: str) -> str:
    """A sentence with a space before it, about a name that is neither a folder nor an id: a page's address, a home folder that no
    shell has put in, an id with a slash too many. Empty where nothing can be told."""
    if found := _ADDRESS.fullmatch(name):
        return f" That is the address of a page: give the id alone, {found[1]}."
    if name.startswith("~"):
        return f" Nothing puts the home folder in for ~ here: give {os.path.expanduser(name)}."  # noqa: PTH111 - any name of a user
    if re.fullmatch(r"[\w.-]+/[\w.-]+/+", name):
        return f" An id ends without a slash: {name.rstrip('/')}."
    return ""
