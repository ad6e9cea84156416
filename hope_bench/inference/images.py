"""The images of a step, opened once each, checked against the benchmark, and made ready while the model is busy."""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL.Image import Image

from hope_bench.images import UnreadableImageError, decode_rgb, hash_images, read_image_bytes
from hope_bench.inference.plan import Step

_READERS = 4

_AHEAD = 2
"""Steps made ready before their turn; their images wait in memory."""

T = TypeVar("T")

StepImages = dict[str, Image | UnreadableImageError]


def open_checked(path: Path, sha256: str | None) -> Image | UnreadableImageError:
    """The picture in RGB, or why it can't be used: unreadable, or (where `sha256` is known) not the benchmark's image."""
    try:
        data = read_image_bytes(path)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            return UnreadableImageError("the image differs from the benchmark's (SHA-256)")
        return decode_rgb(data)
    except UnreadableImageError as error:
        return error


def open_named(folder: Path, name: str, sha256: Mapping[str, str | None]) -> Image | UnreadableImageError:
    """`open_checked` of a file of the images folder; the picture's `info` holds its name."""
    image = open_checked(folder / name, sha256.get(name))
    if isinstance(image, Image):
        image.info["file_name"] = name  # an adapter may have another way to it
    return image


def steps_with_images(
    steps: Sequence[Step],
    folder: Path,
    sha256: Mapping[str, str | None],
    prepare: Callable[[Step, StepImages], None] = lambda *_: None,
    look: Callable[[Path, str], Image | UnreadableImageError] | None = None,
) -> Iterator[tuple[Step, StepImages]]:
    """Each step with its images by file name; those of the next steps are read, and `prepare` called with them, in threads
    meanwhile. What `prepare` raises is dropped: whoever asks the step finds it out again. `look` opens an image of the folder by
    name (default: `open_named`)."""
    see = look or (lambda folder, name: open_named(folder, name, sha256))
    with ThreadPoolExecutor(_READERS) as readers, ThreadPoolExecutor(1) as preparer:

        def ready(step: Step) -> Future[StepImages]:
            names = dict.fromkeys(request.image for request in step)
            reads = {name: readers.submit(see, folder, name) for name in names}

            def work() -> StepImages:
                images = {name: read.result() for name, read in reads.items()}
                with contextlib.suppress(Exception):
                    prepare(step, images)
                return images

            return preparer.submit(work)

        yield from zip(steps, in_order(len(steps), lambda place: ready(steps[place])), strict=True)


def in_order(count: int, begin: Callable[[int], Future[T]]) -> Iterator[T]:
    """The results of `begin` for each of `count` places, in order; the next few are under way before their turn."""
    ahead = deque(begin(place) for place in range(min(_AHEAD, count)))
    for place in range(count):
        result = ahead.popleft().result()
        if place + _AHEAD < count:
            ahead.append(begin(place + _AHEAD))
        yield result


def image_hashes(images: Iterable[str], folder: Path | None, known: Mapping[str, str | None]) -> dict[str, str | None]:
    """The SHA-256 of each image file: the benchmark's where `known`, else that of the file here; None where there is none."""
    names = list(dict.fromkeys(images))
    files = {} if folder is None else {name: folder / name for name in names if known.get(name) is None}
    here = dict(zip(files, hash_images(list(files.values())), strict=True))
    return {name: known.get(name) or (found if isinstance(found := here.get(name), str) else None) for name in names}
