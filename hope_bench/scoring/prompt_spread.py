"""How much a model's numbers depend on how it is asked: several runs of one model, each with another prompt."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Result
from hope_bench.files.run import RunRecord, read_run
from hope_bench.files.split_score import PACKED, Estimate
from hope_bench.provenance import short_hash


@dataclass(frozen=True, slots=True)
class HowAsked:
    """The prompt behind one run: its name in its set (or "the benchmark's", "another"), and its template."""

    name: str
    template: str


def how_asked(result: Result) -> HowAsked:
    """How a result's questions were asked."""
    own = "the benchmark's" if result.run.prompt == result.benchmark.prompt else "another"
    return HowAsked(result.run.prompt_name or own, result.run.prompt or "unknown")


def check_other_prompts(folder: Path, given: Sequence[Path], found: Iterable[Path] = ()) -> None:
    """See that the `given` runs may be set beside a run: the same model and benchmark, each asked with a prompt of its own, also
    beside the runs `found`. Raises HopeBenchError naming the run."""
    own = read_run(folder)
    prompts = {read_run(path).run.prompt: path for path in (*found, folder)}
    for path in given:
        other = read_run(path)
        if problem := _of_another_model(own, other) or _of_other_questions(own, other):
            raise HopeBenchError(f"--paraphrase {path}: {problem} Give a run of the same model and questions, asked otherwise.")
        unknown = folder if own.run.prompt is None else path if other.run.prompt is None else None
        if unknown is not None:
            raise HopeBenchError(
                f"--paraphrase {path}: nothing says which prompt {unknown} was asked with. Import it again with --prompt."
            )
        if other.run.prompt in prompts:
            raise HopeBenchError(
                f"--paraphrase {path}: it was asked with the same prompt as {prompts[other.run.prompt]}, so it says nothing of "
                "another wording. Leave it out."
            )
        prompts[other.run.prompt] = path


def _of_another_model(own: RunRecord, other: RunRecord) -> str | None:
    """What tells two runs' models apart, in words; what either run doesn't know tells nothing."""
    one, two = own.model, other.model
    if one.name != two.name:
        return f"it is a run of the model {two.name}, not of {one.name}."
    digests = own.run.weights_sha256, other.run.weights_sha256
    if None not in digests:  # a folder is what it holds, whatever it is called
        return None if digests[0] == digests[1] else f"its checkpoint of {one.name} holds other weights (by their SHA-256)."
    for what in ("checkpoint", "revision"):
        ours, theirs = getattr(one, what), getattr(two, what)
        if None not in (ours, theirs) and ours != theirs:
            return f"its model has the {what} {theirs}, not {ours}."
    return None


def _of_other_questions(own: RunRecord, other: RunRecord) -> str | None:
    if own.benchmark_hash == other.benchmark_hash:
        return None
    return (
        f"it answered other questions, those of {other.benchmark} (hash {short_hash(other.benchmark_hash)}), not of "
        f"{own.benchmark} ({short_hash(own.benchmark_hash)})."
    )


def check_same_asked(result: Result, other: Result, path: Path) -> None:
    """See that another run, in `path`, was asked the same questions as `result` in every split that `result` was asked anything
    of. Raises HopeBenchError."""
    for name in result.splits:
        ours, theirs = ([verdict != PACKED["unasked"] for verdict in one.splits[name].verdicts] for one in (result, other))
        if any(ours) and ours != theirs:
            both = sum(map(bool.__and__, ours, theirs))
            raise HopeBenchError(
                f"--paraphrase {path}: prompts are compared on the same questions, but it was asked {sum(theirs):,} of {name}, "
                f"and the report's run {sum(ours):,}, of which {both:,} are the same. Ask both all (without --limit or --split)."
            )


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
            f"(hash {short_hash(other.benchmark.hash)}) and {first.model.name} "
            f"{first.benchmark.name} ({short_hash(first.benchmark.hash)})."
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
        mean=round(statistics.mean(known), 6) if whole else None,
        low=min(known) if whole else None,
        high=max(known) if whole else None,
        deviation=round(statistics.stdev(known), 6) if whole and len(known) > 1 else None,
        sampling_error=round(math.sqrt(statistics.mean(error**2 for error in errors)), 6) if errors else None,
    )
