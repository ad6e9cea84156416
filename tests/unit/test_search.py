"""Every ranking strategy and guard against a naive loop over its definition, on annotations and embeddings made by hypothesis."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.records import Annotations, Category, Image
from hope_bench.search import guards
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guarding import guard
from hope_bench.search.inputs import Encoded, SearchInputs
from hope_bench.search.risk import FOLDS, TILES, labelled_probability, risk_of_presence
from hope_bench.search.selection import Distractor
from hope_bench.search.strategies import distractors
from hope_bench.spec import BenchmarkSpec, CalibratedSpec, CategorySpec, ClipSpec, GuardsSpec

WORDS = ["apple", "bus", "cup", "dog", "egg", "fork", "owl"]
STRATEGIES = ["category-cooccurrence", "category-similarity", "category", "content", "control-content", "description", "hope"]


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_annotations(objects: Sequence[Sequence[str]], rng: np.random.Generator, captions: bool = False) -> Annotations:
    """Images of 100 x 100 pixels, each object once or more with a random box and colour."""
    starts = np.cumsum([0, *(len(names) for names in objects)]).astype(np.int64)
    flat = [WORDS.index(name) for names in objects for name in names]
    corners = rng.uniform(0, 60, size=(len(flat), 2))
    boxes = np.concatenate([corners, rng.uniform(5, 40, size=(len(flat), 2))], axis=1).astype(np.float32)
    return Annotations(
        categories=tuple(Category(name) for name in WORDS),
        images=tuple(Image(f"{index}.png", 100, 100) for index in range(len(objects))),
        starts=starts,
        category_of=np.array(flat, dtype=np.int32),
        crowd=np.zeros(len(flat), dtype=np.bool_),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        attributes={row: {"color": ["red", "blue", "green"][int(rng.integers(3))]} for row in range(len(flat))},
        captions={0: ("Two dogs and an owl.", "a fork-lift")} if captions else {},
    )


def make_inputs(objects: Sequence[Sequence[str]], seed: int, **changes: object) -> SearchInputs:
    rng = np.random.default_rng(seed)
    annotations = make_annotations(objects, rng)
    sampled = [index for index, names in enumerate(objects) if names]
    known: dict[str, np.ndarray] = {}

    def encode_captions(captions: Sequence[str]) -> np.ndarray:
        for caption in captions:
            known.setdefault(caption, unit(np.random.default_rng(abs(hash_of(caption)) + seed), 5))
        return np.stack([known[caption] for caption in captions])

    encoded = Encoded(
        images=unit(rng, len(sampled), 5),
        categories=unit(rng, len(WORDS), 5),
        prototypes=unit(rng, len(WORDS), 5),
        logit_scale=20.0,
        encode_captions=encode_captions,
        tiles=unit(rng, len(sampled), len(TILES), 5),
    )
    spec = BenchmarkSpec(
        name="x",
        k=2,
        seed=seed,
        clip=ClipSpec(model="local-dir:x"),
        strategies=tuple(STRATEGIES),
        guards=GuardsSpec(ontology=False),
    ).model_copy(update=changes)
    return SearchInputs(spec, annotations, tuple(sampled), {"": encoded})


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode(), "little") % 2**31


def asked(split: str, inputs: SearchInputs) -> list[list[Distractor]]:
    return distractors(split, inputs, guard(inputs).allowed, FalseDescriptions(inputs))


def cooccurrence_score(inputs: SearchInputs, image: int, candidate: str) -> float:
    """Mean over present p of P(candidate | p) on the whole annotation set, counted image by image."""
    everyone = [set(inputs.annotations.present(index)) for index in range(len(inputs.annotations.images))]
    shares = []
    for p in inputs.annotations.present(image):
        with_p = [names for names in everyone if p in names]
        shares.append(sum(candidate in names for names in with_p) / len(with_p))
    return sum(shares) / len(shares)


def similarity_score(inputs: SearchInputs, image: int, candidate: str) -> float:
    vectors = inputs.encoded[""].prototypes
    return sum(float(vectors[WORDS.index(p)] @ vectors[WORDS.index(candidate)]) for p in inputs.annotations.present(image)) / len(
        inputs.annotations.present(image)
    )


def z_scores(values: dict[str, float]) -> dict[str, float]:
    mean = sum(values.values()) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values.values()) / len(values))
    return {name: (value - mean) / spread if spread > 1e-12 else 0.0 for name, value in values.items()}


def naive_scores(split: str, inputs: SearchInputs, row: int) -> dict[str, float]:
    """Every absent category's score by the strategy's definition."""
    image = inputs.images[row]
    absent = [name for name in WORDS if name not in inputs.annotations.present(image)]
    if split == "category-cooccurrence":
        return {name: cooccurrence_score(inputs, image, name) for name in absent}
    if split == "category-similarity":
        return {name: similarity_score(inputs, image, name) for name in absent}
    if split == "category":
        parts = [
            z_scores({name: score(inputs, image, name) for name in absent}) for score in (cooccurrence_score, similarity_score)
        ]
        return {name: sum(part[name] for part in parts) for name in absent}
    encoded = inputs.encoded[""]
    return {name: float(encoded.images[row] @ encoded.categories[WORDS.index(name)]) for name in absent}


OBJECTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=3, max_size=9).filter(
    lambda images: sum(bool(names) for names in images) >= 2
)


@pytest.mark.parametrize("split", ["category-cooccurrence", "category-similarity", "category", "content"])
@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_rankings_equal_their_definition(split: str, objects: list[list[str]], seed: int) -> None:
    inputs = make_inputs(objects, seed)
    for row, chosen in enumerate(asked(split, inputs)):
        scores = naive_scores(split, inputs, row)
        names = [one.name for one in chosen]
        assert len(names) == min(2, len(scores)) == len(set(names))
        assert set(names) <= scores.keys()
        # equal up to rounding: what was chosen scores no lower than anything left out, and in falling order
        values = [scores[name] for name in names]
        assert values == sorted(values, reverse=True) or np.allclose(values, sorted(values, reverse=True), atol=1e-5)
        rest = [value for name, value in scores.items() if name not in names]
        assert not rest or min(values) >= max(rest) - 1e-5


@pytest.mark.parametrize("split", STRATEGIES)
@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_never_a_present_or_repeated_claim_and_the_same_again(split: str, objects: list[list[str]], seed: int) -> None:
    inputs = make_inputs(objects, seed)
    first = asked(split, inputs)
    assert first == asked(split, make_inputs(objects, seed))
    for row, chosen in enumerate(first):
        present = inputs.annotations.present(inputs.images[row])
        claims = [one.name if one.description is None else one.description.question for one in chosen]
        assert len(claims) == len(set(claims)) <= 2
        for one in chosen:
            assert (one.name in present) == (one.description is not None)


@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_max_aggregate(objects: list[list[str]], seed: int) -> None:
    inputs = make_inputs(objects, seed, category=CategorySpec(aggregate="max"))
    vectors = inputs.encoded[""].prototypes
    for row, chosen in enumerate(asked("category-similarity", inputs)):
        present = inputs.annotations.present(inputs.images[row])
        scores = {
            name: max(float(vectors[WORDS.index(name)] @ vectors[WORDS.index(p)]) for p in present)
            for name in WORDS
            if name not in present
        }
        if scores:
            assert scores[chosen[0].name] == pytest.approx(max(scores.values()), abs=1e-5)


@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_false_descriptions_are_false_of_every_instance(objects: list[list[str]], seed: int) -> None:
    inputs = make_inputs(objects, seed, k=8)
    false = FalseDescriptions(inputs)
    for row, image in enumerate(inputs.images):
        instances = inputs.annotations.instances(image)
        for chosen in false.best(row, "", 8):
            one, twin = chosen.description, chosen.twin
            assert one is not None
            assert twin is not None
            own = [instance for instance in instances if instance.category == one.object]
            boxes = [instance.bbox for instance in own if instance.bbox is not None]
            if one.kind == "attribute":
                assert all(instance.attributes["color"] != one.value for instance in own)
                assert one.question == f"Is there a {one.value} {one.object} in the image?"
            elif one.kind == "count":
                assert int(one.value) != len(own)
            elif one.kind in ("side", "half"):
                axis = 0 if one.kind == "side" else 1
                middles = [box[axis] + box[axis + 2] / 2 for box in boxes]
                assert all(middle > 50 if one.value in ("left", "top") else middle < 50 for middle in middles)
            assert twin.object == one.object
            assert twin.question != one.question


def test_wording_of_descriptions() -> None:
    rng = np.random.default_rng(0)
    annotations = make_annotations([["bus", "bus", "apple"]], rng)
    boxes = np.array([[0, 0, 30, 30], [5, 0, 30, 30], [70, 60, 20, 20]], dtype=np.float32)
    annotations = Annotations(
        annotations.categories, annotations.images, annotations.starts, annotations.category_of, annotations.crowd, boxes,
        attributes={0: {"color": "red"}, 1: {"color": "orange"}, 2: {"color": "green"}},
    )  # fmt: skip
    inputs = SearchInputs(BenchmarkSpec(name="x"), annotations, (0,), make_inputs([["bus"], ["cup"]], 0).encoded)
    questions = {one.description.question for one in FalseDescriptions(inputs).best(0, "", 99) if one.description is not None}
    for text in (
        "Is there a green bus in the image?",
        "Is there an orange apple in the image?",
        "Are there exactly three buses in the image?",
        "Is there exactly one bus in the image?",
        "Is there an apple on the left side of the image?",
        "Is there a bus in the bottom half of the image?",
    ):
        assert text in questions
    for text in ("Is there a red bus in the image?", "Are there exactly two buses in the image?"):
        assert text not in questions


def test_guards_remove_what_they_say() -> None:
    names = ["animal", "dog", "puppy", "couch", "sofa", "wine glass", "glass", "knife"]
    above, synonyms = {"dog": ("animal",), "puppy": ("dog",)}, {"couch": ("sofa",)}
    categories = tuple(Category(name, parents=above.get(name, ()), synonyms=synonyms.get(name, ())) for name in names)
    annotations = Annotations(
        categories=categories,
        images=(Image("a.jpg"), Image("b.jpg")),
        starts=np.array([0, 1, 2]),
        category_of=np.array([1, 3], dtype=np.int32),
        crowd=np.zeros(2, dtype=np.bool_),
        captions={0: ("A man with two wine-glasses and knives.",), 1: ("Knifelike shapes, a dog's toy",)},
        verified_absent={0: frozenset({4, 7}), 1: frozenset({0})},
        not_exhaustive={0: frozenset({7})},
    )
    present = np.zeros((2, 8), dtype=np.bool_)
    present[0, 1] = present[1, 3] = True

    def removed(mask: np.ndarray, row: int) -> set[str]:
        return {categories[column].name for column in np.flatnonzero(mask[row])}

    ontology = guards.ontology(categories, present, [("glass", "couch")])
    assert removed(ontology, 0) == {"animal", "puppy"}
    assert removed(ontology, 1) == {"sofa", "glass"}
    captions = guards.captions(annotations, [0, 1])
    assert removed(captions, 0) == {"wine glass", "glass", "knife"}
    assert removed(captions, 1) == {"dog"}
    verified = guards.verified(annotations, [0, 1])
    assert removed(verified, 0) == {category.name for category in categories} - {"sofa"}
    assert removed(verified, 1) == {category.name for category in categories} - {"animal"}


@given(objects=OBJECTS, seed=st.integers(0, 10**4))
@settings(max_examples=10, deadline=None)
def test_a_guarded_category_is_never_asked_about(objects: list[list[str]], seed: int) -> None:
    barred = random.Random(seed).choice(WORDS)
    claims = {(f"{image}.png", barred, None) for image in range(len(objects))}
    inputs = make_inputs(objects, seed)
    guarded = guard(inputs, claims)
    for split in ("content", "category", "hope"):
        for chosen in distractors(split, inputs, guarded.allowed, FalseDescriptions(inputs, rejected=claims)):
            assert not any(one.name == barred and one.description is None for one in chosen)


def test_risk_follows_its_formula() -> None:
    r = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    for completeness in (1.0, 0.9, 0.5):
        expected = [min(1.0, (1 - completeness) / completeness * (p / (1 - p) if p < 1 else 1e12)) for p in r.tolist()]
        np.testing.assert_allclose(risk_of_presence(r, completeness), expected, atol=1e-9)


def test_risk_is_calibrated_where_labels_are_missing_at_random() -> None:
    """Presence drawn from a logistic model, 30% of the labels deleted: predicted risk equals the true rate, bin by bin."""
    rng = np.random.default_rng(0)
    images, categories, completeness = 4000, 6, 0.7
    evidence = rng.normal(size=(images, categories, 2))
    truth = rng.random((images, categories)) < 1 / (1 + np.exp(-(1.5 * evidence[..., 0] + evidence[..., 1] - 1)))
    labelled = truth & (rng.random(truth.shape) < completeness)
    r = labelled_probability(evidence, labelled, rng.permutation(images) % FOLDS)
    risk = risk_of_presence(r, completeness)
    for low, high in ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.8)):
        inside = ~labelled & (risk >= low) & (risk < high)
        assert inside.sum() > 300
        assert abs(risk[inside].mean() - truth[inside].mean()) < 0.06  # labelled is c times a logistic, not one itself


def test_calibrated_guard_drops_risky_candidates_and_questions_carry_the_risk() -> None:
    objects = [[WORDS[(index + step) % 7] for step in range(3)] for index in range(60)]
    spec = GuardsSpec(ontology=False, calibrated=CalibratedSpec(completeness=0.5, most_risk=0.3))
    inputs = make_inputs(objects, 3, guards=spec)
    guarded = guard(inputs)
    assert guarded.risk is not None
    assert (guarded.removed["calibrated"] == ((guarded.risk > 0.3) & guarded.absent)).all()
    assert not (guarded.allowed & (guarded.risk > 0.3)).any()
    risk, evidence = guarded.facts(0, 4)
    assert risk == round(float(guarded.risk[0, 4]), 4)
    assert evidence is not None
    assert evidence.keys() == {"whole", "tile"}
