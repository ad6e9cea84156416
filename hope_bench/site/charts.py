"""What the charts draw, as data blocks for the script: the numbers stand in tables beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from hope_bench.files.result import Result
from hope_bench.files.split_score import Estimate
from hope_bench.site.sheet import Sheet
from hope_bench.site.views import KINDS, ModelRow, Section

ROW, NARROW_ROW, AROUND = 34, 46, 44
"""Heights of a chart's rows (on wide screens, on phones) and of what stands around them, in pixels; as in charts.js."""

MOST_LINES = 4
"""Splits drawn in one reliability diagram."""


def data_block(value: Any) -> Markup:
    """JSON for a data block of a page: no character in it can end the block."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def room(rows: int) -> dict[str, int]:
    """How high a chart of so many rows is, on wide screens and on phones, in pixels: kept free before it is drawn."""
    return {"wide": AROUND + ROW * rows, "narrow": AROUND + NARROW_ROW * rows}


def story(section: Section, models: Sequence[ModelRow]) -> dict[str, Any]:
    """How much POPE hid: each model's hallucination rate on the POPE baseline and on the headline split (`between`); of a single
    model, or where nothing is compared, the rates of all its splits, each with that on the baseline."""
    headline = section.about.benchmark.headline
    compared = [row for row in models if row.comparison is not None and row.baseline is not None]
    rows: list[dict[str, Any]] = []
    if len(compared) > 1:
        for row in compared:
            assert row.baseline is not None
            rates = row.baseline.hallucination_rate, row.headline.hallucination_rate
            rows += _row(row.entry.result.model.name, row.headline.kind, headline, rates[1], rates[0])
    else:
        for split in models[0].splits:
            if split.score.kind != "twin":
                base = models[0].baseline if split.score.kind != "pope" else None
                own = split.score.hallucination_rate
                name = f"{KINDS[split.score.kind]} {split.name}" if split.score.kind != "control" else split.name
                rows += _row(name, split.score.kind, split.name, own, None if base is None else base.hallucination_rate)
    return {"between": len(compared) > 1, "baseline": section.baseline, "headline": headline, "rows": rows}


def _row(name: str, kind: str, split: str, at: Estimate, start: Estimate | None) -> list[dict[str, Any]]:
    if at.value is None:
        return []
    known = start is not None and start.value is not None
    return [{"name": name, "kind": kind, "split": split, "at": _percent(at), "from": _percent(start) if known else None}]


def _percent(one: Estimate | None) -> list[float | None]:
    assert one is not None
    return [None if share is None else round(100 * share, 2) for share in (one.value, one.low, one.high)]


def reliability(result: Result, baseline: str | None) -> dict[str, Any] | None:
    """P(yes) against the share that is there, on the POPE baseline, the control and the headline split; None without P(yes)."""
    controls = [name for name, split in result.splits.items() if split.kind == "control"]
    chosen = dict.fromkeys([*([baseline] if baseline else []), *controls, result.benchmark.headline])
    splits = [
        {
            "name": name,
            "kind": result.splits[name].kind,
            "bins": [[round(one.p_yes, 4), round(one.yes, 4), one.questions] for one in known.bins],
        }
        for name in chosen
        if (known := result.splits[name].probabilities) is not None and known.bins
    ]
    return {"splits": splits[:MOST_LINES]} if splits else None


def risk(sheet: Sheet | None, headline: str) -> dict[str, Any] | None:
    """How many questions of the headline split have which risk, in tenths; None where no guard estimated it."""
    split = None if sheet is None else sheet.splits.get(headline)
    if split is None or split.risk is None:
        return None
    return {"splits": [{"name": headline, "kind": split.kind, "counts": list(split.risk.tenths)}]}
