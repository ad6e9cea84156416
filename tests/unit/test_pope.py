"""POPE's draws against a plain re-statement of the published algorithm."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.annotations import read_annotations
from hope_bench.search.pope import pope_negatives, sample_images, statistics


def naive_pope(
    present: Sequence[Sequence[str]], count: int, k: int, seed: int, forbidden: Sequence[Set[str]] | None = None
) -> dict[str, list[tuple[int, str, str]]]:
    """docs/method.md, POPE baselines, line by line: (image, object, label) rows per strategy; `forbidden` by image is what guards
    remove."""
    rng = random.Random(seed)
    sampled = rng.sample([index for index, objects in enumerate(present) if len(objects) >= k], count)
    frequency: dict[str, int] = {}
    together: dict[str, dict[str, int]] = {}
    for index in sampled:
        for one in present[index]:
            frequency[one] = frequency.get(one, 0) + 1
            together.setdefault(one, {})
            for other in present[index]:
                if other != one:
                    together[one][other] = together[one].get(other, 0) + 1
    vocabulary = list(frequency)
    popular = [name for name, _ in sorted(frequency.items(), key=lambda item: item[1], reverse=True)]
    rows: dict[str, list[tuple[int, str, str]]] = {}
    for strategy in ("random", "popular", "adversarial"):
        rows[strategy] = []
        for index in sampled:
            history: list[str] = [] if forbidden is None else list(forbidden[index])
            for position in range(k):
                positive = present[index][position]
                rows[strategy].append((index, positive, "yes"))
                if strategy == "random":
                    ordered = []
                elif strategy == "popular":
                    ordered = popular
                else:
                    ordered = [name for name, _ in sorted(together[positive].items(), key=lambda item: item[1], reverse=True)]
                negative = None
                for name in ordered:
                    if name not in history and name not in present[index]:
                        negative = name
                        break
                if negative is None:
                    negative = rng.choice(vocabulary)
                    while negative in history or negative in present[index]:
                        negative = rng.choice(vocabulary)
                history.append(negative)
                rows[strategy].append((index, negative, "no"))
    return rows


def ours(
    present: Sequence[Sequence[str]], count: int, k: int, seed: int, forbidden: Sequence[Set[str]] | None = None
) -> dict[str, list[tuple[int, str, str]]]:
    rng = random.Random(seed)
    sampled = sample_images(rng, present, count, k)
    barred = None if forbidden is None else [forbidden[index] for index in sampled]
    negatives = pope_negatives(rng, [present[index] for index in sampled], k, barred)
    rows: dict[str, list[tuple[int, str, str]]] = {strategy: [] for strategy in negatives}
    for strategy, per_image in negatives.items():
        for index, names in zip(sampled, per_image, strict=True):
            assert names is not None
            for positive, negative in zip(present[index][:k], names, strict=True):
                rows[strategy] += [(index, positive, "yes"), (index, negative, "no")]
    return rows


WORDS = [f"word{number}" for number in range(14)]
IMAGES = st.lists(st.lists(st.sampled_from(WORDS), unique=True, max_size=6).map(tuple), min_size=4, max_size=25)


@given(present=IMAGES, seed=st.integers(0, 2**32), k=st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_equal_to_the_published_algorithm(present: list[tuple[str, ...]], seed: int, k: int) -> None:
    eligible = [objects for objects in present if len(objects) >= k]
    count = len(eligible)
    seen = len({name for objects in eligible for name in objects})
    if count == 0 or any(seen - len(objects) < k for objects in eligible):
        return  # the published algorithm would never end on such an image; see the next test for ours
    assert ours(present, count, k, seed) == naive_pope(present, count, k, seed)


@given(present=IMAGES, seed=st.integers(0, 2**32), k=st.integers(1, 3), data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_guarded_variants_draw_alike_from_what_the_guards_left(
    present: list[tuple[str, ...]], seed: int, k: int, data: st.DataObject
) -> None:
    forbidden = [data.draw(st.frozensets(st.sampled_from(WORDS), max_size=5)) for _ in present]
    eligible = [index for index, objects in enumerate(present) if len(objects) >= k]
    seen = {name for index in eligible for name in present[index]}
    if not eligible or any(len(seen - set(present[index]) - forbidden[index]) < k for index in eligible):
        return
    expected = naive_pope(present, len(eligible), k, seed, forbidden)
    assert ours(present, len(eligible), k, seed, forbidden) == expected
    assert not any(name in forbidden[index] for rows in expected.values() for index, name, label in rows if label == "no")


def test_an_image_without_enough_absent_categories_is_left_out_and_costs_no_draw() -> None:
    full = ("a", "b", "c", "d")
    others = [("a", "b"), ("c", "d")]
    with_full = pope_negatives(random.Random(1), [others[0], full, others[1]], 2)
    assert [names is None for names in with_full["random"]] == [False, True, False]
    without = pope_negatives(random.Random(1), others, 2)
    assert [names for names in with_full["random"] if names is not None] == without["random"]


def test_ties_keep_first_seen_order() -> None:
    counts = statistics([("dog", "cat"), ("bird", "dog"), ("cat", "fish")])
    assert counts.seen == ["dog", "cat", "bird", "fish"]
    assert counts.popular == ["dog", "cat", "bird", "fish"]
    assert counts.co_occurring["dog"] == ["cat", "bird"]


@pytest.mark.real
@pytest.mark.parametrize("seed", [0, 1, 2026])
def test_equal_to_the_published_algorithm_on_real_coco(real: Path, seed: int) -> None:
    annotations = read_annotations(real / "coco-mini" / "instances_val2017.json")
    present = [annotations.present(image) for image in range(len(annotations.images))]
    count = sum(len(objects) >= 3 for objects in present)
    assert count > 30
    assert ours(present, count, 3, seed) == naive_pope(present, count, 3, seed)
    assert ours(present, 20, 3, seed) == naive_pope(present, 20, 3, seed)
