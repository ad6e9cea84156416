"""A result's numbers in full, as tables for the terminal; what `Result.summary` shows is not told again."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hope_bench.errors import counted
from hope_bench.files.result import Result
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.scoring.blind import above_blind, strongest
from hope_bench.tables import plain_table


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal: "88.4"; "-" where undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign: "+16.5"; "-" where undefined."""
    return "-" if value is None else f"{round(100 * value, 1) + 0.0:+.1f}"


def split_table(result: Result) -> Table:
    """Every split's numbers in percent; below the three that matter most, the 95% interval."""
    how = "" if result.convention == "strict" else f", {result.convention} convention"
    title = (
        f"{result.model.name} on {result.benchmark.title} ({counted(result.benchmark.images, 'image')}, "
        f"percent, 95% intervals{how})"
    )
    metrics = ("balanced\naccuracy", "accu-\nracy", "preci-\nsion", "re-\ncall", "F1", "yes\nratio", "halluc.\nrate")
    headings = ("ques-\ntions", *metrics, "un-\nparsed", "error", "un-\nasked")
    table = plain_table(title, "split", *(f">{heading}" for heading in headings))
    for name, split in result.splits.items():
        if split.kind == "twin":
            continue
        table.add_row(*_split_row(name, split, headline=name == result.benchmark.headline))
    return table


def comparison_table(result: Result) -> Table:
    """Every HOPE split against its baselines, in percentage points; positive means that it is harder. The AUROC drop, which
    no readiness to say yes moves, stands beside the precision drop where the run has P(yes)."""
    headings = ["precision drop", "AUROC drop", "hallucination rise"]
    if not any(pair.auroc_drop for pair in result.comparisons):
        headings.remove("AUROC drop")
    title = "Harder than the baseline by (percentage points, 95% intervals paired by image)"
    table = plain_table(title, "split", "baseline", *(f">{heading}" for heading in headings))
    for pair in result.comparisons:
        moves = {
            "precision drop": pair.precision_drop,
            "AUROC drop": pair.auroc_drop,
            "hallucination rise": pair.hallucination_rise,
        }
        cells = ("-" if (one := moves[heading]) is None else one.points() for heading in headings)
        table.add_row(pair.split, pair.baseline, *cells)
    return table


def remarks(result: Result) -> list[str]:
    """What the tables don't show, in sentences: pairs of twins, what not looking gives, what the benchmark says of itself."""
    twins = [_paired(name, split) for name, split in result.splits.items() if split.paired_discrimination is not None]
    return [*twins, *filter(None, (_without_looking(result), result.benchmark.description))]


def _without_looking(result: Result) -> str | None:
    """What the headline split gives those who don't look at the pictures; None for results that don't say."""
    split = result.splits[result.benchmark.headline]
    best = strongest(split.blind)
    if best is None or best.either_way is None:
        return None
    left = above_blind(split.balanced_accuracy.value, split.blind)
    return (
        f"Without looking, {result.benchmark.headline} gives a balanced accuracy of up to {best.either_way.percent()} "
        f"({best.name}); above blind: of what is left above that, {result.model.name} gets {percent(left)}%."
    )


def _paired(name: str, split: SplitScore) -> str:
    """What a split of twins says: whether the model tells true descriptions from false ones, or distrusts them all."""
    found = split.paired_discrimination
    assert found is not None
    interval = "" if found.low is None else f" [{percent(found.low)}, {percent(found.high)}]"
    return (
        f"{name.removesuffix('-twins')}: both a false description and its true twin right in {percent(found.value)}{interval} of "
        f"{counted(split.pairs_asked, 'pair')}."
    )


def _split_row(name: str, split: SplitScore, headline: bool) -> list[Text]:
    def counted(verdict: str) -> Text:
        count = getattr(split.on_yes, verdict) + getattr(split.on_no, verdict)
        return Text(f"{count:,}", style="yellow" if count else "dim")

    return [
        Text(name, style="bold" if headline else ""),
        Text(f"{len(split.labels):,}"),
        _with_interval(split.balanced_accuracy),
        Text(percent(split.accuracy.value)),
        _with_interval(split.precision),
        *(Text(percent(value.value)) for value in (split.recall, split.f1, split.yes_ratio)),
        _with_interval(split.hallucination_rate),
        *(counted(verdict) for verdict in ("unparsed", "error", "unasked")),
    ]


def _with_interval(estimate: Estimate) -> Text:
    text = Text(percent(estimate.value))
    if estimate.low is not None:
        text.append(f"\n{percent(estimate.low)}-{percent(estimate.high)}", style="dim")
    return text
