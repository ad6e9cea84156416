"""How near a review of some questions comes to the truth, on a real model's answers: LLaVA-1.5-13B on POPE, RePOPE as the truth.

Where the public data isn't (HOPE_BENCH_REAL), nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hope_bench as hb
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.split_score import SplitScore
from hope_bench.interchange.relabel import relabelled
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
from hope_bench.scoring.reviewed import correct
from hope_bench.scoring.score import score

SPLITS = ("random", "popular", "adversarial")
DRAWS = 300
DESIGNS = ((100, False), (75, True))
"""How many questions are reviewed: of each label, or of each label and answer."""
RATES = {"hallucination_rate": "n", "recall": "y"}


def _judged(real: Path, folder: Path) -> Iterator[tuple[str, SplitScore, str]]:
    """Each of POPE's splits, scored under its labels: only what RePOPE judges; and the truth, a letter a question."""
    files = {name: real / "pope" / f"coco_pope_{name}.json" for name in SPLITS}
    benchmark = hb.import_pope("pope-coco", files, out=folder / "pope-coco")
    llava = real / "llava-v1.5-13b"
    run, _ = hb.import_answers(
        [llava / "answers.jsonl"], benchmark, "llava", questions=llava / "questions.jsonl", runs=folder / "runs"
    )
    asked = read_benchmark(folder / "pope-coco")
    truth = relabelled(asked, [real / "repope" / f"coco_repope_{name}.json" for name in SPLITS], "repope-coco")
    result = score(asked, run, DEFAULT_BOOTSTRAP)
    for name in SPLITS:
        label_of = {(one.image, one.text): one.label for one in truth.splits[name]}
        split = result.splits[name]
        both = zip(asked.splits[name], split.labels, split.verdicts, strict=True)
        kept = [(one, label, verdict) for one, label, verdict in both if (one.image, one.text) in label_of]
        cut: dict[str, Any] = {
            "questions_per_image": tuple(Counter(one.image for one, _, _ in kept).values()),
            "labels": "".join(label for _, label, _ in kept),
            "verdicts": "".join(verdict for _, _, verdict in kept),
        }
        yield name, split.model_copy(update=cut), "".join(label_of[one.image, one.text][0] for one, _, _ in kept)


def _drawn(split: SplitScore, count: int, by_answer: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    """Each question's chance of being reviewed if it was drawn, else 0."""
    cells = np.array([a + b if by_answer else a for a, b in zip(split.labels, split.verdicts, strict=True)])
    chance = np.zeros(len(cells))
    for cell in np.unique(cells):
        places = np.flatnonzero(cells == cell)
        chance[rng.permutation(places)[:count]] = min(1.0, count / len(places))
    return chance


def _row(split: SplitScore, truth: str, count: int, by_answer: bool, rate: str) -> str:
    labels, verdicts, right = (np.array(list(one)) for one in (split.labels, split.verdicts, truth))
    true, labelled = (100 * float(np.mean(verdicts[each == RATES[rate]] == "y")) for each in (right, labels))
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        chance = _drawn(split, count, by_answer, rng)
        letters = "".join(np.where(chance > 0, right, "-"))
        one = getattr(correct(split, letters, tuple(chance[chance > 0].tolist()), 0.95), rate)
        found.append((100 * one.value, 100 * one.low, 100 * one.high))
    value, low, high = np.array(found).T
    error, covered = np.sqrt(np.mean((value - true) ** 2)), np.mean((low <= true) & (true <= high))
    how = f"{count} of each label" + (" and answer" if by_answer else "")
    return f"{how} | {rate} | {true:.1f} | {labelled:.1f} | {error:.2f} | {value.mean() - true:+.2f} | {covered:.3f}"


def table() -> Iterator[str]:
    """In Markdown: the rate under the whole truth, under POPE's labels, and how far off the reviews' are, over DRAWS of them."""
    real = os.environ.get("HOPE_BENCH_REAL")
    if not real:
        return
    yield "\n| split | reviewed | rate | truth | as labelled | root mean square error | bias | covered |"
    yield "|---|---|---|---|---|---|---|---|"
    with TemporaryDirectory() as folder:
        for name, split, truth in _judged(Path(real), Path(folder)):
            for count, by_answer in DESIGNS:
                for rate in RATES:
                    yield f"| `{name}` | {_row(split, truth, count, by_answer, rate)} |"
