"""A run's numbers by what is asked about: each category, each kind of description, small, medium and large objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hope_bench.benchmark import Benchmark
from hope_bench.records import Annotations, Question
from hope_bench.result import Estimate, Result, VerdictCounts
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.intervals import estimate, weight_chunks
from hope_bench.scoring.metrics import VERDICTS, Counts, Floats, compute, count_table, point_metrics, verdict_counts
from hope_bench.scoring.verdicts import in_packed_order

SIZES = ("small", "medium", "large")
_SMALL, _LARGE = 0.01, 0.1
"""Shares of the image's area: an object is small below the one and large from the other on."""

LEAST_IMAGES = 10
"""A part asked about in fewer images gets no interval: so few images say little of their spread, and alike ones say 0."""

SHOWN = ("accuracy", "recall", "precision", "hallucination_rate")


@dataclass(frozen=True, slots=True)
class Part:
    """The questions about one thing: their verdicts, and their numbers with intervals (null where undefined)."""

    name: str
    on_yes: VerdictCounts
    on_no: VerdictCounts
    metrics: Mapping[str, Estimate]


Key = Callable[[Question], str | None]
"""Which part a question belongs to; None: to none."""


def by_category(question: Question) -> str | None:
    """The category asked about."""
    return question.object


def by_kind(question: Question) -> str:
    """The kind of claim: a described object's kind, or "plain" existence."""
    return question.description_kind or "plain"


def by_size(sizes: Mapping[tuple[str, str], str]) -> Key:
    """The size of the object asked about; only present objects have one."""
    return lambda question: sizes.get((question.image, question.object or "")) if question.label == "yes" else None


def object_sizes(annotations: Annotations) -> dict[tuple[str, str], str]:
    """The size of each present object by (image file, category): that of its largest instance, by share of the image's area.

    Small is below 1%, large from 10% on. Objects without a box, and images of unknown size, are left out.
    """
    largest: dict[tuple[str, str], float] = {}
    for index, image in enumerate(annotations.images):
        extent = annotations.extent(index)
        if extent is None or not extent[0] * extent[1]:
            continue
        for one in annotations.instances(index):
            area = one.area if one.area is not None else one.bbox[2] * one.bbox[3] if one.bbox is not None else None
            if area is not None and not one.crowd:
                key = (image.file_name, one.category)
                largest[key] = max(largest.get(key, 0.0), area / (extent[0] * extent[1]))
    return {key: SIZES[(share >= _SMALL) + (share >= _LARGE)] for key, share in largest.items()}


def break_down(benchmark: Benchmark, result: Result, splits: Sequence[str], key: Key) -> tuple[Part, ...]:
    """The numbers of each part of the splits' questions, a question that several of them ask once, in order of first appearance.

    The intervals are bootstrapped over images as the result's are.
    """
    parts: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    rows: list[tuple[int, str, str, int]] = []
    image_row = {image: row for row, image in enumerate(benchmark.manifest.images)}
    for split in splits:
        scored = result.splits[split]
        for question, label, verdict in zip(in_packed_order(benchmark, split), scored.labels, scored.verdicts, strict=True):
            name = key(question)
            if name is not None and (question.image, question.text) not in seen:
                seen.add((question.image, question.text))
                rows.append((parts.setdefault(name, len(parts)), label, verdict, image_row[question.image]))
    return _estimates(result, list(parts), rows)


def _estimates(result: Result, names: Sequence[str], rows: Sequence[tuple[int, str, str, int]]) -> tuple[Part, ...]:
    if not rows:
        return ()
    convention, images = CONVENTIONS[result.convention], result.benchmark.images
    part = np.array([row[0] for row in rows])
    order = np.argsort(part, kind="stable")
    per_part = np.bincount(part, minlength=len(names)).tolist()
    ordered = [rows[index] for index in order.tolist()]
    tables = count_table("".join(row[1] for row in ordered), "".join(row[2] for row in ordered), per_part)
    samples = _resample(result, rows, len(names))
    seen = np.bincount([place for place, _ in {(row[0], row[3]) for row in rows}], minlength=len(names))
    confidence = result.bootstrap.confidence
    made = []
    for place, name in enumerate(names):
        points = point_metrics(tables[place], convention)
        enough = images if seen[place] >= LEAST_IMAGES else 0
        metrics = {one: estimate(points[one], samples[one][:, place], enough, confidence) for one in SHOWN}
        made.append(Part(name, verdict_counts(tables[place][0]), verdict_counts(tables[place][1]), metrics))
    return tuple(made)


def _resample(result: Result, rows: Sequence[tuple[int, str, str, int]], parts: int) -> dict[str, Floats]:
    """Samples [replicates, parts] of the metrics shown."""
    from scipy.sparse import csr_array

    images = result.benchmark.images
    cells = 2 * len(VERDICTS)
    single: Counts = count_table("".join(row[1] for row in rows), "".join(row[2] for row in rows), [1] * len(rows))
    cell = single.reshape(len(rows), cells).argmax(axis=1) + cells * np.array([row[0] for row in rows])
    where = (cell, np.array([row[3] for row in rows]))
    table = csr_array((np.ones(len(rows)), where), shape=(parts * cells, images))
    convention = CONVENTIONS[result.convention]
    chunks: dict[str, list[Floats]] = {name: [] for name in SHOWN}
    for weights in weight_chunks(images, result.bootstrap, columns=parts * cells):
        counts = (table @ np.ascontiguousarray(weights.T)).T.reshape(-1, parts, 2, len(VERDICTS))
        for name, values in compute(counts, convention).items():
            if name in chunks:
                chunks[name].append(values)
    return {name: np.concatenate(found) for name, found in chunks.items()}
