"""Several reviewers' decisions compared and merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pydantic import Field

from hope_bench.errors import HopeBenchError
from hope_bench.files.validation import Strict
from hope_bench.reviewing.decisions import VERDICTS, Reviewed, by_claim, read_decisions
from hope_bench.search.decisions import ClaimKey


class Agreement(Strict):
    """How far two reviewers agree on the `common` claims that both decided. `kappa` is Cohen's, null where it is undefined
    (nothing in common, or both always said the same one thing)."""

    reviewers: tuple[str, str]
    common: int = Field(ge=0)
    agreed: int = Field(ge=0)
    kappa: float | None = Field(ge=-1, le=1)

    @property
    def share(self) -> float | None:
        """The share of common claims decided alike; None where there is none."""
        return self.agreed / self.common if self.common else None


@dataclass(frozen=True, slots=True)
class Merged:
    """All reviewers' decisions as one. `decisions` has one line a claim: what all who decided it say, or "unsure" where they
    differ; `disagreements` lists the latter with each reviewer's decision."""

    decisions: tuple[Reviewed, ...]
    agreements: tuple[Agreement, ...]
    disagreements: tuple[Mapping[str, Reviewed], ...]


def read_reviews(files: Sequence[Path]) -> dict[str, dict[ClaimKey, Reviewed]]:
    """Decisions by reviewer and claim; a file of several reviewers' counts as one, under the file's name.

    Raises HopeBenchError where a file is given twice, can't be read or holds a line that is no decision.
    """
    if len(set(files)) != len(files):
        raise HopeBenchError("A decisions file is given twice. Give each once.")
    reviews: dict[str, dict[ClaimKey, Reviewed]] = {}
    for path in files:
        found = read_decisions(path)
        names = {decision.reviewer for decision in found if decision.reviewer}
        name = names.pop() if len(names) == 1 else path.stem
        reviews[str(path) if name in reviews else name] = by_claim(found)
    return reviews


def merge(reviews: Mapping[str, Mapping[ClaimKey, Reviewed]]) -> Merged:
    """Merge decisions by claim, given by reviewer's name. A claim that only one reviewer decided keeps that decision.

    "unsure" for a disagreement is the careful side: a claim that isn't surely absent is not asked.
    """
    decided: dict[ClaimKey, dict[str, Reviewed]] = {}
    for name, decisions in reviews.items():
        for key, decision in decisions.items():
            decided.setdefault(key, {})[name] = decision
    merged = tuple(_consensus(by_reviewer) for by_reviewer in decided.values())
    differing = tuple(by_reviewer for by_reviewer in decided.values() if len({one.decision for one in by_reviewer.values()}) > 1)
    return Merged(merged, tuple(agreement(reviews, pair) for pair in combinations(reviews, 2)), differing)


def agreement(reviews: Mapping[str, Mapping[ClaimKey, Reviewed]], pair: tuple[str, str]) -> Agreement:
    """Agreement of two reviewers over the claims that both decided."""
    one, other = (reviews[name] for name in pair)
    common = [key for key in one if key in other]
    first = [one[key].decision for key in common]
    second = [other[key].decision for key in common]
    agreed = sum(mine == theirs for mine, theirs in zip(first, second, strict=True))
    return Agreement(reviewers=pair, common=len(common), agreed=agreed, kappa=_kappa(first, second))


def _kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa over the three decisions; 0 / 0 where both reviewers only ever gave one and the same."""
    if len({*first, *second}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return round(float(cohen_kappa_score(first, second, labels=list(VERDICTS))), 6)


def _consensus(by_reviewer: Mapping[str, Reviewed]) -> Reviewed:
    first = next(iter(by_reviewer.values()))
    said = {one.decision for one in by_reviewer.values()}
    return Reviewed(
        image=first.image, object=first.object, description=first.description, question=first.question, label=first.label,
        decision=said.pop() if len(said) == 1 else "unsure", reviewer="+".join(by_reviewer),
        time=max(one.time for one in by_reviewer.values()),
        inclusion=max((one.inclusion for one in by_reviewer.values() if one.inclusion is not None), default=None),
    )  # fmt: skip
