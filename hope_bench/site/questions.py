"""A benchmark's questions with what every model answered: each (image, question) once, however many splits ask it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Result
from hope_bench.files.split_score import PACKED
from hope_bench.records import Label, Question
from hope_bench.scoring.probability import unpack
from hope_bench.site.question_file import Questions, check_asked_as_published
from hope_bench.site.traits import Finding, Trait, traits
from hope_bench.site.views import ModelRow, Section

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]

NO, YES, UNPARSED, ERROR, UNASKED, UNPARSED_IN_TENTH = 0, 102, 204, 205, 206, 207
"""What a byte says of an answer: from NO and from YES on, P(yes) in whole percent (0 to 100) or unknown (101); unparsed, from
UNPARSED_IN_TENTH on with the tenth in which P(yes) lies (0 to 9). Percents are rounded within their tenth."""

_P_UNKNOWN = 101
_CODES = {"no": NO + _P_UNKNOWN, "yes": YES + _P_UNKNOWN, "unparsed": UNPARSED, "error": ERROR, "unasked": UNASKED}


@dataclass(frozen=True, slots=True)
class AskedIn:
    """A split that asks a question, as its `place`-th (from 0, in the order of a result's packed letters), with the score of its
    distractor and the strategy that found it, where it has them; `blind` are the ways of not looking that answer it right."""

    split: str
    place: int
    score: float | None
    found_by: str | None
    blind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One question about one image. `id` is "SPLIT.NUMBER", of the first split that asks it, and stays while the benchmark does;
    `kind` is that of its description, "object" without one; `risk` the highest that a split states; `size` that of the present
    object and `reviewed` what people found of the label, None where unknown."""

    id: str
    image: str
    text: str
    label: Label
    object: str | None
    kind: str
    risk: float | None
    asked_in: tuple[AskedIn, ...]
    size: str | None = None
    reviewed: Finding | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """A benchmark's claims, the most fooling first, and the answers of its models (the section's rows in their order, but for
    runs that were shown no image).

    `codes` uint8 [claims, models] holds an answer a byte; `yes` and `answered` int64 [claims] count the models that said yes, and
    those that were asked. Where a run answers a claim differently in two splits, the first split's answer counts.
    """

    key: str
    claims: tuple[Claim, ...]
    models: tuple[ModelRow, ...]
    codes: Bytes
    yes: Counts
    answered: Counts


@dataclass(frozen=True, slots=True)
class Fooling:
    """One question about what isn't there: `yes` of the `models` that were asked say it is. `page` is its address and `picture`
    that of its image, from the site's root; no picture where it may not be shown, then perhaps a `link` to where it is."""

    question: str
    object: str | None
    image: str
    yes: int
    models: int
    page: str
    picture: str | None
    link: str | None


def claim_pages(wall: Wall) -> dict[tuple[str, int], str]:
    """Where the question at each place of a split (in packed order) is shown, from the site's root."""
    page = wall_page(wall.key)
    return {(ask.split, ask.place): f"{page}#q={quote(one.id)}" for one in wall.claims for ask in one.asked_in}


def wall_page(key: str) -> str:
    """Where the questions of a benchmark are shown, from the site's root."""
    return f"questions/{key}.html"


def most_fooling(wall: Wall, pictures: dict[str, str]) -> Fooling | None:
    """The question about an absent object that most models say yes to, one whose image may be shown if there is any; of equals
    the one with the highest mean P(yes). None where no model says yes to any.

    `pictures` maps an image to its picture's address from the site's root. Questions that are likelier right than wrong (a risk
    above a half) are left out: their label may be what is wrong.
    """
    fooled = [
        index
        for index, one in enumerate(wall.claims)
        if one.label == "no" and wall.yes[index] and one.kind == "object" and (one.risk or 0) <= 0.5
    ]
    if not fooled:
        return None
    best = next((index for index in fooled if wall.claims[index].image in pictures), fooled[0])
    one = wall.claims[best]
    return Fooling(
        question=one.text, object=one.object, image=one.image, yes=int(wall.yes[best]), models=int(wall.answered[best]),
        page=f"{wall_page(wall.key)}#q={quote(one.id)}", picture=pictures.get(one.image), link=image_link(one.image),
    )  # fmt: skip


_COCO_2014 = re.compile(r"COCO_(train|val)2014_[0-9]{12}\.jpg")


def image_link(image: str) -> str | None:
    """Where the dataset itself shows an image, told from its file name; None where that isn't known."""
    found = _COCO_2014.fullmatch(image)
    return None if found is None else f"http://images.cocodataset.org/{found[1]}2014/{image}"


def make_wall(section: Section, questions: Questions) -> Wall:
    """The wall of a benchmark. Raises HopeBenchError where its results answered other questions, or where two of its questions
    have one id."""
    check_asked_as_published(section.about, questions, f"The results of {section.about.benchmark.name}")
    splits = [name for name in questions.splits if name in section.about.splits]  # a result may hold them in another order
    packed = {name: questions.in_packed_order(name) for name in splits}
    found: dict[tuple[str, str, str], list[tuple[str, int, Question]]] = {}
    begin: dict[str, int] = {}
    for name, asked in packed.items():
        begin[name] = sum(len(packed[earlier]) for earlier in begin)
        for place, one in enumerate(asked):
            found.setdefault((one.image, one.text, one.label), []).append((name, place, one))
    told = {name: traits([row.entry.result for row in section.rows], questions, name) for name in splits}
    claims = [_claim(asked, [told[name][place] for name, place, _ in asked]) for asked in found.values()]
    if (twice := next((one for one, times in Counter(one.id for one in claims).items() if times > 1), None)) is not None:
        raise HopeBenchError(
            f"{section.about.benchmark.name} asks two questions that are both called {twice}, so no link could tell them apart. "
            "Number the questions of each split (question_id), and score the runs again."
        )
    places = _places([[begin[name] + place for name, place, _ in asked] for asked in found.values()])
    models = tuple(row for row in section.rows if row.entry.result.run.blind is None) or section.rows
    codes = np.empty((len(claims), len(models)), dtype=np.uint8)
    for column, row in enumerate(models):
        codes[:, column] = _answers(row.entry.result, splits, places)
    said_yes = (codes >= YES) & (codes <= YES + _P_UNKNOWN)
    yes, answered = said_yes.sum(axis=1), (codes != UNASKED).sum(axis=1)
    order = _most_fooling_first(claims, codes, yes, answered)
    return Wall(section.key, tuple(claims[index] for index in order), models, codes[order], yes[order], answered[order])


def _claim(asked: Sequence[tuple[str, int, Question]], told: Sequence[Trait]) -> Claim:
    split, _, first = asked[0]
    risks = [one.risk for _, _, one in asked if one.risk is not None]
    return Claim(
        id=f"{split}.{first.question_id}",
        image=first.image,
        text=first.text,
        label=first.label,
        object=first.object,
        kind=next((one.description_kind or "description" for _, _, one in asked if one.description), "object"),
        risk=max(risks, default=None),
        asked_in=tuple(
            AskedIn(name, place, one.distractor_score, one.found_by, trait.blind)
            for (name, place, one), trait in zip(asked, told, strict=True)
        ),
        size=next(filter(None, (trait.size for trait in told)), None),
        reviewed=next(filter(None, (trait.reviewed for trait in told)), None),
    )


def _places(places: Sequence[Sequence[int]]) -> Counts:
    """Where each claim is asked, int64 [claims, most splits], filled up with its last place."""
    most = max(map(len, places), default=1)
    return np.array([[*own, *[own[-1]] * (most - len(own))] for own in places], dtype=np.int64).reshape(len(places), most)


def _answers(result: Result, splits: Sequence[str], places: Counts) -> Bytes:
    """A model's answer to each claim: that of the first split in which it was asked."""
    codes = np.concatenate([answer_codes(result.splits[name]) for name in splits])
    found: Bytes = codes[places[:, 0]]
    for column in range(1, places.shape[1]):
        missing = found == UNASKED
        if not missing.any():
            break
        found[missing] = codes[places[missing, column]]
    return found


_LETTERS = np.full(256, UNASKED, dtype=np.uint8)
for _verdict, _letter in PACKED.items():
    _LETTERS[ord(_letter)] = _CODES[_verdict]


def answer_codes(split: Any) -> Bytes:
    """A split's answers as bytes [questions], in packed order."""
    codes: Bytes = _LETTERS[np.frombuffer(split.verdicts.encode("ascii"), dtype=np.uint8)]
    if split.probabilities is not None:
        p_yes = np.nan_to_num(unpack(split.probabilities.packed), nan=-1.0)
        tenth = np.minimum((10 * p_yes).astype(np.int64), 9)
        percent = np.rint(100 * p_yes).clip(10 * tenth, np.where(tenth == 9, 100, 10 * tenth + 9))
        known = (p_yes >= 0) & np.isin(codes, (NO + _P_UNKNOWN, YES + _P_UNKNOWN))
        codes[known] -= (_P_UNKNOWN - percent[known]).astype(np.uint8)
        unparsed = (p_yes >= 0) & (codes == UNPARSED)
        codes[unparsed] = UNPARSED_IN_TENTH + tenth[unparsed]
    return codes


def _most_fooling_first(claims: Sequence[Claim], codes: Bytes, yes: Counts, answered: Counts) -> list[int]:
    """Claims about what isn't there first, by the share of models that say yes, then by their mean P(yes); then those about what
    is there, by the share that don't say yes."""
    asked = np.maximum(answered, 1)
    share = np.where([one.label == "no" for one in claims], yes, answered - yes) / asked
    percent = np.where(codes >= YES, codes - YES, codes).astype(np.float64)
    percent[(codes >= UNPARSED) | (percent > 100)] = np.nan
    known = ~np.isnan(percent)
    mean = np.nan_to_num(percent).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    sign = np.where([one.label == "no" for one in claims], -1.0, 1.0)
    order: list[int] = np.lexsort((sign * mean, -share, sign)).tolist()
    return order
