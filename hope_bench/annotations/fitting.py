"""Whether boxes fit the picture files: annotations of a picture before it was turned by its EXIF orientation don't."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hope_bench.errors import first_few
from hope_bench.images import UnreadableImageError, upright_size
from hope_bench.records import Annotations

_TOLERANCE = math.log(1.05)
"""How far the logarithms of two aspect ratios may be apart: sizes are rounded, and pictures resized."""


def drop_boxes_that_do_not_fit(annotations: Annotations, images: Sequence[int], folder: Path) -> tuple[str, ...]:
    """Make the boxes of images NaN, in place, whose file in `folder` is of another shape than the annotations say.

    The objects stay present; nothing is then claimed of their places. Returns what was done, in words; files that can't be read
    are left to others.
    """
    wrong: list[str] = []
    for image in images:
        said = annotations.images[image]
        if annotations.boxes is None or not said.width or not said.height:
            continue
        try:
            width, height = upright_size(folder / said.file_name)
        except UnreadableImageError:
            continue
        if abs(math.log(width / height) - math.log(said.width / said.height)) > _TOLERANCE:
            annotations.boxes[annotations.starts[image] : annotations.starts[image + 1]] = np.nan
            wrong.append(f"{said.file_name}: {width} x {height}, not {said.width} x {said.height}")
    if not wrong:
        return ()
    return (
        f"{len(wrong)} picture(s) are of another shape than the annotations say, so their boxes are not used "
        f"({first_few(wrong, 3)}). Were they turned or cut after they were annotated?",
    )
