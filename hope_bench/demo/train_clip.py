"""Trains the demo's CLIP from scratch on drawn scenes and their captions (CPU, one thread, about 20 minutes).

python -m hope_bench.demo.train_clip --out benchmarks/demo/clip
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file
from torch import Tensor

from hope_bench.demo.questions import caption, caption_vocabulary, phrase
from hope_bench.demo.training import Progress, SceneSet, cosine, present_above_absent, render
from hope_bench.demo.world import CATEGORIES, CLIP_TRAINING_SEEDS, SIZE, VALIDATION_SEEDS

SEED: Final = 11
STEPS: Final = 2000
BATCH: Final = 192
PEAK_RATE: Final = 2e-3
WEIGHT_DECAY: Final = 0.05
WARMUP: Final = 60
SHIFT: Final = 3
"""Pixels by which a batch is moved at most, each way."""
CONTEXT: Final = 32
MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
STD: Final = (0.26862954, 0.26130258, 0.27577711)
BPE_FILE: Final = "bpe.txt.gz"


def write_merges(path: Path) -> None:
    """Write the BPE merges that the world's words need: a subset of open_clip's own, in their order."""
    full = SimpleTokenizer()
    needed: set[tuple[str, str]] = set()
    for word in caption_vocabulary():
        parts = (*word[:-1], word[-1] + "</w>")
        while pairs := [pair for pair in pairwise(parts) if pair in full.bpe_ranks]:
            best = min(pairs, key=lambda pair: full.bpe_ranks[pair])
            needed.add(best)
            parts = _merged(parts, best)
    merges = sorted(needed, key=lambda pair: full.bpe_ranks[pair])
    text = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)])
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _merged(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for part in parts:
        # A part just merged never equals the pair's first half again, so it is not merged twice.
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def model_config(vocabulary_size: int) -> dict[str, Any]:
    """open_clip's `model_cfg`: a ModifiedResNet of one block a stage and a two-layer text transformer."""
    vision = {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 12, "head_width": 48, "patch_size": None}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary_size, "width": 64, "heads": 4, "layers": 2}
    return {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text | {"tokenizer_kwargs": {"bpe_path": BPE_FILE}}}


def normalized(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """(scenes, height, width, 3) uint8 to (scenes, 3, height, width) float32, channels last, CLIP's mean and std."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    scaled = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)


class Trainer:
    """One seeded training run; `run` takes a fixed number of steps."""

    def __init__(self, folder: Path, steps: int, scenes: int) -> None:
        self._steps, self._rng = steps, random.Random(SEED)
        write_merges(folder / BPE_FILE)
        self._tokenizer = SimpleTokenizer(bpe_path=str(folder / BPE_FILE), context_length=CONTEXT)
        self._folder, self._config = folder, model_config(self._tokenizer.vocab_size)
        # open_clip initialises from torch's global generator; this is a script's own process.
        torch.manual_seed(SEED)
        model = CLIP(self._config["embed_dim"], self._config["vision_cfg"], self._config["text_cfg"])
        self.model = model.to(memory_format=torch.channels_last)
        self._train = render(CLIP_TRAINING_SEEDS[:scenes], "CLIP training scenes")
        self._validation = render(VALIDATION_SEEDS[:500], "validation scenes")

    def run(self) -> None:
        """Train, with the validation AUC every 200 steps."""
        decayed = [weight for weight in self.model.parameters() if weight.ndim > 1]
        others = [weight for weight in self.model.parameters() if weight.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))
        progress, recent = Progress("CLIP step", self._steps, 50), []
        for step in range(self._steps):
            for group in optimizer.param_groups:
                group["lr"] = PEAK_RATE * cosine(step, self._steps, WARMUP)
            loss = self._loss(self._train.batch(BATCH, self._rng))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                self.model.logit_scale.clamp_(0, math.log(50))
            recent.append(loss.item())
            measured = (step + 1) % 200 == 0 or step + 1 == self._steps
            note = f"  per-image AUC {self.validation_auc():.3f}" if measured else ""
            progress(step + 1, f"loss {np.mean(recent[-50:]):.3f}{note}")

    def _loss(self, batch: SceneSet) -> Tensor:
        shift = (self._rng.randint(-SHIFT, SHIFT), self._rng.randint(-SHIFT, SHIFT))
        captions = [caption(kind, objects, self._rng) for kind, objects in zip(batch.kinds, batch.objects, strict=True)]
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.model.encode_image(normalized(np.roll(batch.pixels, shift, (1, 2))))
            said = self.model.encode_text(self._tokenizer(captions))
        seen, said = (functional.normalize(features.float(), dim=-1) for features in (seen, said))
        logits = self.model.logit_scale.exp() * seen @ said.T
        truth = torch.arange(len(captions))
        return (functional.cross_entropy(logits, truth) + functional.cross_entropy(logits.T, truth)) / 2

    @torch.no_grad()
    def validation_auc(self) -> float:
        """Per-image AUC of present against absent categories on the validation scenes."""
        self.model.eval()
        texts = self._tokenizer([f"a photo of {phrase(category, 'object')}" for category in CATEGORIES])
        said = functional.normalize(self.model.encode_text(texts), dim=-1)
        parts = np.array_split(self._validation.pixels, 5)
        seen = torch.cat([functional.normalize(self.model.encode_image(normalized(part)), dim=-1) for part in parts])
        self.model.train()
        here = [{item.category for item in objects} for objects in self._validation.objects]
        present = np.array([[category in names for category in CATEGORIES] for names in here])
        return present_above_absent((seen @ said.T).numpy(), present)

    def save(self) -> None:
        """Write what open_clip's `local-dir:` schema reads: configuration and fp16 weights, integer buffers as they are."""
        state = self.model.state_dict()
        weights = {name: (value.half() if value.is_floating_point() else value) for name, value in state.items()}
        ready = {name: value.contiguous() for name, value in weights.items()}
        save_file(ready, self._folder / "open_clip_model.safetensors")
        preprocess = {"mean": list(MEAN), "std": list(STD)}
        config = {"model_cfg": self._config, "preprocess_cfg": preprocess}
        (self._folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights, created when missing")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scenes", type=int, default=len(CLIP_TRAINING_SEEDS), help="training scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(arguments.out, arguments.steps, arguments.scenes)
    trainer.run()
    trainer.save()
    print(f"saved in {arguments.out}")


if __name__ == "__main__":
    main()
