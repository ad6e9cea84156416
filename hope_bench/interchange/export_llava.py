"""A benchmark as LLaVA's POPE files: one questions.jsonl, and the labels where its eval_pope.py looks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hope_bench.files.benchmark import Benchmark, split_bytes
from hope_bench.provenance import write_text


def export_llava(benchmark: Benchmark, out: Path) -> int:
    """Write questions.jsonl and annotations/coco_pope_SPLIT.json to `out`; returns the number of questions.

    LLaVA's model_vqa_loader.py answers the questions; its eval_pope.py then takes the answers of each category in order and
    compares them with coco_pope_CATEGORY.json, whose prefix it insists on. Question ids are numbered through over the splits,
    because LLaVA finds a question by its id alone; the label files keep the benchmark's own lines, ids included.
    """
    rows = list(_rows(benchmark))
    write_text(out / "questions.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for split, questions in benchmark.splits.items():
        write_text(out / "annotations" / f"coco_pope_{split}.json", split_bytes(questions).decode())
    return len(rows)


def _rows(benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    number = 0
    for split, questions in benchmark.splits.items():
        for question in questions:
            number += 1
            text = benchmark.prompt.fill(question.text)
            yield {"question_id": number, "image": question.image, "text": text, "category": split}
