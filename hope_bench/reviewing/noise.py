"""How many labels of a split are wrong, estimated from a reviewed random sample, and published beside the benchmark."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.validation import Strict, read_json
from hope_bench.provenance import write_text
from hope_bench.records import Label, Question
from hope_bench.reviewing.agreement import Agreement, merge, read_reviews
from hope_bench.reviewing.claims import key_of
from hope_bench.reviewing.decisions import Reviewed, by_claim
from hope_bench.reviewing.sampling import draw_samples, sample_queue
from hope_bench.search.decisions import ClaimKey, Verdict

LABEL_NOISE_FILE = "label_noise.json"
"""Where a benchmark's estimate stands, beside its manifest.json."""

LEAST_REVIEWED = 20
"""Fewer questions of a split are not published unless they are its whole sample, however small that was chosen: even without an
error among 19, one label in six may be wrong."""

_CONTRADICTS: dict[Label, Verdict] = {"yes": "absent", "no": "present"}


class Share(Strict):
    """`count` of `total`; `value` is the share in [0, 1], `low` and `high` its Wilson 95% interval, all rounded to 6 digits and
    null where the total is 0."""

    count: int = Field(ge=0)
    total: int = Field(ge=0)
    value: float | None
    low: float | None
    high: float | None

    @model_validator(mode="after")
    def _follows_from_the_counts(self) -> Share:
        if self.count > self.total or (self.value, self.low, self.high) != _wilson(self.count, self.total):
            raise ValueError("value, low and high don't follow from count and total")
        return self


def share(count: int, total: int) -> Share:
    """`count` of `total` with its interval."""
    value, low, high = _wilson(count, total)
    return Share(count=count, total=total, value=value, low=low, high=high)


def _wilson(count: int, total: int) -> tuple[float | None, float | None, float | None]:
    if not total:
        return None, None, None
    from scipy.stats import binomtest

    low, high = binomtest(count, total).proportion_ci(confidence_level=0.95, method="wilson")
    return round(count / total, 6), round(float(low), 6), round(float(high), 6)


class LabelNoise(Strict):
    """What a sample says of one label of one split: of the `reviewed` questions among the `sampled`, how many labels are wrong,
    and of how many the reviewers were unsure. Both shares are of all that were reviewed, as RePOPE counts them."""

    split: str
    label: Label
    sampled: int = Field(ge=1)
    wrong: Share
    unsure: Share

    @model_validator(mode="after")
    def _counts_fit(self) -> LabelNoise:
        if self.unsure.total != self.reviewed or self.reviewed > self.sampled:
            raise ValueError("the totals of wrong and unsure differ, or exceed sampled")
        return self

    @property
    def reviewed(self) -> int:
        """How many of the sample count as reviewed."""
        return self.wrong.total


class ReviewedClaim(Strict):
    """What the reviewers found of one claim, and the chance with which it was drawn for review (claims.Claim.inclusion)."""

    image: str
    object: str
    description: str | None = None
    decision: Verdict
    inclusion: float = Field(gt=0, le=1)

    @property
    def key(self) -> ClaimKey:
        """The claim's identity."""
        return (self.image, self.object, self.description)


class NoiseEstimate(Strict):
    """A benchmark's published estimate (label_noise.json): how many labels of each split are wrong, in the judgement of
    `reviewers` who looked at a random sample of `sample` questions a split, drawn with `seed`.

    `hash` is that of the benchmark whose questions were sampled: the estimate says nothing of others. `agreements` holds each
    pair of reviewers over the sampled claims that both decided. `reviewed` are the decisions themselves, of all claims that were
    drawn with a known chance: what every model's rates are corrected by (docs/scoring.md).
    """

    schema_version: Literal[1] = 1
    benchmark: str
    hash: str
    sample: int = Field(ge=1)
    seed: int
    reviewers: tuple[str, ...]
    agreements: tuple[Agreement, ...] = ()
    estimates: tuple[LabelNoise, ...]
    reviewed: tuple[ReviewedClaim, ...] = ()


def reviewed_claims(decisions: Iterable[Reviewed]) -> tuple[ReviewedClaim, ...]:
    """The decisions on claims that were drawn with a known chance; those on others, such as the riskiest, would bias rates."""
    return tuple(
        ReviewedClaim(
            image=one.image, object=one.object, description=one.description, decision=one.decision, inclusion=one.inclusion
        )
        for one in decisions
        if one.inclusion is not None
    )


def read_reviewed(files: Sequence[Path]) -> tuple[ReviewedClaim, ...]:
    """The merged decisions of reviewers' files on claims that were drawn. Raises HopeBenchError where there is none."""
    found = reviewed_claims(merge(read_reviews(files)).decisions)
    if not found:
        raise HopeBenchError(
            f"{first_few([str(file) for file in files], 3)}: no decision is on a claim that was drawn at random. "
            "Review a sample: hope-bench review BENCHMARK --sample N, or --run RUN --sample N."
        )
    return found


def label_noise(samples: Mapping[str, Sequence[Question]], decisions: Mapping[ClaimKey, Reviewed]) -> list[LabelNoise]:
    """The estimate for every split and label; `samples` as `draw_samples` gives them.

    Of each sample only the beginning up to the first undecided claim counts: it is a random sample itself, whereas decisions
    from elsewhere, such as a review of the riskiest claims first, would bias the estimate.
    """
    rows = []
    labels: tuple[Label, ...] = ("no", "yes")
    for split, sample in samples.items():
        beginning = list(takewhile(lambda question: key_of(question) in decisions, sample))
        for label in labels:
            found = [decisions[key_of(question)].decision for question in beginning if question.label == label]
            sampled = sum(question.label == label for question in sample)
            if sampled:
                wrong, unsure = found.count(_CONTRADICTS[label]), found.count("unsure")
                rows.append(
                    LabelNoise(
                        split=split, label=label, sampled=sampled,
                        wrong=share(wrong, len(found)), unsure=share(unsure, len(found)),
                    )
                )  # fmt: skip
    return rows


def estimate_noise(
    benchmark: Benchmark, reviews: Mapping[str, Mapping[ClaimKey, Reviewed]], sample: int, seed: int
) -> tuple[NoiseEstimate, dict[str, tuple[int, int]]]:
    """What reviewers' decisions (by name and claim) say of the sample of a benchmark that `sample` and `seed` draw; and the
    splits left out because too little of theirs is reviewed, with how many of how many are.

    Where two differ, a claim counts as unsure. Raises HopeBenchError where no split is reviewed far enough.
    """
    samples = draw_samples(benchmark, sample, seed)
    drawn = {claim.key for claim in sample_queue(samples, seed)}
    relevant = {name: {key: one for key, one in found.items() if key in drawn} for name, found in reviews.items()}
    merged = merge(relevant)
    estimates = label_noise(samples, by_claim(merged.decisions))
    reviewed = {split: sum(row.reviewed for row in estimates if row.split == split) for split in samples}
    short = {
        split: (reviewed[split], len(drawn_of))
        for split, drawn_of in samples.items()
        if reviewed[split] < min(LEAST_REVIEWED, len(drawn_of))
    }
    if len(short) == len(samples):
        furthest = max(short, key=lambda split: short[split][0])
        raise HopeBenchError(
            f"No split's sample is reviewed far enough from its beginning: {furthest}'s furthest, {short[furthest][0]} of "
            f"{short[furthest][1]}; {LEAST_REVIEWED} or the whole sample are needed. Are --sample {sample} and --seed {seed} "
            "those of the review (hope-bench review --sample)?"
        )
    estimate = NoiseEstimate(
        benchmark=benchmark.manifest.name, hash=benchmark.manifest.hash, sample=sample, seed=seed,
        reviewers=tuple(reviews), agreements=merged.agreements,
        estimates=tuple(row for row in estimates if row.split not in short), reviewed=reviewed_claims(merge(reviews).decisions),
    )  # fmt: skip
    return estimate, short


def write_label_noise(folder: Path, estimate: NoiseEstimate) -> Path:
    """Publish an estimate beside the benchmark's manifest.json and return the file. Raises HopeBenchError."""
    path = folder / LABEL_NOISE_FILE
    write_text(path, estimate.model_dump_json(indent=1) + "\n")
    return path


def read_label_noise(folder: Path, benchmark_hash: str) -> NoiseEstimate | None:
    """The estimate published in a benchmark's folder; None where there is none, or it is of other questions than those of
    `benchmark_hash`. Raises HopeBenchError naming the file and key where it is malformed."""
    path = folder / LABEL_NOISE_FILE
    if not os.path.lexists(path):
        return None
    estimate = read_json(path, NoiseEstimate)
    return estimate if estimate.hash == benchmark_hash else None
