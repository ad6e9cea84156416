"""What the readers of one-file-per-picture formats share: images and objects collected one by one, and what was left out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hope_bench.annotations.columns import BoxUnits, InstanceRows, assemble, single
from hope_bench.annotations.ids import unique_index
from hope_bench.annotations.segments import Box
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, counted, first_few, short_reason
from hope_bench.records import Annotations, Category, Image


def parsers(module: str) -> Any:
    """One of supervision's modules of formats. Raises HopeBenchError where supervision isn't installed."""
    try:
        with warnings.catch_warnings():
            # Pictures are drawn with OpenCV where it is there; here none is.
            warnings.filterwarnings("ignore", message=r"OpenCV .* is not installed", category=UserWarning)
            return import_module(f"supervision.dataset.formats.{module}")
    except ModuleNotFoundError:
        raise HopeBenchError(
            "YOLO, Pascal VOC and LabelMe annotations are read with supervision, which isn't installed. "
            "Install it: pip install 'hope-bench[formats]'."
        ) from None


@dataclass(slots=True)
class Collected:
    """Images and objects in the order they are read; `left_out` are reasons, each with where."""

    path: Path
    vocabulary: dict[str, int] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    image_of: list[int] = field(default_factory=list)
    category_of: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def add_image(self, image: Image) -> None:
        """Begin an image; what is added next is in it."""
        self.images.append(image)

    def add(self, name: str, box: Box) -> None:
        """Add an object to the last image."""
        self.image_of.append(len(self.images) - 1)
        self.category_of.append(self.vocabulary.setdefault(name, len(self.vocabulary)))
        self.boxes.append(box)

    def leave_out(self, reason: str, where: str) -> None:
        """Count what can't be used; a reason begins with the noun of what it is one of: "file left out: no XML"."""
        self.left_out.setdefault(reason, []).append(where)

    def annotations(self, units: BoxUnits) -> Annotations:
        """All of it. Raises HopeBenchError where nothing could be used, or two images have one name."""
        problems = [
            f"{self.path.name}: {counted(len(where), reason, reason.replace(' ', 's ', 1))} ({first_few(where, 3)})."
            for reason, where in self.left_out.items()
        ]
        if not self.image_of:
            raise HopeBenchError(f"{self.path} holds no object that can be used. {first_few(problems, 3)}".rstrip())
        unique_index(self.path, "image file name", [image.file_name for image in self.images])
        names = list(self.vocabulary)
        spoken = spoken_names(names)
        rows = InstanceRows(
            np.array(self.image_of, dtype=np.int32),
            np.array(self.category_of, dtype=np.int32),
            single(self.boxes).reshape(len(self.boxes), 4),
            np.full(len(self.boxes), np.nan, dtype=np.float32),
            np.zeros(len(self.boxes), dtype=np.bool_),
        )
        categories = tuple(
            Category(name, spoken=one, synonyms=alternatives(name)) for name, one in zip(names, spoken, strict=True)
        )
        made = assemble(self.path.name, tuple(self.images), categories, rows, {}, units)
        return replace(made, problems=(*problems, *made.problems))


def corners_as_boxes(corners: Any) -> list[Box]:
    """supervision's corners [A, 4] (left, top, right, bottom) as (x, y, width, height)."""
    return [(float(x), float(y), float(right - x), float(bottom - y)) for x, y, right, bottom in np.asarray(corners)]


def each_or_none(read: Callable[[Sequence[Any]], list[Any]], things: Sequence[Any]) -> Iterable[tuple[Any, Any, str]]:
    """Each thing with what `read` makes of it, or None and why: all at once, and one by one where one of them is bad."""
    try:
        return [(thing, made, "") for thing, made in zip(things, read(things), strict=True)]
    except ValueError:
        return [_one(read, thing) for thing in things]


def _one(read: Callable[[Sequence[Any]], list[Any]], thing: Any) -> tuple[Any, Any, str]:
    try:
        return thing, read([thing])[0], ""
    except (ValueError, IndexError) as error:
        return thing, None, short_reason(error, 120)


def no_duplicates(path: Path, names: Sequence[str]) -> None:
    """Raise HopeBenchError where a class list names a class twice: which one labels mean is then unclear to readers."""
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise HopeBenchError(
            f"{path}: {counted(len(twice), 'class name occurs', 'class names occur')} more than once "
            f"({first_few(twice)}). Each must be unique."
        )
