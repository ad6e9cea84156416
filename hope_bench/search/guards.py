"""Guards: which absent categories must not be claimed absent, because they may well be in the picture (docs/method.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.records import Annotations, Category
from hope_bench.wording import plural

Removed = Mapping[int, frozenset[int]]
"""What a guard removes: category indices by image index."""


def verified(annotations: Annotations, images: Sequence[int]) -> Removed:
    """Where the data verifies absences (OpenImages' image labels, LVIS' `neg_category_ids`), all that isn't verified; always
    the categories whose instances are only partly annotated."""
    vocabulary = frozenset(range(len(annotations.categories)))
    removed = {}
    for image in images:
        doubtful = annotations.not_exhaustive.get(image, frozenset())
        if annotations.verified_absent is not None:
            doubtful |= vocabulary - annotations.verified_absent.get(image, frozenset())
        removed[image] = doubtful
    return removed


def ontology(
    annotations: Annotations,
    images: Sequence[int],
    also_related: Sequence[tuple[str, str]] = (),
    similarity: NDArray[np.floating] | None = None,
    most_similar: float = 1.0,
) -> Removed:
    """Synonyms, ancestors and descendants of a present category, pairs of a user's table, and names that CLIP hardly tells apart.

    `similarity` [C, C] holds cosines of the names' text embeddings; pairs at or above `most_similar` are related.
    """
    related = relatives(annotations.categories, also_related)
    if similarity is not None:
        for one, other in zip(*np.nonzero(similarity >= most_similar), strict=True):
            related[int(one)].add(int(other))
    index = {category.name: place for place, category in enumerate(annotations.categories)}
    return {image: frozenset(other for name in annotations.present(image) for other in related[index[name]]) for image in images}


def relatives(categories: Sequence[Category], also_related: Iterable[tuple[str, str]] = ()) -> list[set[int]]:
    """For each category the others that share a name with it or lie above or below it in the hierarchy. Symmetric.

    Raises HopeBenchError where a user's pair names an unknown category.
    """
    index = {category.name: place for place, category in enumerate(categories)}
    related: list[set[int]] = [set() for _ in categories]

    def relate(one: int, other: int) -> None:
        if one != other:
            related[one].add(other)
            related[other].add(one)

    by_word: dict[str, list[int]] = {}
    for place, category in enumerate(categories):
        for word in {_plain(name) for name in (category.name, category.in_words, *category.synonyms)}:
            by_word.setdefault(word, []).append(place)
    for places in by_word.values():
        for other in places[1:]:
            relate(places[0], other)
    for place in range(len(categories)):
        for above in _ancestors(categories, index, place):
            relate(place, above)
    for pair in also_related:
        for name in pair:
            if name not in index:
                raise HopeBenchError(f"The ontology table relates {name!r}, which is no category. " + did_you_mean(name, index))
        relate(index[pair[0]], index[pair[1]])
    return related


def _ancestors(categories: Sequence[Category], index: Mapping[str, int], place: int) -> set[int]:
    found: set[int] = set()
    waiting = list(categories[place].parents)
    while waiting:
        above = index.get(waiting.pop())
        if above is not None and above not in found:
            found.add(above)
            waiting += categories[above].parents
    return found


def captions(annotations: Annotations, images: Sequence[int]) -> Removed:
    """Categories whose name or synonym, singular or plural, occurs as words in one of the image's captions."""
    patterns = [_mention(category) for category in annotations.categories]
    removed = {}
    for image in images:
        text = " \n ".join(_plain(caption) for caption in annotations.captions.get(image, ()))
        removed[image] = frozenset(place for place, pattern in enumerate(patterns) if text and pattern.search(text))
    return removed


def _mention(category: Category) -> re.Pattern[str]:
    names = {_plain(name) for name in (category.name, category.in_words, *category.synonyms)}
    words = sorted({form for name in names if name for form in (name, plural(name))}, key=lambda word: (-len(word), word))
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(word) for word in words) + r")(?!\w)")


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\-/]+", " ", text.lower()).split())


class Decision(msgspec.Struct, frozen=True):
    """One line of a review: what a person saw of one claim."""

    image: str
    object: str
    decision: str
    reviewer: str = ""


def reviewed(annotations: Annotations, images: Sequence[int], decisions: Path) -> tuple[Removed, tuple[str, ...]]:
    """Claims that a reviewer found present or was unsure of; and, in words, the lines that are no decision.

    Raises HopeBenchError where the file is missing or holds no decision.
    """
    if not decisions.is_file():
        raise HopeBenchError(f"The review file {decisions} does not exist.")
    index = {category.name: place for place, category in enumerate(annotations.categories)}
    image_of = {annotations.images[image].file_name: image for image in images}
    removed: dict[int, set[int]] = {}
    problems: list[str] = []
    good = 0
    for number, line in enumerate(decisions.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            decision = msgspec.json.decode(line, type=Decision)
        except msgspec.DecodeError as error:
            problems.append(f"{decisions.name}, line {number} left out: {error}")
            continue
        good += 1
        if decision.decision != "absent" and decision.image in image_of and decision.object in index:
            removed.setdefault(image_of[decision.image], set()).add(index[decision.object])
    if not good:
        raise HopeBenchError(f'{decisions} holds no line {{"image", "object", "decision"}}.')
    return {image: frozenset(names) for image, names in removed.items()}, tuple(problems)
