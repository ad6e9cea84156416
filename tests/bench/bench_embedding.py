"""Embedding image files (decoding overlapped, results stored) against a bare open_clip loop over already-decoded tensors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from hope_bench.clip.embed import View, embed_views
from hope_bench.clip.encoder import ClipEncoder, load_encoder
from hope_bench.clip.store import EmbeddingStore
from hope_bench.images import hash_images, open_rgb

IMAGES = 192
BATCH = 32
ROUNDS = 3


def _pictures(folder: Path) -> list[Path]:
    """JPEG files of COCO's usual size, smooth enough to be as large as photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for index in range(IMAGES):
        small = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        paths.append(folder / f"{index:04}.jpg")
        small.resize((640, 480), Image.Resampling.BICUBIC).save(paths[-1], quality=92)
    return paths


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bare(encoder: ClipEncoder, pixels: torch.Tensor) -> None:
    for start in range(0, len(pixels), BATCH):
        encoder.encode_images(pixels[start : start + BATCH])


def bench_embedding() -> dict[str, Any]:
    """Images per second of both (ViT-B-32 with random weights, medians of rounds in turn), and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.pt"
        torch.save(open_clip.create_model("ViT-B-32").state_dict(), weights)
        encoder = load_encoder(f"ViT-B-32:{weights}")
        paths = _pictures(folder / "images")
        hashes = [str(one) for one in hash_images(paths)]
        pixels = torch.stack([encoder.preprocess(open_rgb(path)) for path in paths])
        ours, bare = [], []
        for turn in range(ROUNDS):
            store = EmbeddingStore(folder / str(turn), encoder.sha256)
            views = [View(one) for one in hashes]
            ours.append(_seconds(lambda: embed_views(encoder, dict(zip(hashes, paths, strict=True)), views, store, BATCH)))  # noqa: B023
            bare.append(_seconds(lambda: _bare(encoder, pixels)))
        return {
            "images": IMAGES,
            "images_per_second": IMAGES / float(np.median(ours)),
            "bare_images_per_second": IMAGES / float(np.median(bare)),
            "share_of_bare": float(np.median(bare)) / float(np.median(ours)),
        }
