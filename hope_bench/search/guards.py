"""Guards: which absent categories must not be claimed absent, because they may well be in the picture (docs/method.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.validation import Strict, read_toml
from hope_bench.records import Annotations, Category
from hope_bench.search.decisions import ClaimKey
from hope_bench.search.hierarchy import ancestors
from hope_bench.search.risk import FOLDS, estimate_risk
from hope_bench.search.space import SearchSpace
from hope_bench.wording import plural

Mask = NDArray[np.bool_]
"""Sampled images by categories: [N, C]."""

EVIDENCE = ("whole", "tile", "lookalikes")
"""What a risk rests on, as a question names it."""


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """What may be claimed absent, and why not the rest.

    `absent` [N, C] are the categories not labelled, `allowed` those that no guard removed, `removed` each guard's mask. `risk`
    [N, C] in [0, 1] is the estimated probability that an unlabelled category is present, from `evidence` [N, C, 3]: the cosines
    of the whole image and of its best tile, and what else looks like it; both None where the spec asks for no calibrated guard.
    """

    absent: Mask
    allowed: Mask
    removed: Mapping[str, Mask]
    risk: NDArray[np.float64] | None = None
    evidence: NDArray[np.float64] | None = None

    def facts(self, row: int, column: int) -> tuple[float | None, dict[str, float] | None]:
        """A distractor's risk and evidence as a question carries them, rounded to 4 digits."""
        if self.risk is None or self.evidence is None:
            return None, None
        values = (round(float(value), 4) for value in self.evidence[row, column])
        return round(float(self.risk[row, column]), 4), dict(zip(EVIDENCE, values, strict=True))


def guard(space: SearchSpace, rejected: Set[ClaimKey] = frozenset()) -> Guarded:
    """Apply every guard that the spec switches on and the data can feed; `rejected` are claims that reviewers don't stand by."""
    spec, annotations = space.spec.guards, space.annotations
    present = space.present_mask
    removed: dict[str, Mask] = {}
    if spec.verified and (annotations.verified_absent is not None or annotations.not_exhaustive):
        removed["verified"] = verified(annotations, space.images)
    unseen = never_annotated(annotations) if spec.annotated else []
    if unseen:
        removed["annotated"] = np.zeros_like(present)
        removed["annotated"][:, unseen] = True
    if spec.ontology:
        removed["ontology"] = _ontology(space, present)
    if spec.captions and annotations.captions:
        removed["captions"] = captions(annotations, space.images)
    risk = evidence = None
    if spec.calibrated is not None:
        fold_of = np.random.default_rng(space.spec.seed).permutation(len(space.images)) % FOLDS
        alike = centred_similarity(space.encoded[""].categories).astype(np.float64)
        risk, evidence = estimate_risk(clip_cosines(space), present, alike, spec.calibrated.completeness, fold_of)
        removed["calibrated"] = risk > spec.calibrated.most_risk
    if rejected:
        removed["review"] = review(annotations, space.images, rejected)
    removed = {name: mask & ~present for name, mask in removed.items()}
    barred = np.any(np.stack([present, *removed.values()]), axis=0)
    return Guarded(absent=~present, allowed=~barred, removed=removed, risk=risk, evidence=evidence)


def _ontology(space: SearchSpace, present: Mask) -> Mask:
    spec, main = space.spec.guards, space.encoded.get("")
    table = [] if spec.ontology_table is None else read_table(Path(spec.ontology_table))
    names = None if main is None else centred_similarity(main.categories)
    return ontology(space.annotations.categories, present, table, names, spec.same_name)


def clip_cosines(space: SearchSpace) -> NDArray[np.float64]:
    """[N, C, 2]: the cosine of each category with the whole image and with its most similar tile, by the main encoder."""
    main = space.encoded[""]
    assert main.tiles is not None
    whole = main.images @ main.categories.T
    tile = np.stack([(tiles @ main.categories.T).max(axis=0) for tiles in main.tiles])
    return np.stack([whole, tile], axis=2).astype(np.float64)


def verified(annotations: Annotations, images: Sequence[int]) -> Mask:
    """Where the data verifies absences (OpenImages' image labels, LVIS' `neg_category_ids`), all that isn't verified; always
    the categories whose instances are only partly annotated."""
    removed = np.full((len(images), len(annotations.categories)), annotations.verified_absent is not None)
    for row, image in enumerate(images):
        if annotations.verified_absent is not None:
            removed[row, list(annotations.verified_absent.get(image, ()))] = False
        removed[row, list(annotations.not_exhaustive.get(image, ()))] = True
    return removed


def never_annotated(annotations: Annotations) -> list[int]:
    """Categories that no image is annotated with: nobody may have looked for them, and some stand for others (Roboflow's first).

    None where the data verifies absences, which tells who looked.
    """
    if annotations.verified_absent is not None:
        return []
    seen = np.zeros(len(annotations.categories), dtype=np.bool_)
    seen[annotations.category_of] = True
    for columns in annotations.also_present.values():
        seen[list(columns)] = True
    return np.flatnonzero(~seen).tolist()


def ontology(
    categories: Sequence[Category],
    present: NDArray[np.bool_],
    also_related: Iterable[tuple[str, str]] = (),
    similarity: NDArray[np.floating] | None = None,
    same_name: float = 1.0,
) -> Mask:
    """Synonyms, ancestors and descendants of a present category, pairs of a user's table, names CLIP hardly tells apart.

    `present` is [N, C]; `similarity` [C, C] holds cosines of the names' text embeddings (`centred_similarity`): pairs at or above
    `same_name` are related.
    """
    related = np.zeros((len(categories), len(categories)), dtype=np.bool_)
    for place, others in enumerate(relatives(categories, also_related)):
        related[place, list(others)] = True
    if similarity is not None:
        related |= similarity >= same_name
    np.fill_diagonal(related, False)
    return np.asarray(present.astype(np.float32) @ related.astype(np.float32) > 0)


def centred_similarity(texts: NDArray[np.float32]) -> NDArray[np.floating]:
    """Cosines [C, C] of text embeddings [C, D] less their mean: all names share most of a prompt's direction."""
    centred = texts - texts.mean(axis=0)
    centred = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return np.asarray(centred @ centred.T)


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
        for one, other in combinations(places, 2):
            relate(one, other)
    for below, names in ancestors(categories).items():
        for above in names & index.keys():
            relate(index[below], index[above])
    for pair in also_related:
        for name in pair:
            if name not in index:
                raise HopeBenchError(f"The ontology table relates {name!r}, which is no category. " + did_you_mean(name, index))
        relate(index[pair[0]], index[pair[1]])
    return related


def captions(annotations: Annotations, images: Sequence[int]) -> Mask:
    """Categories whose name or synonym, singular or plural, occurs as words in one of the image's captions."""
    column_of: dict[str, set[int]] = {}
    for column, category in enumerate(annotations.categories):
        for name in {_plain(name) for name in (category.name, category.in_words, *category.synonyms)} - {""}:
            for form in (name, plural(name)):
                column_of.setdefault(form, set()).add(column)
    longest = max((len(form.split()) for form in column_of), default=0)
    removed = np.zeros((len(images), len(annotations.categories)), dtype=np.bool_)
    for row, image in enumerate(images):
        for caption in annotations.captions.get(image, ()):
            words = _plain(re.sub(r"[^\w\s]", " ", caption.replace("'s ", " "))).split()
            for length in range(1, longest + 1):
                for start in range(len(words) - length + 1):
                    removed[row, list(column_of.get(" ".join(words[start : start + length]), ()))] = True
    return removed


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\-/]+", " ", text.lower()).split())


def review(annotations: Annotations, images: Sequence[int], claims: Set[ClaimKey]) -> Mask:
    """The rejected claims that a category is absent, as a mask."""
    names = {category.name: column for column, category in enumerate(annotations.categories)}
    rows = {annotations.images[image].file_name: row for row, image in enumerate(images)}
    removed = np.zeros((len(images), len(names)), dtype=np.bool_)
    for file, name, description in claims:
        if description is None and file in rows and name in names:
            removed[rows[file], names[name]] = True
    return removed


def read_table(path: Path) -> list[tuple[str, str]]:
    """The pairs of a user's ontology table: TOML, `related = [["cup", "mug"], ...]`; a longer list relates all its names.

    Raises HopeBenchError.
    """
    table = read_toml(path, _Table)
    return [pair for names in table.related for pair in combinations(names, 2)]


class _Table(Strict):
    related: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...]
