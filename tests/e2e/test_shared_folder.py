"""Several processes need one run folder: two real processes that see one, and two that don't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.forks import Fork
from tests.waiting import free_port

JOINING_OFTEN = """
from hope_bench.processes import join_processes
for number in range(25):
    with join_processes() as processes:
        assert processes.gather(number) == [number, number]
print("joined")
"""
_SCRIPT = """
import sys
from pathlib import Path
from hope_bench.processes import join_processes
from hope_bench.inference.shared_folder import check_shared
with join_processes() as processes:
    check_shared(Path(sys.argv[1]), processes, patience=1.0)
    print("shared")
"""


def said_by_two(first: Path, second: Path, script: str = _SCRIPT) -> list[tuple[str, str]]:
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        Fork(["-c", script, folder], os.environ | shared | {"RANK": str(rank)}) for rank, folder in enumerate((first, second))
    ]
    try:
        return [process.communicate() for process in processes]
    finally:
        for process in processes:
            process.kill()


def test_processes_meet_again_and_again(tmp_path: Path) -> None:
    """As for many prompts, without torchrun, in whatever order they leave and come back."""
    assert [out for out, _ in said_by_two(tmp_path, tmp_path, JOINING_OFTEN)] == ["joined\n", "joined\n"]


def test_one_folder_is_seen_by_both(tmp_path: Path) -> None:
    assert [out for out, _ in said_by_two(tmp_path, tmp_path)] == ["shared\n", "shared\n"]


@pytest.mark.parametrize(
    ("there", "words"), [(False, "Process 1 finds no such folder"), (True, "it holds no answers.process-1.jsonl")]
)
def test_two_folders_of_one_name_are_told_by_both(there: bool, words: str, tmp_path: Path) -> None:
    """As on two nodes, each with a disk of its own; on the second one the folder may be there from before."""
    (tmp_path / "first").mkdir()
    if there:
        (tmp_path / "second").mkdir()
    for out, errors in said_by_two(tmp_path / "first", tmp_path / "second"):
        assert out == ""
        assert "must be one that all processes share" in errors
        assert words in errors
