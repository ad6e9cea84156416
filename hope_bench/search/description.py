"""Descriptions of present objects whose truth is known: from box geometry and from what is annotated (docs/method.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from hope_bench.languages.worder import Worder, make_worder
from hope_bench.records import Annotations, Instance, Relationship
from hope_bench.search.attribute_bank import Group, named_attributes, passes_for, relation_bank
from hope_bench.search.description_geometry import ROUNDING, SIDES, Where, beside, counts, place_words, places, usable
from hope_bench.search.hierarchy import ancestors
from hope_bench.wording import count_phrase, indefinite

Kind = Literal["attribute", "side", "half", "count", "relation", "bank", "given"]


@dataclass(frozen=True, slots=True)
class Description:
    """One statement about a present object. `group` names what excludes what (a colour, a side, a number), `question` asks
    whether it is true, and `caption` says the same in English, as CLIP compares it with the image ("a red car", "a dog on the
    left side")."""

    object: str
    kind: Kind
    group: str
    value: str
    caption: str
    question: str


# Most descriptions recur from image to image.


@lru_cache(maxsize=100_000)
def _adjective(worder: Worder, name: str, words: str, kind: Kind, group: str, value: str) -> Description | None:
    question = worder.attribute(name, value)
    return None if question is None else Description(name, kind, group, value, indefinite(words, value), question)


@lru_cache(maxsize=100_000)
def _counted(worder: Worder, name: str, words: str, count: int) -> tuple[tuple[Description | None, bool], ...]:
    """Each number that is claimed of `count` instances, and whether it is true."""
    if not worder.counts(name):
        return ()
    made: list[tuple[Description | None, bool]] = []
    for number, true in counts(count):
        question, caption = worder.count(name, number), f"exactly {count_phrase(number, words)}"
        made.append((None if question is None else Description(name, "count", "count", str(number), caption, question), true))
    return tuple(made)


@lru_cache(maxsize=100_000)
def _placed(worder: Worder, name: str, words: str, kind: Where, value: str) -> Description | None:
    question = worder.place(name, value)
    caption = f"{indefinite(words)} {place_words(kind, value)}"
    return None if question is None else Description(name, kind, kind, value, caption, question)


@lru_cache(maxsize=100_000)
def _relation(
    worder: Worder, names: tuple[str, str], words: tuple[str, str], group: str, value: str, relation: str
) -> Description | None:
    question = worder.relation(names[0], value, names[1])
    caption = f"{indefinite(words[0])} {relation} the {words[1]}"
    return None if question is None else Description(names[0], "relation", f"{group} {names[1]}", value, caption, question)


@lru_cache(maxsize=100_000)
def _sides(
    worder: Worder, names: tuple[str, str], words: tuple[str, str], side: str
) -> tuple[tuple[Description | None, bool], ...]:
    """Both sides of another object, and whether they are true of one that is on `side`."""
    return tuple((_relation(worder, names, words, "beside", value, f"to the {value} of"), value == side) for value in SIDES)


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What is known to be true, and what is known to be false for *every* instance of the object, of one image."""

    true: tuple[Description, ...] = ()
    false: tuple[Description, ...] = ()


Found = Iterator[tuple[Description | None, bool]]
"""Descriptions, and whether each is true; None for what can't be put in words in the benchmark's language."""


class Describer:
    """Describes the images of one annotation set from `sources` ("geometry", "attributes"), in the words of `worder` (None: in
    English). Borderline cases are left out; `unworded` counts what was known and can't be worded."""

    def __init__(
        self,
        annotations: Annotations,
        sources: Sequence[str] = ("geometry", "attributes"),
        worder: Worder | None = None,
    ) -> None:
        self._annotations = annotations
        self._worder = worder or make_worder(annotations.categories)
        self.unworded = 0
        self._sources = sources
        self._words = {category.name: category.in_words for category in annotations.categories}
        self._above = ancestors(annotations.categories)
        self._slack = ROUNDING if annotations.box_units == "fractions" else 0.0

    @cached_property
    def _values(self) -> dict[str, tuple[str, ...]]:
        return _attribute_values(self._annotations)

    def describe(self, image: int) -> Descriptions:
        """Every description of the image's present objects whose truth is known."""
        known = self.known_objects(image)
        found: list[tuple[Description | None, bool]] = []
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
        return self._worded(found)

    def from_bank(self, image: int, guessed: Mapping[int, Mapping[str, str]], groups: Sequence[Group]) -> Descriptions:
        """Unverified descriptions: `guessed` holds, by instance row, the clear winner of each group on the object's own crop.

        Only objects that occur once are described, so that what is true of the crop is true of the object, and nothing is guessed
        that is annotated.
        """
        found: list[tuple[Description | None, bool]] = []
        if not guessed:
            return Descriptions()
        for name, rows in self.known_objects(image).items():
            row, instance = next(iter(rows.items()))
            annotated = named_attributes(instance.attributes)
            for group in groups if len(rows) == 1 else ():
                winner = guessed.get(row, {}).get(group.name)
                if winner is not None and group.name not in annotated:
                    clear = [value for value in group.values if value == winner or not passes_for(value, winner)]
                    said = [_adjective(self._worder, name, self._words[name], "bank", group.name, value) for value in clear]
                    found += [(one, value == winner) for one, value in zip(said, clear, strict=True)]
        return self._worded(found)

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
                    yield _adjective(self._worder, name, words, "attribute", attribute, value), True
                elif everywhere and not any(passes_for(value, own) for own in held if own is not None):
                    yield _adjective(self._worder, name, words, "attribute", attribute, value), False

    def _geometry(self, name: str, instances: Sequence[Instance], image: int) -> Found:
        words, extent = self._words[name], self._annotations.extent(image)
        if not all(usable(one.bbox) for one in instances):
            return
        if self._annotations.every_instance:
            yield from _counted(self._worder, name, words, len(instances))
        if extent is not None:
            for kind, value, true in places([one.bbox for one in instances], extent, self._slack):
                yield _placed(self._worder, name, words, kind, value), true

    def _beside(self, single: Mapping[str, Instance]) -> Found:
        words = self._words
        for name, other, side in beside({name: one.bbox for name, one in single.items()}, self._slack):
            yield from _sides(self._worder, (name, other), (words[name], words[other]), side)

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
                    words = (self._words[name], self._words[other])
                    yield _relation(self._worder, (name, other), words, group.name, value, value), value == held

    def _worded(self, found: Collection[tuple[Description | None, bool]]) -> Descriptions:
        said = [(one, true) for one, true in found if one is not None]
        self.unworded += len(found) - len(said)
        return sorted_out(said)


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
