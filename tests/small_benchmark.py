"""A small benchmark with its images and annotations, written by hand: every kind of question, known risks and scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from hope_bench.files.benchmark import write_benchmark
from hope_bench.files.spec import Kind
from hope_bench.records import Question
from hope_bench.wording import existence_question

IMAGES = ("a.jpg", "b.png", "straße ü.jpg")
KINDS: dict[str, Kind] = {"random": "pope", "content": "hope", "description": "hope"}


class Small(NamedTuple):
    """Where the parts lie."""

    folder: Path
    images: Path
    annotations: Path


def yes(number: int, image: str, name: str, split: str) -> Question:
    """A question about a present object."""
    return Question(number, image, existence_question(name), "yes", split, name)


def no(number: int, image: str, name: str, split: str, score: float | None = None, risk: float | None = None) -> Question:
    """A question about an absent object."""
    evidence = None if risk is None else {"whole image": 0.21, "best tile": 0.27}
    return Question(number, image, existence_question(name), "no", split, name, score, risk=risk, evidence=evidence)


def questions() -> dict[str, list[Question]]:
    """Three splits that share their yes-questions; "vase" in a.jpg is asked by two of them."""
    a, b, c = IMAGES
    false = Question(
        4, b, "Is there a red car in the image?", "no", "description", "car", 0.4, "a red car", "attribute", risk=0.05
    )
    twin = Question(
        5, b, "Is there a blue car in the image?", "yes", "description", "car", 0.3, "a blue car", "attribute", twin_of=4
    )
    return {
        "random": [
            yes(1, a, "cup", "random"), no(2, a, "vase", "random"),
            yes(3, b, "car", "random"), no(4, b, "dog", "random"),
            yes(5, c, "ox", "random"), no(6, c, "apple", "random"),
        ],
        "content": [
            yes(1, a, "cup", "content"), no(2, a, "vase", "content", 0.31, 0.45),
            yes(3, b, "car", "content"), no(4, b, "bus", "content", 0.52, 0.1),
            yes(5, c, "ox", "content"), no(6, c, "dog", "content", 0.12, 0.45),
        ],
        "description": [
            yes(1, a, "cup", "description"), no(2, a, "bowl", "description", 0.2),
            yes(3, b, "car", "description"), false, twin,
        ],
    }  # fmt: skip


def write_small(folder: Path) -> Small:
    """Write benchmark, images and a COCO file to a folder."""
    pictures = folder / "images"
    pictures.mkdir(parents=True)
    for place, name in enumerate(IMAGES):
        picture = Image.new("RGB", (160, 120), (40 * place, 120, 200))
        ImageDraw.Draw(picture).ellipse((20, 30, 90, 100), fill=(230, 200, 60))
        picture.save(pictures / name)
    names = ("cup", "car", "ox")
    annotations = folder / "instances.json"
    annotations.write_text(
        json.dumps(
            {
                "images": [{"id": i, "file_name": name, "width": 160, "height": 120} for i, name in enumerate(IMAGES)],
                "annotations": [{"id": i, "image_id": i, "category_id": i, "bbox": [20, 30, 70, 70]} for i in range(3)],
                "categories": [{"id": i, "name": name} for i, name in enumerate([*names, "vase", "dog", "bus", "bowl", "apple"])],
            }
        )
    )
    write_benchmark(
        folder / "benchmark", questions(), KINDS, name="small", title="Small", headline="content",
        prompt="{question}\nAnswer yes or no.", k=1, dataset="drawn", images=dict.fromkeys(IMAGES),
    )  # fmt: skip
    return Small(folder / "benchmark", pictures, annotations)
