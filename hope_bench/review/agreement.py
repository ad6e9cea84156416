"""Several reviewers' decisions compared and merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from hope_bench.review.claims import Key
from hope_bench.review.decisions import VERDICTS, Reviewed


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree on the claims both decided. `share` is None where there is none; `kappa` is Cohen's, None where
    it is undefined (nothing in common, or both always said the same one thing)."""

    reviewers: tuple[str, str]
    common: int
    agreed: int
    kappa: float | None

    @property
    def share(self) -> float | None:
        """The share of common claims decided alike."""
        return self.agreed / self.common if self.common else None


@dataclass(frozen=True, slots=True)
class Merged:
    """All reviewers' decisions as one. `decisions` has one line a claim: what all who decided it say, or "unsure" where they
    differ; `disagreements` lists the latter with each reviewer's decision."""

    decisions: tuple[Reviewed, ...]
    agreements: tuple[Agreement, ...]
    disagreements: tuple[Mapping[str, Reviewed], ...]


def merge(reviews: Mapping[str, Mapping[Key, Reviewed]]) -> Merged:
    """Merge decisions by claim, given by reviewer's name. A claim that only one reviewer decided keeps that decision.

    "unsure" for a disagreement is the careful side: a claim that isn't surely absent is not asked.
    """
    decided: dict[Key, dict[str, Reviewed]] = {}
    for name, decisions in reviews.items():
        for key, decision in decisions.items():
            decided.setdefault(key, {})[name] = decision
    merged = tuple(_consensus(by_reviewer) for by_reviewer in decided.values())
    differing = tuple(by_reviewer for by_reviewer in decided.values() if len({one.decision for one in by_reviewer.values()}) > 1)
    return Merged(merged, tuple(agreement(reviews, pair) for pair in combinations(reviews, 2)), differing)


def agreement(reviews: Mapping[str, Mapping[Key, Reviewed]], pair: tuple[str, str]) -> Agreement:
    """Agreement of two reviewers over the claims that both decided."""
    one, other = (reviews[name] for name in pair)
    common = [key for key in one if key in other]
    first = [one[key].decision for key in common]
    second = [other[key].decision for key in common]
    agreed = sum(mine == theirs for mine, theirs in zip(first, second, strict=True))
    return Agreement(pair, len(common), agreed, _kappa(first, second))


def _kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa over the three decisions; 0 / 0 where both reviewers only ever gave one and the same."""
    if len({*first, *second}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(first, second, labels=list(VERDICTS)))


def _consensus(by_reviewer: Mapping[str, Reviewed]) -> Reviewed:
    first = next(iter(by_reviewer.values()))
    said = {one.decision for one in by_reviewer.values()}
    return Reviewed(
        image=first.image, object=first.object, description=first.description, question=first.question, label=first.label,
        decision=said.pop() if len(said) == 1 else "unsure", reviewer="+".join(by_reviewer),
        time=max(one.time for one in by_reviewer.values()),
    )  # fmt: skip
