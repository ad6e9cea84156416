"""Time and peak memory of a piece of Python in a fresh process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import NamedTuple

# VmHWM rather than getrusage's ru_maxrss, which a child inherits from whoever started it.
_FRAME = """
import json, sys, time
from pathlib import Path
def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
{setup}
before = peak()
start, cpu = time.perf_counter(), time.process_time()
{work}
print("\\n" + json.dumps([time.perf_counter() - start, time.process_time() - cpu, peak() - before]))
"""


class Measured(NamedTuple):
    """Seconds the work took by the clock and by the processor, and the bytes by which it raised the process's peak memory."""

    seconds: float
    cpu_seconds: float
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
    first, second = (Measured(*(statistics.median(column) for column in zip(*side, strict=True))) for side in results)
    return first, second
