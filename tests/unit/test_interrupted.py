"""What is interrupted, killed, or finds no room: nothing lost, nothing left, and said truthfully."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import hope_bench as hb
from hope_bench.errors import HopeBenchError
from hope_bench.interchange import export_llava
from hope_bench.provenance import append, atomic_path
from hope_bench.reviewing.claims import review_queue
from hope_bench.reviewing.decisions import DecisionsFile, read_decisions
from hope_bench.reviewing.session import Session
from tests.forks import run
from tests.runs import make_benchmark
from tests.small_benchmark import write_small

ROWS = {"random": [("a.jpg", "dog", "yes"), ("a.jpg", "cat", "no"), ("b.jpg", "cow", "no"), ("b.jpg", "ox", "no")]}
FULL = Path("/dev/full")


def test_two_pages_of_one_reviewer_keep_each_others_decisions(tmp_path: Path) -> None:
    queue = review_queue(make_benchmark(tmp_path / "b", ROWS).splits)
    path = tmp_path / "review" / "alice.jsonl"
    one, other = (Session(queue, DecisionsFile(path), "alice") for _ in range(2))
    one.decide(0, "absent")
    other.decide(1, "present")
    one.decide(0, "unsure")  # changed, so that the file is written anew
    other.decide(2, "absent")
    assert {decision.object: decision.decision for decision in read_decisions(path)} == {
        queue[0].object: "unsure", queue[1].object: "present", queue[2].object: "absent",
    }  # fmt: skip
    assert other.next() is None
    assert one.undo() == 2
    assert other.undo() == 0
    assert [decision.object for decision in read_decisions(path)] == [queue[1].object]


def test_a_killed_review_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "alice.jsonl"
    left, others = tmp_path / ".alice.jsonl.partial", tmp_path / ".other.partial"
    for file in (left, others):
        file.touch()
    DecisionsFile(path)
    assert not left.exists()
    assert others.exists()


def test_an_interrupted_export_goes_on_and_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = make_benchmark(tmp_path / "b", ROWS)
    out, whole = tmp_path / "out", tmp_path / "whole"
    write_text, written = export_llava.write_text, []

    def interrupted(path: Path, text: str) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write_text(path, text)

    with monkeypatch.context() as during:
        during.setattr(export_llava, "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hb.export(benchmark, "llava", out)
    assert written[0].is_file()
    with pytest.raises(HopeBenchError, match="another export that was interrupted"):
        hb.export(benchmark, "vlmevalkit", out)
    assert hb.export(benchmark, "llava", out) == hb.export(benchmark, "llava", whole) == 4
    files = [sorted((path.relative_to(at), path.read_bytes()) for path in at.rglob("*") if path.is_file()) for at in (out, whole)]
    assert files[0] == files[1]
    with pytest.raises(HopeBenchError, match="holds files already"):
        hb.export(benchmark, "llava", out)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_said_and_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"whole\n")
    refused = pytest.raises(HopeBenchError, match=r"a\.jsonl can't be written: No space left on device")
    with refused, atomic_path(path) as temporary, temporary.open("wb"):
        FULL.write_bytes(b"x")  # what a disk says of a stream has no name
    assert sorted(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(os, "fsync", lambda _: FULL.write_bytes(b"x"))
    with pytest.raises(HopeBenchError, match="No space left"):
        append(path, b"half a line")
    assert path.read_bytes() == b"whole\n"


CLI = (sys.executable, "-m", "hope_bench")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", [("schema",), ("schema", "result"), ("models", "--json")])
def test_a_full_stdout_is_bad_luck_and_no_fault(command: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run([*CLI, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_nobody_who_reads_is_no_fault() -> None:
    shell = shlex.join([*CLI, "schema"])
    for command in (f"{shell} >&-", f"{shell} 2>&1 >&- | head -c 0", f"({shell}; echo code $? >&2) | head -c 0"):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "code 0\n" if "code" in command else ""), command


STOPPED = """
import os, signal, sys
from pathlib import Path
from hope_bench import cli
from hope_bench.provenance import atomic_path

target = Path(sys.argv.pop())

def command() -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.{})
        signal.pause()

cli.run_command(command)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_sigterm_puts_away_what_ctrl_c_does(name: str, code: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(name), str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("Interrupted.")) == (code, 1), done.stderr
    assert list(tmp_path.iterdir()) == []


STRUCK = """
import pkgutil, signal, sys
import hope_bench.cli
owner, name = pkgutil.resolve_name(sys.argv.pop(1)), sys.argv.pop(1)
works = getattr(owner, name)
def struck(*arguments, **named):
    signal.raise_signal(signal.SIGINT)
    return works(*arguments, **named)
setattr(owner, name, struck)
from hope_bench.__main__ import main
main()
"""
SAYS = """
class Says:
    def __init__(self, card): pass
    def load(self): pass
    def answer(self, batch): return ["No"] * len(batch)
"""


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        ("hope_bench.cli", "_let_help_wrap", ""),
        ("typer.main", "get_command", "Interrupted."),
        ("hope_bench.inference.answers:AnswersFile", "append", "Interrupted."),
        ("hope_bench.inference.progress:RunProgress", "add", "Interrupted."),
        ("hope_bench.inference.answers:AnswersFile", "finish", "Interrupted."),
    ],
)
def test_ctrl_c_ends_it_wherever_it_comes(owner: str, name: str, said: str, tmp_path: Path) -> None:
    """Before a command is read, while it is, and between two steps of a run: placed by what is being done."""
    small = write_small(tmp_path)
    (tmp_path / "says.py").write_text(SAYS)
    (tmp_path / "says.toml").write_text('name = "says"\ncheckpoint = "org/says"\nadapter = "says.py:Says"\nbatch_size = 2\n')
    words = ["evaluate", "-m", "says.toml", "-b", small.folder, "--images", small.images]
    done = run(["-c", STRUCK, owner, name, *words], cwd=tmp_path)
    assert done.returncode == 130, done.stderr
    assert done.stderr.count("Interrupted.") == said.count("Interrupted.")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
