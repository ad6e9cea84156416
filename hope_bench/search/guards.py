"""Guards: which absent categories must not be claimed absent, because they may well be in the picture (docs/method.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hope_bench.records import Annotations, Category
from hope_bench.search.decisions import ClaimKey
from hope_bench.search.hierarchy import ancestors
from hope_bench.search.known_words import as_words, same_things, without_spaces, word_keys
from hope_bench.search.risk import FOLDS, estimate_risk
from hope_bench.search.space import SearchSpace

Mask = NDArray[np.bool_]
"""Sampled images by categories: [N, C]."""

EVIDENCE = ("whole", "tile", "lookalikes")
"""What a risk rests on, as a question names it; "given" is what a user brings (`guards.evidence`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """What may be claimed absent, and why not the rest.

    `absent` [N, C] are the categories not labelled, `allowed` those that no guard removed, `removed` each guard's mask. `risk`
    [N, C] in [0, 1] is the estimated probability that an unlabelled category is present, from `evidence` [N, C, F]: the cosines
    of the whole image and of its best tile, what the user brings, if anything, and what else looks like it (`named` says in which
    column each stands); both None where the spec asks for no calibrated guard.
    """

    absent: Mask
    allowed: Mask
    removed: Mapping[str, Mask]
    risk: NDArray[np.float64] | None = None
    evidence: NDArray[np.float64] | None = None
    named: tuple[str, ...] = EVIDENCE

    def facts(self, row: int, column: int) -> tuple[float | None, dict[str, float] | None]:
        """A distractor's risk and evidence as a question carries them, rounded to 4 digits."""
        if self.risk is None:
            return None, None
        assert self.evidence is not None  # which the risk rests on
        values = (round(float(value), 4) for value in self.evidence[row, column])
        return round(float(self.risk[row, column]), 4), dict(zip(self.named, values, strict=True))


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
        seen = clip_cosines(space)
        if space.seen is not None:
            seen = np.concatenate([seen, space.seen[..., None]], axis=2)
        risk, evidence = estimate_risk(seen, present, alike, spec.calibrated.completeness, fold_of)
        removed["calibrated"] = risk > spec.calibrated.most_risk
    if rejected:
        removed["review"] = review(annotations, space.images, rejected)
    removed = {name: mask & ~present for name, mask in removed.items()}
    barred = np.any(np.stack([present, *removed.values()]), axis=0)
    return Guarded(absent=~present, allowed=~barred, removed=removed, risk=risk, evidence=evidence, named=_named(space))


def _named(space: SearchSpace) -> tuple[str, ...]:
    return EVIDENCE if space.seen is None else (*EVIDENCE[:2], "given", *EVIDENCE[2:])


def _ontology(space: SearchSpace, present: Mask) -> Mask:
    main = space.encoded.get("")
    names = None if main is None else centred_similarity(main.categories)
    return ontology(space.annotations.categories, present, names, space.spec.guards.same_name)


def clip_cosines(space: SearchSpace) -> NDArray[np.float64]:
    """[N, C, 2]: the cosine of each category with the whole image and with its most similar tile, by the main encoder."""
    main = space.encoded[""]
    assert main.best_tile is not None
    whole = main.images @ main.categories.T
    return np.stack([whole, main.best_tile], axis=2).astype(np.float64)


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
    similarity: NDArray[np.floating] | None,
    same_name: float,
) -> Mask:
    """What shares a word with a present category, lies above or below it, or has a name that CLIP hardly tells from its.

    `present` is [N, C]; `similarity` [C, C] holds cosines of the names' text embeddings (`centred_similarity`): pairs at or above
    `same_name` are related.
    """
    related = np.zeros((len(categories), len(categories)), dtype=np.bool_)
    for place, others in enumerate(relatives(categories)):
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


def relatives(categories: Sequence[Category]) -> list[set[int]]:
    """For each category the others that share a name or synonym with it, in the singular or the plural, or lie above or below it
    in the hierarchy. Symmetric."""
    index = {category.name: place for place, category in enumerate(categories)}
    pairs = same_things(categories)
    for below, names in ancestors(categories).items():
        pairs += [(index[below], index[above]) for above in names & index.keys() if above != below]
    related: list[set[int]] = [set() for _ in categories]
    for one, other in pairs:
        related[one].add(other)
        related[other].add(one)
    return related


def captions(annotations: Annotations, images: Sequence[int]) -> Mask:
    """Categories whose name, synonym or other mention, singular or plural, occurs as words in one of the image's captions; as
    part of the text in scripts without spaces."""
    columns_of: dict[str, set[int]] = {}
    longest = 1
    for column, category in enumerate(annotations.categories):
        said = (category.name, category.in_words, *category.synonyms, *category.mentioned_as)
        longest = max(longest, *(len(as_words(one).split()) for one in said))
        for key in word_keys(said):
            columns_of.setdefault(key, set()).add(column)
    anywhere = [key for key in columns_of if without_spaces(key)]
    removed = np.zeros((len(images), len(annotations.categories)), dtype=np.bool_)
    for row, image in enumerate(images):
        for caption in annotations.captions.get(image, ()):
            words = as_words(caption).split()
            joined = "".join(words)
            keys = [key for key in anywhere if key in joined]
            for start in range(len(words)):
                # One more than the longest name has: "suit case" is "suitcase".
                keys += ["".join(words[start:end]) for end in range(start + 1, min(start + longest + 1, len(words)) + 1)]
            removed[row, [column for key in keys for column in columns_of.get(key, ())]] = True
    return removed


def review(annotations: Annotations, images: Sequence[int], claims: Set[ClaimKey]) -> Mask:
    """The rejected claims that a category is absent, as a mask."""
    names = {category.name: column for column, category in enumerate(annotations.categories)}
    rows = {annotations.images[image].file_name: row for row, image in enumerate(images)}
    removed = np.zeros((len(images), len(names)), dtype=np.bool_)
    for file, name, description in claims:
        if description is None and file in rows and name in names:
            removed[rows[file], names[name]] = True
    return removed
