"""The frozen, typed records that flow between stages: annotations in, questions, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Label = Literal["yes", "no"]
Verdict = Literal["yes", "no", "unparsed", "error"]


@dataclass(frozen=True, slots=True)
class Category:
    """One word of the vocabulary C."""

    name: str
    supercategory: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an annotation file. `file_name` is relative to the images folder; sizes are pixels, None if unknown."""

    file_name: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object. `bbox` is (x, y, width, height) in pixels, None where the format has no boxes; `crowd`
    regions count as present but are never used for geometry."""

    category: str
    bbox: tuple[float, float, float, float] | None
    area: float | None
    crowd: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """What an annotation file says, held in columns so that tens of millions of boxes fit in memory.

    Instances are grouped by image: those of image i are rows starts[i]:starts[i+1], in the file's order.
    `category_of` int32 [A] indexes `categories`; `boxes` float32 [A, 4] is (x, y, width, height) in pixels, or None where the
    format has none; `areas` float32 [A] in square pixels or None; `crowd` bool [A]. `attributes` and `captions` are sparse,
    keyed by instance row and image index. `problems` lists, in words, what was wrong with the file and survived.
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

    def present(self, image: int) -> tuple[str, ...]:
        """Y(x): the image's distinct category names, in order of first annotation (METHOD: POPE baselines)."""
        rows = self.category_of[self.starts[image] : self.starts[image + 1]]
        return tuple(self.categories[c].name for c in dict.fromkeys(rows.tolist()))

    def instances(self, image: int) -> tuple[Instance, ...]:
        """The image's instances in the file's order, crowd regions included."""
        return tuple(self._instance(row) for row in range(self.starts[image], self.starts[image + 1]))

    def _instance(self, row: int) -> Instance:
        box = None if self.boxes is None else self.boxes[row].tolist()
        return Instance(
            category=self.categories[self.category_of[row]].name,
            bbox=None if box is None else (box[0], box[1], box[2], box[3]),
            area=None if self.areas is None else float(self.areas[row]),
            crowd=bool(self.crowd[row]),
            attributes=self.attributes.get(row, {}),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a split: POPE's four keys first, so that every POPE consumer reads it, then ours.

    `object` is the category asked about; `distractor_score` is the strategy's score of a no-question's distractor, rounded to
    4 digits (None on yes-questions and where the strategy has no score).
    """

    question_id: int
    image: str
    text: str
    label: Label
    strategy: str
    object: str | None = None
    distractor_score: float | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a benchmark asks: `template` holds `{question}`. The benchmark owns it, so that every model is asked the same."""

    template: str = "{question}"

    def fill(self, question: str) -> str:
        """The user turn's text for one question."""
        return self.template.replace("{question}", question)


@dataclass(frozen=True, slots=True)
class Request:
    """One unique (image, question) pair to ask a model: `image` is the file name, `text` the filled prompt."""

    image: str
    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one (image, question).

    `text` is the greedy answer: the first token alone where that is a yes or a no (`complete` False), else a short decode
    (`complete` True); an imported answer is complete. `p_yes` in [0, 1] is the softmax mass of the yes tokens over yes and no
    tokens at the first answer position and `mass` the two together, in [0, 1]; None where unknown. A failure is
    `error`, never text. `splits` names the splits an imported answer was given in; None means every split that asks the question.
    """

    image: str
    question: str
    text: str | None
    verdict: Verdict
    p_yes: float | None = None
    mass: float | None = None
    complete: bool = True
    error: str | None = None
    splits: tuple[str, ...] | None = None
