"""answers.jsonl: one answer a line, safe against interruption at any byte, and the same bytes in the end."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from hope_bench.adapters.base import NOT_ASKED
from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, is_beginning
from hope_bench.files.run import ANSWERS, disagreeing
from hope_bench.provenance import atomic_path, locked
from hope_bench.records import Answer, Request, Verdict

Key = tuple[str, str, str | None]
"""(image, question, key): what identifies an answer; `key` is `records.Request.key`."""

LOCK = ".lock"
EARLIER = "answers.earlier.jsonl"
"""Answers that other settings, another model revision or other questions gave under the same run name; found again when these
come back."""

_PATIENCE = 1
"""Seconds in which a killed run's workers are gone, and with them the lock."""


def shard_path(folder: Path, rank: int) -> Path:
    """Where process `rank` of several writes its answers until they are put together."""
    return folder / f"answers.process-{rank}.jsonl"


def shard_paths(folder: Path) -> list[Path]:
    """The shards that lie in a run folder, of this or an interrupted sitting."""
    return sorted(folder.glob("answers.process-*.jsonl"))


@contextlib.contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Make the run folder and hold it, so that two processes never write one run; what fails before anything is in it takes the
    folder away again. Raises HopeBenchError if another holds it."""
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, patience=_PATIENCE, instead=", or give this one another --name"):
        try:
            yield
        except BaseException:
            _remove_empty(folder)  # still locked, so that nobody else's work is in it
            raise


def _remove_empty(folder: Path) -> None:
    """Remove a run folder that holds nothing but the lock and files of answers without any."""
    with contextlib.suppress(OSError):
        empty = [path for path in (folder / ANSWERS, *shard_paths(folder)) if path.is_file() and not path.stat().st_size]
        if {LOCK, *(path.name for path in empty)}.issuperset(path.name for path in folder.iterdir()):
            for path in (*empty, folder / LOCK):
                path.unlink()
            folder.rmdir()


@contextlib.contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn a failed write (a full disk, a missing permission) into a HopeBenchError naming the file."""
    try:
        yield
    except OSError as error:
        raise HopeBenchError(
            f"{path} can't be written: {error.strerror or error}. Everything answered before is kept. Make room (or the folder "
            "writable) and run the same command again to go on."
        ) from None


class Answers:
    """Answers by what identifies them, and the lines of the files that they were read from."""

    def __init__(self, answers: dict[Key, Answer], lines: Sequence[Answer] = ()) -> None:
        self.answers, self.lines = answers, lines

    def check_agree(self, path: Path) -> None:
        """Raise HopeBenchError where lines of `path` answer one question differently, whatever their keys."""
        said: dict[tuple[str, str, int], tuple[Verdict, str | None]] = {}
        differ = set()
        for one in self.lines:
            now = (one.verdict, one.text)
            if one.error is None and said.setdefault((one.image, one.question, one.sample), now) != now:
                differ.add((one.image, one.question))
        if differ:
            raise disagreeing(differ, self.lines, path)

    def has(self, step: Iterable[Request]) -> bool:
        """Whether every request of a step has an answer that is no error; else the whole step is to be asked (again)."""
        found = (self.answers.get(_wanted(request)) for request in step)
        return all(answer is not None and answer.error is None for answer in found)

    def failed(self, step: Iterable[Request]) -> bool:
        """Whether a question of a step was put to the model and not answered."""
        found = (self.answers.get(_wanted(request)) for request in step)
        return any(answer is not None and answer.error is not None and not answer.error.startswith(NOT_ASKED) for answer in found)

    def __contains__(self, answer: Answer) -> bool:
        return (answer.image, answer.question, answer.key) in self.answers

    def others(self, steps: Iterable[Sequence[Request]]) -> list[Answer]:
        """The answers that belong to no whole step of `steps`, without errors."""
        kept = {_wanted(request) for step in steps if self.has(step) for request in step}
        return [answer for key, answer in self.answers.items() if key not in kept and answer.error is None]


def read_answers_of(*paths: Path) -> Answers:
    """What some files of a run folder hold, as far as they are there and without touching them. Raises HopeBenchError."""
    lines: list[Answer] = []
    for path in paths:
        if path.is_file():
            data = path.read_bytes()
            lines += _decode(data[: _whole_lines(data, path)], path)
    return Answers(_kept(lines), lines)


class AnswersFile(Answers):
    """The answers of a run being written. Hold the run's lock while using it."""

    def __init__(self, path: Path) -> None:
        """Read what is there; an unfinished last line, left by a crash, is cut off. Raises HopeBenchError."""
        self.path = path
        with explain_write_errors(path):
            self._file = path.open("a+b")
            try:
                self._file.seek(0)
                data = self._file.read()
                self._size = _whole_lines(data, path)
                if self._size < len(data):
                    self._file.truncate(self._size)
                    os.fsync(self._file.fileno())
            except OSError:
                self._file.close()
                raise
        try:
            lines = _decode(data[: self._size], path)
            super().__init__(_kept(lines), lines)
        except HopeBenchError:
            self._file.close()
            raise

    def append(self, answers: Sequence[Answer]) -> None:
        """Add a step's answers and wait until the disk has them. A later answer replaces an earlier one.

        Raises HopeBenchError where the disk won't take them; then nothing of the step stays.
        """
        rounded = [_rounded(answer) for answer in answers]
        data = b"".join(map(_line, rounded))
        with explain_write_errors(self.path):
            try:
                left = data  # past the file's buffer: after a failed write no bytes may wait to be written once more
                while left:
                    left = left[os.write(self._file.fileno(), left) :]
                os.fsync(self._file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    self._file.truncate(self._size)
                raise
        self._size += len(data)
        for answer in rounded:
            _keep(self.answers, answer)

    def absorb(self, shards: Iterable[Path]) -> None:
        """Take over the answers that several processes wrote into files of their own, and remove those files.

        Interrupted anywhere, the next call goes on: a shard goes only when the disk has its answers here.
        """
        for path in sorted(shards):
            with contextlib.closing(AnswersFile(path)) as shard:
                new = [answer for key, answer in shard.answers.items() if self.answers.get(key) != answer]
                if new:
                    self.append(new)
            with explain_write_errors(path):
                path.unlink()

    def finish(self, requests: Iterable[Request]) -> None:
        """Rewrite the file in the plan's order, one line a request, whole or not at all; then close it."""
        self._rewrite([self.answers[_wanted(request)] for request in requests])

    def keep(self, steps: Iterable[Sequence[Request]]) -> None:
        """Rewrite the file with the answers to whole steps only, in the plan's order; then close it."""
        self._rewrite([self.answers[_wanted(request)] for step in steps if self.has(step) for request in step])

    def _rewrite(self, answers: Iterable[Answer]) -> None:
        data = b"".join(map(_line, answers))
        with explain_write_errors(self.path):
            if data != self.path.read_bytes():
                with atomic_path(self.path) as temporary, temporary.open("wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
        self.close()

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        self._file.close()


def _wanted(request: Request) -> Key:
    return (request.image, request.question, request.key)


def _whole_lines(data: bytes, path: Path) -> int:
    """How many bytes are whole lines. What follows them a crash left unfinished, or a power loss never wrote; raises
    HopeBenchError where it is anything else, which isn't ours to cut off."""
    size = data.rfind(b"\n") + 1
    rest = data[size:].rstrip(b"\0")
    if rest and not is_beginning(rest):
        _answer(rest, path)
    return size


def _decode(data: bytes, path: Path) -> list[Answer]:
    return [_answer(line, path, number) for number, line in enumerate(data.split(b"\n")[:-1], 1)]


def _kept(lines: Iterable[Answer]) -> dict[Key, Answer]:
    answers: dict[Key, Answer] = {}
    for answer in lines:
        _keep(answers, answer)
    return answers


def _answer(line: bytes, path: Path, number: int | None = None) -> Answer:
    try:
        return decode(line, Answer)
    except msgspec.DecodeError as error:
        where = "its end" if number is None else f"line {number}"
        raise HopeBenchError(
            f"{path}, {where}: not an answer ({error}). If the file was edited, undo that; "
            "else delete this line, and its question is asked again."
        ) from None


def _keep(answers: dict[Key, Answer], answer: Answer) -> None:
    """A later answer replaces an earlier one, but an error never replaces an answer."""
    key = (answer.image, answer.question, answer.key)
    if answer.error is None or key not in answers or answers[key].error is not None:
        answers[key] = answer


def _rounded(answer: Answer) -> Answer:
    p_yes, mass = (None if value is None else round(value, 6) for value in (answer.p_yes, answer.mass))
    return replace(answer, p_yes=p_yes, mass=mass)


def _line(answer: Answer) -> bytes:
    return (json.dumps(asdict(answer), ensure_ascii=False) + "\n").encode()
