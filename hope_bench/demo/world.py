"""The drawn world: 28 categories in confusable groups, five kinds of scene, and which seeds are used for what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from hope_bench.demo.drawing import RGB

SIZE: Final = 96
"""Width and height of a scene in pixels; scenes are drawn at SUPERSAMPLING times this."""
SUPERSAMPLING: Final = 2

# Seeds: one scene each, ranges disjoint. Nothing is tuned on the two evaluation ranges.
CLIP_TRAINING_SEEDS: Final = range(1_000_000, 1_030_000)
LVLM_TRAINING_SEEDS: Final = range(2_000_000, 2_030_000)
VALIDATION_SEEDS: Final = range(3_000_000, 3_100_000)
EVALUATION_SEEDS: Final = range(4_000_000, 4_100_000)
SECOND_EVALUATION_SEEDS: Final = range(5_000_000, 5_100_000)
BLIND_SEEDS: Final = range(6_000_000, 6_100_000)
EVALUATION_SEED: Final = EVALUATION_SEEDS.start
"""First seed of the demo benchmark's scenes."""
OTHERS_SEED: Final = BLIND_SEEDS.start
"""First seed of the scenes whose questions blind answering learns from."""

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
        """ "small", "large", or None between the two."""
        longer = max(self.box[2:])
        return "small" if longer < SMALL_BELOW else "large" if longer > LARGE_ABOVE else None

    @property
    def side(self) -> str | None:
        """ "left", "right", or None near the middle."""
        return _beside(self.box[0] + self.box[2] / 2, "left", "right")

    @property
    def half(self) -> str | None:
        """ "top", "bottom", or None near the middle."""
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
