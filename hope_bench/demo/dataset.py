"""Writes drawn scenes as a COCO dataset: images, instances with attributes, captions."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hope_bench.demo.questions import caption
from hope_bench.demo.scenes import draw_scene
from hope_bench.demo.world import CATEGORIES, GROUP_OF, SIZE, Scene, SceneObject
from hope_bench.images import encoded
from hope_bench.provenance import make_folder, write_bytes, write_text

LEAST_CATEGORIES: Final = 3
"""Scenes that show fewer are skipped: POPE asks about three objects of each image."""
CAPTIONS: Final = 2
"""Captions per image."""
CATEGORY_IDS: Final = {category: index for index, category in enumerate(CATEGORIES, start=1)}


def write_world(folder: Path, scenes: int, first_seed: int, progress: Callable[[int], None] | None = None) -> None:
    """Write `scenes` scenes of at least three categories, drawn from the seeds at and after `first_seed`.

    Makes images/SEED.png (96 x 96), instances.json and captions.json in COCO's formats. An image's id is its seed. Boxes and
    areas are in pixels and count visible parts only. The same call writes the same bytes. `progress` is told the number of
    scenes done since it was last called.
    """
    images = folder / "images"
    make_folder(images)
    records: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    seed = first_seed
    while len(records) < scenes:
        scene = draw_scene(seed)
        seed += 1
        if len(scene.categories) < LEAST_CATEGORIES:
            continue
        name = f"{scene.seed:012d}.png"
        write_bytes(images / name, encoded(scene.image, "PNG"))
        records.append({"id": scene.seed, "file_name": name, "width": SIZE, "height": SIZE})
        instances += [_instance(item, scene.seed, len(instances) + index) for index, item in enumerate(scene.objects, 1)]
        for text in _captions(scene):
            captions.append({"id": len(captions) + 1, "image_id": scene.seed, "caption": text})
        if progress:
            progress(1)
    info = _info(first_seed)
    categories = [{"id": CATEGORY_IDS[name], "name": name, "supercategory": GROUP_OF[name]} for name in CATEGORIES]
    common = {"info": info, "licenses": [], "images": records}
    _write(folder / "instances.json", common | {"annotations": instances, "categories": categories})
    _write(folder / "captions.json", common | {"annotations": captions})


def drawn_scenes(folder: Path, first_seed: int) -> int | None:
    """How many scenes from `first_seed` on `write_world` drew into a folder; None where it holds something else, or nothing."""
    try:
        content = json.loads((folder / "instances.json").read_bytes())
    except (OSError, ValueError):
        return None
    drawn = isinstance(content, dict) and content.get("info") == _info(first_seed)
    return len(content["images"]) if drawn else None


def _info(first_seed: int) -> dict[str, Any]:
    return {"description": "hope-bench drawn world", "version": "1", "first_seed": first_seed}


def _instance(item: SceneObject, image: int, number: int) -> dict[str, Any]:
    attributes = {"color": item.color} | ({"size": item.size} if item.size else {})
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORY_IDS[item.category],
        "bbox": list(item.box),
        "area": item.area,
        "iscrowd": 0,
        "segmentation": [],
        "attributes": attributes,
    }


def _captions(scene: Scene) -> list[str]:
    rng = random.Random(scene.seed)
    return [caption(scene.kind, scene.objects, rng) for _ in range(CAPTIONS)]


def _write(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content) + "\n")
