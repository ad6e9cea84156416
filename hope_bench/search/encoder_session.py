"""What a benchmark needs of one CLIP encoder: its images, their tiles, the vocabulary and the categories' prototypes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import ClipInfo
from hope_bench.files.spec import ClipSpec
from hope_bench.progress import progress_bar
from hope_bench.records import Annotations, no_collector
from hope_bench.search.attribute_bank import attribute_bank
from hope_bench.search.crops import Crops, share_box
from hope_bench.search.risk import TILES
from hope_bench.search.space import Embeddings, Encoded
from hope_bench.wording import article

if TYPE_CHECKING:
    from hope_bench.clip.crew import EncoderCrew
    from hope_bench.clip.embed import Box, View
    from hope_bench.clip.encoder import ClipEncoder

_CLEAR_WINNER = 2.0
"""How far, in CLIP's scaled logits, an attribute must lead its group: e^2 is odds of about 7 to 1 against the runner-up, by a
softmax as by two sigmoids of which one is true."""


_PICTURES_AT_ONCE = 4_096
"""Pictures whose embeddings (and tiles', ten in all, with their keys about 25 KB) are held as they come from the store."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The sampled images' files: their indices in the annotations and, in the same order, their SHA-256, in `folder`."""

    folder: Path
    images: tuple[int, ...]
    sha256: tuple[str, ...]


class EncoderSession:
    """One loaded encoder with its store of embeddings, kept open while a benchmark is generated."""

    def __init__(self, clip: ClipSpec, cache: Path, crew: EncoderCrew | None = None) -> None:
        """Load the encoder, with a `crew` or alone, and open its store under `cache`. Raises HopeBenchError."""
        with no_collector():
            from hope_bench.clip.crew import EncoderCrew
        from hope_bench.clip.store import EmbeddingStore

        self._clip, self._cache = clip, cache
        crew = crew or EncoderCrew()
        self._encoder: ClipEncoder = crew.load(clip.model, clip.activation)
        key = (clip.model, clip.activation)
        self._compute_views, self._compute_texts = partial(crew.views, key), partial(crew.texts, key)
        self._store = EmbeddingStore(cache, self._encoder)

    @property
    def info(self) -> ClipInfo:
        """The encoder as a manifest names it."""
        encoder = self._encoder
        return ClipInfo(model=encoder.name, sha256=encoder.sha256, templates=self._clip.templates, activation=encoder.activation)

    @property
    def notes(self) -> list[str]:
        """What the manifest should say of how this encoder computes."""
        note = self._encoder.text.note
        return [] if note is None else [f"{self._encoder.name}: {note}"]

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def unreadable(self, pictures: Pictures, annotations: Annotations) -> dict[int, str]:
        """Embed every whole picture (kept for `encode`); the reasons of those that can't be decoded, by image."""
        from hope_bench.clip.embed import WHOLE

        failed: dict[str, str] = {}
        for _, _, some in self._by_picture(pictures, annotations, [WHOLE], "images"):
            failed |= some
        return {image: failed[sha256] for image, sha256 in zip(pictures.images, pictures.sha256, strict=True) if sha256 in failed}

    def unusable(self, crops: Crops) -> dict[str, str]:
        """Embed every object crop (kept for `encode`); the reasons of pictures that can't be decoded, by SHA-256."""
        return self._embed_crops(crops)[1]

    def encode(self, pictures: Pictures, annotations: Annotations, *, tiles: bool, crops: Crops | None) -> Encoded:
        """The embeddings of readable pictures and of the vocabulary; `tiles`, and prototypes of `crops`, where they are used.

        Without crops the prototypes are the text embeddings.
        """
        from hope_bench.clip.embed import WHOLE, View

        words = [category.in_words for category in annotations.categories]
        categories = self._encoder.encode_categories(words, self._clip.templates, self._store, self._compute_texts)
        images = np.empty((len(pictures.sha256), categories.shape[1]), np.float32)
        best = np.empty((len(pictures.sha256), len(categories)), np.float32) if tiles else None
        boxes, what = ([WHOLE, *TILES], "images and tiles") if tiles else ([WHOLE], "images")
        for first, vectors, _ in self._by_picture(pictures, annotations, boxes, what):
            for row, sha256 in enumerate(pictures.sha256[first : first + _PICTURES_AT_ONCE], first):
                images[row] = vectors[View(sha256)]
                if best is not None:
                    best[row] = (np.stack([vectors[View(sha256, box)] for box in TILES]) @ categories.T).max(axis=0)
        return Encoded(
            images=images,
            categories=categories,
            prototypes=categories if crops is None else self._prototypes(crops, categories),
            logit_scale=self._encoder.logit_scale,
            logit_bias=self._encoder.logit_bias,
            encode_captions=self._captions,
            best_tile=best,
        )

    def guess_attributes(self, pictures: Pictures, annotations: Annotations) -> dict[int, dict[str, str]]:
        """The attribute bank's clear winners on the crops of the pictures' objects, by instance row and group (unverified)."""
        from hope_bench.clip.embed import View

        views: dict[int, View] = {}
        for image, sha256 in zip(pictures.images, pictures.sha256, strict=True):
            for row in range(int(annotations.starts[image]), int(annotations.starts[image + 1])):
                box = share_box(annotations, image, row)
                if box is not None and not annotations.crowd[row]:
                    views[row] = View(sha256, box)
        scale = self._encoder.logit_scale
        if scale is None:
            raise HopeBenchError(
                f"The encoder {self._encoder.name} has no logit scale, so nothing says which attribute wins clearly. Leave "
                '"bank" out of descriptions.sources, or search with another encoder.'
            )
        vectors, _ = self._embed(self._paths(pictures, annotations), list(views.values()), "objects")
        rows_of: dict[int, list[int]] = {}
        for row in views:
            if views[row] in vectors:
                rows_of.setdefault(int(annotations.category_of[row]), []).append(row)
        asked = [
            (rows, group, [f"{article(value)} {value} {category.in_words}" for value in group.values])
            for category, rows in ((annotations.categories[column], rows) for column, rows in rows_of.items())
            for group in attribute_bank()
            if group.fits(category.supercategory)
        ]
        captions = list(dict.fromkeys(caption for _, _, own in asked for caption in own))
        place = {caption: index for index, caption in enumerate(captions)}
        if not captions:
            return {}
        embedded = self._captions(captions)
        guessed: dict[int, dict[str, str]] = {}
        for rows, group, own in asked:
            crops = np.stack([vectors[views[row]] for row in rows])
            logits = crops @ embedded[[place[caption] for caption in own]].T * scale
            for row, scores in zip(rows, logits, strict=True):
                order = np.argsort(-scores)
                if scores[order[0]] - scores[order[1]] >= _CLEAR_WINNER:
                    guessed.setdefault(row, {})[group.name] = group.values[int(order[0])]
        return guessed

    def _captions(self, captions: Sequence[str]) -> Embeddings:
        """With the store opened anew: the search asks for captions after the session is closed."""
        from hope_bench.clip.store import EmbeddingStore

        with closing(EmbeddingStore(self._cache, self._encoder)) as store:
            return self._encoder.encode_captions(captions, self._clip.templates, store, self._compute_texts)

    def _prototypes(self, crops: Crops, texts: Embeddings) -> Embeddings:
        """The unit mean embedding of each category's object crops; its text embedding where no crop can be had."""
        vectors, _ = self._embed_crops(crops)
        made = texts.copy()
        for column, own in enumerate(crops.drawn):
            found = [vectors[row] for row in own if row in vectors]
            if found:
                mean = np.mean(found, axis=0, dtype=np.float64)
                made[column] = mean / np.linalg.norm(mean)
        return made

    def _embed_crops(self, crops: Crops) -> tuple[dict[int, Embeddings], dict[str, str]]:
        """By instance row; and the reasons of pictures that can't be decoded, by SHA-256."""
        from hope_bench.clip.embed import View

        views = {row: View(sha256, box) for row, (sha256, box) in crops.usable.items()}
        vectors, failed = self._embed(crops.paths(), list(views.values()), "object crops")
        return {row: vectors[view] for row, view in views.items() if view in vectors}, failed

    def _paths(self, pictures: Pictures, annotations: Annotations) -> dict[str, Path]:
        return {
            sha256: pictures.folder / annotations.images[image].file_name
            for image, sha256 in zip(pictures.images, pictures.sha256, strict=True)
        }

    def _by_picture(
        self, pictures: Pictures, annotations: Annotations, boxes: Sequence[Box], what: str
    ) -> Iterator[tuple[int, dict[View, Embeddings], dict[str, str]]]:
        """The same `boxes` of every picture, some pictures at a time: the place of the first of them, and `embed_views`."""
        from hope_bench.clip.embed import View, embed_views

        paths, sha256 = self._paths(pictures, annotations), pictures.sha256
        with progress_bar(f"Embedding {what} with {self._encoder.name}", len(sha256) * len(boxes)) as advance:
            for first in range(0, len(sha256), _PICTURES_AT_ONCE):
                views = [View(one, box) for one in sha256[first : first + _PICTURES_AT_ONCE] for box in boxes]
                yield first, *embed_views(self._encoder, paths, views, self._store, advance, self._compute_views)

    def _embed(
        self, path_of: Mapping[str, Path], views: Sequence[View], what: str
    ) -> tuple[dict[View, Embeddings], dict[str, str]]:
        from hope_bench.clip.embed import embed_views

        with progress_bar(f"Embedding {what} with {self._encoder.name}", len(views)) as advance:
            return embed_views(self._encoder, path_of, views, self._store, advance, self._compute_views)
