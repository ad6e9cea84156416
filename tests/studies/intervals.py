"""Do 95% intervals hold the truth, tests their level, and rank ranges all ranks at once?

Coverage is asked at every rate from 0 to 1, from 10 images, with unequal clusters and up to full correlation within an image: at
least 93%; and at most 97.5% where more than 10 images hold an error and more than 10 hold none. The lowest and the highest of
many simulated shares are extreme by chance, too; so the most extreme settings are drawn anew, and count as found then.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import Estimate, SplitScore, VerdictCounts
from hope_bench.scoring.measuring import gradient, measure
from hope_bench.scoring.metrics import Counts, Floats
from hope_bench.scoring.ranks import rank_ranges
from hope_bench.scoring.rates import Measured, difference, korn_graubard
from hope_bench.scoring.reviewed import correct
from hope_bench.scoring.significance import sign_flip
from tests.studies.simulated import SIZES, affirmed, sizes, tables, truths

UNUSED = Bootstrap(replicates=2, seed=0, confidence=0.95)
METRICS = ("recall", "hallucination_rate", "accuracy", "balanced_accuracy", "precision", "f1", "yes_ratio")
RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
PAIRS = (
    (0.5, 0.5, 0.5), (0.85, 0.05, 0.1), (0.98, 0.02, 0.05), (0.99, 0.3, 0.4),
    (0.95, 0.002, 0.01), (1, 0, 0), (0.1, 0.02, 0.02), (0.7, 0.9, 0.95),
)  # fmt: skip
"""(recall, hallucination rate, that of another split or model of the same recall)."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often an interval held the truth in one `setting`; `both` says that more than 10 images held errors, and more than 10
    none, in nearly every draw."""

    what: str
    setting: str
    share: float
    both: bool
    drawn: tuple[Any, ...]
    """What it was drawn with: images, kind, correlation, rate or pair."""


def covered(found: Measured, truth: float) -> float:
    """The share of intervals that hold the truth; one that isn't given says nothing."""
    known = ~np.isnan(found.low)
    held = (found.low <= truth + 1e-12) & (truth - 1e-12 <= found.high)
    return float(held[known].mean()) if known.any() else 1.0


def _many(wrong: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
    """Whether more than 10 images hold an error and more than 10 none, in nearly every trial [trials, images]."""
    return bool((((wrong > 0).sum(axis=1) > 10) & ((wrong == 0).sum(axis=1) > 10)).mean() > 0.98)


def rate_coverage(
    images: Iterable[int], kinds: Iterable[str], correlations: Iterable[float], rates: Iterable[float], trials: int, seed: int = 0
) -> list[Coverage]:
    """Of the interval of a rate."""
    rng = np.random.default_rng(seed)
    found = []
    for count, kind, correlation, rate in itertools.product(images, kinds, correlations, rates):
        asked = sizes(kind, (trials, count), rng)
        yes, truth = affirmed(rate, correlation, asked, rng.random(asked.shape), rng)
        setting = f"{count} images of {kind}, correlation {correlation:g}, rate {rate:g}"
        drawn = (count, kind, correlation, rate)
        found.append(Coverage("rate", setting, covered(korn_graubard(yes, asked), truth), _many(yes), drawn))
    return found


def combined_coverage(
    images: Iterable[int],
    kinds: Iterable[str],
    correlations: Iterable[float],
    trials: int,
    seed: int = 0,
    pairs: Iterable[tuple[float, float, float]] = PAIRS,
) -> list[Coverage]:
    """Of every metric, and of its difference between two splits of the same yes-questions, as drop and rise are."""
    rng = np.random.default_rng(seed)
    found = []
    for count, kind, correlation, (recall, rate, other) in itertools.product(images, kinds, correlations, pairs):
        asked = sizes(kind, (trials, count), rng)
        clear = rng.random(asked.shape)
        tempting = np.where(rng.random(asked.shape) < 0.5, 1 - clear, rng.random(asked.shape))
        again = np.where(rng.random(asked.shape) < 0.7, tempting, rng.random(asked.shape))
        (hits, true_recall), (alarms, true_rate), (others, true_other) = (
            affirmed(mean, correlation, asked, level, rng) for mean, level in ((recall, clear), (rate, tempting), (other, again))
        )
        one, two = (measure(tables((hits, said), (asked, asked)), UNUSED, metrics=METRICS) for said in (alarms, others))
        first, second = truths(true_recall, true_rate), truths(true_recall, true_other)
        both = _many(alarms) and _many(others) and _many(asked - hits)
        drawn = (count, kind, correlation, (recall, rate, other))
        setting = f"{count} images of {kind}, correlation {correlation:g}, recall {recall:g}, rates {rate:g} and {other:g}"
        for metric in METRICS:
            found.append(Coverage(metric, setting, covered(one[metric], first[metric]), both, drawn))
            if metric != "recall":
                gap = covered(difference(one[metric], two[metric]), first[metric] - second[metric])
                found.append(Coverage(f"{metric}, difference", setting, gap, both, drawn))
    return found


_AGAIN, _EXTREMES = 10, 5
"""How many times the trials of a first look, and how many settings at either end, are drawn anew."""


def drawn_anew(one: Coverage, trials: int) -> float:
    """The share of a setting, found in as many new trials, a thousand at once."""
    count, kind, correlation, rate = one.drawn
    shares = []
    for seed in range(1, trials // 1000 + 1):
        where = ([count], [kind], [correlation])
        found = rate_coverage(*where, [rate], 1000, seed) if one.what == "rate" else combined_coverage(*where, 1000, seed, [rate])
        shares += [other.share for other in found if other.what == one.what]
    return float(np.mean(shares))


def models(answers: Floats, count: int, images: int, questions: int, alike: float, rng: np.random.Generator) -> Counts:
    """Count tables int64 [models, images, labels, verdicts] of equally many yes- and no-questions that `count` models answer
    right with chance `answers` [models]; a share `alike` of the questions is as hard for all."""
    common = rng.random((1, images, 2, questions))
    own = np.where(rng.random((count, images, 2, questions)) < alike, common, rng.random((count, images, 2, questions)))
    right = (own < answers[:, None, None, None]).sum(axis=-1)
    made = np.zeros((count, images, 2, 5), dtype=np.int64)
    made[..., 0, 0], made[..., 0, 1] = right[..., 0], questions - right[..., 0]
    made[..., 1, 1], made[..., 1, 0] = right[..., 1], questions - right[..., 1]
    return made


def levels(images: int, metric: str, trials: int, chance: float = 0.9, alike: float = 0.5, seed: int = 0) -> dict[float, float]:
    """How often the sign-flip test rejects at .05 and .01 where two models are equally good, but differ."""
    rng = np.random.default_rng([seed, images])
    found = []
    for _ in range(trials):
        one, other = models(np.array([chance, chance]), 2, images, 3, alike, rng)
        slopes = gradient((one + other).sum(axis=0).astype(np.float64), metric)
        found.append(sign_flip(((one - other) * slopes).sum(axis=(-2, -1))))
    return {level: float(np.mean([p is not None and p <= level for p in found])) for level in (0.05, 0.01)}


def rank_coverage(chances: Sequence[float], images: int, trials: int, alike: float = 0.5, seed: int = 0) -> float:
    """How often all models' true ranks lie in their ranges at once; equal models may have any of the ranks that they share."""
    rng = np.random.default_rng([seed, images, len(chances)])
    true = np.asarray(chances)
    best, worst = 1 + (true[:, None] > true).sum(axis=0), len(true) - (true[:, None] < true).sum(axis=0)
    held = 0
    for trial in range(trials):
        counts = models(true, len(true), images, 3, alike, rng)
        found = measure(counts, UNUSED, metrics=["balanced_accuracy"])["balanced_accuracy"]
        ranges = rank_ranges(found.value, found.influence, Bootstrap(replicates=400, seed=trial, confidence=0.95))
        held += all(low <= a and b <= high for (low, high), a, b in zip(ranges, best, worst, strict=True))
    return held / trials


def _ranks_held(chances: Sequence[float], images: int, alike: float) -> float:
    """As `rank_coverage`; a share that is low in a first look is drawn anew."""
    share = rank_coverage(chances, images, 300, alike)
    return share if share >= 0.94 else rank_coverage(chances, images, 1000, alike, seed=1)


def reviewed_coverage(
    images: int, reviewed: int, trials: int, by_answer: bool, seed: int = 0, wrong: tuple[float, float] = (0.1, 0.02)
) -> dict[str, tuple[float, float]]:
    """(coverage, bias) of the rates under reviewed truth, where wrong labels depend on the model: it affirms 90% of what is there
    and 5% of what isn't, whatever the labels say; 3 yes- and 3 no-questions an image, `wrong` of the yes- and of the no-labels.

    `reviewed` of each label (and answer, with `by_answer`) are looked at; 3% of those are ambiguous.
    """
    rng = np.random.default_rng([seed, images, reviewed])
    rows = []
    for _ in range(trials):
        hard = rng.random(images)[:, None] < 0.3  # wrong labels and errors both come where an image is hard
        label = np.tile([True, True, True, False, False, False], (images, 1))
        odds = np.where(label, wrong[0], wrong[1])
        there = label ^ (rng.random(label.shape) < np.where(hard, 2 * odds, odds * 0.4 / 0.7))
        chance = np.where(there, np.where(hard, 0.8, 0.9 + 0.3 * 0.1 / 0.7), np.where(hard, 0.1, 0.02 / 0.7))
        yes = rng.random(label.shape) < chance
        rows.append(_corrected(label, there, yes, reviewed, by_answer, rng))
    found = {}
    for rate, truth in (("recall", _true(wrong, True)), ("hallucination_rate", _true(wrong, False))):
        ends = [(one[rate].value, one[rate].low, one[rate].high) for one in rows if one[rate].low is not None]
        values = np.array(ends, dtype=np.float64)
        held = (values[:, 1] <= truth) & (truth <= values[:, 2])
        found[rate] = (float(held.mean()), float(values[:, 0].mean() - truth))
    return found


def _true(wrong: tuple[float, float], there: bool) -> float:
    """The rate over a very large number of such images."""
    total = affirmed_ = 0.0
    for weight, factor, chances in ((0.3, 2.0, (0.8, 0.1)), (0.7, 0.4 / 0.7, (0.9 + 0.3 * 0.1 / 0.7, 0.02 / 0.7))):
        share = weight * ((1 - wrong[0] * factor) + wrong[1] * factor if there else wrong[0] * factor + (1 - wrong[1] * factor))
        total += share
        affirmed_ += share * chances[0 if there else 1]
    return affirmed_ / total


def _corrected(
    label: Counts, there: Counts, yes: Counts, reviewed: int, by_answer: bool, rng: np.random.Generator
) -> dict[str, Estimate]:
    flat_label, flat_there, flat_yes = label.ravel(), there.ravel(), yes.ravel()
    drawn = np.zeros(flat_label.size)
    for own in (flat_label, ~flat_label):
        for cell in (own & flat_yes, own & ~flat_yes) if by_answer else (own,):
            places = np.flatnonzero(cell)
            some = rng.permutation(places)[:reviewed]
            drawn[some] = len(some) / max(len(places), 1)
    truth = np.where(flat_there, "y", "n")
    truth = np.where(rng.random(truth.size) < 0.03, "?", truth)
    letters = "".join(np.where(drawn > 0, truth, "-"))
    none = Estimate(value=None)
    split = SplitScore(
        kind="hope", on_yes=VerdictCounts(), on_no=VerdictCounts(), accuracy=none, balanced_accuracy=none, precision=none,
        recall=none, f1=none, specificity=none, hallucination_rate=none, yes_ratio=none,
        questions_per_image=(6,) * len(label), labels="".join(np.where(flat_label, "y", "n")),
        verdicts="".join(np.where(flat_yes, "y", "n")),
    )  # fmt: skip
    made = correct(split, letters, tuple(drawn[drawn > 0].tolist()), 0.95)
    return {"recall": made.recall, "hallucination_rate": made.hallucination_rate}


def page() -> str:
    """All tables, as Markdown."""
    rates = rate_coverage((10, 20, 50, 200), SIZES, (0, 1 / 3, 0.7, 1), RATES, 1000)
    combined = combined_coverage((10, 30, 200), ("3", "1-6"), (0, 1 / 3, 0.9), 500)
    lines = [
        "# Intervals, tests and ranks, simulated\n",
        "| 95% interval of | settings | lowest | where | highest, with errors in more than 10 images and none in more than 10 |",
        "|---|---|---|---|---|",
    ]
    for what, group in itertools.groupby(sorted([*rates, *combined], key=lambda one: one.what), key=lambda one: one.what):
        rows = sorted(group, key=lambda one: one.share)
        trials = _AGAIN * (1000 if what == "rate" else 500)
        share, least = min((drawn_anew(one, trials), one.setting) for one in rows[:_EXTREMES])
        highest = [drawn_anew(one, trials) for one in [one for one in rows if one.both][-_EXTREMES:]]
        most = f"{max(highest):.3f}" if highest else "-"
        lines.append(f"| {what} | {len(rows)} | {share:.3f} | {least} | {most} |")
    lines += ["", "| test of | images | at .05 | at .01 |", "|---|---|---|---|"]
    for metric, count in itertools.product(("balanced_accuracy", "precision", "mcc"), (10, 30, 100, 500)):
        found = levels(count, metric, 1000)
        lines.append(f"| {metric} | {count} | {found[0.05]:.3f} | {found[0.01]:.3f} |")
    lines += ["", "| models | images | all ranks at once |", "|---|---|---|"]
    close = tuple(np.linspace(0.8, 0.87, 8).tolist())
    for name, chances, alike in (
        ("2 equal", (0.9,) * 2, 0.5), ("5 equal", (0.85,) * 5, 0.5), ("12 equal", (0.9,) * 12, 0.5),
        ("12 equal, erring apart", (0.7,) * 12, 0.0), ("8 close", close, 0.5),
    ):  # fmt: skip
        lines += [f"| {name} | {count} | {_ranks_held(chances, count, alike):.3f} |" for count in (10, 20, 100, 500)]
    lines += ["", "| reviewed | recall: coverage, bias | hallucination rate: coverage, bias |", "|---|---|---|"]
    for reviewed, by_answer in ((50, False), (100, False), (200, False), (75, True)):
        rows_ = reviewed_coverage(300, reviewed, 200, by_answer)
        cells = " | ".join(f"{share:.3f}, {bias:+.4f}" for share, bias in rows_.values())
        lines.append(f"| {reviewed} of each label{' and answer' if by_answer else ''} | {cells} |")
    return "\n".join(lines) + "\n"
