"""A verification as tables for the terminal, and its verdict in words."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table
from rich.text import Text

from hope_bench.errors import counted
from hope_bench.files.published import Metric
from hope_bench.scoring.published import Check, Verification
from hope_bench.tables import plain_table

_METRICS: dict[Metric, str] = {
    "accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "yes_ratio": "yes-ratio",
}  # fmt: skip
"""How people write them."""


def verification_tables(verification: Verification) -> list[Table]:
    """A table a source: every figure, what came out here, how far apart, and how far they may be. Fits 80 columns."""
    return [
        _table(verification.model, list(checks))
        for _, checks in groupby(verification.checks, key=lambda check: check.figure.table.name)
    ]


def _table(model: str, checks: list[Check]) -> Table:
    source = checks[0].figure.table
    title = f"{model} on {source.benchmark}: {_METRICS[source.metric]} in percent, {source.convention} convention"
    table = plain_table(title, "split", ">questions", ">published", ">here", ">apart", ">allowed", "verdict")
    for check in checks:
        table.add_row(
            check.figure.split,
            f"{check.questions:,}",
            f"{check.figure.value:.{source.decimals}f}",
            "-" if check.here is None else f"{check.here:.2f}",
            _signed(check.difference),
            f"{check.allowed:.2f}",
            "agrees" if check.agrees else "differs",
        )
    table.caption = Text(source.source, style="dim")
    table.caption_justify = "left"
    return table


def verdict(verification: Verification) -> str:
    """The end of it, in a sentence."""
    off = [check for check in verification.checks if not check.agrees]
    count = len(verification.checks)
    if verification.agrees:
        return f"Agrees: {count} of {count} published figures come out here."
    if not off:
        return f"Not settled: the figures agree, but {counted(verification.errors, 'answer is an error', 'answers are errors')}."
    apart = ", ".join(f"{check.figure.split} by {_signed(check.difference)} points" for check in off)
    return f"Differs here: {len(off)} of {count} published figures ({apart})."


def _signed(points: float | None) -> str:
    """With its sign and two decimals, never "-0.00"; "-" where undefined."""
    return "-" if points is None else f"{round(points, 2) + 0.0:+.2f}"
