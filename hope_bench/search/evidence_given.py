"""Evidence that a user brings of what is in the pictures: a detector's scores, another encoder's, or how many models saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path, PurePosixPath, PureWindowsPath

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.reading import decode, lines_of, read_bytes
from hope_bench.records import Annotations


class EvidenceLine(msgspec.Struct, frozen=True):
    """One line: how much speaks for `category` being in `image`, in any unit; the higher, the surer."""

    image: str
    category: str
    score: float


@dataclass(frozen=True)
class GivenEvidence:
    """The highest score of each (image file name, category name). What isn't listed counts as `unlisted`: 0, or the lowest score
    where that is lower; of an image without any line nothing is known. `problems` tells in words which lines were left out."""

    scores: Mapping[tuple[str, str], float]
    unlisted: float
    problems: tuple[str, ...] = ()

    def matrix(self, files: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
        """The scores of images by categories, [N, C]; each category's mean for images of which nothing is known."""
        made = np.full((len(files), len(names)), self.unlisted)
        rows = {file: row for row, file in enumerate(files)}
        columns = {name: column for column, name in enumerate(names)}
        for (file, name), score in self.scores.items():
            if file in rows and name in columns:
                made[rows[file], columns[name]] = score
        known = np.array([file in self.images for file in files], dtype=np.bool_)
        if known.any():
            made[~known] = made[known].mean(axis=0)
        return made

    @cached_property
    def images(self) -> frozenset[str]:
        """The images that a line is about."""
        return frozenset(file for file, _ in self.scores)

    def notes(self, files: Sequence[str]) -> list[str]:
        """Of how many of these images nothing is known, in words."""
        missing = [file for file in files if file not in self.images]
        if not missing:
            return []
        return [f"No evidence was given for {len(missing):,} of {len(files):,} images ({first_few(missing, 3)})."]


def read_evidence(path: Path, annotations: Annotations) -> GivenEvidence:
    """Read a user's evidence about the annotations' images: JSON lines of image, category and score.

    Of several lines about a category in an image (a detector's boxes) the highest counts. Lines about images or categories that
    the annotations don't have are left out and told. Raises HopeBenchError naming the line of anything malformed, and where no
    line is about the annotations.
    """
    lines = lines_of(read_bytes(path), path)
    files = [image.file_name for image in annotations.images]
    whole = frozenset(files)
    alone = Counter(PurePosixPath(name).name for name in files)
    images = {base: name for name in files if alone[base := PurePosixPath(name).name] == 1} | {name: name for name in files}
    names = {_key(name): one.name for one in annotations.categories for name in (one.in_words, one.name)}
    scores: dict[tuple[str, str], float] = {}
    unknown: dict[str, Counter[str]] = {"images": Counter(), "categories": Counter()}
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = decode(text, EvidenceLine)
        except msgspec.DecodeError as error:
            raise HopeBenchError(f"{path}, line {number}: no evidence ({error}). It holds image, category and score.") from None
        if not isfinite(line.score):
            raise HopeBenchError(f"{path}, line {number}: the score is no finite number.")
        image, name = images.get(line.image) or _end(line.image, whole), names.get(_key(line.category))
        if image is None or name is None:
            unknown["images" if image is None else "categories"][line.image if image is None else line.category] += 1
            continue
        scores[image, name] = max(line.score, scores.get((image, name), line.score))
    if not scores:
        example = first_few([*unknown["images"], *unknown["categories"]], 2)
        raise HopeBenchError(f"{path}: no line is about an image and a category of the annotations ({example or 'it is empty'}).")
    problems = [
        f"{path.name}: {counted(found.total(), 'line')} left out: {things} that the annotations lack ({first_few(found, 3)})."
        for things, found in unknown.items()
        if found
    ]
    return GivenEvidence(scores, min(0.0, *scores.values()), tuple(problems))


def _end(path: str, files: Set[str]) -> str | None:
    """The image that a path ends with, wherever the folder lay ("/data/coco/val2014/1.jpg", "D:\\val2014\\1.jpg")."""
    parts = PureWindowsPath(path).as_posix().split("/")
    return next((end for start in range(1, len(parts)) if (end := "/".join(parts[start:])) in files), None)


def _key(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())
