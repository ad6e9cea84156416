"""The surest hallucinations that a result lists, held against its own answers."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Hallucination, Result
from hope_bench.files.split_score import PACKED, SplitScore
from hope_bench.scoring.metrics import Floats, optional
from hope_bench.scoring.probability import unpack
from hope_bench.scoring.worst import MOST

_PACKING = 1e-4
"""P(yes) is stated as the run has it, and packed less exactly."""


def check_worst(result: Result, where: str) -> None:
    """`worst` must be at most MOST hallucinations, one an image, in their order; each with the P(yes) that its split packs, and
    none surer left out. Which of equally sure ones they are, only the questions tell. Raises HopeBenchError."""
    worst = result.worst
    if worst is None:
        return
    p_yes = {name: _p_yes(split) for name, split in result.splits.items()}
    for index, one in enumerate(worst):
        _check_p_yes(one, p_yes[one.split], f"{where}: worst.{index}")
    places = [_image(result.splits[one.split], one.place) for one in worst]
    if len(set(places)) != len(worst):
        raise HopeBenchError(f"{where}: worst holds an image twice. Score the run again.")
    _check_order(worst, result.bootstrap.seed, where)
    surest = _surest(result, p_yes)
    if len(worst) != min(MOST, len(surest)):
        raise HopeBenchError(f"{where}: worst holds {len(worst)} hallucinations, but the answers give {min(MOST, len(surest))}.")
    least = min((-1.0 if one.p_yes is None else one.p_yes for one in worst), default=0.0)
    listed = dict(zip(places, worst, strict=True))
    for image, value in surest.items():
        stated = listed[image].p_yes if image in listed else least
        if value > (-1.0 if stated is None else stated) + _PACKING:
            raise HopeBenchError(
                f"{where}: worst leaves out a surer hallucination, with P(yes) {value:.6f}. Score the run again."
            )


def _p_yes(split: SplitScore) -> Floats:
    return np.full(len(split.labels), np.nan) if split.probabilities is None else unpack(split.probabilities.packed)


def _check_p_yes(one: Hallucination, p_yes: Floats, where: str) -> None:
    """P(yes) must be that which the split packs for the same question."""
    known = optional(float(p_yes[one.place]))
    if (known is None) != (one.p_yes is None) or (
        known is not None and one.p_yes is not None and abs(known - one.p_yes) > _PACKING
    ):
        raise HopeBenchError(f"{where}.p_yes is {one.p_yes}, but the split's packed P(yes) gives {known}. Score the run again.")


def _check_order(worst: tuple[Hallucination, ...], seed: int, where: str) -> None:
    """The surest come first; ties in the order that the seed, image and question give."""
    drawn = [hashlib.sha256(f"{seed}\n{one.image}\n{one.question}".encode()).digest() for one in worst]
    keys = [(1.0 if one.p_yes is None else -one.p_yes, digest) for one, digest in zip(worst, drawn, strict=True)]
    for index, (one, other) in enumerate(pairwise(keys)):
        if other < one:
            raise HopeBenchError(f"{where}: worst.{index + 1} belongs before worst.{index}. Score the run again.")


def _surest(result: Result, p_yes: dict[str, Floats]) -> dict[int, float]:
    """The highest P(yes) of each image's hallucinations, -1 where none is known; without these where any is known at all."""
    best = np.full(result.benchmark.images, -2.0)
    for name, split in result.splits.items():
        if split.kind == "twin":
            continue
        labels, verdicts = (np.frombuffer(one.encode("ascii"), dtype=np.uint8) for one in (split.labels, split.verdicts))
        wrong = (labels == ord(PACKED["no"])) & (verdicts == ord(PACKED["yes"]))
        image: NDArray[np.int64] = np.repeat(np.arange(len(best)), split.questions_per_image)
        np.maximum.at(best, image[wrong], np.nan_to_num(p_yes[name], nan=-1.0)[wrong])
    least = 0.0 if (best >= 0).any() else -1.0
    return {place: float(best[place]) for place in np.flatnonzero(best >= least).tolist()}


def _image(split: SplitScore, place: int) -> int:
    """Which of the benchmark's images a question of a split is about."""
    return int(np.searchsorted(np.cumsum(split.questions_per_image), place, side="right"))
