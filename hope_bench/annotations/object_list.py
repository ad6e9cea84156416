"""POPE's own annotation format: JSON lines {"image": FILE, "objects": [NAME, ...]}, as its segmentation files are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.reading import decode, lines_of, read_bytes
from hope_bench.records import Annotations, Category, Image


class _Line(msgspec.Struct):
    image: str
    objects: list[str]


def read_object_list(path: Path) -> Annotations:
    """Read an object list. The vocabulary is every object named, in first-seen order; there are no boxes.

    A line that isn't such an object is left out and listed in `problems`. Raises HopeBenchError where no line is good or an
    image occurs twice.
    """
    lines: list[_Line] = []
    problems: list[str] = []
    for number, raw in enumerate(lines_of(read_bytes(path), path), 1):
        if not raw.strip():
            continue
        try:
            line = decode(raw, _Line)
        except msgspec.DecodeError as error:
            problems.append(f"{path.name}, line {number} left out: {error}")
            continue
        if not line.image.strip() or not all(name.strip() for name in line.objects):
            problems.append(f"{path.name}, line {number} left out: an image or object without a name")
            continue
        lines.append(line)
    if not lines:
        raise HopeBenchError(f'{path} holds no line {{"image": ..., "objects": [...]}}. {first_few(problems, 1)}')
    names = [line.image for line in lines]
    if len(set(names)) < len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise HopeBenchError(
            f"{path}: images occur more than once ({first_few(twice)}). Put all objects of an image on one line."
        )
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(name for line in lines for name in line.objects))}
    spoken = spoken_names(list(vocabulary))
    flat = [vocabulary[name] for line in lines for name in line.objects]
    return Annotations(
        categories=tuple(
            Category(name, spoken=one, synonyms=alternatives(name)) for name, one in zip(vocabulary, spoken, strict=True)
        ),
        images=tuple(Image(name) for name in names),
        starts=np.cumsum([0, *(len(line.objects) for line in lines)], dtype=np.int64),
        category_of=np.array(flat, dtype=np.int32),
        crowd=np.zeros(len(flat), dtype=np.bool_),
        problems=tuple(problems),
    )
