"""What earlier sittings of a run left, and what is to be asked now."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hope_bench.errors import counted
from hope_bench.files.run import ANSWERS, RunRecord, write_run
from hope_bench.inference.answers import (
    EARLIER,
    Answers,
    AnswersFile,
    explain_write_errors,
    read_answers_of,
    shard_paths,
)
from hope_bench.inference.plan import Plan, Step
from hope_bench.inference.record import changes, continued, earlier_sitting, moved
from hope_bench.records import Answer, Request


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run stands: the record so far, the places of steps that lack answers, how many questions are `answered` and how
    many have to be asked, and whether the model has answered before. `finished`: there is nothing to do at all."""

    record: RunRecord
    pending: tuple[int, ...]
    answered: int
    to_ask: int
    works: bool
    finished: bool
    changed: bool

    @classmethod
    def at_the_end(cls, record: RunRecord) -> Start:
        """Of a finished run."""
        return cls(record, (), record.questions, 0, works=True, finished=True, changed=False)


def find_start(folder: Path, plan: Plan, record: RunRecord, say: Callable[[str], None]) -> Start:
    """See what is left to ask; nothing is written but what other processes answered is put in one file.

    Raises HopeBenchError where the folder holds another model's answers.
    """
    shards = shard_paths(folder)
    earlier = earlier_sitting(folder, record)
    changed = earlier is not None and earlier.key != record.key
    with contextlib.closing(AnswersFile(folder / ANSWERS)) as answers:
        _check_agree(folder, earlier, answers)
        answers.absorb(shards)
        pending, rests = _missing(folder, plan, answers, changed)
        to_ask = sum(map(len, rests))
        works = any(answer.error is None for answer in answers.answers.values())
    total = sum(map(len, plan.steps))
    answered = total - to_ask
    moves = earlier is not None and moved(earlier, record) and 0 < to_ask < total
    if earlier is not None and (to_ask < total or not changed):
        record = continued(record, earlier, asks=to_ask > 0)
    if earlier is not None and changed:
        say(f"What is asked, how or where, has changed since the last run of this name ({changes(earlier, record)}).")
        if moves:
            say("The new address is taken to serve the same model. If it doesn't, stop, and give this run another --name.")
        say(f"{to_ask:,} of {counted(total, 'question')} are asked now, the others are answered already.")
        say(f"Answers to what is no longer asked stay in {EARLIER}.")
    elif to_ask < total and to_ask:
        say(f"Going on: {answered:,} of {counted(total, 'question')} are answered already.")
    finished = not pending and earlier is not None and earlier.complete and not changed
    record = earlier if finished and earlier is not None else record
    return Start(record, pending, answered, to_ask, works and not changed, finished, changed)


def _check_agree(folder: Path, earlier: RunRecord | None, answers: Answers) -> None:
    """Raise HopeBenchError where a finished run holds two answers to one question: somebody put files together. Until then a
    later answer is that of a step which was asked again."""
    if earlier is not None and earlier.complete:
        answers.check_agree(folder / ANSWERS)


def _missing(folder: Path, plan: Plan, answers: Answers, changed: bool) -> tuple[tuple[int, ...], list[Step]]:
    """The places of steps that lack answers, and what has to be asked of each: those that failed come last, so that a picture
    that brings a server down keeps no other one from being asked."""
    lacking = (place for place, step in enumerate(plan.steps) if not answers.has(step))
    pending = tuple(sorted(lacking, key=lambda place: answers.failed(plan.steps[place])))
    reusable = Reusable(folder, answers.others(plan.steps) if changed else ())
    return pending, [reusable.rest(plan.steps[place]) for place in pending]


def what_is_left(folder: Path, plan: Plan, record: RunRecord) -> Plan:
    """What `find_start` would find to be asked, without touching anything. Raises HopeBenchError as it does."""
    earlier = earlier_sitting(folder, record)
    answers = read_answers_of(folder / ANSWERS, *shard_paths(folder))
    _check_agree(folder, earlier, answers)
    _, rests = _missing(folder, plan, answers, earlier is not None and earlier.key != record.key)
    return Plan(tuple(rest for rest in rests if rest))


def finished(folder: Path, plan: Plan, record: RunRecord) -> RunRecord | None:
    """The record of a run that `find_start` would find finished; nothing is touched. None where there is anything to do."""
    earlier = earlier_sitting(folder, record)
    if earlier is None or not earlier.complete or earlier.key != record.key or shard_paths(folder):
        return None
    answers = read_answers_of(folder / ANSWERS)
    _check_agree(folder, earlier, answers)
    return earlier if all(map(answers.has, plan.steps)) else None


def settle(folder: Path, plan: Plan, start: Start) -> None:
    """Write the record and, where what is asked has changed, set aside the answers that don't belong to whole steps of the plan.

    Interrupted anywhere, the next call finds the same to ask.
    """
    if start.changed:
        with contextlib.closing(AnswersFile(folder / ANSWERS)) as answers:
            others = answers.others(plan.steps)
            with contextlib.closing(AnswersFile(folder / EARLIER)) as earlier:
                earlier.append([answer for answer in others if answer not in earlier])
            write_record(folder, start.record)
            answers.keep(plan.steps)
    else:
        write_record(folder, start.record)


def write_record(folder: Path, record: RunRecord) -> RunRecord:
    """Write run.json and return the record."""
    with explain_write_errors(folder / "run.json"):
        write_run(folder, record)
    return record


class Reusable:
    """Answers set aside when what is asked changed: those whose key is asked for need not be asked again."""

    def __init__(self, folder: Path, more: Sequence[Answer] = ()) -> None:
        """Read the run folder's file, if there is one; `more` are answers about to be set aside."""
        self._answers = {(answer.image, answer.question, answer.key): answer for answer in more}
        self._answers |= read_answers_of(folder / EARLIER).answers

    def rest(self, step: Step) -> Step:
        """The requests of a step that no set-aside answer fits."""
        return tuple(request for request in step if self._find(request) is None)

    def complete(self, step: Step, said: Sequence[Answer]) -> list[Answer]:
        """A step's answers in order: the new ones to `rest`, and those set aside."""
        new = iter(said)
        return [self._find(request) or next(new) for request in step]

    def _find(self, request: Request) -> Answer | None:
        return self._answers.get((request.image, request.question, request.key))
