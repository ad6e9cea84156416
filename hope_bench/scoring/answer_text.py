"""A model's answer as plain sentences: reasoning, markup, echoes of the prompt and invented further turns put aside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hope_bench.adapters.thinking import separate
from hope_bench.files.reading import normalized
from hope_bench.scoring.answer_marks import as_words

END = 2_000
"""Characters that are read at either end of an answer. What lies between is reasoning or rambling; and composing accents takes
time that grows with the square of a run of them."""

_FINAL = re.compile(
    r"""\\+boxed\s?\{(?:\\+\w{1,9}\s?\{)?(?P<boxed>[^{}]{0,200})\}?\}?
    | <\|begin_of_box\|>(?P<box>[^<>]{0,400})
    | <(?:(?:final_?)?answer|conclusion)>(?P<tag>[^<>]{0,400})""",
    re.VERBOSE,
)
"""What marks an answer as the answer, in LaTeX, in GLM's box and as a tag."""

_TAG = re.compile(r"<[^<>\n]{1,40}>|\[/?inst\]|\\+[()\[\]]|\\+(?:text|mathrm|mathbf)\b")
_JSON_STEP = re.compile(r"\s{0,9},\s{0,9}(?=\")")
_OPTIONS = re.compile(r"\(?\ba[).:] ?yes\b.{0,3}\s?\(?\bb[).:] ?no\b")
_ECHO = re.compile(
    r"""["'(\[]{0,2}\b(?:yes["']?\s?(?:or|/|\||and/or|-or-)\s?["']?no|no["']?\s?(?:or|/|\|)\s?["']?yes)\b["')\]]{0,2}"""
)
_ANOTHER_TURN = re.compile(r"\n\s{0,9}(?:question|user|human|q|input|instruction)\s?\d{0,2}\s?:")
_DASHED = re.compile(
    r"\s{0,3}(?:-{1,2}>|=>|\u2192|(?<= )-(?= ))\s{0,3}(?=(?:yes|no|present|absent|true|false|not (?:present|found"
    r"|visible|detected))\b\s{0,2}(?:[,.;\n]|$))"
)
_ENDED = re.compile(r"<\|(?:endoftext|im_end|eot_id|end)\|>|</s>")
_CELLS = re.compile(r"(?m)^\s{0,3}\|\s{0,9}(?P<name>[\w '-]{1,60}?)\s{0,9}\|\s{0,9}(?P<value>[\w '-]{1,40}?)\s{0,9}\|\s{0,3}$")
_NUMBER = re.compile(r"\bno\.? ?#?(?=\d)")
_BULLET = re.compile(r"(?m)^\s{0,9}(?:[-\u2022+]|\(?[a-d1-9][).])\s{1,4}(?=\S)")
_QUOTED = re.compile(r"""\b(?:says|reads?|saying|reading|labeled|words?|text|named|titled|called):? ["'][^"'\n]{0,200}["']""")
"""What is written in the picture."""
_QUOTED_WORD = re.compile(r"""["'](?P<word>yes|no)[.,!]?["']""")
_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]?")
_STOP = re.compile(r"[.!?\n]")
_TO_LAST_STOP = re.compile(r"(?s).*[.!?\n]")
_PLAIN = str.maketrans({
    "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{MODIFIER LETTER APOSTROPHE}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"', "\N{NO-BREAK SPACE}": " ",
    "\u3002": ".", "\uff0e": ".", "\uff01": "!", "\uff1f": "?", "\uff1a": ":", "\uff1b": ";", "\uff0c": ",", "\u3001": ",",
    "\N{HORIZONTAL ELLIPSIS}": ".", "\N{EM DASH}": ",", "\N{EN DASH}": ",",
    "*": " ", "_": " ", "`": " ", "#": " ", "~": " ", "$": " ", "\t": " ", "\r": "\n",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, in lower case, whether a question mark ends it, and whether a full stop does."""

    text: str
    asks: bool
    stops: bool = False


def spoken(text: str) -> str:
    """The answer without its thought, in lower case and composed (NFC), cut to its two ends where it is very long.

    Thoughts are known by the marks of adapters/thinking.py, of whatever model or tool the answer is. One that never closes leaves
    no answer; one that never opens (the mark was part of the prompt) is all before its end.
    """
    said = _two_ends((separate(text).answer or "").lower())
    return normalized(said, "NFC")


def plain(said: str) -> str:
    """What `spoken` gives, without markup, with every explicit final answer on a line of its own ("final answer: yes")."""
    said = as_words(said)
    ended = _ENDED.search(said)
    if ended is not None and any(map(str.isalnum, said[: ended.start()])):
        said = said[: ended.start()]
    said = _CELLS.sub(r"\g<name>: \g<value>", said)
    if said.lstrip()[:1] in ("{", "["):
        said = _JSON_STEP.sub("\n", said.replace("\\n", "\n"))
    said = said.translate(_PLAIN_BUT_MARKUP)
    said = _FINAL.sub(lambda found: f"\nfinal answer: {found['boxed'] or found['box'] or found['tag'] or ''}\n", said)
    said = _TAG.sub(" ", _QUOTED.sub(" reads ", said)).translate(_PLAIN)
    said = _QUOTED_WORD.sub(r"\g<word>", _OPTIONS.sub(" ", _ECHO.sub(" ", said)))
    said = _DASHED.sub(": ", _BULLET.sub("\n", said)).lstrip()
    turn = _ANOTHER_TURN.search(said)
    return _NUMBER.sub("number ", said if turn is None else said[: turn.start()])


_PLAIN_BUT_MARKUP = {key: value for key, value in _PLAIN.items() if chr(key) not in "_*`#~$\r\t"}


def sentences(said: str) -> list[Sentence]:
    """The sentences of what `plain` gives; those without a word are left out."""
    found = (match[0] for match in _SENTENCE.finditer(said.replace("...", " . ")))
    return [Sentence(one.strip(" .!?;\n"), one.endswith("?"), one[-1] in ".!") for one in found if any(map(str.isalnum, one))]


def _two_ends(said: str) -> str:
    """The first and the last END characters, whole sentences where they hold an end of one."""
    if len(said) <= 2 * END:
        return said
    head, tail = said[:END], said[-END:]
    whole = _TO_LAST_STOP.match(head)
    return (whole[0] if whole else head) + "\n" + "".join(_STOP.split(tail, maxsplit=1)[1:])
