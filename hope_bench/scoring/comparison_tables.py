"""A comparison of models as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hope_bench.files.result import Result
from hope_bench.scoring.comparing import ModelComparison, Pair
from hope_bench.scoring.detail_tables import share
from hope_bench.scoring.differing import Differing
from hope_bench.scoring.tables import difference, percent, plain_table, points
from hope_bench.scoring.trend import NUMBERS, Trend, TrendPoint, shown

_WORDS = {"f1": "F1", "mcc": "MCC"}


def metric_name(metric: str) -> str:
    """A metric in words: "balanced accuracy", "F1"."""
    return _WORDS.get(metric, metric.replace("_", " "))


def p_value(p: float | None) -> str:
    """A p-value with three decimals, "<0.001" below, "-" where undefined."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def standing_table(found: ModelComparison) -> Table:
    """Every model's number and rank, the best first."""
    table = plain_table(
        f"{metric_name(found.metric).capitalize()} on {found.split} ({found.images:,} images, percent, 95% intervals)", gap=2
    )
    table.add_column("rank", justify="right")
    table.add_column("95% ranks", justify="right")
    table.add_column("model")
    table.add_column(metric_name(found.metric), justify="right", no_wrap=True)
    for one in found.standings:
        ranks = "-" if one.rank_low is None else f"{one.rank_low:,}-{one.rank_high:,}"
        table.add_row("-" if one.rank is None else f"{one.rank:,}", ranks, Text(one.name), share(one.value))
    return table


def caveats(found: ModelComparison) -> list[str]:
    """What a reader has to know about what was compared, in sentences."""
    said = []
    if found.unasked:
        missing = ", ".join(f"{name} {count:,}" for name, count in found.unasked.items())
        counted = f"{found.common:,} of {found.questions:,} questions"
        said.append(f"Compared on the {counted} that every model was asked (not asked: {missing}).")
    said += [f"{name} is not ranked: {reason}." for name, reason in found.unranked.items()]
    return said


def without_looking(results: Sequence[Result], found: ModelComparison) -> str | None:
    """What the compared number is without looking at the pictures, in a sentence; None where results don't say."""
    blind = next((one.splits[found.split].blind for one in results if one.splits[found.split].blind), ())
    scores = [f"{percent(getattr(one, found.metric))} ({one.name})" for one in blind if hasattr(one, found.metric)]
    return f"Without looking: {', '.join(scores)}." if scores else None


def pair_table(found: ModelComparison) -> Table:
    """Every pair's difference, tests and detectable difference."""
    table = plain_table(f"Differences in {metric_name(found.metric)} (percentage points, paired by image)", gap=2)
    table.add_column("model")
    table.add_column("minus")
    headings = (
        "difference", "p", "p (Holm)", "only the first\nright", "only the second\nright", "equally right\np (Holm)", "detectable",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in found.pairs:
        table.add_row(
            Text(pair.one), Text(pair.other), difference(pair.difference), p_value(pair.p), p_value(pair.p_holm),
            f"{pair.one_only:,}", f"{pair.other_only:,}", p_value(pair.right_p_holm), _detectable(pair),
        )  # fmt: skip
    return table


def _detectable(pair: Pair) -> str:
    return "-" if not pair.detectable else points(pair.detectable).lstrip("+")


def verdict_on(pair: Pair, metric: str) -> str:
    """A pair's outcome in a sentence."""
    if pair.difference.value is None:
        return f"{pair.one} and {pair.other}: the difference is undefined."
    if pair.p_holm is None:
        return f"{pair.one} and {pair.other} are not told apart: on every image they answered alike as far as this number goes."
    more, less = (pair.one, pair.other) if pair.difference.value >= 0 else (pair.other, pair.one)
    if pair.p_holm < 0.05:
        return f"{more} has a higher {metric_name(metric)} than {less} (corrected p {p_value(pair.p_holm)})."
    apart = f"{pair.one} and {pair.other} are not told apart (corrected p {p_value(pair.p_holm)})"
    if not pair.detectable:
        return f"{apart}."
    return f"{apart}; this comparison would find a true difference of {_detectable(pair)} points 4 times in 5."


def differing_table(names: Sequence[str], split: str, found: Sequence[Differing]) -> Table:
    """The questions on which the models differ most."""
    table = plain_table(f"Questions of {split} on which they differ most", gap=2)
    for heading in ("image", "question", "label"):
        table.add_column(heading)
    few = len(names) <= 4
    for heading in names if few else ("answered yes", "answered no", "neither"):
        table.add_column(Text(heading))
    for one in found:
        cells = one.verdicts if few else _tallied(names, one.verdicts)
        table.add_row(Text(one.question.image), Text(one.question.text), one.question.label, *map(Text, cells))
    return table


def _tallied(names: Sequence[str], verdicts: Sequence[str]) -> tuple[str, str, str]:
    def those(*which: str) -> str:
        found = [name for name, verdict in zip(names, verdicts, strict=True) if verdict in which]
        return ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")

    return those("yes"), those("no"), those("unparsed", "error", "unasked")


def trend_table(found: Trend) -> Table:
    """Checkpoints over steps: each number in percent, and its change since the one before in percentage points."""
    against = "" if found.baseline is None else f" against {found.baseline}"
    table = plain_table(f"{found.benchmark}: {found.split}{against}, percent, changes in points, 95% intervals", gap=2)
    table.add_column("step", justify="right")
    table.add_column("run")
    for name in NUMBERS:
        table.add_column(metric_name(name).replace(" ", "\n", 1), justify="right", no_wrap=True)
        table.add_column("change\n(p, Holm)", justify="right", no_wrap=True)
    for point in found.points:
        cells = [cell for name in NUMBERS for cell in (shown(point.numbers[name]), _change(point, name))]
        table.add_row(f"{point.step:,}", Text(point.run), *cells)
    return table


def _change(point: TrendPoint, name: str) -> str:
    change = point.changes.get(name)
    p = point.p_holm.get(name)
    return "" if change is None else shown(change, signed=True) + ("" if p is None else f" ({p_value(p)})")
