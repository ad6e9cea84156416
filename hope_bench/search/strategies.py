"""Every strategy that ranks: from the search's inputs to each sampled image's k distractors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.search.category import association, cooccurrence, similarity, standardized_sum
from hope_bench.search.content import content_probability, content_similarity, most_similar_images
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.inputs import Encoded, SearchInputs
from hope_bench.search.selection import Distractor, top_columns
from hope_bench.spec import base_strategy, encoder_name

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def category_cooccurrence(inputs: SearchInputs, _: Encoded | None) -> Floats:
    """[N, C]: how often c occurs with the image's present objects, over the whole annotation set."""
    return association(cooccurrence(inputs.annotations), inputs.present_mask(), inputs.spec.category.aggregate)


def category_similarity(inputs: SearchInputs, encoded: Encoded | None) -> Floats:
    """[N, C]: how much c looks like the image's present objects."""
    assert encoded is not None
    return association(similarity(encoded.prototypes), inputs.present_mask(), inputs.spec.category.aggregate)


def category(inputs: SearchInputs, encoded: Encoded | None) -> Floats:
    """[N, C]: the z-scored sum of both."""
    sources = (category_cooccurrence(inputs, None), category_similarity(inputs, encoded))
    return standardized_sum(sources, inputs.present_mask())


def content(_: SearchInputs, encoded: Encoded | None) -> Floats:
    """[N, C]: CLIP's cosine of image and category."""
    assert encoded is not None
    return content_similarity(encoded.images, encoded.categories).astype(np.float64)


def control_content(inputs: SearchInputs, encoded: Encoded | None) -> Floats:
    """[N, C]: the content scores of the image whose present objects are most similar."""
    partners = most_similar_images(inputs.present(), inputs.files, inputs.spec.seed)
    return content(inputs, encoded)[partners]


RANKINGS: dict[str, Callable[[SearchInputs, Encoded | None], Floats]] = {
    "category-cooccurrence": category_cooccurrence,
    "category-similarity": category_similarity,
    "category": category,
    "content": content,
    "control-content": control_content,
}
"""The strategies that score every category of every image."""

PROBABILITIES = ("content", "control-content")
"""Those whose distractor_score is CLIP's softmax rather than the ranking score itself."""


def distractors(split: str, inputs: SearchInputs, allowed: Mask, false: FalseDescriptions) -> list[list[Distractor]]:
    """Each sampled image's distractors under one strategy, best first: k, or fewer where an image has too few candidates.

    `allowed` [N, C] marks the categories that may be claimed absent; `false` holds the descriptions that may be claimed.
    """
    base, encoder, k = base_strategy(split), encoder_name(split), inputs.spec.k
    if base == "description":
        return [false.best(row, encoder, k) for row in range(len(inputs.images))]
    if base == "hope":
        return _hope(encoder, inputs, allowed, false)
    return ranked(base, encoder, inputs, allowed, k)


def ranked(base: str, encoder: str, inputs: SearchInputs, allowed: Mask, k: int) -> list[list[Distractor]]:
    """The k best allowed categories of every image by one of RANKINGS."""
    encoded = inputs.encoded.get(encoder)
    scores = RANKINGS[base](inputs, encoded)
    shown = content_probability(scores, encoded.logit_scale) if base in PROBABILITIES and encoded is not None else scores
    names = inputs.names
    columns = top_columns(scores, names, allowed, k)
    return [
        [Distractor(names[column], round(float(shown[row, column]), 4)) for column in chosen]
        for row, chosen in enumerate(columns)
    ]


def _hope(encoder: str, inputs: SearchInputs, allowed: Mask, false: FalseDescriptions) -> list[list[Distractor]]:
    """One distractor each from content, category and description, in that order and over again until there are k."""
    k = inputs.spec.k
    sources: Sequence[list[list[Distractor]]] = (
        ranked("content", encoder, inputs, allowed, k),
        ranked("category", encoder, inputs, allowed, k),
        [false.best(row, encoder, k) for row in range(len(inputs.images))],
    )
    return [_in_turn([source[row] for source in sources], k) for row in range(len(inputs.images))]


def _in_turn(sources: Sequence[Sequence[Distractor]], k: int) -> list[Distractor]:
    """Take the best that isn't taken yet from each source in turn; an exhausted source is passed over."""
    waiting = [list(source) for source in sources]
    taken: list[Distractor] = []
    claimed: set[str] = set()
    while len(taken) < k and any(waiting):
        for source in waiting:
            while source and _claim(source[0]) in claimed:
                source.pop(0)
            if source and len(taken) < k:
                claimed.add(_claim(source[0]))
                taken.append(source.pop(0))
    return taken


def _claim(distractor: Distractor) -> str:
    return distractor.name if distractor.description is None else distractor.description.question
