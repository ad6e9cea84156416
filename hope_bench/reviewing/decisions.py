"""The decisions file: one JSON object a line, flushed to disk with every decision, shared and merged as plain text."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, is_beginning, lines_of, read_bytes
from hope_bench.provenance import append, atomic_path, locked, sweep
from hope_bench.reviewing.claims import Claim
from hope_bench.search.decisions import ClaimKey, Decision, Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Reviewed(Decision, frozen=True, omit_defaults=True):
    """A decision with what the reviewer was shown: the question, its label, and when (UTC, ISO 8601); `inclusion` in (0, 1] is
    the chance with which the claim was drawn for review, None where it wasn't drawn."""

    question: str = ""
    label: str = ""
    time: str = ""
    inclusion: float | None = None


def decide(claim: Claim, verdict: Verdict, reviewer: str) -> Reviewed:
    """The line that a reviewer's verdict on a claim becomes."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Reviewed(
        image=claim.image, object=claim.object, decision=verdict, description=claim.description, reviewer=reviewer,
        question=claim.text, label=claim.label, time=now, inclusion=claim.inclusion,
    )  # fmt: skip


def read_decisions(path: Path) -> list[Reviewed]:
    """A decisions file's lines. A last line that was cut off by a crash is left out.

    Raises HopeBenchError where the file can't be read or another line is no decision.
    """
    data = read_bytes(path)
    lines = lines_of(data, path)
    decisions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            decisions.append(decode(line, Reviewed))
        except msgspec.DecodeError as error:
            if number == len(lines) and not data.endswith(b"\n") and is_beginning(line):
                break
            raise HopeBenchError(
                f'{path}, line {number}: not a decision ({error}). Expected: {{"image": ..., "object": ..., '
                '"decision": "absent"|"present"|"unsure"}.'
            ) from None
    return decisions


def is_cut_off(path: Path) -> bool:
    """Whether a decisions file's last line was cut off, so that it isn't counted."""
    return is_beginning(read_bytes(path).rsplit(b"\n", 1)[-1])


def write_decisions(path: Path, decisions: Iterable[Reviewed]) -> None:
    """Write a decisions file whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(_line(decision) for decision in decisions)
        stream.flush()
        os.fsync(stream.fileno())


def by_claim(decisions: Iterable[Reviewed]) -> dict[ClaimKey, Reviewed]:
    """The last decision on each claim."""
    return {decision.key: decision for decision in decisions}


class DecisionsFile:
    """A decisions file that is being written: one decision a claim; a changed or undone one is taken out of the file.

    Several processes may write one file (two pages of one reviewer): each change is made, by turns, to what the file then holds.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it. Raises HopeBenchError where it can't be read or written, or a line is no decision."""
        self.path = path
        self._decisions: dict[ClaimKey, Reviewed] = {}
        with locked(path.parent):
            sweep(path)  # what a killed review left
            if not self._read() or not path.exists():
                write_decisions(path, self._decisions.values())
        try:
            path.open("ab").close()
        except OSError as error:
            raise HopeBenchError(f"Decisions can't be written to {path}: {error.strerror or error}.") from None

    @property
    def decisions(self) -> Mapping[ClaimKey, Reviewed]:
        """Every decision by claim, oldest first, as of this object's last change."""
        return self._decisions

    def latest(self) -> Reviewed | None:
        """The newest decision; None where there is none."""
        return next(reversed(self._decisions.values()), None)

    def add(self, decision: Reviewed) -> None:
        """Write a decision; it is on disk when this returns. Raises HopeBenchError where it can't be, the file as it was."""
        with locked(self.path.parent):
            plain = self._read()
            changed = self._decisions.pop(decision.key, None) is not None
            self._decisions[decision.key] = decision
            if changed or not plain:
                write_decisions(self.path, self._decisions.values())
            else:
                append(self.path, _line(decision))

    def undo(self, claims: Container[ClaimKey]) -> Reviewed | None:
        """Take the latest decision back, out of the file too, and return it; None where there is none, or it is on none of these
        claims."""
        with locked(self.path.parent):
            self._read()
            latest = self.latest()
            if latest is None or latest.key not in claims:
                return None
            del self._decisions[latest.key]
            write_decisions(self.path, self._decisions.values())
            return latest

    def _read(self) -> bool:
        """Take over what the file holds; whether it is as it should be, so that a line can be added to it."""
        if not self.path.exists():
            self._decisions = {}
            return True
        found = read_decisions(self.path)
        self._decisions = by_claim(found)
        return len(self._decisions) == len(found) and self.path.read_bytes()[-1:] in (b"", b"\n")


def _line(decision: Reviewed) -> bytes:
    return msgspec.json.encode(decision) + b"\n"
