"""Ids within an annotation file: each unique, each known where it is used, whether written as text there and as a number here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, counted, first_few

Id = int | str

_UNKNOWN = -1
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def canonical(value: Id) -> Id:
    """An id's one form: 7 for 7, "7", " 007" and "7.0"; other text without the spaces around it."""
    if isinstance(value, int):
        return value
    text = value.strip()
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text


class IdIndex:
    """Positions by id: by the very id, else by its canonical form where that is one id's only."""

    def __init__(self, exact: dict[Id, int]) -> None:
        self.exact = exact

    @cached_property
    def _canonical(self) -> dict[Id, int | None]:
        forms: dict[Id, int | None] = {}
        for value, position in self.exact.items():
            form = canonical(value)
            forms[form] = None if form in forms else position
        return forms

    def get(self, value: Id) -> int | None:
        """The position, None where the id isn't known."""
        found = self.exact.get(value)
        return self._canonical.get(canonical(value)) if found is None else found

    def find(self, values: Sequence[Id]) -> NDArray[np.int32]:
        """The position of each id, -1 for those that aren't known."""
        found = np.fromiter(map(self.exact.get, values, repeat(_UNKNOWN)), dtype=np.int32, count=len(values))
        for row in np.flatnonzero(found == _UNKNOWN).tolist():
            position = self.get(values[row])
            found[row] = _UNKNOWN if position is None else position
        return found


def unique_index(path: Path, what: str, values: Sequence[Id]) -> dict[Id, int]:
    """Position by value. Raises HopeBenchError where a value occurs twice."""
    index = {value: position for position, value in enumerate(values)}
    if len(index) < len(values):
        twice = [repr(value) for value, count in Counter(values).items() if count > 1]
        raise HopeBenchError(
            f"{path}: {counted(len(twice), f'{what} occurs', f'{what}s occur')} more than once "
            f"({first_few(twice)}). Each must be unique."
        )
    return index


def check_first_number(path: Path, known: Mapping[Id, bool], unknown: Sequence[Id], annotations: int) -> None:
    """Raise HopeBenchError where annotations seem to number categories from 0 and the file from 1, or the other way round: every
    label would be its neighbour's. `known` is whether a category's number is annotated.

    It shows in one unknown number, just before the first or after the last, as common as others', while the number at the other
    end is never annotated.
    """
    numbers = {int(canonical(one)): used for one, used in known.items()}
    found = {canonical(one) for one in unknown}
    if len(found) != 1 or len(numbers) < 2 or len(unknown) < 2 or 4 * len(numbers) * len(unknown) < annotations:
        return
    (stray,), first, last = found, min(numbers), max(numbers)
    gapless = last - first + 1 == len(numbers)
    below, above = stray == first - 1 and not numbers[last], stray == last + 1 and not numbers[first]
    if gapless and (below or above):
        raise HopeBenchError(
            f"{path}: its categories are numbered {first} to {last}, but {len(unknown):,} annotations name category "
            f"{stray}, and none {last if below else first}: the annotations seem to count from "
            f"{first - 1 if below else first + 1}, so that each has its neighbour's name. Number both alike."
        )


def unknown_ids(what: str, ids: Sequence[Id], rows: Sequence[int]) -> str:
    """Which of the annotations' ids aren't known, in words."""
    names = dict.fromkeys(repr(ids[row]) for row in rows)
    named = f"{counted(len(rows), 'annotation names', 'annotations name')} {counted(len(names), f'{what} id')}"
    return f"{named} it does not define ({first_few(names)})"


def look_up(path: Path, what: str, ids: Sequence[Id], index: IdIndex) -> NDArray[np.int32]:
    """The position of each id. Raises HopeBenchError listing unknown ones."""
    found = index.find(ids)
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        raise HopeBenchError(
            f"{path}: {unknown_ids(what, ids, unknown.tolist())}. "
            f"Add them to its {'categories' if what == 'category' else 'images'}, or remove those annotations."
        )
    return found
