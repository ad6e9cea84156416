"""Time and peak memory of a piece of Python in a fresh process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import NamedTuple

_FRAME = """
import json, resource, sys, time
{setup}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("\\n" + json.dumps([seconds, (peak - before) * 1024]))
"""


class Measured(NamedTuple):
    """Seconds the work took, and the bytes by which it raised the process's peak resident memory."""

    seconds: float
    peak_bytes: float


def measure(setup: str, work: str) -> Measured:
    """Run `setup` untimed, then `work`, in a process of its own."""
    code = _FRAME.format(setup=setup, work=work)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return Measured(*json.loads(run.stdout.splitlines()[-1]))


def measure_in_turn(one: tuple[str, str], other: tuple[str, str], rounds: int) -> tuple[Measured, Measured]:
    """The medians of two pieces of work measured in turn, so that a noisy machine troubles both alike."""
    results: tuple[list[Measured], list[Measured]] = ([], [])
    for _ in range(rounds):
        results[0].append(measure(*one))
        results[1].append(measure(*other))
    first, second = (
        Measured(statistics.median(m.seconds for m in side), statistics.median(m.peak_bytes for m in side)) for side in results
    )
    return first, second
