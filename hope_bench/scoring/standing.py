"""Why a result must not be ranked, as its answers and the way they were asked for tell."""

from __future__ import annotations

from collections.abc import Mapping

from hope_bench.files.result import RunInfo
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.unread import unread_reason


def unranked_by(run: RunInfo, prompt: str, headline: str, splits: Mapping[str, SplitScore]) -> str | None:
    """Why a run of these splits, on a benchmark with this prompt and headline split, must not be ranked, in words; None where
    nothing stands against it."""
    missing = splits[headline].unasked
    reasons = []
    if run.prompt not in (None, prompt):
        reasons.append(f"asked with another prompt than the benchmark's: {run.prompt!r}")
    if run.blind is not None:
        reasons.append(f"asked without looking ({run.blind} images)")
    if run.limit is not None:
        reasons.append(f"evaluated with --limit {run.limit}")
    if missing:
        reasons.append(
            f"{missing:,} of {len(splits[headline].labels):,} questions of the headline split {headline} were never asked"
        )
    return "; ".join(reasons) or unread_reason(splits)
