"""What every strategy and guard may look at: annotations, sampled images and, per encoder, embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.spec import BenchmarkSpec
from hope_bench.languages.worder import Worder, make_worder
from hope_bench.records import Annotations

Embeddings = NDArray[np.float32]

ROWS_AT_ONCE = 4_096
"""Images whose scores are reckoned with at once, where each row is for itself: a hundred thousand by a thousand categories are a
gigabyte, and a formula holds several."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One encoder's view of the benchmark; every embedding is of unit length.

    `images` [N, D] are the sampled images, `categories` [C, D] the mean text embeddings of the vocabulary, `best_tile` [N, C] the
    cosine of each with the most similar of the image's tiles (None where no guard needs it: the tiles themselves would take nine
    times the images' memory), `prototypes` [C, D] what category-similarity compares. `encode_captions` embeds
    any texts under the same prompt templates, [M, D]. `logit_scale` and `logit_bias` are `ClipEncoder`'s.
    """

    images: Embeddings
    categories: Embeddings
    prototypes: Embeddings
    logit_scale: float | None
    encode_captions: Callable[[Sequence[str]], Embeddings]
    best_tile: NDArray[np.float32] | None = None
    logit_bias: float | None = None


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """N sampled images over a vocabulary of C categories. `images` are their indices in `annotations`, in drawn order; `encoded`
    is keyed by the encoder's name in the spec, "" for the main one. `seen` [N, C] is the evidence that a user
    brings (None: none)."""

    spec: BenchmarkSpec
    annotations: Annotations
    images: tuple[int, ...]
    encoded: Mapping[str, Encoded]
    seen: NDArray[np.float64] | None = None

    @cached_property
    def worder(self) -> Worder:
        """What puts questions about the vocabulary in words."""
        spec = self.spec
        return make_worder(self.annotations.categories, spec.language, spec.wording, spec.nouns)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The vocabulary [C]."""
        return tuple(category.name for category in self.annotations.categories)

    @cached_property
    def column(self) -> Mapping[str, int]:
        """Where each category stands in the vocabulary."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The sampled images' file names [N]."""
        return tuple(self.annotations.images[image].file_name for image in self.images)

    @cached_property
    def present(self) -> tuple[tuple[str, ...], ...]:
        """Y(x) of every sampled image, in order of first annotation."""
        return tuple(self.annotations.present(image) for image in self.images)

    @cached_property
    def present_mask(self) -> NDArray[np.bool_]:
        """Which categories are present in which sampled image: [N, C]."""
        mask = np.zeros((len(self.images), len(self.names)), dtype=np.bool_)
        for row, names in enumerate(self.present):
            mask[row, [self.column[name] for name in names]] = True
        return mask
