"""What an exported lmms-eval task does: this file is copied beside the task's YAML as utils.py, and needs nothing of hope-bench.

Counted as in hope-bench's `strict` scoring: an answer with neither a yes nor a no is wrong, and no "no". Read more simply: the
first word "yes" or "no" of the answer counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METRICS = ("accuracy", "precision", "recall", "f1", "hallucination_rate", "yes_ratio")

_IMAGES = Path(__file__).resolve().parent / "images"


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The picture, from the folder beside this file."""
    from PIL import Image

    with Image.open(_IMAGES / doc["image_file"]) as picture:
        return [picture.convert("RGB")]


def doc_to_text(doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The question in the benchmark's own prompt, which a model's entry in the YAML may change."""
    around = lmms_eval_specific_kwargs or {}
    return f"{around.get('pre_prompt', '')}{doc['text']}{around.get('post_prompt', '')}"


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One question's verdict, under every metric's name."""
    found = re.search(r"\b(yes|no)\b", results[0].lower())
    verdict = {"question_id": doc["question_id"], "label": doc["label"], "verdict": found[1] if found else "unparsed"}
    return {f"hope_{metric}": verdict for metric in METRICS}


def _count(rows: Sequence[dict[str, Any]], label: str, verdict: str | None = None) -> int:
    return sum(row["label"] == label and verdict in (None, row["verdict"]) for row in rows)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def accuracy(rows: Sequence[dict[str, Any]]) -> float | None:
    """The share of right verdicts."""
    return _ratio(_count(rows, "yes", "yes") + _count(rows, "no", "no"), len(rows))


def precision(rows: Sequence[dict[str, Any]]) -> float | None:
    """The share of the affirmed that is there."""
    true, false = _count(rows, "yes", "yes"), _count(rows, "no", "yes")
    return _ratio(true, true + false)


def recall(rows: Sequence[dict[str, Any]]) -> float | None:
    """The share of what is there that is affirmed."""
    return _ratio(_count(rows, "yes", "yes"), _count(rows, "yes"))


def f1(rows: Sequence[dict[str, Any]]) -> float | None:
    """The harmonic mean of precision and recall."""
    true, false = _count(rows, "yes", "yes"), _count(rows, "no", "yes")
    return _ratio(2 * true, true + false + _count(rows, "yes"))


def hallucination_rate(rows: Sequence[dict[str, Any]]) -> float | None:
    """The share of what is absent that is affirmed."""
    return _ratio(_count(rows, "no", "yes"), _count(rows, "no"))


def yes_ratio(rows: Sequence[dict[str, Any]]) -> float | None:
    """The share of questions that the model answers with yes."""
    return _ratio(_count(rows, "yes", "yes") + _count(rows, "no", "yes"), len(rows))
