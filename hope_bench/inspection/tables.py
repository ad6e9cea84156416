"""A benchmark's numbers as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hope_bench.errors import counted
from hope_bench.inspection.sizes import SizesAsked
from hope_bench.inspection.summary import BINS, Summary
from hope_bench.tables import plain_table

_BARS = " ▁▂▃▄▅▆▇█"


def summary_tables(summary: Summary, most_frequent: int = 5, categories: int = 20) -> list[Table]:
    """Counts by split and by category, frequent distractors, overlap (for two splits or more) and risk (where there is one)."""
    tables = [_counts(summary), _distractors(summary, most_frequent)]
    if categories:
        tables.append(_categories(summary, categories))
    if len(summary.splits) > 1:
        tables.append(_overlap(summary))
    if any(split.risk is not None for split in summary.splits):
        tables.append(_risk(summary))
    return tables


def _counts(summary: Summary) -> Table:
    title = f"{summary.title}: {counted(summary.images, 'image')}, {counted(summary.unique_questions, 'different question')}"
    table = plain_table(title, "split", "kind", ">images", ">yes", ">no", ">% yes", ">described")
    for split in summary.splits:
        share = "–" if split.yes_share is None else f"{100 * split.yes_share:.1f}"
        numbers = (split.images, split.yes, split.no)
        table.add_row(split.name, split.kind, *(f"{number:,}" for number in numbers), share, f"{split.descriptions:,}")
    return table


def _distractors(summary: Summary, most_frequent: int) -> Table:
    table = plain_table("Most frequent distractors, of all absent objects", "split", ">different", "object and its share")
    for split in summary.splits:
        total = sum(count for _, count in split.distractors)
        if not total:
            continue
        shown = ", ".join(f"{name} {100 * count / total:.1f}%" for name, count in split.distractors[:most_frequent])
        table.add_row(split.name, f"{len(split.distractors):,}", Text(shown))
    return table


def _categories(summary: Summary, most: int) -> Table:
    """Twins ask about no category of their own, so they are left out."""
    kept = [place for place, split in enumerate(summary.splits) if split.kind != "twin"]
    title = "Questions about each category: where it is present, and as absent in each split"
    if len(summary.categories) > most:
        title += f" (the {most} most asked about of {len(summary.categories):,}; --categories shows more)"
    table = plain_table(title, "category", ">present", *(f">{number}" for number in range(1, len(kept) + 1)))
    for one in summary.categories[:most]:
        table.add_row(
            Text(one.name), f"{one.present:,}", *(f"{one.absent[place]:,}" if one.absent[place] else "" for place in kept)
        )
    table.caption = ", ".join(f"{number} {summary.splits[place].name}" for number, place in enumerate(kept, 1))
    return table


def _overlap(summary: Summary) -> Table:
    """Twins repeat their split's claims, so they are left out."""
    kept = [place for place, split in enumerate(summary.splits) if split.kind != "twin"]
    numbers = (f">{number}" for number, _ in enumerate(kept, 1))
    table = plain_table("Shared claims of absence, % of all that either split makes", "split", *numbers)
    for number, (split, whole) in enumerate(((summary.splits[place], summary.overlap[place]) for place in kept), 1):
        row = [whole[place] for place in kept]
        cells = ["" if place > number - 2 else "–" if value is None else f"{100 * value:.0f}" for place, value in enumerate(row)]
        table.add_row(f"{number} {split.name}", *cells)
    return table


def _risk(summary: Summary) -> Table:
    title = "Risk that a distractor is in the picture after all"
    table = plain_table(title, "split", ">mean", "0 … 1", *(f">≥ {low}" for low in (0.1, 0.2, 0.5)), ">unknown")
    for split in summary.splits:
        if split.risk is None:
            continue
        above = (sum(split.risk[round(low * BINS) :]) for low in (0.1, 0.2, 0.5))
        mean = "–" if split.mean_risk is None else f"{split.mean_risk:.3f}"
        table.add_row(split.name, mean, _bars(split.risk), *(f"{count:,}" for count in above), f"{split.risk_unknown:,}")
    return table


def _bars(counts: tuple[int, ...]) -> str:
    """A small bar chart; whatever isn't 0 shows."""
    highest = max(counts)
    return "".join(_BARS[0 if count == 0 else max(1, round(8 * count / highest))] for count in counts)


def sizes_table(sizes: Sequence[SizesAsked]) -> Table:
    """The present objects that each split asks about, and those it doesn't, by the share of the image they take."""
    title = "Present objects asked about, and not: median share of the image"
    table = plain_table(title, "split", ">asked", ">% of the image", ">not asked", ">% of the image")
    for one in sizes:
        shares = ("–" if share is None else f"{100 * share:.1f}" for share in (one.asked_share, one.unasked_share))
        asked, unasked = shares
        table.add_row(one.split, f"{one.asked:,}", asked, f"{one.unasked:,}", unasked)
    return table
