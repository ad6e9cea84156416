"""Which file in the images' folder an annotated image is, however a tool wrote its name.

Names come with backslashes, drives, folders of another machine, percent signs, addresses, other capitals, .JPG for .jpg or no
ending. A file is an image's where one's path is the tail of the other's, endings and capitals aside; the longest and most exact
such tail counts, no file is two images', and what could be several files is none.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from hope_bench.files.reading import normalized

_ENDINGS = {
    ".jpg": ".jpg", ".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".png": ".png", ".webp": ".webp", ".bmp": ".bmp",
    ".gif": ".gif", ".tif": ".tif", ".tiff": ".tif", ".ppm": ".ppm", ".pgm": ".ppm", ".avif": ".avif", ".jp2": ".jp2",
}  # fmt: skip
"""Endings of pictures, by what they are the same as."""

_DRIVE = re.compile(r"^[A-Za-z]:(?=[\\/])")
_UPLOADED = re.compile(r"(?<![^/])[0-9a-f]{8}-(?=[^/]+$)")
"""What Label Studio puts before the name of a file that is uploaded."""
_SERVED = re.compile(r"^.*/local-files/?\?d=")
"""How Label Studio addresses files of its own machine."""


def files_within(folder: Path) -> Iterator[str]:
    """Every file in a folder and those below it, as a path relative to it with slashes; linked folders are gone into once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        within = Path(place).relative_to(folder)
        yield from ((within / name).as_posix() for name in sorted(files))


def plain_path(name: str) -> str:
    """A name as a relative path with slashes: without drive, address, leading slash, and parts that lead nowhere or outwards.

    Names that are this already come back as they are.
    """
    text = _SERVED.sub("", name)
    if "://" in text:
        with contextlib.suppress(ValueError):  # no address after all
            text = unquote(urlsplit(text).path)
    text = _DRIVE.sub("", text).replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or name


def lies_in(folder: Path, name: str) -> bool:
    """Whether a folder holds a file of this name, which leads nowhere else."""
    return plain_path(name) == name and os.path.isfile(folder / name)  # noqa: PTH113 (Path.is_file raises where a name is too long)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    parts: tuple[str, ...]


@dataclass(slots=True)
class Found:
    """The file of each image, None where there is none; `unclear` are the images that could be several files, or share one, each
    with the files meant."""

    files: list[str | None]
    unclear: dict[int, tuple[str, ...]] = field(default_factory=dict)


_Fit = tuple[int, bool, int, bool]
"""How well a file fits a name: common parts, whether these are all parts of both, parts of the very letters, the same ending."""


class Folder:
    """A folder's files, to be found by the names that annotations give them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._by_stem: dict[str, list[_File]] = {}
        for name in names:
            self._exact.add(name)
            parts = PurePosixPath(name).parts
            self._by_stem.setdefault(_stem(parts[-1]), []).append(_File(name, parts))

    def find(self, names: Sequence[str]) -> Found:
        """The file of each image."""
        found = Found([None] * len(names))
        claims: dict[str, dict[int, _Fit]] = {}
        for image, one in enumerate(map(self._candidates, names)):
            if one is None:
                continue
            fit, files = one
            if len(files) > 1:
                found.unclear[image] = files
            else:
                claims.setdefault(files[0], {})[image] = fit
        for name, fits in claims.items():
            first = [image for image, fit in fits.items() if fit == max(fits.values())]
            if len(first) == 1:
                found.files[first[0]] = name
            else:
                found.unclear.update(dict.fromkeys(first, (name,)))
        return found

    def _candidates(self, name: str) -> tuple[_Fit, tuple[str, ...]] | None:
        """The files that fit a name best, and how well."""
        if name in self._exact:
            parts = len(PurePosixPath(name).parts)
            return (parts, True, parts, True), (name,)
        plain = plain_path(name)
        for form in dict.fromkeys((plain, unquote(plain), _UPLOADED.sub("", plain))):
            wanted = PurePosixPath(form).parts
            alike = self._by_stem.get(_stem(wanted[-1]), ()) if wanted else ()  # "." has none
            fits = [(fit, file.name) for file in alike if (fit := _fit(wanted, file.parts))]
            if fits:
                most = max(fit for fit, _ in fits)
                return most, tuple(file for fit, file in fits if fit == most)
        return None


def _fit(wanted: tuple[str, ...], there: tuple[str, ...]) -> _Fit | None:
    common = min(len(wanted), len(there))
    pairs = list(zip(wanted[-common:], there[-common:], strict=True))
    if any(_fold(one) != _fold(other) for one, other in pairs[:-1]):
        return None
    ending, other = (_ENDINGS.get(Path(one).suffix.lower(), "") for one in pairs[-1])
    if ending not in ("", other):
        return None
    same = sum(one == other for one, other in pairs)
    return common, len(wanted) == len(there), same, Path(pairs[-1][0]).suffix == Path(pairs[-1][1]).suffix


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return _fold(path.stem if path.suffix.lower() in _ENDINGS else name)


def _fold(text: str) -> str:
    return normalized(text, "NFC").casefold()
