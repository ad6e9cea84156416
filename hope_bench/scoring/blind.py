"""Answering without looking: what the words of the questions alone give away, learnt from questions about other images."""

from __future__ import annotations

import base64
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.split_score import Blind, Estimate, FittedOn, SplitScore
from hope_bench.records import Question
from hope_bench.scoring.metrics import VERDICTS, compute, optional
from hope_bench.scoring.sensitivity import placements

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
_Learn = Callable[[Places, Places], Floats]

PAIRS_BY_CHANCE = 0.25
"""Paired discrimination of someone who tosses a coin for each question; answering all of them alike gives 0."""

_SHOWN = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "hallucination_rate")
_FOLDS = 5
_YES_FROM = 128
"""From which level on a blind way says yes."""

ALWAYS = {"always-yes": _YES_FROM, "always-no": 0}
"""The level of the ways that ask nothing."""

_CONVERGED = 1e-12
_DECIMALS = 8
"""How near the fit comes to the one best model, and which decimals of P(yes) are kept of it: those that don't depend on the
processor, whose sums end on other bits."""

_Z = 1.959963984540054
"""Of a 95% interval."""


def blind_suite(benchmark: Benchmark) -> dict[str, tuple[Blind, ...]]:
    """`blind_scores` of every split, learnt from the questions about other images that lie beside the benchmark."""
    return {name: blind_scores(questions, benchmark.others.get(name, ())) for name, questions in benchmark.splits.items()}


def blind_scores(questions: Sequence[Question], others: Sequence[Question] = ()) -> tuple[Blind, ...]:
    """What each way of not looking scores on a split's questions; empty for a split without questions.

    `category` says yes where its category (of a description: its kind, too) has more yes- than no-questions; `words` is a
    logistic model over the words and pairs of words of a question, `words-and-others` over those of the image's other
    questions too. They learn from `others`, made in the same way from other images. Without these they learn crosswise, each
    fifth of the images from the rest, which is no fair test of a balanced split: what is left of a claim then leans the other
    way. The models of all runs on a benchmark are held against the same ways, which are learnt once in a process."""
    known = sha256(repr([_told(questions), _told(others)]).encode()).digest()
    if known not in _LEARNT:
        _LEARNT[known] = _learn(questions, others)
    return _LEARNT[known]


_LEARNT: dict[bytes, tuple[Blind, ...]] = {}
"""What `blind_scores` gave, by what it was told."""


def _told(questions: Sequence[Question]) -> list[tuple[object, ...]]:
    """All that the ways are told of questions."""
    return [(one.image, one.text, one.label, one.object, one.description_kind, one.twin_of) for one in questions]


def _learn(questions: Sequence[Question], others: Sequence[Question]) -> tuple[Blind, ...]:
    if not questions:
        return ()
    positive = np.array([one.label == "yes" for one in questions])
    image = _codes([one.image for one in questions])
    ways = {"always-yes": np.ones(len(questions)), "always-no": np.zeros(len(questions))}
    made = [_score(name, questions, positive, image, says, None, None) for name, says in ways.items()]
    if len(others) == 0 and image.max() == 0:
        return tuple(made)  # of one image nothing is to be learnt
    folds = list(_folds(len(others), image))
    for name, learner in _LEARNERS.items():
        says = np.empty(len(questions))
        learn = learner(others, questions)
        for train, asked in folds:
            says[asked] = learn(train, asked + len(others))
        made.append(_score(name, questions, positive, image, says, "other-images" if others else "crosswise", others))
    return tuple(made)


def _folds(others: int, image: NDArray[np.int64]) -> Iterator[tuple[Places, Places]]:
    """The places of what is learnt from among others and questions, and of those among the questions that are answered by it."""
    if others:
        yield np.arange(others), np.arange(len(image))
        return
    fold = image % min(_FOLDS, int(image.max()) + 1)
    for one in range(int(fold.max()) + 1):
        yield np.flatnonzero(fold != one), np.flatnonzero(fold == one)


# Of others and questions, as one list, each learns from those at some places, and gives P(yes) of those at some: float [asked].


def _by_category(others: Sequence[Question], questions: Sequence[Question]) -> _Learn:
    told = [(_claim(one), one.label) for one in (*others, *questions)]

    def learn(train: Places, asked: Places) -> Floats:
        balance: Counter[Hashable] = Counter()
        for claim, label in (told[place] for place in train):
            balance[claim] += 1 if label == "yes" else -1
        seen = Counter(told[place][0] for place in train)
        usual = sum(balance.values())
        claims = [told[place][0] for place in asked]
        return np.array([0.5 + 0.5 * (balance[claim] or usual * 1e-9) / (seen[claim] + 1) for claim in claims], dtype=np.float64)

    return learn


def _claim(question: Question) -> tuple[str, str | None]:
    return question.object or question.text, question.description_kind


def _by_words(others: Sequence[Question], questions: Sequence[Question]) -> _Learn:
    told = (*others, *questions)
    return _logistic([_words(one.text) for one in told], told)


def _by_words_and_others(others: Sequence[Question], questions: Sequence[Question]) -> _Learn:
    return _logistic([*_in_context(others), *_in_context(questions)], (*others, *questions))


def _in_context(questions: Sequence[Question]) -> list[list[str]]:
    """Each question's words, and apart from them those of its image's other questions."""
    by_image: defaultdict[str, list[int]] = defaultdict(list)
    words = [_words(one.text) for one in questions]
    for place, one in enumerate(questions):
        by_image[one.image].append(place)
    return [
        own + [f"other:{word}" for other in by_image[one.image] if other != place for word in words[other]]
        for place, (one, own) in enumerate(zip(questions, words, strict=True))
    ]


def _words(text: str) -> list[str]:
    words = text.lower().rstrip("?").split()
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


def _logistic(documents: Sequence[Sequence[str]], told: Sequence[Question]) -> _Learn:
    from sklearn.linear_model import LogisticRegression

    labels = np.array([one.label == "yes" for one in told])
    column = {word: number for number, word in enumerate(sorted({word for document in documents for word in document}))}
    words = [np.array([column[word] for word in dict.fromkeys(document)], dtype=np.int64) for document in documents]

    def learn(train: Places, asked: Places) -> Floats:
        seen = [words[place] for place in train]
        if labels[train].all() or not labels[train].any() or not any(map(len, seen)):
            return np.full(len(asked), labels[train].mean())
        known = np.unique(np.concatenate(seen))
        model = LogisticRegression(solver="newton-cg", tol=_CONVERGED, fit_intercept=False)
        with warnings.catch_warnings():  # where no step lowers the loss any more, the fit is as near as numbers are
            warnings.filterwarnings("ignore", "Line Search failed|The line search algorithm did not converge")
            model.fit(_table(seen, known), labels[train])
        says = model.predict_proba(_table([words[place] for place in asked], known))[:, 1]
        return np.asarray(np.round(says, _DECIMALS), dtype=np.float64)

    return learn


def _table(documents: Sequence[Places], known: Places) -> Any:
    """A sparse matrix, [documents, known words + 1]: 1 where a document holds a word, given as their numbers in ascending order;
    and 1 at the end, for all that they have in common."""
    from scipy.sparse import csr_matrix

    word = np.concatenate(documents)
    row = np.repeat(np.arange(len(documents)), [len(one) for one in documents])
    place = np.searchsorted(known, word).clip(max=len(known) - 1)
    held = known[place] == word
    row = np.append(row[held], np.arange(len(documents)))
    place = np.append(place[held], np.full(len(documents), len(known)))
    return csr_matrix((np.ones(len(place)), (row, place)), shape=(len(documents), len(known) + 1))


_LEARNERS = {"category": _by_category, "words": _by_words, "words-and-others": _by_words_and_others}


def _score(
    name: str, questions: Sequence[Question], positive: Mask, image: NDArray[np.int64], says: Floats, fitted: FittedOn | None,
    others: Sequence[Question] | None,
) -> Blind:  # fmt: skip
    levels = _levels(says)
    twins = sum(one.twin_of is not None for one in questions)
    learnt = None if others is None else len({one.image for one in others or questions})
    numbers = _numbers(positive, image, levels, pairs=bool(twins) and 2 * twins == len(questions))
    if fitted is None:
        return Blind(name=name, **{**numbers, "auroc": None})
    return Blind(name=name, **numbers, fitted_on=fitted, images=learnt, levels=base64.b64encode(levels.tobytes()).decode("ascii"))


def _levels(says: Floats) -> NDArray[np.uint8]:
    """P(yes) as Blind.levels holds it: at most 128 steps of about equally many questions on either side of 0.5."""
    made = np.empty(len(says), dtype=np.uint8)
    for side, first in ((says <= 0.5, 0), (says > 0.5, _YES_FROM)):
        distinct, which = np.unique(says[side], return_inverse=True)
        if len(distinct) > _YES_FROM:
            edges = np.unique(np.quantile(says[side], np.linspace(0, 1, _YES_FROM + 1)[1:-1]))
            which = np.searchsorted(edges, says[side], side="right")
        made[side] = which + first
    return made


def _numbers(positive: Mask, image: NDArray[np.int64], levels: NDArray[np.uint8], *, pairs: bool) -> dict[str, Any]:
    """What a way's levels score: the fields of its Blind. `pairs` says that the questions are false ones and their true twins."""
    yes = levels >= _YES_FROM
    right, wrong = int((positive & yes).sum()), int((~positive & yes).sum())
    both = (yes == positive)[::2] & (yes == positive)[1::2] if pairs else None
    labels = bool(positive.any() and not positive.all())  # both
    return {
        **blind_metrics([(int(positive.sum()), int((~positive).sum()), right, wrong)])[0],
        "either_way": _either_way(positive, yes, image) if labels else None,
        "auroc": _auroc(positive, levels, image) if labels else None,
        "paired_discrimination": None if both is None else _rounded(float(both.mean())),
    }


def recount_blind(split: SplitScore) -> tuple[Blind, ...]:
    """A split's blind ways scored again from its labels and what each of them says; one that doesn't say it is left out."""
    positive = np.frombuffer(split.labels.encode("ascii"), dtype=np.uint8) == ord("y")
    asked = np.flatnonzero(split.questions_per_image)
    image = np.repeat(np.arange(len(asked)), np.asarray(split.questions_per_image, dtype=np.int64)[asked])
    pairs = split.kind == "twin"
    made = []
    for one in split.blind:
        if one.levels is not None:
            levels = np.frombuffer(base64.b64decode(one.levels), dtype=np.uint8)
            images = len(asked) if one.fitted_on == "crosswise" else one.images
            update = {**_numbers(positive, image, levels, pairs=pairs), "images": images}
            made.append(one.model_copy(update=update))
        elif one.name in ALWAYS:
            levels = np.full(len(positive), ALWAYS[one.name], dtype=np.uint8)
            numbers = _numbers(positive, image, levels, pairs=pairs)
            made.append(Blind(name=one.name, **{**numbers, "auroc": None}))
    return tuple(made)


def blind_metrics(ways: Sequence[tuple[int, int, int, int]]) -> list[dict[str, float | None]]:
    """The metrics of blind ways' records, given of each how many yes-questions and no-questions there are, and to how many of
    these and of those it says yes."""
    counts = np.zeros((len(ways), 2, len(VERDICTS)), dtype=np.int64)
    for table, (positives, negatives, right, wrong) in zip(counts, ways, strict=True):
        table[:, :2] = (right, positives - right), (wrong, negatives - wrong)
    found = compute(counts)
    return [{name: optional(float(found[name][place])) for name in _SHOWN} for place in range(len(ways))]


def _either_way(positive: Mask, yes: Mask, image: NDArray[np.int64]) -> Estimate:
    """max(BA, 1 - BA), the rule's or its opposite's balanced accuracy."""
    value, half = _by_label(positive, (yes == positive).astype(np.float64), image)
    low, high = value - half, value + half
    folded = (max(low, 1 - high, 0.5), max(high, 1 - low))
    return Estimate(value=_rounded(max(value, 1 - value)), low=_rounded(folded[0]), high=_rounded(min(folded[1], 1.0)))


def _auroc(positive: Mask, says: NDArray[np.uint8], image: NDArray[np.int64]) -> Estimate:
    """The chance that a yes-question is given a higher P(yes) than a no-question, ties half; interval by placement values
    (DeLong 1988), clustered by image (Obuchowski 1997)."""
    value, half = _by_label(positive, placements(says, positive), image)
    return Estimate(value=_rounded(value), low=_rounded(max(value - half, 0.0)), high=_rounded(min(value + half, 1.0)))


def _by_label(positive: Mask, each: Floats, image: NDArray[np.int64]) -> tuple[float, float]:
    """The mean of two labels' means, and half its 95% interval, from the images' sums of deviations. Needs both labels."""
    means = (float(each[positive].mean()), float(each[~positive].mean()))
    deviations = np.where(positive, (each - means[0]) / positive.sum(), (each - means[1]) / (~positive).sum()) / 2
    sums = np.bincount(image, weights=deviations)
    images = len(sums)
    spread = sqrt(float((sums**2).sum()) * images / (images - 1)) if images > 1 else 0.5
    return (means[0] + means[1]) / 2, _Z * spread


def answered_right(one: Blind, labels: str) -> Mask | None:
    """Which questions a blind way answers right, bool [questions] in the order of `labels`; or its opposite, where that has the
    higher balanced accuracy. None where what it says isn't known, or no balanced accuracy."""
    if one.levels is None or one.balanced_accuracy is None:
        return None
    says = np.frombuffer(base64.b64decode(one.levels), dtype=np.uint8) >= _YES_FROM
    positive = np.frombuffer(labels.encode("ascii"), dtype=np.uint8) == ord("y")
    right: Mask = (says == positive) == (one.balanced_accuracy >= 0.5)
    return right


def strongest(scores: Sequence[Blind]) -> Blind | None:
    """The blind way that tells most, the right way round or the other; None where none is known."""
    known = [(one.either_way.value, one) for one in scores if one.either_way is not None and one.either_way.value is not None]
    return max(known, key=lambda pair: pair[0], default=(None, None))[1]


def above_blind(balanced_accuracy: float | None, scores: Sequence[Blind]) -> float | None:
    """(BA - blind) / (1 - blind): what is left of a balanced accuracy above the strongest blind way; 1 is perfect, 0 no better
    than blind. None where either is unknown, or blind answers are all right."""
    best = strongest(scores)
    blind = None if best is None or best.either_way is None else best.either_way.value
    if balanced_accuracy is None or blind is None or blind >= 1:
        return None
    return (balanced_accuracy - blind) / (1 - blind)


def _rounded(value: float) -> float:
    return round(value, 6)


def _codes(values: Sequence[Hashable]) -> NDArray[np.int64]:
    """Each value's number, in order of first appearance."""
    known: Mapping[Hashable, int] = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return np.array([known[value] for value in values], dtype=np.int64)


__all__ = [
    "ALWAYS", "PAIRS_BY_CHANCE", "above_blind", "blind_metrics", "blind_scores", "blind_suite", "recount_blind", "strongest",
]  # fmt: skip
