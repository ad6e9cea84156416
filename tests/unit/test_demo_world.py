"""The drawn world: the same scene for the same seed, truth that fits the pixels, files that COCO readers take."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hope_bench.demo import world
from hope_bench.demo.dataset import write_world
from hope_bench.demo.drawing import PAINTERS
from hope_bench.demo.questions import attribute, caption_vocabulary, phrase, plural, question, question_vocabulary
from hope_bench.demo.scenes import draw_scene

SEED_RANGES = (
    world.CLIP_TRAINING_SEEDS,
    world.LVLM_TRAINING_SEEDS,
    world.VALIDATION_SEEDS,
    world.EVALUATION_SEEDS,
    world.SECOND_EVALUATION_SEEDS,
)
SCENES = [draw_scene(seed) for seed in world.VALIDATION_SEEDS[-80:]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, 40, world.VALIDATION_SEEDS[50_000])
    return folder


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_same_call_writes_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, 40, world.VALIDATION_SEEDS[50_000])
    assert _files(tmp_path) == _files(folder)


def test_other_seed_draws_other_scenes(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, 3, world.VALIDATION_SEEDS[60_000])
    images = {path.read_bytes() for path in (folder / "images").iterdir()}
    assert not images & {path.read_bytes() for path in (tmp_path / "images").iterdir()}


def test_seed_ranges_are_disjoint_and_start_where_named() -> None:
    assert all(first.stop <= second.start or second.stop <= first.start for first, second in combinations(SEED_RANGES, 2))
    assert world.EVALUATION_SEEDS.start == world.EVALUATION_SEED


def test_500_scenes_stay_within_the_evaluation_seeds() -> None:
    share = np.mean([len(scene.categories) >= 3 for scene in SCENES])
    assert 500 / share < len(world.EVALUATION_SEEDS) / 10


def test_instances_are_valid_coco(folder: Path) -> None:
    content = _json(folder / "instances.json")
    images = {image["id"]: image for image in content["images"]}
    categories = {category["id"]: category for category in content["categories"]}
    assert [category["name"] for category in content["categories"]] == list(world.CATEGORIES)
    assert {category["supercategory"] for category in content["categories"]} == set(world.GROUPS)
    assert len({item["id"] for item in content["annotations"]}) == len(content["annotations"])
    assert len(images) == 40
    for item in content["annotations"]:
        x, y, width, height = item["bbox"]
        assert item["category_id"] in categories
        image = images[item["image_id"]]
        assert 0 <= x < x + width <= image["width"]
        assert 0 <= y < y + height <= image["height"]
        assert 0 < item["area"] <= width * height
        assert item["iscrowd"] == 0
        assert item["attributes"]["color"] in world.COLORS
        assert item["attributes"].get("size") in (None, "small", "large")
    assert all((folder / "images" / image["file_name"]).is_file() for image in images.values())


def test_pycocotools_reads_the_files(folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    instances = coco.COCO(str(folder / "instances.json"))
    captions = coco.COCO(str(folder / "captions.json"))
    assert len(instances.getImgIds()) == len(captions.getImgIds()) == 40
    assert all(len({item["category_id"] for item in instances.imgToAnns[image]}) >= 3 for image in instances.getImgIds())


def test_captions_mention_present_categories_only(folder: Path) -> None:
    instances, captions = _json(folder / "instances.json"), _json(folder / "captions.json")
    names = {category["id"]: category["name"] for category in instances["categories"]}
    forms = {form: name for name in world.CATEGORIES for form in (name, plural(name))}
    shown: dict[int, set[str]] = {}
    for item in instances["annotations"]:
        shown.setdefault(item["image_id"], set()).add(names[item["category_id"]])
    for item in captions["annotations"]:
        said = {forms[word] for word in item["caption"].replace(",", " ").split() if word in forms}
        assert said <= shown[item["image_id"]], item


def test_progress_hears_of_every_scene(tmp_path: Path) -> None:
    told: list[int] = []
    write_world(tmp_path, 5, world.VALIDATION_SEEDS[70_000], told.append)
    assert sum(told) == 5


def test_boxes_enclose_what_was_drawn() -> None:
    """Inside an object's box there is more of its colour than in the same place of another scene."""
    nearer = []
    for scene, other in zip(SCENES, SCENES[1:] + SCENES[:1], strict=True):
        for item in scene.objects:
            x, y, width, height = (round(value) for value in item.box)
            patch = (slice(y, y + max(height, 1)), slice(x, x + max(width, 1)))
            color = np.array(world.COLORS[item.color], float)
            here, there = (np.abs(np.asarray(shown.image)[patch] - color).sum(-1).mean() for shown in (scene, other))
            nearer.append(here < there)
    assert np.mean(nearer) > 0.7


def test_every_category_and_color_occurs() -> None:
    objects = [item for scene in SCENES for item in scene.objects]
    assert {item.category for item in objects} == set(world.CATEGORIES) == set(PAINTERS)
    assert {item.color for item in objects} == set(world.COLORS)


def test_first_annotation_is_not_the_most_hidden() -> None:
    """Annotation order is shuffled: POPE asks about the first objects, which must be neither front nor back."""
    several = [scene for scene in map(draw_scene, world.VALIDATION_SEEDS[80_000:80_200]) if len(scene.objects) >= 3]
    first, last = (float(np.mean([scene.objects[index].visible for scene in several])) for index in (0, -1))
    assert abs(first - last) < 0.05


def test_mirrored_object_changes_sides_only() -> None:
    for item in (item for scene in SCENES for item in scene.objects):
        there = item.mirrored()
        assert {item.side, there.side} in ({"left", "right"}, {None})
        assert (there.half, there.size, there.color, there.mirrored().box) == (item.half, item.size, item.color, item.box)


def test_unclear_attributes_have_no_value() -> None:
    middle = world.SceneObject("cup", "red", (36.0, 36.0, 24.0, 24.0), 500.0, 1.0)
    assert [attribute(middle, kind) for kind in ("color", "size", "side", "half")] == ["red", None, None, None]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (("apple",), "Is there an apple in the image?"),
        (("car", "color", "red"), "Is there a red car in the image?"),
        (("car", "size", "large"), "Is there a large car in the image?"),
        (("car", "side", "left"), "Is there a car on the left side of the image?"),
        (("car", "half", "top"), "Is there a car in the top half of the image?"),
        (("dog", "count", "two"), "Are there exactly two dogs in the image?"),
        (("dog", "count", "one"), "Is there exactly one dog in the image?"),
    ],
)
def test_questions_read_as_the_benchmark_asks(asked: tuple[str, ...], text: str) -> None:
    assert question(*asked) == text


def test_vocabularies_hold_the_words_of_every_phrase() -> None:
    words = {word for name in world.CATEGORIES for word in f"{phrase(name, 'side', 'left')} {plural(name)}".split()}
    assert words <= set(caption_vocabulary()) <= set(question_vocabulary())


def test_drawing_needs_no_torch() -> None:
    code = "import sys, hope_bench.demo.dataset; assert not {'torch', 'transformers', 'open_clip'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
