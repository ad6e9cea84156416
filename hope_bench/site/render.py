"""Charts and numbers as HTML: a point with its interval on an axis, in percent of the cell's width, so that it stretches.

Plain functions, because a large leaderboard draws a hundred thousand of them. Everything here is made of numbers and fixed words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from hope_bench.result import Comparison, Estimate, SplitScore
from hope_bench.site.heat import HeatRow
from hope_bench.site.marks import Axis, Mark
from hope_bench.site.views import KINDS
from hope_bench.spec import Kind

_SHAPES: dict[Kind, str] = {
    "hope": '<path class="point" d="M0-7 7 0 0 7-7 0z"/>',
    "pope": '<circle class="point" r="5"/>',
    "control": '<rect class="point" x="-4" y="-4" width="8" height="8"/>',
    "twin": '<rect class="point" x="-4" y="-4" width="8" height="8"/>',
}
_HIDDEN = 'aria-hidden="true" focusable="false"'


def percent(value: float | None) -> str:
    """A share in percent with one decimal; a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:.1f}"


def signed(value: float | None) -> str:
    """A difference in percentage points with its sign (a true minus); a dash where it is undefined."""
    return "–" if value is None else f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")


def interval(estimate: Estimate, differs: bool = False) -> str:
    """An interval as "86.9 to 89.8", with signs where it is of a difference; empty where there is none."""
    show = signed if differs else percent
    return "" if estimate.low is None else f"{show(estimate.low)} to {show(estimate.high)}"


def estimate(value: Estimate, differs: bool = False) -> Markup:
    """A number with its interval below."""
    shown = signed(value.value) if differs else percent(value.value)
    below = "" if value.low is None else f'<span class="interval">{interval(value, differs)}</span>'
    return Markup(f'<span class="number">{shown}</span>{below}')


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
    parts = [f'<line class="grid" x1="{tick.at}%" x2="{tick.at}%" y1="0" y2="100%"/>' for tick in axis.ticks] if grid else []
    if mark is None:
        return Markup(f'<svg class="strip" {_HIDDEN}>{"".join(parts)}</svg>')
    if mark.start is not None:
        parts.append(f'<line class="gap" x1="{mark.start}%" x2="{mark.at}%" y1="50%" y2="50%"/>')
        parts.append(f'<line class="from" x1="{mark.start}%" x2="{mark.start}%" y1="20%" y2="80%"/>')
    if mark.low is not None:
        parts.append(f'<line class="range" x1="{mark.low}%" x2="{mark.high}%" y1="50%" y2="50%"/>')
    parts.append(f'<svg x="{mark.at}%" y="50%" overflow="visible">{_SHAPES[mark.kind]}</svg>')
    return Markup(f'<svg class="strip {mark.kind}" {_HIDDEN}>{"".join(parts)}</svg>')


def legend(kind: Kind) -> Markup:
    """The mark of a kind of split, for the legend."""
    line = '<line class="range" x1="-15" x2="15" y1="0" y2="0"/>'
    return Markup(f'<svg class="key {kind}" viewBox="-16 -8 32 16" {_HIDDEN}>{line}{_SHAPES[kind]}</svg>')


def metric_cells(score: SplitScore, metrics: Sequence[str]) -> Markup:
    """A table row's cells with a split's metrics and their intervals."""
    return Markup("".join(f'<td class="num">{_maybe(getattr(score, metric))}</td>' for metric in metrics))


def comparison_rows(pairs: Sequence[Comparison], splits: Mapping[str, SplitScore]) -> Markup:
    """Table rows of comparisons: the split, its baseline, and the three differences."""
    rows = []
    for pair in pairs:
        base = KINDS[splits[pair.baseline].kind]
        cells = (pair.precision_drop, pair.hallucination_rise, pair.auroc_drop)
        rows.append(
            f'<tr class="{splits[pair.split].kind}"><th scope="row">{escape(pair.split)}</th>'
            f'<td>{escape(pair.baseline)} <span class="quiet">{base}</span></td>'
            + "".join(f'<td class="num">{_maybe(one, differs=True)}</td>' for one in cells)
            + "</tr>\n"
        )
    return Markup("".join(rows))


def _maybe(value: Estimate | None, differs: bool = False) -> str:
    return "–" if value is None else estimate(value, differs)


def count_cells(score: SplitScore) -> Markup:
    """A table row's cells with how often each verdict was given, to yes-questions and then to no-questions."""
    cells = []
    for side in (score.on_yes, score.on_no):
        for index, count in enumerate((side.yes, side.no, side.unparsed, side.error, side.unasked)):
            words = "num" + (" first" if index == 0 else "") + ("" if count else " nil")
            cells.append(f'<td class="{words}">{count:,}</td>')
    return Markup("".join(cells))


def heat_cells(row: HeatRow) -> Markup:
    """A heat map row's cells: the rate in whole percent, its shade as a class."""
    cells = []
    for cell in row.cells:
        if cell is None:
            cells.append('<td class="num nil">–</td>')
        else:
            few = " few" if cell.few else ""
            cells.append(f'<td class="num h{cell.shade}{few}" title="{cell.questions:,} questions">{100 * cell.rate:.0f}</td>')
    return Markup("".join(cells))
