"""A result file counted again: every number of it from its packed strings, and nothing that they don't give."""

from __future__ import annotations

from typing import Any

from hope_bench.files.result import Result
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.averaging import group_splits
from hope_bench.scoring.blind import ALWAYS, recount_blind
from hope_bench.scoring.breakdown import recount_parts
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.numbers import comparison_pairs
from hope_bench.scoring.recount import How, Letters, Recount
from hope_bench.scoring.reviewed import correct


def backed(result: Result) -> Result:
    """A result without the numbers that its packed strings don't give, so that nobody can check them: parts and what is learnt
    blind, of files written before `part_of` and `levels` were kept."""
    return result.model_copy(update={"splits": {name: _backed(split) for name, split in result.splits.items()}})


def _backed(split: SplitScore) -> SplitScore:
    parts = {name: found for name, found in split.breakdowns.items() if name in split.part_of}
    blind = tuple(one for one in split.blind if one.levels is not None or one.name in ALWAYS)
    return split.model_copy(update={"breakdowns": parts, "blind": blind})


def restate(result: Result) -> Result:
    """A result with every number computed again, those without backing left out, and with just the comparisons and averages that
    its splits give. What is said of the model, the benchmark and the run stays, as do `worst`, which the questions give."""
    convention = CONVENTIONS[result.convention]
    splits = {
        name: Letters(
            one.kind, one.labels, one.verdicts, one.questions_per_image,
            None if one.probabilities is None else one.probabilities.packed, one.repeated, one.further_verdicts,
        )
        for name, one in result.splits.items()
    }  # fmt: skip
    kinds = {name: split.kind for name, split in result.splits.items()}
    groups = group_splits(kinds)
    counted = Recount(splits, groups, result.benchmark.images, How(result.bootstrap, convention))
    confidence = result.bootstrap.confidence
    return result.model_copy(
        update={
            "splits": {name: _restated(one, counted.split(name), convention, confidence) for name, one in result.splits.items()},
            "comparisons": tuple(counted.comparison(*pair) for pair in comparison_pairs(kinds)),
            "averages": tuple(one for group in groups for one in counted.averages(group)),
        }
    )


def _restated(split: SplitScore, fields: dict[str, Any], convention: Convention, confidence: float) -> SplitScore:
    given = split.corrected
    corrected = None if given is None else correct(split, given.truth, given.inclusion, confidence)
    own = {"corrected": corrected, "breakdowns": recount_parts(split, convention), "blind": recount_blind(split)}
    return split.model_copy(update={**fields, **own})


def with_intervals(result: Result) -> Result:
    """The result as it is; one from a file of an older version, which comes without intervals, counted again."""
    headline = result.splits.get(result.benchmark.headline)
    stated = headline is None or headline.accuracy.low is not None or headline.accuracy.value is None
    return result if stated or result.benchmark.images < 2 else restate(result)
