"""Rates under reviewed truth: what people found, joined with what the model answered to the same questions.

Wrong labels depend on the model: it affirms what is there and wasn't annotated. So rates are never corrected by a constant share
of wrong labels, but by the truth of a sample of the very questions that it answered (two-phase sampling, Neyman 1938; as
prediction-powered inference, Angelopoulos et al. 2023, with the label and the answer as the prediction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.split_score import PACKED, Corrected, Estimate, SplitScore
from hope_bench.records import Question
from hope_bench.reviewing.claims import key_of
from hope_bench.reviewing.noise import ReviewedClaim
from hope_bench.scoring.metrics import Floats, divide
from hope_bench.scoring.rates import Measured, Weighted, korn_graubard, quotient

TRUTH: dict[str, str] = {"present": "y", "absent": "n", "unsure": "?"}
"""How a decision is written in Corrected.truth; "-" is a question that nobody reviewed."""


def find_truth(questions: Sequence[Question], reviewed: Sequence[ReviewedClaim]) -> tuple[str, tuple[float, ...]] | None:
    """What the review says of a split's questions in packed order: a letter each (TRUTH), and the chance of having been drawn of
    each reviewed one; None where none was."""
    decided = {claim.key: claim for claim in reviewed}
    found = [decided.get(key_of(question)) for question in questions]
    if not any(found):
        return None
    return "".join("-" if one is None else TRUTH[one.decision] for one in found), tuple(one.inclusion for one in found if one)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A split's asked questions: whether each is labelled yes, bool [questions], the place of its image, int64, whether it was
    answered yes, bool, its truth as a letter of TRUTH or "-", and its weight, the reciprocal of its chance to be reviewed."""

    positive: NDArray[np.bool_]
    image: NDArray[np.int64]
    yes: NDArray[np.bool_]
    truth: NDArray[np.uint8]
    weight: Floats
    images: int

    def share(self, which: NDArray[np.bool_], counted: NDArray[np.bool_] | Floats, confidence: float) -> Measured:
        """The weighted share of the questions `which`, at least one, that count, by image."""
        weights = np.where(which, self.weight / self.weight[which].mean(), 0)
        yes, asked = (np.bincount(self.image, weights=one, minlength=self.images) for one in (weights * counted, weights))
        return korn_graubard(yes, asked, confidence)


def correct(split: SplitScore, truth: str, inclusion: Sequence[float], confidence: float) -> Corrected:
    """A split's recall and hallucination rate under reviewed truth.

    Of the questions of label a, n_a in number, the model affirms the share h_a; of those affirmed the review finds the share p_a1
    to be true positives' (absent, for the hallucination rate), of the others p_a0, each reviewed question weighted by the
    reciprocal of its chance of being drawn. The rate is the sum of n_a h_a p_a1 over that of n_a (h_a p_a1 + (1 - h_a) p_a0): the
    inverse-probability-weighted ratio, calibrated to how often each label and answer occur. What is unsure is in neither sum. The
    interval joins all six rates' Korn-Graubard limits by MOVER, with their errors' correlation over images, so both phases count.
    """
    asked = _asked(split, truth, inclusion)
    reviewed = asked.truth != ord("-")
    looked_at = [letter for letter, verdict in zip(truth, split.verdicts, strict=True) if PACKED["unasked"] != verdict]
    return Corrected(
        truth=truth,
        inclusion=tuple(inclusion),
        reviewed=len(looked_at) - looked_at.count("-"),
        unsure=looked_at.count("?"),
        recall=_rate(asked, reviewed, asked.truth == ord("y"), confidence),
        hallucination_rate=_rate(asked, reviewed, asked.truth == ord("n"), confidence),
    )


def _asked(split: SplitScore, truth: str, inclusion: Sequence[float]) -> _Asked:
    samples = len(split.all_verdicts)
    labels, verdicts, letters = (
        np.frombuffer(one.encode("ascii"), dtype=np.uint8)
        for one in (split.labels * samples, "".join(split.all_verdicts), truth * samples)
    )
    weight = np.ones(len(letters))
    weight[letters != ord("-")] = np.tile(np.reciprocal(np.asarray(inclusion, dtype=np.float64)), samples)
    image = np.tile(np.repeat(np.arange(len(split.questions_per_image)), split.questions_per_image), samples)
    kept = verdicts != ord("-")
    return _Asked(
        (labels == ord("y"))[kept], image[kept], (verdicts == ord("y"))[kept], letters[kept], weight[kept],
        len(split.questions_per_image),
    )  # fmt: skip


def _rate(asked: _Asked, reviewed: NDArray[np.bool_], true: NDArray[np.bool_], confidence: float) -> Estimate:
    """The share of affirmed questions among those whose truth is `true`; undefined where one image or none of a label was
    reviewed."""
    terms: list[tuple[int, Measured, Measured, Measured]] = []
    for own in (asked.positive, ~asked.positive):
        if not own.any():
            continue
        if len(np.unique(asked.image[own & reviewed])) < 2:
            return Estimate(value=None)
        cells = []
        for said in (True, False):
            cell = own & reviewed & (asked.yes == said)
            found = asked.share(cell if cell.any() else own & reviewed, true, confidence)
            cells.append(found if len(np.unique(asked.image[cell])) > 1 else _unknown(found))
        unweighted = replace(asked, weight=np.ones(len(own)))
        terms.append((int(own.sum()), unweighted.share(own, asked.yes, confidence), cells[0], cells[1]))
    above = sum(n * h.value * affirmed.value for n, h, affirmed, _ in terms)
    below = sum(n * (h.value * affirmed.value + (1 - h.value) * denied.value) for n, h, affirmed, denied in terms)
    value = divide(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    if np.isnan(value):
        return Estimate(value=None)

    def line(at: Floats) -> tuple[Floats, tuple[Weighted, ...]]:
        parts: list[Weighted] = []
        for n, h, affirmed, denied in terms:
            parts += [
                (n * (affirmed.value * (1 - at) + denied.value * at), h),
                (n * h.value * (1 - at), affirmed),
                (-n * (1 - h.value) * at, denied),
            ]
        return above - at * below - sum(weight * one.value for weight, one in parts), tuple(parts)

    unknown = np.full_like(value, np.nan)  # its influence: nobody sets it beside another number
    return quotient(value, unknown, line).estimate()


def _unknown(share: Measured) -> Measured:
    """A share that may be anything: of what one image shows, or no image of this answer."""
    return Measured(share.value, np.zeros(()), np.ones(()), share.influence)
