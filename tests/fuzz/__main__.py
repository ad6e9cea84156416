"""Feed damaged inputs to every reader: `python -m tests.fuzz --minutes 30 --seed 0`; `--reader NAME --input N` shows one again.

Each reader has its share of the CPU time and a process of its own, forked from one that has everything imported, so that even the
end of the interpreter is a fault of one input and no more. A whole run writes its table to docs/reliability.md.
"""

from __future__ import annotations

import argparse
import mmap
import os
import pickle
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tests.fuzz.readers import READERS
from tests.fuzz.report import write_page
from tests.fuzz.watch import MOST_SECONDS, Tally, Watched

LEAST = 5
"""Inputs of a reader that is slow."""
MOST_DATA = 2**33
"""Bytes of memory of one reader's process."""


def main() -> int:
    """As the module says; 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=30.0, help="CPU minutes of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="readers side by side")
    parser.add_argument("--reader", action="append", choices=READERS, metavar="NAME", help="only this one (repeat for more)")
    parser.add_argument("--input", type=int, help="of one --reader: save and feed this input alone")
    asked = parser.parse_args()
    if asked.input is not None:
        return _again(asked.reader[0], asked.seed, asked.input)
    _import_all()
    names = asked.reader or list(READERS)
    tallies: dict[str, Tally] = {}
    for name, one in _all_fed(names, asked.seed, asked.minutes * 60, asked.jobs):
        tallies[name] = one
        print(f"{name}: {one.inputs:,} inputs, {one.accepted:,} accepted, {one.refused:,} refused, {len(one.faults):,} faults, "
              f"{1000 * one.seconds / max(1, one.inputs):.1f} ms, slowest {one.slowest:.2f} s", flush=True)  # fmt: skip
        for number, fault in {fault.split(":")[0]: (number, fault) for number, fault in one.faults}.values():
            print(
                f"    --seed {asked.seed} --reader {name!r} --input {number}: {fault}".encode(errors="replace").decode(),
                flush=True,
            )
    if not asked.reader:
        write_page(tallies, asked.seed)
    print(f"{sum(one.inputs for one in tallies.values()):,} inputs, {sum(len(one.faults) for one in tallies.values()):,} faults")
    return 1 if any(one.faults for one in tallies.values()) else 0


def _import_all() -> None:
    """What the children would else import each."""
    import datasets  # noqa: F401
    import openai  # noqa: F401
    import peft  # noqa: F401
    import transformers  # noqa: F401

    import hope_bench.api  # noqa: F401
    from tests.fuzz.models import tiny_checkpoint
    from tests.fuzz.stages import result_bytes

    tiny_checkpoint()
    result_bytes()


def _all_fed(names: Sequence[str], seed: int, seconds: float, jobs: int) -> Iterator[tuple[str, Tally]]:
    """What came of each reader's inputs, as many as go into its share of the CPU time; some readers side by side."""
    left, running = list(names), dict[int, tuple[str, mmap.mmap, Path]]()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        while left or running:
            while left and len(running) < jobs:
                place, result = mmap.mmap(-1, 8), Path(folder) / str(len(left))  # the place both see, also after the end
                name, share = left.pop(0), seconds / (len(left) + 1 + len(running))
                child = os.fork()
                if not child:
                    _child(name, seed, share, place, result)
                running[child] = (name, place, result)
            child, status = os.wait()
            name, place, result = running.pop(child)
            one = _result(status, place, result)
            seconds -= one.seconds
            yield name, one


def _child(name: str, seed: int, seconds: float, place: mmap.mmap, result: Path) -> NoReturn:
    try:
        _feed(name, seed, seconds, place, result)
    except BaseException:  # noqa: BLE001 - no reader's fault
        result.write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)


def _result(status: int, place: mmap.mmap, result: Path) -> Tally:
    if not status:
        made: Tally = pickle.loads(result.read_bytes())  # our own child's
        return made
    last = int.from_bytes(place[:], "little")
    said = (result.read_text().splitlines() if result.is_file() else [])[-1:] or ["without a word"]
    return Tally(last, faults=[(last, f"the interpreter ended (status {status}), {said[0]}")])


def _feed(name: str, seed: int, seconds: float, place: mmap.mmap, result: Path) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    most = int(time.process_time() + seconds + 10 * MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))  # where no Python code runs that could be stopped
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA, MOST_DATA))
    with Watched(name, READERS[name]) as watched:
        start = time.process_time()
        while watched.tally.inputs < LEAST or time.process_time() - start < seconds:
            number = watched.tally.inputs + 1
            place[:] = number.to_bytes(8, "little")
            watched.feed(seed, number)
        watched.tally.seconds = time.process_time() - start
    result.write_bytes(pickle.dumps(watched.tally))


def _again(name: str, seed: int, number: int) -> int:
    with Watched(name, READERS[name]) as watched:
        data = watched.input(seed, number)
        kept = Path("build") / "fuzz" / f"{name.replace('/', '-')}-{seed}-{number}{watched.path.suffix}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        print(f"{len(data):,} bytes, in {kept}", file=sys.stderr)
        watched.path.write_bytes(data)
        print(watched.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
