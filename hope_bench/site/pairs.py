"""What the ranking page needs to compare models in pairs: each one's answers by image, as `hope-bench compare` counts them."""

from __future__ import annotations

import json
import string
from typing import Any

import numpy as np

from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.scoring.metrics import Counts, answer_table, count_table
from hope_bench.site.views import ModelRow, Section

LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""A count of 0 to 61 is one letter."""

PAIRS_FOLDER, PAIRS_CALL = "data/pairs", "board.pairs("
_YES, _NO = 0, 1


def pairs_path(section: Section) -> str:
    """Where a benchmark's pairs lie; a script, since a page from disk can't fetch data."""
    return f"{PAIRS_FOLDER}/{section.key}.js"


def pairs_file(section: Section) -> bytes:
    """The pairs of a benchmark, a call of `board.pairs`. Of the headline split and its baseline: for each image how many
    questions about present and about absent objects it has, and for each model asked all of them once, how many of the first it
    affirmed, of the second affirmed, and of the second denied, a letter each; with the ends of the three rates' intervals."""
    names = [section.about.benchmark.headline, *([section.baseline] if section.baseline else [])]
    data = {name: _split(section, name) for name in dict.fromkeys(names)}
    return f"{PAIRS_CALL}{json.dumps(data, separators=(',', ':'))});\n".encode()


def _split(section: Section, name: str) -> dict[str, Any]:
    about = section.about.splits[name]
    asked = count_table(about.labels, about.labels, about.questions_per_image).sum(axis=2)
    if asked.max(initial=0) >= len(LETTERS):
        return {"asked": [], "models": {}}
    return {
        "asked": [_letters(asked[:, label]) for label in (0, 1)],
        "models": {model_id(row): found for row in section.rows if (found := _model(row.entry.result.splits[name])) is not None},
    }


def model_id(row: ModelRow) -> str:
    """What the ranking page calls a model: its page's name."""
    return row.entry.page.rpartition("/")[2].removesuffix(".html")


def _model(split: SplitScore) -> list[Any] | None:
    if split.unasked or split.further_verdicts:
        return None
    table = answer_table(split)
    counts = (table[:, 0, _YES], table[:, 1, _YES], table[:, 1, _NO])
    rates = (split.recall, split.hallucination_rate, split.specificity)
    return [*map(_letters, counts), [end for rate in rates for end in _ends(rate)]]


def _letters(counts: Counts) -> str:
    return np.frombuffer(LETTERS.encode(), dtype=np.uint8)[counts].tobytes().decode()


def _ends(rate: Estimate) -> tuple[float | None, float | None]:
    return rate.low, rate.high
