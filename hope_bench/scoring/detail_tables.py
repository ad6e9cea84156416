"""The tables behind the main ones, for the terminal: P(yes), averages, parts, answers without looking, other labels."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from hope_bench.files.result import Result
from hope_bench.files.split_score import Blind, BreakdownName, Estimate
from hope_bench.scoring.blind import strongest
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.labels import Relabelled
from hope_bench.scoring.metrics import VERDICTS, point_metrics, stated_table
from hope_bench.scoring.tables import percent
from hope_bench.tables import Summary, plain_table


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
            by_chance = "-" if null is None else Estimate(value=null.mean, low=null.low, high=null.high).percent()
            numbers = (
                found.auroc.percent(),
                found.average_precision.percent(),
                found.brier.percent(),
                percent(found.ece),
                by_chance,
            )
            table.add_row(name, f"{found.questions:,}", f"{split.without_p_yes:,}", *numbers)
    return table if table.rows else None


def average_table(result: Result) -> Table | None:
    """The groups' averages in every way that papers average; None where no group has two splits."""
    table = _columns("Averages (percent)", ("method", "questions", "accuracy", "precision", "F1", "MCC"))
    for one in result.averages:
        metrics = [one.metrics[name].percent() for name in ("accuracy", "precision", "f1")]
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
        table.add_row(name, *cells, *("-" if one is None else one.percent() for one in (at_fixed, split.forced_choice)))
    return table


def blind_summary(title: str, splits: Mapping[str, tuple[Blind, ...]]) -> Summary:
    """What not looking gives on every split, a line a way of answering, and the best of them in words."""
    table = plain_table("", "split", "answers", ">balanced accuracy", ">either way")
    for name, scores in splits.items():
        for one in scores:
            either = None if one.either_way is None else one.either_way.value
            table.add_row(Text(name), one.name, percent(one.balanced_accuracy), percent(either))
    found = [(best.either_way, name, best.name) for name, scores in splits.items() if (best := strongest(scores)) is not None]
    known = [(either, name, way) for either, name, way in found if either is not None]
    said = f"{title}: nothing to answer."
    if known:
        most, split, way = max(known, key=lambda one: one[0].value or 0.0)
        said = f"{title}, answered without looking: up to {most.percent()} in balanced accuracy ({way} on {split})."
    notes = ("Percent. 50 is what chance gives; what stays as far below it tells as much (either way).",)
    return Summary((said,), table, notes)


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
        shares = (part.hallucination_rate.percent(), part.recall.percent(), *(percent(found[name]) for name in metrics))
        counted = (f"{part.images:,}", f"{asked[0]:,} / {asked[1]:,}")
        table.add_row(Text(part.name or "all others"), *counted, *shares, mcc, f"{counts[:, 2:4].sum():,}")
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
                found.hallucination_rate.percent(), percent(split.recall.value), found.recall.percent(),
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
        shown = [moves[name].points() for name in ("f1", "hallucination_rate", "recall")]
        counts = f"{len(before.labels):,} → {len(after.labels):,}"
        table.add_row(name, counts, percent(before.f1.value), percent(after.f1.value), *shown)
    return table


def _columns(title: str, headings: tuple[str, ...], of: str = "split") -> Table:
    words = ("method", "answers")
    return plain_table(title, of, *(heading if heading in words else f">{heading}" for heading in headings))


def _interval(estimate: Estimate | None) -> str:
    return "-" if estimate is None else estimate.percent()
