"""COCO instances and captions files, and every dataset published in that format, such as Objects365."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from hope_bench.annotations.box_layout import settle_boxes
from hope_bench.annotations.coco_rows import InstancesFile, supercategories
from hope_bench.annotations.columns import assemble
from hope_bench.annotations.ids import Id, IdIndex
from hope_bench.annotations.json_file import decode
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import Annotations, BoxLayout, Category

_CAPTIONS = "a COCO captions file (annotations with image_id and caption)"


class _Caption(msgspec.Struct, gc=False):
    image_id: Id | float | None = None
    caption: str | None = None


class _CaptionsFile(msgspec.Struct):
    annotations: list[_Caption]


def read_coco(file: InstancesFile, captions: Sequence[Path], boxes: BoxLayout | None = None) -> Annotations:
    """A COCO instances file (`load_instances`) and captions files for the same images.

    Crowd regions (`iscrowd`) are kept and marked; `attributes` and a category's `synonyms` are kept as written. Boxes are read as
    `boxes` says, else as all of them tell (`tell_layout`), and cut to their image. Captions of images that the instances file
    does not list are left out. Raises HopeBenchError where it is no captions file, or holds none for these images.
    """
    spoken = spoken_names([row.name for row in file.categories])
    above = supercategories(file.categories)
    categories = tuple(
        Category(row.name, row.supercategory, words, (*alternatives(row.name), *row.synonyms), above.get(row.name, ()))
        for row, words in zip(file.categories, spoken, strict=True)
    )
    annotations = with_boxes(file, categories, boxes)
    roots = dict.fromkeys(name for names in above.values() for name in names)
    if roots:
        problem = (
            f"{file.path.name}: {counted(len(roots), 'category is', 'categories are')} the supercategory of others "
            f"({first_few(map(repr, roots), 3)}): what is below one is never asked to be absent beside it, nor it beside "
            "them, unless the ontology guard is off."
        )
        annotations = replace(annotations, problems=(*annotations.problems, problem))
    return replace(annotations, captions=read_captions(captions, file.images.index))


def with_boxes(file: InstancesFile, categories: tuple[Category, ...], boxes: BoxLayout | None) -> Annotations:
    """The file's annotations, boxes as (x, y, width, height). Raises HopeBenchError where it can't be told what they are."""
    images = file.images.images
    units, problems = settle_boxes(file.path, file.rows, images, boxes)
    made = assemble(file.path.name, images, categories, file.rows, file.attributes, units, file.left_out)
    return replace(made, problems=(*file.problems, *problems, *made.problems))


def read_captions(paths: Sequence[Path], image_index: IdIndex) -> dict[int, tuple[str, ...]]:
    """The captions of COCO captions files by image index; entries that hold none are left out. Raises HopeBenchError where none
    of the files has one for a known image."""
    captions: dict[int, list[str]] = {}
    rows = 0
    for path in paths:
        listed = decode(path, _CaptionsFile, _CAPTIONS).annotations
        if listed and all(row.caption is None or row.image_id is None for row in listed):
            raise HopeBenchError(f"{path} is JSON, but not {_CAPTIONS}: none of its annotations has both.")
        rows += len(listed)
        for row in listed:
            image = None if row.image_id is None else image_index.get(_whole(row.image_id))
            if image is not None and row.caption is not None and row.caption.strip():
                captions.setdefault(image, []).append(row.caption)
    if rows and not captions:
        raise HopeBenchError(
            f"{', '.join(map(str, paths))}: of {counted(rows, 'caption')}, none is for an image of the instances file."
        )
    return {image: tuple(texts) for image, texts in captions.items()}


def _whole(value: Id | float) -> Id:
    return int(value) if isinstance(value, float) and value.is_integer() else str(value) if isinstance(value, float) else value
