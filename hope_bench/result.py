"""A result file (leaderboard/results/BENCHMARK/MODEL.json): one model on one benchmark, small, reviewed and committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hope_bench.provenance import write_text
from hope_bench.spec import Kind
from hope_bench.validation import Strict, read_json

PACKED: dict[str, str] = {"yes": "y", "no": "n", "unparsed": "u", "error": "e", "unasked": "-"}
"""How a question's label or verdict is written in a result's packed strings."""


class Estimate(Strict):
    """A number with its 95% interval; null where it can't be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


class VerdictCounts(Strict):
    """How many questions of one label got each verdict; `unasked` were never put to the model."""

    yes: int = Field(default=0, ge=0)
    no: int = Field(default=0, ge=0)
    unparsed: int = Field(default=0, ge=0)
    error: int = Field(default=0, ge=0)
    unasked: int = Field(default=0, ge=0)


class SplitScore(Strict):
    """One split's numbers under a scoring convention (docs/method.md), all in [0, 1].

    `labels` and `verdicts` hold one letter a question (y yes, n no, u unparsed, e error, - unasked), grouped by image: the first
    `questions_per_image[0]` belong to the benchmark's first image, and so on, the same images in every split. So anyone can
    recompute every number and interval, and compare models pairwise.

    A split of kind "twin" holds pairs of questions, a false description and then its true twin; `paired_discrimination` is the
    share of asked pairs with both answered right (None for other splits).
    """

    kind: Kind
    on_yes: VerdictCounts
    on_no: VerdictCounts
    accuracy: Estimate
    balanced_accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    specificity: Estimate
    hallucination_rate: Estimate
    yes_ratio: Estimate
    paired_discrimination: Estimate | None = None
    questions_per_image: tuple[int, ...]
    labels: str
    verdicts: str

    @model_validator(mode="after")
    def _packed_strings_agree(self) -> SplitScore:
        if not len(self.labels) == len(self.verdicts) == sum(self.questions_per_image):
            raise ValueError("labels, verdicts and questions_per_image are of different lengths")
        if self.kind == "twin" and any(count % 2 for count in self.questions_per_image):
            raise ValueError("a split of twins holds pairs of questions, so each image has an even number of them")
        if set(self.labels) - set("yn") or set(self.verdicts) - set(PACKED.values()):
            raise ValueError("labels or verdicts hold an unknown letter")
        return self


class Comparison(Strict):
    """One split against a baseline split, the same model and images, intervals paired by image.

    `precision_drop` is precision(baseline) - precision(split); `hallucination_rise` is the split's hallucination rate minus the
    baseline's. Positive numbers mean the split is harder.
    """

    split: str
    baseline: str
    precision_drop: Estimate
    hallucination_rise: Estimate


class ModelInfo(Strict):
    """The model as its card describes it."""

    name: str = Field(min_length=1, max_length=100)
    checkpoint: str | None = None
    revision: str | None = None
    family: str | None = None
    vision_tower: str | None = None
    parameters: str | None = None
    license: str | None = None


class BenchmarkInfo(Strict):
    """The benchmark as its manifest describes it."""

    name: str = Field(min_length=1, max_length=100)
    title: str
    description: str = ""
    hash: str
    headline: str
    dataset: str
    prompt: str
    clip: str | None = None
    images: int
    notes: tuple[str, ...] = ()


class SelfCheck(Strict):
    """A fast way of asking compared with the plain one on this very model: rms difference of the full-vocabulary logits over
    the rms spread between questions. `difference` is None where it is no number or the fast way raised (`reason`)."""

    what: str
    passed: bool
    difference: float | None = None
    threshold: float
    reason: str | None = None


class RunInfo(Strict):
    """How the answers came about: settings, device, versions, commit. `path` says whether questions of an image shared a
    computed prefix ("shared", "plain", or both), `source` where imported answers come from, and `command` how they were
    imported (files by name)."""

    prompt: str | None = None
    dtype: str | None = None
    device: str | None = None
    batch_size: int | None = None
    max_new_tokens: int | None = None
    adapter: str | None = None
    weights_sha256: str | None = None
    limit: int | None = None
    path: str | None = None
    self_checks: tuple[SelfCheck, ...] = ()
    processes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    source: str | None = None
    command: str | None = None
    versions: Mapping[str, str] = {}
    commit: str | None = None


class Bootstrap(Strict):
    """How the intervals were made: percentile bootstrap over images."""

    replicates: int
    seed: int
    confidence: float


class Result(Strict):
    """One model on one benchmark. `unranked` says why a result is shown but not ranked (None: it is ranked)."""

    schema_version: Literal[1] = 1
    convention: Literal["strict"] = "strict"
    model: ModelInfo
    benchmark: BenchmarkInfo
    run: RunInfo
    bootstrap: Bootstrap
    splits: Mapping[str, SplitScore]
    comparisons: tuple[Comparison, ...]
    unranked: str | None = None
    notes: tuple[str, ...] = ()


def read_result(path: Path) -> Result:
    """A validated result file. Raises HopeBenchError naming the file and key."""
    return read_json(path, Result)


def write_result(path: Path, result: Result) -> None:
    """Write a result file whole or not at all; the same result gives the same bytes."""
    write_text(path, result.model_dump_json(indent=1) + "\n")
