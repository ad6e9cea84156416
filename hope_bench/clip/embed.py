"""Many image files to embeddings: decoded in threads, encoded in batches, each computed once and kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from hope_bench.clip.encoder import BATCH, ClipEncoder
from hope_bench.clip.store import Embeddings, EmbeddingStore
from hope_bench.images import UnreadableImageError, open_rgb

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) as shares of the picture's width and height, in [0, 1]."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class View:
    """One picture, or a rectangle of it: the file's SHA-256 says which picture, `box` which part."""

    sha256: str
    box: Box = WHOLE

    @property
    def key(self) -> str:
        """What the store calls it."""
        return self.sha256 if self.box == WHOLE else self.sha256 + "@" + ",".join(str(edge) for edge in self.box)


Pixels = torch.Tensor | str
"""The [V, 3, H, W] tensor of a picture's views, or why there is none."""

_BATCHES_AHEAD = 2
"""Batches being decoded while a GPU encodes one. On a CPU none: a decoding thread on one core makes the encoder's threads on the
others wait for it, so all cores decode a batch, and then all encode it."""


Made = tuple[dict[View, Embeddings], dict[str, str]]
"""Views with their embeddings [D], and the reasons of those pictures that can't be decoded, by SHA-256."""

Compute = Callable[[Mapping[str, Path], Mapping[str, Sequence[View]]], Iterator[Made]]
"""What embeds the views of each picture (SHA-256), given the pictures' files, some at a time."""


def embed_views(
    encoder: ClipEncoder,
    path_of: Mapping[str, Path],
    views: Sequence[View],
    store: EmbeddingStore,
    advance: Callable[[int], object] = lambda _: None,
    compute: Compute | None = None,
) -> Made:
    """The views' embeddings, and which of their pictures can't be decoded.

    `path_of` maps a picture's SHA-256 to its file. What the store holds is not computed again; what `compute` (here, unless it
    is given) yields is stored at once, so an interrupted run goes on where it stopped, with the same numbers. `advance` is told
    how many views were dealt with.
    """
    stored = store.get([view.key for view in views])
    found = {view: stored[view.key] for view in views if view.key in stored}
    advance(len(found))
    todo: dict[str, list[View]] = {}
    for view in dict.fromkeys(views):
        if view not in found:
            todo.setdefault(view.sha256, []).append(view)
    failed: dict[str, str] = {}
    for made, reasons in partial(compute_views, encoder)(path_of, todo) if compute is None else compute(path_of, todo):
        store.put({view.key: vector for view, vector in made.items()})
        found.update(made)
        failed.update(reasons)
        advance(len(made) + sum(len(todo[sha256]) for sha256 in reasons))
    return found, failed


def compute_views(encoder: ClipEncoder, path_of: Mapping[str, Path], todo: Mapping[str, Sequence[View]]) -> Iterator[Made]:
    """A `Compute` by one encoder, batch by batch."""

    def decode(sha256: str) -> tuple[str, Pixels]:
        """Each picture is decoded once, whatever the number of its views."""
        try:
            picture = open_rgb(path_of[sha256])
        except UnreadableImageError as error:
            return sha256, str(error)
        return sha256, torch.stack([encoder.preprocess(_crop(picture, view.box)) for view in todo[sha256]])

    waiting: list[tuple[View, torch.Tensor]] = []

    def encode(count: int) -> dict[View, Embeddings]:
        chosen = waiting[:count]
        del waiting[:count]
        vectors = encoder.encode_images(torch.stack([pixels for _, pixels in chosen]))
        return {view: vector for (view, _), vector in zip(chosen, vectors, strict=True)}

    ahead = 0 if encoder.device == "cpu" else _BATCHES_AHEAD
    for batch in _decoded(batches_of(todo), decode, ahead):
        failed: dict[str, str] = {}
        for sha256, pixels in batch:
            if isinstance(pixels, str):
                failed[sha256] = pixels
            else:
                waiting.extend(zip(todo[sha256], pixels, strict=True))
        full = len(waiting) // BATCH * BATCH
        yield encode(full) if full else {}, failed
    if waiting:
        yield encode(len(waiting)), {}


def batches_of(todo: Mapping[str, Sequence[View]]) -> list[list[str]]:
    """The pictures in order, as many together as have a batch of views."""
    batches: list[list[str]] = []
    views_so_far = BATCH
    for sha256, views in todo.items():
        if views_so_far >= BATCH:
            batches.append([])
            views_so_far = 0
        batches[-1].append(sha256)
        views_so_far += len(views)
    return batches


def _decoded(
    batches: Sequence[Sequence[str]], decode: Callable[[str], tuple[str, Pixels]], ahead: int
) -> Iterator[list[tuple[str, Pixels]]]:
    """The decoded pictures, batch by batch; threads decode `ahead` further batches while the caller encodes one.

    Threads cost less than processes: Pillow and torch hold no lock while they work, and nothing is copied.
    """
    threads = torch.get_num_threads()
    try:
        # One torch thread per decoding thread: a team of threads for each small picture would only get in the encoder's way.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            decoding: deque[list[Future[tuple[str, Pixels]]]] = deque()
            for batch in batches:
                decoding.append([pool.submit(decode, one) for one in batch])
                if len(decoding) > ahead:
                    yield [picture.result() for picture in decoding.popleft()]
            while decoding:
                yield [picture.result() for picture in decoding.popleft()]
    finally:
        torch.set_num_threads(threads)


def _crop(picture: Image.Image, box: Box) -> Image.Image:
    if box == WHOLE:
        return picture
    width, height = picture.size
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    return picture.crop((left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))))
