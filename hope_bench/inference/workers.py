"""Steps made ready in processes of their own, so that reading and encoding images never hold up a fast model."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.adapters.base import EncodesElsewhere
from hope_bench.inference.asking import batch_of
from hope_bench.inference.images import StepImages, in_order, open_named, steps_with_images
from hope_bench.inference.plan import Step

_MOST = 4
"""Workers of a process by default."""

_READY = b"hope-bench worker\n"
"""Before what a worker makes."""

_DYING_SECONDS = 10.0

_COMMAND = "from hope_bench.inference.workers import work; work()"


def default_workers(device_kind: str) -> int:
    """How many worker processes serve one model: on a CPU none, since they would only take its cores; else the cores that this
    machine's processes leave each other, four at most."""
    if device_kind != "cuda" or not hasattr(os, "sched_getaffinity"):
        return 0
    beside = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return min(max(len(os.sched_getaffinity(0)) // max(beside, 1) - 1, 0), _MOST)


class LostWorkerError(Exception):
    """Why a worker process gives no more steps."""


class Workers:
    """`count` processes that make steps ready, started at once: they import what they need while the model is being loaded.

    Fresh processes, not forked ones: nothing of this one's threads, locks and GPU is in them. Each has a pipe that nobody else
    writes to, so a worker that dies midway through a step ends its pipe, and one whose reader is gone ends itself.
    """

    def __init__(self, count: int, say: Callable[[str], None] = lambda _: None) -> None:
        """Start them. `say` is told where one can't be started, or is lost later: the work is then done without."""
        self._say = say
        self._processes: list[subprocess.Popen[bytes]] = []
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TOKENIZERS_PARALLELISM": "false"}
        # -P: modules come from where this process's do. A session of its own: Ctrl-C is for the process that writes the answers.
        command = [sys.executable, "-P", "-c", _COMMAND]
        pipe = subprocess.PIPE
        try:
            for _ in range(count):
                one = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)
                self._processes.append(one)
        except OSError as error:
            self.close()
            self._processes = []
            say(f"A worker process can't be started ({error.strerror or error}); going on without workers.")

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self._processes)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was not yet written has no reader
                    pipe.close()  # type: ignore[union-attr]

    def steps(
        self, model: EncodesElsewhere, steps: Sequence[Step], folder: Path, sha256: Mapping[str, str | None]
    ) -> Iterator[tuple[Step, StepImages]]:
        """The same as `images.steps_with_images`: what the model needs of a step's images is made in the workers, and taken here.

        May be called once. Where a worker is lost (killed, out of memory), the remaining steps are made ready in threads of this
        process.
        """
        done = 0
        with ThreadPoolExecutor(1) as reader:
            try:
                self._begin(model, steps, folder, sha256)
                ready = in_order(len(steps), lambda place: reader.submit(self._read, model, steps[place], place))
                for step, images in zip(steps, ready, strict=True):
                    yield step, images
                    done += 1
                return
            except LostWorkerError as lost:
                self._say(f"A worker process was lost ({lost}); going on without workers.")
            finally:
                self.close()  # before the reader is waited for: it may be waiting for a worker
        yield from steps_with_images(steps[done:], folder, sha256, lambda step, images: model.prepare(batch_of(step, images)))

    def _begin(self, model: EncodesElsewhere, steps: Sequence[Step], folder: Path, sha256: Mapping[str, str | None]) -> None:
        """Tell every worker its steps: with n workers every n-th, so that whose turn it is depends on nothing else."""
        make = model.elsewhere()
        for start, process in enumerate(self._processes):
            mine = steps[start :: len(self._processes)]
            names = {request.image for step in mine for request in step}
            try:
                pickle.dump(_Job(make, mine, folder, {name: sha256.get(name) for name in names}), process.stdin)  # type: ignore[arg-type]
                process.stdin.close()  # type: ignore[union-attr]
            except OSError:
                raise LostWorkerError(_end_of(process)) from None

    def _read(self, model: EncodesElsewhere, step: Step, place: int) -> StepImages:
        process = self._processes[place % len(self._processes)]
        assert process.stdout is not None
        images: StepImages
        try:
            if place < len(self._processes):  # before the first, libraries and site customisations may have printed something
                while process.stdout.readline() not in (_READY, b""):
                    pass
            images, made = pickle.load(process.stdout)
        except Exception:  # noqa: BLE001 - what is cut off or garbled can raise anything
            raise LostWorkerError(_end_of(process)) from None
        if made is not None:
            with suppress(Exception):  # the model then makes it itself, and says what is wrong
                model.take(batch_of(step, images), made)
        return images


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(_DYING_SECONDS)
    except subprocess.TimeoutExpired:
        return "what it sent can't be read"
    return f"killed by signal {-code}; out of memory?" if code < 0 else f"exit code {code}"


@dataclass(frozen=True, slots=True)
class _Job:
    """All that a worker has to do. `make` gives what encodes a batch."""

    make: Callable[[], Callable[[Any], Any]]
    steps: Sequence[Step]
    folder: Path
    sha256: Mapping[str, str | None]


def work() -> None:
    """A worker's life: one job from stdin, then to stdout, as pickles, each step's images and what was made of them (None where
    that fails; the model says why)."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between
    import torch

    import hope_bench.adapters.transformers_model  # noqa: F401 - takes seconds, and the job may come later

    torch.set_num_threads(1)  # there are several workers
    try:
        job: _Job = pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):
        return  # nothing to do after all, or nobody to do it for
    encode = job.make()
    results.write(b"\n" + _READY)
    for step in job.steps:
        images = {name: open_named(job.folder, name, job.sha256) for name in dict.fromkeys(request.image for request in step)}
        try:
            made = encode(batch_of(step, images))
        except Exception:  # noqa: BLE001 - a processor's code can raise anything
            made = None
        try:
            pickle.dump((images, made), results, protocol=pickle.HIGHEST_PROTOCOL)
            results.flush()
        except BrokenPipeError:
            os._exit(1)  # whoever wanted the steps is gone
