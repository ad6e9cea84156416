"""The blind ways against a reference written out question by question, with scikit-learn's own table of words."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from hope_bench.files.split_score import Blind, Estimate, SplitScore, VerdictCounts
from hope_bench.records import Question
from hope_bench.scoring.blind import _levels, above_blind, blind_metrics, blind_scores, recount_blind, strongest

NAMES = ("dog", "cat", "cup", "bus", "red owl", "Owl")
NONE = Estimate(value=None)


def drawn(seed: int, images: int, first: int = 0, most: int = 4) -> list[Question]:
    """Questions of which some words and some kinds of description tell something."""
    rng = np.random.default_rng(seed)
    made: list[Question] = []
    for image in range(images):
        for _ in range(rng.integers(1, most + 1)):
            place, kind = int(rng.integers(len(NAMES))), (None, "colour", "count")[rng.integers(3)]
            label = "yes" if rng.random() < 0.2 + 0.1 * place + 0.1 * (kind == "count") else "no"
            one = Question(len(made) + 1, f"{first + image}.jpg", f"Is there a {NAMES[place]} ?", label, "random", NAMES[place])  # type: ignore[arg-type]
            made.append(replace(one, description_kind=kind, object=None if rng.random() < 0.2 else one.object))  # type: ignore[arg-type]
    return made


def terms(text: str) -> list[str]:
    words = text.lower().rstrip("?").split()
    return words + [f"{words[at]} {words[at + 1]}" for at in range(len(words) - 1)]


def documents(questions: Sequence[Question]) -> list[list[str]]:
    """Of each question its own words, then those of its image's other questions."""
    return [
        terms(one.text) + [f"other:{word}" for other in questions if other.image == one.image and other is not one
                           for word in terms(other.text)]
        for one in questions
    ]  # fmt: skip


def category_says(train: Sequence[Question], asked: Sequence[Question]) -> list[float]:
    """The share of yes with one question more, half a yes; of a claim that tells nothing, a hair towards the whole's side."""
    yes = sum(one.label == "yes" for one in train)
    made = []
    for one in asked:
        claim = (one.object or one.text, one.description_kind)
        own = [other.label == "yes" for other in train if (other.object or other.text, other.description_kind) == claim]
        even = 2 * sum(own) == len(own)
        made.append(0.5 + 0.5e-9 * (2 * yes - len(train)) / (len(own) + 1) if even else (sum(own) + 0.5) / (len(own) + 1))
    return made


def model_says(train: list[list[str]], labels: list[bool], asked: list[list[str]]) -> list[float]:
    if len(set(labels)) == 1 or not any(train):
        return [float(np.mean(labels))] * len(asked)
    table = CountVectorizer(analyzer=lambda words: ["", *words], binary=True)
    model = LogisticRegression(solver="newton-cholesky", tol=1e-12, fit_intercept=False)
    model.fit(table.fit_transform(train).toarray(), labels)
    return model.predict_proba(table.transform(asked).toarray())[:, 1].round(8).tolist()  # type: ignore[no-any-return]


def reference(asked: list[Question], others: list[Question]) -> dict[str, list[float]]:
    """Each way's P(yes) of each question."""
    order = list(dict.fromkeys(one.image for one in asked))
    fold = [order.index(one.image) % min(5, len(order)) for one in asked]
    own, context = documents(others), documents(asked)
    ways: dict[str, list[float]] = {name: [np.nan] * len(asked) for name in ("category", "words", "words-and-others")}
    for part in [None] if others else sorted(set(fold)):
        places = [place for place in range(len(asked)) if part in (None, fold[place])]
        rest = [place for place in range(len(asked)) if place not in places]
        train = others or [asked[place] for place in rest]
        around, near_by = own or [context[place] for place in rest], [context[place] for place in places]
        labels = [one.label == "yes" for one in train]
        for name, said in (
            ("category", category_says(train, [asked[place] for place in places])),
            ("words", model_says([terms(one.text) for one in train], labels, [terms(asked[place].text) for place in places])),
            ("words-and-others", model_says(around, labels, near_by)),
        ):  # fmt: skip
            for place, value in zip(places, said, strict=True):
                ways[name][place] = value
    return ways


def interval(each: Sequence[float], labels: Sequence[bool], images: Sequence[str]) -> tuple[float, float]:
    """The mean of the two labels' means, and half its interval, summed image by image."""
    means = {label: np.mean([one for one, own in zip(each, labels, strict=True) if own == label]) for label in (True, False)}
    sums = dict.fromkeys(images, 0.0)
    for one, label, image in zip(each, labels, images, strict=True):
        sums[image] += (one - means[label]) / list(labels).count(label) / 2
    n = len(sums)
    spread = sqrt(n / (n - 1) * sum(one**2 for one in sums.values())) if n > 1 else 0.5
    return float(means[True] + means[False]) / 2, float(norm.ppf(0.975)) * spread


def numbers(levels: Sequence[int], questions: Sequence[Question], pairs: bool) -> dict[str, Any]:
    labels, said = [one.label == "yes" for one in questions], [level >= 128 for level in levels]
    images = [one.image for one in questions]
    right = [a == b for a, b in zip(labels, said, strict=True)]
    balanced, half = interval(right, labels, images)
    placements = [
        np.mean([(sign * (level - other) > 0) + (level == other) / 2
                 for other, its in zip(levels, labels, strict=True) if its != label])
        for level, label in zip(levels, labels, strict=True) for sign in (1 if label else -1,)
    ]  # fmt: skip
    area, reach = interval(placements, labels, images)
    assert area == pytest.approx(roc_auc_score(labels, levels))
    return {
        "accuracy": accuracy_score(labels, said), "balanced_accuracy": balanced,
        "precision": precision_score(labels, said) if any(said) else None, "recall": recall_score(labels, said),
        "f1": f1_score(labels, said), "hallucination_rate": 1 - recall_score(labels, said, pos_label=False),
        "either_way": (max(balanced, 1 - balanced), max(0.5, balanced - half, 1 - balanced - half),
                       min(1, max(balanced + half, 1 - balanced + half))),
        "auroc": (area, max(0, area - reach), min(1, area + reach)),
        "paired_discrimination": np.mean([a and b for a, b in zip(right[::2], right[1::2], strict=True)]) if pairs else None,
    }  # fmt: skip


def stated(one: Blind) -> dict[str, Any]:
    names = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "hallucination_rate", "paired_discrimination")
    spans = {name: getattr(one, name) for name in ("either_way", "auroc")}
    return {name: getattr(one, name) for name in names} | {
        name: span and (span.value, span.low, span.high) for name, span in spans.items()
    }


def near(value: Any) -> Any:
    return None if value is None else pytest.approx(value, abs=1.1e-6)


def level_of(says: list[float]) -> list[int]:
    """Ranks on either side of a half, the no side from 0, the yes side from 128."""
    sides = [sorted({one for one in says if (one > 0.5) == yes}) for yes in (False, True)]
    return [128 + sides[1].index(one) if one > 0.5 else sides[0].index(one) for one in says]


def levels_of(one: Blind) -> list[int]:
    return list(base64.b64decode(one.levels or ""))


def scored(questions: Sequence[Question], blind: tuple[Blind, ...], each: Sequence[int], kind: str = "pope") -> SplitScore:
    """A split of these blind ways alone."""
    labels = "".join(one.label[0] for one in questions)
    return SplitScore(
        kind=kind, on_yes=VerdictCounts(), on_no=VerdictCounts(), accuracy=NONE, balanced_accuracy=NONE, precision=NONE,
        recall=NONE, f1=NONE, specificity=NONE, hallucination_rate=NONE, yes_ratio=NONE,
        questions_per_image=tuple(each), labels=labels, verdicts="-" * len(labels), blind=blind,
    )  # fmt: skip


@pytest.mark.parametrize(("images", "others"), [(40, 0), (40, 30), (3, 0), (2, 1), (1, 25), (6, 0)])
def test_every_way_as_the_reference_has_it(images: int, others: int) -> None:
    asked, learnt = drawn(images, images, most=6), drawn(7, others, first=1000)
    found = {one.name: one for one in blind_scores(asked, learnt)}
    assert list(found) == ["always-yes", "always-no", "category", "words", "words-and-others"]
    for name, says in reference(asked, learnt).items():
        one = found[name]  # type: ignore[index]
        assert levels_of(one) == level_of(says), name
        assert (one.fitted_on, one.images) == (("other-images", others) if others else ("crosswise", images))
    for name, one in found.items():
        levels = levels_of(one) if one.levels else [255 if name == "always-yes" else 0] * len(asked)
        expected = numbers(levels, asked, pairs=False)
        if one.levels is None:
            expected["auroc"] = None
            assert (one.fitted_on, one.images) == (None, None)
        assert stated(one) == {key: near(value) for key, value in expected.items()}, name
        spans = [span for span in (one.either_way, one.auroc) if span]
        ends = [(span.value or 0.0, span.low or 0.0, span.high or 0.0) for span in spans]
        assert ends == [tuple(round(end, 6) for end in three) for three in ends]


def test_they_do_not_depend_on_the_processor() -> None:
    """Each sums in an order of its own. What is left of that at the end of a fit that stops early is more than questions' levels
    are apart: the reference, by another method, comes to the same ones."""
    rng = np.random.default_rng(0)
    names = [f"{one} {other}" for one in ("red", "big", "old", "wet", "odd") for other in ("dog", "cat", "cup", "bus", "owl")]
    asked = [
        Question(number, f"{number // 6}.jpg", f"Is there a {names[place]} in the image?", label, "random", names[place])
        for number in range(600)
        for place in [min(int(rng.exponential(6)), len(names) - 1)]
        for label in ["yes" if rng.random() < 0.8 - 0.03 * place else "no"]
    ]  # type: ignore[arg-type]
    found = {one.name: one for one in blind_scores(asked)}
    for name, says in reference(asked, []).items():
        assert levels_of(found[name]) == _levels(np.array(says)).tolist(), name  # type: ignore[index]


@pytest.mark.filterwarnings("error")
def test_words_that_tell_all() -> None:
    """The fit ends where no step lowers the loss any more; these questions are such that scikit-learn would warn of it."""
    rng = np.random.default_rng(917)
    size, things, each = int(rng.integers(20, 120)), int(rng.integers(2, 9)), int(rng.integers(1, 7))
    chance = 1 / (1 + np.exp(-rng.normal(0, 20, things)))
    asked = [
        Question(number, f"{number // each}.jpg", f"Is there a w{place} ?", label, "random", f"w{place}")
        for number in range(size)
        for place in [int(rng.integers(things))]
        for label in ["yes" if rng.random() < chance[place] else "no"]
    ]  # type: ignore[arg-type]
    found = {one.name: one for one in blind_scores(asked)}
    for name, says in reference(asked, []).items():
        assert levels_of(found[name]) == level_of(says), name  # type: ignore[index]


@pytest.mark.parametrize("others", [0, 9])
def test_they_are_scored_again_from_what_they_say(others: int) -> None:
    """Of two images nothing was asked."""
    asked = drawn(3, 12, most=5)
    blind = blind_scores(asked, drawn(8, others, first=1000))
    each = [[one.image for one in asked].count(f"{number}.jpg") for number in range(12)]
    stale = [one.model_copy(update={"accuracy": 0.0, "either_way": None, "auroc": None, "f1": 0.0}) for one in blind]
    if not others:
        stale = [one.model_copy(update={"images": 99}) if one.images else one for one in stale]
    silent = stale[2].model_copy(update={"levels": None})
    assert recount_blind(scored(asked, (*stale, silent), [0, *each[:5], 0, *each[5:]])) == blind


def pairs_of(images: int) -> list[Question]:
    rng = np.random.default_rng(1)
    made = []
    for image in range(images):
        for colour in ("red", "blue")[:: 1 if rng.random() < 0.7 else -1], ("big", "small")[:: 1 if rng.random() < 0.6 else -1]:
            for text, label in zip(colour, ("no", "yes"), strict=True):
                number = len(made) + 1
                made.append(Question(number, str(image), f"Is there a {text} car?", label, "twin", "car",  # type: ignore[arg-type]
                                     twin_of=number - 1 if label == "yes" else None))  # fmt: skip
    return made


def test_pairs_count_where_every_second_question_is_a_twin() -> None:
    pairs = pairs_of(20)
    blind = blind_scores(pairs)
    for one in blind[2:]:
        assert stated(one) == {key: near(value) for key, value in numbers(levels_of(one), pairs, pairs=True).items()}
    assert 0.2 < (blind[3].paired_discrimination or 0) < 0.9
    assert recount_blind(scored(pairs, blind, [4] * 20, "twin")) == blind
    assert {one.paired_discrimination for one in recount_blind(scored(pairs, blind, [4] * 20))} == {None}
    more = [*pairs, replace(pairs[0], question_id=99), replace(pairs[1], question_id=100, twin_of=None)]
    assert {one.paired_discrimination for one in blind_scores(more)} == {None}


def test_what_is_told_is_all_that_matters() -> None:
    """Of each thing that the ways are told a change counts, whatever was learnt before."""
    asked = drawn(5, 10)
    twins = [replace(one, twin_of=1) for one in asked]
    assert [
        one.images for one in blind_scores([replace(one, image="a.jpg" if one.image == "1.jpg" else "b.jpg") for one in asked])
    ][2] == 2
    assert blind_scores([replace(one, label="yes") for one in asked])[0].accuracy == 1
    assert blind_scores([replace(one, label="yes") for one in asked])[0].either_way is None
    assert blind_scores(asked)[0].accuracy != 1
    assert blind_scores(asked, twins)[2].fitted_on == "other-images"
    assert blind_scores(asked) is blind_scores(
        [replace(one, question_id=one.question_id + 5, strategy="content") for one in asked]
    )
    assert [one.name for one in blind_scores([replace(one, image="one") for one in asked])] == ["always-yes", "always-no"]


@pytest.mark.parametrize("label", ["yes", "no"])
def test_one_label_or_no_word_teaches_how_often_yes_is_right(label: str) -> None:
    asked = drawn(6, 8)
    for others in (
        [replace(one, label=label) for one in asked],  # type: ignore[arg-type]
        [Question(n, str(n), "?", label if n < 3 else "yes" if label == "no" else "no", "random", "x") for n in range(5)],  # type: ignore[arg-type]
    ):
        assert set(levels_of(blind_scores(asked, others)[3])) == {128 if label == "yes" else 0}


def test_at_most_128_levels_on_either_side() -> None:
    """Ranks; of more than 128 numbers on a side, about equally many questions on each level."""
    rng = np.random.default_rng(0)
    for distinct in (1, 128, 129, 1280):
        low = np.arange(distinct) / distinct / 2.1
        rank = np.arange(distinct) if distinct <= 128 else np.minimum(np.arange(distinct) * 128 // (distinct - 1), 127)
        order = rng.permutation(2 * distinct)
        says, expected = np.append(low, low + 0.51)[order], np.append(rank, rank + 128)[order]
        assert _levels(says).tolist() == expected.tolist()
    often = np.repeat(np.arange(128) / 256, [100, *[1] * 127])
    assert _levels(often).tolist() == [0] * 100 + list(range(1, 128))
    assert _levels(np.array([0.5, 0.5 + 1e-12, 1.0, 0.0])).tolist() == [1, 128, 129, 0]


def test_metrics_of_counts() -> None:
    """Of 4 yes- and 5 no-questions, yes is said to 3 and 1; of 2 and none, to none."""
    first, second = blind_metrics([(4, 5, 3, 1), (2, 0, 0, 0)])
    assert first == {"accuracy": near(7 / 9), "balanced_accuracy": near((3 / 4 + 4 / 5) / 2), "precision": 0.75, "recall": 0.75,
                     "f1": 0.75, "hallucination_rate": 0.2}  # fmt: skip
    assert second == {
        "accuracy": 0,
        "balanced_accuracy": None,
        "precision": None,
        "recall": 0,
        "f1": 0,
        "hallucination_rate": None,
    }


def test_the_strongest_and_what_is_left_above_it() -> None:
    base = blind_scores(drawn(9, 5))[2]
    ways = [base.model_copy(update={"accuracy": value, "either_way": Estimate(value=value)}) for value in (None, 0.6, 0.8, 0.7)]
    assert strongest(ways) == ways[2]
    assert strongest(ways[:1]) is None
    for balanced, blind, left in ((0.9, 2, 0.5), (0.7, 1, 0.25), (0.5, 1, -0.25)):
        assert above_blind(balanced, ways[blind : blind + 1]) == pytest.approx(left)
    assert above_blind(0.9, ways[:1]) is None
    assert above_blind(0.9, [ways[0].model_copy(update={"either_way": Estimate(value=1.0)})]) is None
