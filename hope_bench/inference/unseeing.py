"""A run without eyes: each question asked with an empty picture, or another image's, so that only words are left to answer by."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.run import RunRecord
from hope_bench.provenance import json_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.images import UnreadableImageError

Unseeing = Literal["gray", "shuffled"]
"""What is shown instead of the image: a gray picture of its size, or another image of the benchmark."""

Look = Callable[[Path, str], "Image | UnreadableImageError"]
"""Opens what is shown for an image, by the images folder and the image's file name."""

_GRAY = (127, 127, 127)
_WORDS = {"gray": "gray pictures instead of the images", "shuffled": "other images in place of each one's own"}


@dataclass(frozen=True, slots=True)
class Blindfold:
    """How images are taken away: `how`, among all of the benchmark's `images`."""

    how: Unseeing
    images: Sequence[str]

    def over(self, look: Look) -> Look:
        """`look`, but for what the run is to see. Who has no other image to be shown keeps its own."""
        if self.how == "gray":
            return lambda folder, name: _gray(look(folder, name))
        other = shuffled(self.images)
        return lambda folder, name: look(folder, other.get(name, name))

    def mark(self, record: RunRecord) -> RunRecord:
        """The record of a run that is asked so: other answers, never ranked."""
        settings = {**record.settings, "blind": self.how}
        return record.model_copy(
            update={
                "settings": settings,
                "key": json_sha256(settings),
                "run": record.run.model_copy(update={"blind": self.how}),
                "unranked": f"asked without looking, with {_WORDS[self.how]}",
            }
        )


def check_unseeing(how: str | None) -> Unseeing | None:
    """A way of not looking, as a caller names it. Raises HopeBenchError for others."""
    for known in get_args(Unseeing):
        if how == known:
            return "gray" if known == "gray" else "shuffled"
    if how is not None:
        raise HopeBenchError(f"blind={how!r} is neither gray nor shuffled. " + did_you_mean(how, get_args(Unseeing)))
    return None


def shuffled(images: Sequence[str]) -> dict[str, str]:
    """Another image for each, every one once: their order, drawn by a fixed seed, as a ring."""
    ring = random.Random("hope-bench blind").sample(sorted(images), len(images))
    return dict(zip(ring, [*ring[1:], *ring[:1]], strict=True))


def _gray(image: Image | UnreadableImageError) -> Image | UnreadableImageError:
    from PIL import Image as Pictures

    return Pictures.new("RGB", image.size, _GRAY) if isinstance(image, Pictures.Image) else image
