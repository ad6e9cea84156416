"""A run's worst hallucinations: claims about something absent that it affirmed, the surest first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.result import Hallucination
from hope_bench.files.split_score import PACKED
from hope_bench.records import Question
from hope_bench.scoring.metrics import Floats

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
    """At most `most` no-questions answered yes, one an image, those with the highest P(yes) first. Where any is known, those
    without are left out: nothing says how sure the model was.

    Ties are in an order drawn from the seed, image and question. A question that several splits ask is the first one's, with the
    risk that any of them states. `hashes` are the images' SHA-256, None where unknown.
    """
    affirmed = {split: _affirmed(answered) for split, answered in splits.items()}
    least = max((_least(splits[split], *one, most) for split, one in affirmed.items()), default=_UNKNOWN)
    found: dict[tuple[str, str], tuple[float, bytes, str, int]] = {}
    risks: dict[tuple[str, str], float] = {}
    for split, (places, p_yes) in affirmed.items():
        for place, value in zip(places[p_yes >= least].tolist(), p_yes[p_yes >= least].tolist(), strict=True):
            question = splits[split].questions[place]
            key = (question.image, question.text)
            if key not in found:
                found[key] = (-value, hashlib.sha256(f"{seed}\n{key[0]}\n{key[1]}".encode()).digest(), split, place)
            if question.risk is not None:
                risks.setdefault(key, question.risk)
    by_image: dict[str, Hallucination] = {}
    known = {key: one for key, one in found.items() if one[0] <= 0}
    for key, (negated, _, split, place) in sorted((known or found).items(), key=lambda one: one[1][:2]):
        if key[0] not in by_image:
            question = splits[split].questions[place]
            by_image[key[0]] = Hallucination(
                split=split, place=place, image=key[0], image_sha256=hashes.get(key[0]), question=question.text,
                object=question.object, description=question.description, p_yes=None if negated > 0 else abs(negated),
                risk=risks.get(key),
            )  # fmt: skip
        if len(by_image) == most:
            break
    return tuple(by_image.values())


_UNKNOWN = -1.0
"""Stands for P(yes) where it is unknown."""


def _affirmed(answered: Answered) -> tuple[NDArray[np.int64], Floats]:
    """The places of a split's hallucinations, int64 [n], and their P(yes), float64 [n]."""
    labels, verdicts = (np.frombuffer(one.encode("ascii"), dtype=np.uint8) for one in (answered.labels, answered.verdicts))
    places = np.flatnonzero((labels == ord(PACKED["no"])) & (verdicts == ord(PACKED["yes"])))
    p_yes = [_UNKNOWN if (value := answered.p_yes[place]) is None else value for place in places.tolist()]
    return places, np.array(p_yes, dtype=np.float64)


def _least(answered: Answered, places: NDArray[np.int64], p_yes: Floats, most: int) -> float:
    """What P(yes) the `most` surest images of a split reach; nothing below it is among the worst."""
    images: set[str] = set()
    for row in np.argsort(-p_yes, kind="stable").tolist():
        images.add(answered.questions[places[row]].image)
        if len(images) >= most:
            return float(p_yes[row])
    return _UNKNOWN
