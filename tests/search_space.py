"""Small annotations and random embeddings for tests of strategies and guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hope_bench.files.spec import BenchmarkSpec, ClipSpec, GuardsSpec
from hope_bench.records import Annotations, Category, Image
from hope_bench.search.risk import TILES
from hope_bench.search.space import Encoded, SearchSpace

WORDS = ["apple", "bus", "cup", "dog", "egg", "fork", "owl"]

OBJECTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=3, max_size=9).filter(
    lambda images: sum(bool(names) for names in images) >= 2
)
"""What each of some images shows, with repetitions; two of them show something."""


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_annotations(objects: Sequence[Sequence[str]], rng: np.random.Generator, **more: Any) -> Annotations:
    """Images of 100 x 100 pixels, each object with a random box and colour; `more` are further fields of the annotations."""
    starts = np.cumsum([0, *(len(names) for names in objects)]).astype(np.int64)
    flat = [WORDS.index(name) for names in objects for name in names]
    corners = rng.uniform(0, 60, size=(len(flat), 2))
    boxes = np.concatenate([corners, rng.uniform(5, 40, size=(len(flat), 2))], axis=1).astype(np.float32)
    fields = {
        "categories": tuple(Category(name) for name in WORDS),
        "images": tuple(Image(f"{index}.png", 100, 100) for index in range(len(objects))),
        "attributes": {row: {"color": ["red", "blue", "green"][int(rng.integers(3))]} for row in range(len(flat))},
    }
    return Annotations(
        starts=starts,
        category_of=np.array(flat, dtype=np.int32),
        crowd=np.zeros(len(flat), dtype=np.bool_),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        **(fields | more),
    )


def make_encoded(images: int, seed: int) -> Encoded:
    """A random encoder of 5 dimensions; a text always has the same embedding."""
    rng = np.random.default_rng(seed)
    known: dict[str, np.ndarray] = {}

    def encode_captions(captions: Sequence[str]) -> np.ndarray:
        for caption in captions:
            own = int.from_bytes(caption.encode(), "little") % 2**31
            known.setdefault(caption, unit(np.random.default_rng(own + seed), 5))
        return np.stack([known[caption] for caption in captions])

    whole, categories = unit(rng, images, 5), unit(rng, len(WORDS), 5)
    return Encoded(
        images=whole,
        categories=categories,
        prototypes=unit(rng, len(WORDS), 5),
        logit_scale=20.0,
        encode_captions=encode_captions,
        best_tile=(unit(rng, images, len(TILES), 5) @ categories.T).max(axis=1),
    )


def make_space(
    objects: Sequence[Sequence[str]], seed: int, annotated: Mapping[str, Any] | None = None, **spec: object
) -> SearchSpace:
    """All images that show something, searched with two encoders, "" and "other"; no guard on unless `spec` says so."""
    annotations = make_annotations(objects, np.random.default_rng(seed), **(annotated or {}))
    sampled = tuple(index for index, names in enumerate(objects) if names)
    encoders = {"other": ClipSpec(model="local-dir:y")}
    base = BenchmarkSpec(name="x", k=2, seed=seed, clip=ClipSpec(model="local-dir:x"), encoders=encoders).model_copy(
        update={"guards": GuardsSpec(ontology=False, annotated=False), **spec}
    )
    encoded = {"": make_encoded(len(sampled), seed), "other": make_encoded(len(sampled), seed + 1)}
    return SearchSpace(base, annotations, sampled, encoded)
