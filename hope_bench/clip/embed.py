"""Many image files to embeddings: decoded in worker processes, encoded in batches, each computed once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from hope_bench.clip.encoder import ClipEncoder, Embeddings
from hope_bench.clip.store import EmbeddingStore
from hope_bench.images import UnreadableImageError, open_rgb

Sample = tuple[int, torch.Tensor | str]
"""A position and its picture's [3, H, W] tensor, or why there is none."""


class _Pictures(Dataset[Sample]):
    def __init__(self, paths: Sequence[Path], preprocess: Callable[..., torch.Tensor]) -> None:
        self.paths = paths
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        try:
            return index, self.preprocess(open_rgb(self.paths[index]))
        except UnreadableImageError as error:
            return index, str(error)


def embed_images(
    encoder: ClipEncoder,
    paths: Sequence[Path],
    hashes: Sequence[str],
    store: EmbeddingStore,
    batch_size: int,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[dict[str, Embeddings], dict[str, str]]:
    """Embeddings [D] by image SHA-256, and the reasons of those images that can't be decoded, by SHA-256.

    `hashes` are the files' SHA-256. What the store holds is not computed again; every batch is stored as soon as it is done, so
    an interrupted run goes on where it stopped. `advance` is told how many images were dealt with.
    """
    path_of = dict(zip(hashes, paths, strict=True))
    found = store.get(list(path_of))
    advance(len(found))
    todo = [image for image in path_of if image not in found]
    failed: dict[str, str] = {}
    dataset = _Pictures([path_of[image] for image in todo], encoder.preprocess)
    # Starting workers costs more than they save on a handful of pictures.
    workers = min(8, os.cpu_count() or 1) if len(todo) > 2 * batch_size else 0
    for batch in DataLoader(dataset, batch_size=batch_size, num_workers=workers, collate_fn=list):
        failed |= {todo[index]: value for index, value in batch if isinstance(value, str)}
        good = [(todo[index], value) for index, value in batch if not isinstance(value, str)]
        if good:
            vectors = encoder.encode_images(torch.stack([pixels for _, pixels in good]))
            made = {image: vector for (image, _), vector in zip(good, vectors, strict=True)}
            store.put(made)
            found |= made
        advance(len(batch))
    return found, failed
