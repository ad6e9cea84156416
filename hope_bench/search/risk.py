"""How likely an unlabelled category is in the picture after all: CLIP evidence, calibrated on the labels (docs/method.md)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hope_bench.progress import progress_bar

Floats = NDArray[np.float64]

TILES: tuple[tuple[float, float, float, float], ...] = tuple(
    (left, top, left + 0.5, top + 0.5) for top in (0.0, 0.25, 0.5) for left in (0.0, 0.25, 0.5)
)
"""Nine overlapping quarters of the picture, as shares of its width and height: small objects fill more of a tile."""

ROUNDS = 2
"""Lookalikes are first sought among the labelled categories, then among those that the first round found likely as well."""

FOLDS = 5
FEWEST_LABELLED = 15
"""A category labelled in fewer images than this (in training folds) is calibrated together with the other rare ones."""


def estimate_risk(
    seen: Floats,
    labelled: NDArray[np.bool_],
    similarity: Floats,
    completeness: float,
    fold_of: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """The risk [N, C] in [0, 1] that an unlabelled category is present, and the evidence [N, C, F + 1] it rests on.

    `seen` [N, C, F] is what speaks for presence (cosines of whole image and best tile, and what a user brings), `labelled`
    [N, C]; `similarity` [C, C] tells how alike two categories are (1 is the same), `completeness` the share of present objects
    that are labelled, `fold_of` [N] as `labelled_probability` takes it. The last column of the evidence is `lookalikes`.
    """
    present = labelled.astype(np.float64)
    evidence = np.concatenate([seen, np.empty((*labelled.shape, 1))], axis=2)
    for _ in range(ROUNDS):
        evidence[..., -1] = lookalikes(present, similarity)
        risk = risk_of_presence(labelled_probability(evidence, labelled, fold_of), completeness)
        present = np.where(labelled, 1.0, risk)
    return risk, evidence


def lookalikes(present: Floats, similarity: Floats) -> Floats:
    """How much else in the image looks like each category: the sum over the *other* categories p of P(p is present) times the
    square of their similarity, negative ones counting nothing. [N, C] x [C, C] -> [N, C].

    A cup on the table is why CLIP sees a mug there: what other objects explain speaks less for the category itself.
    """
    others = np.maximum(similarity, 0.0) ** 2
    np.fill_diagonal(others, 0.0)
    return np.asarray(present @ others)


def risk_of_presence(labelled_probability: Floats, completeness: float) -> Floats:
    """P(present | evidence, unlabelled) = min(1, (1 - c) / c * r / (1 - r)), elementwise.

    `labelled_probability` r in [0, 1] is P(labelled | evidence); `completeness` c in (0, 1] the share of present objects that
    are labelled, which is stated, not estimated. From r = c * p and Bayes' rule (docs/method.md).
    """
    odds = labelled_probability / np.maximum(1.0 - labelled_probability, 1e-12)
    return np.minimum(1.0, (1.0 - completeness) / completeness * odds)


def labelled_probability(evidence: Floats, labelled: NDArray[np.bool_], fold_of: NDArray[np.int64]) -> Floats:
    """r = P(labelled | evidence) for every image and category, [N, C], each image judged by a fit that never saw its fold.

    `evidence` is [N, C, F], `labelled` [N, C], `fold_of` [N] in range(FOLDS). One logistic regression per category; the rare ones
    share one, which also knows how often each is labelled.
    """
    result = np.zeros(labelled.shape)
    with progress_bar("Calibrating the risk of categories", FOLDS * labelled.shape[1]) as advance:
        for fold in range(FOLDS):
            _judge_fold(result, evidence, labelled, fold_of == fold, advance)
    return result


def _judge_fold(
    result: Floats, evidence: Floats, labelled: NDArray[np.bool_], test: NDArray[np.bool_], advance: Callable[[int], None]
) -> None:
    """`labelled_probability` of the images `test` [N], into `result` [N, C]: 1 where there is no other image to learn from."""
    from sklearn.linear_model import LogisticRegression

    train = ~test
    if not train.any():
        result[test] = 1.0
        return
    counts = labelled[train].sum(axis=0)
    enough = (counts >= FEWEST_LABELLED) & (train.sum() - counts >= FEWEST_LABELLED)
    groups = [np.array([place]) for place in np.flatnonzero(enough)]
    groups += [] if enough.all() else [np.flatnonzero(~enough)]
    for group in groups if test.any() else []:
        y = labelled[train][:, group].ravel()
        if y.all() or not y.any():
            result[np.ix_(test, group)] = float(y.mean())
        else:
            features = _features(evidence[:, group], labelled[:, group], train)
            # Converged, so that the digits that questions carry don't depend on the processor.
            fit = LogisticRegression(solver="newton-cholesky", tol=1e-10).fit(_rows(features[train]), y)
            result[np.ix_(test, group)] = fit.predict_proba(_rows(features[test]))[:, 1].reshape(test.sum(), len(group))
        advance(len(group))


def _rows(features: Floats) -> Floats:
    images, group, width = features.shape
    return features.reshape(images * group, width)


def _features(evidence: Floats, labelled: NDArray[np.bool_], train: NDArray[np.bool_]) -> Floats:
    """What a fit looks at: the evidence [N, G, F] of a group of categories, standardized over the training images; and, where
    there are several, how often each is labelled (log odds)."""
    mean = evidence[train].mean(axis=0)
    spread = evidence[train].std(axis=0)
    scaled = (evidence - mean) / np.where(spread > 0, spread, 1.0)
    if scaled.shape[1] == 1:
        return np.asarray(scaled)
    often = np.log((labelled[train].sum(axis=0) + 0.5) / ((~labelled[train]).sum(axis=0) + 0.5))
    return np.concatenate([scaled, np.broadcast_to(often[:, None], (*scaled.shape[:2], 1))], axis=2)
