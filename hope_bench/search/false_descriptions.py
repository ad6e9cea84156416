"""HOPE's description search: of what is known to be false of a present object, what CLIP finds likeliest in the image."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hope_bench.search.attribute_bank import attribute_bank
from hope_bench.search.description import Describer, Description, Descriptions
from hope_bench.search.inputs import Embeddings, SearchInputs
from hope_bench.search.selection import Distractor


class FalseDescriptions:
    """The descriptions of every sampled image, ranked by any encoder. Made on first use, since few benchmarks need them."""

    def __init__(
        self,
        inputs: SearchInputs,
        given: Mapping[str, Descriptions] | None = None,
        rejected: Collection[tuple[str, str, str | None]] = (),
        guessed: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        """`given` are a user's own descriptions by image file name, `rejected` the claims (image file, object, description) that
        reviewers don't stand by, `guessed` the attribute bank's winners by instance row (none unless the spec asks for them)."""
        self._inputs = inputs
        self._given = given or {}
        self._rejected = rejected
        self._guessed = guessed or {}
        self._found: list[Descriptions] | None = None
        self._scores: dict[str, list[dict[Description, float]]] = {}

    def best(self, row: int, encoder: str, k: int) -> list[Distractor]:
        """The k likeliest false descriptions of one sampled image: first the best of each object, then the other ones.

        Ties go by caption. Each comes with the true description of the same object that excludes it, where there is one.
        """
        scores = self._scored(encoder)[row]
        descriptions = self._all()[row]
        ranked = sorted(descriptions.false, key=lambda one: (-scores[one], one.caption))
        first: dict[str, Description] = {}
        for one in ranked:
            first.setdefault(one.object, one)
        ordered = [one for one in ranked if first[one.object] is one] + [one for one in ranked if first[one.object] is not one]
        return [
            Distractor(one.object, round(scores[one], 4), one, self._twin(one, descriptions.true, scores)) for one in ordered[:k]
        ]

    def _twin(self, false: Description, true: Sequence[Description], scores: Mapping[Description, float]) -> Description | None:
        """The true description that excludes the false one: of the same object and group; of several CLIP's favourite."""
        own = [one for one in true if (one.object, one.kind, one.group) == (false.object, false.kind, false.group)]
        return min(own, key=lambda one: (-scores[one], one.caption), default=None)

    def _all(self) -> list[Descriptions]:
        if self._found is None:
            describer = Describer(self._inputs.annotations, self._inputs.spec.descriptions.sources)
            self._found = [
                self._of(file, describer.describe(image), describer.from_bank(image, self._guessed, attribute_bank()))
                for image, file in zip(self._inputs.images, self._inputs.files, strict=True)
            ]
        return self._found

    def _of(self, file: str, *known: Descriptions) -> Descriptions:
        sources = (*known, self._given.get(file, Descriptions()))
        false = [one for each in sources for one in each.false if (file, one.object, one.caption) not in self._rejected]
        return Descriptions(tuple(one for each in sources for one in each.true), tuple(dict.fromkeys(false)))

    def _scored(self, encoder: str) -> list[dict[Description, float]]:
        """Each image's descriptions with the cosine of their caption and the image; every caption is embedded once."""
        if encoder not in self._scores:
            encoded = self._inputs.encoded[encoder]
            found = self._all()
            captions = {one.caption: 0 for each in found for one in (*each.true, *each.false)}
            place = {caption: index for index, caption in enumerate(captions)}
            vectors = encoded.encode_captions(list(place)) if place else encoded.images[:0]
            self._scores[encoder] = [
                self._cosines(encoded.images[row], vectors, place, (*each.true, *each.false)) for row, each in enumerate(found)
            ]
        return self._scores[encoder]

    @staticmethod
    def _cosines(
        image: Embeddings, vectors: Embeddings, place: Mapping[str, int], descriptions: Sequence[Description]
    ) -> dict[Description, float]:
        cosines = vectors[[place[one.caption] for one in descriptions]] @ image
        return dict(zip(descriptions, cosines.tolist(), strict=True))
