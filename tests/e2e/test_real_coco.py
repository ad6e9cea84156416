"""Real COCO pictures, boxes and captions, searched with the demo's CLIP: everything runs, and what is asked is as defined."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hope_bench.annotations import read_annotations
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.registry import find_spec
from hope_bench.files.spec import STRATEGY_KINDS, CalibratedSpec, DatasetSpec, GuardsSpec, read_spec
from hope_bench.records import Annotations
from hope_bench.search import guards
from hope_bench.search.generate import generate
from tests.unit.test_pope import naive_pope

pytestmark = pytest.mark.real


STRATEGIES = tuple(name for name in STRATEGY_KINDS if name != "content-panel")
"""All but the one that takes several encoders."""
UNGUARDED = ("random", "popular", "adversarial", "hard-positives")
"""POPE's own splits, and the one that asks random's no-questions."""


@pytest.fixture(scope="module")
def coco(real: Path) -> tuple[Path, Annotations]:
    folder = real / "coco-mini"
    return folder, read_annotations(folder / "instances_val2017.json", captions=folder / "captions_val2017.json")


@pytest.fixture(scope="module")
def made(coco: tuple[Path, Annotations], tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder, annotations = coco
    spec = read_spec(find_spec("demo"))
    eligible = sum(len(annotations.present(image)) >= 3 for image in range(len(annotations.images)))
    spec = spec.model_copy(
        update={
            "name": "coco-mini",
            "strategies": STRATEGIES,
            "sample_images": eligible,
            "dataset": DatasetSpec(
                annotations=str(folder / "instances_val2017.json"),
                captions=str(folder / "captions_val2017.json"),
                images=str(folder / "val2017"),
            ),
            "guards": GuardsSpec(same_name=1.0, calibrated=CalibratedSpec(completeness=0.9, most_risk=1.0)),
        }
    )
    out = tmp_path_factory.mktemp("coco")
    generate(spec, out / "made", out / "cache")
    return read_benchmark(out / "made")


def test_every_strategy_runs_on_real_pictures(coco: tuple[Path, Annotations], made: Benchmark) -> None:
    _, annotations = coco
    present = {image.file_name: annotations.present(index) for index, image in enumerate(annotations.images)}
    assert set(STRATEGIES) <= made.splits.keys()
    assert len(made.manifest.images) > 30
    assert not made.manifest.skipped
    for name in STRATEGIES:
        for question in made.splits[name]:
            assert question.object is not None
            if question.label == "yes" or question.description is not None:
                assert question.object in present[question.image]
            else:
                assert question.object not in present[question.image]
                assert question.risk is not None
                assert 0 <= question.risk <= 1
                assert question.evidence is not None


def test_pope_splits_equal_the_published_algorithm(coco: tuple[Path, Annotations], made: Benchmark) -> None:
    _, annotations = coco
    present = [annotations.present(image) for image in range(len(annotations.images))]
    expected = naive_pope(present, len(made.manifest.images), 3, seed=0)
    for strategy, rows in expected.items():
        named = [(annotations.images[index].file_name, name, label) for index, name, label in rows]
        assert [(q.image, q.object, q.label) for q in made.splits[strategy]] == named


SEEN = {
    "000000099053.jpg": "carrot",  # slices of it among the noodles
    "000000553664.jpg": "backpack",  # the grey bag with a zip on the table
    "000000397133.jpg": "pizza",  # an open, topped one in its dish on the kitchen table
    "000000460229.jpg": "car",  # a pick-up, annotated as a truck, behind the stop sign
}
"""What a person sees in a picture and a caption names, but no box does."""


def test_the_captions_guard_removes_what_people_see(coco: tuple[Path, Annotations], made: Benchmark) -> None:
    """Objects that a caption mentions and nobody annotated: never asked about under guards, and counted."""
    _, annotations = coco
    index = {image.file_name: place for place, image in enumerate(annotations.images)}
    column = {category.name: place for place, category in enumerate(annotations.categories)}
    removed = guards.captions(annotations, range(len(annotations.images)))
    for image, name in SEEN.items():
        assert name not in annotations.present(index[image])
        assert removed[index[image], column[name]]
        assert not removed[index[image], column["zebra"]]
    assert made.manifest.guards["captions"].removed > 0
    assert made.manifest.guards["captions"].displaced["adversarial-guarded"] > 0
    negatives = {name: {(q.image, q.object) for q in made.splits[name] if q.label == "no" and not q.description}
                 for name in STRATEGIES}  # fmt: skip
    assert ("000000460229.jpg", "car") in negatives["adversarial"]  # POPE asks, and counts the right answer as wrong
    for split in STRATEGIES:
        if split in UNGUARDED:
            continue
        assert not negatives[split].intersection(SEEN.items())
        for image, name in negatives[split]:
            text = " ".join(annotations.captions[index[image]]).lower()
            assert not re.search(rf"\b{re.escape(name or '')}s?\b", text), (image, name)


SAID: dict[int, tuple[str, ...]] = {
    397133: ("pizza",), 217285: ("sports ball",), 117645: ("skis",), 192699: ("bicycle",), 435206: ("horse",),
    262227: ("person",), 350679: ("hot dog",), 174231: ("dining table", "keyboard"), 99053: ("carrot",),
    359219: ("dining table",), 553664: ("dining table", "backpack"), 460229: ("car",), 136334: ("snowboard",),
    310200: ("dining table", "cake"), 128598: ("dining table",), 516916: ("dining table",),
}  # fmt: skip
"""What one of an image's captions says is there, in whatever words, and no box: all 395 captions read by hand."""


def test_no_guarded_distractor_is_contradicted_by_a_caption(made: Benchmark) -> None:
    def contradicted(split: str) -> set[tuple[int, str | None]]:
        asked = [(int(q.image[:-4]), q.object) for q in made.splits[split] if q.label == "no" and not q.description]
        return {(image, name) for image, name in asked if name in SAID.get(image, ())}

    assert len(contradicted("popular")) == 6  # POPE's are unguarded by definition
    for split in STRATEGIES:
        if split not in UNGUARDED:
            assert not contradicted(split), split
