"""Which of an image's present objects the yes-questions are about: the first annotated ones, as in POPE, or others."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.search.content import content
from hope_bench.search.selection import DIGITS
from hope_bench.search.space import SearchSpace

Order = tuple[tuple[str, ...], ...]
"""Each sampled image's present objects, those to be asked about first."""


def ordered(space: SearchSpace, how: str, encoder: str = "") -> Order:
    """Every image's present objects in the order in which `how` wants them asked about (a spec's `positives`).

    Raises HopeBenchError where sizes are asked for and the annotations have none.
    """
    return _ORDERS[how](space, encoder)


def _first(space: SearchSpace, _: str) -> Order:
    return space.present


def _random(space: SearchSpace, _: str) -> Order:
    return tuple(
        tuple(_rng(space, file).sample(names, len(names))) for file, names in zip(space.files, space.present, strict=True)
    )


def _size_stratified(space: SearchSpace, _: str) -> Order:
    """One of the smaller objects, one of the larger, ...: the objects by size in k strata, and of each stratum one drawn."""
    if space.annotations.boxes is None and space.annotations.areas is None:
        raise HopeBenchError('positives = "size-stratified" needs the objects\' boxes, which these annotations do not have.')
    return tuple(
        _stratified(names, sizes(space, image), space.spec.k, _rng(space, file))
        for image, file, names in zip(space.images, space.files, space.present, strict=True)
    )


def _stratified(names: Sequence[str], size: Mapping[str, float], k: int, rng: random.Random) -> tuple[str, ...]:
    by_size = sorted(names, key=lambda name: size.get(name, np.inf))  # those of unknown size last
    edges = [round(place * len(by_size) / k) for place in range(k + 1)]
    strata = [by_size[start:end] for start, end in pairwise(edges)]
    drawn = [rng.choice(stratum) for stratum in strata if stratum]
    rest = [name for name in names if name not in drawn]
    return (*drawn, *rng.sample(rest, len(rest)))


def sizes(space: SearchSpace, image: int) -> dict[str, float]:
    """The size of each of an image's present objects: of all its instances together; those of unknown size are left out."""
    found: dict[str, float] = {}
    for one in space.annotations.instances(image):
        area = one.area if one.area is not None else one.bbox[2] * one.bbox[3] if one.bbox is not None else None
        if area is not None:
            found[one.category] = found.get(one.category, 0.0) + area
    return found


def _hard(space: SearchSpace, encoder: str) -> Order:
    """Those first that CLIP finds least likely in the image."""
    scores = np.round(content(space, space.encoded[encoder]), DIGITS)
    return tuple(
        tuple(sorted(names, key=lambda name: (scores[row, space.column[name]], name))) for row, names in enumerate(space.present)
    )


def _rng(space: SearchSpace, file: str) -> random.Random:
    # By the image's name, so that an image's objects don't depend on what else is drawn.
    return random.Random(f"{space.spec.seed} positives {file}")


_ORDERS: Mapping[str, Callable[[SearchSpace, str], Order]] = {
    "first": _first, "random": _random, "size-stratified": _size_stratified, "hard": _hard,
}  # fmt: skip
