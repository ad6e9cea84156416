"""Ids within an annotation file: each unique, each known where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, counted, first_few

Id = int | str


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


def look_up(path: Path, what: str, ids: Sequence[Id], index: dict[Id, int]) -> NDArray[np.int32]:
    """The index of each id. Raises HopeBenchError listing unknown ones."""
    found = np.fromiter(map(index.get, ids, repeat(-1)), dtype=np.int32, count=len(ids))
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        names = dict.fromkeys(repr(ids[row]) for row in unknown.tolist())
        raise HopeBenchError(
            f"{path}: {counted(unknown.size, 'annotation names', 'annotations name')} "
            f"{counted(len(names), f'{what} id')} it does not define ({first_few(names)}). "
            f"Add them to its {'categories' if what == 'category' else 'images'}, or remove those annotations."
        )
    return found
