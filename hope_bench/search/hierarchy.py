"""A vocabulary's hierarchy, where the dataset has one."""

from __future__ import annotations

from collections.abc import Sequence

from hope_bench.records import Category


def ancestors(categories: Sequence[Category]) -> dict[str, frozenset[str]]:
    """By category all names above it, at any distance; only those that have any."""
    parents = {category.name: category.parents for category in categories if category.parents}
    found: dict[str, frozenset[str]] = {}
    for name in parents:
        above: set[str] = set()
        left = [*parents[name]]
        while left:
            one = left.pop()
            if one not in above:
                above.add(one)
                left += parents.get(one, ())
        found[name] = frozenset(above)
    return found
