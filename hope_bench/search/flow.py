"""Which of many possible questions to ask, so that each claim is asked as often with no as with yes: a minimum-cost flow.

Units flow from images that answer no, through the claims, to images that answer yes. A linear programme over a network has optima
at whole numbers; HiGHS' dual simplex ends at one (scipy's `linprog`), so no rounding is involved, which is asserted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_UNBALANCED = 0.02
"""The share of the no-questions that may be unbalanced within the slack, over all claims: a vocabulary of a thousand words, each
asked once or twice, would otherwise be all slack."""

_RANGE = 1_000.0
"""Costs are scaled to it, far above the solver's tolerance of 1e-7."""
_TIE = 1e-6
"""How much of the costs' range the seeded tie-break takes."""
_WHOLE = 500_000
"""Edges of a side that are looked at together. Of more, the programme holds but some, and those are added that could better
it."""
_AT_FIRST = 24
"""Edges of a row in the first, restricted programme."""
_AT_ONCE = 16
"""Edges of a row that are added at once."""
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Possible questions, E of them: `row` is what has to ask it (an image under one source of distractors), `claim` what is
    claimed, `cost` how little it is wanted, in any finite range.

    Of the edges of one `group` (ids from 0; all in one group of their own where it is None) one is taken; more where `strict` is
    False, if there is no other way to ask as many as needed.
    """

    row: Ints
    claim: Ints
    cost: Floats
    group: Ints | None = None
    strict: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Which edges of each side are taken, bool [E], and how many units go beyond the slack (0 wherever that is possible)."""

    no: Mask
    yes: Mask | None
    excess: int


@dataclass(slots=True, eq=False)
class _Side:
    """One side of the programme: its edges, how many each row takes, and which edges stand in the restricted programme; `tight`
    are the groups of more than one edge."""

    edges: Edges
    needs: Ints
    sign: float
    cost: Floats
    held: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    tight: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def balance(
    no: Edges, needs: Ints, yes: Edges | Ints, yes_needs: Ints | None = None, *, claims: int, slack: int, seed: int
) -> Flow:
    """The cheapest edges such that row r of `no` takes needs[r], and each claim as many on both sides, but for the slack.

    `yes` is either the other side's edges, of which its row r takes yes_needs[r], or how often each claim is asked with yes
    already, [claims]. A claim's two counts may differ by `slack` at no cost, MOST_UNBALANCED of the no-questions in all; each
    unit more costs more than all that any choice of edges could win. Ties are broken by `seed`. Every row must have as many
    edges, in as many strict groups, as it needs.
    """
    rng = np.random.default_rng(seed)
    other = np.bincount(yes.claim, minlength=claims) if isinstance(yes, Edges) else yes
    sides = [_side(no, needs, 1.0, rng, other)]
    fixed = np.zeros(claims)
    if isinstance(yes, Edges):
        assert yes_needs is not None
        sides.append(_side(yes, yes_needs, -1.0, rng, np.bincount(no.claim, minlength=claims)))
    else:
        fixed = yes.astype(np.float64)
    free = int(np.ceil(MOST_UNBALANCED * int(needs.sum())))
    while True:
        taken, excess, better = _solve(sides, fixed, slack, free)
        if not better:
            return Flow(taken[0], taken[1] if len(taken) > 1 else None, excess)


def _side(edges: Edges, needs: Ints, sign: float, rng: np.random.Generator, other: Ints) -> _Side:
    """One side; `other` is how often the other side has, or could have, each claim."""
    spread = float(np.ptp(edges.cost)) if len(edges.cost) else 0.0
    cost = np.zeros(len(edges.cost))
    if spread > 0:  # where nothing is preferred, nothing need be told apart
        # Rounded, so that the last digits of a processor's sums don't matter.
        unit = np.round((edges.cost - edges.cost.min()) / spread, 7)
        cost = _RANGE * (unit + _TIE * rng.random(len(unit)))
    side = _Side(edges, needs, sign, cost)
    if edges.group is not None:
        side.tight = np.bincount(edges.group) > 1
    if len(cost) <= _WHOLE:
        side.held = np.ones(len(cost), dtype=np.bool_)
        return side
    # At first the best of each row, measured against what the claim costs elsewhere.
    count = np.maximum(np.bincount(edges.claim), 1)
    usual = np.bincount(edges.claim, weights=cost) / count
    wanted = cost - usual[edges.claim]
    if spread == 0:  # a draw, in which a claim has as many lots as the other side has of it
        wanted = rng.exponential(size=len(cost)) / (1 + other[edges.claim])
    side.held = _best_of_rows(edges.row, wanted, np.maximum(_AT_FIRST, 3 * needs))
    if edges.group is not None and edges.strict:
        side.held |= _one_of_each(edges.group)  # a row that has enough groups has them in the restricted programme, too
    return side


def _best_of_rows(row: Ints, cost: Floats, most: Ints) -> Mask:
    """Marks each row's `most[row]` cheapest edges."""
    order = np.lexsort((cost, row))
    starts = np.searchsorted(row[order], np.arange(len(most)))
    place = np.arange(len(row)) - starts[row[order]]
    held = np.zeros(len(row), dtype=np.bool_)
    held[order[place < most[row[order]]]] = True
    return held


def _one_of_each(group: Ints) -> Mask:
    """Marks the first edge of every group."""
    held = np.zeros(len(group), dtype=np.bool_)
    held[np.unique(group, return_index=True)[1]] = True
    return held


def _solve(sides: list[_Side], fixed: Floats, slack: int, free: int) -> tuple[list[Mask], int, bool]:
    """The restricted programme's edges, its excess, and whether edges that could better it were added."""
    from scipy import sparse
    from scipy.optimize import linprog

    claims, rows = len(fixed), [len(side.needs) for side in sides]
    picked = [np.flatnonzero(side.held) for side in sides]
    penalty = 3 * _RANGE * (2 * min(claims, sum(rows)) + 4)
    parts: list[sparse.coo_matrix] = []
    costs, upper = [], []
    node = sum(rows)  # of the first claim; the hub of the slack stands after the last
    height = node + claims + 2
    first = 0
    for side, own in zip(sides, picked, strict=True):
        at = np.arange(len(own))
        entries = np.concatenate([np.ones(len(own)), np.full(len(own), side.sign)])
        where = np.concatenate([first + side.edges.row[own], node + side.edges.claim[own]])
        parts.append(sparse.coo_matrix((entries, (where, np.concatenate([at, at]))), shape=(height, len(own))))
        costs.append(side.cost[own])
        upper.append(np.ones(len(own)))
        first += len(side.needs)
    for arc, cost, most in _slack_arcs(claims, node, height, slack, free, penalty):
        parts.append(arc)
        costs.append(np.full(arc.shape[1], cost))
        upper.append(np.full(arc.shape[1], most))
    equal = sparse.hstack(parts).tocsc()
    needed = np.concatenate([*(side.needs for side in sides), fixed, [0, 0]]).astype(np.float64)
    at_most, over, groups = _groups(sides, picked, equal.shape[1])
    if over:
        equal = sparse.hstack([equal, sparse.csc_matrix((height, over))]).tocsc()
        costs.append(np.full(over, 2 * _RANGE))
        upper.append(np.full(over, np.inf))
    bounds = np.column_stack([np.zeros(equal.shape[1]), np.concatenate(upper)])
    found = linprog(
        np.concatenate(costs), A_eq=equal, b_eq=needed, bounds=bounds, method="highs-ds",
        options={"presolve": False},  # it takes a hundred times as long as the simplex does without it
        A_ub=at_most, b_ub=None if at_most is None else np.ones(at_most.shape[0]),
    )  # fmt: skip
    assert found.status == 0, found.message
    flow = np.round(found.x)
    assert np.abs(found.x - flow).max() < _TOLERANCE, "the optimum of a network flow is whole"
    taken, better, first, start = [], False, 0, 0
    prices = found.eqlin.marginals
    for place, (side, own) in enumerate(zip(sides, picked, strict=True)):
        mask = np.zeros(len(side.cost), dtype=np.bool_)
        mask[own[flow[start : start + len(own)] > 0]] = True
        taken.append(mask)
        reduced = side.cost - prices[first + side.edges.row] - side.sign * prices[node + side.edges.claim]
        if place in groups:
            ids, rows_of = groups[place]
            toll = np.zeros(len(side.tight))
            toll[ids] = found.ineqlin.marginals[rows_of]
            reduced -= toll[side.edges.group]
        wanted = ~side.held & (reduced < -_TOLERANCE)
        if wanted.any():
            better = True
            candidates = np.flatnonzero(wanted)
            at_once = np.full(len(side.needs), _AT_ONCE)
            side.held[candidates[_best_of_rows(side.edges.row[candidates], reduced[candidates], at_once)]] = True
        first, start = first + len(side.needs), start + len(own)
    return taken, int(flow[start + 2 * claims + 1 : start + 4 * claims + 2].sum()), better


def _slack_arcs(
    claims: int, node: int, height: int, slack: int, free: int, penalty: float
) -> list[tuple[sparse.coo_matrix, float, float]]:
    """Arcs as (columns, cost, capacity): what a claim has too many of one answer flows off, and what it lacks flows in.

    Within the slack through a hub of limited capacity, beyond it at the penalty. The two sides' totals are equal, so that what
    flows off is what flows in.
    """
    from scipy import sparse

    at, claim = np.arange(claims), node + np.arange(claims)
    spare, lack = node + claims, node + claims + 1
    minus, plus = np.full(claims, -1.0), np.ones(claims)
    # The node of what is spare gets from claims, and gives to the node of what is lacking, which gives to claims.
    off = sparse.coo_matrix((np.r_[minus, plus], (np.r_[claim, np.full(claims, spare)], np.r_[at, at])), (height, claims))
    into = sparse.coo_matrix((np.r_[plus, minus], (np.r_[claim, np.full(claims, lack)], np.r_[at, at])), (height, claims))
    between = sparse.coo_matrix(([-1.0, 1.0], ([spare, lack], [0, 0])), (height, 1))
    return [
        (off, 0.0, slack), (into, 0.0, slack), (between, 0.0, free), (between, penalty, np.inf),
        (off, penalty, np.inf), (into, penalty, np.inf),
    ]  # fmt: skip


def _groups(
    sides: list[_Side], picked: list[Ints], width: int
) -> tuple[sparse.csc_matrix | None, int, dict[int, tuple[Ints, slice]]]:
    """The inequalities that take one edge of a group, over `width` columns and as many more as groups that may take more; how
    many these are; and by side the groups' ids and their rows. Only tight groups with an edge in the programme have rows."""
    from scipy import sparse

    entries, where, which = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    height, over, start = 0, 0, 0
    groups: dict[int, tuple[Ints, slice]] = {}
    for place, (side, own) in enumerate(zip(sides, picked, strict=True)):
        if side.edges.group is not None:
            several = side.tight[side.edges.group[own]]
            ids, row = np.unique(side.edges.group[own[several]], return_inverse=True)
            entries.append(np.ones(len(row)))
            where.append(height + row)
            which.append(start + np.flatnonzero(several))
            groups[place] = (ids, slice(height, height + len(ids)))
            if not side.edges.strict:
                entries.append(-np.ones(len(ids)))
                where.append(height + np.arange(len(ids)))
                which.append(width + over + np.arange(len(ids)))
                over += len(ids)
            height += len(ids)
        start += len(own)
    if not height:
        return None, 0, {}
    values, rows, columns = (np.concatenate(each) for each in (entries, where, which))
    return sparse.csc_matrix((values, (rows, columns)), shape=(height, width + over)), over, groups
