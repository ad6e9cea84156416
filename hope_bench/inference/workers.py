"""Steps made ready in processes of their own, so that reading and encoding images never hold up a fast model."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.inference.images import StepImages, open_named, steps_with_images
from hope_bench.inference.plan import Step

Encode = Callable[[Step, StepImages], Any]
Take = Callable[[Step, StepImages, Any], None]

_WATCH_SECONDS = 0.2
_MOST = 4
"""Workers of a process by default."""


def default_workers(device_kind: str) -> int:
    """How many worker processes serve one model: on a CPU none, since they would only take its cores; else the cores that this
    machine's processes leave each other, four at most."""
    if device_kind != "cuda" or not hasattr(os, "sched_getaffinity"):
        return 0
    beside = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return min(max(len(os.sched_getaffinity(0)) // beside - 1, 0), _MOST)


def steps_from_workers(
    steps: Sequence[Step],
    folder: Path,
    sha256: Mapping[str, str | None],
    encode: Encode,
    take: Take,
    workers: int,
    say: Callable[[str], None],
) -> Iterator[tuple[Step, StepImages]]:
    """The same as `images.steps_with_images`, in `workers` processes: `encode` runs there, `take` gets here what it made.

    Where a worker is lost (killed, out of memory), `say` is told and the remaining steps are made ready here.
    """
    from torch.utils.data import DataLoader

    # Forked, so that nothing is loaded twice; the children never touch the GPU.
    loader: Any = DataLoader(
        _Steps(steps, folder, sha256, encode),  # type: ignore[arg-type]
        batch_size=None, num_workers=workers, collate_fn=_as_it_is, multiprocessing_context="fork", worker_init_fn=_begin,
    )  # fmt: skip
    done = 0
    try:
        for step, (images, made) in zip(steps, loader, strict=True):
            if made is not None:
                take(step, images, made)
            yield step, images
            done += 1
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        say("A worker process was lost (killed, or out of memory); going on without workers.")
        yield from steps_with_images(steps[done:], folder, sha256, lambda step, images: take(step, images, encode(step, images)))


@dataclass(frozen=True, slots=True)
class _Steps:
    """A torch data set: each step's images, and what `encode` makes of them (None where it fails; the model says why)."""

    steps: Sequence[Step]
    folder: Path
    sha256: Mapping[str, str | None]
    encode: Encode

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> tuple[StepImages, Any]:
        step = self.steps[place]
        names = dict.fromkeys(request.image for request in step)
        images = {name: open_named(self.folder, name, self.sha256) for name in names}
        try:
            return images, self.encode(step, images)
        except Exception:  # noqa: BLE001 - a processor's code can raise anything
            return images, None


def _as_it_is(item: Any) -> Any:
    return item


def _begin(_: int) -> None:
    """In a new worker: one thread for tokenizers, as there are several workers; and no life without the process it works for.

    torch's own watch on that process ends in waiting for it to take what is still in the pipe.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
