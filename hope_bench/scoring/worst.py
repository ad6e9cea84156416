"""A run's worst hallucinations: claims about something absent that it affirmed, the surest first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hope_bench.records import Question
from hope_bench.result import PACKED, Hallucination

MOST = 12
"""How many a result holds."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A split's questions in packed order, with labels and verdicts as letters and P(yes), None where unknown."""

    questions: Sequence[Question]
    labels: str
    verdicts: str
    p_yes: Sequence[float | None]


def worst_hallucinations(
    splits: Mapping[str, Answered], hashes: Mapping[str, str | None], seed: int, most: int = MOST
) -> tuple[Hallucination, ...]:
    """At most `most` no-questions answered yes, one an image, those with the highest P(yes) first (unknown ones last).

    Ties are in an order drawn from the seed, image and question. A question that several splits ask is the first one's. `hashes`
    are the images' SHA-256, None where unknown.
    """
    found: dict[tuple[str, str], tuple[float, bytes, str, int]] = {}
    for split, answered in splits.items():
        for place, p_yes in _surest(answered, most):
            question = answered.questions[place]
            drawn = hashlib.sha256(f"{seed}\n{question.image}\n{question.text}".encode()).digest()
            found.setdefault((question.image, question.text), (-p_yes, drawn, split, place))
    by_image: dict[str, Hallucination] = {}
    for (image, _), (surety, _, split, place) in sorted(found.items(), key=lambda one: one[1][:2]):
        if image not in by_image:
            question = splits[split].questions[place]
            by_image[image] = Hallucination(
                split=split, place=place, image=image, image_sha256=hashes.get(image), question=question.text,
                object=question.object, description=question.description, p_yes=None if surety > 0 else -surety + 0.0,
                risk=question.risk,
            )  # fmt: skip
        if len(by_image) == most:
            break
    return tuple(by_image.values())


def _surest(answered: Answered, most: int) -> list[tuple[int, float]]:
    """The places and P(yes) (-1 where unknown) of a split's hallucinations that may be among the worst: all that are no less sure
    than the surest of each of its `most` most hallucinated images."""
    labels, verdicts = (np.frombuffer(one.encode("ascii"), dtype=np.uint8) for one in (answered.labels, answered.verdicts))
    places = np.flatnonzero((labels == ord(PACKED["no"])) & (verdicts == ord(PACKED["yes"])))
    p_yes = np.array([-1.0 if (value := answered.p_yes[place]) is None else value for place in places.tolist()])
    order = np.argsort(-p_yes, kind="stable")
    images: set[str] = set()
    least = -1.0
    for place, value in zip(places[order].tolist(), p_yes[order].tolist(), strict=True):
        images.add(answered.questions[place].image)
        if len(images) >= most:
            least = value
            break
    kept = p_yes >= least
    return list(zip(places[kept].tolist(), p_yes[kept].tolist(), strict=True))
