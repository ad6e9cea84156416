"""Descriptions of present objects whose truth is known: from box geometry and from what is annotated (docs/method.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from hope_bench.records import Annotations, Instance, Relationship
from hope_bench.search.attribute_bank import Group, named_attributes, passes_for, relation_bank
from hope_bench.search.description_geometry import ROUNDING, SIDES, Where, beside, counts, place_words, places, usable
from hope_bench.search.hierarchy import ancestors
from hope_bench.wording import indefinite, verb

Kind = Literal["attribute", "side", "half", "count", "relation", "bank", "given"]


@dataclass(frozen=True, slots=True)
class Description:
    """One statement about a present object. `claim` is the noun phrase with its article ("a red car", "exactly two dogs"), `tail`
    what follows it ("on the left side of the image"); `group` names what excludes what (a colour, a side, a number), and `verb`
    is what the question begins with."""

    object: str
    kind: Kind
    group: str
    value: str
    claim: str
    tail: str = "in the image"
    verb: Literal["Is", "Are"] = "Is"

    caption: str = field(init=False, compare=False)
    """The same as a caption that CLIP can compare with the image."""

    def __post_init__(self) -> None:
        caption = f"{self.claim} {self.tail}".removesuffix(" in the image").removesuffix(" of the image")
        object.__setattr__(self, "caption", caption)

    @property
    def question(self) -> str:
        """The yes/no question: "Is there a red car in the image?", "Are there exactly two dogs in the image?"."""
        return f"{self.verb} there {self.claim} {self.tail}?"


# Most descriptions recur from image to image.


@lru_cache(maxsize=100_000)
def _adjective(name: str, words: str, kind: Kind, group: str, value: str) -> Description:
    return Description(name, kind, group, value, indefinite(words, value), verb=verb(words))


@lru_cache(maxsize=100_000)
def _counted(name: str, words: str, count: int) -> tuple[tuple[Description, bool], ...]:
    """Each number that is claimed of `count` instances, and whether it is true."""
    return tuple(
        (Description(name, "count", "count", str(number), phrase, verb=begins), true)
        for number, phrase, begins, true in counts(words, count)
    )


@lru_cache(maxsize=100_000)
def _placed(name: str, words: str, kind: Where, value: str) -> Description:
    return Description(name, kind, kind, value, indefinite(words), place_words(kind, value), verb(words))


@lru_cache(maxsize=100_000)
def _relation(name: str, words: str, group: str, value: str, relation: str, other_words: str) -> Description:
    claim = f"{indefinite(words)} {relation} the {other_words}"
    return Description(name, "relation", group, value, claim, verb=verb(words))


@lru_cache(maxsize=100_000)
def _sides(name: str, words: str, other: str, other_words: str, side: str) -> tuple[tuple[Description, bool], ...]:
    """Both sides of another object, and whether they are true of one that is on `side`."""
    return tuple(
        (_relation(name, words, f"beside {other}", value, f"to the {value} of", other_words), value == side) for value in SIDES
    )


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What is known to be true, and what is known to be false for *every* instance of the object, of one image."""

    true: tuple[Description, ...] = ()
    false: tuple[Description, ...] = ()


Found = Iterator[tuple[Description, bool]]
"""Descriptions, and whether each is true."""


class Describer:
    """Describes the images of one annotation set from `sources` ("geometry", "attributes"). Borderline cases are left out."""

    def __init__(self, annotations: Annotations, sources: Sequence[str] = ("geometry", "attributes")) -> None:
        self._annotations = annotations
        self._sources = sources
        self._words = {category.name: category.in_words for category in annotations.categories}
        self._above = ancestors(annotations.categories)
        self._slack = ROUNDING if annotations.box_units == "fractions" else 0.0
        self._values = _attribute_values(annotations) if "attributes" in sources else {}

    def describe(self, image: int) -> Descriptions:
        """Every description of the image's present objects whose truth is known."""
        known = self.known_objects(image)
        found: list[tuple[Description, bool]] = []
        for name, rows in known.items():
            instances = tuple(rows.values())
            if "attributes" in self._sources:
                found += self._attributes(name, instances)
            if "geometry" in self._sources:
                found += self._geometry(name, instances, image)
        single = {name: next(iter(rows.items())) for name, rows in known.items() if len(rows) == 1}
        if "geometry" in self._sources:
            found += self._beside({name: instance for name, (_, instance) in single.items()})
        if "attributes" in self._sources and self._annotations.relationships is not None:
            found += self._related(single, self._annotations.relationships.of(image))
        return sorted_out(found)

    def from_bank(self, image: int, guessed: Mapping[int, Mapping[str, str]], groups: Sequence[Group]) -> Descriptions:
        """Unverified descriptions: `guessed` holds, by instance row, the clear winner of each group on the object's own crop.

        Only objects that occur once are described, so that what is true of the crop is true of the object, and nothing is guessed
        that is annotated.
        """
        found: list[tuple[Description, bool]] = []
        for name, rows in self.known_objects(image).items() if guessed else ():
            row, instance = next(iter(rows.items()))
            annotated = named_attributes(instance.attributes)
            for group in groups if len(rows) == 1 else ():
                winner = guessed.get(row, {}).get(group.name)
                if winner is not None and group.name not in annotated:
                    clear = [value for value in group.values if value == winner or not passes_for(value, winner)]
                    words = self._words[name]
                    found += [(_adjective(name, words, "bank", group.name, value), value == winner) for value in clear]
        return sorted_out(found)

    def known_objects(self, image: int) -> dict[str, dict[int, Instance]]:
        """The objects every instance of which is known, each with its instances by row.

        Left out are objects with a crowd region, those only partly annotated, and those whose instances may bear a narrower name
        ("person" where a "woman" is present): of these, nothing is known to be false of all.
        """
        annotations = self._annotations
        first = int(annotations.starts[image])
        by_object: dict[str, dict[int, Instance]] = {}
        for row, instance in enumerate(annotations.instances(image), first):
            by_object.setdefault(instance.category, {})[row] = instance
        partly = {*annotations.not_exhaustive.get(image, ()), *annotations.also_present.get(image, ())}
        doubtful = {annotations.categories[column].name for column in partly}
        doubtful.update(above for name in annotations.present(image) for above in self._above.get(name, ()))
        return {
            name: rows for name, rows in by_object.items() if name not in doubtful and not any(one.crowd for one in rows.values())
        }

    def _attributes(self, name: str, instances: Sequence[Instance]) -> Found:
        """True where an instance has the value; false where every instance is annotated with a clearly different one."""
        words = self._words[name]
        given = [named_attributes(instance.attributes) for instance in instances]
        for attribute, options in self._values.items():
            held = [own.get(attribute) for own in given]
            everywhere = all(value is not None for value in held)
            for value in options:
                if value in held:
                    yield _adjective(name, words, "attribute", attribute, value), True
                elif everywhere and not any(passes_for(value, own) for own in held if own is not None):
                    yield _adjective(name, words, "attribute", attribute, value), False

    def _geometry(self, name: str, instances: Sequence[Instance], image: int) -> Found:
        words, extent = self._words[name], self._annotations.extent(image)
        if not all(usable(one.bbox) for one in instances):
            return
        if self._annotations.every_instance:
            yield from _counted(name, words, len(instances))
        if extent is not None:
            for kind, value, true in places([one.bbox for one in instances], extent, self._slack):
                yield _placed(name, words, kind, value), true

    def _beside(self, single: Mapping[str, Instance]) -> Found:
        words = self._words
        for name, other, side in beside({name: one.bbox for name, one in single.items()}, self._slack):
            yield from _sides(name, words[name], other, words[other], side)

    def _related(self, single: Mapping[str, tuple[int, Instance]], relationships: Sequence[Relationship]) -> Found:
        """What excludes an annotated relationship between two objects that occur once: "behind" where it is "in front of"."""
        name_of = {row: name for name, (row, _) in single.items()}
        said: dict[tuple[str, str], dict[str, None]] = {}
        for one in relationships:
            if one.subject in name_of and one.object in name_of and one.subject != one.object:
                said.setdefault((name_of[one.subject], name_of[one.object]), {})[one.predicate] = None
        for (name, other), predicates in said.items():
            for group in relation_bank():
                held = group.held(predicates)
                for value in group.values if held is not None else ():
                    words, other_words = self._words[name], self._words[other]
                    yield _relation(name, words, f"{group.name} {other}", value, value, other_words), value == held


def sorted_out(found: Collection[tuple[Description, bool]]) -> Descriptions:
    """Descriptions, each with whether it is true, as what is true and what is false."""
    return Descriptions(tuple(one for one, true in found if true), tuple(one for one, true in found if not true))


def _attribute_values(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """Every value that each annotated attribute takes anywhere, by attribute, sorted: the values that exclude each other.

    Attributes that come as open lists are read by the attribute bank's groups.
    """
    values: dict[str, set[str]] = {}
    for given in annotations.attributes.values():
        for name, value in named_attributes(given).items():
            values.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found)) for name, found in sorted(values.items())}
