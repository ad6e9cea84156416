"""The object crops that prototypes are made of: drawn from all annotations, checked against their files, and accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from hope_bench.annotations.fitting import fit_sizes
from hope_bench.errors import first_few
from hope_bench.files.benchmark import PrototypeInfo
from hope_bench.images import hash_images
from hope_bench.provenance import json_sha256
from hope_bench.records import Annotations

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) as shares of the picture's width and height."""

_SMALLEST = 1e-3
"""Crops below this share of the picture's area show too little to make a prototype of."""


@dataclass(frozen=True, eq=False)
class Crops:
    """`drawn` are each category's instance rows, `image_of` their images' indices in the annotations. By image `sha256` holds the
    files' digests, and `reasons` why the crops of some can't be used."""

    folder: Path
    annotations: Annotations
    drawn: tuple[tuple[int, ...], ...]
    image_of: Mapping[int, int]
    sha256: Mapping[int, str]
    reasons: Mapping[int, str]

    @cached_property
    def usable(self) -> dict[int, tuple[str, Box]]:
        """The picture (SHA-256) and box of every drawn row that can be used."""
        found = {}
        for row in sorted(row for own in self.drawn for row in own):
            image = self.image_of[row]
            box = None if image in self.reasons else share_box(self.annotations, image, row)
            if box is not None:
                found[row] = (self.sha256[image], box)
        return found

    def paths(self) -> dict[str, Path]:
        """The files by SHA-256."""
        return {sha256: self.folder / self._file(image) for image, sha256 in self.sha256.items()}

    def without(self, failed: Mapping[str, str]) -> Crops:
        """The same without pictures that can't be decoded: `failed` holds the reasons by SHA-256."""
        reasons = {image: failed[sha256] for image, sha256 in self.sha256.items() if sha256 in failed}
        return replace(self, reasons={**self.reasons, **reasons})

    def info(self) -> PrototypeInfo:
        """What a manifest says of the prototypes."""
        used = {self.image_of[row] for row in self.usable}
        pictures = {self._file(image): self.sha256[image] for image in used}
        return PrototypeInfo(crops=len(self.usable), pictures=len(pictures), sha256=json_sha256(pictures))

    def notes(self) -> tuple[str, ...]:
        """What could not be used, in words; nothing where all could."""
        lost = sum(image in self.reasons for image in self.image_of.values())
        if not lost:
            return ()
        named = sum(not any(row in self.usable for row in own) for own in self.drawn)
        why = first_few((f"{self._file(image)}: {self.reasons[image]}" for image in sorted(self.reasons)), 3)
        return (
            f"{lost} of {len(self.image_of)} object crops could not be used ({why}); "
            f"{named} categories are compared by their name alone.",
        )

    def _file(self, image: int) -> str:
        return self.annotations.images[image].file_name


def draw_crops(annotations: Annotations, most: int, seed: int, folder: Path) -> Crops:
    """At most `most` crops of each category, drawn with the seed, and what their files in `folder` are. Needs boxes."""
    drawn = _draw_rows(annotations, most, seed)
    rows = np.array([row for own in drawn for row in own], dtype=np.int64)
    image_of = dict(zip(rows.tolist(), (np.searchsorted(annotations.starts, rows, side="right") - 1).tolist(), strict=True))
    images = sorted(set(image_of.values()))
    hashes = dict(zip(images, hash_images([folder / annotations.images[image].file_name for image in images]), strict=True))
    sha256 = {image: digest for image, digest in hashes.items() if isinstance(digest, str)}
    reasons = {image: str(error) for image, error in hashes.items() if not isinstance(error, str)}
    annotations, misfits = fit_sizes(annotations, list(sha256), folder)
    reasons |= {image: f"its shape is {misfit}" for image, misfit in misfits.shape.items()}
    reasons |= {image: f"it is turned ({turned}), and nothing says if its boxes are" for image, turned in misfits.turned.items()}
    reasons |= {image: "its size can't be read" for image in sha256 if annotations.extent(image) is None}
    return Crops(folder, annotations, drawn, image_of, sha256, reasons)


def _draw_rows(annotations: Annotations, most: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """For each category at most `most` instance rows, drawn with the seed among those with a usable box and no crowd."""
    assert annotations.boxes is not None
    usable = ~annotations.crowd & (annotations.boxes[:, 2] > 0) & (annotations.boxes[:, 3] > 0)
    rng = np.random.default_rng(seed)
    by_category = np.argsort(annotations.category_of, kind="stable")
    by_category = by_category[usable[by_category]]
    edges = np.searchsorted(annotations.category_of[by_category], np.arange(len(annotations.categories) + 1))
    chosen = []
    for first, last in pairwise(edges):
        rows = by_category[first:last]
        drawn = rng.choice(rows, size=most, replace=False) if len(rows) > most else rows
        chosen.append(tuple(sorted(drawn.tolist())))
    return tuple(chosen)


def share_box(annotations: Annotations, image: int, row: int) -> Box | None:
    """An instance's box as shares of the picture, cut at its edges; None where that can't be told, or it is tiny."""
    extent = annotations.extent(image)
    if annotations.boxes is None or extent is None:
        return None
    x, y, width, height = (float(value) for value in annotations.boxes[row])
    left, top = max(0.0, x / extent[0]), max(0.0, y / extent[1])
    right, bottom = min(1.0, (x + width) / extent[0]), min(1.0, (y + height) / extent[1])
    if max(0.0, right - left) * max(0.0, bottom - top) < _SMALLEST:
        return None
    return left, top, right, bottom
