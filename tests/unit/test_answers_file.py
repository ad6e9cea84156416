"""answers.jsonl: whatever byte a run was cut off at, going on gives the bytes of a run that never was."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.inference.answers import (
    Answers,
    AnswersFile,
    explain_write_errors,
    lock_run,
    read_answers_of,
    shard_path,
    shard_paths,
)
from hope_bench.inference.plan import Plan
from hope_bench.records import Answer, Request
from tests.forks import run
from tests.waiting import wait_until

PLAN = Plan(tuple(tuple(Request(f"{step}.png", f"Is there a {n}?", "") for n in range(3)) for step in range(3)))


def reply(request: Request) -> Answer:
    """The answer a deterministic model gives; its numbers need rounding and its text escaping."""
    return Answer(request.image, request.question, 'Yes,\n "é" \u2028', "yes", p_yes=1 / 3, mass=2 / 3)


def sitting(path: Path) -> int:
    """One run of the plan to its end; returns how many steps it had to ask."""
    file = AnswersFile(path)
    pending = [step for step in PLAN.steps if not file.has(step)]
    for step in pending:
        file.append([reply(request) for request in step])
    file.finish(PLAN.requests)
    return len(pending)


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    sitting(tmp_path / "whole.jsonl")
    return (tmp_path / "whole.jsonl").read_bytes()


def test_numbers_are_rounded_to_six_digits(whole: bytes) -> None:
    assert whole.count(b"\n") == 9
    assert b'"p_yes": 0.333333, "mass": 0.666667' in whole


def test_cut_off_at_any_byte_a_rerun_ends_with_the_same_bytes(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Thousands of runs, whose bytes don't depend on when the disk has them.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path = tmp_path / "answers.jsonl"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        complete_steps = whole[:size].count(b"\n") // 3
        assert sitting(path) == 3 - complete_steps
        assert path.read_bytes() == whole
    assert sitting(path) == 0


@pytest.mark.parametrize("begun", [b"", b'{"image": "1.p'])
def test_garbage_of_a_power_loss_is_cut_off_too(begun: bytes, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + begun + b"\0" * 100)
    assert sitting(path) == 2
    assert path.read_bytes() == whole


def test_a_step_with_an_error_is_asked_again_and_an_error_never_replaces_an_answer(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    file = AnswersFile(path)
    bad = PLAN.steps[1][0]
    for step in PLAN.steps:
        file.append([reply(request) for request in step if request != bad])
    file.append([Answer(bad.image, bad.question, None, "error", error="boom")])
    assert [file.has(step) for step in PLAN.steps] == [True, False, True]
    file.append([Answer(request.image, request.question, None, "error", error="worse") for request in PLAN.steps[0]])
    assert file.has(PLAN.steps[0])
    file.close()
    assert sitting(path) == 1
    assert path.read_bytes() == whole


def test_a_damaged_line_in_the_middle_is_named(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(whole.replace(b'{"image": "1.png"', b'{"image": 1', 1))
    with pytest.raises(HopeBenchError, match=r"answers\.jsonl, line 4: not an answer"):
        AnswersFile(path)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    attempt = textwrap.dedent(f"""
        from pathlib import Path
        from hope_bench.errors import HopeBenchError
        from hope_bench.inference.answers import lock_run
        try:
            with lock_run(Path({str(folder)!r})):
                print("locked")
        except HopeBenchError as error:
            print(error)
    """)

    def other_process() -> str:
        return run(["-c", attempt]).stdout

    with lock_run(folder):
        assert "Another process is writing" in other_process()
        with pytest.raises(HopeBenchError, match="Another process"), lock_run(folder):
            pass
    assert other_process() == "locked\n"


@pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be removed")
def test_a_folder_is_taken_away_only_while_it_is_empty_and_whoever_waits_gets_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    got: list[bool] = []
    waits, pause = threading.Event(), time.sleep
    monkeypatch.setattr("hope_bench.inference.answers._PATIENCE", 300)

    def wait() -> None:
        with monkeypatch.context() as during:
            during.setattr("time.sleep", lambda seconds: (waits.set(), pause(seconds)))  # until the lock is free
            with lock_run(folder):
                got.append((folder / ".lock").is_file())

    def fail(until: threading.Event | None = None) -> None:
        with contextlib.suppress(ZeroDivisionError), lock_run(folder):
            for name in ("answers.jsonl", "answers.process-0.jsonl"):
                (folder / name).touch()
            if until is not None:
                until.wait()
            raise ZeroDivisionError

    fail()
    assert not folder.exists()
    failing = threading.Thread(target=fail, args=(waits,))
    failing.start()
    wait_until((folder / "answers.process-0.jsonl").exists)
    wait()
    failing.join()
    assert got == [True]
    for name in ("answers.earlier.jsonl", "run.json", "answers.process-1.jsonl"):
        (folder / name).write_text("x")
        fail()
        assert (folder / name).read_text() == "x"
        (folder / name).unlink()


KINDS = {"yes": None, "boom": "ValueError: boom", "not asked": "not asked: the server is gone", "lacks": None}


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_what_is_known_of_a_step(first: str, second: str) -> None:
    """Whether it is answered whole, or was put to the model and failed; and what of it belongs to other steps."""
    step = PLAN.steps[0][:2]
    said = [
        Answer(
            request.image, request.question, None if KINDS[kind] else "Yes", "error" if KINDS[kind] else "yes", error=KINDS[kind]
        )
        for request, kind in zip(step, (first, second), strict=True)
        if kind != "lacks"
    ]
    answers = Answers({(one.image, one.question, one.key): one for one in said})
    assert answers.has(step) == (first == second == "yes")
    assert answers.failed(step) == ("boom" in (first, second))
    assert answers.others([step]) == ([] if first == second == "yes" else [one for one in said if one.error is None])
    assert all(one in answers and Answer(one.image, one.question, None, "error", key="k") not in answers for one in said)


def test_what_is_appended_is_on_the_disk_at_once_and_a_failed_step_is_not(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.jsonl"
    synced: list[bytes] = []

    def fsync(_: int) -> None:
        synced.append(path.read_bytes())
        if len(synced) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    lines = whole.splitlines(keepends=True)
    with contextlib.closing(AnswersFile(path)) as file:
        for step in PLAN.steps[:2]:
            file.append([reply(request) for request in step])
        with pytest.raises(HopeBenchError) as refused:
            file.append([reply(request) for request in PLAN.steps[2]])
        assert path.read_bytes() == b"".join(lines[:6])
        file.append([reply(PLAN.steps[2][0])])
        assert [file.has(step) for step in PLAN.steps] == [True, True, False]
    assert synced == [b"".join(lines[:size]) for size in (3, 6, 9, 7)]
    assert str(refused.value) == (
        f"{path} can't be written: No space left on device. Everything answered before is kept. Make room (or the folder "
        "writable) and run the same command again to go on."
    )
    with pytest.raises(HopeBenchError, match=r"can't be written: odd\. Everything"), explain_write_errors(path):
        raise OSError("odd")


def test_a_disk_that_takes_a_few_bytes_at_a_time_has_them_all_in_the_end(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "answers.jsonl", os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:50]))
    with contextlib.closing(AnswersFile(path)) as file:
        for step in PLAN.steps:
            file.append([reply(request) for request in step])
    assert path.read_bytes() == whole


def test_shards_are_taken_over_and_removed(whole: bytes, tmp_path: Path) -> None:
    """What one of them says later counts, but no error in place of an answer; what is there already isn't written once more."""
    shards = [shard_path(tmp_path, rank) for rank in range(3)]
    failed = [Answer(request.image, request.question, None, "error", error="boom") for request in PLAN.steps[1]]
    said = [[reply(request) for request in step] for step in PLAN.steps]
    for shard, answers in zip(shards, ([*failed, *said[0]], said[1], [*failed, *said[0]]), strict=True):
        with contextlib.closing(AnswersFile(shard)) as file:
            file.append(answers)
    (tmp_path / "answers.jsonl.txt").write_text("no shard")
    assert shard_paths(tmp_path) == shards
    found = read_answers_of(*shards, tmp_path / "nothing.jsonl").answers
    with contextlib.closing(AnswersFile(tmp_path / "answers.jsonl")) as file:
        file.append(said[0])
        file.absorb(reversed(shards))
        assert shard_paths(tmp_path) == []
        assert [file.has(step) for step in PLAN.steps] == [True, True, False]
        assert file.answers == found
        assert file.path.read_bytes().count(b"\n") == 3 + 3 + 3 + 3  # said, failed, answered, failed again
        file.append(said[2])
        file.keep(PLAN.steps[:2])
    assert (tmp_path / "answers.jsonl").read_bytes() == b"".join(whole.splitlines(keepends=True)[:6])


@pytest.mark.parametrize("rest", [b"garbage", b'{"image": 1}', b"null", b'\0{"image": "1.p'])
def test_what_no_crash_leaves_at_the_end_is_not_cut_off(rest: bytes, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(whole + rest)
    for read in (AnswersFile, read_answers_of):
        with pytest.raises(HopeBenchError, match=r"answers\.jsonl, its end: not an answer \(.*If the file was edited, undo that"):
            read(path)
    assert path.read_bytes() == whole + rest


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
@pytest.mark.parametrize("room", [1, 150, 700, 1100])
def test_a_full_disk_names_the_file_and_a_rerun_goes_on(room: int, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    script = textwrap.dedent(f"""
        import resource
        from pathlib import Path
        from hope_bench.errors import HopeBenchError
        from tests.unit.test_answers_file import sitting
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, before[1]))
        try:
            sitting(Path({str(path)!r}))
        except HopeBenchError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what is printed goes to a file, too
            print(error)
    """)
    done = run(["-c", script])
    assert done.returncode == 0, done.stderr
    assert f"{path} can't be written" in done.stdout
    assert "run the same command again" in done.stdout
    data = path.read_bytes()
    assert len(data) <= room
    assert data.count(b"\n") % 3 == 0, "half a step stayed"
    assert data.endswith(b"\n") or not data
    assert whole.startswith(data)
    sitting(path)
    assert path.read_bytes() == whole


def test_a_read_only_folder_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(HopeBenchError, match="can't be written: Permission denied"), lock_run(tmp_path / "run"):
        pass
