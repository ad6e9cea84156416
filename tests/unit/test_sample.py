"""Which images are drawn: those that people described first, and others for what is learnt without looking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec, BlindSpec, DatasetSpec, GuardsSpec
from hope_bench.search.decisions import Decision
from hope_bench.search.description import Description, Descriptions
from hope_bench.search.inputs import Inputs
from hope_bench.search.sample import draw_others, draw_sample
from tests.search_space import WORDS, make_annotations


def inputs(images: int, wanted: int | str, described: Mapping[int, int] | None = None, **changes: object) -> Inputs:
    """Images 0.png and so on with two categories each, some with false descriptions that people brought."""
    spec = BenchmarkSpec(
        name="test", k=2, sample_images=wanted, strategies=("random", "description"), headline="random",
        dataset=DatasetSpec(annotations="none.json"),
    ).model_copy(update=changes)  # fmt: skip
    given = {
        f"{image}.png": Descriptions(
            false=tuple(Description("cup", "attribute", "", f"{n}", f"a {n} cup", f"Is there a {n} cup?") for n in range(count))
        )
        for image, count in (described or {}).items()
    }
    annotations = make_annotations([["cup", "dog"]] * images, np.random.default_rng(0))
    return Inputs(spec, Path("none.json"), None, (), annotations, given, (), frozenset(), ("a problem",))


@pytest.mark.parametrize("seed", range(3))
def test_images_with_descriptions_enough_come_first_then_those_with_some(seed: int) -> None:
    described = {1: 2, 4: 3, 7: 1, 8: 1}
    drawn = [draw_sample(inputs(10, wanted, described, seed=seed)).images for wanted in (1, 3, 6, 10)]
    assert [len(set(images)) for images in drawn] == [len(images) for images in drawn] == [1, 3, 6, 10]
    assert drawn[0][0] in (1, 4)
    assert (set(drawn[1][:2]), drawn[1][2] in (7, 8)) == ({1, 4}, True)
    assert (set(drawn[2][:2]), set(drawn[2][2:4])) == ({1, 4}, {7, 8})
    plain = inputs(10, 6, described, seed=seed, strategies=("random",))
    assert draw_sample(plain).images == draw_sample(inputs(10, 6, seed=seed, strategies=("random",))).images


def test_a_review_of_other_images_is_said() -> None:
    reviewed = GuardsSpec(review="reviews/mine.jsonl")
    base = inputs(5, 5, guards=reviewed)
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    elsewhere, here = (Decision(image, "cup", "absent") for image in ("elsewhere.png", "3.png"))
    said = "mine.jsonl: none of its decisions is about the sampled images."
    assert draw_sample(Inputs(**{**fields, "decisions": (elsewhere,)})).notes == ("a problem", said)
    assert draw_sample(Inputs(**{**fields, "decisions": (elsewhere, here)})).notes == ("a problem",)
    assert draw_sample(inputs(5, 5)).notes == ("a problem",)


def test_too_few_images_are_refused_with_how_many_there_are() -> None:
    with pytest.raises(HopeBenchError, match=r"5 images with at least 2 present categories, but 6 are wanted.*--sample-images 5"):
        draw_sample(inputs(5, 6))
    assert len(draw_sample(inputs(5, "all")).images) == 5


@pytest.mark.parametrize(
    ("images", "wanted", "listed", "said"),
    [
        (5, 6, None, "none.json has 5 images with at least 2 present categories, but 6 are wanted. Pass --sample-images 5 (or "
         "all), or lower k (--k)."),
        (5, 3, {1}, "none.json has 1 image of the image list with at least 2 present categories, but 3 are wanted. Pass "
         "--sample-images 1 (or all), or lower k (--k)."),
        (0, "all", None, "none.json has 0 images with at least 2 present categories, but some are wanted. Is it the right file?"),
        (3, 2, set(), "none.json has 0 images of the image list with at least 2 present categories, but 2 are wanted. Is it the "
         "right file?"),
    ],
)  # fmt: skip
def test_why_no_sample_can_be_drawn(images: int, wanted: int | str, listed: set[int] | None, said: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        draw_sample(replace(inputs(images, wanted), listed=None if listed is None else frozenset(listed)))
    assert str(refused.value) == said


def test_only_listed_images_are_drawn() -> None:
    drawn = draw_sample(replace(inputs(9, "all"), listed=frozenset({2, 5, 7})))
    assert sorted(drawn.images) == [2, 5, 7]
    assert drawn.pope.keys() == {"random", "popular", "adversarial"}


def test_where_no_image_is_left_it_is_said_why() -> None:
    drawn = draw_sample(inputs(7, 7))
    drawn.without(dict.fromkeys(drawn.images[:6], "gone")).need_some()
    gone = drawn.without(dict.fromkeys(drawn.images, "the file is missing"), ["a note"])
    assert (gone.notes, gone.left(), drawn.left()) == (("a problem", "a note"), (), drawn.images)
    first = ", ".join(f"{image}.png (the file is missing)" for image in drawn.images[:5])
    said = f"No question could be made: all 7 sampled images were skipped ({first} and 2 more)."
    with pytest.raises(HopeBenchError) as refused:
        gone.need_some()
    assert str(refused.value) == said
    splits = ("hope", "content", "category")
    few = {image: f"fewer than 3 distractors are left for {splits[place % 3]}" for place, image in enumerate(drawn.images)}
    with pytest.raises(HopeBenchError) as refused:
        drawn.without(few).need_some()
    assert str(refused.value).endswith(" and 2 more). Leave category, content, hope out (--strategies), or lower k (--k).")


def test_popes_draws_heed_verified_absences_where_the_spec_does() -> None:
    base = inputs(6, 6)
    objects = [["cup", "dog"], ["cup", "owl"], ["dog", "egg"], ["bus", "dog"], ["cup", "fork"], ["egg", "fork"]]
    checked = {image: frozenset(range(7)) - {image} for image in range(6)}
    annotations = make_annotations(objects, np.random.default_rng(0), verified_absent=checked)
    for verified in (True, False):
        spec = base.spec.model_copy(update={"guards": GuardsSpec(verified=verified)})
        drawn = draw_sample(replace(base, annotations=annotations, spec=spec))
        asked = {
            (image, name)
            for rows in drawn.pope.values()
            for image, names in zip(drawn.images, rows, strict=True)
            for name in names or ()
        }
        unverified = {(image, WORDS[image]) for image in range(6)}
        assert bool(asked & unverified) != verified


def test_blind_ways_learn_from_as_many_other_images_where_these_are_twenty() -> None:
    def others(images: int, wanted: int, most: int) -> int | None:
        given = inputs(images, wanted, blind=BlindSpec(images=most))
        sample = draw_sample(given)
        found = draw_others(given, sample)
        if found is None:
            return None
        drawn = found[1].images
        assert not set(drawn) & set(sample.images)
        return len(set(drawn))

    assert others(60, 25, 500) == 25
    assert others(60, 25, 22) == 22
    assert others(45, 25, 500) == 20
    assert others(44, 25, 500) is None
    assert others(60, 19, 500) is None
    nothing = inputs(60, 25, blind=BlindSpec(images=0, annotations="not there.json"))
    assert draw_others(nothing, draw_sample(nothing)) is None
