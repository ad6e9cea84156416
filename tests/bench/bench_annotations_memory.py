"""Memory and time of reading a COCO-format file of Objects365's size, made here: 1.7 million images, 25 million boxes, 5 GB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.measure import measure

IMAGES = 1_700_000
BOXES = 25_000_000
CATEGORIES = 365
_BLOCK = 100_000


def make_file(path: Path, images: int, boxes: int) -> None:
    """A file with the keys and number lengths of zhiyuan_objv2_train.json; annotations in no order of images, the worst case."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"images": [')
        for start in range(0, images, _BLOCK):
            rows = (
                f'{{"height": 512, "id": {index}, "license": 5, "width": 769, "url": "", '
                f'"file_name": "images/v1/patch{index % 51}/objects365_v1_{index:08}.jpg"}}'
                for index in range(start, min(start + _BLOCK, images))
            )
            stream.write((", " if start else "") + ", ".join(rows))
        categories = (f'{{"id": {index + 1}, "name": "Category {index}"}}' for index in range(CATEGORIES))
        stream.write('], "categories": [' + ", ".join(categories) + '], "annotations": [')
        for start in range(0, boxes, _BLOCK):
            count = min(_BLOCK, boxes - start)
            columns = (
                range(start, start + count),
                *(rng.uniform(1, 250, (5, count)).tolist()),
                rng.integers(0, images, count).tolist(),
                rng.integers(1, CATEGORIES + 1, count).tolist(),
            )
            template = (
                '{"id": %d, "iscrowd": 0, "isfake": 0, "area": %.13f, "isreflected": 0, "bbox": [%.10f, %.10f, %.10f, %.10f], '
                '"image_id": %d, "category_id": %d}'
            )
            stream.write((", " if start else "") + ", ".join([template % row for row in zip(*columns, strict=True)]))
        stream.write("]}")


def bench_annotations_memory(scale: float = 1.0) -> dict[str, Any]:
    """Seconds and the reader's peak memory (above the imports), at `scale` times the full size; the file is removed again."""
    images, boxes = int(IMAGES * scale), int(BOXES * scale)
    path = Path("build/bench/objects365.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        make_file(path, images, boxes)
        size = path.stat().st_size
        measured = measure(
            "from pathlib import Path; from hope_bench.annotations import coco_file, coco_stream, read_annotations; "
            "coco_file.STREAM_ABOVE = 0",  # the same way at every scale
            f"kept = read_annotations(Path({str(path)!r})); assert len(kept.category_of) == {boxes}",
        )
    finally:
        path.unlink(missing_ok=True)
    return {
        "images": images,
        "boxes": boxes,
        "file_gb": size / 1e9,
        "seconds": measured.seconds,
        "boxes_per_second": boxes / measured.seconds,
        "peak_gb": measured.peak_bytes / 1e9,
    }
