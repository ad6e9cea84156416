"""Several annotation files of one dataset (train and val) as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import Annotations

_Value = TypeVar("_Value")


def merge(parts: Sequence[tuple[Path, Annotations]]) -> Annotations:
    """The images of all parts in turn, under the first's vocabulary.

    Raises HopeBenchError where the parts have other categories (nobody would have looked for the missing ones), share an image,
    or can't be joined since they say different things of images.
    """
    (first, one), *others = parts
    if not others:
        return one
    for path, other in others:
        _check_joinable(first, one, path, other)
    _check_distinct_images(parts)
    every = [annotations for _, annotations in parts]
    place = {category.name: index for index, category in enumerate(one.categories)}
    columns = [np.array([place[category.name] for category in part.categories], dtype=np.int32) for part in every]
    rows = list(accumulate((len(part.category_of) for part in every), initial=0))
    images = list(accumulate((len(part.images) for part in every), initial=0))

    def by_image(of: Callable[[Annotations], Mapping[int, Any]], kind: Callable[[Any], Any]) -> dict[int, Any]:
        """What is known of whole images, with the images' and the categories' new numbers."""
        return {
            images[number] + image: kind(columns[number][column] for column in values)
            for number, part in enumerate(every)
            for image, values in of(part).items()
        }

    def moved(of: Callable[[Annotations], Mapping[int, _Value]], by: Sequence[int]) -> dict[int, _Value]:
        return {by[number] + key: value for number, part in enumerate(every) for key, value in of(part).items()}

    return Annotations(
        categories=one.categories,
        images=tuple(image for part in every for image in part.images),
        starts=np.concatenate([[0], *(part.starts[1:] + row for part, row in zip(every, rows, strict=False))]).astype(np.int64),
        category_of=np.concatenate([column[part.category_of] for column, part in zip(columns, every, strict=True)]),
        crowd=np.concatenate([part.crowd for part in every]),
        boxes=_joined(every, lambda part: part.boxes, (4,)),
        areas=_joined(every, lambda part: part.areas, ()),
        attributes=moved(lambda part: part.attributes, rows),
        captions=moved(lambda part: part.captions, images),
        problems=tuple(dict.fromkeys(problem for part in every for problem in part.problems)),
        box_units=one.box_units,
        also_present=by_image(lambda part: part.also_present, lambda found: tuple(int(column) for column in found)),
        verified_absent=None
        if one.verified_absent is None
        else by_image(lambda part: part.verified_absent or {}, lambda found: frozenset(int(column) for column in found)),
        not_exhaustive=by_image(lambda part: part.not_exhaustive, lambda found: frozenset(int(column) for column in found)),
        every_instance=all(part.every_instance for part in every),
    )


def _joined(parts: Sequence[Annotations], of: Callable[[Annotations], Any], shape: tuple[int, ...]) -> Any:
    """A column of all parts, NaN where a part has none; None where none has."""
    if all(of(part) is None for part in parts):
        return None
    return np.concatenate(
        [np.full((len(part.category_of), *shape), np.nan, dtype=np.float32) if of(part) is None else of(part) for part in parts]
    )


def _check_joinable(first: Path, one: Annotations, path: Path, other: Annotations) -> None:
    mine, its = ({category.name for category in part.categories} for part in (one, other))
    if mine != its:
        lacking = [f"{name} lacks {first_few(sorted(missing), 3)}" for name, missing in
                   ((first.name, its - mine), (path.name, mine - its)) if missing]  # fmt: skip
        raise HopeBenchError(
            f"{first} and {path} have other categories ({'; '.join(lacking)}): what one doesn't list, its images were not looked "
            "through for. Join only files of the same categories."
        )
    if one.box_units != other.box_units:
        raise HopeBenchError(f"The boxes of {first} are {one.box_units}, those of {path} {other.box_units}. Convert one of them.")
    if (one.verified_absent is None) != (other.verified_absent is None):
        raise HopeBenchError(f"Only one of {first} and {path} says what is verified to be absent. Give them one at a time.")
    if one.relationships is not None or other.relationships is not None:
        raise HopeBenchError(f"{first} and {path} can't be joined: relationships are known of one dataset at a time.")


def _check_distinct_images(parts: Sequence[tuple[Path, Annotations]]) -> None:
    seen: dict[str, Path] = {}
    for path, part in parts:
        own = {image.file_name: path for image in part.images}
        shared = sorted(own.keys() & seen.keys())
        if shared:
            raise HopeBenchError(
                f"{seen[shared[0]]} and {path} share {counted(len(shared), 'image')} ({first_few(shared, 3)}): "
                "their objects would "
                "count twice. Name files of different images."
            )
        seen |= own
