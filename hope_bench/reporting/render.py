"""Charts and numbers as HTML: a point with its interval on an axis, in percent of the cell's width, so that it stretches.

Plain functions, because a large leaderboard draws a hundred thousand of them. Everything here is made of numbers and fixed words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from hope_bench.errors import counted
from hope_bench.files.result import Comparison
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import PACKED, Estimate, SplitScore, stated_counts
from hope_bench.reporting.heat import HeatMap, HeatRow
from hope_bench.reporting.marks import Axis, Mark
from hope_bench.reporting.model_page import Drill
from hope_bench.reporting.rows import KINDS, SplitRow
from hope_bench.scoring.blind import above_blind, strongest

_SHAPES: dict[Kind, str] = {
    "hope": '<path class="point" d="M0-7 7 0 0 7-7 0z"/>',
    "pope": '<circle class="point" r="5"/>',
    "control": '<rect class="point" x="-4" y="-4" width="8" height="8"/>',
    "twin": '<rect class="point" x="-4" y="-4" width="8" height="8"/>',
    "other": '<rect class="point" x="-4" y="-4" width="8" height="8"/>',
}
_BEYOND = '<path class="point" d="M-7-6 3 0-7 6z"/>'
_escape = lru_cache(1000)(escape)  # every page has the same splits
_HIDDEN = 'aria-hidden="true" focusable="false"'


def percent(value: float | None) -> str:
    """A share in percent with one decimal; a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:.1f}"


def signed(value: float | None) -> str:
    """A difference in percentage points with its sign (a true minus); a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-0.0", "+0.0").replace("-", "−")


def interval(estimate: Estimate, differs: bool = False) -> str:
    """An interval as "86.9 to 89.8", with signs where it is of a difference; empty where there is none."""
    show = signed if differs else percent
    return "" if estimate.low is None else f"{show(estimate.low)} to {show(estimate.high)}"


def estimate(value: Estimate, differs: bool = False) -> Markup:
    """A number with its interval below."""
    return Markup(_estimate(value, differs))


def _estimate(value: Estimate | None, differs: bool = False) -> str:
    if value is None:
        return "–"
    show = signed if differs else percent
    below = "" if value.low is None else f'<span class="interval">{show(value.low)} to {show(value.high)}</span>'
    return f'<span class="number">{show(value.value)}</span>{below}'


def share(value: Estimate) -> Markup:
    """A share as such, with three decimals, and its interval below."""
    shown = "–" if value.value is None else f"{value.value:.3f}"
    known = value.low is not None and value.high is not None
    below = f'<span class="interval">{value.low:.3f} to {value.high:.3f}</span>' if known else ""
    return Markup(f'<span class="number">{shown}</span>{below}')


def axis_labels(axis: Axis) -> Markup:
    """An axis' ticks with their labels, for a column's head."""
    last = len(axis.ticks) - 1
    labels = "".join(
        f'<text x="{tick.at}%" y="9">{tick.label}{"%" if number == last else ""}</text>' for number, tick in enumerate(axis.ticks)
    )
    return Markup(f'<svg class="axis" {_HIDDEN}>{labels}</svg>')


def strip(mark: Mark | None, axis: Axis, *, grid: bool = True) -> Markup:
    """A mark on its axis, with its interval and the line from its baseline."""
    return Markup(_strip(mark, _grid(axis) if grid else ""))


def _grid(axis: Axis) -> str:
    return "".join(f'<line class="grid" x1="{tick.at}%" x2="{tick.at}%" y1="0" y2="100%"/>' for tick in axis.ticks)


def _strip(mark: Mark | None, grid: str) -> str:
    if mark is None:
        return f'<svg class="strip" {_HIDDEN}>{grid}</svg>'
    parts = [grid]
    if mark.start is not None:
        parts.append(f'<line class="gap" x1="{mark.start}%" x2="{mark.at}%" y1="50%" y2="50%"/>')
    if mark.low is not None:
        parts.append(f'<line class="range" x1="{mark.low}%" x2="{mark.high}%" y1="50%" y2="50%"/>')
    if mark.start is not None:
        parts.append(f'<svg class="pope" x="{mark.start}%" y="50%" overflow="visible"><circle class="point" r="4.5"/></svg>')
    shape = _BEYOND if mark.beyond else _SHAPES[mark.kind]
    parts.append(f'<svg x="{mark.at}%" y="50%" overflow="visible">{shape}</svg>')
    return f'<svg class="strip {mark.kind}" {_HIDDEN}>{"".join(parts)}</svg>'


def legend(kind: Kind) -> Markup:
    """The mark of a kind of split, for the legend."""
    line = '<line class="range" x1="-15" x2="15" y1="0" y2="0"/>'
    return Markup(f'<svg class="key {kind}" viewBox="-16 -8 32 16" {_HIDDEN}>{line}{_SHAPES[kind]}</svg>')


def rate_rows(splits: Sequence[SplitRow], axis: Axis, drill: Drill) -> Markup:
    """Table rows of splits, twins left out: the hallucination rate, drawn and in numbers, balanced accuracy, and the
    questions."""
    grid = _grid(axis)
    return Markup("".join(_rate_row(split, grid, drill) for split in splits if split.score.kind != "twin"))


def _rate_row(split: SplitRow, grid: str, drill: Drill) -> str:
    """The way to the questions stands in a column, on a phone below the rate; to all where nothing that it asks is absent."""
    link = drill.split(split.name, "no" if PACKED["no"] in split.score.labels else "")
    way = "" if link is None else f'href="{escape(link)}">questions</a>'
    below, beside = (f'<a class="on-phone" {way}', f'<td class="num extra"><a {way}</td>') if way else ("", "")
    return (
        f'<tr class="{split.score.kind}"><th scope="row"><span class="kind">{split.kind}</span> {_escape(split.name)}</th>'
        f'<td class="chart">{_strip(split.mark, grid)}</td>'
        f'<td class="num">{_estimate(split.score.hallucination_rate)}{below}</td>'
        f'<td class="num extra">{_estimate(split.score.balanced_accuracy)}</td>{beside}</tr>\n'
    )


def led(words: str, link: str | None) -> Markup:
    """Words that lead somewhere, where there is somewhere to lead to."""
    return Markup(_led(escape(words), link))


def _led(html: str, link: str | None) -> str:
    return html if link is None else f'<a href="{escape(link)}">{html}</a>'


def metric_rows(splits: Sequence[SplitRow], metrics: Sequence[str], drill: Drill) -> Markup:
    """Table rows of splits: how many questions, the metrics, d' and criterion, with their intervals, and answering blind."""
    rows = []
    for split in splits:
        cells = "".join(f'<td class="num">{_estimate(getattr(split.score, metric))}</td>' for metric in metrics)
        cells += "".join(f'<td class="num">{_deviations(one)}</td>' for one in (split.score.d_prime, split.score.criterion))
        blind = strongest(split.score.blind)
        above = above_blind(split.score.balanced_accuracy.value, split.score.blind)
        way = None if blind is None or blind.levels is None else drill.blind(split.name, blind.name)
        cells += f'<td class="num">{_led(_estimate(None if blind is None else blind.either_way), way)}</td>'
        cells += f'<td class="num">{percent(above)}</td>'
        rows.append(
            f'<tr class="{split.score.kind}"><th scope="row">{_escape(split.name)} <span class="quiet">{split.kind}</span></th>'
            f'<td class="num">{_led(f"{len(split.score.labels):,}", drill.split(split.name, ""))}</td>{cells}</tr>\n'
        )
    return Markup("".join(rows))


def comparison_rows(pairs: Sequence[Comparison], splits: Mapping[str, SplitScore], drill: Drill) -> Markup:
    """Table rows of comparisons: the split, its baseline, and the three differences."""
    rows = []
    for pair in pairs:
        base = KINDS[splits[pair.baseline].kind]
        cells = (pair.precision_drop, pair.hallucination_rise, pair.auroc_drop)
        rows.append(
            f'<tr class="{splits[pair.split].kind}"><th scope="row">{_led(_escape(pair.split), drill.split(pair.split, ""))}</th>'
            f'<td>{_led(_escape(pair.baseline), drill.split(pair.baseline, ""))} <span class="quiet">{base}</span></td>'
            + "".join(f'<td class="num">{_estimate(one, differs=True)}</td>' for one in cells)
            + "</tr>\n"
        )
    return Markup("".join(rows))


def _deviations(value: Estimate | None) -> str:
    """A distance in standard deviations, with its interval below."""
    if value is None or value.value is None:
        return "–"
    below = "" if value.low is None else f'<span class="interval">{value.low:.2f} to {value.high:.2f}</span>'
    return f'<span class="number">{value.value:.2f}</span>{below}'


def count_rows(splits: Sequence[SplitRow], drill: Drill) -> Markup:
    """Table rows of splits: how often each verdict was given, to yes-questions and then to no-questions."""
    rows = []
    for split in splits:
        rows.append(f'<tr class="{split.score.kind}"><th scope="row">{_escape(split.name)}</th>')
        for index, count in enumerate(stated_counts(split.score)):
            words = "num" + (" first" if index % len(PACKED) == 0 else "") + ("" if count else " nil")
            answer, verdict = ("yes", "no")[index // len(PACKED)], list(PACKED)[index % len(PACKED)]
            single = count and not split.score.further_verdicts  # of several answers to a question only the first is shown
            link = drill.said(split.name, answer, verdict) if single else None
            rows.append(f'<td class="{words}">{_led(f"{count:,}", link)}</td>')
        rows.append("</tr>\n")
    return Markup("".join(rows))


def heat_rows(heat: HeatMap, rows: Sequence[HeatRow], drill: Drill) -> Markup:
    """Rows of a heat map: the rates in whole percent, their shades as classes; each leads to its questions, where those are."""
    made = []
    for row in rows:
        made.append(f'<tr><th scope="row">{_escape(row.name or "all others")}</th>')
        for split, cell in zip(heat.splits, row.cells, strict=True):
            if cell is None:
                made.append('<td class="num nil">–</td>')
            else:
                few, asked, rate = " few" if cell.few else "", counted(cell.questions, "question"), f"{100 * cell.rate:.0f}"
                shown = _led(rate, drill.category(split.name, row.name))
                made.append(f'<td class="num h{cell.shade}{few}" title="{asked}">{shown}</td>')
        made.append("</tr>\n")
    return Markup("".join(made))


def fact_lists(facts: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Markup:
    """Titled lists of facts."""
    lists = []
    for title, pairs in facts:
        items = "".join(f"<div><dt>{_escape(what)}</dt><dd>{_escape(value)}</dd></div>" for what, value in pairs)
        lists.append(f"<div><h3>{_escape(title)}</h3><dl>{items}</dl></div>\n")
    return Markup("".join(lists))
