"""The tables behind a comparison and a trend, for the terminal; what their summaries show is not told again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hope_bench.files.result import Result
from hope_bench.scoring.comparison import ModelComparison, detectable, metric_name, p_value
from hope_bench.scoring.differing import Differing
from hope_bench.scoring.tables import percent
from hope_bench.scoring.trend import NUMBERS, Trend, TrendPoint
from hope_bench.tables import plain_table


def without_looking(results: Sequence[Result], found: ModelComparison) -> str | None:
    """What the compared number is without looking at the pictures, in a sentence; None where results don't say."""
    blind = next((one.splits[found.split].blind for one in results if one.splits[found.split].blind), ())
    scores = [f"{percent(getattr(one, found.metric))} ({one.name})" for one in blind if hasattr(one, found.metric)]
    return f"Without looking: {', '.join(scores)}." if scores else None


def pair_table(found: ModelComparison) -> Table:
    """Every pair's difference, tests and detectable difference, those of the best models first."""
    headings = (
        ">difference", ">p", ">p (Holm)", ">only the first\nright", ">only the second\nright", ">equally right\np (Holm)",
        ">detectable",
    )  # fmt: skip
    title = f"Differences in {metric_name(found.metric)} (percentage points, paired by image)"
    table = plain_table(title, "model", "minus", *headings)
    place = {one.name: number for number, one in enumerate(found.standings)}
    for pair in sorted(found.pairs, key=lambda pair: sorted((place[pair.one], place[pair.other]))):
        table.add_row(
            Text(pair.one), Text(pair.other), pair.difference.points(), p_value(pair.p), p_value(pair.p_holm),
            f"{pair.one_only:,}", f"{pair.other_only:,}", p_value(pair.right_p_holm), detectable(pair),
        )  # fmt: skip
    return table


def differing_table(names: Sequence[str], split: str, found: Sequence[Differing]) -> Table:
    """The questions on which the models differ most."""
    few = len(names) <= 4
    heads = tuple(names) if few else ("answered yes", "answered no", "neither")
    table = plain_table(f"Questions of {split} on which they differ most", "image", "question", "label", *heads)
    for one in found:
        cells = one.verdicts if few else _tallied(names, one.verdicts)
        table.add_row(Text(one.question.image), Text(one.question.text), one.question.label, *map(Text, cells))
    return table


def _tallied(names: Sequence[str], verdicts: Sequence[str]) -> tuple[str, str, str]:
    def those(*which: str) -> str:
        found = [name for name, verdict in zip(names, verdicts, strict=True) if verdict in which]
        named, rest = found[:4], found[4:]
        return ", ".join(named) + (f" and {len(rest)} more" if rest else "")

    return those("yes"), those("no"), those("unparsed", "error", "unasked")


def changes_table(found: Trend) -> Table:
    """Each checkpoint's numbers less those of the one before, in percentage points."""
    title = f"Changes since the checkpoint before (points, 95% intervals over all {len(found.points) - 1:,}; corrected p)"
    table = plain_table(title, ">step", "run", *(f">{metric_name(name)}" for name in NUMBERS))
    for point in found.points[1:]:
        table.add_row(f"{point.step:,}", Text(point.run), *(_change(point, name) for name in NUMBERS))
    return table


def _change(point: TrendPoint, name: str) -> str:
    change, p = point.changes[name], point.p_holm[name]
    return change.points() + ("" if p is None else f" ({p_value(p)})")
