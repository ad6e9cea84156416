"""The content-aware search and its control against naive loops over their definitions."""

from __future__ import annotations

import hashlib
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.search.content import content_probability, content_similarity
from hope_bench.search.control_content import most_similar_images
from hope_bench.search.selection import top_columns

WORDS = [f"word{number}" for number in range(9)]


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_top_candidates_are_the_likeliest_absent_ones(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=len(WORDS)), 1)  # rounded, so that there are ties
    present = set(rng.choice(WORDS, size=int(rng.integers(0, 9)), replace=False).tolist())
    expected: list[str] = []
    for _ in range(min(k, len(WORDS) - len(present))):
        best = None
        for name in sorted(WORDS):
            if name in present or name in expected:
                continue
            if best is None or scores[WORDS.index(name)] > scores[WORDS.index(best)]:
                best = name
        assert best is not None
        expected.append(best)
    allowed = np.array([[name not in present for name in WORDS]])
    (columns,) = top_columns(scores[None], WORDS, allowed, k)
    assert [WORDS[column] for column in columns] == expected


@pytest.mark.parametrize("k", [1, 5, 150, 400])
def test_the_best_of_many_columns_are_those_of_sorting_them_all(k: int) -> None:
    rng = np.random.default_rng(k)
    scores, allowed = np.round(rng.normal(size=(3, 300)), 2), rng.random((3, 300)) < np.array([[0.9], [0.3], [0.0]])
    names = [f"word{number:03}" for number in rng.permutation(300)]
    expected = [
        sorted(np.flatnonzero(allowed[row]).tolist(), key=lambda column, row=row: (-scores[row, column], names[column]))[:k]
        for row in range(3)
    ]
    assert top_columns(scores, names, allowed, k) == expected


def test_probability_is_the_softmax_of_scaled_cosines() -> None:
    rng = np.random.default_rng(0)
    images, categories = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    categories /= np.linalg.norm(categories, axis=1, keepdims=True)
    similarity = content_similarity(images.astype(np.float32), categories.astype(np.float32))
    probability = content_probability(similarity, 100.0)
    for row in range(3):
        weights = [np.exp(100.0 * float(images[row] @ categories[column])) for column in range(4)]
        np.testing.assert_allclose(probability[row], np.array(weights) / sum(weights), rtol=1e-3)


def test_probability_of_other_encoders() -> None:
    """SigLIP's sigmoid of each pair; and the cosine itself where nothing scales it."""
    cosines = np.array([[-0.4, 0.0, 0.05], [0.3, 0.9, 1.0]], dtype=np.float32)
    pairs = content_probability(cosines, 20.0, -3.0)
    np.testing.assert_allclose(pairs, 1 / (1 + np.exp(-(20.0 * cosines.astype(np.float64) - 3.0))), rtol=1e-9)
    np.testing.assert_array_equal(content_probability(cosines, None, -3.0), cosines.astype(np.float64))
    with patch("hope_bench.search.content.ROWS_AT_ONCE", 1):
        np.testing.assert_array_equal(content_probability(cosines, 20.0, -3.0), pairs)
        np.testing.assert_allclose(content_probability(cosines, 20.0).sum(axis=1), 1)
    sure = content_probability(np.array([[1.0, 0.0]]), 2000.0)
    np.testing.assert_array_equal(sure, [[1.0, 0.0]])


@given(st.lists(st.sets(st.sampled_from(WORDS), min_size=1), min_size=2, max_size=12), st.integers(0, 5), st.integers(2, 12))
@settings(max_examples=100, deadline=None)
def test_control_takes_the_image_with_the_most_similar_objects(present: list[set[str]], seed: int, most: int) -> None:
    names = [f"{index}.png" for index in range(len(present))]
    with patch("hope_bench.search.control_content.MOST_CANDIDATES", most):
        partners = most_similar_images([sorted(objects) for objects in present], names, seed)
    drawn = sorted(range(len(names)), key=lambda one: hashlib.sha256(f"{seed}\n\n{names[one]}".encode()).digest())[:most]
    for index, objects in enumerate(present):
        jaccard = {other: len(objects & present[other]) / len(objects | present[other]) for other in drawn if other != index}
        assert partners[index] != index
        best = max(jaccard.values())
        tied = [other for other, value in jaccard.items() if abs(value - best) < 1e-9]
        digest = {other: hashlib.sha256(f"{seed}\n{names[index]}\n{names[other]}".encode()).digest() for other in tied}
        assert partners[index] == min(tied, key=lambda other: digest[other])
