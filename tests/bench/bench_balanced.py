"""Balanced search over 5,000 images: the family's yes-questions and one split's distractors, of 80 and of 1,203 categories."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import measure

_SETUP = """
import numpy as np
from hope_bench.search.flow import Edges, balance
N, C = {images}, {categories}
rng = np.random.default_rng(0)
# Few categories are frequent and many are rare, as in COCO and LVIS.
weights = 1 / np.arange(1, C + 1) ** 0.7
present = np.zeros((N, C), dtype=bool)
for row in range(N):
    present[row, rng.choice(C, rng.integers(3, 9), p=weights / weights.sum(), replace=False)] = True
scores = rng.normal(size=(N, C)) * 0.02 + rng.normal(size=C) * 0.03
needs = np.full(N, 3)
place = np.concatenate([np.arange(count) for count in present.sum(axis=1)])
"""

_WORK = """
row, claim = np.nonzero(~present)
there, named = np.nonzero(present)
late = np.maximum(place - 2, 0).astype(float)
chosen = balance(Edges(row, claim, np.zeros(len(row))), needs, Edges(there, named, late), needs, claims=C, slack=1, seed=0)
asked = np.bincount(named[chosen.yes], minlength=C)
found = balance(Edges(row, claim, -scores[row, claim]), needs, asked, claims=C, slack=1, seed=0)
assert chosen.excess == found.excess == 0
"""


def bench_balanced() -> dict[str, Any]:
    """Seconds and added peak memory."""
    report: dict[str, Any] = {}
    for images, categories in ((500, 80), (5_000, 80), (5_000, 1_203)):
        found = measure(_SETUP.format(images=images, categories=categories), _WORK)
        report[f"{images}x{categories}"] = {
            "seconds": found.seconds, "cpu_seconds": found.cpu_seconds, "peak_mb": found.peak_bytes / 1e6
        }  # fmt: skip
    return report
