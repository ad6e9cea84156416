"""The balanced family: both sides of every question chosen, so that no rule about the words alone tells yes from no
(docs/method.md).

Over a whole split each claim (a category, or what is said of a described object) is asked as often with the answer no as with
yes. The family's yes-questions are chosen once, the distractors of each of its splits then by its own search against the same
counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from hope_bench.files.benchmark import Balance
from hope_bench.files.spec import base_strategy, encoder_name
from hope_bench.records import Question
from hope_bench.search.description import Description
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.flow import Edges, Floats, Flow, Ints, Mask, balance
from hope_bench.search.positives import Order
from hope_bench.search.selection import Distractor, Positive
from hope_bench.search.space import SearchSpace
from hope_bench.search.strategies import HOPE, scored

_SEARCHES = {
    "category-balanced": ("category",), "content-balanced": ("content",), "control-balanced": ("control-content",),
    "random-balanced": (), "hope-balanced": ("content", "category"),
}  # fmt: skip
"""What ranks the absent categories of each split of the family."""


_FAR = 10.0
"""A cost beyond what searches differ by (they are standardized)."""
_NOT_YET = 5.0
"""The cost of a kind of description whose turn it isn't."""


class Chosen(NamedTuple):
    """One split of the family: each image's yes- and no-questions, by image (index in the annotations)."""

    positives: Mapping[int, Sequence[Positive]]
    distractors: Mapping[int, Sequence[Distractor]]


def balance_of(questions: Sequence[Question]) -> Balance:
    """How balanced a split's questions are, counted anew from their words."""
    difference: Counter[str] = Counter()
    for one in questions:
        difference[one.text] += 1 if one.label == "no" else -1
    return Balance(
        claims=len(difference),
        largest=max(map(abs, difference.values()), default=0),
        unbalanced=sum(max(each, 0) for each in difference.values()),
    )


def slots(k: int, source: str) -> int:
    """How many of hope's k distractors come from a source."""
    return sum(HOPE[place % len(HOPE)] == source for place in range(k))


def described(base: str, k: int) -> int:
    """How many of a split's k distractors are descriptions."""
    return {"description-balanced": k, "hope-balanced": slots(k, "description")}.get(base, 0)


def lacking(space: SearchSpace, allowed: Mask, false: FalseDescriptions, split: str) -> dict[int, str]:
    """The images that have too few questions for a split of the family, each with why."""
    encoder, k = encoder_name(split), space.spec.k
    told = described(base_strategy(split), k)
    short: dict[int, str] = {}
    for row, image in enumerate(space.images):
        if allowed[row].sum() < k - told:
            short[image] = f"fewer than {k - told} distractors are left for {split}"
        elif told and min(map(len, false.known(row, encoder))) < told:
            short[image] = f"fewer than {told} true or false descriptions are known for {split}"
    return short


@dataclass(frozen=True, slots=True, eq=False)
class _Described:
    """What may be said of one side: edges (their costs 0) with each one's cosine and description, and how many claims there
    are."""

    edges: Edges
    cosines: Sequence[float]
    said: Sequence[Description]
    claims: int


class BalancedFamily:
    """The splits of the family over the images `rows` (rows of the space), each of which has enough of everything."""

    def __init__(self, space: SearchSpace, allowed: Mask, false: FalseDescriptions, order: Order, rows: Sequence[int]) -> None:
        """`allowed` [N, C] marks what may be claimed absent; `order` holds present objects, those to be asked about first."""
        self._space, self._false, self._rows = space, false, list(rows)
        self._allowed = allowed[self._rows]
        self._order = [order[row] for row in self._rows]
        self._told: dict[str, tuple[_Described, _Described]] = {}
        self._true: dict[tuple[str, int], Mask] = {}

    def split(self, name: str) -> Chosen:
        """One split. The same yes-questions come with every search for absent categories; `hope-balanced` has some of them,
        and of `description-balanced` where it can."""
        base, encoder, k = base_strategy(name), encoder_name(name), self._space.spec.k
        told = described(base, k)
        yes: list[list[Positive]] = [[] for _ in self._rows]
        no: list[list[Distractor]] = [[] for _ in self._rows]
        if told < k:
            self._plain(base, encoder, k - told, yes, no)
        if told:
            self._descriptions(encoder, told, yes, no)
        images = [self._space.images[row] for row in self._rows]
        return Chosen(dict(zip(images, yes, strict=True)), dict(zip(images, no, strict=True)))

    # Absent categories.

    @cached_property
    def _present(self) -> Edges:
        """The yes-questions about present objects; the cost counts how far beyond the first k an object stands."""
        column, k = self._space.column, self._space.spec.k
        row = np.repeat(np.arange(len(self._order)), [len(names) for names in self._order])
        claim = np.array([column[name] for names in self._order for name in names], dtype=np.int64)
        late = [max(0, place - k + 1) for names in self._order for place in range(len(names))]
        return Edges(row, claim, np.array(late, dtype=np.float64))

    @cached_property
    def _shared(self) -> Mask:
        """The family's k yes-questions an image, of `_present`: as early ones as balance allows."""
        return self._affirm(self._present, self._space.spec.k)

    def _affirm(self, present: Edges, count: int) -> Mask:
        row, claim = np.nonzero(self._allowed)
        needs = np.full(len(self._rows), count)
        return _taken(self._balance(Edges(row, claim, np.zeros(len(row))), needs, present, needs, len(self._space.names)).yes)

    def _plain(self, base: str, encoder: str, count: int, yes: list[list[Positive]], no: list[list[Distractor]]) -> None:
        """Adds `count` questions about categories to each side of each image."""
        space, present, shared = self._space, self._present, np.flatnonzero(self._shared)
        if count < space.spec.k:
            some = Edges(present.row[shared], present.claim[shared], present.cost[shared])
            shared = shared[self._affirm(some, count)]
        for row, claim in zip(present.row[shared].tolist(), present.claim[shared].tolist(), strict=True):
            yes[row].append(Positive(space.names[claim]))
        rows, claims = np.nonzero(self._allowed)
        sources = _SEARCHES[base]
        given = [scored(source, space, space.encoded.get(encoder)) for source in sources]
        costs = [-_unit(scores[self._rows][rows, claims]) for scores, _ in given] or [
            np.random.default_rng(space.spec.seed).random(len(rows))
        ]
        # Each source has rows of its own; a category is asked about once, whichever source finds it.
        at = len(self._rows)
        edges = Edges(
            np.concatenate([place * at + rows for place in range(len(costs))]),
            np.tile(claims, len(costs)),
            np.concatenate(costs),
            np.tile(np.arange(len(rows)), len(costs)) if len(costs) > 1 else None,
        )
        needs = np.repeat([slots(space.spec.k, one) for one in sources] if len(sources) > 1 else [count], at)
        asked = np.bincount(present.claim[shared], minlength=len(space.names))
        taken = np.flatnonzero(self._balance(edges, needs, asked, None, len(space.names)).no)
        for one in taken[np.lexsort((edges.cost[taken], edges.row[taken]))].tolist():
            source, row = divmod(int(edges.row[one]), at)
            claim = int(edges.claim[one])
            shown = round(float(given[source][1][self._rows[row], claim]), 4) if given else None
            no[row].append(Distractor(space.names[claim], shown))

    # Descriptions.

    def _descriptions(self, encoder: str, count: int, yes: list[list[Positive]], no: list[list[Distractor]]) -> None:
        """Adds `count` true and `count` false descriptions to each image."""
        false, true = self._tell(encoder)
        asked_plainly = [{positive.name for positive in own} for own in yes]
        chosen = np.flatnonzero(self._affirmed(encoder, count, asked_plainly))
        for one in chosen.tolist():
            said = true.said[one]
            yes[int(true.edges.row[one])].append(Positive(said.object, said))
        cost = -_unit(np.array(false.cosines)) + _FAR * _same_object(false, asked_plainly)
        cost += _NOT_YET * self._waiting(false, encoder, count)
        edges = Edges(false.edges.row, false.edges.claim, cost, false.edges.group, strict=False)
        asked = np.bincount(true.edges.claim[chosen], minlength=false.claims)
        needs = np.full(len(self._rows), count)
        taken = np.flatnonzero(self._balance(edges, needs, asked, None, false.claims).no)
        for one in taken[np.lexsort((edges.cost[taken], edges.row[taken]))].tolist():
            said = false.said[one]
            no[int(edges.row[one])].append(Distractor(said.object, round(false.cosines[one], 4), said))

    def _affirmed(self, encoder: str, count: int, asked_plainly: Sequence[Set[str]]) -> Mask:
        """The `count` true descriptions of each image that are asked about; where there are fewer than k, of the k if
        possible."""
        if (encoder, count) not in self._true:
            false, true = self._tell(encoder)
            k = self._space.spec.k
            if count < k and min(np.bincount(side.edges.row).min() for side in (false, true)) >= k:
                wanted = ~self._affirmed(encoder, k, [set()] * len(self._rows)) + _FAR * _same_object(true, asked_plainly)
            else:
                first = [names[:k] for names in self._order]
                wanted = np.array(
                    [said.object not in first[row] for row, said in zip(true.edges.row, true.said, strict=True)], float
                )
            wanted += _NOT_YET * self._waiting(true, encoder, count)
            needs = np.full(len(self._rows), count)
            yes = Edges(true.edges.row, true.edges.claim, wanted, true.edges.group, strict=False)
            self._true[encoder, count] = _taken(self._balance(false.edges, needs, yes, needs, false.claims).yes)
        return self._true[encoder, count]

    def _waiting(self, side: _Described, encoder: str, count: int) -> Floats:
        """1 for descriptions of a kind that isn't among its image's first `count` of what is offered with yes and no."""
        if self._space.spec.descriptions.mix != "even":
            return np.zeros(len(side.said))
        first: list[Sequence[str]] = []
        for row in self._rows:
            true, false = self._false.known(row, encoder)
            both = {said.kind for _, said in true} & {said.kind for _, said in false}
            first.append(sorted(both, key=partial(self._false.turn_of, row))[:count])
        pairs = zip(side.edges.row.tolist(), side.said, strict=True)
        return np.array([said.kind not in first[row] for row, said in pairs], dtype=np.float64)

    def _tell(self, encoder: str) -> tuple[_Described, _Described]:
        """What is false and what is true, of every image, over the same claims."""
        if encoder not in self._told:
            known = [self._false.known(row, encoder) for row in self._rows]
            claim_of: dict[str, int] = {}
            for sides in known:
                for _, said in (*sides.false, *sides.true):
                    claim_of.setdefault(said.question, len(claim_of))
            self._told[encoder] = (
                self._side([one.false for one in known], claim_of), self._side([one.true for one in known], claim_of)
            )  # fmt: skip
        return self._told[encoder]

    def _side(self, known: Sequence[Sequence[tuple[float, Description]]], claim_of: Mapping[str, int]) -> _Described:
        pairs = [(row, cosine, said) for row, each in enumerate(known) for cosine, said in each]
        even = self._space.spec.descriptions.mix == "even"
        group_of: dict[tuple[int, str], int] = {}
        group = [group_of.setdefault((row, said.kind if even else said.object), len(group_of)) for row, _, said in pairs]
        edges = Edges(
            np.array([row for row, _, _ in pairs], dtype=np.int64),
            np.array([claim_of[said.question] for _, _, said in pairs], dtype=np.int64),
            np.zeros(len(pairs)), np.array(group, dtype=np.int64), strict=False,
        )  # fmt: skip
        return _Described(edges, [cosine for _, cosine, _ in pairs], [said for _, _, said in pairs], len(claim_of))

    def _balance(self, no: Edges, needs: Ints, yes: Edges | Ints, yes_needs: Ints | None, claims: int) -> Flow:
        spec = self._space.spec
        return balance(no, needs, yes, yes_needs, claims=claims, slack=spec.balanced.slack, seed=spec.seed)


def _taken(yes: Mask | None) -> Mask:
    assert yes is not None  # where that side was to be chosen, too
    return yes


def _unit(scores: Floats) -> Floats:
    """Scores of several searches on one scale: standardized over all that may be asked."""
    spread = scores.std()
    return (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)


def _same_object(side: _Described, asked_plainly: Sequence[Set[str]]) -> Floats:
    """1 for what names an object that its image is asked about plainly: a description tells that the object is there, and a
    relation that the other one is, too."""

    def named(said: Description, names: Set[str]) -> bool:
        return said.object in names or (said.kind == "relation" and any(said.group.endswith(f" {name}") for name in names))

    pairs = zip(side.edges.row.tolist(), side.said, strict=True)
    return np.array([named(said, asked_plainly[row]) for row, said in pairs], dtype=np.float64)
