"""Random samples of questions for review, drawn so that splits share claims and every claim's chance is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hope_bench.files.benchmark import Benchmark
from hope_bench.records import Question
from hope_bench.reviewing.claims import Claim, key_of, unique_claims
from hope_bench.search.decisions import ClaimKey

Samples = Mapping[str, Sequence[Question]]
"""The questions drawn, by split."""


def draw_samples(benchmark: Benchmark, size: int, seed: int) -> dict[str, tuple[Question, ...]]:
    """A random sample of at most `size` questions of every split, in random order, so that any beginning of it is a sample too.

    A claim's place depends on the claim and `seed` alone: each split's sample is uniform, yet the splits draw the claims they
    share together, which leaves fewer to look at. Twins count as questions only in a split of twins, as in its metrics.
    """
    return {split: _first(own, size, seed) for split, own in _own_questions(benchmark).items()}


def draw_cells(
    benchmark: Benchmark, said_yes: Mapping[tuple[str, str], bool], size: int, seed: int
) -> tuple[dict[str, tuple[Question, ...]], dict[ClaimKey, float]]:
    """A random sample of at most `size` questions of each label and answer of every split, and each claim's chance to be in it.

    `said_yes` tells by (image, question) whether the run to be corrected affirmed it; what the run wasn't asked is left out. The
    few questions that it got wrong are thus reviewed as often as the many that it got right.
    """
    samples: dict[str, tuple[Question, ...]] = {}
    inclusion: dict[ClaimKey, float] = {}
    for split, own in _own_questions(benchmark).items():
        cells: dict[tuple[str, bool], list[Question]] = {}
        for question in own:
            if (said := said_yes.get((question.image, question.text))) is not None:
                cells.setdefault((question.label, said), []).append(question)
        samples[split] = tuple(question for cell in cells.values() for question in _first(cell, size, seed))
        for cell in cells.values():
            _include(inclusion, cell, size)
    return samples, inclusion


def inclusions(benchmark: Benchmark, size: int) -> dict[ClaimKey, float]:
    """The chance of every claim to be in `draw_samples` of `size`: that of the split in which it is largest, as the splits draw
    alike."""
    found: dict[ClaimKey, float] = {}
    for own in _own_questions(benchmark).values():
        _include(found, own, size)
    return found


def sample_queue(samples: Samples, seed: int, inclusion: Mapping[ClaimKey, float] | None = None) -> tuple[Claim, ...]:
    """The claims of all samples, each once, in a random order in which any beginning holds every claim with a chance proportional
    to its `inclusion`."""
    claims = unique_claims(samples)
    if inclusion is not None:
        claims = tuple(replace(claim, inclusion=inclusion[claim.key]) for claim in claims)
    return tuple(sorted(claims, key=lambda claim: _place(seed, claim.image, claim.text) / (claim.inclusion or 1.0)))


def _own_questions(benchmark: Benchmark) -> dict[str, list[Question]]:
    """Each split's questions as its metrics have them."""
    return {
        split: [one for one in questions if benchmark.manifest.splits[split].kind == "twin" or one.role == "question"]
        for split, questions in benchmark.splits.items()
    }


def _first(questions: Sequence[Question], size: int, seed: int) -> tuple[Question, ...]:
    return tuple(sorted(questions, key=lambda question: _place(seed, question.image, question.text))[:size])


def _include(inclusion: dict[ClaimKey, float], questions: Sequence[Question], size: int) -> None:
    chance = min(1.0, size / max(len(questions), 1))
    for question in questions:
        key = key_of(question)
        inclusion[key] = max(chance, inclusion.get(key, 0.0))


def _place(seed: int, image: str, text: str) -> float:
    """A number in [0, 1), as good as random."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{image}\0{text}".encode()).digest()[:7]) / 2**56
