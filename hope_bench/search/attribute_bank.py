"""The attribute bank: groups of attributes that exclude each other (attribute_bank.toml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hope_bench.validation import Strict, read_toml


class Group(Strict):
    """One group: at most one of `values` is true of a thing. It makes sense for `supercategories`, or (if empty) for all."""

    name: str
    supercategories: tuple[str, ...] = ()
    values: tuple[str, ...]

    def fits(self, supercategory: str | None) -> bool:
        """Whether the group makes sense for a category of that supercategory."""
        return not self.supercategories or supercategory in self.supercategories


class _Bank(Strict):
    group: tuple[Group, ...]


@cache
def attribute_bank() -> tuple[Group, ...]:
    """Every group that ships with hope-bench."""
    return read_toml(Path(__file__).with_name("attribute_bank.toml"), _Bank).group


def named_attributes(given: Mapping[str, Any]) -> dict[str, str]:
    """An instance's attributes by name. Open lists of words (Visual Genome's) are read by the bank's groups: a group is known
    where exactly one of its values is listed."""
    named = {name: value for name, value in given.items() if isinstance(value, str) and value}
    words = {word for value in given.values() if isinstance(value, list | tuple) for word in value if isinstance(word, str)}
    return _by_group({word.lower() for word in words}) | named if words else named


def _by_group(words: Iterable[str]) -> dict[str, str]:
    listed = set(words)
    found = {group.name: listed.intersection(group.values) for group in attribute_bank()}
    return {name: values.pop() for name, values in found.items() if len(values) == 1}
