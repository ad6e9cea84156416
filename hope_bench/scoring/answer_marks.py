"""Marks of an answer that aren't words, as words: ticks and crosses, boxes to tick, scores, and what is struck out."""

from __future__ import annotations

import re

_BYTES = str.maketrans(
    {"\u0121": " ", "\u2581": " ", "\u010b": "\n", **{chr(0xFEE0 + code): chr(code) for code in range(33, 127)},
     **dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF))}
)  # fmt: skip
"""Marks of word pieces that a decoder left behind, letters of full width, and what has no width at all."""

_STRUCK = re.compile(r"~~[^~\n]{1,400}~~")
_TICK, _CROSS = "[\u2705\u2714\u2713\u2611]\ufe0f?", "[\u274c\u2718\u2717\u2716\u274e\U0001f6ab]\ufe0f?"
_BOXES = re.compile(r"(?P<empty>[\u2610\u25a1\u2b1c]|\[ \])|(?P<ticked>[\u2611\u2612\u2705\u2714]\ufe0f?|\[[x\u2713\u2714]\])")
_OPTION = r"\s{0,3}(?:[a-b][).:]\s?)?(?P<option>yes|no)\b"
_ONE_BOX = re.compile(rf"(?:{_BOXES.pattern}){_OPTION}")
_MARKED = re.compile(
    rf"(?:(?P<item>[a-z][a-z '-]{{0,40}}?)\s?[:=]?\s?)?(?:(?P<tick>(?:{_TICK}|\U0001f44d)+)|(?P<cross>(?:{_CROSS}|\U0001f44e)+))"
)
_MARK = re.compile(rf"(?:{_TICK}|{_CROSS}|\U0001f44d|\U0001f44e)+")
_LEADING = re.compile(rf"[ \t*-]*{_MARK.pattern}")
_SCORE = r"(?:0?\.\d{1,9}|[01]\.\d{1,9}|\d{1,3}(?:\.\d{1,9})?\s?%)"
_IN_BRACKETS = re.compile(
    rf"[(\[](?:(?:confidence|conf|score|probability|prob|p|bounding box|bbox|box|iou|certainty)(?: score| level)?\W{{0,3}})?"
    rf"{_SCORE}(?:[\s,;/]{{1,3}}(?:{_SCORE}|\d{{1,5}})){{0,7}}(?: (?:confidence|sure|certain|score|probability))?[)\]]"
)
_BOX_WORDS = re.compile(r"\b(?:bounding box|bbox|box(?:es)?|coordinates)\b\W{0,4}(?:\d[\d.,\s]{0,80}\d|\d)")
_CERTAINTY = re.compile(
    rf",?\s?(?:with |at )?(?:an? )?(?:\b(?:confidence|certainty|score|probability)(?: (?:score|level))?(?: of| is|:| =)? {_SCORE}"
    rf"|{_SCORE} (?:confidence|certainty|probability)(?: score)?)(?![\w%])"
)
_VALUE = re.compile(rf"[:=]\s{{0,3}}(?P<value>{_SCORE})(?![\w%])")
_DECIMAL = re.compile(r"(?<![\w.])\d{0,9}\.\d{1,9}(?![\w.])%?")
_SCORED = re.compile(
    rf"(?m)(?:^|(?<=[,;]))\s{{0,3}}[*\u2022-]?\s{{0,3}}(?P<name>[a-z][a-z ]{{0,29}}[a-z])\s{{1,3}}"
    rf"(?:(?P<bare>{_SCORE})|\((?:(?:confidence|conf|score|probability|prob|p)\W{{1,3}})?(?:(?P<score>{_SCORE})|(?P<count>\d{{1,3}}))\))"
    rf"\s{{0,3}}(?=[,;]|$)"
)
_NAMES = re.compile(r"""\s*\[\s{0,9}(?P<names>(?:["'][^"'\n\[\]]{1,60}["']\s{0,9},?\s{0,9}){1,60})\]\s*""")
_UNTICKED = re.compile(r"(?m)^[\s*-]{0,9}\[ \]\s{1,3}(?P<name>[a-z][a-z '-]{0,40})$")
_LABEL = re.compile(
    r'"(?:label|class|class_name|category|name|object_name)"\s?:\s?"(?P<label>[^"\n]{1,60})"'
    r'(?:\s?,\s?"(?:(?:score|confidence|probability)"\s?:\s?(?P<score>\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})|(?:count|quantity|number)"\s?:\s?(?P<count>\d{1,4})))?'
)
_YES_OR_NO = re.compile(r"\b(?:yes|no|true|false)\b")
SCORES = frozenset(("scorehigh", "scorelow", "scoremid"))
"""The words that stand for a score after a name ("dog: 0.97")."""
_SURE, _UNSURE = 0.7, 0.3


def as_words(said: str) -> str:
    """An answer in lower case, its marks as words: "dog \N{CROSS MARK}" is "dog: no", "dog: 0.97" is "dog: scorehigh"."""
    said = _UNTICKED.sub(r"\g<name>: no", _STRUCK.sub(" ", said.translate(_BYTES)))
    if (listed := _NAMES.fullmatch(said)) is not None and not _YES_OR_NO.search(said):
        return f"objects: {listed['names']}"
    if not said.isascii() or "[" in said:
        if len({found["empty"] is None for found in _ONE_BOX.finditer(said)}) == 2:
            said = _ONE_BOX.sub(lambda found: "\n" if found["empty"] else f"\n{found['option']}\n", said)
        said = re.sub(r"(?:\[[x\u2713\u2714]\]|[\u2611\u2612])", "\u2611", said)
        said = "\n".join(map(_ticks, said.split("\n")))
    said = _SCORED.sub(lambda found: f"\n{found['name']}: {found['count'] or _score(found['bare'] or found['score'])}\n", said)
    if said[:1] in ("{", "["):
        said = _LABEL.sub(_detected, said)
    said = _BOX_WORDS.sub(" ", _IN_BRACKETS.sub(" ", said))
    said = _VALUE.sub(lambda found: f": {_score(found['value'])} ", said)
    return _DECIMAL.sub(" ", _CERTAINTY.sub(" ", said))


def _ticks(line: str) -> str:
    marks = list(_MARKED.finditer(line))
    if not marks:
        return line
    leading = _LEADING.match(line) is not None
    words = line[marks[0].end() :].split()
    if leading and (words and (len(words) > 3 or words[0].strip(".,!*") in ("yes", "no"))):
        return _MARK.sub(" ", line)  # "(tick) Yes, there is a dog"
    if leading and words and len(marks) == 1:
        return f"{' '.join(words)}: {'yes' if marks[0]['tick'] else 'no'}"

    both = {"yes", "no"}.issubset((one["item"] or "").strip() for one in marks)

    def named(found: re.Match[str]) -> str:
        word, item = ("yes" if found["tick"] else "no"), (found["item"] or "").strip()
        if item in ("yes", "no"):
            return "\n" if both and word == "no" else f"{item}\n"  # "Yes (cross) No (tick)", while a lone "No (tick)" is a no
        return f"\n{item}: {word}\n"

    return _MARKED.sub(named, line)


def _detected(found: re.Match[str]) -> str:
    if found["count"] is not None:
        return f'\n"{found["label"]}": {found["count"]}\n'
    sure = found["score"] is None or _score(found["score"]) == "scorehigh"
    return f'\n"{found["label"]}": {"detected" if sure else "scoremid"}\n'


def _score(value: str) -> str:
    share = float(value.rstrip("% ")) / (100 if value.endswith("%") else 1)
    return "scorehigh" if share >= _SURE else "scorelow" if share <= _UNSURE else "scoremid"
