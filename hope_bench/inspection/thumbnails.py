"""Small copies of a benchmark's images, for the gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hope_bench.images import UnreadableImageError, decode_rgb, encoded, read_image_bytes
from hope_bench.provenance import make_folder, write_bytes

LONGEST = 400
"""Pixels of a thumbnail's longer side: sharp at the size of a card on screens of twice the density."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A thumbnail: its file relative to the gallery and its size in pixels."""

    file: str
    width: int
    height: int


def write_thumbnails(
    folder: Path, images: Path, names: Sequence[str], advance: Callable[[int], None]
) -> list[Thumbnail | UnreadableImageError]:
    """Write `folder`/thumbs/000001.jpg and so on, in the order of `names`, and return what each became.

    Thumbnails of an earlier, longer gallery are removed; nothing else in the folder is touched.
    """
    target = folder / "thumbs"
    make_folder(target)

    def one(numbered: tuple[int, str]) -> Thumbnail | UnreadableImageError:
        number, name = numbered
        path = target / f"{number:06}.jpg"
        try:
            picture = shrink(read_image_bytes(images / name))
        except UnreadableImageError as error:
            path.unlink(missing_ok=True)
            return error
        finally:
            advance(1)
        write_bytes(path, encoded(picture, "JPEG", quality=82, optimize=True))
        return Thumbnail(f"thumbs/{path.name}", picture.width, picture.height)

    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(one, enumerate(names, 1)))
    for path in target.glob("[0-9]" * 6 + ".jpg"):
        if int(path.stem) > len(names):
            path.unlink()
    return found


def shrink(data: bytes) -> Image.Image:
    """The picture in RGB, turned as its EXIF orientation says, no side longer than LONGEST. Raises UnreadableImageError."""
    small = decode_rgb(data, at_least=2 * LONGEST)
    small.thumbnail((LONGEST, LONGEST))
    return small
