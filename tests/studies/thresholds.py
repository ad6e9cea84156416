"""What moving a model's threshold does to each number: only the share of its answers that are yes changes, nothing it knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hope_bench.files.result import Result
from hope_bench.scoring.probability import unpack
from hope_bench.scoring.sensitivity import log_linear_z

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


def at_threshold(result: Result, split: str, threshold: float) -> Mapping[str, float]:
    """A split's numbers if the model said yes wherever P(yes) is above `threshold`."""
    score = result.splits[split]
    assert score.probabilities is not None
    yes = unpack(score.probabilities.packed) > threshold
    positive = np.frombuffer(score.labels.encode(), dtype=np.uint8) == ord("y")
    hits, alarms = int((yes & positive).sum()), int((yes & ~positive).sum())
    recall, rate = hits / positive.sum(), alarms / (~positive).sum()
    return {
        "balanced_accuracy": (recall + 1 - rate) / 2,
        "precision": hits / max(hits + alarms, 1),
        "hallucination_rate": rate,
        "d_prime": log_linear_z(hits, int(positive.sum())) - log_linear_z(alarms, int((~positive).sum())),
    }


def table(result: Result, split: str = "content", baseline: str = "adversarial") -> Iterable[str]:
    """In Markdown."""
    yield "\n### What the threshold moves"
    yield f"`{split}` and its drop from `{baseline}`, if the LLaVA said yes above another P(yes).\n"
    yield "| yes above | balanced accuracy | d' | precision drop | rise of the hallucination rate | drop of d' |"
    yield "|---|---|---|---|---|---|"
    for threshold in THRESHOLDS:
        hard, easy = at_threshold(result, split, threshold), at_threshold(result, baseline, threshold)
        yield (
            f"| {threshold} | {100 * hard['balanced_accuracy']:.1f} | {hard['d_prime']:.2f} | "
            f"{100 * (easy['precision'] - hard['precision']):.1f} | "
            f"{100 * (hard['hallucination_rate'] - easy['hallucination_rate']):.1f} | {easy['d_prime'] - hard['d_prime']:.2f} |"
        )
    drop = next(one.auroc_drop for one in result.comparisons if (one.split, one.baseline) == (split, baseline))
    assert drop is not None
    yield f"\nThe drop of AUROC, which needs no threshold, is {drop.percent()} throughout."
