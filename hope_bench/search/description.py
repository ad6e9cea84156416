"""Descriptions of present objects whose truth is known: from box geometry and from annotated attributes (docs/method.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Instance
from hope_bench.search.attribute_bank import Group, named_attributes
from hope_bench.wording import article, count_phrase

Kind = Literal["attribute", "side", "half", "count", "relation", "bank", "given"]

MARGIN = 0.1
"""How far from the image's middle (as a share of its width or height) a box's centre must be to be clearly on one side."""
MOST_COUNTED = 4
"""Objects in larger numbers are not counted: annotators stop counting too."""


@dataclass(frozen=True, slots=True)
class Description:
    """One statement about a present object. `claim` is the noun phrase with its article ("a red car", "exactly two dogs"), `tail`
    what follows it ("on the left side of the image"); `group` names what excludes what (a colour, a side, a number)."""

    object: str
    kind: Kind
    group: str
    value: str
    claim: str
    tail: str = "in the image"
    caption: str = field(init=False, compare=False)
    """The same as a caption that CLIP can compare with the image."""

    def __post_init__(self) -> None:
        caption = f"{self.claim} {self.tail}".removesuffix(" in the image").removesuffix(" of the image")
        object.__setattr__(self, "caption", caption)

    @property
    def question(self) -> str:
        """The yes/no question: "Is there a red car in the image?", "Are there exactly two dogs in the image?"."""
        verb = "Are" if self.kind == "count" and self.value != "1" else "Is"
        return f"{verb} there {self.claim} {self.tail}?"


@lru_cache(maxsize=100_000)
def _claim(object: str, kind: Kind, group: str, value: str, claim: str, tail: str = "in the image") -> Description:
    """The same description wherever it recurs: most do, from image to image."""
    return Description(object, kind, group, value, claim, tail)


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What is known to be true, and what is known to be false for *every* instance of the object, of one image."""

    true: tuple[Description, ...]
    false: tuple[Description, ...]


def attribute_values(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """Every value that each annotated attribute takes anywhere, by attribute, sorted: the values that exclude each other.

    Attributes that come as open lists are read by the attribute bank's groups.
    """
    values: dict[str, set[str]] = {}
    for given in annotations.attributes.values():
        for name, value in named_attributes(given).items():
            values.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found)) for name, found in sorted(values.items())}


def describe(
    annotations: Annotations, image: int, values: Mapping[str, Sequence[str]], sources: Sequence[str] = ("geometry", "attributes")
) -> Descriptions:
    """All descriptions of one image's present objects whose truth is known; `values` as `attribute_values` gives them.

    An object with a crowd region is not described: not every instance of it is known. Borderline cases are in neither set.
    """
    by_object: dict[str, list[Instance]] = {}
    for instance in annotations.instances(image):
        by_object.setdefault(instance.category, []).append(instance)
    # Not every instance of these is annotated, so nothing is known to be false of all of them.
    partly = {*annotations.not_exhaustive.get(image, ()), *annotations.also_present.get(image, ())}
    doubtful = {annotations.categories[column].name for column in partly}
    known = {name: all_ for name, all_ in by_object.items() if name not in doubtful and not any(one.crowd for one in all_)}
    extent = annotations.extent(image)
    words = {annotations.categories[c].name: annotations.categories[c].in_words for c in _columns(annotations, image)}
    found: list[tuple[Description, bool]] = []
    for name, instances in known.items():
        if "attributes" in sources:
            found += _attributes(name, words[name], instances, values)
        if "geometry" in sources:
            found += _count(name, words[name], len(instances))
            if extent is not None and all(_usable(one.bbox) for one in instances):
                found += _places(name, words[name], instances, extent)
    if "geometry" in sources:
        found += _relations({name: instances[0] for name, instances in known.items() if len(instances) == 1}, words)
    return Descriptions(tuple(one for one, true in found if true), tuple(one for one, true in found if not true))


def _columns(annotations: Annotations, image: int) -> list[int]:
    """The categories of an image's instances."""
    rows: list[int] = annotations.category_of[annotations.starts[image] : annotations.starts[image + 1]].tolist()
    return list(dict.fromkeys(rows))


def _attributes(
    name: str, word: str, instances: Sequence[Instance], values: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Description, bool]]:
    """True where an instance has the value; false where every instance is annotated with another one."""
    given = [named_attributes(instance.attributes) for instance in instances]
    for attribute, options in values.items():
        held = [own.get(attribute) for own in given]
        everywhere = all(value is not None for value in held)
        for value in options:
            if value in held or everywhere:
                claim = f"{article(value)} {value} {word}"
                yield _claim(name, "attribute", attribute, value, claim), value in held


def _count(name: str, word: str, count: int) -> Iterator[tuple[Description, bool]]:
    if count <= MOST_COUNTED:
        for number in range(1, MOST_COUNTED + 2):
            yield _claim(name, "count", "count", str(number), f"exactly {count_phrase(number, word)}"), number == count


_PLACES: tuple[tuple[Kind, str, tuple[str, str]], ...] = (
    ("side", "on the {} side of the image", ("left", "right")),
    ("half", "in the {} half of the image", ("top", "bottom")),
)
"""Across (axis 0) and down (axis 1)."""


def _places(
    name: str, word: str, instances: Sequence[Instance], extent: tuple[float, float]
) -> Iterator[tuple[Description, bool]]:
    for axis, (kind, tail, names) in enumerate(_PLACES):
        sides = [_side(instance.bbox, axis, extent[axis]) for instance in instances]
        for index, value in enumerate(names):
            true = index in sides
            if true or all(side == 1 - index for side in sides):
                yield _claim(name, kind, kind, value, f"{article(word)} {word}", tail.format(value)), true


def _side(box: tuple[float, float, float, float] | None, axis: int, extent: float) -> int | None:
    """0 or 1 where a box lies clearly on the first or second side: wholly but for the margin, its centre beyond it; else None."""
    assert box is not None
    low, high = box[axis] / extent, (box[axis] + box[axis + 2]) / extent
    middle = (low + high) / 2
    if middle <= 0.5 - MARGIN and high <= 0.5 + MARGIN:
        return 0
    if middle >= 0.5 + MARGIN and low >= 0.5 - MARGIN:
        return 1
    return None


def _relations(single: Mapping[str, Instance], words: Mapping[str, str]) -> Iterator[tuple[Description, bool]]:
    """Left and right of another object, where either occurs once and the boxes don't overlap sideways."""
    boxes = {name: instance.bbox for name, instance in single.items() if instance.bbox is not None and _usable(instance.bbox)}
    for name, mine in boxes.items():
        for other, its in boxes.items():
            if name == other:
                continue
            if mine[0] + mine[2] <= its[0]:
                actual = "left"
            elif its[0] + its[2] <= mine[0]:
                actual = "right"
            else:
                continue
            for value in ("left", "right"):
                claim = f"{article(words[name])} {words[name]} to the {value} of the {words[other]}"
                yield _claim(name, "relation", f"beside {other}", value, claim), value == actual


def _usable(box: tuple[float, float, float, float] | None) -> bool:
    return box is not None and box[2] > 0 and box[3] > 0


def from_bank(
    annotations: Annotations, image: int, guessed: Mapping[int, Mapping[str, str]], groups: Sequence[Group]
) -> Descriptions:
    """Unverified descriptions: `guessed` holds, by instance row, the clear winner of each group on the object's own crop.

    Only objects that occur once are described, so that what is true of the crop is true of the object.
    """
    if not guessed:
        return Descriptions((), ())
    first = int(annotations.starts[image])
    instances = annotations.instances(image)
    occurs = Counter(instance.category for instance in instances)
    words = {annotations.categories[c].name: annotations.categories[c].in_words for c in _columns(annotations, image)}
    found: list[tuple[Description, bool]] = []
    for row, instance in enumerate(instances, first):
        if occurs[instance.category] > 1 or instance.crowd:
            continue
        for group in groups:
            winner = guessed.get(row, {}).get(group.name)
            for value in group.values if winner is not None else ():
                claim = f"{article(value)} {value} {words[instance.category]}"
                found.append((Description(instance.category, "bank", group.name, value, claim), value == winner))
    return Descriptions(tuple(one for one, true in found if true), tuple(one for one, true in found if not true))


class GivenLine(msgspec.Struct, frozen=True):
    """One line of a user's description file: noun phrases with their article ("a red car") that are true or false of all
    instances of `object` in `image`."""

    image: str
    object: str
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


def read_given(path: Path) -> tuple[dict[str, Descriptions], tuple[str, ...]]:
    """A user's descriptions by image file name; and, in words, the lines that are none.

    Raises HopeBenchError where the file is missing or holds no such line.
    """
    if not path.is_file():
        raise HopeBenchError(f"The description file {path} does not exist.")
    found: dict[str, list[tuple[Description, bool]]] = {}
    problems: list[str] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        if not raw.strip():
            continue
        try:
            line = msgspec.json.decode(raw, type=GivenLine)
        except msgspec.DecodeError as error:
            problems.append(f"{path.name}, line {number} left out: {error}")
            continue
        for true, claims in ((True, line.true), (False, line.false)):
            for claim in claims:
                found.setdefault(line.image, []).append((Description(line.object, "given", "given", claim, claim), true))
    if not found:
        raise HopeBenchError(f'{path} holds no line {{"image": ..., "object": ..., "true": [...], "false": [...]}}.')
    return {
        image: Descriptions(tuple(one for one, true in rows if true), tuple(one for one, true in rows if not true))
        for image, rows in found.items()
    }, tuple(problems)
