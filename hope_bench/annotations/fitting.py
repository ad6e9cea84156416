"""Annotations and the picture files they are about: names as the files are found, boxes of pictures that were turned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.annotations.box_layout import image_sizes, tell_layout
from hope_bench.annotations.image_files import Folder, plain_path
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.names import check_images, within_folder
from hope_bench.images import Shape, UnreadableImageError, picture_shape
from hope_bench.progress import progress_bar
from hope_bench.records import Annotations, Image

_TOLERANCE = math.log(1.05)
"""How far the logarithms of two aspect ratios may be apart: sizes are rounded, and pictures resized."""


_PROBES = 2_000
"""Images whose files are looked for, spread over all, before a way of naming them is given up."""

_READERS = 8
"""Files whose sizes are read at once."""


def fit_names(
    annotations: Annotations, there: Callable[[str], bool], files: Callable[[], Iterable[str]] | None = None
) -> Annotations:
    """The annotations with their images named as they are found: as they stand, by the last two parts, or by the last; and where
    that doesn't find all, each by its own name among `files` (`image_files`).

    LVIS says val2017/1.jpg where one may name val2017 itself as the folder of the images; Objects365 says
    images/v1/patch8/1.jpg, and its archives hold patch8/1.jpg. Unchanged where nothing is there, or names would be equal. Raises
    HopeBenchError where no image is found, and some could be several files.
    """
    images = annotations.images
    probes = [image.file_name for image in images[:: max(1, len(images) // _PROBES)]]
    enough = any if files is None else all
    for parts in (None, 2, 1):
        if probes and enough(there(_last(name, parts)) for name in probes):
            names = [_last(image.file_name, parts) for image in images]
            if parts is None or len(set(names)) < len(names):
                return annotations
            return _renamed(annotations, names)
    return annotations if files is None else _found_one_by_one(annotations, files())


def named_within(annotations: Annotations) -> Annotations:
    """The annotations with no image's name leading out of a folder of images, as /data/val/1.jpg does.

    Raises HopeBenchError for a name that no file can have, and where two would be one file.
    """
    if all(within_folder(image.file_name) for image in annotations.images):
        return annotations
    names = [one.file_name if within_folder(one.file_name) else plain_path(one.file_name) for one in annotations.images]
    check_images("The annotations", names)
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise HopeBenchError(f"The annotations name {twice!r} in several folders outside of the images' own. Name each once.")
    return _renamed(annotations, names)


def _last(name: str, parts: int | None) -> str:
    return name if parts is None else "/".join(name.split("/")[-parts:])


def _found_one_by_one(annotations: Annotations, files: Iterable[str]) -> Annotations:
    names = [image.file_name for image in annotations.images]
    found = Folder(files).find(names)
    unclear = [f"{names[image]}: {first_few(files, 2)}" for image, files in found.unclear.items()]
    if unclear and not any(found.files):
        raise HopeBenchError(
            f"None of the {len(names):,} images is found: {len(unclear):,} could be several files, or share one with another "
            f"image ({first_few(unclear, 3)}). Name the one folder that holds the images, or give them distinct names."
        )
    if not any(found.files):
        return annotations
    fitted = _renamed(annotations, [file or plain_path(name) for file, name in zip(found.files, names, strict=True)])
    if not unclear:
        return fitted
    problem = (
        f"{counted(len(unclear), 'image counts', 'images count')} as missing, since they could be several "
        "files, or share one with another image "
        f"({first_few(unclear, 3)})."
    )
    return replace(fitted, problems=(*fitted.problems, problem))


def _renamed(annotations: Annotations, names: Sequence[str]) -> Annotations:
    renamed = tuple(replace(image, file_name=name) for image, name in zip(annotations.images, names, strict=True))
    return replace(annotations, images=renamed)


@dataclass(frozen=True, slots=True)
class Misfits:
    """Images whose boxes are of no use, each with what their file is: of another `shape` than the annotations say, or `turned` by
    EXIF while nobody says which way up the boxes are."""

    shape: dict[int, str]
    turned: dict[int, str]

    def problems(self, annotations: Annotations) -> tuple[str, ...]:
        """In words."""

        def listed(reasons: dict[int, str]) -> str:
            return first_few((f"{annotations.images[image].file_name}: {reason}" for image, reason in reasons.items()), 3)

        told = []
        if self.shape:
            told.append(
                f"{counted(len(self.shape), 'picture is', 'pictures are')} of another shape than the "
                "annotations say, so their boxes are not used "
                f"({listed(self.shape)}). Were they turned or cut after they were annotated?"
            )
        if self.turned:
            told.append(
                f"{counted(len(self.turned), 'picture is', 'pictures are')} turned by EXIF, and nothing says "
                "whether their boxes are on the picture as "
                f"people see it or as it is stored, so their boxes are not used ({listed(self.turned)}). "
                'Say it with dataset.orientation = "upright" or "stored".'
            )
        return tuple(told)


def fit_boxes(annotations: Annotations, images: Sequence[int], folder: Path) -> tuple[Annotations, tuple[str, ...]]:
    """The annotations with `images`' boxes checked against their files in `folder`; and what was done, in words.

    As `fit_sizes`. Boxes that are of no use become NaN, in place: their objects stay present, and nothing is then claimed of
    their places.
    """
    annotations, misfits = fit_sizes(annotations, images, folder)
    for image in (*misfits.shape, *misfits.turned):
        assert annotations.boxes is not None
        annotations.boxes[annotations.starts[image] : annotations.starts[image + 1]] = np.nan
    return annotations, misfits.problems(annotations)


def fit_sizes(annotations: Annotations, images: Sequence[int], folder: Path) -> tuple[Annotations, Misfits]:
    """The annotations with `images`' unknown sizes read from their files in `folder`, and boxes on pictures as stored turned as
    EXIF turns these, in place; and what doesn't fit. Files that can't be read are left to others, and none is looked at twice
    (`Annotations.fitted`)."""
    misfits = Misfits({}, {})
    if annotations.boxes is None:
        return annotations, misfits

    def shape(image: int) -> Shape | None:
        try:
            return picture_shape(folder / annotations.images[image].file_name)
        except UnreadableImageError:
            return None

    left = [image for image in images if image not in annotations.fitted]
    shapes: list[Shape | None] = []
    with progress_bar("Reading the sizes of images", len(left)) as advance, ThreadPoolExecutor(_READERS) as pool:
        for found in pool.map(shape, left):
            shapes.append(found)
            advance(1)
    sized: dict[int, Image] = {}
    for image, found in zip(left, shapes, strict=True):
        if found is None:
            continue
        stored = annotations.orientation == "stored"
        width, height = (found.width, found.height) if stored else found.upright
        across, down = _size(annotations.images[image]) or (width, height)
        if abs(math.log(width / height) - math.log(across / down)) > _TOLERANCE:
            misfits.shape[image] = f"{width} x {height}, not {across} x {down}"
            continue
        if found.orientation != 1 and annotations.orientation is None:
            misfits.turned[image] = f"EXIF orientation {found.orientation}"
        if stored and found.orientation != 1:
            extent = (1.0, 1.0) if annotations.box_units == "fractions" else (float(across), float(down))
            own = slice(annotations.starts[image], annotations.starts[image + 1])
            annotations.boxes[own] = turn_upright(annotations.boxes[own], extent, found.orientation)
            if found.orientation > 4:
                across, down = down, across
        sized[image] = replace(annotations.images[image], width=across, height=down)
    every = list(annotations.images)
    for image, said in sized.items():
        every[image] = said
    looked_at = annotations.fitted | {image for image, found in zip(left, shapes, strict=True) if found is not None}
    return replace(annotations, images=tuple(every), fitted=looked_at), misfits


def _size(image: Image) -> tuple[int, int] | None:
    """Width and height, None where one is unknown."""
    if image.width is None or image.height is None or min(image.width, image.height) <= 0:
        return None
    return image.width, image.height


def check_layout(before: Annotations, after: Annotations, images: Sequence[int], path: Path) -> None:
    """Raise HopeBenchError where sizes that only the files of `images` gave tell that the boxes aren't (x, y, width, height)."""
    unsized = [image for image in images if before.extent(image) is None and after.extent(image) is not None]
    if after.boxes is None or not unsized:
        return
    rows = [np.arange(after.starts[image], after.starts[image + 1]) for image in unsized]
    image_of = np.repeat(np.array(unsized), [len(own) for own in rows]).astype(np.int32)
    settled = tell_layout(path, after.boxes[np.concatenate(rows)], image_of, image_sizes(after.images))
    if settled.layout != "xywh":
        raise HopeBenchError(
            f"{path} gives no sizes of its images; by those of the pictures its boxes aren't (x, y, width, height). "
            f'Set dataset.boxes = "{settled.layout}", which they fit, or what they are instead ("xywh" included).'
        )


def turn_upright(boxes: NDArray[np.float32], extent: tuple[float, float], orientation: int) -> NDArray[np.float32]:
    """Boxes [A, 4] (x, y, width, height) on a stored picture of that extent, as they are on the picture that people see.

    EXIF's orientation tells which sides of that picture the stored first row and column are: 2 right to left, 3 upside down, 4
    both mirrored, 5 to 8 the same with rows as columns.
    """
    (x, y, width, height), (across, down) = boxes.T, extent
    from_right, from_bottom = across - x - width, down - y - height
    columns = {
        1: (x, y), 2: (from_right, y), 3: (from_right, from_bottom), 4: (x, from_bottom),
        5: (y, x), 6: (from_bottom, x), 7: (from_bottom, from_right), 8: (y, from_right),
    }[orientation]  # fmt: skip
    sizes = (width, height) if orientation < 5 else (height, width)
    return np.stack([*columns, *sizes], axis=1)
