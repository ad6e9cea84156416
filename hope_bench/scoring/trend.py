"""Checkpoints of one training run: how a model's numbers change over steps, neighbours paired by image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.files.result import PACKED, Bootstrap, Estimate, Result
from hope_bench.provenance import write_text
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.intervals import bootstrap_counts, estimate
from hope_bench.scoring.metrics import Floats, compute, count_table, point_metrics
from hope_bench.scoring.numbers import minus
from hope_bench.scoring.significance import bootstrap_p, holm

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

NUMBERS = ("hallucination_rate", "balanced_accuracy", "precision_drop")
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
            if not held:
                continue
            figure.add_scatter(
                x=[step for step, _, _ in held], y=[at for _, at, _ in held], name=name.replace("_", " "), mode="lines+markers",
                line={"color": colour},
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
        """Write the chart as a page that loads nothing from elsewhere; returns `path`."""
        write_text(path, self.plot().to_html(include_plotlyjs=True))
        return path

    def __str__(self) -> str:
        """A line a checkpoint, in percent and percentage points."""
        return f"{self.benchmark}: {self.split}, over steps\n{self._table().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return self._table().to_html(index=False, border=0)

    def _table(self) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for point in self.points:
            row: dict[str, object] = {"step": point.step, "run": point.run}
            for name in NUMBERS:
                row[name.replace("_", " ")] = shown(point.numbers[name])
                row[f"change of {name.split('_')[0]}"] = shown(point.changes.get(name), signed=True)
            rows.append(row)
        return pd.DataFrame(rows)


def shown(number: Estimate | None, signed: bool = False) -> str:
    """A number with its interval, in percent (points, with a sign, for changes); "-" where it is undefined."""
    if number is None or number.value is None:
        return "-"
    sign = "+" if signed else ""
    ends = "" if number.low is None or number.high is None else f" [{100 * number.low:{sign}.1f}, {100 * number.high:{sign}.1f}]"
    return f"{100 * number.value:{sign}.1f}{ends}"


def trend_of(
    results: Sequence[Result],
    names: Sequence[str],
    steps: Sequence[int] | None,
    split: str | None,
    baseline: str | None,
    bootstrap: Bootstrap,
) -> Trend:
    """The trend of results of one benchmark, one a checkpoint; `names` are the runs'. Raises HopeBenchError (api: trend)."""
    if len(results) < 2:
        raise HopeBenchError("A trend takes two runs or more.")
    at = [_step(result, name) for result, name in zip(results, names, strict=True)] if steps is None else list(steps)
    twice = sorted({step for step in at if at.count(step) > 1})
    if twice:
        raise HopeBenchError(f"{len(twice)} step(s) are of two runs ({first_few(twice)}). Give each run its own with --step.")
    first = results[0]
    chosen = split or first.benchmark.headline
    compared = first.compared(chosen)
    base = baseline or (None if compared is None else compared.baseline)
    for one in dict.fromkeys((chosen, base)):
        if one is not None and one not in first.splits:
            raise HopeBenchError(f"Benchmark {first.benchmark.name} has no split {one!r}. " + did_you_mean(one, first.splits))
    for name, result in zip(names, results, strict=True):
        missing = [one for one in (chosen, base) if one is not None and PACKED["unasked"] in result.splits[one].verdicts]
        if missing and PACKED["unasked"] * len(result.splits[missing[0]].verdicts) == result.splits[missing[0]].verdicts:
            raise HopeBenchError(f"Run {name} was not asked {missing[0]}. Evaluate it with --split {missing[0]}.")
    order = sorted(range(len(results)), key=lambda place: at[place])
    values, samples = _numbers([results[place] for place in order], chosen, base, bootstrap)
    return Trend(
        first.benchmark.name, chosen, base,
        _points([at[place] for place in order], [names[place] for place in order], values, samples, first, bootstrap),
    )  # fmt: skip


def _step(result: Result, name: str) -> int:
    """The training step that a run says, else the N at the end of its name ("checkpoint-500", "my-run-step-500")."""
    named = _STEP.search(name)
    if result.run.step is not None:
        return result.run.step
    if named is not None:
        return int(named[1])
    raise HopeBenchError(f"Nothing says which training step run {name} is of. Give each run's with --step, in the same order.")


def _numbers(
    results: Sequence[Result], split: str, baseline: str | None, bootstrap: Bootstrap
) -> tuple[list[dict[str, float | None]], dict[str, Floats]]:
    """Each checkpoint's numbers, and their resamplings, float64 [replicates, checkpoints], the same images drawn for all."""
    wanted = [split] if baseline is None else [split, baseline]
    tables = np.stack(
        [
            count_table(result.splits[one].labels, result.splits[one].verdicts, result.splits[one].questions_per_image)
            for result in results
            for one in wanted
        ]
    )
    convention = CONVENTIONS[results[0].convention]
    drawn = compute(bootstrap_counts(tables, bootstrap), convention)
    points = [point_metrics(table.sum(axis=0), convention) for table in tables]
    own = range(0, len(tables), len(wanted))
    values: list[dict[str, float | None]] = []
    for row in own:
        drop = None if baseline is None else minus(points[row + 1]["precision"], points[row]["precision"])
        values.append({**{name: points[row][name] for name in NUMBERS[:2]}, "precision_drop": drop})
    samples = {name: drawn[name][:, list(own)] for name in NUMBERS[:2]}
    if baseline is None:
        samples["precision_drop"] = np.full_like(samples["balanced_accuracy"], np.nan)
    else:
        samples["precision_drop"] = drawn["precision"][:, [row + 1 for row in own]] - drawn["precision"][:, list(own)]
    return values, samples


def _points(
    steps: Sequence[int],
    names: Sequence[str],
    values: Sequence[dict[str, float | None]],
    samples: dict[str, Floats],
    first: Result,
    bootstrap: Bootstrap,
) -> tuple[TrendPoint, ...]:
    images, confidence = first.benchmark.images, bootstrap.confidence
    together = 1 - (1 - confidence) / (len(steps) - 1)
    changes: list[dict[str, Estimate]] = [{} for _ in steps]
    tested: list[dict[str, float | None]] = [{} for _ in steps]
    for name in NUMBERS:
        steps_apart = [samples[name][:, place] - samples[name][:, place - 1] for place in range(1, len(steps))]
        found = [
            estimate(minus(values[place][name], values[place - 1][name]), drawn, images, together)
            for place, drawn in enumerate(steps_apart, 1)
        ]
        raw = [None if one.low is None else bootstrap_p(drawn) for one, drawn in zip(found, steps_apart, strict=True)]
        for place, (one, p) in enumerate(zip(found, holm(raw), strict=True), 1):
            changes[place][name], tested[place][name] = one, p
    return tuple(
        TrendPoint(
            step=step, run=run,
            numbers={name: estimate(values[place][name], samples[name][:, place], images, confidence) for name in NUMBERS},
            changes=changes[place], p_holm=tested[place],
        )
        for place, (step, run) in enumerate(zip(steps, names, strict=True))
    )  # fmt: skip
