"""Every strategy that searches: from the search space to each sampled image's k distractors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.spec import PANEL, base_strategy, encoder_name
from hope_bench.search.category import category, category_cooccurrence, category_similarity
from hope_bench.search.content import content, content_probability
from hope_bench.search.control_content import control_content
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.panel import mean_ranks
from hope_bench.search.selection import Distractor, in_turn, top_columns
from hope_bench.search.space import Encoded, SearchSpace

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RANKINGS: dict[str, Callable[[SearchSpace, Encoded | None], Floats]] = {
    "category-cooccurrence": category_cooccurrence,
    "category-similarity": category_similarity,
    "category": category,
    "content": content,
    "control-content": control_content,
}
"""The strategies that score every category of every image."""

PROBABILITIES = ("content", "control-content")
"""Those whose distractor_score is the encoder's own probability (`content_probability`) rather than the ranking score itself."""

HOPE = ("content", "category", "description")
"""What `hope` takes one distractor each from, in this order (and over again, until there are k)."""


class Rankings:
    """Each sampled image's distractors under every strategy; a ranking that `hope` shares with another split is made once."""

    def __init__(self, space: SearchSpace, allowed: Mask, false: FalseDescriptions) -> None:
        """`allowed` [N, C] marks the categories that may be claimed absent, `false` holds what may be claimed of present ones."""
        self._space, self._allowed, self._false = space, allowed, false
        self._made: dict[tuple[str, str], list[list[Distractor]]] = {}

    def of(self, split: str) -> list[list[Distractor]]:
        """Each image's distractors in one split, best first: k, or fewer where an image has too few candidates."""
        base, encoder = base_strategy(split), encoder_name(split)
        if base == "hope":
            sources = [[[replace(found, found_by=one) for found in row] for row in self._ranking(one, encoder)] for one in HOPE]
            return [in_turn(rankings, self._space.spec.k) for rankings in zip(*sources, strict=True)]
        return self._ranking(base, encoder)

    def _ranking(self, base: str, encoder: str) -> list[list[Distractor]]:
        if base == "description":
            return self._false.ranking(encoder, self._space.spec.k)
        if (base, encoder) not in self._made:
            self._made[base, encoder] = ranked(base, encoder, self._space, self._allowed, self._space.spec.k)
        return self._made[base, encoder]


def ranked(base: str, encoder: str, space: SearchSpace, allowed: Mask, k: int) -> list[list[Distractor]]:
    """The k best allowed categories of every image by one of RANKINGS, or by the panel, whose score is the reciprocal of the
    mean rank."""
    if base == PANEL:
        ranks = mean_ranks(space, allowed)
        scores, shown = -ranks, 1 / ranks
    else:
        scores, shown = scored(base, space, space.encoded.get(encoder))
    names = space.names
    columns = top_columns(scores, names, allowed, k)
    return [
        [Distractor(names[column], round(float(shown[row, column]), 4)) for column in chosen]
        for row, chosen in enumerate(columns)
    ]


def scored(base: str, space: SearchSpace, encoded: Encoded | None) -> tuple[Floats, Floats]:
    """[N, C] twice: what one of RANKINGS ranks by, and what a question shows as its distractor's score."""
    scores = RANKINGS[base](space, encoded)
    shown = scores
    if base in PROBABILITIES:
        assert encoded is not None
        shown = content_probability(scores, encoded.logit_scale, encoded.logit_bias)
    return scores, shown
