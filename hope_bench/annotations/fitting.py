"""Annotations and the picture files they are about: names that go deeper than the folder at hand, boxes of turned pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from hope_bench.errors import counted, first_few
from hope_bench.images import UnreadableImageError, upright_size
from hope_bench.records import Annotations, Image

_TOLERANCE = math.log(1.05)
"""How far the logarithms of two aspect ratios may be apart: sizes are rounded, and pictures resized."""


_PROBES = 2_000
"""Images whose files are looked for, spread over all, before a way of naming them is given up."""


def fit_names(annotations: Annotations, there: Callable[[str], bool]) -> Annotations:
    """The annotations with their images named as they are found: as they stand, by the last two parts, or by the last.

    LVIS says val2017/1.jpg where one may name val2017 itself as the folder of the images; Objects365 says
    images/v1/patch8/1.jpg, and its archives hold patch8/1.jpg. Unchanged where nothing is there, or names would be equal.
    """
    images = annotations.images
    probes = [image.file_name for image in images[:: max(1, len(images) // _PROBES)]]
    for parts in (None, 2, 1):
        if any(there(_last(name, parts)) for name in probes):
            names = [_last(image.file_name, parts) for image in images]
            if parts is None or len(set(names)) < len(names):
                return annotations
            renamed = tuple(replace(image, file_name=name) for image, name in zip(images, names, strict=True))
            return replace(annotations, images=renamed)
    return annotations


def _last(name: str, parts: int | None) -> str:
    return name if parts is None else "/".join(name.split("/")[-parts:])


def fit_boxes(annotations: Annotations, images: Sequence[int], folder: Path) -> tuple[Annotations, tuple[str, ...]]:
    """The annotations with `images`' boxes checked against their files in `folder`; and what was done, in words.

    As `fit_sizes`. Where the file is of another shape than the annotations say, the image's boxes become NaN, in place: its
    objects stay present, and nothing is then claimed of their places.
    """
    annotations, misfits = fit_sizes(annotations, images, folder)
    for image in misfits:
        assert annotations.boxes is not None
        annotations.boxes[annotations.starts[image] : annotations.starts[image + 1]] = np.nan
    if not misfits:
        return annotations, ()
    wrong = [f"{annotations.images[image].file_name}: {misfit}" for image, misfit in misfits.items()]
    return annotations, (
        f"{counted(len(wrong), 'picture is', 'pictures are')} of another shape than the annotations say, so "
        "their boxes are not used "
        f"({first_few(wrong, 3)}). Were they turned or cut after they were annotated?",
    )


def fit_sizes(annotations: Annotations, images: Sequence[int], folder: Path) -> tuple[Annotations, dict[int, str]]:
    """The annotations with `images`' unknown sizes read from their files in `folder`; and those of another shape than the
    annotations say, by index: "30 x 40, not 40 x 30". Files that can't be read are left to others."""
    if annotations.boxes is None or annotations.box_units == "fractions":
        return annotations, {}

    def size(image: int) -> tuple[int, int] | None:
        try:
            return upright_size(folder / annotations.images[image].file_name)
        except UnreadableImageError:
            return None

    with ThreadPoolExecutor(max_workers=8) as pool:
        sizes = list(pool.map(size, images))
    sized: dict[int, Image] = {}
    misfits: dict[int, str] = {}
    for image, found in zip(images, sizes, strict=True):
        if found is None:
            continue
        (width, height), said, extent = found, annotations.images[image], annotations.extent(image)
        if extent is None:
            sized[image] = replace(said, width=width, height=height)
        elif abs(math.log(width / height) - math.log(extent[0] / extent[1])) > _TOLERANCE:
            misfits[image] = f"{width} x {height}, not {said.width} x {said.height}"
    if sized:
        every = tuple(sized.get(index, image) for index, image in enumerate(annotations.images))
        annotations = replace(annotations, images=every)
    return annotations, misfits
