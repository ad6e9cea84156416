"""Every strategy that searches against a naive loop over its definition, on annotations and embeddings made by hypothesis."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.files.spec import (
    BenchmarkSpec,
    CalibratedSpec,
    CategorySpec,
    DescriptionSpec,
    GuardsSpec,
    base_strategy,
    encoder_name,
)
from hope_bench.records import Annotations
from hope_bench.search.attribute_bank import attribute_bank
from hope_bench.search.decisions import ClaimKey
from hope_bench.search.description import Describer, Description, Descriptions
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guards import guard
from hope_bench.search.selection import Distractor
from hope_bench.search.space import SearchSpace
from hope_bench.search.strategies import Rankings
from tests.search_space import OBJECTS, WORDS, make_annotations, make_space
from tests.soak import SOAK

RANKED = ["category-cooccurrence", "category-similarity", "category", "content", "content@other", "control-content"]
STRATEGIES = [*RANKED, "description", "description@other", "hope"]
CLOSE = 1e-5
"""Scores nearer than this may fall either way: single precision."""

Scores = dict[str, float]
"""What a strategy's definition gives each claim of one image: a category's name, or a description's question."""


def tried(examples: int) -> int:
    """How many examples hypothesis tries, other ones in each run of the suite: all of them under `make soak`, else a sixth."""
    return examples if SOAK else max(5, examples // 6)


def asked(split: str, inputs: SearchSpace, rejected: frozenset[ClaimKey] = frozenset()) -> list[list[Distractor]]:
    return Rankings(inputs, guard(inputs, rejected).allowed, FalseDescriptions(inputs, rejected=rejected)).of(split)


def absent_from(inputs: SearchSpace, image: int) -> list[str]:
    return [name for name in WORDS if name not in inputs.annotations.present(image)]


def joined(inputs: SearchSpace, values: Sequence[float]) -> float:
    return max(values) if inputs.spec.category.aggregate == "max" else sum(values) / len(values)


def cooccurrence_scores(inputs: SearchSpace, _: str, row: int) -> Scores:
    """P(candidate | p) on the whole annotation set, counted image by image, over the present p."""
    everyone = [set(inputs.annotations.present(index)) for index in range(len(inputs.annotations.images))]

    def share(candidate: str, p: str) -> float:
        with_p = [names for names in everyone if p in names]
        return sum(candidate in names for names in with_p) / len(with_p)

    image = inputs.images[row]
    return {
        name: joined(inputs, [share(name, p) for p in inputs.annotations.present(image)]) for name in absent_from(inputs, image)
    }


def similarity_scores(inputs: SearchSpace, encoder: str, row: int) -> Scores:
    vectors = {name: inputs.encoded[encoder].prototypes[place].astype(float) for place, name in enumerate(WORDS)}
    image = inputs.images[row]
    present = inputs.annotations.present(image)
    return {name: joined(inputs, [float(vectors[p] @ vectors[name]) for p in present]) for name in absent_from(inputs, image)}


def category_scores(inputs: SearchSpace, encoder: str, row: int) -> Scores:
    parts = [z_scores(source(inputs, encoder, row)) for source in (cooccurrence_scores, similarity_scores)]
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def z_scores(values: Scores) -> Scores:
    mean = sum(values.values()) / len(values) if values else 0.0
    spread = math.sqrt(sum((value - mean) ** 2 for value in values.values()) / len(values)) if values else 0.0
    return {name: (value - mean) / spread if spread > 1e-12 else 0.0 for name, value in values.items()}


def content_scores(inputs: SearchSpace, encoder: str, row: int) -> Scores:
    return cosines(inputs, encoder, row, row)


def control_scores(inputs: SearchSpace, encoder: str, row: int) -> Scores:
    """By the image with the highest Jaccard similarity of present objects; of several, the one with the lowest seeded hash."""
    own = set(inputs.present[row])

    def key(other: int) -> tuple[float, bytes]:
        theirs = set(inputs.present[other])
        tie = f"{inputs.spec.seed}\n{inputs.files[row]}\n{inputs.files[other]}"
        return -len(own & theirs) / len(own | theirs), hashlib.sha256(tie.encode()).digest()

    return cosines(inputs, encoder, row, min((other for other in range(len(inputs.images)) if other != row), key=key))


def cosines(inputs: SearchSpace, encoder: str, row: int, seen: int) -> Scores:
    encoded = inputs.encoded[encoder]
    return {
        name: float(encoded.images[seen] @ encoded.categories[WORDS.index(name)])
        for name in absent_from(inputs, inputs.images[row])
    }


DEFINITIONS: dict[str, Callable[[SearchSpace, str, int], Scores]] = {
    "category-cooccurrence": cooccurrence_scores,
    "category-similarity": similarity_scores,
    "category": category_scores,
    "content": content_scores,
    "control-content": control_scores,
}


def check_next(claim: str, left: Scores) -> None:
    """The claim is the best of those left, and leaves."""
    assert claim in left
    assert left[claim] >= max(left.values()) - CLOSE
    if left[claim] > max(left.values()) - 1e-12:  # a tie but for rounding: the first name
        assert claim == min(other for other, score in left.items() if abs(score - left[claim]) < 1e-12)
    del left[claim]


def false_scores(inputs: SearchSpace, encoder: str, row: int) -> dict[str, Scores]:
    """Every false description's question and the cosine of its caption, by object."""
    encoded = inputs.encoded[encoder]
    known = Describer(inputs.annotations).describe(inputs.images[row])
    scores: dict[str, Scores] = {}
    for one in known.false:
        cosine = float(encoded.images[row] @ encoded.encode_captions([one.caption])[0])
        scores.setdefault(one.object, {})[one.question] = cosine
    return scores


def check_next_description(claim: str, left: dict[str, Scores], used: set[str]) -> None:
    """The best of the objects not described yet; only when there is none, the best of the others."""
    fresh = {name: scores for name, scores in left.items() if name not in used and scores} or left
    best = max(score for scores in fresh.values() for score in scores.values())
    (name,) = [name for name, scores in fresh.items() if claim in scores]
    assert fresh[name][claim] >= best - CLOSE
    used.add(name)
    del left[name][claim]


@pytest.mark.parametrize("split", RANKED)
@given(objects=OBJECTS, seed=st.integers(0, 10**6), k=st.integers(1, 4))
@settings(max_examples=tried(40), deadline=None)
def test_rankings_equal_their_definition(split: str, objects: list[list[str]], seed: int, k: int) -> None:
    inputs = make_space(objects, seed, k=k)
    for row, chosen in enumerate(asked(split, inputs)):
        left = DEFINITIONS[base_strategy(split)](inputs, encoder_name(split), row)
        assert len(chosen) == min(k, len(left))
        for one in chosen:
            check_next(one.name, left)


@given(objects=OBJECTS, seed=st.integers(0, 10**6), k=st.integers(1, 4), forbidden=st.sets(st.sampled_from(WORDS), max_size=3))
@settings(max_examples=tried(60), deadline=None)
def test_the_panel_takes_the_best_mean_ranks(objects: list[list[str]], seed: int, k: int, forbidden: set[str]) -> None:
    """Ranks count the allowed categories alone; with two encoders, mean ranks are often equal: then by name."""
    inputs = make_space(objects, seed, k=k)
    allowed = ~inputs.present_mask & np.array([name not in forbidden for name in WORDS])
    found = Rankings(inputs, allowed, FalseDescriptions(inputs)).of("content-panel")
    for row, chosen in enumerate(found):
        left = [name for name in absent_from(inputs, inputs.images[row]) if name not in forbidden]
        orders = [sorted(left, key=cosines(inputs, encoder, row, row).__getitem__, reverse=True) for encoder in ("", "other")]
        means = {name: sum(order.index(name) + 1 for order in orders) / 2 for name in left}
        expected = sorted(left, key=lambda name: (means[name], name))[:k]
        assert [one.name for one in chosen] == expected
        assert [one.score for one in chosen] == [round(1 / means[name], 4) for name in expected]


def test_what_an_encoder_cannot_tell_apart_shares_its_rank() -> None:
    """One encoder likes dog best, the other finds all alike: dog has ranks 1 and 2.5 of four, the others 3 and 2.5."""
    made = make_space([["cup", "egg", "fork"], ["dog"]], seed=1, k=4)
    axes = np.eye(2, dtype=np.float32)
    images, alike = np.tile(axes[0], (2, 1)), np.tile(axes[1], (len(WORDS), 1))
    liked = np.where(np.array(WORDS)[:, None] == "dog", axes[0], axes[1])
    encoded = {
        name: replace(made.encoded[name], images=images, categories=texts) for name, texts in (("", liked), ("other", alike))
    }
    (chosen, _) = asked("content-panel", replace(made, encoded=encoded))
    assert [(one.name, one.score) for one in chosen] == [
        ("dog", round(1 / 1.75, 4)), ("apple", round(1 / 2.75, 4)), ("bus", round(1 / 2.75, 4)), ("owl", round(1 / 2.75, 4)),
    ]  # fmt: skip


@pytest.mark.parametrize("split", ["category-cooccurrence", "category-similarity", "category"])
@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=tried(30), deadline=None)
def test_the_max_aggregate_equals_its_definition(split: str, objects: list[list[str]], seed: int) -> None:
    inputs = make_space(objects, seed, category=CategorySpec(aggregate="max"))
    for row, chosen in enumerate(asked(split, inputs)):
        left = DEFINITIONS[split](inputs, "", row)
        for one in chosen:
            check_next(one.name, left)


LIKELIEST = DescriptionSpec(mix="likeliest")


@given(objects=OBJECTS, seed=st.integers(0, 10**6), k=st.integers(1, 8))
@settings(max_examples=tried(30), deadline=None)
def test_descriptions_are_of_every_kind_that_an_image_offers(objects: list[list[str]], seed: int, k: int) -> None:
    """No kind is asked about twice more often than another one of which there is still something to ask."""
    few, all_of_them = make_space(objects, seed, k=k), make_space(objects, seed, k=10_000)
    for chosen, everything in zip(asked("description", few), asked("description", all_of_them), strict=True):
        there = Counter(one.description.kind for one in everything if one.description)
        taken = Counter(one.description.kind for one in chosen if one.description)
        assert len(chosen) == min(k, sum(there.values()))
        left = [taken[kind] for kind in there if taken[kind] < there[kind]]
        assert max(taken.values(), default=0) <= min(left, default=k) + 1


def test_no_kind_of_description_is_left_out_where_an_image_is_asked_one() -> None:
    """As `hope` asks one of each image: the kind that CLIP likes best would take them all."""

    def liking_counts(k: int) -> SearchSpace:
        made = make_space([["dog", "cup", "dog"]] * 400, seed=1, k=k)
        axes = np.eye(5, dtype=np.float32)
        counted = replace(
            made.encoded[""], images=np.tile(axes[0], (400, 1)),
            encode_captions=lambda captions: axes[[0 if "exactly" in one else 1 for one in captions]],
        )  # fmt: skip
        return replace(made, encoded={"": counted})

    few, everything = (asked("description", liking_counts(k)) for k in (1, 10_000))
    expected, taken = Counter[str](), Counter[str]()
    for (chosen,), offered in zip(few, everything, strict=True):
        kinds = {one.description.kind for one in offered if one.description}
        expected.update(dict.fromkeys(kinds, 1 / len(kinds)))  # type: ignore[arg-type]
        taken[chosen.description.kind if chosen.description else "none"] += 1
    assert len(expected) >= 4
    assert all(abs(taken[kind] - expected[kind]) < 4 * expected[kind] ** 0.5 for kind in expected), (taken, expected)


@pytest.mark.parametrize("split", ["description", "description@other"])
@given(objects=OBJECTS, seed=st.integers(0, 10**6), k=st.integers(1, 8))
@settings(max_examples=tried(30), deadline=None)
def test_descriptions_are_ranked_by_their_definition(split: str, objects: list[list[str]], seed: int, k: int) -> None:
    inputs = make_space(objects, seed, k=k, descriptions=LIKELIEST)
    for row, chosen in enumerate(asked(split, inputs)):
        left, used = false_scores(inputs, encoder_name(split), row), set[str]()
        assert len(chosen) == min(k, sum(len(scores) for scores in left.values()))
        for one in chosen:
            check_next_description(one.claim, left, used)


@given(objects=OBJECTS, seed=st.integers(0, 10**6), k=st.integers(1, 7))
@settings(max_examples=tried(40), deadline=None)
def test_hope_takes_its_three_sources_in_turn(objects: list[list[str]], seed: int, k: int) -> None:
    inputs = make_space(objects, seed, k=k, descriptions=LIKELIEST)
    for row, chosen in enumerate(asked("hope", inputs)):
        content, category = content_scores(inputs, "", row), category_scores(inputs, "", row)
        described, used = false_scores(inputs, "", row), set[str]()
        claims = [one.claim for one in chosen]
        assert len(claims) == min(k, len(content) + sum(len(scores) for scores in described.values()))
        turn = 0
        while claims:
            source = turn % 3
            turn += 1
            if source == 2 and any(described.values()):
                check_next_description(claims.pop(0), described, used)
            elif source < 2 and content:
                claim = claims.pop(0)
                check_next(claim, (content, category)[source])
                (content, category)[1 - source].pop(claim)


GUARDED = GuardsSpec(same_name=0.95, calibrated=CalibratedSpec(completeness=0.6, most_risk=0.3))


@pytest.mark.parametrize("split", STRATEGIES)
@given(objects=OBJECTS, seed=st.integers(0, 10**6), data=st.data())
@settings(max_examples=tried(15), deadline=None)
def test_never_a_present_guarded_or_repeated_claim_and_the_same_again(
    split: str, objects: list[list[str]], seed: int, data: st.DataObject
) -> None:
    """Under every guard at once, with people's decisions about categories and about descriptions."""
    columns = st.frozensets(st.integers(0, len(WORDS) - 1))
    annotated = {
        "verified_absent": {image: data.draw(columns) for image in range(len(objects))},
        "not_exhaustive": {0: data.draw(columns)},
        "captions": {1: (data.draw(st.sampled_from(["Two dogs.", "an OWL on a fork", "nothing"])),)},
    }
    first = next(index for index, names in enumerate(objects) if names)
    rejected = frozenset({(f"{first}.png", data.draw(st.sampled_from(WORDS)), None)})
    inputs = make_space(objects, seed, annotated, guards=GUARDED)
    before = asked(split, inputs)
    described = next((one for one in before[0] if one.description is not None), None)
    if described is not None:
        assert described.description is not None
        rejected |= {(f"{first}.png", described.name, described.description.caption)}
    guarded = guard(inputs, rejected)
    found = asked(split, inputs, rejected)
    assert found == asked(split, make_space(objects, seed, annotated, guards=GUARDED), rejected)
    for row, chosen in enumerate(found):
        claims = [one.claim for one in chosen]
        assert len(claims) == len(set(claims)) <= inputs.spec.k
        for one in chosen:
            assert (one.name in inputs.present[row]) == (one.description is not None)
            assert one.description is not None or guarded.allowed[row, WORDS.index(one.name)]
            caption = None if one.description is None else one.description.caption
            assert (inputs.files[row], one.name, caption) not in rejected


@pytest.mark.parametrize("split", STRATEGIES)
@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=tried(10), deadline=None)
def test_an_image_gets_the_same_distractors_wherever_it_stands(split: str, objects: list[list[str]], seed: int) -> None:
    inputs = make_space(objects, seed)
    order = np.random.default_rng(seed).permutation(len(inputs.images))
    shuffled = SearchSpace(
        inputs.spec,
        inputs.annotations,
        tuple(inputs.images[place] for place in order),
        {name: replace(one, images=one.images[order]) for name, one in inputs.encoded.items()},
    )
    plain, moved = asked(split, inputs), asked(split, shuffled)
    for place, few in zip(order, moved, strict=True):
        assert [one.claim for one in few] == [one.claim for one in plain[place]]


@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=tried(60), deadline=None)
def test_false_descriptions_are_false_of_every_instance(objects: list[list[str]], seed: int) -> None:
    inputs = make_space(objects, seed, k=8)
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


@pytest.mark.parametrize("mix", ["even", "likeliest"])
@pytest.mark.parametrize("seed", range(4))
def test_descriptions_equal_their_definition_whatever_they_come_from(seed: int, mix: str) -> None:
    """Two colours and sides that boxes and people tell, and the bank guesses; reviewers reject some, people repeat others."""
    spec = DescriptionSpec().model_copy(update={"mix": mix})
    inputs = make_space([["dog", "cup", "owl"], ["cup", "dog", "dog"], [], ["owl", "egg"]], seed, descriptions=spec)
    said = [
        Description(one, "given", "given", "odd", f"an odd {one}", f"Is there an odd {one}?") for one in ("dog", "owl", "cup")
    ]
    plain = [Describer(inputs.annotations).describe(image) for image in inputs.images]
    again = tuple(replace(one, kind="given", group="given") for one in (*plain[0].false[:2], *plain[0].true[:1]))
    given = {"0.png": Descriptions((said[1],), (*again, *said[:2])), "1.png": Descriptions((), (said[2],))}
    guessed = {2: {"material": "wooden"}, 6: {"posture": "sitting"}}
    rejected = {("0.png", one.object, one.caption) for one in (*plain[0].false[2:6], said[0])}
    false = FalseDescriptions(inputs, given, frozenset(rejected) | {("9.png", "dog", "a red dog")}, guessed)
    encoded = inputs.encoded["other"]
    count = 0
    for row, (image, file) in enumerate(zip(inputs.images, inputs.files, strict=True)):
        bank = Describer(inputs.annotations).from_bank(image, guessed, attribute_bank())
        sources = (plain[row], bank, given.get(file, Descriptions()))
        true: dict[str, Description] = {}
        denied: dict[str, Description] = {}
        for source in sources:
            true.update({one.caption: one for one in source.true if one.caption not in true})
        for source in sources:
            denied.update({one.caption: one for one in source.false if one.caption not in {*true, *denied}})
        cosine = {one: float(np.vecdot(encoded.encode_captions([one])[0], encoded.images[row])) for one in (*true, *denied)}
        count += sum((file, one.object, one.caption) in rejected for one in denied.values())
        left = [one for one in denied.values() if (file, one.object, one.caption) not in rejected]
        known = false.known(row, "other")
        assert {one.caption: score for score, one in known.true} == pytest.approx({one: cosine[one] for one in true})
        assert {one.caption: score for score, one in known.false} == pytest.approx(
            {one.caption: cosine[one.caption] for one in left}
        )
        expected: list[Distractor] = []
        kinds, things = Counter[str](), set[str]()
        while left:
            turns = {one.kind: false.turn_of(row, one.kind) if mix == "even" else 0 for one in left}

            def key(one: Description, turns=turns, kinds=kinds, things=things, cosine=cosine) -> tuple[object, ...]:  # type: ignore[no-untyped-def]
                often = kinds[one.kind] if mix == "even" else 0
                return one.kind != "given", often, turns[one.kind], one.object in things, -cosine[one.caption], one.caption

            one = min(left, key=key)
            left.remove(one)
            kinds[one.kind] += 1
            things.add(one.object)
            twins = [t for t in true.values() if (t.object, t.kind, t.group) == (one.object, one.kind, one.group)]
            twin = min(twins, key=lambda twin, cosine=cosine: (-cosine[twin.caption], twin.caption), default=None)  # type: ignore[misc]
            expected.append(Distractor(one.object, round(cosine[one.caption], 4), one, twin))
        found = false.best(row, "other", 999)
        assert found == expected
        assert false.best(row, "other", 3) == expected[:3]
        assert false.ranking("other", 2)[row] == expected[:2]
        assert {false.turn_of(row, kind) for kind in ("side", "half")} < {
            random.Random(f"{seed} {kind} {file}").random() for kind in ("side", "half", "count")
        }
    assert false.rejected() == count > 3
    before = false.unreviewed()
    assert before.rejected() == 0
    assert [len(each) for each in before.ranking("other", 999)] == [
        len(each) + sum(file == name for name, _, _ in rejected)
        for file, each in zip(inputs.files, false.ranking("other", 999), strict=True)
    ]
    assert before.unreviewed() is before
    nothing = make_space([["dog"], ["cup"]], seed, descriptions=DescriptionSpec(sources=()))
    assert FalseDescriptions(nothing).ranking("", 3) == [[], []]


@given(objects=OBJECTS, seed=st.integers(0, 10**6))
@settings(max_examples=tried(30), deadline=None)
def test_what_a_user_says_again_is_asked_once_and_never_against_the_annotation(objects: list[list[str]], seed: int) -> None:
    inputs = make_space(objects, seed, k=99)
    known = [Describer(inputs.annotations).describe(image) for image in inputs.images]
    denied = [tuple(replace(one, kind="given", group="given") for one in (*each.true, *each.false)) for each in known]
    given = {file: Descriptions((), claims) for file, claims in zip(inputs.files, denied, strict=True)}
    plain, both = FalseDescriptions(inputs), FalseDescriptions(inputs, given)
    for row in range(len(inputs.images)):
        assert both.best(row, "", 99) == plain.best(row, "", 99)


def test_wording_of_descriptions() -> None:
    rng = np.random.default_rng(0)
    annotations = make_annotations([["bus", "bus", "apple"]], rng)
    boxes = np.array([[0, 0, 30, 30], [5, 0, 30, 30], [70, 60, 20, 20]], dtype=np.float32)
    annotations = Annotations(
        annotations.categories, annotations.images, annotations.starts, annotations.category_of, annotations.crowd, boxes,
        attributes={0: {"color": "red"}, 1: {"color": "orange"}, 2: {"color": "green"}},
    )  # fmt: skip
    inputs = SearchSpace(BenchmarkSpec(name="x"), annotations, (0,), make_space([["bus"], ["cup"]], 0).encoded)
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
