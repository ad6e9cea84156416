"""Whether the processes of a run see one run folder: on several nodes it must lie on a disk that they share."""

from __future__ import annotations

import time
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.inference.answers import shard_path, shard_paths
from hope_bench.processes import Processes

_PATIENCE = 75.0
"""Seconds until what one node wrote must show on another: NFS keeps what it knows of a folder for up to 60."""


def check_shared(folder: Path, processes: Processes, patience: float = _PATIENCE) -> None:
    """Each process makes its file of answers, and the first one waits until it sees all of them, up to `patience` seconds.

    Called by all of them, once the folder is there, and before a model is loaded. Raises HopeBenchError in every process where
    one doesn't see the first one's folder: its answers would be lost.
    """
    if processes.size == 1:
        return
    problems = [problem for problem in processes.gather(_make_shard(folder, processes.rank, patience)) if problem is not None]
    if problems:
        raise HopeBenchError(f"{_text(folder)} {problems[0]}")
    processes.by_first(lambda: _see_all(folder, processes.size, patience))


def _make_shard(folder: Path, rank: int, patience: float) -> str | None:
    """What is wrong, if anything."""
    until = time.monotonic() + patience
    while True:
        try:
            shard_path(folder, rank).touch()
        except FileNotFoundError:
            if time.monotonic() > until:
                return f"Process {rank} finds no such folder."
            time.sleep(0.2)
        except OSError as error:
            return f"Process {rank} can't write there: {error.strerror or error}."
        else:
            return None


def _see_all(folder: Path, count: int, patience: float) -> None:
    until = time.monotonic() + patience
    while missing := {shard_path(folder, rank) for rank in range(count)}.difference(shard_paths(folder)):
        if time.monotonic() > until:
            names = ", ".join(sorted(path.name for path in missing))
            raise HopeBenchError(f"{_text(folder)} On the first process's machine it holds no {names}.")
        time.sleep(0.2)


def _text(folder: Path) -> str:
    return f"The run folder {folder} must be one that all processes share, such as on a network disk (--runs)."
