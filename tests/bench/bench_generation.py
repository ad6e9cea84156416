"""A whole generation on the CPU with ViT-B-32's sizes (random weights), the cost of its texts included: before and after.

Before: every text padded to all 77 tokens, and none kept. After: each padded to what it needs, and kept. Both in one run, and the
same generation once more, which finds every embedding on disk. Seconds are the process's CPU seconds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from tests.bench.measure import measure

IMAGES, OBJECTS, CATEGORIES = 20, 4, 40
"""About 590 captions under five templates, which takes ViT-B-32 minutes on one core."""

_SETUP = """
from dataclasses import replace
from pathlib import Path
import time
import torch
import hope_bench.clip.encoder as encoder
from hope_bench.clip.text import TextTower
from hope_bench.files.spec import BenchmarkSpec, ClipSpec, DatasetSpec
from hope_bench.search.generate import generate

torch.set_num_threads(1)
folder = Path({folder!r})
spent = {{"texts": 0.0, "rows": 0}}
whole = encoder.ClipEncoder.encode_texts

def timed(self, texts, store=None):
    if {before}:  # as if there were no shorter lengths, and no store of texts
        self, store = replace(self, text=TextTower(self.model, 77, (77,))), None
    start = time.process_time()
    made = whole(self, texts, store)
    spent["texts"] += time.process_time() - start
    spent["rows"] += len(texts)
    return made

encoder.ClipEncoder.encode_texts = timed
spec = BenchmarkSpec(
    name="x", sample_images={images},
    strategies=("random", "popular", "adversarial", "content", "category", "description", "hope"),
    dataset=DatasetSpec(annotations=str(folder / "instances.json"), images=str(folder / "images")),
    clip=ClipSpec(model="ViT-B-32:" + str(folder / "weights.pt"), activation="gelu", templates=(
        "a photo of {{a}} {{category}}.", "a photo of the {{category}}.", "there is {{a}} {{category}} in the scene.",
        "a photo of {{a}} {{category}} in the background.", "a close-up photo of {{a}} {{category}}.",
    )),
)
"""

_WORK = """
generate(spec, folder / {out!r}, folder / {cache!r})
(folder / "texts.json").write_text(__import__("json").dumps(spent))
"""


def _world(folder: Path) -> None:
    """Pictures of COCO's size with boxes of COCO's number of categories, and a ViT-B-32 of random weights."""
    torch.save(open_clip.create_model("ViT-B-32").state_dict(), folder / "weights.pt")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    annotations = []
    for image in range(IMAGES):
        noise = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        noise.resize((640, 480), Image.Resampling.BICUBIC).save(folder / "images" / f"{image}.jpg", quality=92)
        for category in rng.choice(CATEGORIES, OBJECTS, replace=False).tolist():
            left, top, width, height = (float(one) for one in rng.uniform((0, 0, 40, 40), (400, 300, 240, 180)))
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": category + 1, "iscrowd": 0, "area": width * height,
                "bbox": [left, top, width, height],
            })  # fmt: skip
    instances = {
        "images": [{"id": image, "file_name": f"{image}.jpg", "width": 640, "height": 480} for image in range(IMAGES)],
        "annotations": annotations,
        "categories": [{"id": one + 1, "name": f"{_name(one)}", "supercategory": "thing"} for one in range(CATEGORIES)],
    }
    (folder / "instances.json").write_text(json.dumps(instances))


def _name(category: int) -> str:
    """One or two words, as COCO's: "cup", "dining table"."""
    words = ("cup", "dog", "car", "bench", "table", "bottle", "clock", "horse", "train", "book")
    return words[category] if category < len(words) else f"{words[category % 10]} {words[category // 10 - 1]} box"


def bench_generation() -> dict[str, Any]:
    """CPU seconds of a generation and of its texts, before and after, and what a second one costs."""
    report: dict[str, Any] = {"images": IMAGES, "categories": CATEGORIES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _world(folder)
        for turn, cache in (("before", "cold"), ("after", "new"), ("again", "new")):
            setup = _SETUP.format(folder=str(folder), before=turn == "before", images=IMAGES)
            found = measure(setup, _WORK.format(out=turn, cache=cache))
            spent = json.loads((folder / "texts.json").read_text())
            report |= {
                f"cpu_seconds_{turn}": found.cpu_seconds,
                f"text_cpu_seconds_{turn}": spent["texts"],
                "texts": spent["rows"],
            }
        splits = [
            [path.read_bytes() for path in sorted((folder / turn / "splits").iterdir())] for turn in ("before", "after", "again")
        ]
        report["same_questions"] = _asked(splits[0]) == _asked(splits[1]) and splits[1] == splits[2]
    for what in ("", "text_"):
        report[f"{what}times_less"] = report[f"{what}cpu_seconds_before"] / report[f"{what}cpu_seconds_after"]
    return report


def _asked(files: list[bytes]) -> list[list[tuple[str, str]]]:
    return [[(row["image"], row["text"]) for row in map(json.loads, data.splitlines())] for data in files]
