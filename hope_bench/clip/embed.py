"""Many image files to embeddings: decoded in worker processes, encoded in batches, each computed once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from hope_bench.clip.encoder import ClipEncoder, Embeddings
from hope_bench.clip.store import EmbeddingStore
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
        return self.sha256 if self.box == WHOLE else self.sha256 + "@" + ",".join(f"{edge:.4f}" for edge in self.box)


Sample = tuple[str, torch.Tensor | str]
"""A picture's SHA-256 and the [V, 3, H, W] tensor of its views, or why there is none."""


class _Pictures(Dataset[Sample]):
    """Each picture is decoded once, whatever the number of its views."""

    def __init__(
        self, path_of: dict[str, Path], views: dict[str, list[View]], preprocess: Callable[[Image.Image], torch.Tensor]
    ) -> None:
        self.path_of, self.views, self.preprocess = path_of, views, preprocess
        self.pictures = list(views)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        sha256 = self.pictures[index]
        try:
            picture = open_rgb(self.path_of[sha256])
        except UnreadableImageError as error:
            return sha256, str(error)
        return sha256, torch.stack([self.preprocess(_crop(picture, view.box)) for view in self.views[sha256]])


def embed_views(
    encoder: ClipEncoder,
    path_of: dict[str, Path],
    views: Sequence[View],
    store: EmbeddingStore,
    batch_size: int,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[dict[View, Embeddings], dict[str, str]]:
    """Embeddings [D] of the views, and the reasons of those pictures that can't be decoded, by SHA-256.

    `path_of` maps a picture's SHA-256 to its file. What the store holds is not computed again; every batch is stored as soon as
    it is done, so an interrupted run goes on where it stopped. `advance` is told how many views were dealt with.
    """
    stored = store.get([view.key for view in views])
    found = {view: stored[view.key] for view in views if view.key in stored}
    advance(len(found))
    todo: dict[str, list[View]] = {}
    for view in dict.fromkeys(views):
        if view not in found:
            todo.setdefault(view.sha256, []).append(view)
    failed: dict[str, str] = {}
    dataset = _Pictures(path_of, todo, encoder.preprocess)
    per_picture = max((len(group) for group in todo.values()), default=1)
    pictures_at_once = max(1, batch_size // per_picture)
    # Starting workers costs more than they save on a handful of pictures.
    workers = min(8, os.cpu_count() or 1) if len(todo) > 2 * pictures_at_once else 0
    for batch in DataLoader(dataset, batch_size=pictures_at_once, num_workers=workers, collate_fn=list):
        failed |= {sha256: value for sha256, value in batch if isinstance(value, str)}
        good = [(todo[sha256], value) for sha256, value in batch if not isinstance(value, str)]
        if good:
            vectors = encoder.encode_images(torch.cat([pixels for _, pixels in good]))
            made = dict(zip((view for group, _ in good for view in group), vectors, strict=True))
            store.put({view.key: vector for view, vector in made.items()})
            found |= made
        advance(sum(len(todo[sha256]) for sha256, _ in batch))
    return found, failed


def _crop(picture: Image.Image, box: Box) -> Image.Image:
    if box == WHOLE:
        return picture
    width, height = picture.size
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    return picture.crop((left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))))
