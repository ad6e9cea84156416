"""The drawn world: 28 categories in confusable groups, five kinds of scene, exact boxes and colours.

A scene is a function of its seed alone. Every object drawn is annotated; what is drawn besides (the background's
rectangles, flat blots and lines) belongs to no category.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from hope_bench.demo.drawing import RGB, draw_object, shade

SIZE: Final = 96
"""Width and height of a scene in pixels; scenes are drawn at SUPERSAMPLING times this."""
SUPERSAMPLING: Final = 2

# Seeds: one scene each, ranges disjoint. Nothing is tuned on the two evaluation ranges.
CLIP_TRAINING_SEEDS: Final = range(1_000_000, 1_030_000)
LVLM_TRAINING_SEEDS: Final = range(2_000_000, 2_030_000)
VALIDATION_SEEDS: Final = range(3_000_000, 3_100_000)
EVALUATION_SEEDS: Final = range(4_000_000, 4_100_000)
SECOND_EVALUATION_SEEDS: Final = range(5_000_000, 5_100_000)
EVALUATION_SEED: Final = EVALUATION_SEEDS.start
"""First seed of the demo benchmark's scenes."""

COLORS: Final[dict[str, RGB]] = {
    "red": (200, 45, 45),
    "yellow": (225, 195, 50),
    "green": (60, 150, 65),
    "blue": (55, 90, 200),
    "purple": (140, 70, 170),
    "white": (235, 235, 230),
    "black": (40, 40, 45),
    "brown": (130, 85, 50),
}

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "vessel": ("cup", "mug", "bowl", "vase", "bottle"),
    "vehicle": ("car", "truck", "bus"),
    "cycle": ("bicycle", "motorcycle"),
    "animal": ("cat", "dog", "rabbit"),
    "round thing": ("apple", "tomato", "ball"),
    "screen": ("monitor", "tv", "laptop"),
    "handheld": ("book", "phone", "remote"),
    "seat": ("chair", "bench"),
    "greenery": ("tree", "bush", "plant"),
    "light": ("lamp",),
}
"""Visual groups (COCO supercategories): members look alike, some of them live in different scenes."""
CATEGORIES: Final = tuple(category for members in GROUPS.values() for category in members)
GROUP_OF: Final = {category: group for group, members in GROUPS.items() for category in members}


@dataclass(frozen=True)
class SceneKind:
    """One kind of scene: how often it occurs, what lives there (weights) and its upper and lower background."""

    weight: float
    categories: dict[str, float]
    wall: RGB
    floor: RGB


SCENES: Final[dict[str, SceneKind]] = {
    "kitchen": SceneKind(
        0.24,
        {"cup": 5, "bowl": 5, "apple": 4, "tomato": 3, "bottle": 4, "mug": 1.5}
        | {"vase": 1, "chair": 3, "cat": 1, "plant": 1, "remote": 0.3, "phone": 0.5},
        (205, 190, 165),
        (160, 140, 115),
    ),
    "street": SceneKind(
        0.28,
        {"car": 7, "truck": 3, "bus": 2.5, "bicycle": 3, "motorcycle": 2, "tree": 3, "bench": 1, "dog": 1, "bush": 0.7},
        (165, 180, 195),
        (105, 105, 110),
    ),
    "park": SceneKind(
        0.2,
        {"tree": 6, "bush": 4, "dog": 4, "bench": 4, "ball": 3, "bicycle": 2}
        | {"rabbit": 1.2, "cat": 0.5, "car": 0.7, "bottle": 0.5},
        (165, 190, 210),
        (120, 150, 95),
    ),
    "desk": SceneKind(
        0.14,
        {"monitor": 4, "laptop": 4, "book": 5, "phone": 4, "mug": 4, "lamp": 3}
        | {"plant": 2, "cup": 1, "bottle": 1, "chair": 1.5, "apple": 0.5},
        (195, 195, 200),
        (150, 120, 90),
    ),
    "living room": SceneKind(
        0.14,
        {"tv": 4, "remote": 3, "cat": 3, "vase": 3, "chair": 3, "lamp": 3}
        | {"book": 2, "plant": 3, "dog": 1, "ball": 0.8, "rabbit": 0.6, "bowl": 0.7},
        (190, 180, 185),
        (135, 115, 110),
    ),
}
CONTEXT_RATE: Final = 0.6
"""Share of objects drawn from the scene's list; much above it, a model learns to answer from the scene alone."""

SHAPES: Final[dict[str, tuple[float, float, float]]] = {
    "cup": (0.75, 1.05, 0.8), "mug": (0.85, 1.25, 0.8), "bowl": (1.4, 2.2, 0.95), "vase": (0.45, 0.7, 1.0),
    "bottle": (0.32, 0.48, 1.0), "car": (1.6, 2.2, 1.3), "truck": (1.6, 2.2, 1.35), "bus": (1.7, 2.4, 1.4),
    "bicycle": (1.3, 1.7, 1.15), "motorcycle": (1.3, 1.7, 1.15), "cat": (0.95, 1.3, 1.0), "dog": (0.95, 1.3, 1.05),
    "rabbit": (0.85, 1.1, 0.9), "apple": (0.9, 1.1, 0.65), "tomato": (0.95, 1.15, 0.65), "ball": (0.98, 1.02, 0.7),
    "monitor": (1.1, 1.4, 1.15), "tv": (1.25, 1.7, 1.25), "laptop": (1.15, 1.5, 1.1), "book": (0.65, 0.9, 0.8),
    "phone": (0.45, 0.6, 0.7), "remote": (0.3, 0.42, 0.7), "chair": (0.6, 0.85, 1.2), "bench": (1.5, 2.1, 1.2),
    "tree": (0.55, 0.8, 1.5), "bush": (1.1, 1.6, 1.0), "plant": (0.65, 0.9, 1.0), "lamp": (0.5, 0.75, 1.1),
}  # fmt: skip
"""Per category: lowest and highest width / height, and size relative to the others."""

# Weights in the order of COLORS; a category of no listed group takes any colour alike.
_COLOR_WEIGHTS: Final[dict[tuple[str, ...], tuple[float, ...]]] = {
    ("tree", "bush"): (0.6, 0.6, 6, 0, 0.5, 0.3, 0, 0.7),
    ("cat", "dog", "rabbit"): (0.1, 0.3, 0, 0, 0, 2, 2, 3),
    ("apple", "tomato"): (5, 1.5, 2, 0, 0.4, 0, 0, 0),
    ("monitor", "tv", "laptop", "phone", "remote"): (0.5, 0.3, 0.3, 0.7, 0.3, 3, 4, 0.3),
    ("chair", "bench"): (0.8, 0.4, 0.8, 0.8, 0.3, 1, 1, 4),
}
COLOR_WEIGHTS: Final = {
    category: next((weights for members, weights in _COLOR_WEIGHTS.items() if category in members), (1.0,) * 8)
    for category in CATEGORIES
}

SMALL_BELOW: Final = 19.0
LARGE_ABOVE: Final = 34.0
"""Longer box side in pixels; between the two an object is neither small nor large."""
SIDE_MARGIN: Final = 0.08
"""A box is on a side only when its centre is at least this share of the image away from the middle."""


@dataclass(frozen=True)
class SceneObject:
    """One object: box (x, y, width, height) and visible area in pixels of the 96 x 96 scene, visible share 0..1."""

    category: str
    color: str
    box: tuple[float, float, float, float]
    area: float
    visible: float

    @property
    def size(self) -> str | None:
        """"small", "large", or None between the two."""
        longer = max(self.box[2:])
        return "small" if longer < SMALL_BELOW else "large" if longer > LARGE_ABOVE else None

    @property
    def side(self) -> str | None:
        """"left", "right", or None near the middle."""
        return _beside(self.box[0] + self.box[2] / 2, "left", "right")

    @property
    def half(self) -> str | None:
        """"top", "bottom", or None near the middle."""
        return _beside(self.box[1] + self.box[3] / 2, "top", "bottom")

    def mirrored(self) -> SceneObject:
        """The same object in the scene mirrored left to right."""
        x, y, width, height = self.box
        return replace(self, box=(SIZE - x - width, y, width, height))


def _beside(centre: float, before: str, after: str) -> str | None:
    offset = centre / SIZE - 0.5
    return None if abs(offset) < SIDE_MARGIN else before if offset < 0 else after


@dataclass(frozen=True)
class Scene:
    """A drawn scene: its seed, its kind (a key of SCENES), a 96 x 96 RGB image and its objects in shuffled order."""

    seed: int
    kind: str
    image: Image.Image
    objects: tuple[SceneObject, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """Distinct categories, in order of first object."""
        return tuple(dict.fromkeys(item.category for item in self.objects))


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
