"""A run scored under other labels, such as RePOPE's corrections: its result, and how far each number moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.run import ANSWERS
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.records import Answer
from hope_bench.scoring.breakdown import Sizes
from hope_bench.scoring.conventions import STRICT, Convention, reader
from hope_bench.scoring.measuring import measure
from hope_bench.scoring.metrics import Counts, answer_table
from hope_bench.scoring.recount import paired
from hope_bench.scoring.score import Known, join_run, make_result, read_answered


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Results under a benchmark's own labels and under the other ones, and by split and metric the second minus the first, with
    intervals paired by image."""

    before: Result
    after: Result
    differences: Mapping[str, Mapping[str, Estimate]]


def score_relabelled(
    benchmark: Benchmark,
    relabelled: Benchmark,
    run_folder: Path,
    bootstrap: Bootstrap,
    convention: Convention = STRICT,
    languages: Sequence[str] = (),
    sizes: Sizes | None = None,
) -> Relabelled:
    """Score a run of `benchmark` under the labels of `relabelled`, the same benchmark with other labels (`interchange.relabel`).

    Answers to questions that it leaves out are left out. Raises HopeBenchError as `score` does.
    """
    record, file = read_answered(benchmark, run_folder)
    known = Known(sizes or {})
    own = benchmark.manifest.language
    read = reader(file.answers, convention, languages, benchmark.labels, own)
    joined = join_run(benchmark, record, file.answers, read, run_folder / ANSWERS)
    before = make_result(benchmark, record, file, joined, bootstrap, convention, languages, known)
    kept = replace(file, answers=_asked(relabelled, file.answers))
    read = reader(file.answers, convention, languages, relabelled.labels, own)
    joined = join_run(relabelled, record, kept.answers, read)
    after = make_result(relabelled, record, kept, joined, bootstrap, convention, languages, known)
    row = {image: index for index, image in enumerate(benchmark.manifest.images)}
    places = [row[image] for image in relabelled.manifest.images]
    return Relabelled(before, after, _differences(before, after, places, bootstrap, convention))


def _asked(benchmark: Benchmark, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """The answers to questions that the benchmark still asks."""
    asked = {(question.image, question.text) for questions in benchmark.splits.values() for question in questions}
    splits = set(benchmark.splits)
    return tuple(
        answer
        for answer in answers
        if (answer.image, answer.question) in asked and (answer.splits is None or splits & set(answer.splits))
    )


def _differences(
    before: Result, after: Result, places: Sequence[int], bootstrap: Bootstrap, convention: Convention
) -> dict[str, dict[str, Estimate]]:
    """After minus before; `places` are the rows of after's images among before's."""
    made: dict[str, dict[str, Estimate]] = {}
    for name, split in after.splits.items():
        new = np.zeros((before.benchmark.images, 2, 5), dtype=np.int64)
        new[np.asarray(places, dtype=np.int64)] = _table(split)
        measured = measure(np.stack([new, _table(before.splits[name])]), bootstrap, convention)
        made[name] = {metric: paired(found[0], found[1]) for metric, found in measured.items()}
    return made


def _table(split: SplitScore) -> Counts:
    return answer_table(split)
