"""A benchmark's own page: how its questions were made, what its guards did, what it asks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hope_bench.benchmark import Benchmark, read_benchmark
from hope_bench.result import SplitScore
from hope_bench.site.views import KINDS, Section
from hope_bench.spec import Kind

EXAMPLES = 3
"""Example questions of a split."""

_STRATEGIES = {
    "random": "uniform over the categories seen in the sampled images",
    "popular": "the most frequent categories of the sampled images",
    "adversarial": "for each object that is there, the category that most often occurs with it",
    "category-cooccurrence": "the categories most associated with those present, over the whole annotation",
    "category-similarity": "the categories that look most like those present, to CLIP",
    "category": "co-occurrence and similarity together",
    "content": "the categories whose text CLIP finds closest to this very image",
    "description": "objects that are there, with a false description",
    "hope": "one each by content, category and description",
    "control-content": "as content, but guided by another, similar image",
}


@dataclass(frozen=True, slots=True)
class SplitAbout:
    """One split of a benchmark: how it was made, and over the ranked models the median and worst hallucination rate."""

    name: str
    kind: Kind
    label: str
    made: str
    score: SplitScore
    median: float | None
    worst: float | None
    blind: float | None
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GuardAbout:
    """What a guard removed, and how many of each split's distractors it displaced."""

    name: str
    removed: int
    displaced: Mapping[str, int]


def find_folders(folder: Path) -> dict[str, Path]:
    """The generated benchmarks lying in `folder`, by hash."""
    found: dict[str, Path] = {}
    for manifest in sorted(folder.glob("*/manifest.json")):
        found.setdefault(read_benchmark(manifest.parent).manifest.hash, manifest.parent)
    return found


def split_abouts(section: Section, benchmark: Benchmark | None) -> list[SplitAbout]:
    """Every split of the section's benchmark, with example questions where the benchmark itself is at hand."""
    order = list(KINDS)
    splits = sorted(section.about.splits.items(), key=lambda item: order.index(item[1].kind))
    return [_split_about(name, split, section, benchmark) for name, split in splits]


def _split_about(name: str, split: SplitScore, section: Section, benchmark: Benchmark | None) -> SplitAbout:
    results = [row.entry.result for row in section.ranked]
    rates = [rate for result in results if (rate := result.splits[name].hallucination_rate.value) is not None]
    blind = [one.balanced_accuracy for one in split.blind if one.balanced_accuracy is not None]
    return SplitAbout(
        name=name,
        kind=split.kind,
        label=KINDS[split.kind],
        made=strategy(name),
        score=split,
        median=statistics.median(rates) if rates else None,
        worst=max(rates, default=None),
        blind=max(blind, default=None),
        examples=() if benchmark is None else _examples(benchmark, name),
    )


def strategy(name: str) -> str:
    """How a split's distractors are chosen, in words; empty for a split of one's own."""
    plain, _, encoder = name.partition("@")
    if plain.endswith("-twins"):
        return f"the false descriptions of {plain.removesuffix('-twins')}, each beside a true one"
    words = _STRATEGIES.get(plain.removesuffix("-guarded"), "")
    if words and plain.endswith("-guarded"):
        words += ", under the same guards as HOPE's splits"
    return f"{words}, with the encoder {encoder}" if words and encoder else words


def _examples(benchmark: Benchmark, split: str) -> tuple[tuple[str, str], ...]:
    """(question, image) of the first no-question of the first images."""
    found: dict[str, str] = {}
    for question in benchmark.splits.get(split, ()):
        if question.label == "no" and question.image not in found:
            found[question.image] = question.text
            if len(found) == EXAMPLES:
                break
    return tuple((text, image) for image, text in found.items())


def guards(benchmark: Benchmark | None) -> Sequence[GuardAbout]:
    """What the benchmark's guards did, as its manifest counts it."""
    if benchmark is None:
        return ()
    return [GuardAbout(name, stats.removed, stats.displaced) for name, stats in benchmark.manifest.guards.items()]


def made_from(benchmark: Benchmark | None) -> list[tuple[str, str]]:
    """The files, encoder and versions behind a benchmark as (what, value)."""
    if benchmark is None:
        return []
    manifest = benchmark.manifest
    facts = [(source.file, f"sha256 {source.sha256}") for source in manifest.sources]
    if manifest.clip is not None:
        facts.append(("encoder", f"{manifest.clip.model}, sha256 {manifest.clip.sha256}"))
        facts.append(("its prompts", "\n".join(manifest.clip.templates)))
    if manifest.spec is not None:
        facts.append(("seed", str(manifest.spec.seed)))
    if manifest.versions:
        facts.append(("versions", ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items()))))
    if manifest.skipped:
        facts.append(("images without questions", f"{len(manifest.skipped):,}"))
    return [*facts, *([("commit", manifest.commit)] if manifest.commit else [])]
