"""The tables behind the main ones, for the terminal: P(yes), averages, answers without looking, other labels."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from hope_bench.result import Blind, Estimate, Result
from hope_bench.scoring.labels import Relabelled
from hope_bench.scoring.tables import difference, percent, plain_table


def share(estimate: Estimate) -> str:
    """A share with its interval, in percent: "88.4 [86.1, 90.2]"."""
    if estimate.low is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def correlation(estimate: Estimate | None) -> str:
    """A correlation with its interval: "+0.71 [+0.66, +0.75]"; "-" where undefined."""
    if estimate is None or estimate.value is None:
        return "-"
    text = f"{estimate.value:+.2f}"
    return text if estimate.low is None or estimate.high is None else f"{text} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def probability_table(result: Result) -> Table | None:
    """What P(yes) tells without a threshold, by split; None where the run has no P(yes)."""
    table = _columns("From P(yes), no threshold (percent)", ("questions", "AUROC", "average precision", "Brier score", "ECE"))
    for name, split in result.splits.items():
        found = split.probabilities
        if found is not None:
            numbers = (share(found.auroc), share(found.average_precision), share(found.brier), percent(found.ece))
            table.add_row(name, f"{found.questions:,}", *numbers)
    return table if table.rows else None


def average_table(result: Result) -> Table | None:
    """The groups' averages in every way that papers average; None where no group has two splits."""
    table = _columns("Averages (percent)", ("method", "questions", "accuracy", "precision", "F1", "MCC"))
    for one in result.averages:
        metrics = [share(one.metrics[name]) for name in ("accuracy", "precision", "f1")]
        table.add_row(one.group, one.method, f"{one.questions:,}", *metrics, correlation(one.metrics["mcc"]))
    return table if table.rows else None


def auroc_table(result: Result) -> Table | None:
    """How much AUROC falls from each baseline to each HOPE split; None without P(yes)."""
    table = _columns("AUROC drop (percentage points, paired by image)", ("baseline", "drop"))
    for pair in result.comparisons:
        if pair.auroc_drop is not None:
            table.add_row(pair.split, pair.baseline, difference(pair.auroc_drop))
    return table if table.rows else None


def blind_table(title: str, splits: Mapping[str, tuple[Blind, ...]]) -> Table:
    """What not looking gives on every split, in percent."""
    table = _columns(
        f"Answered without looking: {title} (percent)",
        ("answers", "balanced accuracy", "accuracy", "precision", "recall", "F1", "halluc. rate"),
    )
    for name, scores in splits.items():
        for one in scores:
            numbers = (one.balanced_accuracy, one.accuracy, one.precision, one.recall, one.f1, one.hallucination_rate)
            table.add_row(name, one.name, *map(percent, numbers))
    return table


def relabelled_table(scored: Relabelled) -> Table:
    """Each split before and after relabelling, and the paired difference."""
    table = _columns(
        f"{scored.before.model.name}: {scored.after.benchmark.name} minus {scored.before.benchmark.name} (points, paired)",
        ("questions", "F1 before", "F1 after", "F1 moves by", "halluc. rate moves by", "recall moves by"),
    )
    for name, moves in scored.differences.items():
        before, after = scored.before.splits[name], scored.after.splits[name]
        shown = (difference(moves["f1"]), difference(moves["hallucination_rate"]), difference(moves["recall"]))
        counts = f"{len(before.labels):,} → {len(after.labels):,}"
        table.add_row(name, counts, percent(before.f1.value), percent(after.f1.value), *shown)
    return table


def _columns(title: str, headings: tuple[str, ...]) -> Table:
    table = plain_table(title, gap=2)
    table.add_column("split", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("method", "baseline", "answers") else "right", no_wrap=True)
    return table
