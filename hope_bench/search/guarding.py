"""All guards of a spec together: what may be claimed absent, what each guard removed, and the estimated risks."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hope_bench.search import guards
from hope_bench.search.inputs import SearchInputs
from hope_bench.search.risk import FOLDS, estimate_risk

Mask = NDArray[np.bool_]
Claim = tuple[str, str, str | None]

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


def guard(inputs: SearchInputs, rejected: Set[Claim] = frozenset()) -> Guarded:
    """Apply every guard that the spec switches on and the data can feed; `rejected` are claims that reviewers don't stand by."""
    spec, annotations = inputs.spec.guards, inputs.annotations
    present = inputs.present_mask
    removed: dict[str, Mask] = {}
    if spec.verified and (annotations.verified_absent is not None or annotations.not_exhaustive):
        removed["verified"] = guards.verified(annotations, inputs.images)
    if spec.ontology:
        removed["ontology"] = _ontology(inputs, present)
    if spec.captions and annotations.captions:
        removed["captions"] = guards.captions(annotations, inputs.images)
    risk = evidence = None
    if spec.calibrated is not None:
        fold_of = np.random.default_rng(inputs.spec.seed).permutation(len(inputs.images)) % FOLDS
        alike = guards.centred_similarity(inputs.encoded[""].categories).astype(np.float64)
        risk, evidence = estimate_risk(clip_cosines(inputs), present, alike, spec.calibrated.completeness, fold_of)
        removed["calibrated"] = risk > spec.calibrated.most_risk
    if rejected:
        removed["review"] = guards.review(annotations, inputs.images, rejected)
    removed = {name: mask & ~present for name, mask in removed.items()}
    barred = np.any(np.stack([present, *removed.values()]), axis=0)
    return Guarded(absent=~present, allowed=~barred, removed=removed, risk=risk, evidence=evidence)


def _ontology(inputs: SearchInputs, present: Mask) -> Mask:
    spec, main = inputs.spec.guards, inputs.encoded.get("")
    table = [] if spec.ontology_table is None else guards.read_table(Path(spec.ontology_table))
    names = None if main is None else guards.centred_similarity(main.categories)
    return guards.ontology(inputs.annotations.categories, present, table, names, spec.same_name)


def clip_cosines(inputs: SearchInputs) -> NDArray[np.float64]:
    """[N, C, 2]: the cosine of each category with the whole image and with its most similar tile, by the main encoder."""
    main = inputs.encoded[""]
    assert main.tiles is not None
    whole = main.images @ main.categories.T
    tile = np.stack([(tiles @ main.categories.T).max(axis=0) for tiles in main.tiles])
    return np.stack([whole, tile], axis=2).astype(np.float64)
