"""Every file is written by `provenance.atomic_path`, every folder held by `provenance.locked`: nothing else opens one."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.provenance import atomic_path, locked, sweep, write_text
from tests.unit.test_house import ROOT, modules

ELSEWHERE = {
    "provenance": "the helpers themselves",
    "inference.answers": "lines are added to a run's answers, each on disk when the next one is asked; the run's folder is held",
    "inference.shared_folder": "an empty file shows every process that they share a folder",
    "reviewing.decisions": "tries whether lines can be added",
    "clip.store": "SQLite writes whole transactions and locks its file itself",
    "demo.run": "a folder is filled beside its place, and renamed",
    "demo.llava": "makes the packaged weights (make demo-weights)",
    "demo.train_clip": "makes the packaged weights (make demo-weights)",
    "demo.train_llava": "makes the packaged weights (make demo-weights)",
    "adapters.server_guard": "a server's log",
    "adapters.server": "a server's log, and links to a checkpoint, among this machine's temporary files",
    "cli": "stdout and stderr",
}
"""Modules that write in another way, and why."""

METHODS = {
    "write_text", "write_bytes", "touch", "rename", "save", "to_parquet", "save_pretrained", "symlink_to", "mkstemp",
    "NamedTemporaryFile", "ParquetWriter", "copyfile", "copy2", "copytree", "move", "connect", "truncate", "tofile",
}  # fmt: skip


Known = tuple[str, str]
"""What made it, and its name."""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, frozenset[Known]]]:
    """Every call, with the names that stand there for a file that isn't whole yet, or for memory."""

    def walk(node: ast.AST, known: frozenset[Known]) -> Iterator[tuple[ast.Call, frozenset[Known]]]:
        if isinstance(node, ast.With):
            for item in node.items:
                yield from walk(item, known)
                if isinstance(item.optional_vars, ast.Name) and called(item.context_expr) in ("atomic_path", "BytesIO"):
                    known |= {(called(item.context_expr), item.optional_vars.id)}
            for inner in node.body:
                yield from walk(inner, known)
            return
        if isinstance(node, ast.FunctionDef):
            memory = (one for one in ast.walk(node) if isinstance(one, ast.Assign) and called(one.value) == "BytesIO")
            known |= {("BytesIO", target.id) for one in memory for target in one.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Call):
            yield node, known
        for child in ast.iter_child_nodes(node):
            yield from walk(child, known)

    return walk(tree, frozenset())


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def writes(call: ast.Call) -> bool:
    """Whether a call may write a file: by its name and, of `open`, by its mode."""
    name, text = called(call), ast.unparse(call)
    if name == "open":
        values = [one.value for one in [*call.args, *(word.value for word in call.keywords)] if isinstance(one, ast.Constant)]
        modes = [set(one) for one in values if isinstance(one, str) and set(one) <= set("rwaxbt+")]
        return any(mode & set("wax+") for mode in modes) or "os.O_WRONLY" in text or "os.O_RDWR" in text
    if not isinstance(call.func, ast.Attribute):
        return False
    replaced = name == "replace" and len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Dict)
    return replaced or name in METHODS


def of_a_whole(call: ast.Call, known: frozenset[Known]) -> bool:
    """Whether what is written is a file of `atomic_path`, or memory; pictures memory alone (`images.encoded` says why)."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    names = {one.id for one in (receiver, *call.args) if isinstance(one, ast.Name)}
    return any(name in names for kind, name in known if kind == "BytesIO" or called(call) != "save")


def strays(source: str) -> list[str]:
    return [ast.unparse(call)[:60] for call, known in calls(ast.parse(source)) if writes(call) and not of_a_whole(call, known)]


def test_nothing_else_writes_a_file() -> None:
    found = {}
    for name, path in modules(ROOT / "hope_bench").items():
        if name.removeprefix("hope_bench.") not in ELSEWHERE and (stray := strays(path.read_text(encoding="utf-8"))):
            found[name] = stray
    assert found == {}


def test_nothing_else_locks() -> None:
    files = modules(ROOT / "hope_bench").items()
    using = {name for name, path in files if "from filelock import" in path.read_text(encoding="utf-8")}
    assert using == {"hope_bench.provenance"}


@pytest.mark.parametrize(
    ("line", "stray"),
    [
        ("open(path, 'w')", True), ("path.open('ab')", True), ("path.open(mode='r+')", True), ("path.write_text('x')", True),
        ("os.open(path, os.O_WRONLY)", True), ("temporary.replace(path)", True), ("picture.save(path, 'PNG')", True),
        ("path.open('rb')", False), ("open(path)", False), ("text.replace('a', 'b')", False),
        ("with atomic_path(path) as t, t.open('wb') as s: s.write(b'')", False),
        ("with atomic_path(path) as t: picture.save(t, 'PNG')", True),
        ("def f():\n  b = io.BytesIO()\n  picture.save(b, 'PNG')", False),
    ],
)  # fmt: skip
def test_what_writes_is_told_from_what_reads(line: str, stray: bool) -> None:
    assert bool(strays(line)) == stray


KILLED = """
import os, signal, sys
from pathlib import Path
from hope_bench.provenance import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for next_one in (lambda: write_text(path, "whole"), lambda: sweep(path)):
        done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
        assert done.returncode == -9
        assert len(list(tmp_path.glob(".*"))) == 1
        next_one()
        assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
        assert path.read_text() == "whole"


def test_a_file_that_another_process_writes_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    monkeypatch.setattr("hope_bench.provenance._LONGEST_WAIT", 0.05)
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"first")
        with pytest.raises(HopeBenchError, match=r"Another process is writing .*a\.json"):
            write_text(path, "second")
        assert temporary.read_bytes() == b"first"
    write_text(path, "second")
    assert path.read_text() == "second"


def test_a_held_folder_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder):
        with pytest.raises(HopeBenchError, match="Another process is writing to"), locked(folder, patience=0.05):
            pass
        assert (folder / ".lock").exists()
    assert not folder.exists(), "nothing was written there"
    with locked(folder):
        write_text(folder / "a", "x")
    assert [one.name for one in folder.iterdir()] == ["a"]
