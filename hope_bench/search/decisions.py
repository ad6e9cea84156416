"""People's decisions on claims, as generation takes them: which claims reviewers don't stand by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, lines_of, read_bytes

ClaimKey = tuple[str, str, str | None]
"""What a claim is known by: its image's file name, the object, and the description where one is claimed of it."""

Verdict = Literal["absent", "present", "unsure"]


class Decision(msgspec.Struct, frozen=True):
    """One line of a review: what a person saw of one claim. `object` is the category, `description` what was claimed of it."""

    image: str
    object: str
    decision: Verdict
    description: str | None = None
    reviewer: str = ""

    @property
    def key(self) -> ClaimKey:
        """The claim decided on."""
        return (self.image, self.object, self.description)


def read_decisions(path: Path) -> tuple[tuple[Decision, ...], tuple[str, ...]]:
    """A review file's decisions; and, in words, the lines that are none.

    Raises HopeBenchError where the file is missing or holds no decision.
    """
    decisions: list[Decision] = []
    problems: list[str] = []
    for number, line in enumerate(lines_of(read_bytes(path), path), 1):
        if not line.strip():
            continue
        try:
            decisions.append(decode(line, Decision))
        except msgspec.DecodeError as error:
            problems.append(f"{path.name}, line {number} left out: {error}")
    if not decisions:
        raise HopeBenchError(f'{path} holds no line {{"image": ..., "object": ..., "decision": "absent"|"present"|"unsure"}}.')
    return tuple(decisions), tuple(problems)


def rejected(decisions: Iterable[Decision]) -> frozenset[ClaimKey]:
    """The claims that some reviewer found present, or was unsure of, in the end."""
    last = {(one.key, one.reviewer): one.decision for one in decisions}
    return frozenset(claim for (claim, _), decision in last.items() if decision != "absent")
