"""The COCO reader against pycocotools' COCO(...), on an instances file made here: 600,000 annotations, over 300 MB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.measure import measure_in_turn

ANNOTATIONS = 600_000
IMAGES = 82_000
CATEGORIES = 80


_INSIDE = np.array([0.5, 0.375, 0.5, 0.375])
"""Scales coordinates up to 640 to a box inside 640 x 480 pixels."""


def make_instances_file(path: Path) -> None:
    """A file with COCO's keys and proportions: polygons of 10 to 40 points, 1 crowd region in 80."""
    rng = np.random.default_rng(0)
    images = [
        {
            "license": 1,
            "file_name": f"COCO_train2014_{index:012}.jpg",
            "coco_url": f"http://coco.example/{index:012}.jpg",
            "height": 480,
            "width": 640,
            "date_captured": "2013-11-14 11:18:45",
            "flickr_url": f"http://flickr.example/{index:012}_z.jpg",
            "id": index,
        }
        for index in range(IMAGES)
    ]
    categories = [
        {"supercategory": f"group{index // 8}", "id": index + 1, "name": f"category {index}"} for index in range(CATEGORIES)
    ]
    points = np.round(rng.uniform(0, 640, 4_000_000), 2)
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"info": {{}}, "images": {json.dumps(images)}, "categories": {json.dumps(categories)}, "annotations": [')
        for index in range(ANNOTATIONS):
            count = int(rng.integers(10, 41)) * 2
            start = int(rng.integers(0, len(points) - 80))
            row = {
                "segmentation": [points[start : start + count].tolist()],
                "area": points[start] * 10,
                "iscrowd": int(index % 80 == 0),
                "image_id": int(rng.integers(0, IMAGES)),
                "bbox": np.round(points[start : start + 4] * _INSIDE, 2).tolist(),
                "category_id": int(rng.integers(1, CATEGORIES + 1)),
                "id": index + 1,
            }
            stream.write((", " if index else "") + json.dumps(row))
        stream.write("]}")


def bench_coco(rounds: int = 3) -> dict[str, Any]:
    """Seconds and peak memory of both readers, and their ratios (medians of `rounds`, in turn)."""
    path = Path("build/bench/instances.json")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        make_instances_file(path)
    ours, theirs = measure_in_turn(
        (
            "from pathlib import Path; from hope_bench.annotations import read_annotations",
            f"kept = read_annotations(Path({str(path)!r}))",
        ),
        ("from pycocotools.coco import COCO", f"kept = COCO({str(path)!r})"),
        rounds,
    )
    return {
        "file_mb": path.stat().st_size / 1e6,
        "annotations": ANNOTATIONS,
        "hope_bench_seconds": ours.seconds,
        "pycocotools_seconds": theirs.seconds,
        "times_faster": theirs.seconds / ours.seconds,
        "times_faster_by_cpu_time": theirs.cpu_seconds / ours.cpu_seconds,
        "hope_bench_peak_mb": ours.peak_bytes / 1e6,
        "pycocotools_peak_mb": theirs.peak_bytes / 1e6,
        "peak_memory_ratio": ours.peak_bytes / theirs.peak_bytes,
    }
