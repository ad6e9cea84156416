"""One job by several processes, as torchrun starts them: who is who, and what the first one tells the others."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, TypeVar

from hope_bench.errors import HopeBenchError, counted, short_reason

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long a process waits for the slowest. torchrun ends all when one is lost, so nobody waits in vain."""

_TO_JOIN = timedelta(minutes=10)
"""The time in which the first process must be found: all are started together."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run: this one is number `rank` of `size`.

    `group` is where they meet (None: where all do). They go on after the run where it is part of something else, such as a
    training run (`guests`): then no launcher ends them all with the one that fails, and each has to hear of it.
    """

    rank: int = 0
    size: int = 1
    group: Any = None
    guests: bool = False

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks and puts the files in order."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of a list that all have: every `size`-th item."""
        return items[self.rank :: self.size]

    def by_first(self, work: Callable[[], T]) -> T:
        """What the first process makes, in every process; its HopeBenchError is raised in all, and of guests any exception."""
        if self.size == 1:
            return work()
        told: list[Any] = [None, None]
        caught = Exception if self.guests else HopeBenchError
        if self.first:
            try:
                told[0] = work()
            except caught as error:
                told[1] = words(error)
        with _talking() as distributed:
            distributed.broadcast_object_list(told, src=0, group=self.group)
        if told[1] is not None:
            raise HopeBenchError(told[1])
        made: T = told[0]
        return made

    def together(self, work: Callable[[], T]) -> T:
        """This process's `work`. Guests wait for each other, and where it fails in one, it fails in all: the one raises what it
        met, the others HopeBenchError saying so."""
        if not self.guests or self.size == 1:
            return work()
        made: list[T] = []
        failure: Exception | None = None
        try:
            made.append(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must not wait for ever
            failure = error
        reasons = self.gather(None if failure is None else words(failure))
        if failure is not None:
            raise failure
        for rank, reason in enumerate(reasons):
            if reason is not None:
                raise HopeBenchError(f"Process {rank} of {self.size} failed: {reason}")
        return made[0]

    def gather(self, item: T) -> list[T]:
        """Every process's item, by rank, in every process. Waits for the slowest."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        with _talking() as distributed:
            distributed.all_gather_object(items, item, group=self.group)
        return items

    def scatter(self, items: Sequence[T] | None = None) -> T:
        """One of the first process's items to each, by rank; the others give none. Waits for the first."""
        if self.size == 1:
            assert items is not None
            return items[0]
        own: list[Any] = [None]
        with _talking() as distributed:
            distributed.scatter_object_list(own, None if items is None else list(items), src=0, group=self.group)
        mine: T = own[0]
        return mine

    def collect(self, item: T) -> list[T]:
        """Every process's item, by rank, in the first one; nothing in the others, who needn't hold what all have made."""
        if self.size == 1:
            return [item]
        items: list[Any] | None = [None] * self.size if self.first else None
        with _talking() as distributed:
            distributed.gather_object(item, items, dst=0, group=self.group)
        return items or []


@contextmanager
def _talking() -> Iterator[Any]:
    """torch.distributed, of which HopeBenchError is raised where another process is gone."""
    from torch import distributed

    try:
        yield distributed
    except RuntimeError as error:
        raise HopeBenchError(
            f"Another process of this run was lost ({short_reason(error, 120)}). What was done is kept: run the same command "
            "again."
        ) from None


def words(error: Exception) -> str:
    """What happened, for other processes and for logs."""
    return str(error) if isinstance(error, HopeBenchError) else short_reason(error)


@contextmanager
def join_processes(expected: int | None = None) -> Iterator[Processes]:
    """The processes that a launcher started together with this one (WORLD_SIZE and RANK), or this one alone. Where they have met
    already, in a training script, all of them must come here.

    Raises HopeBenchError where they aren't `expected` many.
    """
    if _met():
        with _guests() as processes:
            yield processes
        return
    size, rank = check_count(expected), _number("RANK")
    if size == 1:
        yield Processes()
        return
    if rank is None or _number("MASTER_PORT") is None or "MASTER_ADDR" not in os.environ:
        raise HopeBenchError(
            f"WORLD_SIZE is {size}, but RANK, MASTER_ADDR or MASTER_PORT is missing. Start several processes with torchrun."
        )
    from torch import distributed

    # Only words travel between the processes, no tensors: gloo works on every machine.
    distributed.init_process_group("gloo", store=_meet(rank), rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield Processes(rank, size)
    finally:
        distributed.destroy_process_group()


def _met() -> bool:
    """Whether this process has joined others before, without importing torch to find out."""
    distributed = sys.modules.get("torch.distributed")
    return distributed is not None and bool(distributed.is_available() and distributed.is_initialized())


@contextmanager
def _guests() -> Iterator[Processes]:
    """The processes that have met already, in a group of their own: what they train with may send no words
    (NCCL), and waits for nobody as long."""
    from torch import distributed

    size = distributed.get_world_size()
    if size == 1:
        yield Processes()
        return
    group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), size, group, guests=True)
    finally:
        distributed.destroy_process_group(group)


_joinings = count()
"""A command may ask several runs, and joins for each."""


@cache
def _launchers_store() -> Any:
    """What all processes find at MASTER_ADDR and MASTER_PORT: torchrun serves it; without, the first process does, as long as it
    lives: gone between two runs, it would leave another process waiting for it."""
    import torch.distributed
    from torch.distributed.rendezvous import rendezvous

    try:
        store, _, _ = next(rendezvous("env://", timeout=_TO_JOIN))
    except torch.distributed.DistError as error:
        raise _not_found(error) from None
    return store


def _meet(rank: int) -> Any:
    """A store that the first process serves, for these processes alone.

    The launcher's own one outlives a lost process: those started again would find in it where the ended ones could be reached,
    and wait for them. In it, only the port of the first process's store is left, tried until the one that is alive is found.
    """
    import torch.distributed

    distributed: Any = torch.distributed
    launchers = _launchers_store()
    host, key = os.environ["MASTER_ADDR"], f"hope-bench port {next(_joinings)}"
    if rank == 0:
        own = distributed.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=_PATIENCE)
        launchers.set(key, str(own.port))
        return own
    until = time.monotonic() + _TO_JOIN.total_seconds()
    while time.monotonic() < until:
        try:
            port = int(launchers.get(key))
            store = distributed.TCPStore(host, port, wait_for_workers=False, timeout=timedelta(seconds=2))
        except distributed.DistError:
            time.sleep(0.2)
        else:
            store.set_timeout(_PATIENCE)
            return store
    raise _not_found()


def _not_found(error: Exception | None = None) -> HopeBenchError:
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    reason = "" if error is None else f" ({short_reason(error)})"
    return HopeBenchError(
        f"The processes of this run didn't meet at {where} within {_TO_JOIN} (h:mm:ss){reason}. Start them again."
    )


def check_count(expected: int | None) -> int:
    """How many processes were started together.

    Raises HopeBenchError where they aren't `expected` many: `accelerate launch --cpu --num_processes 2` silently starts one.
    """
    size = _number("WORLD_SIZE") or 1
    if expected is not None and size != expected:
        raise HopeBenchError(
            f"This run has {counted(size, 'process', 'processes')}, not the {expected} of --processes. Start it "
            "with: torchrun --nproc-per-node N "
            "(accelerate launch --cpu starts only one, whatever it is told)."
        )
    return size


def own_gpu(gpus: int) -> int:
    """Which of the machine's GPUs is this process's own, where there are some.

    Raises HopeBenchError where one GPU would be that of several processes.
    """
    own = _number("LOCAL_RANK") or 0
    if own >= gpus:
        raise HopeBenchError(
            f"Process {own} of this machine has no GPU of its own (there are {gpus}). Start one process a GPU: "
            f"torchrun --nproc-per-node {gpus}."
        )
    return own


def is_first() -> bool:
    """Whether this is the one of the processes started together that speaks."""
    return not _number("RANK") or check_count(None) == 1


def _number(name: str) -> int | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise HopeBenchError(
            f"The environment variable {name} is {text!r}, not a number. A launcher sets it; unset it."
        ) from None
