"""A benchmark's ranking page: every model as a row, and every split's numbers for the script that sorts and compares."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import read_card
from hope_bench.files.registry import known_models
from hope_bench.files.result import Result
from hope_bench.files.split_score import Estimate
from hope_bench.reporting.rows import KINDS
from hope_bench.site.charts import data_block
from hope_bench.site.pairs import model_id, pairs_path
from hope_bench.site.questions import Wall, wall_page
from hope_bench.site.views import ModelRow, Section

SHOWN = ("balanced_accuracy", "hallucination_rate", "precision", "recall", "f1", "yes_ratio")
"""The metrics of the ranking page; the first two come with their intervals. AUROC follows them."""

_SIZES = {"M": 1e-3, "B": 1.0, "T": 1e3}


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A model on the ranking page: `size` in billions of parameters where its card says so, and the day it was `added`."""

    row: ModelRow
    slug: str
    size: float | None
    open_weights: bool
    added: str | None


def board_rows(section: Section) -> list[BoardRow]:
    """The ranked models, the best first, then the others."""
    shown = [*section.ranked, *section.unranked]
    known = known_weights() if any(row.entry.result.run.adapter is None for row in shown) else frozenset()
    return [
        BoardRow(
            row,
            model_id(row),
            size(row.entry.result),
            has_weights(row.entry.result, known),
            None if row.entry.result.added is None else row.entry.result.added.isoformat(),
        )
        for row in shown
    ]


def size(result: Result) -> float | None:
    """Billions of parameters as the card's words say: "7B", "1.1M", "about 13 B"; None where they don't."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*([MBT])\b", result.model.parameters or "", re.IGNORECASE)
    return None if match is None else round(float(match[1][:9]) * _SIZES[match[2].upper()], 6)


def has_weights(result: Result, known: Container[str] = ()) -> bool:
    """Whether the model's weights are there to be had: it was run from a checkpoint, or its answers, imported, name one that is
    told by revision, licence or digest, or is among the `known` ones. A name alone ("openai/gpt-4o") says nothing."""
    model, run = result.model, result.run
    if model.checkpoint is None or run.adapter == "endpoint":
        return False
    told = run.adapter or model.revision or model.license or run.weights_sha256
    return bool(told) or _alike(model.checkpoint) in known


def known_weights() -> frozenset[str]:
    """The checkpoints of the model cards at hand that load weights, as `has_weights` compares them."""
    found: set[str] = set()
    for path in known_models().values():
        with contextlib.suppress(HopeBenchError):  # a broken card is told where models are listed
            card = read_card(path)
            if card.adapter != "endpoint":
                found |= {_alike(card.checkpoint), _alike(card.name)}
    return frozenset(found)


def _alike(name: str) -> str:
    """What one model goes by, whoever's copy it is: "liuhaotian/llava-v1.5-13b" is "llava-1.5-13b-hf"."""
    last = name.rstrip("/").rpartition("/")[2].lower().removesuffix("-hf")
    return re.sub(r"[^a-z0-9]|\bv(?=\d)", "", last)


def board_data(section: Section, rows: list[BoardRow], wall: Wall | None) -> Markup:
    """What the page's script needs, as a data block; `wall` holds the benchmark's questions, None without."""
    about = section.about
    asked = set() if wall is None else {row.entry.page for row in wall.models}
    return data_block(
        {
            "headline": about.benchmark.headline,
            "baseline": section.baseline,
            "pairs": pairs_path(section),
            "wall": None if wall is None else wall_page(wall.key),
            "splits": [{"name": name, "kind": split.kind, "label": KINDS[split.kind]} for name, split in about.splits.items()],
            "models": [_model(one, list(about.splits), one.row.entry.page in asked) for one in rows],
        }
    )


def _model(one: BoardRow, splits: list[str], asked: bool) -> dict[str, Any]:
    result = one.row.entry.result
    return {
        "id": one.slug,
        "name": result.model.name,
        "size": one.size,
        "open": one.open_weights,
        "added": one.added,
        "range": one.row.range,
        "asked": asked,
        "values": [_values(result, split) for split in splits],
    }


def _values(result: Result, split: str) -> list[float | None]:
    """A split's numbers in units of 0.0001: balanced accuracy and hallucination rate with their ends, then the others. They are
    as exact as rounding them to what other pages show takes."""
    score = result.splits[split]
    numbers: list[float | None] = []
    for index, metric in enumerate(SHOWN):
        estimate: Estimate = getattr(score, metric)
        numbers += [estimate.value, estimate.low, estimate.high] if index < 2 else [estimate.value]
    numbers.append(None if score.probabilities is None else score.probabilities.auroc.value)
    return [None if number is None else _short(round(1e4 * number, 4)) for number in numbers]


def _short(number: float) -> float:
    return int(number) if number.is_integer() else number
