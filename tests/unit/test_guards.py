"""Every guard against a naive loop over its definition, and the calibrated guard's risk against the truth."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import CalibratedSpec, GuardsSpec
from hope_bench.records import Annotations, Category, Image
from hope_bench.search import guards
from hope_bench.search.evidence_given import read_evidence
from hope_bench.search.guards import guard
from hope_bench.search.risk import FOLDS, estimate_risk, labelled_probability, lookalikes, risk_of_presence
from hope_bench.wording import plural
from tests.search_space import OBJECTS, WORDS, make_annotations, make_space, unit


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

    ontology = guards.ontology(categories, present, None, 1.0)
    assert removed(ontology, 0) == {"animal", "puppy"}
    assert removed(ontology, 1) == {"sofa"}
    captions = guards.captions(annotations, [0, 1])
    assert removed(captions, 0) == {"wine glass", "glass", "knife"}
    assert removed(captions, 1) == {"dog"}
    verified = guards.verified(annotations, [0, 1])
    assert removed(verified, 0) == {category.name for category in categories} - {"sofa"}
    assert removed(verified, 1) == {category.name for category in categories} - {"animal"}


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
    inputs = make_space(objects, 3, guards=spec)
    guarded = guard(inputs)
    assert guarded.risk is not None
    assert (guarded.removed["calibrated"] == ((guarded.risk > 0.3) & guarded.absent)).all()
    assert not (guarded.allowed & (guarded.risk > 0.3)).any()
    risk, evidence = guarded.facts(0, 4)
    assert risk == round(float(guarded.risk[0, 4]), 4)
    assert evidence is not None
    names = ("whole", "tile", "lookalikes")
    assert guarded.evidence is not None
    assert evidence == dict(zip(names, (round(float(one), 4) for one in guarded.evidence[0, 4]), strict=True))


def test_what_the_calibrated_guard_looks_at_and_from_which_risk_on_it_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [[WORDS[(index + step) % 7] for step in range(2)] for index in range(12)]
    spec = GuardsSpec(ontology=False, annotated=False, calibrated=CalibratedSpec(completeness=0.75, most_risk=0.25))
    inputs = make_space(objects, 3, guards=spec)
    main, asked = inputs.encoded[""], []
    risk, evidence = np.full((12, 7), 0.25), np.zeros((12, 7, 3))
    risk[0] = 0.26

    def estimate(*given: object) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(given)
        return risk, evidence

    monkeypatch.setattr(guards, "estimate_risk", estimate)
    guarded = guard(inputs)
    assert guarded.removed["calibrated"].tolist() == [((risk[row] > 0.25) & guarded.absent[row]).tolist() for row in range(12)]
    assert guarded.removed["calibrated"].sum() == 5
    seen, present, alike, completeness, fold_of = asked
    assert np.array_equal(seen, np.stack([main.images @ main.categories.T, main.best_tile], axis=2).astype(np.float64))
    assert np.array_equal(present, inputs.present_mask)
    assert np.array_equal(alike, guards.centred_similarity(main.categories).astype(np.float64))
    assert completeness == 0.75
    assert fold_of.tolist() == (np.random.default_rng(3).permutation(12) % 5).tolist()


def test_evidence_that_a_user_brings_finds_what_nobody_labelled() -> None:
    """A detector that sees what was deleted: its categories become risky, and nothing else does."""
    rng = np.random.default_rng(1)
    truth = rng.random((200, 7)) < 0.4
    labelled = truth & (rng.random(truth.shape) < 0.7)
    labelled[~labelled.any(axis=1), 0] = True
    truth |= labelled
    objects = [[WORDS[column] for column in np.flatnonzero(row)] for row in labelled]
    spec = GuardsSpec(ontology=False, calibrated=CalibratedSpec(completeness=0.7, most_risk=0.5))
    space = make_space(objects, 3, guards=spec)
    without, seeing = guard(space), guard(replace(space, seen=truth + rng.normal(0, 0.1, truth.shape)))
    deleted, absent = truth & ~labelled, ~truth
    assert without.risk is not None
    assert seeing.risk is not None
    assert without.risk[deleted].mean() < 0.5 < 0.7 < seeing.risk[deleted].mean()
    assert seeing.risk[absent].mean() < 0.1
    assert seeing.removed["calibrated"][deleted].mean() > 0.7 > 0.1 > seeing.removed["calibrated"][absent].mean()
    _, evidence = seeing.facts(0, 4)
    assert evidence is not None
    assert list(evidence) == ["whole", "tile", "given", "lookalikes"]


def _evidence(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_evidence_is_read_by_image_and_category(tmp_path: Path) -> None:
    annotations = Annotations(
        categories=(Category("Wine_Glass"), Category("dog")),
        images=(Image("a/1.jpg"), Image("a/2.jpg"), Image("b/2.jpg"), Image("a/3.jpg")),
        starts=np.zeros(5, dtype=np.int64),
        category_of=np.array([], dtype=np.int32),
        crowd=np.zeros(0, dtype=np.bool_),
    )
    rows = [("1.jpg", "wine glass", 0.2), ("a/1.jpg", "Wine_Glass", 0.7), ("1.jpg", "wine glass", 0.3)]
    rows += [("D:\\coco\\b\\2.jpg", "Dog", 0.5), ("/home/me/coco/b/2.jpg", "dog", 0.4), ("coco/b/2.jpg", "dog", 0.1)]
    unknown = [("2.jpg", "dog", 0.9), ("1.jpg", "cat", 0.9), ("1.jpg", "cat", 0.8)]  # two pictures are called 2.jpg
    lines = [{"image": image, "category": name, "score": score, "box": [0, 0, 1, 1]} for image, name, score in [*rows, *unknown]]
    found = read_evidence(_evidence(tmp_path / "seen.jsonl", *lines), annotations)
    assert found.scores == {("a/1.jpg", "Wine_Glass"): 0.7, ("b/2.jpg", "dog"): 0.5}
    assert found.problems == (
        "seen.jsonl: 1 line left out: images that the annotations lack (2.jpg).",
        "seen.jsonl: 2 lines left out: categories that the annotations lack (cat).",
    )
    files = ["a/1.jpg", "b/2.jpg", "a/3.jpg"]
    made = found.matrix(files, ["Wine_Glass", "dog"])
    assert made.tolist() == [[0.7, 0.0], [0.0, 0.5], [0.35, 0.25]]  # nobody looked at 3.jpg
    assert found.notes(files) == ["No evidence was given for 1 of 3 images (a/3.jpg)."]
    blank = tmp_path / "blank.jsonl"
    first, *_, last = (json.dumps(line) for line in lines[:4])
    blank.write_text(f"\n{first}\n  \n{last}\n\n")
    assert read_evidence(blank, annotations).scores == {("a/1.jpg", "Wine_Glass"): 0.2, ("b/2.jpg", "dog"): 0.5}
    files = [f"{n}.jpg" for n in range(5)] * 300
    assert found.notes(files) == ["No evidence was given for 1,500 of 1,500 images (0.jpg, 1.jpg, 2.jpg and 1497 more)."]
    strangers = [{"image": f"{n}.png", "category": "dog", "score": 1} for n in range(5)]
    (problem,) = read_evidence(_evidence(tmp_path / "more.jsonl", *strangers, *lines[:1]), annotations).problems
    assert problem == "more.jsonl: 5 lines left out: images that the annotations lack (0.png, 1.png, 2.png and 2 more)."
    logits = [{"image": "1.jpg", "category": "dog", "score": -3}, {"image": "1.jpg", "category": "wine glass", "score": -1.5}]
    below = read_evidence(_evidence(tmp_path / "logits.jsonl", *logits), annotations)
    assert below.matrix(["a/1.jpg"], ["Wine_Glass", "dog", "bus"]).tolist() == [[-1.5, -3.0, -3.0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"image": "1.jpg", "category": "dog", "score": 1}\n{"image": "1.jpg", "score": 1}\n', "line 2: no evidence"),
        ('{"image": "1.jpg", "category": "dog", "score": "high"}\n', "line 1: no evidence"),
        ('{"image": "1.jpg", "category": "dog", "score": 1e999}\n', "line 1"),
        ('{"image": "1.jpg", "category": "cat", "score": 1}\n', r"no line is about an image and a category .*\(cat\)"),
        (
            "".join(f'{{"image": "{name}", "category": "dog", "score": 1}}\n' for name in "abc"),
            r"no line is about an image and a category .*\(a, b and 1 more\)",
        ),
        ("", "no line is about an image and a category .*it is empty"),
    ],
)
def test_evidence_that_says_nothing_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    annotations = make_annotations([["dog"]], np.random.default_rng(0))
    annotations = replace(annotations, images=(Image("1.jpg"),))
    (tmp_path / "seen.jsonl").write_text(text)
    with pytest.raises(HopeBenchError, match=expected):
        read_evidence(tmp_path / "seen.jsonl", annotations)
    with pytest.raises(HopeBenchError, match="does not exist"):
        read_evidence(tmp_path / "none.jsonl", annotations)


def test_evidence_needs_the_guard_that_looks_at_it() -> None:
    with pytest.raises(ValidationError, match=r"add \[guards.calibrated\]"):
        GuardsSpec(evidence="seen.jsonl")


NAMES = ["dog", "wine glass", "glass", "knife", "bus", "sheep", "hot dog"]


@given(
    parents=st.lists(st.lists(st.sampled_from(NAMES), max_size=2), min_size=7, max_size=7),
    synonyms=st.lists(st.lists(st.sampled_from([*NAMES, "tumbler"]), max_size=2), min_size=7, max_size=7),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=80, deadline=None)
def test_ontology_equals_its_definition(parents: list[list[str]], synonyms: list[list[str]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    categories = [
        Category(name, parents=tuple(above), synonyms=tuple(same))
        for name, above, same in zip(NAMES, parents, synonyms, strict=True)
    ]
    present = rng.random((4, 7)) < 0.3
    texts = unit(rng, 7, 3)
    alike = guards.centred_similarity(texts)
    removed = guards.ontology(categories, present, alike, 0.6)

    def above(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Every ancestor; a hierarchy may hold circles."""
        direct = set(parents[NAMES.index(name)]) - seen
        return direct.union(*(above(one, seen | direct) for one in direct))

    def words(name: str) -> set[str]:
        return {name, *synonyms[NAMES.index(name)]}

    mean = texts.mean(axis=0)
    for row in range(4):
        for column, name in enumerate(NAMES):
            related = False
            for other_column, other in enumerate(NAMES):
                if other == name or not present[row, other_column]:
                    continue
                one, two = texts[column] - mean, texts[other_column] - mean
                cosine = float(one @ two) / float(np.linalg.norm(one) * np.linalg.norm(two))
                related |= bool(words(name) & words(other))
                related |= name in above(other) or other in above(name)
                related |= cosine >= 0.6
            assert removed[row, column] == related


def test_names_are_as_alike_as_their_texts_less_the_mean() -> None:
    """What is the mean itself is like nothing; names as alike as `same_name` are related, and no name to itself."""
    texts = np.array([[0.5, 0], [0, 0], [0.25, 0]], dtype=np.float32)
    alike = guards.centred_similarity(texts)
    assert alike.tolist() == [[1, -1, 0], [-1, 1, 0], [0, 0, 0]]
    categories, similarity = [Category(name) for name in ("dog", "cup", "owl")], np.array([[1, 0.5, 0.25]] * 3)
    related = guards.ontology(categories, np.array([[True, False, False]]), similarity, 0.5)
    assert related.tolist() == [[False, True, False]]


PIECES = [
    "A dog",
    "two dogs",
    "wine-glasses",
    "glass",
    "a bus's wheel",
    "buses",
    "hot dogs",
    "busy",
    "sheep.",
    "KNIVES",
    "a",
    "the",
]


@given(captions=st.lists(st.lists(st.sampled_from(PIECES), max_size=5).map(" ".join), max_size=3))
@settings(max_examples=80, deadline=None)
def test_captions_equal_their_definition(captions: list[str]) -> None:
    annotations = Annotations(
        categories=tuple(Category(name, synonyms=("tumbler",) if name == "glass" else ()) for name in NAMES),
        images=(Image("a.jpg"), Image("b.jpg")),
        starts=np.array([0, 0, 0]),
        category_of=np.array([], dtype=np.int32),
        crowd=np.zeros(0, dtype=np.bool_),
        captions={1: tuple(captions)},
    )
    removed = guards.captions(annotations, [0, 1])
    assert not removed[0].any()
    for column, name in enumerate(NAMES):
        forms = {name, plural(name)} | ({"tumbler", "tumblers"} if name == "glass" else set())
        pattern = "|".join(rf"\b{form}\b" for form in forms)
        texts = [re.sub(r"[-.']", " ", caption.lower()) for caption in captions]
        assert removed[1, column] == any(re.search(pattern, text) for text in texts)


def test_each_guard_is_on_where_the_spec_and_the_data_say_so() -> None:
    """Every mask in full, and what is left."""
    on = GuardsSpec(ontology=True, same_name=1.0)
    objects = [["dog", "cup"], ["owl"], ["dog"]]
    captions, checked, partly = {0: ("An owl",)}, {0: frozenset({3, 6, 4}), 1: frozenset({1})}, {2: frozenset({2})}

    def removed(
        guards_spec: GuardsSpec = on, also: frozenset[tuple[int, str]] = frozenset(), **annotated: object
    ) -> dict[str, set[tuple[int, str]]]:
        found = guard(make_space(objects, 0, annotated, guards=guards_spec))
        masks = {name: {(int(row), WORDS[c]) for row, c in np.argwhere(mask)} for name, mask in found.removed.items()}
        present = {(row, name) for row, names in enumerate(objects) for name in names} | also
        every = {(row, name) for row in range(3) for name in WORDS}
        assert {(int(row), WORDS[c]) for row, c in np.argwhere(found.absent)} == every - present
        left = every - present - set().union(*masks.values())
        assert {(int(row), WORDS[c]) for row, c in np.argwhere(found.allowed)} == left
        assert not any(mask & present for mask in masks.values())
        assert (found.risk, found.evidence) == (None, None)
        return masks

    def rest(*seen: str) -> set[tuple[int, str]]:
        return {(row, name) for row in range(3) for name in WORDS if name not in seen}

    unseen = rest("dog", "cup", "owl")
    assert removed() == {"annotated": unseen, "ontology": set()}
    also = frozenset({(1, "egg"), (1, "fork")})
    fewer = removed(also=also, also_present={1: (4, 5)})
    assert fewer == {"annotated": rest("dog", "cup", "owl", "egg", "fork"), "ontology": set()}
    assert removed(on.model_copy(update={"annotated": False, "ontology": False})) == {}
    assert removed(captions=captions) == {"annotated": unseen, "ontology": set(), "captions": {(0, "owl")}}
    assert removed(on.model_copy(update={"captions": False}), captions=captions) == {"annotated": unseen, "ontology": set()}
    assert removed(not_exhaustive=partly) == {"annotated": unseen, "ontology": set(), "verified": {(2, "cup")}}
    off = on.model_copy(update={"verified": False})
    assert removed(off, not_exhaustive=partly) == {"annotated": unseen, "ontology": set()}
    looked = rest() - {(0, "egg"), (0, "owl"), (1, "bus"), (0, "dog"), (0, "cup"), (1, "owl"), (2, "dog")}
    assert removed(verified_absent=checked) == {"ontology": set(), "verified": looked}, "who looked is known"
    assert removed(off, verified_absent=checked) == {"ontology": set()}


def test_a_long_name_is_found_in_a_caption_that_writes_it_apart() -> None:
    names = ["hot dog", "salt and pepper shaker", "suitcase", "cup"]
    annotations = Annotations(
        categories=tuple(Category(name) for name in names), images=(Image("a.jpg"), Image("b.jpg")), starts=np.zeros(3, np.int64),
        category_of=np.zeros(0, np.int32), crowd=np.zeros(0, np.bool_),
        captions={0: ("Next to it a salt and pepper sh aker",), 1: ("hot", "dog", "a suit case, one hot-dog")},
    )  # fmt: skip
    assert guards.captions(annotations, [1, 0]).tolist() == [[True, False, True, False], [False, True, False, False]]
    short = replace(
        annotations, categories=annotations.categories[2:], captions={0: ("a cup, a suit ca se, a su it case", "su it case here")}
    )
    assert guards.captions(short, [0]).tolist() == [[False, True]], "one word more than the longest name has"


@given(objects=OBJECTS, seed=st.integers(0, 10**6), data=st.data())
@settings(max_examples=50, deadline=None)
def test_verified_and_review_equal_their_definitions(objects: list[list[str]], seed: int, data: st.DataObject) -> None:
    columns = st.frozensets(st.integers(0, len(WORDS) - 1), max_size=4)
    images = range(len(objects))
    absent = data.draw(st.none() | st.dictionaries(st.sampled_from(images), columns))
    partly = data.draw(st.dictionaries(st.sampled_from(images), columns))
    annotations = make_annotations(objects, np.random.default_rng(seed), verified_absent=absent, not_exhaustive=partly)
    claims = data.draw(
        st.sets(
            st.tuples(st.sampled_from([f"{one}.png" for one in images]), st.sampled_from(WORDS), st.sampled_from([None, "x"]))
        )
    )
    order = list(images)[::-1]
    verified, review = guards.verified(annotations, order), guards.review(annotations, order, claims)
    for row, image in enumerate(order):
        for column, name in enumerate(WORDS):
            looked_for = absent is None or column in absent.get(image, ())
            assert verified[row, column] == (not looked_for or column in partly.get(image, ()))
            assert review[row, column] == ((f"{image}.png", name, None) in claims)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_lookalikes_equal_their_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    present, similarity = rng.random((3, 5)), rng.uniform(-1, 1, (5, 5))
    found = lookalikes(present, similarity)
    for row in range(3):
        for column in range(5):
            expected = 0.0
            for other in range(5):
                if other != column and similarity[other, column] > 0:
                    expected += present[row, other] * similarity[other, column] ** 2
            assert abs(found[row, column] - expected) < 1e-9


def test_an_image_is_judged_by_a_fit_that_never_saw_it() -> None:
    rng = np.random.default_rng(0)
    evidence, fold_of = rng.normal(size=(200, 4, 2)), rng.permutation(200) % FOLDS
    labelled = rng.random((200, 4)) < [0.4, 0.3, 0.05, 0.02]  # two frequent categories, two rare ones
    changed = labelled.copy()
    changed[fold_of == 2] = ~changed[fold_of == 2]
    before, after = labelled_probability(evidence, labelled, fold_of), labelled_probability(evidence, changed, fold_of)
    np.testing.assert_array_equal(before[fold_of == 2], after[fold_of == 2])
    assert (before[fold_of == 1] != after[fold_of == 1]).any()


def test_rare_categories_are_judged_by_how_often_they_are_labelled() -> None:
    rng = np.random.default_rng(0)
    evidence, fold_of = rng.normal(size=(1000, 40, 1)), rng.permutation(1000) % FOLDS
    rates = np.linspace(0.001, 0.012, 40)
    labelled = rng.random((1000, 40)) < rates
    r = labelled_probability(evidence, labelled, fold_of).mean(axis=0)
    assert r[:10].mean() < 0.5 * r[-10:].mean()
    np.testing.assert_allclose(r.mean(), labelled.mean(), rtol=0.1)


def test_what_a_labelled_lookalike_explains_is_less_of_a_risk() -> None:
    """CLIP sees category 0 wherever 1 is, which looks like it, and category 2 only where it is."""
    rng = np.random.default_rng(0)
    truth = rng.random((3000, 3)) < 0.3
    labelled = truth & (rng.random(truth.shape) < 0.8)
    seen = np.stack([truth[:, 0] | truth[:, 1], truth[:, 1], truth[:, 2]], axis=1) + rng.normal(0, 0.25, truth.shape)
    similarity = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    fold_of = rng.permutation(3000) % FOLDS
    risk, evidence = estimate_risk(seen[..., None], labelled, similarity, 0.8, fold_of)
    assert evidence.shape == (3000, 3, 2)
    unlabelled = ~labelled[:, 0] & (seen[:, 0] > 0.6)
    explained, unexplained = unlabelled & labelled[:, 1], unlabelled & ~labelled[:, 1]
    assert risk[explained, 0].mean() < 0.5 * risk[unexplained, 0].mean()
    assert truth[explained, 0].mean() < 0.5 * truth[unexplained, 0].mean()
    assert abs(risk[~labelled].mean() - truth[~labelled].mean()) < 0.02


@pytest.mark.parametrize("most", [False, True])
@pytest.mark.parametrize("labels", [14, 15, 16])
def test_a_category_is_judged_alone_from_so_many_labels_on(labels: int, most: bool) -> None:
    """Its own logistic regression where 15 of the training images hold it, and 15 lack it; else with the other rare ones."""
    rng = np.random.default_rng(0)
    images, fold_of = 60, np.arange(60) % FOLDS
    labelled = np.zeros((images, 3), dtype=bool)
    train = np.flatnonzero(fold_of != 0)
    labelled[train[:labels], 0] = True
    labelled[:, 0] ^= most
    labelled[::7, 1] = labelled[3::11, 2] = True
    evidence = rng.normal(size=(images, 3, 2)) + labelled[..., None]
    found = labelled_probability(evidence, labelled, fold_of)
    test, kept = fold_of == 0, fold_of != 0
    alone = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)).fit(evidence[kept, 0], labelled[kept, 0])
    own = alone.predict_proba(evidence[test, 0])[:, 1]
    assert np.allclose(found[test, 0], own, atol=1e-6) == (labels >= 15)


def test_an_image_alone_is_judged_by_nothing_and_risks_all() -> None:
    risk, evidence = estimate_risk(np.ones((1, 3, 2)), np.array([[True, False, False]]), np.eye(3), 0.9, np.array([0]))
    assert risk.tolist() == [[1.0, 1.0, 1.0]]
    assert np.isfinite(evidence).all()


def test_the_risk_equals_its_definition() -> None:
    """Each category's own logistic regression by scikit-learn's pipeline, one for the rare ones together, in two rounds."""
    rng = np.random.default_rng(0)
    images, columns = 120, 5
    labelled = rng.random((images, columns)) < np.array([0.5, 0.3, 0.06, 0.04, 0.0])
    seen = rng.normal(size=(images, columns, 2)) + labelled[..., None] * np.array([1.0, 0.5])
    similarity = np.corrcoef(rng.normal(size=(columns, 4)))
    fold_of = rng.permutation(images) % FOLDS
    rare = [2, 3, 4]

    def probability(evidence: np.ndarray) -> np.ndarray:
        made = np.zeros((images, columns))
        for fold in range(FOLDS):
            train, test = fold_of != fold, fold_of == fold
            for column in (0, 1):
                fit = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)).fit(
                    evidence[train, column], labelled[train, column]
                )
                made[test, column] = fit.predict_proba(evidence[test, column])[:, 1]
            scaled = {column: StandardScaler().fit(evidence[train, column]) for column in rare}
            asked = {column: labelled[train, column] for column in rare}
            often = {column: np.log((own.sum() + 0.5) / ((~own).sum() + 0.5)) for column, own in asked.items()}

            def rows(column: int, which: np.ndarray, scaled=scaled, often=often) -> np.ndarray:  # type: ignore[no-untyped-def]
                shown = scaled[column].transform(evidence[which, column])
                return np.column_stack([shown, np.full(len(shown), often[column])])

            together = LogisticRegression(tol=1e-10).fit(
                np.concatenate([rows(column, train) for column in rare]), np.concatenate([*asked.values()])
            )
            for column in rare:
                made[test, column] = together.predict_proba(rows(column, test))[:, 1]
        return made

    present = labelled.astype(float)
    for _ in range(2):
        alike = np.zeros((images, columns, 1))
        for one, other in permutations(range(columns), 2):
            alike[:, one, 0] += present[:, other] * max(similarity[one, other], 0) ** 2
        evidence = np.concatenate([seen, alike], axis=2)
        r = probability(evidence)
        risk = np.minimum(1, 0.2 / 0.8 * r / (1 - r))
        present = np.where(labelled, 1.0, risk)
    found, resting_on = estimate_risk(seen, labelled, similarity, 0.8, fold_of)
    assert resting_on == pytest.approx(evidence, abs=1e-5), "the fits have converged"
    assert found == pytest.approx(risk, abs=1e-5)
