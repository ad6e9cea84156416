"""HOPE's content-aware search: the absent categories that CLIP finds likeliest in this very image; and its control."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def content_similarity(images: NDArray[np.float32], categories: NDArray[np.float32]) -> NDArray[np.float32]:
    """s(c | x): cosine of image and category embeddings, [N, D] x [C, D] -> [N, C] in [-1, 1]. Both must be unit length."""
    return images @ categories.T


def content_probability(similarity: NDArray[np.floating], logit_scale: float) -> NDArray[np.float64]:
    """Softmax over the vocabulary with CLIP's own temperature: [N, C] -> [N, C], each row summing to 1."""
    logits = similarity.astype(np.float64) * logit_scale
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def most_similar_images(present: Sequence[Sequence[str]], names: Sequence[str], seed: int) -> list[int]:
    """For each image, the *other* image whose set of present objects is most similar (Jaccard), ties by seeded hash.

    `names` are the images' file names, so that ties fall the same way whatever the order. Needs two images at least. The
    control ranks an image's distractors by that other image's scores (docs/method.md, control-content).
    """
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(name for objects in present for name in objects))}
    member = np.zeros((len(present), len(vocabulary)), dtype=np.float32)
    for row, objects in enumerate(present):
        member[row, [vocabulary[name] for name in objects]] = 1
    sizes = member.sum(axis=1)
    partners = []
    for row in range(len(present)):
        shared = member @ member[row]
        union = sizes + sizes[row] - shared
        jaccard = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        jaccard[row] = -1.0
        ties = np.flatnonzero(jaccard == jaccard.max()).tolist()
        partners.append(min(ties, key=lambda other: _tie_break(seed, names[row], names[other])))
    return partners


def _tie_break(seed: int, image: str, other: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{image}\n{other}".encode()).digest()
