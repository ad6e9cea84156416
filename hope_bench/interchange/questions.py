"""Questions as other tools write them: the same question is recognised whatever its wrapping, typos and case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError
from hope_bench.files.placeholders import check_prompt
from hope_bench.records import Question

_EXISTENCE = re.compile(r"is there (?:an? )?(?P<object>\S.*?) in the im(?:age|ange)\s*\??", re.IGNORECASE)
"""POPE's question, with "imange" and "a umbrella" as redistributed copies have them."""


@dataclass(frozen=True, slots=True)
class Worded:
    """A question as somebody worded it: the object asked about, and the text around the question as a prompt template."""

    object: str
    template: str


def read_question(text: str) -> Worded | None:
    """What an existence question asks, and how it is wrapped; None where the text holds none.

    "Is there a umbrella in the imange?\\nAnswer briefly." asks about "umbrella" with the template "{question}\\nAnswer briefly.".
    """
    found = _EXISTENCE.search(text)
    if found is None:
        return None
    return Worded(found["object"], text[: found.start()] + "{question}" + text[found.end() :])


def unshared_positives(splits: Mapping[str, Iterable[Question]]) -> list[str]:
    """A note for the manifest where the splits don't share their yes-questions; nothing where they do."""
    positives = {frozenset((one.image, one.text) for one in questions if one.label == "yes") for questions in splits.values()}
    if len(positives) < 2:
        return []
    return ["The splits don't share their yes-questions, so between two of them more differs than the distractors."]


def refuse_two_labels(splits: Mapping[str, Iterable[Question]]) -> None:
    """Raise HopeBenchError where two splits ask the same of an image and one says yes, the other no: one answer would be both."""
    first: dict[tuple[str, str], tuple[str, Question]] = {}
    for name, questions in splits.items():
        for one in questions:
            split, other = first.setdefault((one.image, one.text), (name, one))
            if other.label != one.label:
                raise HopeBenchError(
                    f"{one.image}: {one.text!r} is labelled {other.label} in split {split} and {one.label} in {name}. Mend the "
                    "labels, or import the splits as two benchmarks."
                )


def question_key(text: str) -> str:
    """What two wordings of the same question have in common: the object, or for other questions the text without case."""
    worded = read_question(text)
    return " ".join(text.lower().split()) if worded is None else worded.object.lower()


def wrapping(text: str, question: str) -> str | None:
    """The prompt template that makes `text` of a question, case aside; None where the question isn't in the text."""
    start = text.lower().find(question.lower())
    return None if start < 0 else text[:start] + "{question}" + text[start + len(question) :]


def unescaped(prompt: str) -> str:
    """A prompt as a command line gives it: the two characters \\n stand for a line break, which few shells let one type."""
    return prompt.replace("\\n", "\n")


def escaped(prompt: str) -> str:
    """A prompt as a command line takes it (`unescaped`)."""
    return prompt.replace("\n", "\\n")


def given_prompt(prompt: str) -> str:
    """A prompt that a user gives for a benchmark. Raises HopeBenchError where it holds no question, or more to fill in."""
    try:
        return check_prompt(prompt)
    except ValueError as error:
        raise HopeBenchError(f"The prompt {prompt!r}: {str(error).rstrip('.')}.") from None


@dataclass(frozen=True, slots=True)
class Line:
    """One JSON object of a JSON-lines file, and where it stands ("FILE, line N")."""

    where: str
    data: dict[str, Any]

    def text(self, *keys: str) -> str:
        """The first of the keys that is there, which must hold text. Raises HopeBenchError naming file and line."""
        for key in keys:
            if isinstance(self.data.get(key), str):
                return str(self.data[key])
            if key in self.data:
                raise HopeBenchError(f"{self.where}: {key!r} is not text: {json.dumps(self.data[key])[:80]}.")
        raise HopeBenchError(f"{self.where}: no {' or '.join(repr(key) for key in keys)}.")


def read_lines(path: Path) -> Iterator[Line]:
    """The objects of a JSON-lines file; blank lines are skipped. Raises HopeBenchError naming the file and line."""
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HopeBenchError(f"{path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None
    for number, text in enumerate(content.split("\n"), 1):
        if not text.strip():
            continue
        where = f"{path}, line {number}"
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise HopeBenchError(f"{where}: not JSON ({error}). One JSON object a line is expected.") from None
        if not isinstance(data, dict):
            raise HopeBenchError(f"{where}: not a JSON object.")
        yield Line(where, data)
