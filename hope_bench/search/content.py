"""HOPE's content-aware search: the absent categories that CLIP finds likeliest in this very image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.space import Encoded, SearchSpace


def content(_: SearchSpace, encoded: Encoded | None) -> NDArray[np.float64]:
    """[N, C]: CLIP's cosine of image and category."""
    assert encoded is not None
    return content_similarity(encoded.images, encoded.categories).astype(np.float64)


def content_similarity(images: NDArray[np.float32], categories: NDArray[np.float32]) -> NDArray[np.float32]:
    """s(c | x): cosine of image and category embeddings, [N, D] x [C, D] -> [N, C] in [-1, 1]. Both must be unit length."""
    return images @ categories.T


def content_probability(similarity: NDArray[np.floating], logit_scale: float) -> NDArray[np.float64]:
    """Softmax over the vocabulary with CLIP's own temperature: [N, C] -> [N, C], each row summing to 1."""
    logits = similarity.astype(np.float64) * logit_scale
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
