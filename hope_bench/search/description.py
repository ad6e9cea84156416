"""Descriptions of present objects whose truth is known: from box geometry and from annotated attributes (docs/method.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hope_bench.records import Annotations, Instance
from hope_bench.wording import article, count_phrase

Kind = Literal["attribute", "side", "half", "count", "relation"]

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

    @property
    def question(self) -> str:
        """The yes/no question: "Is there a red car in the image?", "Are there exactly two dogs in the image?"."""
        verb = "Are" if self.kind == "count" and self.value != "1" else "Is"
        return f"{verb} there {self.claim} {self.tail}?"

    @property
    def caption(self) -> str:
        """The same as a caption that CLIP can compare with the image."""
        return f"{self.claim} {self.tail}".removesuffix(" in the image").removesuffix(" of the image")


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What is known to be true, and what is known to be false for *every* instance of the object, of one image."""

    true: tuple[Description, ...]
    false: tuple[Description, ...]


def attribute_values(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """Every value that each annotated attribute takes anywhere, by attribute, sorted: the values that exclude each other."""
    values: dict[str, set[str]] = {}
    for given in annotations.attributes.values():
        for name, value in given.items():
            if isinstance(value, str) and value:
                values.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found)) for name, found in sorted(values.items())}


def describe(annotations: Annotations, image: int, values: Mapping[str, Sequence[str]]) -> Descriptions:
    """All descriptions of one image's present objects whose truth is known; `values` as `attribute_values` gives them.

    An object with a crowd region is not described: not every instance of it is known. Borderline cases are in neither set.
    """
    by_object: dict[str, list[Instance]] = {}
    for instance in annotations.instances(image):
        by_object.setdefault(instance.category, []).append(instance)
    known = {name: instances for name, instances in by_object.items() if not any(one.crowd for one in instances)}
    size = annotations.images[image].width, annotations.images[image].height
    found: list[tuple[Description, bool]] = []
    for name, instances in known.items():
        found += _attributes(name, instances, values)
        found += _count(name, len(instances))
        if size[0] and size[1] and all(_usable(one.bbox) for one in instances):
            found += _places(name, instances, size[0], size[1])
    found += _relations({name: instances[0] for name, instances in known.items() if len(instances) == 1})
    return Descriptions(tuple(one for one, true in found if true), tuple(one for one, true in found if not true))


def _attributes(
    name: str, instances: Sequence[Instance], values: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Description, bool]]:
    """True where an instance has the value; false where every instance is annotated with another one."""
    for attribute, options in values.items():
        held: list[Any] = [instance.attributes.get(attribute) for instance in instances]
        everywhere = all(isinstance(value, str) and value for value in held)
        for value in options:
            if value in held or everywhere:
                claim = f"{article(value)} {value} {name}"
                yield Description(name, "attribute", attribute, value, claim), value in held


def _count(name: str, count: int) -> Iterator[tuple[Description, bool]]:
    if count <= MOST_COUNTED:
        for number in range(1, MOST_COUNTED + 2):
            yield Description(name, "count", "count", str(number), f"exactly {count_phrase(number, name)}"), number == count


def _places(name: str, instances: Sequence[Instance], width: int, height: int) -> Iterator[tuple[Description, bool]]:
    kinds: tuple[tuple[Kind, int, int, str, tuple[str, str]], ...] = (
        ("side", 0, width, "on the {} side of the image", ("left", "right")),
        ("half", 1, height, "in the {} half of the image", ("top", "bottom")),
    )
    for kind, axis, extent, tail, names in kinds:
        sides = [_side(instance.bbox, axis, extent) for instance in instances]
        for index, value in enumerate(names):
            true = index in sides
            if true or all(side == 1 - index for side in sides):
                yield Description(name, kind, kind, value, f"{article(name)} {name}", tail.format(value)), true


def _side(box: tuple[float, float, float, float] | None, axis: int, extent: int) -> int | None:
    """0 or 1 where a box lies clearly on the first or second side: wholly but for the margin, its centre beyond it; else None."""
    assert box is not None
    low, high = box[axis] / extent, (box[axis] + box[axis + 2]) / extent
    middle = (low + high) / 2
    if middle <= 0.5 - MARGIN and high <= 0.5 + MARGIN:
        return 0
    if middle >= 0.5 + MARGIN and low >= 0.5 - MARGIN:
        return 1
    return None


def _relations(single: Mapping[str, Instance]) -> Iterator[tuple[Description, bool]]:
    """Left and right of another object, where either occurs once and the boxes don't overlap sideways."""
    for name, instance in single.items():
        for other, reference in single.items():
            if name == other or not (_usable(instance.bbox) and _usable(reference.bbox)):
                continue
            mine, its = instance.bbox, reference.bbox
            assert mine is not None
            assert its is not None
            if mine[0] + mine[2] <= its[0]:
                actual = "left"
            elif its[0] + its[2] <= mine[0]:
                actual = "right"
            else:
                continue
            for value in ("left", "right"):
                claim = f"{article(name)} {name} to the {value} of the {other}"
                yield Description(name, "relation", f"beside {other}", value, claim), value == actual


def _usable(box: tuple[float, float, float, float] | None) -> bool:
    return box is not None and box[2] > 0 and box[3] > 0
