"""What a review changed, and what it could not: POPE's own splits ask what they ask, by definition."""

from __future__ import annotations

from hope_bench.errors import first_few
from hope_bench.files.spec import UNGUARDED
from hope_bench.search.inputs import Inputs
from hope_bench.search.search import Found


def review_effect(inputs: Inputs, found: Found) -> str | None:
    """In words how many claims reviewers don't stand by, how many of them gave way, and which are still asked all the same; None
    without a review."""
    if not inputs.decisions:
        return None
    rejected = {(image, name) for image, name, description in inputs.rejected if description is None}
    left = {found.sample.file(image) for image in found.sample.left()}
    about = sum(image in left for image, _, _ in inputs.rejected)
    stats = found.guards.get("review")
    displaced = {} if stats is None else {split: count for split, count in stats.displaced.items() if count}
    said = f"The review rejects {len(inputs.rejected):,} claims, {about:,} of them about the images asked about."
    if displaced:
        said += f" {sum(displaced.values()):,} questions gave way to the next best ({_by_split(displaced)})."
    still = {
        split: sum((found.sample.file(image), one.name) in rejected for image in found.sample.left() for one in chosen[image])
        for split, chosen in found.splits.items()
        if split in UNGUARDED
    }
    still = {split: count for split, count in still.items() if count}
    if still:
        said += f" {sum(still.values()):,} are still asked, as POPE asks them by definition ({_by_split(still)})"
        instead = [f"{split}-guarded" for split in still if f"{split}-guarded" not in found.splits]
        heeding = f"; the same splits that heed a review can be had as {', '.join(instead)}" if instead else ""
        said += f"{heeding}."
    return said


def _by_split(counts: dict[str, int]) -> str:
    return first_few((f"{count:,} in {split}" for split, count in counts.items()), 12)
