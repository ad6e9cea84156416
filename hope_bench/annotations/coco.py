"""COCO instances and captions files, and every dataset published in that format, such as Objects365."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from hope_bench.annotations.coco_rows import InstancesFile
from hope_bench.annotations.columns import assemble
from hope_bench.annotations.ids import Id
from hope_bench.annotations.json_file import decode
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, counted
from hope_bench.records import Annotations, Category


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _CaptionsFile(msgspec.Struct):
    annotations: list[_Caption]


def read_coco(file: InstancesFile, captions: Path | None) -> Annotations:
    """A COCO instances file (`load_instances`) and a captions file for the same images.

    Crowd regions (`iscrowd`) are kept and marked; `attributes` and a category's `synonyms` are kept as written. Boxes are cut to
    their image. Captions of images that the instances file does not list are left out. Raises HopeBenchError where it is no
    captions file, or holds none for these images.
    """
    spoken = spoken_names([row.name for row in file.categories])
    categories = tuple(
        Category(row.name, row.supercategory, words, (*alternatives(row.name), *row.synonyms))
        for row, words in zip(file.categories, spoken, strict=True)
    )
    annotations = assemble(file.path.name, file.images.images, categories, file.rows, file.attributes)
    return annotations if captions is None else replace(annotations, captions=read_captions(captions, file.images.index))


def read_captions(path: Path, image_index: dict[Id, int]) -> dict[int, tuple[str, ...]]:
    """A COCO captions file's captions by image index. Raises HopeBenchError where none is for a known image."""
    file = decode(path, _CaptionsFile, "a COCO captions file (annotations with image_id and caption)")
    captions: dict[int, list[str]] = {}
    for row in file.annotations:
        if row.image_id in image_index:
            captions.setdefault(image_index[row.image_id], []).append(row.caption)
    if file.annotations and not captions:
        raise HopeBenchError(
            f"{path}: of {counted(len(file.annotations), 'caption')}, none is for an image of the instances file."
        )
    return {image: tuple(texts) for image, texts in captions.items()}
