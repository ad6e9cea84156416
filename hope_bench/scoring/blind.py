"""Answering without looking: always yes, always no, and a prior from how often each category is asked with a yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hope_bench.records import Question
from hope_bench.result import Blind
from hope_bench.scoring.metrics import VERDICTS, point_metrics

_SHOWN = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "hallucination_rate")


def blind_scores(questions: Sequence[Question]) -> tuple[Blind, ...]:
    """What each way of not looking scores on a split's questions; empty for a split without questions.

    `category-prior` says yes where, in the split's *other* images, more yes- than no-questions are about the category (a tie or
    an unseen category gets what the other images have more of, then no): what a model could learn from other images' questions.
    """
    if not questions:
        return ()
    said = {
        "always-yes": ["yes"] * len(questions),
        "always-no": ["no"] * len(questions),
        "category-prior": category_prior(questions),
    }
    return tuple(Blind(name=name, **_metrics(questions, verdicts)) for name, verdicts in said.items())


def category_prior(questions: Sequence[Question]) -> list[str]:
    """The prior's answer to each question, by leaving its image out."""
    everywhere, here = Counter[str | None](), Counter[tuple[str, str | None]]()
    for question in questions:
        step = 1 if question.label == "yes" else -1
        for what in (_claim(question), None):
            everywhere[what] += step
            here[question.image, what] += step
    answers = []
    for question in questions:
        for what in (_claim(question), None):
            balance = everywhere[what] - here[question.image, what]
            if balance:
                break
        answers.append("yes" if balance > 0 else "no")
    return answers


def _claim(question: Question) -> str:
    """What a question is about, for one who doesn't look: a described object apart from the plain one, by its kind."""
    return f"{question.object or question.text}\0{question.description_kind or ''}"


def _metrics(questions: Sequence[Question], verdicts: Sequence[str]) -> dict[str, float | None]:
    counts = np.zeros((2, len(VERDICTS)), dtype=np.int64)
    for question, verdict in zip(questions, verdicts, strict=True):
        counts[int(question.label == "no"), VERDICTS.index(verdict)] += 1
    metrics = point_metrics(counts)
    return {name: metrics[name] for name in _SHOWN}
