"""A split's numbers as a result file holds them: estimates, counts, parts, blind answers, and the packed letters behind them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator

from hope_bench.files.spec import Kind
from hope_bench.files.validation import Strict

BreakdownName = Literal["category", "description-kind", "object-size"]
"""By what a split's questions are taken apart."""

NO_PART = 255
"""How SplitScore.part_of marks a question that is in no part."""

PACKED: dict[str, str] = {"yes": "y", "no": "n", "unparsed": "u", "error": "e", "unasked": "-"}
"""How a question's label or verdict is written in a result's packed strings."""


stated_counts: Callable[[Part | SplitScore], tuple[int, ...]] = attrgetter(
    *(f"{side}.{verdict}" for side in ("on_yes", "on_no") for verdict in PACKED)
)
"""The counts that a split or a part of one states: of the yes-questions by verdict, as PACKED lists them, then of the others."""


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

    def points(self) -> str:
        """A difference of shares in percentage points, with its sign: "+1.2 [0.3, 2.0]"; "-" where it can't be computed."""
        if self.value is None:
            return "-"
        value, *ends = (round(100 * one, 1) + 0.0 for one in (self.value, self.low, self.high) if one is not None)
        return f"{value:+.1f}" + (f" [{ends[0]:.1f}, {ends[1]:.1f}]" if len(ends) == 2 else "")


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
    from the rest.

    All numbers follow from `levels`, what it says to each question, in the order of `labels`: base64 of a byte each, 0 to 255 in
    rising order of P(yes), from 128 on a yes. Null for always-yes and always-no, and in files written before it was kept."""

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
    images: int | None = Field(default=None, ge=0)
    levels: str | None = None


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
    "small", "medium" or "large". Empty in files of version 1. `part_of` says of each question, in the order of `labels`, which of
    a breakdown's parts it is in, so that parts can be computed again too: base64 of a byte each, the part's place from 0, 255
    where it is in none. Empty in files written before it was kept. `corrected` is None where nobody reviewed a sample of the
    split.
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
    part_of: Mapping[BreakdownName, str] = {}
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
        for name, packed in self.part_of.items():
            parts = self.breakdowns.get(name)
            if parts is not None and not _places(packed, len(self.labels), len(parts)):
                raise ValueError(f"part_of.{name} is not a part of breakdowns.{name} for each label")
        for index, way in enumerate(self.blind):
            if way.levels is not None and not _places(way.levels, len(self.labels), NO_PART + 1):
                raise ValueError(f"blind.{index}.levels is not one level for each label")
        if self.kind == "twin" and any(count % 2 for count in self.questions_per_image):
            raise ValueError("a split of twins holds pairs of questions, so each image has an even number of them")
        if _others(self.labels, "yn") or _others("".join(self.all_verdicts), "".join(PACKED.values())):
            raise ValueError("labels or verdicts hold an unknown letter")
        return self


def _places(packed: str, questions: int, parts: int) -> bool:
    """Whether this is base64 of a byte for each question, each the place of one of the parts or NO_PART."""
    try:
        places = base64.b64decode(packed, validate=True)
    except ValueError:
        return False
    return len(places) == questions and not places.translate(None, bytes([*range(min(parts, NO_PART)), NO_PART]))


def _others(letters: str, known: str) -> bool:
    """Whether there are letters besides the known ones."""
    return bool(letters.encode("utf-8", "replace").translate(None, known.encode("ascii")))
