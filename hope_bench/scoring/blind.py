"""Answering without looking: always yes, always no, and a prior from how often each category is asked with a yes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.result import Blind
from hope_bench.records import Question
from hope_bench.scoring.metrics import VERDICTS, point_metrics

_SHOWN = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "hallucination_rate")


def blind_scores(questions: Sequence[Question]) -> tuple[Blind, ...]:
    """What each way of not looking scores on a split's questions; empty for a split without questions.

    `category-prior` says yes where, in the split's *other* images, more yes- than no-questions are about the category (a tie or
    an unseen category gets what the other images have more of, then no): what a model could learn from other images' questions.
    """
    if not questions:
        return ()
    positive = np.array([question.label == "yes" for question in questions])
    said = {
        "always-yes": np.ones(len(questions), dtype=np.bool_),
        "always-no": np.zeros(len(questions), dtype=np.bool_),
        "category-prior": category_prior(questions),
    }
    return tuple(Blind(name=name, **_metrics(positive, answers)) for name, answers in said.items())


def category_prior(questions: Sequence[Question]) -> NDArray[np.bool_]:
    """Whether the prior says yes to each question, bool [questions], by leaving the question's image out."""
    step = np.array([1 if question.label == "yes" else -1 for question in questions])
    image = _codes([question.image for question in questions])
    claim = _codes([(question.object or question.text, question.description_kind) for question in questions])
    others = _elsewhere(claim, image, step)
    fallback = _elsewhere(np.zeros_like(claim), image, step)
    return np.where(others == 0, fallback, others) > 0


def _elsewhere(what: NDArray[np.int64], image: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each question, the balance of yes over no among the questions about the same thing in other images."""
    _, here = np.unique(what * (image.max() + 1) + image, return_inverse=True)
    everywhere = np.bincount(what, weights=step)[what]
    return (everywhere - np.bincount(here, weights=step)[here]).astype(np.int64)


def _codes(values: Sequence[Hashable]) -> NDArray[np.int64]:
    """Each value's number, in order of first appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)


def _metrics(positive: NDArray[np.bool_], said_yes: NDArray[np.bool_]) -> dict[str, float | None]:
    right, wrong = int((positive & said_yes).sum()), int((~positive & said_yes).sum())
    return blind_metrics(int(positive.sum()), int((~positive).sum()), right, wrong)


def blind_metrics(positives: int, negatives: int, right: int, wrong: int) -> dict[str, float | None]:
    """The metrics of a blind way's record: it says yes to `right` of the yes-questions and to `wrong` of the no-questions."""
    counts = np.zeros((2, len(VERDICTS)), dtype=np.int64)
    counts[:, :2] = (right, positives - right), (wrong, negatives - wrong)
    metrics = point_metrics(counts)
    return {name: metrics[name] for name in _SHOWN}
