"""From a run's answers to a result: every split's metrics, the comparisons, and what a reader has to know about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hope_bench.benchmark import Benchmark
from hope_bench.errors import HopeBenchError
from hope_bench.result import BenchmarkInfo, Bootstrap, Comparison, Estimate, Result, SplitScore
from hope_bench.runs import RunRecord, read_run
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP, bootstrap_counts, estimate
from hope_bench.scoring.metrics import (
    Counts,
    Floats,
    compute,
    count_table,
    discrimination,
    optional,
    pair_table,
    point_metrics,
    verdict_counts,
)
from hope_bench.scoring.verdicts import AnswersFile, Joined, join, read_answers
from hope_bench.spec import Kind

_TOWER_FAMILIES = ("siglip", "eva", "dfn", "metaclip", "laion", "datacomp", "internvit", "dinov2", "openai")
"""The words by which an encoder's name tells its family (who trained it, or on what), the more telling ones first."""


def score(benchmark: Benchmark, run_folder: Path, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Result:
    """The result of a run (runs/BENCHMARK/NAME) on its benchmark; the same inputs give the same result.

    Raises HopeBenchError where the run belongs to other questions, or its answers are malformed or contradict each other.
    """
    record = read_run(run_folder)
    if record.benchmark_hash != benchmark.manifest.hash:
        raise HopeBenchError(
            f"Run {run_folder} answered other questions: its benchmark {record.benchmark!r} has hash "
            f"{record.benchmark_hash[:12]}, {benchmark.folder} has {benchmark.manifest.hash[:12]}. "
            "Evaluate the model on this benchmark, or pass --benchmark."
        )
    file = read_answers(run_folder / "answers.jsonl")
    joined = join(benchmark, file.answers)
    tables = {
        name: count_table(packed.labels, packed.verdicts, packed.questions_per_image) for name, packed in joined.splits.items()
    }
    splits, comparisons = _scores(benchmark, joined, tables, bootstrap)
    return Result(
        model=record.model,
        benchmark=_benchmark_info(benchmark),
        run=record.run,
        bootstrap=bootstrap,
        splits=splits,
        comparisons=comparisons,
        unranked=_unranked(benchmark, record, splits),
        notes=_notes(benchmark, record, file, joined, splits),
    )


def comparison_pairs(kinds: Mapping[str, Kind]) -> list[tuple[str, str]]:
    """(split, baseline) of every comparison: each HOPE split against each POPE split, then against its own control."""
    pairs = [(split, base) for split in kinds if kinds[split] == "hope" for base in kinds if kinds[base] == "pope"]
    return pairs + [(split, f"control-{split}") for split in kinds if kinds[split] == "hope" and f"control-{split}" in kinds]


def tower_family(name: str | None) -> str | None:
    """The family an encoder's name tells: "ViT-L-14-336:openai" and "openai/clip-vit-large-patch14-336" are both "openai"."""
    lowered = (name or "").lower()
    return next((family for family in _TOWER_FAMILIES if re.search(rf"(?<![a-z]){family}", lowered)), None)


def _scores(
    benchmark: Benchmark, joined: Joined, tables: Mapping[str, Counts], bootstrap: Bootstrap
) -> tuple[dict[str, SplitScore], tuple[Comparison, ...]]:
    names = list(tables)
    images = len(benchmark.manifest.images)
    resampled = compute(bootstrap_counts(np.stack([tables[name] for name in names]), bootstrap))
    points = {name: point_metrics(tables[name].sum(axis=0)) for name in names}
    kinds = {name: benchmark.manifest.splits[name].kind for name in names}

    def samples(split: str, metric: str) -> Floats:
        return resampled[metric][:, names.index(split)]

    def paired(split: str) -> Estimate | None:
        if kinds[split] != "twin":
            return None
        packed = joined.splits[split]
        pairs = pair_table(packed.labels, packed.verdicts, packed.questions_per_image)
        value = optional(float(discrimination(pairs.sum(axis=0))))
        return estimate(value, discrimination(bootstrap_counts(pairs[None], bootstrap))[:, 0], images, bootstrap.confidence)

    def one(split: str) -> SplitScore:
        packed, counts = joined.splits[split], tables[split].sum(axis=0)
        return SplitScore(
            kind=kinds[split],
            on_yes=verdict_counts(counts[0]),
            on_no=verdict_counts(counts[1]),
            **{
                metric: estimate(value, samples(split, metric), images, bootstrap.confidence)
                for metric, value in points[split].items()
            },
            paired_discrimination=paired(split),
            questions_per_image=packed.questions_per_image,
            labels=packed.labels,
            verdicts=packed.verdicts,
        )

    def difference(metric: str, more: str, less: str) -> Estimate:
        pair = points[more][metric], points[less][metric]
        value = None if pair[0] is None or pair[1] is None else optional(pair[0] - pair[1])
        return estimate(value, samples(more, metric) - samples(less, metric), images, bootstrap.confidence)

    comparisons = tuple(
        Comparison(
            split=split,
            baseline=baseline,
            precision_drop=difference("precision", baseline, split),
            hallucination_rise=difference("hallucination_rate", split, baseline),
        )
        for split, baseline in comparison_pairs(kinds)
    )
    return {name: one(name) for name in names}, comparisons


def _benchmark_info(benchmark: Benchmark) -> BenchmarkInfo:
    manifest = benchmark.manifest
    return BenchmarkInfo(
        name=manifest.name,
        title=manifest.title,
        description=manifest.description,
        hash=manifest.hash,
        headline=manifest.headline,
        dataset=manifest.dataset,
        prompt=manifest.prompt,
        clip=None if manifest.clip is None else manifest.clip.model,
        images=len(manifest.images),
        notes=manifest.notes,
    )


def unasked(split: SplitScore) -> int:
    """How many of a split's questions were never put to the model."""
    return split.on_yes.unasked + split.on_no.unasked


def _unranked(benchmark: Benchmark, record: RunRecord, splits: Mapping[str, SplitScore]) -> str | None:
    """Why a result must not be ranked, in words; None where nothing stands against it."""
    headline = benchmark.manifest.headline
    missing = unasked(splits[headline])
    if record.unranked:
        return record.unranked
    reasons = []
    if record.run.prompt not in (None, benchmark.manifest.prompt):
        reasons.append(f"asked with another prompt than the benchmark's: {record.run.prompt!r}")
    if record.run.limit is not None:
        reasons.append(f"evaluated with --limit {record.run.limit}")
    if missing:
        reasons.append(
            f"{missing:,} of {len(splits[headline].labels):,} questions of the headline split {headline} were never asked"
        )
    return "; ".join(reasons) or None


def _notes(
    benchmark: Benchmark, record: RunRecord, file: AnswersFile, joined: Joined, splits: Mapping[str, SplitScore]
) -> tuple[str, ...]:
    notes = list(record.notes)
    family = tower_family(record.model.vision_tower)
    searchers = [clip.model for clip in (benchmark.manifest.clip, *benchmark.manifest.encoders.values()) if clip is not None]
    notes += [
        f"The model's vision tower ({record.model.vision_tower}) and the encoder that chose distractors ({searcher}) are of one "
        f"family ({family}), by their names. Such questions may be harder for this model than for others."
        for searcher in searchers
        if family is not None and family == tower_family(searcher)
    ]
    if file.truncated:
        notes.append("The last line of answers.jsonl was cut off and is not counted.")
    if joined.retried:
        notes.append(f"{joined.retried:,} question(s) were asked again after an error; the last answer counts.")
    failed = sum(split.on_yes.error + split.on_no.error for split in splits.values())
    if failed:
        notes.append(f"{failed:,} verdict(s) over all splits are errors: they count as wrong, and never as a no.")
    return tuple(notes)
