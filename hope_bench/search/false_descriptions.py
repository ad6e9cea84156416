"""HOPE's description search: of what is known to be false of a present object, what CLIP finds likeliest in the image."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from copy import copy
from typing import NamedTuple

import numpy as np

from hope_bench.progress import shown
from hope_bench.search.attribute_bank import attribute_bank
from hope_bench.search.decisions import ClaimKey
from hope_bench.search.description import Describer, Description, Descriptions
from hope_bench.search.selection import Distractor
from hope_bench.search.space import Embeddings, SearchSpace


class FalseDescriptions:
    """The descriptions of every sampled image, ranked by any encoder. Made on first use, since few benchmarks need them."""

    def __init__(
        self,
        space: SearchSpace,
        given: Mapping[str, Descriptions] | None = None,
        rejected: Set[ClaimKey] = frozenset(),
        guessed: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        """`given` are a user's own descriptions by image file name, `rejected` the claims (image file, object, description) that
        reviewers don't stand by, `guessed` the attribute bank's winners by instance row (none unless the spec asks for them)."""
        self._space = space
        self._given = given or {}
        self._rejected = rejected
        self._guessed = guessed or {}
        self._found: list[Descriptions] | None = None
        self.unworded = 0
        """How many descriptions were known and could not be put in words, once they were asked for."""
        self._scores: dict[str, list[_Cosines]] = {}
        self._rankings: dict[tuple[str, int], list[list[Distractor]]] = {}

    def rejects(self, row: int, one: Description) -> bool:
        """Whether reviewers don't stand by a description's being false of a sampled image."""
        return (self._space.files[row], one.object, one.caption) in self._rejected

    def rejected(self) -> int:
        """How many of the false descriptions reviewers don't stand by."""
        return sum(self.rejects(row, one) for row, each in enumerate(self._all()) for one in each.false)

    def unreviewed(self) -> FalseDescriptions:
        """The same descriptions before any review."""
        if not self._rejected:
            return self
        other = copy(self)
        other._rejected, other._rankings = frozenset(), {}
        return other

    def ranking(self, encoder: str, k: int) -> list[list[Distractor]]:
        """`best` of every sampled image, made once."""
        if (encoder, k) not in self._rankings:
            rows = shown(range(len(self._space.images)), "Ranking descriptions of images")
            self._rankings[encoder, k] = [self.best(row, encoder, k) for row in rows]
        return self._rankings[encoder, k]

    def best(self, row: int, encoder: str, k: int) -> list[Distractor]:
        """The k likeliest false descriptions of one sampled image: people's own before all others; of its kinds in turn
        (`turn_of`), or (the spec's descriptions.mix) whatever their kind; of different objects first.

        Ties go by caption. Each comes with the true description of the same object that excludes it, where there is one.
        """
        true, false = self.known(row, encoder)
        even = self._space.spec.descriptions.mix == "even"
        waiting = sorted(((-score, one.caption, one) for score, one in false), key=_rank)
        turns = {kind: self.turn_of(row, kind) for kind in {one.kind for _, one in false}}
        kinds: Counter[str] = Counter()
        objects: set[str] = set()
        chosen: list[_Ranked] = []

        def wanted(one: Description) -> tuple[float, ...]:
            turn = (kinds[one.kind], turns[one.kind]) if even else ()
            return one.kind != "given", *turn, one.object in objects

        while waiting and len(chosen) < k:
            at = min(range(len(waiting)), key=lambda at: wanted(waiting[at][2]))
            chosen.append(waiting.pop(at))
            _, _, taken = chosen[-1]
            kinds.update([taken.kind])
            objects.add(taken.object)
        return [Distractor(one.object, round(-minus, 4), one, _twin(one, true)) for minus, _, one in chosen]

    def turn_of(self, row: int, kind: str) -> float:
        """When a kind of description has its turn in one sampled image, in [0, 1): drawn, so that no kind is asked about more
        often than another one that as many images offer. It doesn't depend on what else an image offers."""
        return random.Random(f"{self._space.spec.seed} {kind} {self._space.files[row]}").random()

    def known(self, row: int, encoder: str) -> Known:
        """What may be said of one sampled image, each with its cosine; what reviewers don't stand by is left out."""
        descriptions, cosines = self._all()[row], self._scored(encoder)[row]
        true = list(zip(cosines.true, descriptions.true, strict=True))
        false = zip(cosines.false, descriptions.false, strict=True)
        return Known(true, [one for one in false if not self._rejected or not self.rejects(row, one[1])])

    def _all(self) -> list[Descriptions]:
        if self._found is None:
            describer = Describer(self._space.annotations, self._space.spec.descriptions.sources, self._space.worder)
            self._found = [
                self._of(file, describer.describe(image), describer.from_bank(image, self._guessed, attribute_bank()))
                for image, file in shown(list(zip(self._space.images, self._space.files, strict=True)), "Describing images")
            ]
            self.unworded = describer.unworded
        return self._found

    def _of(self, file: str, *known: Descriptions) -> Descriptions:
        """What all sources say of one image: each claim once, as the first one has it; none false that any knows to be true."""
        sources = (*known, self._given.get(file, Descriptions()))
        true = {one.caption: one for each in reversed(sources) for one in each.true}
        false = {one.caption: one for each in reversed(sources) for one in each.false if one.caption not in true}
        return Descriptions(tuple(true.values()), tuple(false.values()))

    def _scored(self, encoder: str) -> list[_Cosines]:
        """Each image's descriptions with the cosine of their caption and the image; every caption is embedded once."""
        if encoder not in self._scores:
            encoded = self._space.encoded[encoder]
            found = self._all()
            captions = list(dict.fromkeys(one.caption for each in found for one in (*each.true, *each.false)))
            place = {caption: index for index, caption in enumerate(captions)}
            vectors = encoded.encode_captions(captions) if captions else encoded.images
            rows = shown(range(len(found)), "Comparing images and descriptions")
            self._scores[encoder] = [_cosines(encoded.images[row], vectors, place, found[row]) for row in rows]
        return self._scores[encoder]


class Known(NamedTuple):
    """The true and the false descriptions of an image, each with the cosine of its caption and the image."""

    true: list[tuple[float, Description]]
    false: list[tuple[float, Description]]


_Ranked = tuple[float, str, Description]
"""A description with what it is ranked by: minus its cosine, then its caption."""


def _rank(ranked: _Ranked) -> tuple[float, str]:
    minus_cosine, caption, _ = ranked
    return minus_cosine, caption


class _Cosines(NamedTuple):
    """The cosine of each description's caption and the image, in the order of `Descriptions.true` and `.false`."""

    true: list[float]
    false: list[float]


def _cosines(image: Embeddings, vectors: Embeddings, place: Mapping[str, int], each: Descriptions) -> _Cosines:
    # Row by row: BLAS sums a row of a product with one vector in an order that depends on the other rows.
    cosines = np.vecdot(vectors[[place[one.caption] for one in (*each.true, *each.false)]], image).tolist()
    return _Cosines(cosines[: len(each.true)], cosines[len(each.true) :])


def _twin(false: Description, true: Sequence[tuple[float, Description]]) -> Description | None:
    """The true description that excludes the false one: of the same object and group; of several CLIP's favourite."""
    own = [
        (-score, one.caption, one)
        for score, one in true
        if one.group == false.group and one.object == false.object and one.kind == false.kind
    ]
    return min(own, key=_rank)[2] if own else None
