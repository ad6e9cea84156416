"""A run against published figures: how far apart they are, how far two honest runs may be, and what to look at first.

How far they may be, in points, follows from the number of questions. Two runs of the same weights on the same questions still
differ in some answers: precision, kernels, library versions, how pictures are resized, cropped or padded. The rule allows for
one answer in 20 to differ (FLIPPED), either way alike. Then the variance of the number is the sum, over its questions, of
FLIPPED times the square of what one flip moves it by; 1.96 standard deviations are allowed, plus half a unit of the figure's
last digit. That is about 0.9 points of F1 at POPE's 3,000 questions, and more where there are fewer. For scale: LLaVA's own
code, run by somebody else, came within 0.1 points of the 13B figures (github.com/haotian-liu/LLaVA, issue 626); a wrong
prompt, checkpoint or image pipeline moves F1 by several points. Where the source asked other questions, the difference of two
samples of questions is allowed for, too: root 2 times the half width of this run's interval (clustered by image), added in
squares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.published import Figure
from hope_bench.files.result import ConventionName, Result
from hope_bench.files.run import Run
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.averaging import mean
from hope_bench.scoring.conventions import Convention, find_convention
from hope_bench.scoring.metrics import LABELS, VERDICTS, Counts, compute, optional, stated_table

if TYPE_CHECKING:
    import pandas as pd

FLIPPED: Final = 0.05
"""The share of answers that may differ between two runs of the same weights on the same questions."""
_SD = 1.96
_LEAST_ASKED = 0.95
"""Of a figure's questions, this share must have been asked for its comparison to say anything."""
_UNASKED = VERDICTS.index("unasked")

_COLUMNS = {
    "model": "string", "benchmark": "string", "split": "string", "metric": "string", "published": "float64", "here": "float64",
    "difference": "float64", "allowed": "float64", "agrees": "boolean", "questions": "int64", "unread": "int64",
    "convention": "string", "prompt": "string", "source": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One figure against this run: `here` in percent (None where it can't be computed), `allowed` in points, over so many
    `questions` asked, of which `unread` have an answer that is neither yes nor no."""

    figure: Figure
    here: float | None
    allowed: float
    questions: int
    unread: int

    @property
    def difference(self) -> float | None:
        """Here minus published, in points."""
        return None if self.here is None else self.here - self.figure.value

    @property
    def agrees(self) -> bool:
        """Whether the difference is within what is allowed."""
        return self.difference is not None and abs(self.difference) <= self.allowed


@dataclass(frozen=True, slots=True)
class Verification:
    """A model's runs against what was published of it: the `checks`, the `runs` they are about, `errors` among their answers, and
    `notes` for people, what was left out first."""

    model: str
    checks: tuple[Check, ...]
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    @property
    def errors(self) -> int:
        """How many answers of the runs are errors."""
        return sum(run.errors for run in self.runs)

    @property
    def agrees(self) -> bool:
        """Whether every figure agrees, and no answer failed."""
        return not self.errors and all(check.agrees for check in self.checks)

    def rows(self) -> list[dict[str, Any]]:
        """A row a figure, numbers in percent and points; None where undefined."""
        return [dict(zip(_COLUMNS, _row(check), strict=True)) for check in self.checks]

    def to_frame(self) -> pd.DataFrame:
        """A row a figure (docs/api.md lists the columns)."""
        from hope_bench.files.frames import typed_frame

        return typed_frame([_row(check) for check in self.checks], _COLUMNS)


def check_figures(
    results: Mapping[ConventionName, Result], figures: Sequence[Figure], official: bool
) -> tuple[tuple[Check, ...], list[str]]:
    """Every figure that the run's results (by convention) allow, and in words which were left out. `official` says that the
    questions are POPE's files as published. Raises HopeBenchError where none is left."""
    checks: list[Check] = []
    left_out: list[str] = []
    for figure in figures:
        result = results[figure.table.convention]
        why = _why_not(result, figure)
        if why is None:
            checks.append(_check(result, figure, official))
        else:
            left_out.append(f"Left out: {figure.table.metric} {figure.split} ({figure.table.source}): {why}.")
    if not checks:
        raise HopeBenchError("No published figure can be compared with this run. " + " ".join(left_out))
    return tuple(checks), left_out


def _why_not(result: Result, figure: Figure) -> str | None:
    missing = [name for name in figure.splits if name not in result.splits]
    if missing:
        return f"no split {', '.join(missing)} here"
    for name in figure.splits:
        split = result.splits[name]
        asked, wanted = _asked(split), figure.table.questions.get(name, len(split.labels))  # type: ignore[call-overload]
        if asked < _LEAST_ASKED * wanted:
            return f"{asked:,} of {wanted:,} questions of {name} were asked"
    return None


def _check(result: Result, figure: Figure, official: bool) -> Check:
    convention, metric = find_convention(figure.table.convention), figure.table.metric
    splits = [result.splits[name] for name in figure.splits]
    tables = stated_table(splits)
    here = mean([_percent(table, metric, convention) for table in tables])
    same = official and figure.table.same_questions
    # The splits share their yes-questions, so that the mean of three may move as one of them does.
    allowed = sum(_allowed(split, table, metric, convention, same) for split, table in zip(splits, tables, strict=True))
    rounding = 0.5 * 10**-figure.table.decimals
    return Check(figure, here, allowed / len(splits) + rounding, sum(map(_asked, splits)), int(tables[..., 2:_UNASKED].sum()))


def _allowed(split: SplitScore, table: Counts, metric: str, convention: Convention, same_questions: bool) -> float:
    flips = _SD * flip_deviation(table, metric, convention)
    if same_questions:
        return flips
    interval = getattr(split, metric)
    half = 0.0 if interval.low is None or interval.high is None else 100 * (interval.high - interval.low) / 2
    return math.hypot(flips, math.sqrt(2) * half)


def flip_deviation(table: Counts, metric: str, convention: Convention, flipped: float = FLIPPED) -> float:
    """The standard deviation, in points, of a metric of counts [labels, verdicts] when a share `flipped` of the answers turns
    into the other one, either way alike. 0 where the metric is undefined."""
    before = _percent(table, metric, convention)
    variance = 0.0
    for label in range(len(LABELS)):
        right, wrong = label, 1 - label
        source, target = (right, wrong) if table[label, right] else (wrong, right)
        if before is None or not table[label, source]:
            continue
        moved = table.copy()
        moved[label, source] -= 1
        moved[label, target] += 1
        after = _percent(moved, metric, convention)
        step = 0.0 if after is None else after - before
        variance += flipped * float(table[label, :_UNASKED].sum()) * step**2
    return math.sqrt(variance)


def _percent(table: Counts, metric: str, convention: Convention) -> float | None:
    value = float(compute(table, convention)[metric])
    return None if math.isnan(value) else 100 * value


def _asked(split: SplitScore) -> int:
    return len(split.labels) - split.unasked


def _row(check: Check) -> tuple[Any, ...]:
    table = check.figure.table
    here, difference = (None if value is None else optional(value) for value in (check.here, check.difference))
    return (
        check.figure.model, table.benchmark, check.figure.split, table.metric, check.figure.value, here, difference,
        optional(check.allowed), check.agrees, check.questions, check.unread, table.convention, table.prompt, table.source,
    )  # fmt: skip


def explanations(verification: Verification) -> list[str]:
    """What to look at first where a figure differs, the likeliest first; nothing where all agree."""
    off = [check for check in verification.checks if not check.agrees]
    lines = []
    if verification.errors:
        lines.append(f"{counted(verification.errors, 'answer is an error', 'answers are errors')}. The same command asks again.")
    if not off:
        return lines
    unread = max(off, key=lambda check: check.unread)
    if unread.unread:
        lines.append(
            f"{unread.unread:,} of {unread.questions:,} answers are neither yes nor no. Read some: hope-bench score RUN."
        )
    lines += [f"Run {run.name} was asked {how}." for run in verification.runs if (how := _how(run))]
    lines += dict.fromkeys(f"{check.figure.table.name}: {check.figure.table.note}" for check in off if check.figure.table.note)
    lines.append(
        "What usually explains a difference: another prompt or chat template; how pictures are resized, cropped or padded; "
        "quantized weights or another precision (try --dtype float16); another revision of the checkpoint; other questions."
    )
    return lines


def _how(run: Run) -> str:
    info = run.record.run
    return ", ".join(f"{word} {value}" for word, value in (("in", info.dtype), ("on", info.device), ("path", info.path)) if value)
