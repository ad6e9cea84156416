"""A result file (leaderboard/results/BENCHMARK/MODEL.json): one model on one benchmark, small, reviewed and committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from hope_bench.errors import HopeBenchError
from hope_bench.provenance import write_text
from hope_bench.spec import Kind
from hope_bench.validation import Strict, read_json

SCHEMA_VERSION = 1
"""The version of the result schema that this hope-bench writes and reads (docs/result-schema.md)."""

ConventionName = Literal["strict", "pope", "vlmevalkit", "lmms-eval", "repope"]

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


class ReliabilityBin(Strict):
    """The questions whose P(yes) lies in one tenth of [0, 1]: how many, their mean P(yes), and the share of them labelled yes."""

    low: float
    high: float
    questions: int = Field(ge=1)
    p_yes: float
    yes: float


class Probabilities(Strict):
    """Numbers from P(yes), which need no threshold, over the `questions` asked whose P(yes) is known; all in [0, 1].

    `auroc` is the chance that a yes-question has a higher P(yes) than a no-question (ties half), `average_precision` the mean
    precision over recall's steps, `brier` the mean squared distance of P(yes) from the label, `ece` the mean distance of P(yes)
    from the share of yes-labels over the ten `bins`, weighted by questions (no interval: resampling raises it).
    `packed` is P(yes) of every question, in the order of `labels`: base64 of 16-bit little-endian numbers, 65535 where unknown,
    else n for P(yes) = 1 / (1 + exp(14 - 28 n / 65534)), which is within 0.00006 of the run's. All numbers are computed from it.
    """

    questions: int = Field(ge=0)
    auroc: Estimate
    average_precision: Estimate
    brier: Estimate
    ece: float | None
    bins: tuple[ReliabilityBin, ...]
    packed: str


class Blind(Strict):
    """What answering without looking gives on a split: always yes, always no, or `category-prior`: yes where the split's other
    images more often have the asked category than not. A benchmark on which the last beats 0.5 can be solved without looking."""

    name: Literal["always-yes", "always-no", "category-prior"]
    accuracy: float | None
    balanced_accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    hallucination_rate: float | None


class Average(Strict):
    """Several splits of one group as one number, in one of the ways that papers average.

    `split-mean` is the mean of the splits' numbers, `pooled` takes all their questions together, `unique` counts a question that
    several of the splits ask once, in the first of them. `metrics` are named as in a split.
    """

    group: Literal["pope", "pope-guarded", "hope"]
    method: Literal["split-mean", "pooled", "unique"]
    splits: tuple[str, ...]
    questions: int
    metrics: Mapping[str, Estimate]


class SplitScore(Strict):
    """One split's numbers under a scoring convention (docs/scoring.md), all in [0, 1] but `mcc`, which is in [-1, 1].

    `labels` and `verdicts` hold one letter a question (y yes, n no, u unparsed, e error, - unasked), grouped by image: the first
    `questions_per_image[0]` belong to the benchmark's first image, and so on, the same images in every split. So anyone can
    recompute every number and interval, and compare models pairwise.

    A split of kind "twin" holds pairs of questions, a false description and then its true twin; `paired_discrimination` is the
    share of asked pairs with both answered right (None for other splits). `repeated` marks with "r" the questions that an earlier
    split of the same group (Average) asks too, "." the others; None where the split is in no group. `probabilities` is None where
    the run has no P(yes). `mcc` is None in files written before it was computed.
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
    mcc: Estimate | None = None
    paired_discrimination: Estimate | None = None
    probabilities: Probabilities | None = None
    blind: tuple[Blind, ...] = ()
    questions_per_image: tuple[int, ...]
    labels: str
    verdicts: str
    repeated: str | None = None

    @model_validator(mode="after")
    def _packed_strings_agree(self) -> SplitScore:
        if not len(self.labels) == len(self.verdicts) == sum(self.questions_per_image):
            raise ValueError("labels, verdicts and questions_per_image are of different lengths")
        if self.repeated is not None and (len(self.repeated) != len(self.labels) or set(self.repeated) - set("r.")):
            raise ValueError("repeated is not one r or . for each label")
        if self.kind == "twin" and any(count % 2 for count in self.questions_per_image):
            raise ValueError("a split of twins holds pairs of questions, so each image has an even number of them")
        if set(self.labels) - set("yn") or set(self.verdicts) - set(PACKED.values()):
            raise ValueError("labels or verdicts hold an unknown letter")
        return self


class Comparison(Strict):
    """One split against a baseline split, the same model and images, intervals paired by image.

    `precision_drop` is precision(baseline) - precision(split); `hallucination_rise` is the split's hallucination rate minus the
    baseline's, `auroc_drop` AUROC(baseline) - AUROC(split), which no threshold touches (None without P(yes)). Positive numbers
    mean the split is harder.
    """

    split: str
    baseline: str
    precision_drop: Estimate
    hallucination_rise: Estimate
    auroc_drop: Estimate | None = None


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
    """One model on one benchmark. `unranked` says why a result is shown but not ranked (None: it is ranked).

    `convention` says how answers were read, and `languages` in which languages besides English.
    """

    schema_version: Literal[1] = 1
    convention: ConventionName = "strict"
    languages: tuple[str, ...] = ()
    model: ModelInfo
    benchmark: BenchmarkInfo
    run: RunInfo
    bootstrap: Bootstrap
    splits: Mapping[str, SplitScore]
    comparisons: tuple[Comparison, ...]
    averages: tuple[Average, ...] = ()
    unranked: str | None = None
    notes: tuple[str, ...] = ()


class _Version(Strict):
    model_config = ConfigDict(extra="ignore")

    schema_version: int = 0


def read_result(path: Path) -> Result:
    """A validated result file. Raises HopeBenchError naming the file and key, or the schema version that can't be read."""
    version = read_json(path, _Version).schema_version
    if version != SCHEMA_VERSION:
        what = "Score the run again." if version < SCHEMA_VERSION else "Update hope-bench."
        raise HopeBenchError(
            f"{path} has schema_version {version or 'missing'}; this hope-bench reads version {SCHEMA_VERSION} "
            f"(docs/result-schema.md). {what}"
        )
    return read_json(path, Result)


def write_result(path: Path, result: Result) -> None:
    """Write a result file whole or not at all; the same result gives the same bytes."""
    write_text(path, result.model_dump_json(indent=1) + "\n")
