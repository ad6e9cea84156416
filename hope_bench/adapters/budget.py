"""How much one forward may hold, and what was learnt where memory ran out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

import torch

from hope_bench.adapters.gpu import is_out_of_memory

Forward = Literal["prefix", "packed", "rows", "plain"]
"""What is computed: images' common beginnings, their questions in one row or in rows of their own, or whole prompts."""


class Budget:
    """At most `questions` questions and `tokens` tokens in one forward (a single row may hold more).

    Where a forward of n tokens ran out of memory, every one of its kind with as many is cut in halves until it has fewer. So
    what is computed together depends on a step's own questions and the memory there is, not on the steps before.
    """

    def __init__(self, questions: int, tokens: int) -> None:
        self._questions, self._tokens = questions, tokens
        self._too_many: dict[Forward, int] = {}

    def parts(self, kind: Forward, tokens: Sequence[int], held: Callable[[range], int] | None = None) -> list[range]:
        """Places in `tokens` (those that are computed of each row) in as few parts as fit, of nearly equal numbers of rows.
        `held` says how many tokens some of the rows hold in memory together, where that isn't the sum of `tokens`."""
        rows = len(tokens)
        count = max(-(-rows // self._questions), min(-(-sum(tokens) // self._tokens), rows), 1)
        borders = [rows * part // count for part in range(count + 1)]
        summed = held or (lambda part: sum(tokens[place] for place in part))
        return [half for part in pairwise(borders) for half in self._halved(kind, range(*part), summed)]

    def _halved(self, kind: Forward, part: range, held: Callable[[range], int]) -> list[range]:
        if len(part) < 2 or held(part) < self._too_many.get(kind, math.inf):
            return [part]
        middle = part.start + len(part) // 2
        halves = range(part.start, middle), range(middle, part.stop)
        return [piece for half in halves for piece in self._halved(kind, half, held)]

    @contextmanager
    def forward(self, kind: Forward, tokens: int) -> Iterator[None]:
        """Around a forward that holds so many tokens: remembers them where memory runs out. Raises torch.OutOfMemoryError then,
        whatever it was that ran out."""
        try:
            yield
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._too_many[kind] = min(tokens, self._too_many.get(kind, tokens))
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise torch.OutOfMemoryError(str(error)) from None

    @property
    def learnt(self) -> dict[Forward, int]:
        """The fewest tokens of each kind that ran out of memory."""
        return dict(self._too_many)
