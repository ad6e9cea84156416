"""Why a result must not be ranked, as its answers and the way they were asked for tell."""

from __future__ import annotations

from collections.abc import Mapping

from hope_bench.files.result import RunInfo
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.unread import unread_reason


def asked_otherwise(run: RunInfo, prompt: str) -> str | None:
    """In what way a run was asked otherwise than a benchmark with this prompt asks, in words; None where it wasn't."""
    reasons = []
    if run.prompt not in (None, prompt):
        reasons.append(f"asked with another prompt than the benchmark's: {run.prompt!r}")
    if run.blind is not None:
        reasons.append(f"asked without looking ({run.blind} images)")
    if run.limit is not None:
        reasons.append(f"evaluated with --limit {run.limit}")
    return "; ".join(reasons) or None


def unranked_by(run: RunInfo, prompt: str, headline: str, splits: Mapping[str, SplitScore]) -> str | None:
    """Why a run of these splits, on a benchmark with this prompt and headline split, must not be ranked, in words; None where
    nothing stands against it."""
    otherwise, missing = asked_otherwise(run, prompt), splits[headline].unasked
    reasons = [] if otherwise is None else [otherwise]
    if missing:
        reasons.append(
            f"{missing:,} of {len(splits[headline].labels):,} questions of the headline split {headline} were never asked"
        )
    return "; ".join(reasons) or unread_reason(splits)
