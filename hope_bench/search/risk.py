"""How likely an unlabelled category is in the picture after all: CLIP evidence, calibrated on the labels (docs/method.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TILES: tuple[tuple[float, float, float, float], ...] = tuple(
    (left, top, left + 0.5, top + 0.5) for top in (0.0, 0.25, 0.5) for left in (0.0, 0.25, 0.5)
)
"""Nine overlapping quarters of the picture, as shares of its width and height: small objects fill more of a tile."""

FOLDS = 5
FEWEST_LABELLED = 15
"""A category labelled in fewer images than this (in training folds) is calibrated together with the other rare ones."""


def risk_of_presence(labelled_probability: Floats, completeness: float) -> Floats:
    """P(present | evidence, unlabelled) = min(1, (1 - c) / c * r / (1 - r)), elementwise.

    `labelled_probability` r in [0, 1] is P(labelled | evidence); `completeness` c in (0, 1] the share of present objects that
    are labelled, which is stated, not estimated. From r = c * p and Bayes' rule (docs/method.md).
    """
    odds = labelled_probability / np.maximum(1.0 - labelled_probability, 1e-12)
    return np.minimum(1.0, (1.0 - completeness) / completeness * odds)


def labelled_probability(evidence: Floats, labelled: NDArray[np.bool_], fold_of: NDArray[np.int64]) -> Floats:
    """r = P(labelled | evidence) for every image and category, [N, C], each image judged by a fit that never saw its fold.

    `evidence` is [N, C, F] (cosines of whole image and best tile), `labelled` [N, C], `fold_of` [N] in range(FOLDS). One
    logistic regression per category; rare categories share one.
    """
    from sklearn.linear_model import LogisticRegression

    images, categories, features = evidence.shape
    result = np.zeros((images, categories))
    for fold in range(FOLDS):
        test, train = fold_of == fold, fold_of != fold
        if not test.any():
            continue
        mean = evidence[train].mean(axis=0, keepdims=True)
        spread = evidence[train].std(axis=0, keepdims=True)
        scaled = (evidence - mean) / np.where(spread > 0, spread, 1.0)
        enough = (labelled[train].sum(axis=0) >= FEWEST_LABELLED) & ((~labelled[train]).sum(axis=0) >= FEWEST_LABELLED)
        groups = [[place] for place in np.flatnonzero(enough).tolist()]
        groups += [np.flatnonzero(~enough).tolist()] if not enough.all() else []
        for group in groups:
            x, y = scaled[train][:, group].reshape(-1, features), labelled[train][:, group].ravel()
            if y.all() or not y.any():
                result[np.ix_(test, group)] = float(y.mean())
                continue
            fit = LogisticRegression().fit(x, y)
            predicted = fit.predict_proba(scaled[test][:, group].reshape(-1, features))[:, 1]
            result[np.ix_(test, group)] = predicted.reshape(-1, len(group))
    return result
