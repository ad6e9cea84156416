"""Embedding image files (decoding overlapped, results stored) against a bare open_clip loop over already-decoded tensors."""

from __future__ import annotations

import os
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
from hope_bench.clip.encoder import BATCH, ClipEncoder, load_encoder
from hope_bench.clip.store import EmbeddingStore
from hope_bench.images import hash_images, open_rgb

ENCODERS = {"ViT-B-32": (64, 15), "ViT-L-14": (32, 3)}
"""The smallest encoder in common use, beside which decoding (the same for all) weighs most, and the one that benchmarks/hope-coco
searches with; each with how many images and rounds."""


def _pictures(folder: Path, count: int) -> list[Path]:
    """JPEG files of COCO's usual size, smooth enough to be as large as photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        paths.append(folder / f"{index:04}.jpg")
        small.resize((640, 480), Image.Resampling.BICUBIC).save(paths[-1], quality=92)
    return paths


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock and by the processor (all threads, and processes that have ended)."""
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - start, sum(os.times()[:4]) - cpu


def _bare(encoder: ClipEncoder, pixels: torch.Tensor) -> None:
    for start in range(0, len(pixels), BATCH):
        with torch.inference_mode():
            torch.nn.functional.normalize(encoder.model.encode_image(pixels[start : start + BATCH]), dim=-1).numpy()


def _bench(architecture: str, images: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.pt"
        torch.save(open_clip.create_model(architecture).state_dict(), weights)
        encoder = load_encoder(f"{architecture}:{weights}")
        paths = _pictures(folder / "images", images)
        hashes = [str(one) for one in hash_images(paths)]
        pixels = torch.stack([encoder.preprocess(open_rgb(path)) for path in paths])
        ours, bare = [], []
        for turn in range(rounds):
            store = EmbeddingStore(folder / str(turn), encoder)
            views = [View(one) for one in hashes]
            ours.append(_seconds(lambda: embed_views(encoder, dict(zip(hashes, paths, strict=True)), views, store)))  # noqa: B023
            bare.append(_seconds(lambda: _bare(encoder, pixels)))
        mine, theirs = np.median(ours, axis=0), np.median(bare, axis=0)
        return {
            "images_per_second": images / float(mine[0]),
            "bare_images_per_second": images / float(theirs[0]),
            "share_of_bare": float(theirs[0] / mine[0]),
            "cpu_share_of_bare": float(theirs[1] / mine[1]),
        }


def bench_embedding() -> dict[str, Any]:
    """Images per second of both (random weights, medians of rounds in turn), and their ratios: by the clock, and by the
    processor, which other load on the machine troubles less."""
    return {architecture: _bench(architecture, *size) for architecture, size in ENCODERS.items()}
