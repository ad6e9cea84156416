"""What both training scripts share: rendered scenes in memory, progress with the time left, learning-rate schedules."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hope_bench.demo.scenes import draw_scene
from hope_bench.demo.world import SIZE, SceneObject


class Progress:
    """Prints a line now and then: what is done, the time it took, the time left."""

    def __init__(self, what: str, total: int, every: int) -> None:
        self._what, self._total, self._every, self._start = what, total, every, time.monotonic()

    def __call__(self, done: int, note: str = "") -> None:
        if done % self._every and done != self._total:
            return
        spent = time.monotonic() - self._start
        left = spent / done * (self._total - done)
        print(f"{self._what} {done}/{self._total}  {spent / 60:.1f} min, {left / 60:.1f} min left  {note}", flush=True)


@dataclass(frozen=True)
class SceneSet:
    """Rendered scenes: pixels (scenes, 96, 96, 3) uint8, and per scene its kind and objects."""

    pixels: npt.NDArray[np.uint8]
    kinds: list[str]
    objects: list[tuple[SceneObject, ...]]

    def __len__(self) -> int:
        return len(self.kinds)

    def batch(self, count: int, rng: random.Random) -> SceneSet:
        """`count` different scenes at random, each mirrored half of the time (its boxes too)."""
        chosen = sorted(rng.sample(range(len(self)), count))
        pixels = self.pixels[chosen]
        objects = [self.objects[index] for index in chosen]
        for row in range(count):
            if rng.random() < 0.5:
                pixels[row] = pixels[row, :, ::-1]
                objects[row] = tuple(item.mirrored() for item in objects[row])
        return SceneSet(pixels, [self.kinds[index] for index in chosen], objects)


def render(seeds: Sequence[int], what: str) -> SceneSet:
    """Draw the scenes of `seeds`; those without an object are left out."""
    pixels = np.empty((len(seeds), SIZE, SIZE, 3), np.uint8)
    kinds: list[str] = []
    objects: list[tuple[SceneObject, ...]] = []
    progress = Progress(what, len(seeds), 5000)
    for done, seed in enumerate(seeds, start=1):
        scene = draw_scene(seed)
        if scene.objects:
            pixels[len(kinds)] = np.asarray(scene.image)
            kinds.append(scene.kind)
            objects.append(scene.objects)
        progress(done)
    return SceneSet(pixels[: len(kinds)], kinds, objects)


def cosine(step: int, steps: int, warmup: int) -> float:
    """Share of the peak learning rate at `step` (from 0): linear warm-up, cosine to 1%."""
    return min(1.0, (step + 1) / warmup) * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01)


def present_above_absent(scores: npt.NDArray[np.floating], present: npt.NDArray[np.bool_]) -> float:
    """Mean over scenes of the AUC of present against absent categories; both arrays (scenes, categories)."""
    areas = [float((row[here][:, None] > row[~here][None]).mean()) for row, here in zip(scores, present, strict=True)]
    return float(np.mean(areas))
