"""How many of a benchmark's images occur in a list of images that a model was trained on."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import check_regular

_ENDING = rb"\.(?:jpe?g|png|webp|bmp|gif|tiff?)"
_QUOTED = re.compile(
    rb'(?<!\\)(?<!"flickr_url":)(?<!"flickr_url": )"(?:[^"\\\n]|\\.)*' + _ENDING + rb'"', re.IGNORECASE
)  # COCO gives an image's name on Flickr, too
_LINE = re.compile(rb"^[^\n\t,;]*" + _ENDING + rb"(?=\s|[,;]|$)", re.IGNORECASE | re.MULTILINE)
"""Images as JSON names them, and as tables and lists of lines do: in the first column."""
_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
_COCO = re.compile(r"COCO_[a-z]+20\d\d_(?=\d{12}$)", re.IGNORECASE)
"""COCO's 2014 release calls an image COCO_val2014_000000397133.jpg, its 2017 release the same image 000000397133.jpg."""


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """Of a benchmark's `images` those `seen` in a training list of `listed` images, in the benchmark's order. `name` is the
    list's."""

    name: str
    listed: int
    images: int
    seen: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """The share of the images that are in the list; None where there are none."""
        return len(self.seen) / self.images if self.images else None


def training_overlap(images: Iterable[str], training: Path) -> TrainingOverlap:
    """Compare a benchmark's image names with those of a training list: a COCO file, a JSON or text file that names images
    anywhere, lines of bare ids, or a folder of images. Names are compared without folders, endings and COCO 2014's prefix.

    Raises HopeBenchError where the list is missing, can't be read or names no images.
    """
    listed = _listed(training)
    if not listed:
        raise HopeBenchError(
            f"{training} names no images. Give an annotation file, a list of file names (one a line), or a folder of images."
        )
    names = list(images)
    return TrainingOverlap(training.name, len(listed), len(names), tuple(name for name in names if _plain(name) in listed))


def _listed(training: Path) -> set[str]:
    try:
        if training.is_dir():
            return {_plain(path.name) for path in training.rglob("*") if path.suffix.lower() in _SUFFIXES}
        check_regular(training)
        if not training.stat().st_size:
            return set()
        with training.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            quoted = {_plain(_decoded(found[0])) for found in _QUOTED.finditer(data)}
            lines = set() if quoted else {_plain(found[0].decode("utf-8", "replace")) for found in _LINE.finditer(data)}
            found = quoted | lines
            return found or {_plain(line) for line in data[:].decode("utf-8", "replace").splitlines() if _is_id(line)}
    except FileNotFoundError:
        raise HopeBenchError(f"{training} does not exist.") from None
    except OSError as error:
        raise HopeBenchError(f"{training} can't be read: {error.strerror or error}.") from None


def _decoded(quoted: bytes) -> str:
    try:
        return str(msgspec.json.decode(quoted))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return quoted[1:-1].decode("utf-8", "replace")


def _is_id(line: str) -> bool:
    return bool(re.fullmatch(r"[\w./-]+", line.strip()) and re.search(r"\d", line))


def _plain(name: str) -> str:
    last = PurePosixPath(name.strip().replace("\\", "/")).name
    stem = last.rpartition(".")[0] if PurePosixPath(last).suffix.lower() in _SUFFIXES else last
    return _COCO.sub("", stem).lower()
