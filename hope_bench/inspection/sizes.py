"""How large the objects are that a benchmark asks about, beside those in the same images that it doesn't."""

from __future__ import annotations

import statistics
from collections.abc import Container, Mapping
from dataclasses import dataclass

from hope_bench.files.benchmark import Benchmark
from hope_bench.records import Annotations

Shares = Mapping[tuple[str, str], float]
"""What share of its image the largest instance of each present object takes, in [0, 1], by (image file, category)."""


@dataclass(frozen=True, slots=True)
class SizesAsked:
    """One split's present objects: how many are `asked` about with yes and how many aren't, and the median share of the image
    that each take (None for none)."""

    split: str
    asked: int
    unasked: int
    asked_share: float | None
    unasked_share: float | None


def object_shares(annotations: Annotations, images: Container[str]) -> dict[tuple[str, str], float]:
    """The size of each object present in one of the `images`: that of its largest instance, by share of the image's area. Objects
    without a box, and images of unknown size, are left out."""
    largest: dict[tuple[str, str], float] = {}
    for index, image in enumerate(annotations.images):
        if image.file_name not in images:
            continue
        extent = annotations.extent(index)
        if extent is None or not extent[0] * extent[1]:
            continue
        for one in annotations.instances(index):
            area = one.area if one.area is not None else one.bbox[2] * one.bbox[3] if one.bbox is not None else None
            if area is not None and not one.crowd:
                key = (image.file_name, one.category)
                largest[key] = max(largest.get(key, 0.0), area / (extent[0] * extent[1]))
    return largest


def sizes_asked(benchmark: Benchmark, annotations: Annotations) -> tuple[SizesAsked, ...]:
    """The sizes of what each split asks about and doesn't; without the splits that have no plain yes-question."""
    shares = object_shares(annotations, benchmark.manifest.images)
    found = []
    for name, questions in benchmark.splits.items():
        plain = {(one.image, one.object) for one in questions if one.label == "yes" and one.description is None}
        if plain:
            asked = [share for key, share in shares.items() if key in plain]
            rest = [share for key, share in shares.items() if key not in plain]
            found.append(SizesAsked(name, len(asked), len(rest), _median(asked), _median(rest)))
    return tuple(found)


def _median(shares: list[float]) -> float | None:
    return statistics.median(shares) if shares else None
