"""Every command killed, interrupted, starved of disk, refused by a folder and run twice at once, anywhere: nothing lost or left.

The suite tries each command at a point, chosen by a seed; `make soak` (HOPE_BENCH_SOAK) many, and prints how many of what.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from hope_bench.cli.app import app
from tests.every_command import ELSEWHERE, IN_PLACE, READERS, WRITERS, Command, prepare
from tests.soak import SOAK
from tests.trials import Fault, FaultKind, Outcome, Stdout, Trial, Trials, make_writable

Files = Mapping[str, bytes]
TOLD = {
    "interrupt": (130, "Interrupted."),
    "terminate": (143, "Interrupted."),
    "full": (2, "can't be "),
    "read-only": (2, "Permission denied"),
}
ENDED = {"kill": -signal.SIGKILL, "cut": -signal.SIGXFSZ}


@dataclass(frozen=True)
class Quiet:
    """What a command does when nothing goes wrong."""

    outcome: Outcome
    files: Files

    @property
    def changes(self) -> int:
        assert self.outcome.changes is not None
        return self.outcome.changes


class Laboratory:
    """A prepared folder, of which every trial gets a copy."""

    def __init__(self, folder: Path) -> None:
        self.base, self.folder = folder / "base", folder / "trial"
        self.base.mkdir()
        prepare(self.base)
        self.trials = Trials()
        self.counts: Counter[str] = Counter()
        self._quiet: dict[Command, Quiet] = {}

    def fresh(self) -> None:
        """The folder as it was prepared."""
        if self.folder.exists():
            make_writable(self.folder)
            shutil.rmtree(self.folder)
        shutil.copytree(self.base, self.folder, symlinks=True)

    def trial(self, command: Command, fault: Fault | None = None, stdout: Stdout = "kept", *, impatient: bool = False) -> Trial:
        return Trial(command.words, str(self.folder), command.script, fault, stdout, impatient)

    def run(self, command: Command, fault: Fault | None = None, stdout: Stdout = "kept") -> Outcome:
        (outcome,) = self.trials.run(self.trial(command, fault, stdout))
        assert "Traceback" not in outcome.err, outcome.err
        assert "Exception ignored" not in outcome.err, outcome.err
        return outcome

    def quiet(self, command: Command) -> Quiet:
        if command not in self._quiet:
            self.fresh()
            outcome = self.run(command)
            assert outcome.code == 0 or command in READERS, outcome.err
            self._quiet[command] = Quiet(outcome, self.files())
        return self._quiet[command]

    def files(self) -> Files:
        """All files of the trial's folder, without what the clock says; embeddings by their number alone."""
        return {str(path.relative_to(self.folder)): _timeless(path) for path in self.folder.rglob("*") if path.is_file()}


_SPENT = ("seconds", "asked")
"""Of a run, over all its sittings; as how many `processes` asked, it isn't known of one that was killed at once."""


def _timeless(path: Path) -> bytes:
    if path.suffix == ".sqlite":
        return b"embeddings"
    data = path.read_bytes()
    if path.name == "run.json":
        record = json.loads(data)
        record["run"]["processes"] = None
        return json.dumps({key: value for key, value in record.items() if key not in _SPENT}).encode()
    if path.name == "me.jsonl":  # of two pages at once, each writes its decisions as they are made
        *whole, rest = re.sub(rb'"time":"[^"]*"', b'"time":""', data).split(b"\n")
        return b"\n".join([*sorted(whole), rest])
    return re.sub(rb'"processes": ?(null|\d+)', b'"processes":null', data) if path.suffix == ".json" else data


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Laboratory]:
    made = Laboratory(tmp_path_factory.mktemp("every-command"))
    yield made
    made.trials.close()
    if SOAK:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\n" + "\n".join(f"{name}: {count:,}" for name, count in sorted(made.counts.items())))


def nothing_is_half(laboratory: Laboratory, command: Command, changed: Files) -> None:
    """Every file that is there is what it was, or what it becomes."""
    before = {str(path.relative_to(laboratory.base)): _timeless(path) for path in laboratory.base.rglob("*") if path.is_file()}
    after = laboratory.quiet(command).files
    for name, data in changed.items():
        if any(part.startswith(".") for part in Path(name).parts) or Path(name).suffix == ".sqlite":
            continue
        if Path(name).name in IN_PLACE:
            for line in data.split(b"\n")[:-1]:
                json.loads(line)
        elif Path(name).name != "run.json" and b"not finished" not in data:
            assert data in (before.get(name), after.get(name)), f"{name} is half written"
    assert not before.keys() - changed.keys(), "files were lost"


def goes_on(laboratory: Laboratory, command: Command) -> None:
    """The same command again gives what a quiet run gives, and nothing else is left."""
    quiet = laboratory.quiet(command)
    again = laboratory.run(command)
    done = again.code == quiet.outcome.code or (
        command.refuses and again.code == 2 and command.refuses in " ".join(again.err.split())
    )
    assert done, again.err
    left = laboratory.files()
    assert left.keys() == quiet.files.keys()
    assert [name for name, data in left.items() if data != quiet.files[name]] == []


def strike(laboratory: Laboratory, command: Command, fault: Fault) -> None:
    quiet = laboratory.quiet(command)
    laboratory.fresh()
    outcome = laboratory.run(command, fault)
    make_writable(laboratory.folder)
    assert outcome.in_place is None or {Path(name).name for name in outcome.in_place} <= {*IN_PLACE}
    if fault.kind in ENDED:
        struck = outcome.code == ENDED[fault.kind]
    else:
        code, words = TOLD[fault.kind]
        struck = outcome.code == code
        assert not struck or words in " ".join(outcome.err.split()), outcome.err
    laboratory.counts[fault.kind if struck else f"{fault.kind} that did no harm"] += 1
    assert struck or (outcome.code == quiet.outcome.code and fault.kind not in ("kill", "terminate", "interrupt")), outcome
    nothing_is_half(laboratory, command, laboratory.files())
    goes_on(laboratory, command)


def two_at_once(laboratory: Laboratory, command: Command, at: int) -> None:
    """A second one while the first one pauses: each ends with the right files, or says what is in the way."""
    quiet = laboratory.quiet(command)
    laboratory.fresh()
    first, second = laboratory.trial(command, Fault("pause", at), impatient=True), laboratory.trial(command, impatient=True)
    for outcome in laboratory.trials.run(first, second):
        said = " ".join(outcome.err.split())
        refused = outcome.code == 2 and ("Another process is writing" in said or (command.refuses and command.refuses in said))
        assert outcome.code == quiet.outcome.code or refused, outcome
        assert "Traceback" not in outcome.err
        laboratory.counts["second at once, refused" if refused else "second at once, done"] += 1
    goes_on(laboratory, command)


def fault_of(kind: FaultKind, changes: int, rng: random.Random) -> Fault:
    at = rng.randrange(changes)
    return Fault(kind, at, rng.choice([0, 1, 100, 1000, 10_000]) if kind in ("full", "cut") else 0)


KINDS: tuple[FaultKind, ...] = ("kill", "cut", "interrupt", "terminate", "full", "read-only", "pause")


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command.name)
def test_struck_anywhere_it_goes_on_to_the_same_bytes(laboratory: Laboratory, command: Command) -> None:
    rng = random.Random(f"{command.name} {SOAK}")
    if command.slow and not SOAK:
        pytest.skip("takes seconds each time: make soak")
    number = WRITERS.index(command)
    many = SOAK // (200 if command.slow else 50)
    kinds = [kind for kind in KINDS for _ in range(many)] if SOAK else [KINDS[number % len(KINDS)]]
    for kind in kinds:
        fault = fault_of(kind, laboratory.quiet(command).changes, rng)
        try:
            if kind == "pause":
                two_at_once(laboratory, command, fault.at)
            else:
                strike(laboratory, command, fault)
        except AssertionError as error:
            raise AssertionError(f"{fault}: {error}") from error


STDOUTS: tuple[Stdout, ...] = ("closed", "unread", "full")


@pytest.mark.parametrize("command", [*READERS, *(WRITERS if SOAK else WRITERS[::3])], ids=lambda command: command.name)
def test_without_a_stdout_the_files_are_the_same(laboratory: Laboratory, command: Command) -> None:
    if command.slow and not SOAK:
        pytest.skip("takes seconds each time: make soak")
    quiet = laboratory.quiet(command)
    kinds = STDOUTS if SOAK else [STDOUTS[(*READERS, *WRITERS).index(command) % 3]]
    for stdout in kinds:
        laboratory.fresh()
        outcome = laboratory.run(command, stdout=stdout)
        if stdout == "full" and quiet.outcome.out:
            assert outcome.code == 2
            assert "The output can't be written: No space left on device" in " ".join(outcome.err.split())
        else:
            assert outcome.code == quiet.outcome.code, (stdout, outcome)
        assert laboratory.files() == quiet.files
        laboratory.counts[f"stdout {stdout}"] += 1


def test_every_command_is_in_the_table() -> None:
    def leaves(command: object, words: tuple[str, ...] = ()) -> Iterator[str]:
        inner: Mapping[str, object] = getattr(command, "commands", {})
        if not inner:
            yield " ".join(words)
        for name, one in inner.items():
            yield from leaves(one, (*words, name))

    tried = {" ".join(command.words[: 1 + (command.words[0] in ("import", "leaderboard"))]) for command in (*WRITERS, *READERS)}
    assert {*leaves(typer.main.get_command(app))} == {one for one in tried if not one.startswith("-")} | {*ELSEWHERE}
