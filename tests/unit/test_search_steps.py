"""From what may be looked at to a benchmark's questions, in memory: splits, who falls out, what guards and reviewers changed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hope_bench.search.search as module
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import GuardStats
from hope_bench.files.spec import (
    BenchmarkSpec,
    BlindSpec,
    CalibratedSpec,
    ClipSpec,
    DatasetSpec,
    DescriptionSpec,
    GuardsSpec,
)
from hope_bench.records import Category, Question
from hope_bench.search.decisions import ClaimKey, Decision
from hope_bench.search.encode import Encoding
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guards import Guarded, guard
from hope_bench.search.inputs import Inputs
from hope_bench.search.pope import pope_negatives
from hope_bench.search.positives import ordered
from hope_bench.search.questions import make_questions
from hope_bench.search.review_effect import review_effect
from hope_bench.search.sample import Sample
from hope_bench.search.search import Found, search
from hope_bench.search.selection import Distractor, Positive
from hope_bench.search.space import SearchSpace
from hope_bench.search.strategies import Rankings
from hope_bench.search.write import _portable, _sources
from tests.search_space import WORDS, make_space

PLAIN = ("adversarial", "random-guarded", "content", "hard-positives", "hope@other", "description", "control-content")
OBJECTS = [
    ["dog", "cup", "owl"],
    ["cup", "dog"],
    ["egg", "fork", "bus"],
    WORDS[:6],
    ["owl", "egg", "dog"],
    ["fork", "cup", "egg"],
]
"""The fourth image lacks but one thing."""


class Searched:
    """Everything that generating hands on, of six images whose picture 1.png turned out unreadable."""

    def __init__(
        self, strategies: Sequence[str] = PLAIN, rejected: frozenset[ClaimKey] = frozenset(), lost: int | None = 1, **spec: object
    ) -> None:
        whole = make_space(OBJECTS, 3, strategies=tuple(strategies), **spec)
        images = whole.images
        annotations = whole.annotations
        pope = pope_negatives(random.Random(3), [annotations.present(image) for image in images], whole.spec.k)
        self.sample = Sample(annotations, images, pope, skipped={} if lost is None else {lost: "truncated"}, notes=("a note",))
        left = self.sample.left()
        encoded = {
            name: replace(one, images=one.images[list(left)], best_tile=one.best_tile[list(left)])
            for name, one in whole.encoded.items()
        }
        self.space = SearchSpace(whole.spec, annotations, left, encoded)
        decisions = tuple(Decision(image, name, "present", description or None) for image, name, description in sorted(
            rejected, key=str
        ))  # fmt: skip
        self.inputs = Inputs(whole.spec, Path("a.json"), None, (), annotations, {}, decisions, rejected, ())
        self.guarded: Guarded = guard(self.space, rejected)
        self.found: Found = search(self.inputs, Encoding(self.space, self.sample, {}, None, {}), self.guarded)

    def names(self, split: str) -> list[list[str]]:
        return [[one.name for one in self.found.splits[split][image]] for image in self.found.sample.left()]


def test_each_split_is_its_own_search() -> None:
    made = Searched()
    space, found, images = made.space, made.found, made.space.images
    assert images == (0, 2, 3, 4, 5)
    assert list(found.splits) == list(PLAIN)
    rankings = Rankings(space, made.guarded.allowed, FalseDescriptions(space))
    for name in ("content", "hope@other", "description", "control-content"):
        assert found.splits[name] == dict(zip(images, rankings.of(name), strict=True))
    pope = {split: dict(zip(made.sample.images, rows, strict=True)) for split, rows in made.sample.pope.items()}
    for split, drawn in (("adversarial", "adversarial"), ("hard-positives", "random")):
        assert found.splits[split] == {
            image: [Distractor(name) for name in names] for image, names in pope[drawn].items() if names is not None
        }
    assert found.splits["adversarial"].keys() == {0, 1, 2, 4, 5}
    short = {image: reason for image, reason in found.sample.skipped.items() if image != 1}
    assert short == {3: "fewer than 2 distractors are left for adversarial"}
    assert (found.sample.skipped[1], found.sample.notes, found.guards) == ("truncated", ("a note",), {})
    first = {image: [Positive(name) for name in space.annotations.present(image)[:2]] for image in images}
    hard = {image: [Positive(name) for name in names[:2]] for image, names in zip(images, ordered(space, "hard"), strict=True)}
    assert hard != first
    assert found.positives == {name: hard if name == "hard-positives" else first for name in PLAIN}


def test_a_specs_own_positives_are_asked_everywhere_but_in_popes_splits() -> None:
    strategies = ("random", "popular-guarded", "adversarial-guarded", "hard-positives@other", "content", "random-balanced")
    plain = GuardsSpec(ontology=False, annotated=False)
    doubted = rejecting(Searched(strategies, positives="random", guards=plain), "popular-guarded")
    made = Searched(strategies, doubted, positives="random", guards=plain)
    space, images = made.space, made.space.images

    def asked(how: Sequence[Sequence[str]]) -> dict[int, list[Positive]]:
        return {image: [Positive(name) for name in names[:2]] for image, names in zip(images, how, strict=True)}

    mixed = ordered(space, "random")
    own, first = asked(mixed), asked(space.present)
    assert own != first
    positives = dict(made.found.positives)
    balanced = positives.pop("random-balanced")
    hard = asked(ordered(space, "hard", "other"))
    guarded = {"popular-guarded": own, "adversarial-guarded": own}
    assert positives == {"random": first, **guarded, "hard-positives@other": hard, "content": own}
    assert balanced.keys() == made.found.splits["random-balanced"].keys() == set(images) - {3}
    present = [mixed[images.index(image)] if image in images else space.annotations.present(image) for image in range(6)]
    forbidden = [
        {WORDS[c] for c in np.flatnonzero(~made.guarded.allowed[images.index(i)])} if i != 1 else set() for i in range(6)
    ]
    drawn = pope_negatives(random.Random("3 guarded"), present, 2, forbidden)
    assert drawn["popular"] != pope_negatives(random.Random("3 guarded"), present, 2)["popular"]
    for name in ("popular", "adversarial"):
        assert made.found.splits[f"{name}-guarded"] == {
            image: [Distractor(one) for one in names] for image, names in enumerate(drawn[name]) if names is not None
        }


@pytest.mark.parametrize("split", ["control-content", "control-balanced"])
def test_how_many_images_a_control_needs_and_looks_among(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"{split}: similar images were looked for among {{}} of the images."
    for most, notes in ((6, ()), (5, (said.format(5),)), (1_000, ())):
        monkeypatch.setattr(module, "MOST_CANDIDATES", most)
        assert Searched((split,), lost=None).found.sample.notes == ("a note", *notes)
    monkeypatch.setattr(module, "MOST_CANDIDATES", 5)
    assert Searched(("content",), lost=None).found.sample.notes == ("a note",)

    def of(images: int) -> Found:
        space = make_space(OBJECTS[:images], 3, strategies=(split,))
        sample = Sample(space.annotations, space.images, {"random": []})
        inputs = Inputs(space.spec, Path("a.json"), None, (), space.annotations, {}, (), frozenset(), ())
        return search(inputs, Encoding(space, sample, {}, None, {}), guard(space))

    with pytest.raises(HopeBenchError) as refused:
        of(1)
    assert str(refused.value) == f"{split} ranks an image's distractors by another image's scores: it needs two images."
    assert len(of(2).splits[split]) == 2


def test_images_fall_out_of_all_splits_for_the_first_reason() -> None:
    made = Searched(("description", "content", "content-balanced", "category-balanced"), k=2)
    assert made.found.sample.skipped == {1: "truncated", 3: "fewer than 2 distractors are left for content-balanced"}
    assert [list(made.found.splits[name]) for name in ("content", "content-balanced")] == [[0, 2, 3, 4, 5], [0, 2, 4, 5]]
    nothing = Searched(("content-balanced",), k=7)
    assert nothing.found.splits == nothing.found.positives == {}
    assert nothing.found.sample.left() == ()


def test_what_cannot_be_put_in_words_is_counted() -> None:
    for name, known in (("cup", True), ("gizmo", False)):
        space = make_space([["dog"], ["cup"]], 0, strategies=("description",), language="de")
        categories = tuple(Category(name) if one.name == "cup" else one for one in space.annotations.categories)
        space = replace(space, annotations=replace(space.annotations, categories=categories))
        sample = Sample(space.annotations, space.images, {"random": []})
        inputs = Inputs(space.spec, Path("a.json"), None, (), space.annotations, {}, (), frozenset(), ())
        found = search(inputs, Encoding(space, sample, {}, None, {}), guard(space))
        false = FalseDescriptions(space)
        false.ranking("", 2)
        assert (false.unworded == 0) == known
        said = (
            f"{false.unworded} descriptions that are known of the images can't be put in words in the benchmark's language (de), "
            "and are not asked about."
        )
        assert found.sample.notes == (() if known else (said,))


def rejecting(made: Searched, *splits: str) -> frozenset[ClaimKey]:
    """The first distractor of each split's images but the last."""
    return frozenset(
        (made.sample.file(image), one.name, None if one.description is None else one.description.caption)
        for split in splits for image in made.found.sample.left()[:-1] for one in made.found.splits[split][image][:1]
    )  # fmt: skip


def test_what_guards_did_is_counted_for_every_split() -> None:
    strategies = ("random", "hard-positives", "popular-guarded", "content", "description", "content-balanced")
    before = Searched(strategies)
    claims = rejecting(before, "random", "content", "description") | {("1.png", "egg", None), ("else.png", "dog", None)}
    strict = GuardsSpec(annotated=False, same_name=0.5, calibrated=CalibratedSpec(completeness=0.5, most_risk=0.4))
    after = Searched(strategies, claims, guards=strict)
    wanted = {
        "popular-guarded": [
            (row, Distractor(name)) for row, image in enumerate(after.space.images)
            for name in after.sample.pope["popular"][image] or ()
        ],
        **{
            split: [(row, one) for row, image in enumerate(after.space.images) for one in before.found.splits[split][image]]
            for split in ("content", "description")
        },
    }  # fmt: skip
    files = after.space.files
    about = {claim for claim in claims if claim[0] in files}
    assert after.guarded.removed.keys() == after.found.guards.keys() == {"ontology", "calibrated", "review"}
    for name, stats in after.found.guards.items():
        mask = after.guarded.removed[name]
        expected = {
            split: sum(
                bool(mask[row, WORDS.index(one.name)])
                if one.description is None
                else name == "review" and (files[row], one.name, one.description.caption) in claims
                for row, one in picks
            )
            for split, picks in wanted.items()
        }
        described = len({claim for claim in about if claim[2] is not None}) if name == "review" else 0
        assert described == (0 if name != "review" else 3)
        assert stats == GuardStats(removed=int(mask.sum()) + described, displaced=expected)
        assert any(expected.values())
    plain = Searched(("content",), rejecting(before, "description"))
    assert plain.found.guards == {"review": GuardStats(removed=0, displaced={"content": 0})}, "no descriptions are asked about"


def test_what_a_review_changed_and_could_not() -> None:
    def effect(strategies: tuple[str, ...], claims: frozenset[ClaimKey], **spec: object) -> str | None:
        made = Searched(strategies, claims, **spec)
        return review_effect(made.inputs, made.found)

    plain = Searched(("random", "popular", "content", "popular-guarded"))
    assert review_effect(plain.inputs, plain.found) is None
    random_first, content_first = rejecting(plain, "random"), rejecting(plain, "content")
    left = [plain.sample.file(image) for image in plain.found.sample.left()]

    def still(split: str, claims: frozenset[ClaimKey]) -> int:
        rows = zip(left, plain.names(split), strict=True)
        return sum((file, name, None) in claims for file, names in rows for name in names)

    elsewhere: ClaimKey = ("1.png", "egg", None)
    told: ClaimKey = (left[0], "dog", "a red dog")
    said = "The review rejects {} claims, {} of them about the images asked about."
    assert effect(("content",), frozenset({elsewhere})) == said.format(1, 0)
    few = frozenset({elsewhere, told}) | content_first
    gave = f"{said.format(5, 4)} 3 questions gave way to the next best (3 in content)."
    assert effect(("content",), few) == gave
    both = random_first | content_first | {elsewhere, told}
    count, popular = still("random", both), still("popular", both)
    assert count > 3
    assert popular > 0
    begins = said.format(len(both), len(both) - 1)
    drawn = sum(
        (plain.sample.file(image), name, None) in both
        for image in plain.space.images for name in plain.sample.pope["popular"][image] or ()
    )  # fmt: skip
    chosen = sum(
        (plain.sample.file(image), one.name, None) in both
        for image in plain.space.images
        for one in plain.found.splits["content"][image]
    )
    asked = f"{count + popular} are still asked, as POPE asks them by definition ({count} in random, {popular} in popular)"
    ways = f"{chosen} in content, {drawn} in popular-guarded"
    assert effect(("random", "popular", "content", "popular-guarded"), both) == (
        f"{begins} {chosen + drawn} questions gave way to the next best ({ways}). {asked}; the same splits that heed a review "
        "can be had as random-guarded."
    )
    guarded = effect(("random", "popular", "random-guarded", "popular-guarded"), both)
    assert guarded is not None
    assert guarded.endswith(f" {asked}.")


def test_every_question_in_full() -> None:
    calibrated = GuardsSpec(ontology=False, annotated=False, calibrated=CalibratedSpec(completeness=0.9, most_risk=1.0))
    strategies = ("random", "content", "description", "hope-balanced", "hope")
    made = Searched(strategies, guards=calibrated, k=3, lost=None)
    found, space, guarded = made.found, made.space, made.guarded
    images = found.sample.left()
    assert len(images) >= 3
    splits = make_questions(found.splits, found.positives, images, space, guarded)
    assert list(splits) == [*strategies, "description-twins", "hope-twins"]
    for split in strategies:
        expected: list[Question] = []
        for image in images:
            row, file = space.images.index(image), space.annotations.images[image].file_name
            for yes, no in zip(found.positives[split][image], found.splits[split][image], strict=True):
                true, false = yes.description, no.description
                expected.append(Question(
                    len(expected) + 1, file, asks(yes.name) if true is None else true.question, "yes",
                    split, yes.name, description=true and true.caption, description_kind=true and true.kind,
                ))  # fmt: skip
                risk, evidence = guarded.facts(row, WORDS.index(no.name)) if false is None else (None, None)
                assert (risk is None) == (false is not None)
                expected.append(Question(
                    len(expected) + 1, file, asks(no.name) if false is None else false.question, "no",
                    split, no.name, no.score, false and false.caption, false and false.kind, None, risk, evidence, no.found_by,
                ))  # fmt: skip
        assert splits[split] == expected
    for split in ("description", "hope"):
        pairs: list[Question] = []
        denied = {(one.image, one.text): one for one in splits[split] if one.label == "no"}
        for image in images:
            for no in found.splits[split][image]:
                if no.twin is not None and no.description is not None:
                    false_one = denied[space.annotations.images[image].file_name, no.description.question]
                    pairs.append(replace(false_one, question_id=len(pairs) + 1, strategy=f"{split}-twins"))
                    pairs.append(Question(
                        len(pairs) + 1, false_one.image, no.twin.question, "yes", f"{split}-twins", no.twin.object,
                        description=no.twin.caption, description_kind=no.twin.kind, twin_of=false_one.question_id,
                    ))  # fmt: skip
        assert splits[f"{split}-twins"] == pairs != []
    without = make_questions({"content": found.splits["content"]}, found.positives, images[:1], space, guarded)
    assert without == {"content": splits["content"][:6]}
    nothing = {image: [replace(one, twin=None) for one in each] for image, each in found.splits["description"].items()}
    assert list(make_questions({"description": nothing}, found.positives, images, space, guarded)) == ["description"]


def asks(name: str) -> str:
    return f"Is there {'an' if name[0] in 'aeiou' else 'a'} {name} in the image?"


def test_the_files_that_a_benchmark_is_made_from_are_named_or_counted(tmp_path: Path) -> None:
    """Of a folder with more than 20 files of a kind, one line."""

    def made(folder: str, count: int, ending: str) -> list[Path]:
        (tmp_path / folder).mkdir(exist_ok=True)
        files = [tmp_path / folder / f"{place}{ending}" for place in range(count)]
        for place, file in enumerate(files):
            file.write_bytes(bytes([place]))
        return files

    many, few, odd = made("labels", 21, ".txt"), made("boxes", 20, ".xml"), made("labels", 2, ".json")
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (*few, *odd)}
    text = json.dumps(
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in many}, sort_keys=True, separators=(",", ":")
    )
    found = _sources([many[0], *few, *odd, *many[1:]])
    assert [(one.file, one.sha256) for one in found] == [
        ("labels/*.txt (21 files)", hashlib.sha256(text.encode()).hexdigest()),
        *((file.name, digests[file.name]) for file in (*few, *odd)),
    ]  # fmt: skip


def test_a_manifest_holds_no_paths_of_this_machine() -> None:
    clip = {"clip": ClipSpec(model="local-dir:C:/me/a:clip"), "encoders": {"b": ClipSpec(model="ViT-B-32:/w/x.pt")}}
    dataset = DatasetSpec(
        annotations=("/data/a.json", "/data/b.json"), captions="/data/c.json", images="/data/images", image_list="/l"
    )
    spec = BenchmarkSpec(
        name="x", dataset=dataset, guards=GuardsSpec(ontology_table="/t/o.toml", review="/t/r.jsonl"),
        descriptions=DescriptionSpec(file="/t/d.jsonl"), blind=BlindSpec(annotations="/o/a.json", images_folder="/o/i"), **clip,
    )  # fmt: skip
    found = _portable(spec)
    assert found.dataset == DatasetSpec(annotations=("a.json", "b.json"), captions="c.json", images="images", image_list="l")
    assert (found.guards.ontology_table, found.guards.review, found.descriptions.file) == ("o.toml", "r.jsonl", "d.jsonl")
    assert (found.blind.annotations, found.blind.captions, found.blind.images_folder) == ("a.json", None, "i")
    assert found.clip is not None
    assert (found.clip.model, found.encoders["b"].model) == ("local-dir:a:clip", "ViT-B-32:/w/x.pt")
    assert _portable(BenchmarkSpec(name="x", language="de")).model_dump() == BenchmarkSpec(name="x", language="de").model_dump()
