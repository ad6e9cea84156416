"""Image files: hashed, opened as people see them, and reported when they can't be read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hope_bench.errors import short_reason
from hope_bench.progress import progress_bar

DECODING = 3
"""Which pixels `decode_rgb` makes of a file, counted up where they change: what is kept of pictures names it. Since 2 transparent
pixels are white; since 3 those of PNGs of 2, 4 and 16 bits, too, and pictures of floats aren't black."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO", "AVIF", "JPEG2000")
"""What pictures are stored as, whatever their files are called. Of the many others that Pillow knows one runs a program (EPS)."""

MOST_PIXELS = 2**28 // 3
"""Of a picture, 89 million: where Pillow begins to warn. Decoded, such a one takes 1 GB; as a PNG it may have half a megabyte."""

MOST_BYTES = 2**30
"""Of a picture's file."""

_BAND = 64
"""Rows."""

_ON_THE_SIDE = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


class UnreadableImageError(Exception):
    """An image that can't be used; the text is the reason, without the path. One bad image is counted, listed and survived."""


def open_rgb(path: Path) -> Image.Image:
    """The whole picture in RGB, turned as its EXIF orientation says. Raises UnreadableImageError."""
    return decode_rgb(read_image_bytes(path))


def read_image_bytes(path: Path) -> bytes:
    """The file's bytes. Raises UnreadableImageError where it is missing, no regular file, too large, or can't be read."""
    with _regular(path) as stream:
        return stream.read()


@contextlib.contextmanager
def _regular(path: Path) -> Iterator[io.BufferedReader]:
    """A picture's file, open: of a pipe or a device nothing would ever come, or no end. Raises UnreadableImageError."""
    try:
        with open(path, "rb", opener=_at_once) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableImageError("not a regular file")
            if found.st_size > MOST_BYTES:
                raise UnreadableImageError(f"the file is larger than {MOST_BYTES // 2**20:,} MB")
            yield stream
    except FileNotFoundError:
        raise UnreadableImageError("the file is missing") from None
    except OSError as error:
        raise UnreadableImageError(f"the file can't be read: {error.strerror or error}") from None
    except ValueError:  # a name with a NUL
        raise UnreadableImageError("its name can't be that of a file") from None


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write to a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that the Pillow here was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def open_picture(source: IO[bytes]) -> Iterator[Image.Image]:
    """A picture whose head is read and nothing decoded yet. Raises UnreadableImageError, also for what Pillow raises at corrupt
    data while it is used."""
    try:
        with Image.open(source, formats=_formats()) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UnreadableImageError(f"{picture.width} x {picture.height} pixels are more than {MOST_PIXELS:,}")
            yield picture
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image, or of an unknown format") from None
    except Image.DecompressionBombError:
        raise UnreadableImageError(f"it has more than {MOST_PIXELS:,} pixels") from None
    except (MemoryError, UnreadableImageError):
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything at corrupt data: struct.error, RuntimeError, ...
        raise UnreadableImageError(f"truncated or corrupt: {short_reason(error)}") from None


def decode_rgb(data: bytes, at_least: int | None = None) -> Image.Image:
    """An encoded picture decoded whole, in RGB, turned as its EXIF orientation says; of an animation the first picture.

    What is transparent shows white, not the colour hidden beneath it: on white Qwen's and vLLM's own loaders put it as well.
    Where it is enough that the sides are `at_least` so many pixels, a JPEG is decoded at a fraction of its size, several times
    faster. Raises UnreadableImageError.
    """
    with open_picture(io.BytesIO(data)) as picture:
        if at_least is not None:
            picture.draft("RGB", (at_least, at_least))
        _scale_clear(picture)
        picture.load()
        return _to_rgb(_upright(picture))


def plain_picture() -> Image.Image:
    """A grey picture of a common size, to see whether a model answers a question about any."""
    return Image.new("RGB", (224, 224), "grey")


def shown_by_all(data: bytes) -> bool:
    """Whether every tool that opens this picture and takes its RGB sees what `decode_rgb` shows, by the file's head alone. Not so
    of what EXIF turns, of what is transparent, and of pixels that are no colours of 8 bits; nor of what is no picture."""
    try:
        with open_picture(io.BytesIO(data)) as picture:
            plain = picture.mode in ("1", "L", "P", "RGB") and not picture.has_transparency_data
            return plain and _orientation(picture) in (None, 1)
    except UnreadableImageError:
        return False


def encoded(picture: Image.Image, form: str, **how: Any) -> bytes:
    """A picture as a file of a format ("JPEG"), to be written whole: Pillow itself, writing one, takes a disk that is full in the
    middle of it for done."""
    stream = io.BytesIO()
    picture.save(stream, form, **how)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class Shape:
    """A picture's width and height as its pixels are stored, and how EXIF says to turn it: 1 (not at all) to 8."""

    width: int
    height: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as people see it."""
        return (self.height, self.width) if self.orientation in _ON_THE_SIDE else (self.width, self.height)


def picture_shape(path: Path) -> Shape:
    """A picture's size and orientation, from the file's head alone. Raises UnreadableImageError."""
    with _regular(path) as stream, open_picture(stream) as picture:
        orientation = _orientation(picture)
        return Shape(*picture.size, orientation if orientation is not None and 1 <= orientation <= 8 else 1)


def _orientation(picture: Image.Image) -> int | None:
    """What EXIF says; None where it says nothing, or can't be read: such pictures are shown as they are stored."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - Pillow raises anything at broken EXIF
        return None


def _upright(picture: Image.Image) -> Image.Image:
    return picture if _orientation(picture) in (None, 1) else ImageOps.exif_transpose(picture)


_SCALED: Mapping[str, Callable[[Any], Any]] = {
    "L;2": lambda grey: grey * 85,
    "L;4": lambda grey: grey * 17,
    "RGB;16B": lambda colour: tuple(channel >> 8 for channel in colour),
}
"""What Pillow makes of a file's numbers, by what it calls the file's pixels."""


def _scale_clear(picture: Image.Image) -> None:
    """A PNG's one transparent colour in the numbers that its pixels have once they are decoded: Pillow leaves it in the file's.

    Of 16 bits a channel only the upper eight are decoded, so colours that differ in the lower ones alone are transparent, too.
    """
    tiles, clear = getattr(picture, "tile", None), picture.info.get("transparency")
    scaled = _SCALED.get(str(tiles[0][3])) if tiles else None
    if clear is not None and scaled is not None:
        picture.info["transparency"] = scaled(clear)


def _to_rgb(picture: Image.Image) -> Image.Image:
    """On white, whatever way of being transparent the mode has: alpha, a palette's, or one colour that stands for nothing."""
    if picture.mode.startswith("I"):
        return _grey_to_rgb(picture)
    if picture.mode == "F":
        return _floats_to_rgb(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    coloured = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(coloured, mask=coloured.getchannel("A"))
    return white


def _grey_to_rgb(picture: Image.Image) -> Image.Image:
    """16-bit greys: Pillow cuts them off at 255 instead of scaling them, and forgets which grey is transparent."""
    deep = np.asarray(picture)
    grey = _in_bands(deep, lambda band: np.clip(np.rint(band * (255 / 65535)), 0, 255))
    if (clear := picture.info.get("transparency")) is not None:
        grey[deep == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _in_bands(pixels: NDArray[Any], shades: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.uint8]:
    """The `shades` of a picture of one channel, worked out a band of rows at a time: of a large one all float64s take 2 GB."""
    made = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _BAND):
        made[top : top + _BAND] = shades(pixels[top : top + _BAND].astype(np.float64))
    return made


def _floats_to_rgb(picture: Image.Image) -> Image.Image:
    """Greys as floats, which say nothing of white: it is 1 where none is above, else 255 as Pillow has it.

    Raises UnreadableImageError for others, such as depths and elevations: no picture that people see.
    """
    floats = np.asarray(picture)
    least, most = float(floats.min()), float(floats.max())
    if not (least >= 0 and most <= 255):
        raise UnreadableImageError(f"its pixels are floats from {least:g} to {most:g}, and nothing says which of them is white")
    grey = _in_bands(floats, lambda band: np.rint(band * (255 if most <= 1 else 1)))
    return Image.fromarray(grey).convert("RGB")


def hash_images(paths: Sequence[Path]) -> list[str | UnreadableImageError]:
    """The SHA-256 of each file, or why it can't be read, in order."""

    def one(path: Path) -> str | UnreadableImageError:
        try:
            with _regular(path) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except UnreadableImageError as error:
            return error

    found: list[str | UnreadableImageError] = []
    with progress_bar("Reading image files", len(paths)) as advance, ThreadPoolExecutor(max_workers=8) as pool:
        for digest in pool.map(one, paths):
            found.append(digest)
            advance(1)
    return found
