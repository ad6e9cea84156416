"""How much one forward may hold, and what was learnt where memory ran out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

import torch

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

    def parts(self, kind: Forward, tokens: Sequence[int]) -> list[range]:
        """Places in `tokens` (the tokens that each row holds) in as few parts as fit, of nearly equal numbers of rows."""
        count = max(-(-len(tokens) // self._questions), min(-(-sum(tokens) // self._tokens), len(tokens)), 1)
        borders = [len(tokens) * part // count for part in range(count + 1)]
        return [half for part in pairwise(borders) for half in self._halved(kind, tokens, range(*part))]

    def _halved(self, kind: Forward, tokens: Sequence[int], part: range) -> list[range]:
        if len(part) < 2 or sum(tokens[place] for place in part) < self._too_many.get(kind, 1 << 62):
            return [part]
        middle = part.start + len(part) // 2
        halves = range(part.start, middle), range(middle, part.stop)
        return [piece for half in halves for piece in self._halved(kind, tokens, half)]

    @contextmanager
    def forward(self, kind: Forward, tokens: int) -> Iterator[None]:
        """Around a forward that holds so many tokens: remembers them where memory runs out, and lets the error pass."""
        try:
            yield
        except torch.OutOfMemoryError:
            self._too_many[kind] = min(tokens, self._too_many.get(kind, tokens))
            raise

    @property
    def learnt(self) -> dict[Forward, int]:
        """The fewest tokens of each kind that ran out of memory."""
        return dict(self._too_many)
