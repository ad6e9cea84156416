"""A result as tables for the terminal, whole lines whatever its width, and plain in a pipe."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hope_bench.files.result import Comparison, Estimate, Result, SplitScore
from hope_bench.scoring.blind import above_blind, strongest

_WIDEST = 10_000
"""Columns that no table needs."""


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal: "88.4"; "-" where undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign: "+16.5"; "-" where undefined."""
    return "-" if value is None else f"{round(100 * value, 1) + 0.0:+.1f}"


def split_table(result: Result) -> Table:
    """Every split's numbers in percent; below the three that matter most, the 95% interval."""
    how = "" if result.convention == "strict" else f", {result.convention} convention"
    title = f"{result.model.name} on {result.benchmark.title} ({result.benchmark.images:,} images, percent, 95% intervals{how})"
    table = plain_table(title, gap=0)
    table.add_column("split", no_wrap=True)
    metrics = ("balanced\naccuracy", "accu-\nracy", "preci-\nsion", "re-\ncall", "F1", "yes\nratio", "halluc.\nrate")
    for heading in ("ques-\ntions", *metrics, "un-\nparsed", "error", "un-\nasked"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, split in result.splits.items():
        if split.kind == "twin":
            continue
        table.add_row(*_split_row(name, split, headline=name == result.benchmark.headline))
    table.caption = Text(f"Headline split: {result.benchmark.headline}. " + _standing(result), style="dim")
    table.caption_justify = "left"
    return table


def comparison_table(result: Result) -> Table:
    """Every HOPE split against its baselines, in percentage points; positive means that it is harder. The AUROC drop, which
    no readiness to say yes moves, stands beside the precision drop where the run has P(yes)."""
    table = plain_table("Harder than the baseline by (percentage points, 95% intervals paired by image)", gap=1)
    for heading in ("split", "baseline"):
        table.add_column(heading, no_wrap=True)
    headings = ["precision drop", "AUROC drop", "hallucination rise"]
    if not any(pair.auroc_drop for pair in result.comparisons):
        headings.remove("AUROC drop")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in result.comparisons:
        moves = {
            "precision drop": pair.precision_drop,
            "AUROC drop": pair.auroc_drop,
            "hallucination rise": pair.hallucination_rise,
        }
        cells = ("-" if (one := moves[heading]) is None else difference(one) for heading in headings)
        table.add_row(pair.split, pair.baseline, *cells)
    return table


def print_result(console: Console, result: Result) -> None:
    """Both tables (the second only where there are comparisons), what the benchmark says of itself, and the notes.

    Tables keep whole lines even in a narrow pipe.
    """
    print_whole(console, split_table(result))
    if result.comparisons:
        console.print()
        print_whole(console, comparison_table(result))
    if answer := _straight_answer(result):
        console.print(answer, soft_wrap=True)
    for name, split in result.splits.items():
        if split.paired_discrimination is not None:
            console.print(_paired(name, split), soft_wrap=True)
    if without_looking := _without_looking(result):
        console.print(without_looking, soft_wrap=True)
    if result.benchmark.description:
        console.print(Text(result.benchmark.description), soft_wrap=True)
    for note in result.notes:
        console.print(Text(f"Note: {note}", style="dim"), soft_wrap=True)


def print_whole(console: Console, table: Table) -> None:
    """Print a table whose columns don't wrap as wide as it needs, in a narrow terminal or pipe too: nothing of it is cut off."""
    needed = Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
    Console(file=console.file, emoji=False, force_terminal=console.is_terminal, width=max(console.width, needed)).print(table)


def lead_comparison(result: Result) -> Comparison | None:
    """The headline split against POPE's adversarial one, or else the first baseline it is compared with."""
    return result.compared(result.benchmark.headline)


def _straight_answer(result: Result) -> Text | None:
    """Whether the headline split finds more than POPE, in a sentence; None where nothing tells."""
    pair = lead_comparison(result)
    if pair is None or pair.hallucination_rise.low is None or pair.hallucination_rise.high is None:
        return None
    rise, low, high = difference(pair.hallucination_rise), pair.hallucination_rise.low, pair.hallucination_rise.high
    if low <= 0 <= high:
        return Text(
            f"{pair.split} and {pair.baseline} are not told apart by how often absent objects are affirmed ({rise} points)."
        )
    more = "more" if low > 0 else "fewer"
    return Text(
        f"{pair.split} finds {more} hallucinations than {pair.baseline}: {rise} in a hundred questions about absent objects."
    )


def _without_looking(result: Result) -> Text | None:
    """What the headline split gives those who don't look at the pictures; None for results that don't say."""
    split = result.splits[result.benchmark.headline]
    best = strongest(split.blind)
    if best is None or best.either_way is None:
        return None
    left = above_blind(split.balanced_accuracy.value, split.blind)
    return Text(
        f"Without looking, {result.benchmark.headline} gives a balanced accuracy of up to {best.either_way.percent()} "
        f"({best.name}); above blind: of what is left above that, {result.model.name} gets {percent(left)}%."
    )


def _paired(name: str, split: SplitScore) -> Text:
    """What a split of twins says: whether the model tells true descriptions from false ones, or distrusts them all."""
    found = split.paired_discrimination
    assert found is not None
    interval = "" if found.low is None else f" [{percent(found.low)}, {percent(found.high)}]"
    return Text(
        f"{name.removesuffix('-twins')}: both a false description and its true twin right in {percent(found.value)}{interval} of "
        f"{split.pairs_asked:,} pairs."
    )


def plain_table(title: str, gap: int) -> Table:
    """A table without frames, for the terminal and for pipes."""
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap, 0, 0),
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


def difference(estimate: Estimate) -> str:
    """A difference of shares with its interval, in percentage points: "+1.2 [+0.3, +2.0]"."""
    if estimate.low is None:
        return points(estimate.value)
    return f"{points(estimate.value)} [{points(estimate.low)}, {points(estimate.high)}]"


def _standing(result: Result) -> str:
    return "Ranked by its balanced accuracy." if result.unranked is None else f"Not ranked: {result.unranked}."
