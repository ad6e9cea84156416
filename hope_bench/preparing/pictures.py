"""A look at picture files beside what annotations say of them: missing, unreadable, turned, of another size, unlisted."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags

from hope_bench.images import UnreadableImageError, decode_rgb, open_picture, read_image_bytes
from hope_bench.preparing.find import PICTURES
from hope_bench.records import Annotations

LOOKED_AT = 1_000
"""Pictures that are decoded, spread over all: each takes milliseconds."""

_SMALL = 32


@dataclass(frozen=True, slots=True)
class PictureLook:
    """File names by what is amiss; of the `there` pictures that exist `looked_at` were decoded. `lost` are the names of what is
    missing or unreadable."""

    there: int
    looked_at: int
    missing: tuple[str, ...]
    unreadable: tuple[str, ...]
    turned: tuple[str, ...]
    other_size: tuple[str, ...]
    unlisted: tuple[str, ...]
    lost: frozenset[str]


def look_at_pictures(annotations: Annotations, folder: Path) -> PictureLook:
    """Look at the annotations' pictures in `folder`: whether all are there, and what is wrong with LOOKED_AT of them."""
    names = {image.file_name: image for image in annotations.images}
    files = _files(folder)
    there = [name for name in names if name in files or (folder / name).is_file()]
    chosen = there[:: max(1, -(-len(there) // LOOKED_AT))]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        seen = dict(zip(chosen, pool.map(lambda name: _seen(folder / name), chosen), strict=True))
    unreadable, turned, other = [], [], []
    for name, found in seen.items():
        if isinstance(found, str):
            unreadable.append(f"{name}: {found}")
            continue
        (width, height), orientation = found
        said = (names[name].width, names[name].height)
        fitting = {(width, height), (height, width)} if orientation in (5, 6, 7, 8) else {(width, height)}
        if orientation not in (None, 1):
            turned.append(f"{name}: orientation {orientation}")
        if None not in said and said not in fitting:
            other.append(f"{name}: {width} x {height}, not {said[0]} x {said[1]}")
    known = set(there)
    missing = tuple(name for name in names if name not in known)
    unlisted = tuple(sorted(files - names.keys()))
    lost = frozenset((*missing, *(name for name, found in seen.items() if isinstance(found, str))))
    return PictureLook(len(there), len(chosen), missing, tuple(unreadable), tuple(turned), tuple(other), unlisted, lost)


def _files(folder: Path) -> set[str]:
    found: set[str] = set()
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = Path(here).relative_to(folder)
        found.update((inner / name).as_posix() for name in files if Path(name).suffix.lower() in PICTURES)
    return found


def _seen(path: Path) -> tuple[tuple[int, int], int | None] | str:
    """A picture's stored size and EXIF orientation, or why it can't be read."""
    try:
        data = read_image_bytes(path)
        decode_rgb(data, at_least=_SMALL)
        with open_picture(io.BytesIO(data)) as picture:
            size = picture.size
            try:
                return size, picture.getexif().get(ExifTags.Base.Orientation)
            except Exception:  # noqa: BLE001 - Pillow raises anything at broken EXIF
                return size, None
    except UnreadableImageError as error:
        return str(error)
