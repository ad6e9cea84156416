"""How fast this machine embeds: measured on a few of the very images, with the very encoder."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import ClipSpec
from hope_bench.images import hash_images

_PICTURES = 24
_CROPS = ((0.0, 0.0, 0.5, 1.0), (0.25, 0.25, 0.75, 0.75), (0.0, 0.5, 1.0, 1.0))
_TEXTS = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds that a `picture` takes (decoding and its first view), a further `view` of it (a crop or tile), and a `text`."""

    picture: float
    view: float
    text: float

    def seconds(self, pictures: int, views: int, texts: int) -> float:
        """The time of so many."""
        return pictures * self.picture + max(0, views) * self.view + texts * self.text


def is_at_hand(clip: ClipSpec) -> bool:
    """Whether an encoder can be loaded without downloading anything: a folder or a checkpoint file."""
    scheme, _, rest = clip.model.partition(":")
    return scheme == "local-dir" or Path(rest).is_file()


def measure_speed(clip: ClipSpec, files: Sequence[Path]) -> Speed:
    """Load the encoder and embed a few pictures, crops of them and texts, as generating does. Raises HopeBenchError where the
    encoder can't be loaded, or no picture can be read."""
    from hope_bench.clip.embed import View, embed_views
    from hope_bench.clip.encoder import load_encoder
    from hope_bench.clip.store import EmbeddingStore

    encoder = load_encoder(clip.model, activation=clip.activation)
    path_of = {sha: path for sha, path in zip(hash_images(files[:_PICTURES]), files, strict=False) if isinstance(sha, str)}

    def timed(views: Sequence[View]) -> float:
        with tempfile.TemporaryDirectory() as folder, closing(EmbeddingStore(Path(folder), encoder)) as store:
            start = time.perf_counter()
            found, _ = embed_views(encoder, path_of, views, store)
            if not found:
                raise HopeBenchError("None of the first images can be read, so no speed can be measured.")
            return time.perf_counter() - start

    whole = [View(sha) for sha in path_of]
    timed(whole[:2])  # warms up
    alone = timed(whole)
    together = timed([*whole, *(View(sha, box) for sha in path_of for box in _CROPS)])
    texts = [f"a photo of thing number {number}." for number in range(_TEXTS)]
    start = time.perf_counter()
    encoder.encode_texts(texts)
    text = (time.perf_counter() - start) / len(texts)
    return Speed(alone / len(whole), max(0.0, together - alone) / (len(whole) * len(_CROPS)), text)
