"""HOPE's content-aware search: the absent categories that CLIP finds likeliest in this very image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.space import ROWS_AT_ONCE, Encoded, SearchSpace


def content(_: SearchSpace, encoded: Encoded | None) -> NDArray[np.float64]:
    """[N, C]: CLIP's cosine of image and category."""
    assert encoded is not None
    return content_similarity(encoded.images, encoded.categories).astype(np.float64)


def content_similarity(images: NDArray[np.float32], categories: NDArray[np.float32]) -> NDArray[np.float32]:
    """s(c | x): cosine of image and category embeddings, [N, D] x [C, D] -> [N, C] in [-1, 1]. Both must be unit length."""
    return images @ categories.T


def content_probability(
    similarity: NDArray[np.floating], logit_scale: float | None, logit_bias: float | None = None
) -> NDArray[np.float64]:
    """What the encoder itself makes of its cosines, [N, C] -> [N, C].

    The softmax over the vocabulary at CLIP's own temperature, each row summing to 1; for an encoder trained with a sigmoid for
    each pair (SigLIP: it has a `logit_bias`) that sigmoid, in [0, 1]; for one without a `logit_scale` the cosine.
    """
    made = np.array(similarity, dtype=np.float64)
    if logit_scale is None:
        return made
    for first in range(0, len(made), ROWS_AT_ONCE):
        logits = made[first : first + ROWS_AT_ONCE] * logit_scale
        if logit_bias is not None:
            probability = np.exp(-np.logaddexp(0.0, -(logits + logit_bias)))
        else:
            exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
            probability = exponentials / exponentials.sum(axis=1, keepdims=True)
        made[first : first + ROWS_AT_ONCE] = probability
    return made
