"""How much a model's numbers depend on how it is asked: several runs of one model, each with another prompt."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hope_bench.errors import HopeBenchError
from hope_bench.result import Estimate, Result


@dataclass(frozen=True, slots=True)
class HowAsked:
    """The prompt behind one run: its name in its set (or "the benchmark's", "another"), and its template."""

    name: str
    template: str


def how_asked(result: Result) -> HowAsked:
    """How a result's questions were asked."""
    own = "the benchmark's" if result.run.prompt == result.benchmark.prompt else "another"
    return HowAsked(result.run.prompt_name or own, result.run.prompt or "unknown")


@dataclass(frozen=True, slots=True)
class Spread:
    """One split's number over prompts: the number under each, in the runs' order; their mean, lowest, highest and standard
    deviation (None for fewer than two); and beside it the mean standard error from sampling images."""

    split: str
    metric: str
    values: tuple[Estimate, ...]
    mean: float | None
    low: float | None
    high: float | None
    deviation: float | None
    sampling_error: float | None


def prompt_spread(results: Sequence[Result], metric: str = "balanced_accuracy") -> tuple[Spread, ...]:
    """The spread of every split that all results hold. Raises HopeBenchError for results of different questions."""
    first = results[0]
    other = next((one for one in results if one.benchmark.hash != first.benchmark.hash), None)
    if other is not None:
        raise HopeBenchError(
            f"Prompts are compared on the same questions, but {other.model.name} answered {other.benchmark.name} "
            f"(hash {other.benchmark.hash[:12]}) and {first.model.name} {first.benchmark.name} ({first.benchmark.hash[:12]})."
        )
    return tuple(
        _spread(split, metric, [getattr(one.splits[split], metric) for one in results])
        for split in first.splits
        if first.splits[split].kind != "twin" and all(split in one.splits for one in results)
    )


def _spread(split: str, metric: str, values: Sequence[Estimate]) -> Spread:
    known = [one.value for one in values if one.value is not None]
    whole = len(known) == len(values)
    errors = [(one.high - one.low) / (2 * 1.96) for one in values if one.low is not None and one.high is not None]
    return Spread(
        split=split,
        metric=metric,
        values=tuple(values),
        mean=round(statistics.mean(known), 6) if whole and known else None,
        low=min(known) if whole and known else None,
        high=max(known) if whole and known else None,
        deviation=round(statistics.stdev(known), 6) if whole and len(known) > 1 else None,
        sampling_error=round(math.sqrt(statistics.mean(error**2 for error in errors)), 6) if errors else None,
    )
