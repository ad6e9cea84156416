"""Draws a scene: background, objects one in front of the other, and the photograph's blur and noise.

A scene is a function of its seed alone. Every object drawn is annotated; what is drawn besides (the background's
rectangles, flat blots and lines) belongs to no category.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from hope_bench.demo.drawing import RGB, draw_object, shade
from hope_bench.demo.world import (
    CATEGORIES,
    COLOR_WEIGHTS,
    COLORS,
    CONTEXT_RATE,
    SCENES,
    SHAPES,
    SIZE,
    SUPERSAMPLING,
    Scene,
    SceneKind,
    SceneObject,
)


def draw_scene(seed: int) -> Scene:
    """The scene of `seed`: the same pixels and objects every time (about 4 ms)."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    kind = rng.choices(list(SCENES), [scene.weight for scene in SCENES.values()])[0]
    stage = _Stage(_background(SCENES[kind], rng, noise), rng)
    for category in _pick_categories(kind, rng):
        stage.add(category)
    objects = stage.objects()
    # Objects are painted back to front: in that order the first ones would be the most occluded.
    rng.shuffle(objects)
    return Scene(seed, kind, _photograph(stage.image, rng, noise), tuple(objects))


def _pick_categories(kind: str, rng: random.Random) -> list[str]:
    local = SCENES[kind].categories
    count = rng.choice((3, 3, 4, 4, 5, 5, 6))
    return [
        rng.choices(list(local), list(local.values()))[0] if rng.random() < CONTEXT_RATE else rng.choice(CATEGORIES)
        for _ in range(count)
    ]


def _background(scene: SceneKind, rng: random.Random, noise: np.random.Generator) -> Image.Image:
    """Wall, floor, light falling from one side, a soft texture, and shapes that belong to no category."""
    side = SIZE * SUPERSAMPLING
    horizon = int(side * rng.uniform(0.3, 0.6))

    def vary(color: RGB) -> RGB:
        red, green, blue = (int(channel + rng.gauss(0, 14)) for channel in color)
        return red, green, blue

    pixels = np.empty((side, side, 3), np.float32)
    pixels[:horizon], pixels[horizon:] = vary(scene.wall), vary(scene.floor)
    pixels += np.linspace(rng.uniform(-18, 18), rng.uniform(-18, 18), side, dtype=np.float32)[None, :, None]
    coarse = Image.fromarray(noise.normal(0, 1, (6, 6)).astype(np.float32))
    texture = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    pixels += texture[..., None] * rng.uniform(4, 14)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    muted = [vary(color) for color in (scene.wall, scene.floor, scene.wall, scene.floor)]
    for _ in range(rng.randint(2, 7)):
        _clutter(pen, muted, side, rng)
    return image


def _clutter(pen: ImageDraw.ImageDraw, muted: list[RGB], side: int, rng: random.Random) -> None:
    """One rectangle, flat blot or line, kept from passing for an object.

    Round shapes are flat and muted (no ball, no bush), vivid rectangles lie on their side (no book, no phone).
    """
    x, y = rng.uniform(-0.1, 1) * side, rng.uniform(-0.1, 1) * side
    width, height = rng.uniform(0.05, 0.35) * side, rng.uniform(0.05, 0.35) * side
    color = rng.choice(muted)
    if rng.random() < 0.3:
        color = shade(COLORS[rng.choice(list(COLORS))], rng.uniform(0.7, 1.2))[:3]
        height = min(height, 0.6 * width)
    shape = rng.random()
    if shape < 0.5:
        pen.rectangle((x, y, x + width, y + height), fill=color)
    elif shape < 0.7:
        pen.ellipse((x, y, x + width, y + width * 0.3), fill=rng.choice(muted))
    else:
        pen.line((x, y, x + width, y + height), fill=color, width=rng.randint(1, 5))


@dataclass(frozen=True)
class _Placed:
    category: str
    color: str
    pixels: int
    """Pixels of the whole object, hidden ones included, at drawing resolution."""


class _Stage:
    """The scene being painted, at drawing resolution, and which object owns each pixel."""

    _LEAST_VISIBLE: Final = 0.35
    _LEAST_PIXELS: Final = 60

    def __init__(self, image: Image.Image, rng: random.Random) -> None:
        self.image, self._rng = image, rng
        self._owner: npt.NDArray[np.uint8] = np.zeros((image.height, image.width), np.uint8)
        self._placed: list[_Placed] = []

    def add(self, category: str) -> None:
        """Paint one object in front of the others; nothing when no place is found that leaves each visible enough."""
        rng = self._rng
        color = rng.choices(list(COLORS), COLOR_WEIGHTS[category])[0]
        red, green, blue = (max(0, min(255, int(channel + rng.gauss(0, 12)))) for channel in COLORS[color])
        for _ in range(12):
            if self._try(category, color, (red, green, blue)):
                return

    def _try(self, category: str, color: str, rgb: RGB) -> bool:
        rng, side = self._rng, self.image.width
        lowest, highest, scale = SHAPES[category]
        aspect = rng.uniform(lowest, highest)
        extent = math.exp(rng.uniform(math.log(0.18), math.log(0.42))) * side * scale
        width, height = int(max(10, extent * math.sqrt(aspect))), int(max(10, extent / math.sqrt(aspect)))
        if max(width, height) > 0.8 * side:
            return False
        left = rng.randint(-width // 6, side - width + width // 6)
        top = rng.randint(int(0.05 * side), max(int(0.05 * side) + 1, side - height + height // 8))
        layer = draw_object(category, width, height, rgb, rng)
        if rng.random() < 0.5:
            layer = layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < 0.25:
            layer = layer.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR, expand=True)
        solid = np.asarray(layer)[..., 3] > 127
        owner = self._claim(solid, left, top)
        if owner is None:
            return False
        self.image.paste(layer, (left, top), layer)
        self._owner = owner
        self._placed.append(_Placed(category, color, int(solid.sum())))
        return True

    def _claim(self, solid: npt.NDArray[np.bool_], left: int, top: int) -> npt.NDArray[np.uint8] | None:
        """The owners once `solid` is painted at (left, top), or None when it or another would be too hidden."""
        side = self._owner.shape[0]
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(side, left + solid.shape[1]), min(side, top + solid.shape[0])
        if min(x1 - x0, y1 - y0) < 8:
            return None
        inside = solid[y0 - top : y1 - top, x0 - left : x1 - left]
        if inside.sum() < max(self._LEAST_PIXELS, 0.6 * solid.sum()):
            return None
        owner = self._owner.copy()
        owner[y0:y1, x0:x1][inside] = len(self._placed) + 1
        seen = np.bincount(owner.ravel(), minlength=len(self._placed) + 2)
        for index, placed in enumerate(self._placed):
            if seen[index + 1] < max(self._LEAST_PIXELS, self._LEAST_VISIBLE * placed.pixels):
                return None
        return owner

    def objects(self) -> list[SceneObject]:
        found = []
        for index, placed in enumerate(self._placed):
            rows, columns = np.nonzero(self._owner == index + 1)
            low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
            x, y, right, bottom = (float(edge) / SUPERSAMPLING for edge in (*low, *high))
            area = len(rows) / SUPERSAMPLING**2
            box = (x, y, right - x, bottom - y)
            found.append(SceneObject(placed.category, placed.color, box, area, len(rows) / placed.pixels))
        return found


def _photograph(image: Image.Image, rng: random.Random, noise: np.random.Generator) -> Image.Image:
    """Some blur, the reduction to SIZE, a change of contrast and brightness, and noise."""
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.4)))
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX)).astype(np.float32)
    pixels = (pixels - 128) * rng.uniform(0.75, 1.1) + 128 + rng.uniform(-20, 15)
    pixels += noise.normal(0, rng.uniform(2, 10), pixels.shape).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
