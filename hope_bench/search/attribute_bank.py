"""The attribute bank: groups of attributes, and of relationships, that exclude each other (attribute_bank.toml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hope_bench.files.validation import Strict, read_toml

_SAY_NOTHING = frozenset(("true", "false", "yes", "no", "unknown", "none", "other", "others", "na", "undefined", "unspecified"))
"""Values that annotation tools write and that are no adjectives."""


class Group(Strict):
    """One group: at most one of `values` is true of a thing. It makes sense for `supercategories`, or (if empty) for all."""

    name: str
    supercategories: tuple[str, ...] = ()
    values: tuple[str, ...]

    def fits(self, supercategory: str | None) -> bool:
        """Whether the group makes sense for a category of that supercategory."""
        return not self.supercategories or supercategory in self.supercategories


class RelationGroup(Strict):
    """Relationships of which at most one holds between two things. `forms` are the words by which datasets know each."""

    name: str
    forms: Mapping[str, tuple[str, ...]]

    @property
    def values(self) -> tuple[str, ...]:
        """The relationships as a question says them."""
        return tuple(self.forms)

    def held(self, predicates: Iterable[str]) -> str | None:
        """The one relationship of the group among the predicates; None where there is none, or several."""
        words = {" ".join(predicate.lower().split()) for predicate in predicates}
        found = [value for value, forms in self.forms.items() if words.intersection((value, *forms))]
        return found[0] if len(found) == 1 else None


class _Bank(Strict):
    near: tuple[tuple[str, str], ...]
    group: tuple[Group, ...]
    relation: tuple[RelationGroup, ...]


@cache
def _bank() -> _Bank:
    return read_toml(Path(__file__).with_name("attribute_bank.toml"), _Bank)


def attribute_bank() -> tuple[Group, ...]:
    """Every group of attributes that ships with hope-bench."""
    return _bank().group


def relation_bank() -> tuple[RelationGroup, ...]:
    """Every group of relationships that ships with hope-bench."""
    return _bank().relation


@cache
def passes_for(value: str, other: str) -> bool:
    """Whether what is one may pass for the other: the same, near each other in the bank, or with a word in common ("dark red" and
    "red")."""
    one, two = value.lower(), other.lower()
    return bool({*one.split()} & {*two.split()}) or two in _near().get(one, frozenset())


@cache
def _near() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one, other in _bank().near:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {value: frozenset(others) for value, others in found.items()}


def named_attributes(given: Mapping[str, Any]) -> dict[str, str]:
    """An instance's attributes by name, where the value is a word or a few that can stand before a noun ("dark red"); numbers,
    codes and "unknown" say nothing. Open lists of words (Visual Genome's) are read by the bank's groups: a group is known where
    exactly one of its values is listed."""
    named = {name: value.strip() for name, value in given.items() if isinstance(value, str) and _is_adjective(value.strip())}
    words = {word for value in given.values() if isinstance(value, list | tuple) for word in value if isinstance(word, str)}
    return _by_group({word.lower() for word in words}) | named if words else named


def _is_adjective(value: str) -> bool:
    words = value.replace("-", " ").split()
    return 0 < len(words) <= 3 and all(word.isalpha() for word in words) and value.lower() not in _SAY_NOTHING


def _by_group(words: Iterable[str]) -> dict[str, str]:
    listed = set(words)
    found = {group.name: listed.intersection(group.values) for group in attribute_bank()}
    return {name: values.pop() for name, values in found.items() if len(values) == 1}
