"""The control of the content-aware search: an image's distractors ranked by the CLIP scores of another, similar image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.content import content
from hope_bench.search.space import Encoded, SearchSpace

_ROWS_AT_ONCE = 256
"""Images whose similarities with all candidates are held at once."""

MOST_CANDIDATES = 5_000
"""Images that partners are looked for among, so that the search's cost stays linear in the images; of more, a seeded draw."""


_MOST_TIES = 200
"""Equally similar images, in a seeded order, between which the hash decides: images of one common object have thousands."""


def control_content(space: SearchSpace, encoded: Encoded | None) -> NDArray[np.float64]:
    """[N, C]: the content scores of the sampled image whose present objects are most similar."""
    return content(space, encoded)[most_similar_images(space.present, space.files, space.spec.seed)]


def most_similar_images(present: Sequence[Sequence[str]], names: Sequence[str], seed: int) -> list[int]:
    """For each image, the *other* image whose set of present objects is most similar (Jaccard), ties by seeded hash.

    Of more than MOST_CANDIDATES images, only so many, drawn by a seeded hash of their names, are partners of others. `names` are
    the images' file names, so that draws and ties fall the same way whatever the order. Needs two images at least. The control
    ranks an image's distractors by that other image's scores (docs/method.md, control-content).
    """
    from scipy import sparse

    pool = np.array(sorted(range(len(names)), key=lambda one: _tie_break(seed, "", names[one]))[:MOST_CANDIDATES])
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(name for objects in present for name in objects))}
    rows = np.repeat(np.arange(len(present)), [len(objects) for objects in present])
    columns = [vocabulary[name] for objects in present for name in objects]
    shape = (len(present), len(vocabulary))
    member = sparse.coo_matrix((np.ones(len(columns), dtype=np.float32), (rows, columns)), shape=shape).tocsr()
    candidates = member[pool].T
    sizes = np.asarray(member.sum(axis=1)).ravel()
    partners: list[int] = []
    for start in range(0, len(present), _ROWS_AT_ONCE):
        shared = (member[start : start + _ROWS_AT_ONCE] @ candidates).toarray()
        for row, both in enumerate(shared, start):
            jaccard = both / np.maximum(sizes[pool] + sizes[row] - both, 1)
            jaccard[pool == row] = -np.inf
            ties = pool[jaccard == jaccard.max()][:_MOST_TIES].tolist()
            partners.append(min(ties, key=lambda other: _tie_break(seed, names[row], names[other])))
    return partners


def _tie_break(seed: int, image: str, other: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{image}\n{other}".encode()).digest()
