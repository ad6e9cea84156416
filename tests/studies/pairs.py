"""A stronger way of not looking than the blind suite's, and what no count of single claims can take away: which objects go
together. It knows all questions of an image, as no model does that is asked them one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hope_bench.records import Question


def pairs_balanced_accuracy(learnt: Sequence[Question], asked: Sequence[Question]) -> float:
    """max(BA, 1 - BA) on `asked` of a logistic model that learnt from questions about other images: of what is asked, and of each
    pair of it with another question of the same image."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = CountVectorizer(analyzer=lambda features: features, binary=True)
    model = LogisticRegression(solver="liblinear", C=0.1, random_state=0)
    model.fit(vectorizer.fit_transform(_features(learnt)), [one.label == "yes" for one in learnt])
    yes = model.predict(vectorizer.transform(_features(asked)))
    positive = np.array([one.label == "yes" for one in asked])
    accuracy = float(yes[positive].mean() + 1 - yes[~positive].mean()) / 2
    return max(accuracy, 1 - accuracy)


def crosswise(questions: Sequence[Question], folds: int = 5) -> float:
    """The same where there are no other images: the mean over fifths of the images, each learnt from the rest."""
    images = {image: place % folds for place, image in enumerate(dict.fromkeys(one.image for one in questions))}
    parts: list[list[Question]] = [[] for _ in range(folds)]
    for one in questions:
        parts[images[one.image]].append(one)
    rest = [[one for other in parts if other is not part for one in other] for part in parts]
    return float(np.mean([pairs_balanced_accuracy(*each) for each in zip(rest, parts, strict=True)]))


def _features(questions: Sequence[Question]) -> list[list[str]]:
    by_image: defaultdict[str, list[Question]] = defaultdict(list)
    for one in questions:
        by_image[one.image].append(one)
    return [
        [one.text, *(f"{one.object} {other.object}" for other in by_image[one.image] if other is not one)]
        for one in questions
    ]  # fmt: skip
