"""Benchmarks, runs and results as pandas frames, as short tables for a notebook or terminal, and as a picture.

Columns and types are documented in docs/api.md and stay as they are. Text is pandas' "string", counts are "int64" ("Int64" where
one can be missing), numbers are "float64" with NaN where they can't be computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from hope_bench.records import Answer

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from hope_bench.files.benchmark import Benchmark
    from hope_bench.files.result import Comparison, Estimate, Result
    from hope_bench.files.run import Run

_QUESTION = {
    "split": "string", "question_id": "int64", "image": "string", "text": "string", "label": "string", "object": "string",
    "description": "string", "description_kind": "string", "distractor_score": "float64", "risk": "float64", "twin_of": "Int64",
}  # fmt: skip
_ANSWER = {
    "image": "string", "question": "string", "text": "string", "verdict": "string", "p_yes": "float64", "mass": "float64",
    "error": "string",
}  # fmt: skip
_VERDICTS = ("yes", "no", "unparsed", "error", "unasked")
_ESTIMATES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio", "mcc",
    "paired_discrimination",
)  # fmt: skip
_DROPS = ("precision_drop", "hallucination_rise", "auroc_drop")
_POPE, _HOPE, _LINE = "#2f6fbb", "#c8452d", "#b9b9b9"


def benchmark_frame(benchmark: Benchmark) -> pd.DataFrame:
    """A row a question of a split, in the files' order."""
    rows = [
        (split, *(getattr(question, name) for name in list(_QUESTION)[1:]))
        for split, questions in benchmark.splits.items()
        for question in questions
    ]
    return _typed(rows, _QUESTION)


def answers_frame(answers: Sequence[Answer]) -> pd.DataFrame:
    """A row an answer, in the file's order."""
    return _typed([tuple(getattr(answer, name) for name in _ANSWER) for answer in answers], _ANSWER)


def result_frame(result: Result) -> pd.DataFrame:
    """A row a split: `kind`, counts of questions and verdicts, each number in [0, 1] (`mcc` in [-1, 1]) with `_low` and `_high`,
    and the drops against `baseline`, the POPE split it is compared with."""
    rows = []
    for name, split in result.splits.items():
        compared = compared_with(result, name)
        row: dict[str, Any] = {"split": name, "kind": split.kind, "questions": len(split.labels)}
        for verdict in _VERDICTS:
            row[verdict] = getattr(split.on_yes, verdict) + getattr(split.on_no, verdict)
        for metric in _ESTIMATES:
            row |= _ends(metric, getattr(split, metric))
        row["auroc"] = None if split.probabilities is None else split.probabilities.auroc.value
        row["baseline"] = None if compared is None else compared.baseline
        for metric in _DROPS:
            row |= _ends(metric, None if compared is None else getattr(compared, metric))
        rows.append(row)
    kinds = {"split": "string", "kind": "string", "baseline": "string"} | dict.fromkeys(("questions", *_VERDICTS), "int64")
    return pd.DataFrame(rows).astype({name: kinds.get(name, "float64") for name in rows[0]})


def compared_with(result: Result, split: str) -> Comparison | None:
    """A split against POPE's adversarial one, or else the first baseline it is compared with; None where there is none."""
    pairs = [pair for pair in result.comparisons if pair.split == split]
    return next((pair for pair in pairs if pair.baseline == "adversarial"), pairs[0] if pairs else None)


def result_figure(result: Result) -> go.Figure:
    """The hallucination rate of every split in percent with its interval, each HOPE split's with a line from its baseline."""
    import plotly.graph_objects as go

    names = [name for name, split in result.splits.items() if split.kind != "twin" and split.hallucination_rate.value is not None]
    order = {"pope": 0, "control": 1, "hope": 2}
    names.sort(key=lambda name: order[result.splits[name].kind])
    figure = go.Figure()
    for name in names:
        pair = compared_with(result, name)
        base = None if pair is None else result.splits[pair.baseline].hallucination_rate.value
        if base is not None:
            ends = [100 * base, 100 * _known(result.splits[name].hallucination_rate)]
            figure.add_scatter(
                x=ends, y=[name, name], mode="lines", line={"color": _LINE, "width": 3}, hoverinfo="skip", showlegend=False
            )
    for kind, title, colour, symbol in (
        ("pope", "POPE", _POPE, "circle"), ("control", "control", "#6b6b6b", "square"), ("hope", "HOPE", _HOPE, "diamond"),
    ):  # fmt: skip
        own = [name for name in names if result.splits[name].kind == kind]
        rates = [result.splits[name].hallucination_rate for name in own]
        values = [100 * _known(rate) for rate in rates]
        figure.add_scatter(
            x=values, y=own, mode="markers", name=title, marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={
                "type": "data", "color": colour,
                "array": [0 if rate.high is None else 100 * rate.high - at for rate, at in zip(rates, values, strict=True)],
                "arrayminus": [0 if rate.low is None else at - 100 * rate.low for rate, at in zip(rates, values, strict=True)],
            },
            hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        title=f"{result.model.name} on {result.benchmark.title}", template="plotly_white", height=140 + 34 * len(names),
        xaxis={"title": "hallucination rate, percent (95% intervals)", "rangemode": "tozero"},
        yaxis={"categoryorder": "array", "categoryarray": names[::-1]},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def benchmark_text(benchmark: Benchmark) -> str:
    """A line that names the benchmark, then a line a split."""
    return _text(_benchmark_title(benchmark), _benchmark_table(benchmark))


def benchmark_html(benchmark: Benchmark) -> str:
    """The same as an HTML table."""
    return _html(_benchmark_title(benchmark), _benchmark_table(benchmark))


def run_text(run: Run) -> str:
    """A line that names the run, then how often it gave which answer."""
    return _text(_run_title(run), _run_table(run))


def run_html(run: Run) -> str:
    """The same as an HTML table."""
    return _html(_run_title(run), _run_table(run))


def result_text(result: Result) -> str:
    """A line that names model and benchmark, then a line a split, in percent."""
    return _text(_result_title(result), _result_table(result))


def result_html(result: Result) -> str:
    """The same as an HTML table."""
    return _html(_result_title(result), _result_table(result))


def _benchmark_title(benchmark: Benchmark) -> str:
    manifest = benchmark.manifest
    return f"{manifest.title}: {len(manifest.images):,} images (hash {manifest.hash[:12]})"


def _benchmark_table(benchmark: Benchmark) -> pd.DataFrame:
    rows = [(name, one.kind, one.questions, one.yes, one.no) for name, one in benchmark.manifest.splits.items()]
    return pd.DataFrame(rows, columns=["split", "kind", "questions", "yes", "no"])


def _run_title(run: Run) -> str:
    return f"Run {run.name}: {run.record.model.name} on {run.record.benchmark}"


def _run_table(run: Run) -> pd.DataFrame:
    counts = answers_frame(run.answers().answers)["verdict"].value_counts()
    return pd.DataFrame([(verdict, int(counts.get(verdict, 0))) for verdict in _VERDICTS[:-1]], columns=["answer", "questions"])


def _result_title(result: Result) -> str:
    standing = "" if result.unranked is None else f"; not ranked: {result.unranked}"
    return f"{result.model.name} on {result.benchmark.title} (percent, 95% intervals{standing})"


def _result_table(result: Result) -> pd.DataFrame:
    rows = []
    for name, split in result.splits.items():
        if split.kind == "twin":
            continue
        pair = compared_with(result, name)
        drop = "" if pair is None or pair.precision_drop.value is None else f"{100 * pair.precision_drop.value:+.1f}"
        shares = (_share(split.hallucination_rate), _share(split.balanced_accuracy), _share(split.precision))
        bad = split.on_yes.unparsed + split.on_no.unparsed, split.on_yes.error + split.on_no.error
        rows.append((name, *shares, drop, *bad))
    columns = ["split", "hallucination rate", "balanced accuracy", "precision", "precision drop", "unparsed", "errors"]
    return pd.DataFrame(rows, columns=columns)


def _share(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    ends = "" if estimate.low is None or estimate.high is None else f" [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    return f"{100 * estimate.value:.1f}{ends}"


def _text(title: str, table: pd.DataFrame) -> str:
    return f"{title}\n{table.to_string(index=False)}"


def _html(title: str, table: pd.DataFrame) -> str:
    from html import escape

    return f"<p>{escape(title)}</p>{table.to_html(index=False, border=0)}"


def _typed(rows: Sequence[tuple[Any, ...]], kinds: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def _ends(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    value, low, high = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _known(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value
