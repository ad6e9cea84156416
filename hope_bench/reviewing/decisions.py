"""The decisions file: one JSON object a line, flushed to disk with every decision, shared and merged as plain text."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.provenance import atomic_path, make_folder
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
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise HopeBenchError(f"The decisions file {path} does not exist.") from None
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error.strerror or error}.") from None
    lines = data.removeprefix(BOM_UTF8).split(b"\n")
    decisions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            decisions.append(msgspec.json.decode(line, type=Reviewed))
        except msgspec.DecodeError as error:
            if number == len(lines):
                break
            raise HopeBenchError(
                f'{path}, line {number}: not a decision ({error}). Expected: {{"image": ..., "object": ..., '
                '"decision": "absent"|"present"|"unsure"}.'
            ) from None
    return decisions


def is_cut_off(path: Path) -> bool:
    """Whether a decisions file's last line was cut off, so that it isn't counted."""
    last = path.read_bytes().rsplit(b"\n", 1)[-1].strip()
    try:
        msgspec.json.decode(last or b"{}")
    except msgspec.DecodeError:
        return True
    return False


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
    """A decisions file that is being written: one decision a claim; a changed or undone one is taken out of the file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it. Raises HopeBenchError where it can't be read or written, or a line is no decision."""
        self.path = path
        found = read_decisions(path) if path.exists() else []
        self._decisions = by_claim(found)
        try:
            make_folder(path.parent)
            if list(self._decisions.values()) != found or not _ends_well(path):
                write_decisions(path, self._decisions.values())
            path.open("ab").close()
        except OSError as error:
            raise HopeBenchError(f"Decisions can't be written to {path}: {error.strerror or error}.") from None

    @property
    def decisions(self) -> Mapping[ClaimKey, Reviewed]:
        """Every decision by claim, oldest first."""
        return self._decisions

    def latest(self) -> Reviewed | None:
        """The newest decision; None where there is none."""
        return next(reversed(self._decisions.values()), None)

    def add(self, decision: Reviewed) -> None:
        """Write a decision; it is on disk when this returns."""
        changed = self._decisions.pop(decision.key, None) is not None
        self._decisions[decision.key] = decision
        if changed:
            write_decisions(self.path, self._decisions.values())
            return
        with self.path.open("ab") as stream:
            stream.write(_line(decision))
            stream.flush()
            os.fsync(stream.fileno())

    def undo(self) -> Reviewed | None:
        """Take the latest decision back, out of the file too, and return it; None where there is none."""
        if not self._decisions:
            return None
        _, latest = self._decisions.popitem()
        write_decisions(self.path, self._decisions.values())
        return latest


def _ends_well(path: Path) -> bool:
    return not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")


def _line(decision: Reviewed) -> bytes:
    return msgspec.json.encode(decision) + b"\n"
