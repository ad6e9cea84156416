"""Pandas frames and the POPE-to-HOPE picture, from plain rows.

Columns and types of the frames that users see are documented in docs/api.md and stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LOOKS = {
    "pope": ("POPE", "#2f6fbb", "circle"),
    "control": ("control", "#6b6b6b", "square"),
    "hope": ("HOPE", "#c8452d", "diamond"),
    "other": ("other", "#7a5195", "triangle-up"),
}
"""What a kind of split is called, its colour and its mark, in the order in which pictures show them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A split's rate in [0, 1] with its interval, and that of the split it is held against (None where there is none)."""

    split: str
    kind: str
    value: float
    low: float | None
    high: float | None
    base: float | None


def typed_frame(rows: Sequence[Sequence[Any]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """A frame of rows of values in the order of `kinds`, which maps each column to its pandas type."""
    return pd.DataFrame(list(rows), columns=list(kinds)).astype(dict(kinds))


def rates_figure(title: str, rates: Sequence[Rate]) -> go.Figure:
    """Hallucination rates in percent with their intervals, a row a split, each with a line from what it is held against."""
    import plotly.graph_objects as go

    rates = sorted(rates, key=lambda one: list(_LOOKS).index(one.kind))
    figure = go.Figure()
    for one in rates:
        if one.base is not None:
            figure.add_scatter(
                x=[100 * one.base, 100 * one.value], y=[one.split, one.split], mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": "#b9b9b9", "width": 3},
            )  # fmt: skip
    for kind, (name, colour, symbol) in _LOOKS.items():
        own = [one for one in rates if one.kind == kind]
        figure.add_scatter(
            x=[100 * one.value for one in own], y=[one.split for one in own], mode="markers", name=name,
            marker={"color": colour, "symbol": symbol, "size": 10}, hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
            error_x={
                "type": "data", "color": colour,
                "array": [0 if one.high is None else 100 * (one.high - one.value) for one in own],
                "arrayminus": [0 if one.low is None else 100 * (one.value - one.low) for one in own],
            },
        )  # fmt: skip
    figure.update_layout(
        title=title, template="plotly_white", height=140 + 34 * len(rates),
        xaxis={"title": "hallucination rate, percent (95% intervals)", "rangemode": "tozero"},
        yaxis={"categoryorder": "array", "categoryarray": [one.split for one in rates][::-1]},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure
