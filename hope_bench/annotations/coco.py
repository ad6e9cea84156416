"""COCO instances and captions files, and every dataset published in that format, such as Objects365."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from hope_bench.annotations.box_layout import (
    BoxLayout,
    Settled,
    drop_first_pixel,
    image_sizes,
    in_fractions,
    tell_layout,
    to_xywh,
)
from hope_bench.annotations.coco_rows import InstancesFile
from hope_bench.annotations.columns import BoxUnits, assemble
from hope_bench.annotations.ids import Id, IdIndex
from hope_bench.annotations.json_file import decode
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Category


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _CaptionsFile(msgspec.Struct):
    annotations: list[_Caption]


def read_coco(file: InstancesFile, captions: Path | None, boxes: BoxLayout | None = None) -> Annotations:
    """A COCO instances file (`load_instances`) and a captions file for the same images.

    Crowd regions (`iscrowd`) are kept and marked; `attributes` are kept as written. Boxes are read as `boxes` says, else as all of
    them tell (`tell_layout`), and cut to their image. Captions of images that the instances file does not list are left out.
    Raises HopeBenchError where it is no captions file, or holds none for these images.
    """
    spoken = spoken_names([row.name for row in file.categories])
    categories = tuple(
        Category(row.name, row.supercategory, words, alternatives(row.name))
        for row, words in zip(file.categories, spoken, strict=True)
    )
    annotations = with_boxes(file, categories, boxes)
    return annotations if captions is None else replace(annotations, captions=read_captions(captions, file.images.index))


def with_boxes(file: InstancesFile, categories: tuple[Category, ...], boxes: BoxLayout | None) -> Annotations:
    """The file's annotations, their boxes made (x, y, width, height). Raises HopeBenchError where it can't be told what they are."""
    rows, images = file.rows, file.images.images
    problems = list(file.problems)
    if rows.boxes is not None:
        sizes = image_sizes(images)
        settled = tell_layout(file.path, rows.boxes, rows.image_of, sizes) if boxes is None else Settled(boxes)
        problems += [] if settled.why is None else [settled.why]
        to_xywh(rows.boxes, settled.layout)
        if in_fractions(settled.layout):
            if rows.areas is not None:
                rows.areas[rows.areas > 1] = np.nan  # in pixels: the boxes' own are used instead
            units: BoxUnits = "fractions"
        else:
            problems += drop_first_pixel(file.path.name, rows.boxes, rows.image_of, sizes) if boxes is None else []
            units = "pixels"
    made = assemble(file.path.name, images, categories, rows, file.attributes, units, file.left_out)
    return replace(made, problems=(*problems, *made.problems))


def read_captions(path: Path, image_index: IdIndex) -> dict[int, tuple[str, ...]]:
    """A COCO captions file's captions by image index. Raises HopeBenchError where none is for a known image."""
    file = decode(path, _CaptionsFile, "a COCO captions file (annotations with image_id and caption)")
    captions: dict[int, list[str]] = {}
    for row in file.annotations:
        image = image_index.get(row.image_id)
        if image is not None:
            captions.setdefault(image, []).append(row.caption)
    if file.annotations and not captions:
        raise HopeBenchError(f"{path}: none of its {len(file.annotations)} captions is for an image of the instances file.")
    return {image: tuple(texts) for image, texts in captions.items()}
