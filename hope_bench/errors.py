"""The one exception users see: a message that says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (ESC among them), what turns the direction of writing, line separators, and halves of characters."""


class HopeBenchError(Exception):
    """Bad input or an impossible request. The command line prints its text and exits with code 2, without a traceback.

    Of what a message repeats from outside nothing commands a terminal (`visible`), and of more than `longest` characters the
    middle goes: what to do stands at the end.
    """

    def __init__(self, message: str, longest: int = 2000) -> None:
        half = longest // 2 - 3
        super().__init__(visible(message if len(message) <= longest else f"{message[:half]} ... {message[-half:]}"))


def visible(text: str) -> str:
    """A text with a ? for each character that would command a terminal, turn the direction of writing, or that no file can hold:
    a name or an answer could else recolour, overwrite or hide what is around it. Line breaks and tabs stay."""
    return COMMANDS.sub("?", text)


def hidden(text: str) -> str | None:
    """The first character that hides or turns text, or a pile of combining marks, by name; None where there is none."""
    if text.isascii() and text.isprintable():
        return None
    match = _HIDDEN.search(text)
    if match:
        return f"the character U+{ord(match.group()):04X}"
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > _LONGEST_MARKS:
            return f"more than {_LONGEST_MARKS} accents on one letter"
    return None


_LONGEST_MARKS = 6
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Control characters, invisible ones, those that change the direction of the text around them, and halves of characters."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence naming what exists: the nearest of `known` to `name`, then all of them (or none)."""
    names = sorted(set(known))
    if not names:
        return "None exist yet."
    # A word cut short ("batch" for "batch_size") is nearer than difflib finds it.
    longer = sorted((one for one in names if name and one.startswith(name)), key=len)
    close = longer or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    nearest = f"Did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"{nearest}Known: {shown}."


_LONGEST_ITEM = 400
"""Characters of one of several items that an error repeats."""


def first_few(items: Iterable[object], limit: int = 5) -> str:
    """The first `limit` items as text, with a count of the rest: "a, b, c and 7 more"; of a very long one its beginning."""
    listed = list(items)
    rest = len(listed) - limit
    texts = (str(item) for item in listed[:limit])
    shown = [text if len(text) <= _LONGEST_ITEM else f"{text[:_LONGEST_ITEM]}..." for text in texts]
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things in words that agree with it: "1 question", "2,000 questions", "1 match", "2 matches" (`many` where an s
    makes no plural). A phrase may follow the noun: counted(1, "answer matches", "answers match")."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def short_reason(error: BaseException, limit: int = 300) -> str:
    """An exception as part of a sentence: its type and the beginning of its message, without the full stop."""
    message = " ".join(str(error).split()).rstrip(".")
    shown = message if len(message) <= limit else message[:limit] + "..."
    return f"{type(error).__name__}: {shown}" if message else type(error).__name__
