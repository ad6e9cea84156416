"""The frozen, typed records that flow between stages: annotations in, questions, answers."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isnan
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Label = Literal["yes", "no"]
Verdict = Literal["yes", "no", "unparsed", "error"]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A number in [0, 1], checked where it is read from a file."""

BoxLayout = Literal["xywh", "xyxy", "cxcywh", "fractions", "xyxy-fractions", "cxcywh-fractions"]
"""What the four numbers of a file's boxes are; "fractions" are (x, y, width, height) as shares of the image's sides."""

Orientation = Literal["upright", "stored"]
"""Which picture boxes are on, where EXIF turns it: as people see it, or as its pixels are stored."""

LEAST_MASS = 0.5
"""The least that yes and no must weigh together at a position for P(yes) to be read there: else the answer begins elsewhere."""


@dataclass(frozen=True, slots=True)
class Category:
    """One word of the vocabulary C.

    `name` is unique within the annotations. `spoken` is how a question says it where that is not `name` itself ("cabinet or
    shelf" for "Cabinet/shelf"). `synonyms` are other words for it, `mentioned_as` words of captions from which it may be
    expected, `parents` the names of the categories directly above it in the dataset's hierarchy, `synset` its WordNet sense
    ("trumpet.n.01"); empty or None where there are none.
    """

    name: str
    supercategory: str | None = None
    spoken: str | None = None
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    synset: str | None = None
    mentioned_as: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The category as a question says it."""
        return self.name if self.spoken is None else self.spoken


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an annotation file. `file_name` is relative to the images folder; sizes are pixels, None if unknown."""

    file_name: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object. `bbox` is (x, y, width, height) in the annotations' `box_units`, None where there is no usable box;
    `crowd` regions (and groups) count as present but are never used for geometry."""

    category: str
    bbox: tuple[float, float, float, float] | None
    area: float | None
    crowd: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Relationship:
    """One annotated relationship, such as "man riding horse": `subject` and `object` are instance rows of the annotations."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True, slots=True, eq=False)
class Relationships:
    """Every annotated relationship in columns: those of image i are rows starts[i]:starts[i+1].

    `subject` and `object` int64 [R] are instance rows; `predicate_of` int32 [R] indexes `predicates`.
    """

    predicates: tuple[str, ...]
    starts: NDArray[np.int64]
    subject: NDArray[np.int64]
    predicate_of: NDArray[np.int32]
    object: NDArray[np.int64]

    def of(self, image: int) -> tuple[Relationship, ...]:
        """The image's relationships in the file's order."""
        rows = slice(self.starts[image], self.starts[image + 1])
        columns = (self.subject[rows].tolist(), self.predicate_of[rows].tolist(), self.object[rows].tolist())
        return tuple(Relationship(subject, self.predicates[name], other) for subject, name, other in zip(*columns, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """What an annotation file says, held in columns so that tens of millions of boxes fit in memory.

    Instances are grouped by image: those of image i are rows starts[i]:starts[i+1], in the file's order.
    `category_of` int32 [A] indexes `categories`; `boxes` float32 [A, 4] is (x, y, width, height), a row of NaN where an
    instance has no usable box, or None where the format has none; `areas` float32 [A], NaN where unknown, or None; `crowd`
    bool [A]. `box_units` tells the unit of both: pixels, or fractions of the image's width and height (`extent`).
    `attributes` and `captions` are sparse, keyed by instance row and image index.

    What is known of whole images, keyed by image index (use `get`: an image may be missing), as category indices:
    `also_present` are categories present beyond the instances, in the file's order; `verified_absent` those that people
    looked for and did not find, None where the data doesn't say; `not_exhaustive` those whose instances are only partly
    annotated. `every_instance` is whether a category's instances are otherwise all annotated, each once (Visual Genome's are
    neither). `relationships` is None where the format has none. `orientation` is which picture boxes are on where EXIF turns it,
    None where nobody says; `fitted` are the images whose files were looked at: sizes and boxes are those of the picture as people
    see it. `problems` lists, in words, what was wrong with the files and survived.
    """

    categories: tuple[Category, ...]
    images: tuple[Image, ...]
    starts: NDArray[np.int64]
    category_of: NDArray[np.int32]
    crowd: NDArray[np.bool_]
    boxes: NDArray[np.float32] | None = None
    areas: NDArray[np.float32] | None = None
    attributes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    captions: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    box_units: Literal["pixels", "fractions"] = "pixels"
    also_present: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    verified_absent: Mapping[int, frozenset[int]] | None = None
    not_exhaustive: Mapping[int, frozenset[int]] = field(default_factory=dict)
    every_instance: bool = True
    relationships: Relationships | None = None
    orientation: Orientation | None = None
    fitted: frozenset[int] = frozenset()

    def present(self, image: int) -> tuple[str, ...]:
        """Y(x): the image's distinct category names, in order of first annotation (METHOD: POPE baselines), then those known
        to be present without an instance."""
        rows = self.category_of[self.starts[image] : self.starts[image + 1]].tolist()
        if self.also_present:
            rows.extend(self.also_present.get(image, ()))
        return tuple(self.categories[c].name for c in dict.fromkeys(rows))

    def extent(self, image: int) -> tuple[float, float] | None:
        """The image's (width, height) in `box_units`: (1, 1) for fractions, None for pixels of an image of unknown size."""
        if self.box_units == "fractions":
            return (1.0, 1.0)
        width, height = self.images[image].width, self.images[image].height
        return (float(width), float(height)) if width and height and min(width, height) > 0 else None

    def instances(self, image: int) -> tuple[Instance, ...]:
        """The image's instances in the file's order, crowd regions included."""
        rows = range(int(self.starts[image]), int(self.starts[image + 1]))
        own = slice(rows.start, rows.stop)
        unknown = [None] * len(rows)
        boxes = unknown if self.boxes is None else self.boxes[own].tolist()
        areas = unknown if self.areas is None else self.areas[own].tolist()
        # nan stands for what an instance doesn't have.
        return tuple(
            Instance(
                category=self.categories[column].name,
                bbox=None if box is None or isnan(box[0]) else (box[0], box[1], box[2], box[3]),
                area=None if area is None or isnan(area) else area,
                crowd=crowd,
                attributes=self.attributes.get(row, {}),
            )
            for row, column, box, area, crowd in zip(
                rows, self.category_of[own].tolist(), boxes, areas, self.crowd[own].tolist(), strict=True
            )
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a split: POPE's four keys first, so that every POPE consumer reads it, then ours.

    `object` is the category asked about; `distractor_score` is the strategy's score of a no-question's distractor, rounded to
    4 digits (None on yes-questions and where the strategy has no score). `description` says what is claimed of a present object
    ("a red car"), `description_kind` what kind of claim that is; `twin_of` makes a question the true twin of the false
    description with that id in the split it belongs to. `risk` in [0, 1] is the estimated probability that a distractor is in
    the picture after all, and `evidence` what that rests on; None where no guard estimated it. `found_by` names the strategy
    whose score this is where the split joins several, whose scores can't be compared. A line leaves out what is None.
    """

    question_id: int
    image: str
    text: str
    label: Label
    strategy: str
    object: str | None = None
    distractor_score: float | None = None
    description: str | None = None
    description_kind: str | None = None
    twin_of: int | None = None
    risk: float | None = None
    evidence: Mapping[str, float] | None = None
    found_by: str | None = None

    @property
    def role(self) -> Literal["question", "twin"]:
        """Whether this is one of a split's own questions, or the twin of one."""
        return "question" if self.twin_of is None else "twin"


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a benchmark asks: `template` holds `{question}`. The benchmark owns it, so that every model is asked the same."""

    template: str = "{question}"

    def fill(self, question: str) -> str:
        """The user turn's text for one question."""
        return self.template.replace("{question}", question)


@dataclass(frozen=True, slots=True)
class Request:
    """One unique (image, question) pair to ask a model: `image` is the file name, `text` the filled prompt, `key` a hash of
    everything that the answer depends on (image file, prompt, model, settings). `sample` numbers the askings of a question, from
    0, where answers are drawn and several are wanted."""

    image: str
    question: str
    text: str
    key: str | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one (image, question).

    `text` is the answer, greedy unless the run says otherwise: the first token alone where that is a yes or a no (`complete`
    False), else a short decode (`complete` True); an imported answer is complete. `p_yes` in [0, 1] is the softmax mass of the
    yes tokens over yes and no tokens at the first answer position and `mass` the two together, in [0, 1]; None where unknown, and
    where `mass` says that the answer doesn't stand there. A failure is `error`, never text. `splits` names the splits an imported
    answer was given in; None means every split that asks the question. `key` is that of the request it answers; None where it was
    imported. `sample` says which of several drawn answers to the question this is, from 0.
    """

    image: str
    question: str
    text: str | None
    verdict: Verdict
    p_yes: Share | None = None
    mass: Share | None = None
    complete: bool = True
    error: str | None = None
    splits: tuple[str, ...] | None = None
    key: str | None = None
    sample: int = 0

    @property
    def read_p_yes(self) -> float | None:
        """P(yes) where the first position really is the answer, else None: a run made elsewhere may hold more."""
        return None if self.mass is not None and self.mass < LEAST_MASS else self.p_yes


@contextmanager
def no_collector() -> Iterator[None]:
    """No garbage collection meanwhile, where millions of objects are made and all of them stay, as records and the modules of
    torch and transformers do: looking for garbage among them is a tenth of the time and more."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
