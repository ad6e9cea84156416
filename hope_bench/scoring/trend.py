"""Checkpoints of one training run: how a model's numbers change over steps, neighbours paired by image."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.split_score import Estimate
from hope_bench.provenance import write_text
from hope_bench.scoring.comparison import metric_name
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.measuring import gradient, measure
from hope_bench.scoring.metrics import Counts, answer_table, share_right
from hope_bench.scoring.rates import Measured, difference
from hope_bench.scoring.recount import paired
from hope_bench.scoring.significance import holm, sign_flip

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from hope_bench.tables import Summary

NUMBERS = ("hallucination_rate", "balanced_accuracy", "precision_drop")
_NOT_TOLD = "No checkpoint is told apart from the one before (corrected p below 0.05)."
_STEP = re.compile(r"(?:checkpoint|step)-(\d+)$")


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One checkpoint: its numbers in [0, 1] (`precision_drop` in [-1, 1], null without a baseline), and, from the second on, each
    minus the one before, paired by image: the interval is simultaneous over all of a number's changes (Bonferroni), `p_holm` the
    two-sided p-value corrected for their number (Holm)."""

    step: int
    run: str
    numbers: dict[str, Estimate]
    changes: dict[str, Estimate]
    p_holm: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Trend:
    """Checkpoints of one training run in order of steps, by the numbers of one split (and the POPE split it is held against)."""

    benchmark: str
    split: str
    baseline: str | None
    points: tuple[TrendPoint, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row a checkpoint: `step` (int64), `run`, and for each number its value, `_low`, `_high`, `_change`, `_change_low`,
        `_change_high` and `_p` (float64, NaN where undefined)."""
        import pandas as pd

        rows = []
        for point in self.points:
            row: dict[str, object] = {"step": point.step, "run": point.run}
            for name in NUMBERS:
                own, change = point.numbers[name], point.changes.get(name, Estimate(value=None))
                row |= {name: own.value, f"{name}_low": own.low, f"{name}_high": own.high, f"{name}_change": change.value}
                row |= {f"{name}_change_low": change.low, f"{name}_change_high": change.high, f"{name}_p": point.p_holm.get(name)}
            rows.append(row)
        frame = pd.DataFrame(rows)
        return frame.astype(dict.fromkeys(frame.columns[2:], "float64") | {"step": "int64", "run": "string"})

    def plot(self) -> go.Figure:
        """Each number in percent over steps, with its 95% interval."""
        import plotly.graph_objects as go

        figure = go.Figure()
        colours = {"hallucination_rate": "#c8452d", "balanced_accuracy": "#2f6fbb", "precision_drop": "#6b6b6b"}
        for name, colour in colours.items():
            known = [(point.step, point.numbers[name]) for point in self.points]
            held = [(step, 100 * one.value, one) for step, one in known if one.value is not None]
            if held:
                figure.add_scatter(
                    x=[step for step, _, _ in held], y=[at for _, at, _ in held], name=name.replace("_", " "),
                    mode="lines+markers", line={"color": colour},
                    error_y={
                        "type": "data", "color": colour,
                        "array": [0 if one.high is None else 100 * one.high - at for _, at, one in held],
                        "arrayminus": [0 if one.low is None else at - 100 * one.low for _, at, one in held],
                    },
                )  # fmt: skip
        against = "" if self.baseline is None else f", against {self.baseline}"
        figure.update_layout(
            title=f"{self.benchmark}: {self.split}{against}", template="plotly_white",
            xaxis={"title": "training step"}, yaxis={"title": "percent (95% intervals)"},
        )  # fmt: skip
        return figure

    def write_page(self, path: Path) -> Path:
        """Write the chart as a page that loads nothing from elsewhere; returns `path`. The same numbers give the same bytes."""
        write_text(path, self.plot().to_html(include_plotlyjs=True, div_id="trend"))
        return path

    def summary(self) -> Summary:
        """What print and the command line show first: the verdict, and a line a checkpoint."""
        from hope_bench.tables import Summary, plain_table

        table = plain_table("", ">step", *(f">{metric_name(name).removesuffix(' rate')}" for name in NUMBERS))
        for point in self.points:
            own = [point.numbers[name] for name in NUMBERS]
            table.add_row(f"{point.step:,}", own[0].percent(), own[1].percent(), own[2].points())
        against = "" if self.baseline is None else f" Precision drop: points lost from {self.baseline}, paired by image."
        return Summary(self._verdict(), table, (f"Percent, 95% intervals.{against}",))

    def _verdict(self) -> tuple[str, ...]:
        first, last = self.points[0], self.points[-1]
        moved = [
            f"{metric_name(name)} from {before:.1f} to {after:.1f}"
            for name in NUMBERS[:2]
            if (before := _hundred(first.numbers[name])) is not None and (after := _hundred(last.numbers[name])) is not None
        ]
        told = [
            f"{metric_name(name)} at step {point.step:,} ({point.changes[name].points()})"
            for point in self.points[1:]
            for name in NUMBERS
            if (p := point.p_holm[name]) is not None and p < 0.05
        ]
        apart = f"Changes told from chance (corrected p below 0.05): {first_few(told, 6)}." if told else _NOT_TOLD
        went = f": {', '.join(moved)}" if moved else ""
        ends = " to ".join(f"{one.run} (step {one.step:,})" for one in (first, last))
        return (f"{self.benchmark}, {self.split}, {ends}{went}.", apart)

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def _hundred(number: Estimate) -> float | None:
    return None if number.value is None else 100 * number.value


def trend_of(
    results: Sequence[Result],
    names: Sequence[str],
    steps: Sequence[int] | None,
    split: str | None,
    baseline: str | None,
    bootstrap: Bootstrap,
    whole: Collection[str],
) -> Trend:
    """The trend of results of one benchmark, one a checkpoint, by the questions that all were asked.

    `names` are the runs', `whole` the splits that all were asked as such, not only where another split asks the same. Raises
    HopeBenchError (api: trend).
    """
    if len(results) < 2:
        raise HopeBenchError("A trend takes two runs or more.")
    at = [_step(result, name) for result, name in zip(results, names, strict=True)] if steps is None else list(steps)
    if wrong := [step for step in at if not isinstance(step, int) or step < 0]:
        raise HopeBenchError(f"{first_few(map(repr, wrong))}: a training step is a whole number, 0 or more.")
    twice = sorted({step for step in at if at.count(step) > 1})
    if twice:
        raise HopeBenchError(
            f"{counted(len(twice), 'step is', 'steps are')} of two runs ({first_few(twice)}). Give each run its own with --step."
        )
    first = results[0]
    chosen = split or first.benchmark.headline
    against = [pair.baseline for pair in first.comparisons if pair.split == chosen and pair.baseline in whole]
    base = baseline or ("adversarial" if "adversarial" in against else next(iter(against), None))
    for one in dict.fromkeys((chosen, base)):
        if one is not None and one not in first.splits:
            raise HopeBenchError(f"Benchmark {first.benchmark.name} has no split {one!r}. " + did_you_mean(one, first.splits))
        if one is not None and one not in whole:
            raise HopeBenchError(
                f"Not all runs were asked {one}. Name one that they were, with --split: {first_few(sorted(whole))}."
            )
    order = sorted(range(len(results)), key=lambda place: at[place])
    ordered = [results[place] for place in order]
    wanted = (chosen,) if base is None else (chosen, base)
    samples = tuple(len(result.splits[chosen].all_verdicts) for result in ordered)
    counts = _Counts(tuple(_tables(ordered, one) for one in wanted), samples, first, bootstrap)
    points = _points([at[place] for place in order], [names[place] for place in order], counts)
    return Trend(first.benchmark.name, chosen, base, points)


def _step(result: Result, name: str) -> int:
    """The training step that a run says, else the N at the end of its name ("checkpoint-500", "my-run-step-500")."""
    named = _STEP.search(name)
    if result.run.step is not None:
        return result.run.step
    if named is not None:
        return int(named[1])
    raise HopeBenchError(f"Nothing says which training step run {name} is of. Give each run's with --step, in the same order.")


def _tables(results: Sequence[Result], split: str) -> Counts:
    """The checkpoints' counts on a split, int64 [checkpoints, images, labels, verdicts], of the questions that all were asked."""
    found = [result.splits[split] for result in results]
    common: NDArray[np.bool_] = np.logical_and.reduce([share_right(one)[1] for one in found])
    if not common.any():
        raise HopeBenchError(f"No question of {split} was asked of all {len(results)} runs, so nothing compares.")
    return np.stack([answer_table(one, common) for one in found])


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """The checkpoints' counts on the split, and on the baseline where there is one, with how many samples of each question they
    count; a result of theirs, for its convention."""

    tables: tuple[Counts, ...]
    samples: tuple[int, ...]
    first: Result
    bootstrap: Bootstrap

    @property
    def convention(self) -> Convention:
        return CONVENTIONS[self.first.convention]

    def measure(self, confidence: float) -> dict[str, list[Measured]]:
        """Each number of NUMBERS at each checkpoint."""
        how = self.bootstrap.model_copy(update={"confidence": confidence})
        own, *base = (measure(one, how, self.convention, [*NUMBERS[:2], "precision"]) for one in self.tables)
        steps = range(len(self.tables[0]))
        found = {name: [own[name][step] for step in steps] for name in NUMBERS[:2]}
        drops = [difference(one["precision"][step], own["precision"][step]) for one in base for step in steps]
        return found | {"precision_drop": drops}

    def test(self, name: str, step: int) -> float | None:
        """The sign-flip test of a number's change from the checkpoint before (as `comparing` tests a difference)."""
        if name == "precision_drop":
            return sign_flip(np.subtract(*(self._change("precision", step, tables) for tables in self.tables)))
        return sign_flip(self._change(name, step, self.tables[0]))

    def _change(self, metric: str, step: int, tables: Counts) -> NDArray[np.float64]:
        """By how much each image changes a metric from the checkpoint before."""
        now, before = (tables[place] / self.samples[place] for place in (step, step - 1))
        slopes = gradient((now + before).sum(axis=0), metric, self.convention)
        change: NDArray[np.float64] = ((now - before) * slopes).sum(axis=(-2, -1))
        return change


def _points(steps: Sequence[int], names: Sequence[str], counts: _Counts) -> tuple[TrendPoint, ...]:
    confidence, undefined = counts.bootstrap.confidence, Estimate(value=None)
    each, together = counts.measure(confidence), counts.measure(1 - (1 - confidence) / (len(steps) - 1))
    changes: list[dict[str, Estimate]] = [{} for _ in steps]
    tested: list[dict[str, float | None]] = [{} for _ in steps]
    for name in NUMBERS:
        held = together[name]
        found = [paired(held[place], held[place - 1]) if held else undefined for place in range(1, len(steps))]
        raw = [None if one.value is None else counts.test(name, place) for place, one in enumerate(found, 1)]
        for place, (one, p) in enumerate(zip(found, holm(raw), strict=True), 1):
            changes[place][name], tested[place][name] = one, p
    return tuple(
        TrendPoint(
            step=step, run=run,
            numbers={name: each[name][place].estimate() if each[name] else undefined for name in NUMBERS},
            changes=changes[place], p_holm=tested[place],
        )
        for place, (step, run) in enumerate(zip(steps, names, strict=True))
    )  # fmt: skip
