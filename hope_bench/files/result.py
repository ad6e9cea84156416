"""A result file (leaderboard/results/BENCHMARK/RUN.json): one run of a model on a benchmark, small, reviewed, committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from hope_bench.errors import counted
from hope_bench.files.card import slug
from hope_bench.files.split_score import PACKED, Average, Estimate, SplitScore
from hope_bench.files.validation import Strict

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from hope_bench.tables import Summary

SCHEMA_VERSION = 3
"""The version of the result schema that this hope-bench writes (docs/result-schema.md); older ones are migrated when read."""

ConventionName = Literal["strict", "pope", "vlmevalkit", "lmms-eval", "repope", "evalscope", "helm"]

_ESTIMATES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio", "mcc",
    "paired_discrimination",
)  # fmt: skip
_DROPS = ("precision_drop", "hallucination_rise", "auroc_drop")
"""The numbers of a split, and of one against its baseline, that a frame shows."""


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

    def summary(self) -> Summary:
        """What print and the command line show first: the verdict, a line a split in percent, and how to read it."""
        from rich.text import Text

        from hope_bench.tables import Summary, plain_table

        shown = {name: split for name, split in self.splits.items() if split.kind != "twin" and name not in self._unasked}
        pairs = {name: pair for name in shown if (pair := self.compared(name)) is not None}
        table = plain_table("", "split", ">hallucination", ">balanced accuracy", *([">precision drop"] if pairs else []))
        for name, split in shown.items():
            drop = [pairs[name].precision_drop.points() if name in pairs else ""] if pairs else []
            style = "bold" if name == self.benchmark.headline else ""
            table.add_row(Text(name, style=style), split.hallucination_rate.percent(), split.balanced_accuracy.percent(), *drop)
        how = "" if self.convention == "strict" else f", {self.convention} convention"
        standing = f"Ranked by {self.benchmark.headline}'s balanced accuracy."
        standing = standing if self.unranked is None else f"Not ranked: {self.unranked.rstrip('.')}."
        notes = (f"Percent, 95% intervals{how}. {_drops_said(pairs)}{standing}", *self._unread())
        return Summary(self._verdict(), table, (*notes, *(f"Note: {note}" for note in self.notes)))

    def _verdict(self) -> tuple[str, ...]:
        """How much the model makes up, and whether the headline split finds more than POPE, in sentences."""
        headline = self.benchmark.headline
        rate, pair = self.splits[headline].hallucination_rate, self.compared(headline)
        about = f"{self.model.name} on {self.benchmark.title} ({counted(self.benchmark.images, 'image')})"
        if rate.value is None:
            return (f"{about}: no question of {headline} about an absent object was asked.",)
        said = (f"{about}: yes to {rate.percent()} in a hundred questions of {headline} about absent objects.",)
        rise = None if pair is None else pair.hallucination_rise
        if pair is None or rise is None or rise.low is None or rise.high is None:
            return said
        if rise.low <= 0 <= rise.high:
            return (
                *said,
                f"{headline} and {pair.baseline} are not told apart by how often absent objects are affirmed ({rise.points()} "
                "points).",
            )
        more = "more" if rise.low > 0 else "fewer"
        return (*said, f"{headline} finds {more} hallucinations than {pair.baseline}: {rise.points()} in a hundred.")

    def _unread(self) -> tuple[str, ...]:
        """How many questions got neither yes nor no, by split; nothing where all did."""
        found = []
        for name, split in self.splits.items():
            if name in self._unasked:
                continue
            counts = {one: getattr(split.on_yes, one) + getattr(split.on_no, one) for one in ("unparsed", "error", "unasked")}
            words = [counted(counts["unparsed"], "unparsed", "unparsed"), counted(counts["error"], "error")]
            words.append(counted(counts["unasked"], "unasked", "unasked"))
            if any(counts.values()):
                found.append(f"{name} {', '.join(one for one in words if not one.startswith('0 '))}")
        unread = (f"Neither yes nor no: {'; '.join(found)}.",) if found else ()
        return (*unread, f"Not asked: {', '.join(self._unasked)}.") if self._unasked else unread

    @property
    def _unasked(self) -> tuple[str, ...]:
        """The splits of which no question was asked."""
        return tuple(name for name, split in self.splits.items() if split.unasked == len(split.verdicts) > 0)

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()

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


def _drops_said(pairs: Mapping[str, Comparison]) -> str:
    """Against which split each drop is, in a sentence."""
    usual = Counter(pair.baseline for pair in pairs.values()).most_common(1)
    if not usual:
        return ""
    others: dict[str, list[str]] = {}
    for name, pair in pairs.items():
        if pair.baseline != usual[0][0]:
            others.setdefault(pair.baseline, []).append(name)
    apart = "".join(f"; {', '.join(names)} from {baseline}" for baseline, names in others.items())
    return f"Precision drop: points lost from {usual[0][0]}{apart}, paired by image. "


def _ends(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """A number and the ends of its interval, as a frame names them."""
    value, low, high = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
