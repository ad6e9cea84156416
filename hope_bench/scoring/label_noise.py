"""Rates corrected for wrong labels, as a reviewed sample estimates them, and what a person would reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hope_bench.files.result import Bootstrap, Corrected, Estimate, Result, SplitScore
from hope_bench.reviewing.noise import LabelNoise, Share
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.intervals import bootstrap_counts, estimate
from hope_bench.scoring.metrics import Floats, compute, count_table, optional


def correct(result: Result, noise: Sequence[LabelNoise]) -> dict[str, Corrected]:
    """Every split both labels of which were reviewed, by name.

    With d and e the shares of wrong yes- and no-labels, r and h the model's true recall and hallucination rate, and errors of
    labels independent of the model's given the truth, the observed rates are (1 - d) r + d h and e r + (1 - e) h; they are solved
    for r and h (Rogan and Gladen 1978) and cut to [0, 1]. The intervals join the bootstrap over images with draws of d and e
    (`_draw_share`). Null where the sample says nothing, or where labels are so wrong that nothing follows.
    """
    found = {(one.split, one.label): one for one in noise if one.reviewed}
    rows = {}
    for split in result.splits:
        yes, no = found.get((split, "yes")), found.get((split, "no"))
        if yes is not None and no is not None:
            rows[split] = _one(result, split, yes, no)
    return rows


def with_corrections(result: Result, noise: Sequence[LabelNoise]) -> Result:
    """The result with the corrected rates of every split that was reviewed; the others stay as they are."""
    splits = {name: result.splits[name].model_copy(update={"corrected": found}) for name, found in correct(result, noise).items()}
    return result.model_copy(update={"splits": {**result.splits, **splits}})


def _one(result: Result, split: str, yes: LabelNoise, no: LabelNoise) -> Corrected:
    scored, bootstrap = result.splits[split], result.bootstrap
    table = count_table(scored.labels, scored.verdicts, scored.questions_per_image)
    samples = compute(bootstrap_counts(table[None], bootstrap), CONVENTIONS[result.convention])
    drawn = samples["recall"][:, 0], samples["hallucination_rate"][:, 0]
    return corrected_rates(scored, yes.wrong, no.wrong, drawn, result.benchmark.images, bootstrap)


def corrected_rates(
    scored: SplitScore, yes: Share, no: Share, samples: tuple[Floats, Floats], images: int, bootstrap: Bootstrap
) -> Corrected:
    """A split's rates corrected for these shares of wrong yes- and no-labels (totals of at least 1), given the bootstrap's
    `samples` of its recall and hallucination rate, [replicates] each."""
    rng = np.random.default_rng([bootstrap.seed, 1])  # another stream than the bootstrap's
    drawn_d, drawn_e = (_draw_share(one.count, one.total, bootstrap.replicates, rng) for one in (yes, no))
    d, e = yes.count / yes.total, no.count / no.total
    recall, rate = _solve(*samples, drawn_d, drawn_e)
    seen = (_number(scored.recall.value), _number(scored.hallucination_rate.value))
    true_recall, true_rate = (optional(float(one[0])) for one in _solve(seen[0], seen[1], np.array([d]), np.array([e])))
    confidence = bootstrap.confidence
    return Corrected(
        reviewed=yes.total + no.total,
        wrong_yes=_share(yes),
        wrong_no=_share(no),
        recall=estimate(true_recall, recall, images, confidence),
        hallucination_rate=estimate(true_rate, rate, images, confidence),
        ceiling=estimate(optional(1 - (d + e) / 2), 1 - (drawn_d + drawn_e) / 2, images, confidence),
    )


def _draw_share(count: int, total: int, size: int, rng: np.random.Generator) -> Floats:
    """Draws of the share behind `count` of `total`, float64 [size]: half of them from Beta(count, total - count + 1), half from
    Beta(count + 1, total - count), whose quantiles are the ends of exact (Clopper-Pearson) intervals.

    Their mixture is the binomial's mid-p confidence distribution, also its generalised fiducial one (Hannig 2009). The observed
    share lies near its middle, and is drawn in half of the cases where it is 0 or 1, so that the interval of what is computed
    from draws holds what is computed from the observed shares. A Jeffreys posterior doesn't do that: it never draws 0 or 1.
    """
    less = rng.beta(count, total - count + 1, size=size) if count > 0 else np.zeros(size)
    more = rng.beta(count + 1, total - count, size=size) if count < total else np.ones(size)
    return np.where(rng.random(size) < 0.5, less, more)


def _solve(recall: Floats, rate: Floats, d: Floats, e: Floats) -> tuple[Floats, Floats]:
    """True recall and hallucination rate, cut to [0, 1]; NaN where the labels say nothing (d + e is 1 or more)."""
    left = np.where(1 - d - e > 0, 1 - d - e, np.nan)
    return np.clip(((1 - e) * recall - d * rate) / left, 0, 1), np.clip(((1 - d) * rate - e * recall) / left, 0, 1)


def _number(value: float | None) -> Floats:
    return np.array([np.nan if value is None else value])


def _share(wrong: Share) -> Estimate:
    return Estimate(value=wrong.value, low=wrong.low, high=wrong.high)
