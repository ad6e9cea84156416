"""The questions on which models differ most, where the benchmark is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Result
from hope_bench.files.split_score import PACKED
from hope_bench.records import Question
from hope_bench.scoring.metrics import Floats
from hope_bench.scoring.probability import unpack
from hope_bench.scoring.verdicts import in_packed_order

VERDICT_OF = {letter: verdict for verdict, letter in PACKED.items()}


@dataclass(frozen=True, slots=True)
class Differing:
    """A question, each model's verdict in the order given, and how far apart their P(yes) are (None where unknown)."""

    question: Question
    verdicts: tuple[str, ...]
    p_yes_apart: float | None


def differing_questions(benchmark: Benchmark, results: Sequence[Result], split: str, limit: int) -> list[Differing]:
    """At most `limit` questions of a split that some models get right and others wrong, the most evenly divided first, then those
    on which P(yes) differs most, then in the benchmark's order. Raises HopeBenchError where the results answer other questions.
    """
    if any(result.benchmark.hash != benchmark.manifest.hash for result in results):
        raise HopeBenchError(f"The results answer other questions than {benchmark.folder} holds (their hashes differ).")
    questions = in_packed_order(benchmark, split)
    verdicts = [result.splits[split].verdicts for result in results]
    labels = np.array([PACKED[question.label] for question in questions])
    letters = np.array([list(one) for one in verdicts])
    asked = (letters != PACKED["unasked"]).all(axis=0)
    divided = np.where(asked, np.minimum((letters == labels).sum(axis=0), (letters != labels).sum(axis=0)), 0)
    apart = _apart(results, split, len(questions))
    order = np.lexsort((np.arange(len(questions)), -np.nan_to_num(apart), -divided))
    return [
        Differing(
            questions[row],
            tuple(VERDICT_OF[one[row]] for one in verdicts),
            None if np.isnan(apart[row]) else round(float(apart[row]), 4),
        )
        for row in order[:limit].tolist()
        if divided[row]
    ]


def _apart(results: Sequence[Result], split: str, questions: int) -> Floats:
    found = [result.splits[split].probabilities for result in results]
    known = [unpack(one.packed) for one in found if one is not None]
    if len(known) < len(results):
        return np.full(questions, np.nan)
    stacked = np.stack(known)
    return np.asarray(stacked.max(axis=0) - stacked.min(axis=0), dtype=np.float64)
