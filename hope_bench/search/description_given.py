"""Descriptions that a user brings: JSON lines from people or an LLM."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.reading import decode, lines_of, read_bytes
from hope_bench.languages.worder import Worder, make_worder
from hope_bench.records import Annotations
from hope_bench.search.description import Description, Descriptions, sorted_out
from hope_bench.wording import is_plural, plural, verb

_NUMBER = re.compile(
    r"(?:exactly |at least |at most |only |about )?(?:two|three|four|five|six|seven|eight|nine|ten|\d+|several)\b", re.I
)
_IN_THE_IMAGE = re.compile(r",? in the (?:image|picture|photo|scene)$", re.I)
"""What the question says anyway."""
_ONE = re.compile(r"(?:exactly |only )?(?:an?|the|one|1)\b", re.I)


class GivenLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a user's description file: noun phrases with their article ("a red car", "two dogs on a sofa") that are true or
    false of all instances of `object` in `image`."""

    image: str
    object: str
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A user's descriptions by image file name; `problems` tells in words which lines are none."""

    by_image: Mapping[str, Descriptions]
    problems: tuple[str, ...] = ()


def read_given(path: Path, annotations: Annotations, worder: Worder | None = None) -> Given:
    """Read a user's descriptions of the annotations' images; `worder` puts them into questions (None: English ones).

    A line that is none, or is about an image or object that isn't there, is left out and told in `problems`, and so is a claim
    that is said to be both true and false. Raises HopeBenchError where the file is missing or nothing in it can be used.
    """
    worder = worder or make_worder(annotations.categories)
    raw_lines = lines_of(read_bytes(path), path)
    images = {image.file_name: index for index, image in enumerate(annotations.images)}
    found: dict[str, dict[Description, bool]] = {}
    doubtful: dict[str, set[Description]] = {}
    left_out: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}

    def leave_out(reason: str, where: str) -> None:
        left_out[reason] += 1
        examples.setdefault(reason, []).append(where)

    for number, raw in enumerate(raw_lines, 1):
        if not raw.strip():
            continue
        try:
            line = decode(raw, GivenLine)
        except msgspec.DecodeError as error:
            leave_out("not such a line", f"line {number}: {error}")
            continue
        if line.image not in images:
            leave_out("the image is not in the annotations", f"line {number}: {line.image}")
        elif line.object not in annotations.present(images[line.image]):
            leave_out("the object is not annotated in the image", f"line {number}: {line.object} in {line.image}")
        else:
            claims, contradicted = found.setdefault(line.image, {}), doubtful.setdefault(line.image, set())
            for claim, true in [*((one, True) for one in line.true), *((one, False) for one in line.false)]:
                words = _IN_THE_IMAGE.sub("", " ".join(claim.split()).rstrip(".?"))
                question = worder.given(words, _verb(words, line.object))
                description = Description(line.object, "given", "given", words, words, question or "")
                if not words:
                    leave_out("an empty claim", f"line {number}")
                elif question is None:
                    leave_out(f"the language {worder.table.code} has no questions for them", f"line {number}: {words}")
                elif description in contradicted or claims.setdefault(description, true) != true:
                    leave_out("a claim that is said to be both true and false", f"line {number}: {words}")
                    contradicted.add(description)
                    claims.pop(description, None)
    problems = tuple(
        f"{path.name}: {count} left out, {reason} ({first_few(examples[reason], 3)})." for reason, count in left_out.items()
    )
    if not any(found.values()):
        raise HopeBenchError(
            f'{path} holds no usable line {{"image": ..., "object": ..., "true": [...], "false": [...]}}. {" ".join(problems)}'
        )
    return Given({image: sorted_out(claims.items()) for image, claims in found.items()}, problems)


def _verb(claim: str, name: str) -> Literal["Is", "Are"]:
    """ "Is" before an article or one, "Are" before a number or with a plural; else as the object's name has it."""
    if _ONE.match(claim):
        return "Is"
    several = _NUMBER.match(claim) or is_plural(claim) or f" {plural(name)} " in f" {claim} "
    return "Are" if several else verb(name)
