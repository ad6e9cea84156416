"""The `{placeholders}` of prompts and templates: an unknown one is an error, never asked as it stands."""

from __future__ import annotations

import re
from collections.abc import Collection

from hope_bench.errors import did_you_mean

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_MEANT = re.compile(r"(\\\w+)?\{\s*(\w+)\s*\}")
"""A name in braces, be it with spaces. What LaTeX has in braces (an answer may be wanted in a box) and JSON stay as they are."""


def check_placeholders(template: str, known: Collection[str], where: str = "") -> str:
    """The template. Raises ValueError naming an unknown placeholder and the nearest known one."""
    for found in _MEANT.finditer(template):
        if found[1] is None and (found[2] not in known or found[0] != f"{{{found[2]}}}"):
            place = f"{where}: " if where else ""
            raise ValueError(f"{place}unknown placeholder {found[0]}. " + did_you_mean(found[2].lower(), known))
    return template


def check_prompt(prompt: str) -> str:
    """A prompt, which holds {question} and nothing else to fill in. Raises ValueError."""
    check_placeholders(prompt, ("question",))
    if "{question}" not in prompt:
        raise ValueError('it holds no "{question}", so the model would never see one. Add it where the question goes')
    return prompt
