"""Charts as inline SVG: a number under several prompts, and a reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from hope_bench.files.split_score import ReliabilityBin
from hope_bench.scoring.prompt_spread import Spread

_SIDE, _MARGIN = 300, 42


def spread(found: Spread) -> Markup:
    """A number under each prompt on an axis from 0 to 1: the first a filled mark with its interval, the others hollow ones."""
    parts = ['<line class="base" x1="0" x2="100%" y1="50%" y2="50%"/>']
    first, *others = found.values
    if first.low is not None and first.high is not None:
        low, high = (f"{100 * min(max(value, 0), 1):.2f}%" for value in (first.low, first.high))
        parts.append(f'<line class="range" x1="{low}" x2="{high}" y1="50%" y2="50%"/>')
    marks = [("other", other.value) for other in others] + [("first", first.value)]
    parts += [f'<circle class="{name}" cx="{100 * value:.2f}%" cy="50%" r="5"/>' for name, value in marks if value is not None]
    return Markup(f'<svg class="strip" aria-hidden="true">{"".join(parts)}</svg>')


def reliability(series: Sequence[tuple[str, str, Sequence[ReliabilityBin]]]) -> Markup:
    """How often P(yes) is right: per series (name, kind, bins), the share of yes-labels over the mean P(yes) of each bin.

    On the diagonal P(yes) means what it says; below it the model says yes more surely than it may.
    """

    def x(value: float) -> float:
        return round(_MARGIN + value * _SIDE, 1)

    def y(value: float) -> float:
        return round(8 + (1 - value) * _SIDE, 1)

    parts = [f'<line class="diagonal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{x(0)}" x2="{x(1)}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text x="{x(tick)}" y="{y(0) + 18}" text-anchor="middle">{100 * tick:.0f}%</text>')
        parts.append(f'<text x="{x(0) - 8}" y="{y(tick) + 4}" text-anchor="end">{100 * tick:.0f}%</text>')
    for name, kind, bins in series:
        line = " ".join(f"{x(one.p_yes)},{y(one.yes)}" for one in bins)
        parts.append(f'<g class="{escape(kind)}"><polyline class="curve" points="{line}"/>')
        for one in bins:
            radius = 2.5 + 5 * math.sqrt(one.questions / max(sum(other.questions for other in bins), 1))
            title = escape(f"{name}: P(yes) {one.p_yes:.2f}, labelled yes {100 * one.yes:.0f}% of {one.questions:,}")
            parts.append(
                f'<circle class="dot" cx="{x(one.p_yes)}" cy="{y(one.yes)}" r="{radius:.1f}"><title>{title}</title></circle>'
            )
        parts.append("</g>")
    width, height = _SIDE + _MARGIN + 16, _SIDE + 52
    parts.append(f'<text x="{x(0.5)}" y="{height - 4}" text-anchor="middle">mean P(yes)</text>')
    label = "Share of yes-labels over mean P(yes)"
    return Markup(
        f'<svg class="reliability" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
