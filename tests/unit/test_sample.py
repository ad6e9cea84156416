"""Which images are drawn: those that people described first, and others for what is learnt without looking."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec, BlindSpec, DatasetSpec, GuardsSpec
from hope_bench.search.decisions import Decision
from hope_bench.search.description import Description, Descriptions
from hope_bench.search.inputs import Inputs
from hope_bench.search.sample import draw_others, draw_sample
from tests.search_space import make_annotations


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
