"""The picture as the reviewer sees it: scaled for a screen, the boxes of the present objects drawn on it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hope_bench.files.benchmark import Benchmark
from hope_bench.images import open_rgb
from hope_bench.records import Annotations

_LONGEST = 1400
_SHORTEST = 800
"""Pixels of the longer side, at most and at least: enough to look closely at and to name boxes legibly, small enough to send."""
_INKS = ("#d1451b", "#2f6fb0", "#2e8b57", "#a5559c", "#b8860b", "#0f8b8d", "#c2255c", "#5f6ac4")


@dataclass(frozen=True, slots=True)
class Box:
    """One present object: its name, and (left, top, right, bottom) as shares of the picture's width and height."""

    name: str
    corners: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Present:
    """What is known to be in one picture: names in order, and the boxes there are."""

    names: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Pictures:
    """The benchmark's pictures and what is known to be in each, by file name."""

    folder: Path
    present: Mapping[str, Present] = field(default_factory=dict)

    def of(self, image: str) -> Present:
        """What is known to be in an image."""
        return self.present.get(image, Present())

    def encoded(self, image: str, boxes: bool) -> str:
        """The picture as a data URL (JPEG), its boxes drawn where asked for. Raises UnreadableImageError."""
        picture = open_rgb(self.folder / image)
        longest = max(picture.size)
        if not _SHORTEST <= longest <= _LONGEST:
            scale = (_LONGEST if longest > _LONGEST else _SHORTEST) / longest
            picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        if boxes:
            draw_boxes(picture, self.of(image).boxes)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def known_present(benchmark: Benchmark, annotations: Annotations | None) -> dict[str, Present]:
    """What is in the benchmark's images: from the annotations, or without them from its yes-questions (then without boxes)."""
    if annotations is None:
        names: dict[str, dict[str, None]] = {}
        for questions in benchmark.splits.values():
            for question in questions:
                if question.label == "yes" and question.object is not None:
                    names.setdefault(question.image, {})[question.object] = None
        return {image: Present(tuple(found)) for image, found in names.items()}
    wanted = benchmark.manifest.images
    return {
        image.file_name: Present(annotations.present(place), _boxes(annotations, place))
        for place, image in enumerate(annotations.images)
        if image.file_name in wanted
    }


def _boxes(annotations: Annotations, place: int) -> tuple[Box, ...]:
    extent = annotations.extent(place)
    if extent is None:
        return ()
    width, height = extent
    found = []
    for instance in annotations.instances(place):
        if instance.bbox is not None:
            x, y, w, h = instance.bbox
            found.append(Box(instance.category, (x / width, y / height, (x + w) / width, (y + h) / height)))
    return tuple(found)


def draw_boxes(picture: Image.Image, boxes: Sequence[Box]) -> None:
    """Draw each box with its name onto the picture, one ink per name, on a white edge so that it shows on any ground."""
    draw = ImageDraw.Draw(picture)
    scale = max(picture.size) / 1000
    line = max(3, round(4 * scale))
    font = ImageFont.load_default(size=max(13, round(20 * scale)))
    ink = {name: _INKS[place % len(_INKS)] for place, name in enumerate(dict.fromkeys(box.name for box in boxes))}
    for box in boxes:
        left, top, right, bottom = _pixels(box, picture.size)
        draw.rectangle((left, top, right, bottom), outline="white", width=line + 2)
        draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=ink[box.name], width=line)
    for box in boxes:  # after all boxes, so that no box crosses a name
        left, top, _, _ = _pixels(box, picture.size)
        _, _, text_right, text_bottom = draw.textbbox((0, 0), box.name, font=font)
        width, height = round(text_right) + 2 * line, round(text_bottom) + 2 * line
        left = max(0, min(left, picture.width - width))
        top = top - height if top >= height else top
        draw.rectangle((left, top, left + width, top + height), fill=ink[box.name])
        draw.text((left + line, top + line // 2), box.name, fill="white", font=font)


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in pixels, at least 4 wide and high, within the picture."""
    width, height = size
    left, top = (max(0, round(share * extent)) for share, extent in zip(box.corners[:2], size, strict=True))
    right, bottom = round(box.corners[2] * width), round(box.corners[3] * height)
    return left, top, max(left + 4, min(right, width - 1)), max(top + 4, min(bottom, height - 1))
