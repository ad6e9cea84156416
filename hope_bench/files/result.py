"""A result file (leaderboard/results/BENCHMARK/RUN.json): one run of a model on a benchmark, small, reviewed, committed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.card import slug
from hope_bench.files.places import RESULTS
from hope_bench.files.spec import Kind
from hope_bench.files.validation import Strict, parse_json, validate
from hope_bench.provenance import write_text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SCHEMA_VERSION = 3
"""The version of the result schema that this hope-bench writes (docs/result-schema.md); older ones are migrated when read."""

ConventionName = Literal["strict", "pope", "vlmevalkit", "lmms-eval", "repope", "evalscope", "helm"]

BreakdownName = Literal["category", "description-kind", "object-size"]
"""By what a split's questions are taken apart."""

PACKED: dict[str, str] = {"yes": "y", "no": "n", "unparsed": "u", "error": "e", "unasked": "-"}
"""How a question's label or verdict is written in a result's packed strings."""


stated_counts: Callable[[Part | SplitScore], tuple[int, ...]] = attrgetter(
    *(f"{side}.{verdict}" for side in ("on_yes", "on_no") for verdict in PACKED)
)
"""The counts that a split or a part of one states: of the yes-questions by verdict, as PACKED lists them, then of the others."""


_ESTIMATES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio", "mcc",
    "paired_discrimination",
)  # fmt: skip
_DROPS = ("precision_drop", "hallucination_rise", "auroc_drop")
"""The numbers of a split, and of one against its baseline, that a frame shows."""


class Estimate(Strict):
    """A number with its 95% interval; null where it can't be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def percent(self) -> str:
        """In percent with one decimal, "12.3 [10.1, 14.8]"; "-" where it can't be computed."""
        if self.value is None:
            return "-"
        ends = "" if self.low is None or self.high is None else f" [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        return f"{100 * self.value:.1f}{ends}"


class VerdictCounts(Strict):
    """How many questions of one label got each verdict; `unasked` were never put to the model. Where each question was answered
    several times, how many answers."""

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


class NullBand(Strict):
    """What a number would be if nothing were wrong: its mean, and the ends between which it lies in 95% of the draws."""

    mean: float
    low: float
    high: float


class Probabilities(Strict):
    """Numbers from P(yes) over the `questions` asked whose P(yes) is known; all in [0, 1] but `d_a`.

    `auroc` is the chance that a yes-question has a higher P(yes) than a no-question (ties half), `d_a` the same as a distance,
    sqrt(2) times its normal quantile (null where it is 0 or 1), `average_precision` the mean precision over recall's steps.
    `fixed_balanced_accuracy` is the balanced accuracy of "yes" from that P(yes) on which is best on the baseline's `random`
    split, found on other images (five folds; null without that split). No monotone change of P(yes) moves these. `brier` is the
    mean squared distance of P(yes) from the label, `ece` the mean distance of P(yes) from the share of yes-labels over the ten
    `bins`, weighted by questions (no interval: resampling raises it). Few questions raise it too: `ece_null` is what it would be
    if every label were drawn by P(yes).
    `packed` is P(yes) of every question, in the order of `labels`: base64 of 16-bit little-endian numbers, 65535 where unknown,
    else n for P(yes) = 1 / (1 + exp(14 - 28 n / 65534)), which is within 0.00006 of the run's. All numbers are computed from it.
    """

    questions: int = Field(ge=0)
    auroc: Estimate
    d_a: Estimate = Estimate(value=None)
    average_precision: Estimate
    fixed_balanced_accuracy: Estimate | None = None
    brier: Estimate
    ece: float | None
    ece_null: NullBand | None = None
    bins: tuple[ReliabilityBin, ...]
    packed: str


FittedOn = Literal["other-images", "crosswise"]

BLIND_WAYS = ("always-yes", "always-no", "category", "words", "words-and-others")
"""The ways of answering without looking."""


class Blind(Strict):
    """What answering without looking gives on a split (docs/scoring.md): always yes, always no, by what `category` is asked
    about, by a logistic model over the question's `words`, or over the `words-and-others` of the same image.

    `either_way` is max(BA, 1 - BA), of the rule or its opposite; `auroc` that of its P(yes), null for always-yes and always-no;
    `paired_discrimination` the share of pairs with both right in a split of kind "twin" (0.25 by tossing coins). What is learnt
    is learnt from `images` images, other ones than the benchmark's, or (fitted_on `crosswise`) of the split itself, each fifth
    from the rest."""

    name: Literal["always-yes", "always-no", "category", "words", "words-and-others"]
    accuracy: float | None
    balanced_accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    hallucination_rate: float | None
    either_way: Estimate | None = None
    auroc: Estimate | None = None
    paired_discrimination: float | None = None
    fitted_on: FittedOn | None = None
    images: int | None = None


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


class Part(Strict):
    """The questions of a split about one thing: a category, a kind of description, or present objects of one size.

    `name` None is all the rest: categories beyond the 100 most asked over all splits, and questions that name none. `images`
    counts those with an asked question of the part. Rates follow from the counts; their 95% intervals are Korn-Graubard's, as
    everywhere (docs/scoring.md; Wilson's in files of version 2), null for fewer than 10 images with questions of the rate's
    label. Counts of 0 and missing intervals are left out of the file.
    """

    name: str | None
    images: int = Field(ge=0)
    on_yes: VerdictCounts
    on_no: VerdictCounts
    recall: Estimate
    hallucination_rate: Estimate

    @model_serializer
    def _short(self) -> dict[str, Any]:
        counts = {key: {word: n for word, n in getattr(self, key).model_dump().items() if n} for key in ("on_yes", "on_no")}
        rates = {
            key: {end: n for end, n in getattr(self, key).model_dump().items() if n is not None or end == "value"}
            for key in ("recall", "hallucination_rate")
        }
        return {"name": self.name, "images": self.images, **counts, **rates}


class Corrected(Strict):
    """A split's rates under the truth that people found for a sample of its questions, joined with this model's answers to them
    (docs/scoring.md).

    `truth` holds a letter for each of `labels`: y what is asked about is there, n it is not, ? the reviewers couldn't tell, -
    nobody looked. `inclusion` is the chance with which each reviewed question was drawn, in their order. Of the asked questions
    `reviewed` were looked at, `unsure` of them without a clear truth: those are in neither rate. Null where a label was not
    reviewed.
    """

    truth: str
    inclusion: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    reviewed: int = Field(ge=0)
    unsure: int = Field(ge=0)
    recall: Estimate
    hallucination_rate: Estimate

    @model_validator(mode="after")
    def _each_reviewed_has_a_chance(self) -> Corrected:
        if _others(self.truth, "yn?-") or len(self.truth) - self.truth.count("-") != len(self.inclusion):
            raise ValueError("truth holds an unknown letter, or inclusion is not one number for each reviewed question")
        return self


class SplitScore(Strict):
    """One split's numbers under a scoring convention (docs/scoring.md), all in [0, 1] but `mcc`, which is in [-1, 1].

    `labels` and `verdicts` hold one letter a question (y yes, n no, u unparsed, e error, - unasked), grouped by image: the first
    `questions_per_image[0]` belong to the benchmark's first image, and so on, the same images in every split. So anyone can
    recompute every number and interval, and compare models pairwise. Where each question was answered several times (`samples` of
    `run`), `verdicts` are the first answers and `further_verdicts` the others, in the same order. All of them count, so that a
    rate is the mean over questions of each one's share; lists of questions show the first.

    A split of kind "twin" holds pairs of questions, a false description and then its true twin; `paired_discrimination` is the
    share of asked pairs with both answered right, `forced_choice` that of pairs in which the true one has the higher P(yes), ties
    half (null without P(yes)); both are None for other splits. `repeated` marks with "r" the questions that an earlier
    split of the same group (Average) asks too, "." the others; None where the split is in no group. `probabilities` is None where
    the run has no P(yes). `mcc` is None in files written before it was computed.

    `d_prime` and `criterion` are signal detection's sensitivity and bias from the verdicts, z(recall) - z(hallucination rate) and
    minus half their sum, each count raised by 1/2 and each total by 1 (Hautus 1995); no interval where a rate is 0 or 1.

    `breakdowns` takes the questions apart: "category" and "description-kind" (where the split has descriptions) hold every
    question in one part, "object-size" (where the annotations were at hand) the yes-questions about objects of known size, as
    "small", "medium" or "large". Empty in files of version 1. `corrected` is None where nobody reviewed a sample of the split.
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
    d_prime: Estimate | None = None
    criterion: Estimate | None = None
    paired_discrimination: Estimate | None = None
    forced_choice: Estimate | None = None
    probabilities: Probabilities | None = None
    blind: tuple[Blind, ...] = ()
    questions_per_image: tuple[int, ...]
    labels: str
    verdicts: str
    further_verdicts: tuple[str, ...] = ()
    repeated: str | None = None
    breakdowns: Mapping[BreakdownName, tuple[Part, ...]] = {}
    corrected: Corrected | None = None

    @property
    def all_verdicts(self) -> tuple[str, ...]:
        """The verdicts of every sample."""
        return (self.verdicts, *self.further_verdicts)

    @property
    def unasked(self) -> int:
        """How many of the questions were never put to the model."""
        return self.verdicts.count(PACKED["unasked"])

    @property
    def without_p_yes(self) -> int:
        """How many answered questions have no P(yes), though the run has some: their first position isn't the answer."""
        known = len(self.verdicts) if self.probabilities is None else self.probabilities.questions
        return max(sum(self.verdicts.count(PACKED[verdict]) for verdict in ("yes", "no", "unparsed")) - known, 0)

    @property
    def pairs_asked(self) -> int:
        """Of a split of kind "twin": how many pairs had both questions asked."""
        return sum(PACKED["unasked"] not in self.verdicts[place : place + 2] for place in range(0, len(self.verdicts), 2))

    def hallucinates(self, place: int) -> bool:
        """Whether the question at that place, from 0, is a no-question that was answered yes."""
        return (self.labels[place], self.verdicts[place]) == (PACKED["no"], PACKED["yes"])

    @model_validator(mode="after")
    def _breakdowns_add_up(self) -> SplitScore:
        held = stated_counts(self)
        yes_questions = held[: len(PACKED)] + (0,) * len(PACKED)
        for name, parts in self.breakdowns.items():
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise ValueError(f"breakdowns.{name} holds a part twice")
            sums = tuple(map(sum, zip((0,) * len(held), *map(stated_counts, parts), strict=True)))
            if name != "object-size" and sums != held:
                raise ValueError(f"breakdowns.{name} counts other questions than the split holds")
            if name == "object-size" and not all(map(int.__le__, sums, yes_questions)):
                raise ValueError("breakdowns.object-size counts more than the split's yes-questions")
        return self

    @model_validator(mode="after")
    def _packed_strings_agree(self) -> SplitScore:
        if {len(self.labels), *map(len, self.all_verdicts)} != {sum(self.questions_per_image)}:
            raise ValueError("labels, verdicts and questions_per_image are of different lengths")
        if self.further_verdicts and self.probabilities is not None:
            raise ValueError("probabilities are of one answer to a question, and further_verdicts holds several")
        if self.corrected is not None and len(self.corrected.truth) != len(self.labels):
            raise ValueError("corrected.truth is not one letter for each label")
        if self.repeated is not None and (len(self.repeated) != len(self.labels) or _others(self.repeated, "r.")):
            raise ValueError("repeated is not one r or . for each label")
        if self.kind == "twin" and any(count % 2 for count in self.questions_per_image):
            raise ValueError("a split of twins holds pairs of questions, so each image has an even number of them")
        if _others(self.labels, "yn") or _others("".join(self.all_verdicts), "".join(PACKED.values())):
            raise ValueError("labels or verdicts hold an unknown letter")
        return self


def _others(letters: str, known: str) -> bool:
    """Whether there are letters besides the known ones."""
    return bool(letters.encode("utf-8", "replace").translate(None, known.encode("ascii")))


class Hallucination(Strict):
    """A claim about something absent that the model affirmed.

    `split` asks it as its `place`-th question (from 0, in the order of `labels`); `image` is a file name, `image_sha256` its hash
    where the benchmark knows it. `p_yes` is null without P(yes), `risk` is the benchmark's estimate that the claim is true
    after all, null where no guard made one.
    """

    split: str
    place: int = Field(ge=0)
    image: str
    image_sha256: str | None = None
    question: str
    object: str | None = None
    description: str | None = None
    p_yes: float | None = Field(default=None, ge=0, le=1)
    risk: float | None = Field(default=None, ge=0, le=1)


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
    """The benchmark as its manifest describes it: `clip` is the main encoder that searched, `encoders` the others by the names
    that splits give them (content@NAME)."""

    name: str = Field(min_length=1, max_length=100)
    title: str
    description: str = ""
    hash: str
    headline: str
    dataset: str
    prompt: str
    clip: str | None = None
    encoders: Mapping[str, str] = {}
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
    imported (files by name). `name` is the run's, which the result is called by (None in files written before it was kept),
    and `step` the training step of a checkpoint of a training run.
    `prompt_set` names the file of paraphrases that the run belongs to, and `prompt_name` which of them
    it is (`evaluate --prompts`); `blind` what was shown in place of the images (`evaluate --blind`). `thinking` says whether the
    model thought before it answered, `decoding` whether its answers are greedy or sampled, and how, and `samples` how many
    answers each question got; each None where unknown. `identity` is what an object says it is, or what a loaded model was said
    to be; None of everything that a hash or a revision tells."""

    name: str | None = None
    step: int | None = Field(default=None, ge=0)
    prompt: str | None = None
    prompt_set: str | None = None
    prompt_name: str | None = None
    blind: Literal["gray", "shuffled"] | None = None
    dtype: str | None = None
    device: str | None = None
    batch_size: int | None = None
    max_new_tokens: int | None = None
    thinking: bool | None = None
    decoding: str | None = None
    samples: int | None = Field(default=None, ge=1)
    adapter: str | None = None
    weights_sha256: str | None = None
    identity: str | None = None
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
    """How images were resampled for the numbers that have bootstrap intervals (MCC, average precision, the Brier score), and the
    confidence of every interval."""

    replicates: int
    seed: int
    confidence: float


class Result(Strict):
    """One model on one benchmark. `unranked` says why a result is shown but not ranked (None: it is ranked).

    `convention` says how answers were read, and `languages` in which languages besides English. `worst` are up to 12
    hallucinations, one an image, those with the highest P(yes) first (ties, and runs without P(yes), in seeded order); null
    in files of version 1. `added` is the day on which `hope-bench leaderboard add` took the result onto a leaderboard, null
    until then.
    """

    schema_version: Literal[3] = 3
    convention: ConventionName = "strict"
    languages: tuple[str, ...] = ()
    model: ModelInfo
    benchmark: BenchmarkInfo
    run: RunInfo
    bootstrap: Bootstrap
    splits: Mapping[str, SplitScore] = Field(min_length=1)
    comparisons: tuple[Comparison, ...]
    averages: tuple[Average, ...] = ()
    worst: tuple[Hallucination, ...] | None = None
    unranked: str | None = None
    notes: tuple[str, ...] = ()
    added: date | None = None

    @property
    def called(self) -> str:
        """What the result's file is called: its run's name, or the model's in files written before runs' names were kept."""
        return slug(self.run.name or self.model.name)

    @property
    def made_by(self) -> tuple[str | None, ...]:
        """Which model it is of: name, checkpoint, revision, SHA-256 of the weights, and what it says it is."""
        return (self.model.name, self.model.checkpoint, self.model.revision, self.run.weights_sha256, self.run.identity)

    def to_frame(self) -> pd.DataFrame:
        """A row a split: counts, and every number with the ends of its interval (docs/api.md lists the columns and types)."""
        from hope_bench.files.frames import typed_frame

        rows = []
        for name, split in self.splits.items():
            pair = self.compared(name)
            row: dict[str, Any] = {"split": name, "kind": split.kind, "questions": len(split.labels)}
            row |= {verdict: getattr(split.on_yes, verdict) + getattr(split.on_no, verdict) for verdict in PACKED}
            for metric in _ESTIMATES:
                row |= _ends(metric, getattr(split, metric))
            row |= {"auroc": None if split.probabilities is None else split.probabilities.auroc.value}
            row |= {"baseline": None if pair is None else pair.baseline}
            for drop in _DROPS:
                row |= _ends(drop, None if pair is None else getattr(pair, drop))
            rows.append(row)
        kinds = dict.fromkeys(("split", "kind", "baseline"), "string") | dict.fromkeys(("questions", *PACKED), "int64")
        return typed_frame([tuple(row.values()) for row in rows], {name: kinds.get(name, "float64") for name in rows[0]})

    def __repr__(self) -> str:
        """Short, as consoles and tracebacks show it."""
        return f"Result({self.called!r} on {self.benchmark.name!r})"

    def compared(self, split: str) -> Comparison | None:
        """A split against POPE's adversarial one, or else the first baseline it is compared with; None where there is none."""
        pairs = [pair for pair in self.comparisons if pair.split == split]
        return next((pair for pair in pairs if pair.baseline == "adversarial"), pairs[0] if pairs else None)

    def plot(self) -> go.Figure:
        """The POPE-to-HOPE picture: the hallucination rate of every split in percent with its 95% interval, each HOPE split's
        with a line from the POPE split that it is compared with."""
        from hope_bench.files.frames import Rate, rates_figure

        rates = []
        for name, split in self.splits.items():
            own, pair = split.hallucination_rate, self.compared(name)
            base = None if pair is None else self.splits[pair.baseline].hallucination_rate.value
            if split.kind != "twin" and own.value is not None:
                rates.append(Rate(name, split.kind, own.value, own.low, own.high, base))
        return rates_figure(f"{self.model.name} on {self.benchmark.title}", rates)

    def __str__(self) -> str:
        """A short table: a line a split."""
        from hope_bench.files.frames import as_text

        return as_text(*self._table())

    def _repr_html_(self) -> str:
        from hope_bench.files.frames import as_html

        return as_html(*self._table())

    def _table(self) -> tuple[str, list[dict[str, object]]]:
        rows: list[dict[str, object]] = []
        for name, split in self.splits.items():
            pair = self.compared(name)
            drop = None if pair is None else pair.precision_drop.value
            if split.kind != "twin":
                rows.append(
                    {
                        "split": name,
                        "hallucination rate": split.hallucination_rate.percent(),
                        "balanced accuracy": split.balanced_accuracy.percent(),
                        "precision": split.precision.percent(),
                        "precision drop": "" if drop is None else f"{100 * drop:+.1f}",
                        "unparsed": split.on_yes.unparsed + split.on_no.unparsed,
                        "errors": split.on_yes.error + split.on_no.error,
                    }
                )
        standing = "" if self.unranked is None else f"; not ranked: {self.unranked}"
        return f"{self.model.name} on {self.benchmark.title} (percent, 95% intervals{standing})", rows

    @model_validator(mode="after")
    def _compares_its_splits(self) -> Result:
        for index, one in enumerate(self.comparisons):
            if missing := {one.split, one.baseline} - self.splits.keys():
                raise ValueError(f"comparisons.{index} is of {', '.join(sorted(missing))}, which is no split of this result")
        return self

    @model_validator(mode="after")
    def _worst_are_hallucinations(self) -> Result:
        for index, one in enumerate(self.worst or ()):
            split = self.splits.get(one.split)
            if split is None or one.place >= len(split.labels) or not split.hallucinates(one.place):
                raise ValueError(f"worst.{index} is not a no-question of {one.split} that was answered yes")
        return self


def _ends(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """A number and the ends of its interval, as a frame names them."""
    value, low, high = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _known_ways(split: Any) -> Any:
    """A split without the category prior that was learnt within the split itself, which older files hold: it isn't comparable."""
    if not isinstance(split, dict) or not isinstance(split.get("blind"), list):
        return split
    return {**split, "blind": [one for one in split["blind"] if not isinstance(one, dict) or one.get("name") != "category-prior"]}


def _from_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added `breakdowns`, `corrected`, `worst` and two keys of `run`; a file of version 1 can't tell any of them."""
    return {**data, "schema_version": 2}


def _from_version_2(data: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has other intervals, and corrects rates in another way: those of version 2, bootstrapped and by constant error
    rates, are dropped. `hope_bench.scoring.recount` computes the intervals again from the packed letters."""
    splits = data.get("splits")
    if isinstance(splits, dict):
        splits = {name: _without_intervals(_without(split, "corrected"), "breakdowns") for name, split in splits.items()}
        data = {**data, "splits": splits}
    for key in ("comparisons", "averages"):
        if key in data:
            data = {**data, key: _without_intervals(data[key])}
    return {**data, "schema_version": 3}


def _without(value: Any, key: str) -> Any:
    return {name: one for name, one in value.items() if name != key} if isinstance(value, dict) else value


def _without_intervals(value: Any, but: str | None = None) -> Any:
    """JSON with the ends of every Estimate in it null, but those under the key `but`."""
    if isinstance(value, list):
        return [_without_intervals(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"value", "low", "high"}:
        return {**value, "low": None, "high": None}
    return {name: one if name == but else _without_intervals(one) for name, one in value.items()}


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_version_1, 2: _from_version_2}
"""How a file of each older version becomes one of the next."""


def parse_result(data: Any, where: str) -> Result:
    """A validated result from a file's JSON, of this or an older version. Raises HopeBenchError naming the key that is wrong,
    or the version that can't be read."""
    if not isinstance(data, dict):
        return validate(data, Result, where)
    version = data.get("schema_version")
    if isinstance(data.get("splits"), dict):
        data = {**data, "splits": {name: _known_ways(split) for name, split in data["splits"].items()}}
    while version in _MIGRATIONS and not isinstance(version, bool):
        data = _MIGRATIONS[version](data)
        version = data["schema_version"]
    if version != SCHEMA_VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise HopeBenchError(
            f"{where} has schema_version {'missing' if version is None else str(version)[:30]}; this hope-bench reads versions "
            f"{min(_MIGRATIONS)} to {SCHEMA_VERSION} (docs/result-schema.md). "
            + ("Update hope-bench." if newer else "Score the run again.")
        )
    return validate(data, Result, where)


def result_path(result: Result, results: Path = RESULTS) -> Path:
    """Where a result goes: RESULTS/BENCHMARK/RUN.json. What isn't ranked and other conventions than `strict` go to folders
    of their own below it, so that a quick look never takes the place of a full result."""
    folder = results / slug(result.benchmark.name)
    folder = folder if result.convention == "strict" else folder / result.convention
    return (folder if result.unranked is None else folder / "unranked") / f"{result.called}.json"


def find_results(given: Sequence[str | Path], results: Path = RESULTS) -> list[Path]:
    """The result files that are meant, each once: files, BENCHMARK/RUN under `results`, or BENCHMARK for all of its ranked ones.

    Raises HopeBenchError naming the nearest known one.
    """
    found: dict[Path, None] = {}
    for name in given:
        if Path(name).is_file():
            found[Path(name)] = None
        elif (results / f"{name}.json").is_file():
            found[results / f"{name}.json"] = None
        elif files := sorted((results / name).glob("*.json")):
            found.update(dict.fromkeys(files))
        else:
            known = [str(path.relative_to(results).with_suffix("")) for path in results.glob("*/*.json")]
            raise HopeBenchError(
                f"No result {str(name)!r}: give a file, BENCHMARK/RUN or BENCHMARK. " + did_you_mean(str(name), known)
            )
    return list(found)


def read_result(path: Path) -> Result:
    """A validated result file. Raises HopeBenchError naming the file and key, or the schema version that can't be read."""
    return parse_result(parse_json(path), str(path))


def write_result(path: Path, result: Result) -> None:
    """Write a result file whole or not at all, a line for each split and comparison; the same result gives the same bytes."""
    fields = result.model_dump(mode="json").items()
    write_text(path, "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(value)}" for name, value in fields) + "\n}\n")


def _lines(value: Any) -> str:
    """JSON with a line for every entry of the outermost object or list."""

    def short(one: Any) -> str:
        return json.dumps(one, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    if value and isinstance(value, dict):
        return "{\n" + ",\n".join(f" {short(name)}: {short(one)}" for name, one in value.items()) + "\n}"
    if value and isinstance(value, list):
        return "[\n" + ",\n".join(f" {short(one)}" for one in value) + "\n]"
    return short(value)
