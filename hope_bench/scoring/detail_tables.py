"""The tables behind the main ones, for the terminal: P(yes), averages, parts, answers without looking, other labels."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from hope_bench.files.result import Blind, BreakdownName, Estimate, Result
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.labels import Relabelled
from hope_bench.scoring.metrics import VERDICTS, point_metrics, stated_table
from hope_bench.scoring.tables import difference, percent, plain_table


def share(estimate: Estimate) -> str:
    """A share with its interval, in percent: "88.4 [86.1, 90.2]"."""
    if estimate.low is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def correlation(estimate: Estimate | None) -> str:
    """A correlation, or a distance in standard deviations, with its interval: "+0.71 [+0.66, +0.75]"; "-" where undefined."""
    if estimate is None or estimate.value is None:
        return "-"
    text = f"{estimate.value:+.2f}"
    return text if estimate.low is None or estimate.high is None else f"{text} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def probability_table(result: Result) -> Table | None:
    """What P(yes) tells without a threshold, by split; None where the run has no P(yes)."""
    headings = ("questions", "left out", "AUROC", "average precision", "Brier score", "ECE", "if calibrated")
    table = _columns("From P(yes), no threshold (percent)", headings)
    for name, split in result.splits.items():
        found = split.probabilities
        if found is not None:
            null = found.ece_null
            by_chance = "-" if null is None else share(Estimate(value=null.mean, low=null.low, high=null.high))
            numbers = (share(found.auroc), share(found.average_precision), share(found.brier), percent(found.ece), by_chance)
            table.add_row(name, f"{found.questions:,}", f"{split.without_p_yes:,}", *numbers)
    return table if table.rows else None


def average_table(result: Result) -> Table | None:
    """The groups' averages in every way that papers average; None where no group has two splits."""
    table = _columns("Averages (percent)", ("method", "questions", "accuracy", "precision", "F1", "MCC"))
    for one in result.averages:
        metrics = [share(one.metrics[name]) for name in ("accuracy", "precision", "f1")]
        table.add_row(one.group, one.method, f"{one.questions:,}", *metrics, correlation(one.metrics["mcc"]))
    return table if table.rows else None


def sensitivity_table(result: Result) -> Table:
    """Sensitivity and bias by split; what needs P(yes) is "-" without it."""
    table = _columns(
        "Sensitivity and bias (d' moves with the threshold, d_a doesn't; criterion below 0: a bias to yes)",
        ("d'", "criterion", "d_a", "bal. acc. at fixed threshold", "twins by P(yes)"),
    )
    for name, split in result.splits.items():
        found = split.probabilities
        at_fixed = None if found is None else found.fixed_balanced_accuracy
        cells = (correlation(split.d_prime), correlation(split.criterion), correlation(None if found is None else found.d_a))
        table.add_row(name, *cells, *("-" if one is None else share(one) for one in (at_fixed, split.forced_choice)))
    return table


def blind_table(title: str, splits: Mapping[str, tuple[Blind, ...]]) -> Table:
    """What not looking gives on every split, in percent; "either way" is max(BA, 100 - BA)."""
    table = _columns(
        f"Answered without looking: {title} (percent)",
        ("answers", "balanced accuracy", "either way", "AUROC", "recall", "halluc. rate", "both of a pair", "learnt from"),
    )
    for name, scores in splits.items():
        for one in scores:
            learnt = (
                "-"
                if one.fitted_on is None
                else f"{one.images:,} {'other images' if one.fitted_on == 'other-images' else 'images, crosswise'}"
            )
            table.add_row(
                name, one.name, percent(one.balanced_accuracy), _interval(one.either_way), _interval(one.auroc),
                percent(one.recall), percent(one.hallucination_rate), percent(one.paired_discrimination), learnt,
            )  # fmt: skip
    return table


def part_table(result: Result, breakdown: BreakdownName) -> Table | None:
    """The headline split taken apart, with every metric of each part; None where the result doesn't hold that."""
    split = result.benchmark.headline
    parts = result.splits[split].breakdowns.get(breakdown)
    if parts is None:
        return None
    metrics = ("accuracy", "balanced_accuracy", "precision", "f1", "yes_ratio")
    headings = ("images", "yes / no asked", "halluc. rate", "recall", "accuracy", "bal. acc.", "precision", "F1", "yes ratio")
    title = f"{split} by {breakdown.replace('-', ' ')} (percent)"
    table = _columns(title, (*headings, "MCC", "neither"), breakdown.split("-")[-1])
    for part, counts in zip(parts, stated_table(parts), strict=True):
        found = point_metrics(counts, CONVENTIONS[result.convention])
        mcc = "-" if found["mcc"] is None else f"{found['mcc']:+.2f}"
        asked = counts[:, : VERDICTS.index("unasked")].sum(axis=1)
        table.add_row(
            Text(part.name or "all others"), f"{part.images:,}", f"{asked[0]:,} / {asked[1]:,}", share(part.hallucination_rate),
            share(part.recall), *(percent(found[name]) for name in metrics), mcc, f"{counts[:, 2:4].sum():,}",
        )  # fmt: skip
    return table


def corrected_table(result: Result) -> Table | None:
    """Rates beside what they are under the truth that people found for a sample of the questions; None where there is none."""
    table = _columns(
        "Under reviewed truth (percent)", ("reviewed", "unsure", "halluc. rate", "reviewed truth", "recall", "reviewed truth")
    )
    for name, split in result.splits.items():
        found = split.corrected
        if found is not None:
            table.add_row(
                name, f"{found.reviewed:,}", f"{found.unsure:,}", percent(split.hallucination_rate.value),
                share(found.hallucination_rate), percent(split.recall.value), share(found.recall),
            )  # fmt: skip
    return table if table.rows else None


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


def _columns(title: str, headings: tuple[str, ...], of: str = "split") -> Table:
    table = plain_table(title, gap=2)
    table.add_column(of, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("method", "baseline", "answers") else "right", no_wrap=True)
    return table


def _interval(estimate: Estimate | None) -> str:
    return "-" if estimate is None else estimate.percent()
