"""The fifth step of generating: every split's distractors under the guards, and what each guard cost."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import GuardStats
from hope_bench.files.spec import DESCRIPTION_STRATEGIES, STRATEGY_KINDS, base_strategy, encoder_name, is_balanced
from hope_bench.records import no_collector
from hope_bench.search.balanced import BalancedFamily, lacking
from hope_bench.search.control_content import MOST_CANDIDATES
from hope_bench.search.encode import Encoding
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guards import Guarded
from hope_bench.search.inputs import Inputs
from hope_bench.search.pope import pope_negatives
from hope_bench.search.positives import Order, ordered
from hope_bench.search.sample import Sample
from hope_bench.search.selection import Distractor, Distractors, Positive, Positives
from hope_bench.search.space import SearchSpace
from hope_bench.search.strategies import Rankings


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Every split's distractors and yes-questions, `guards` by name with what they removed, and the `sample` of images that got k
    under each."""

    splits: Mapping[str, Distractors]
    positives: Mapping[str, Positives]
    sample: Sample
    guards: Mapping[str, GuardStats]


@no_collector()
def search(inputs: Inputs, encoding: Encoding, guarded: Guarded) -> Found:
    """Search the distractors of every split of the spec.

    An image that has too few under any strategy is dropped from all, since splits share images; maybe none is left. Raises
    HopeBenchError where control-content has but one image.
    """
    space, sample = encoding.space, encoding.sample
    spec, notes = space.spec, []
    false = FalseDescriptions(space, inputs.given, inputs.rejected, encoding.guessed)
    order = ordered(space, spec.positives)
    drawn = {**sample.pope, **_guarded_pope(sample, space, guarded, order)}
    drawn["hard-positives"] = drawn["random"]
    rankings = Rankings(space, guarded.allowed, false)
    splits: dict[str, Distractors] = {}
    short: dict[int, str] = {}
    for name in spec.strategies:
        base = base_strategy(name)
        if base in ("control-content", "control-balanced") and len(space.images) < 2:
            raise HopeBenchError(f"{base} ranks an image's distractors by another image's scores: it needs two images.")
        if base in ("control-content", "control-balanced") and len(space.images) > MOST_CANDIDATES:
            notes.append(f"{name}: similar images were looked for among {MOST_CANDIDATES:,} of the images.")
        if is_balanced(name):
            short = lacking(space, guarded.allowed, false, name) | short
            continue
        if base in drawn:
            rows = zip(sample.images, drawn[base], strict=True)
            splits[name] = {image: [Distractor(one) for one in names] for image, names in rows if names is not None}
            continue
        splits[name] = dict(zip(space.images, rankings.of(name), strict=True))
    for name, split in splits.items():
        for image in space.images:
            if len(split.get(image, ())) < spec.k:
                short.setdefault(image, f"fewer than {spec.k} distractors are left for {name}")
    positives = {name: _positives(name, space, order) for name in splits}
    rows_left = [row for row, image in enumerate(space.images) if image not in short]
    if rows_left:
        family = BalancedFamily(space, guarded.allowed, false, order, rows_left)
        for name in filter(is_balanced, spec.strategies):
            positives[name], splits[name] = family.split(name)
    if false.unworded:
        notes.append(
            f"{counted(false.unworded, 'description', 'descriptions')} that are known of the images can't be put in words in the "
            f"benchmark's language ({space.worder.table.code}), and are not asked about."
        )
    in_order = {name: splits[name] for name in spec.strategies if name in splits}
    return Found(in_order, positives, sample.without(short, notes), _guard_stats(sample, space, guarded, false))


def _positives(split: str, space: SearchSpace, order: Order) -> Positives:
    """The k present objects that a split outside the balanced family asks about. POPE's own splits ask as POPE does."""
    base = base_strategy(split)
    if base == "hard-positives":
        order = ordered(space, "hard", encoder_name(split))
    elif STRATEGY_KINDS[base] == "pope" and not base.endswith("-guarded"):
        order = space.present
    return {image: [Positive(one) for one in names[: space.spec.k]] for image, names in zip(space.images, order, strict=True)}


def _guarded_pope(sample: Sample, space: SearchSpace, guarded: Guarded, order: Order) -> dict[str, list[list[str] | None]]:
    """POPE's three once more under the guards, from a generator of their own, so that POPE's draws stay as published."""
    if not any(base_strategy(name).endswith("-guarded") for name in space.spec.strategies):
        return {}
    row_of = {image: row for row, image in enumerate(space.images)}
    names = np.array(space.names, dtype=np.object_)
    forbidden = [set(names[~guarded.allowed[row_of[image]]]) if image in row_of else set() for image in sample.images]
    present = [order[row_of[image]] if image in row_of else sample.annotations.present(image) for image in sample.images]
    negatives = pope_negatives(random.Random(f"{space.spec.seed} guarded"), present, space.spec.k, forbidden)
    return {f"{strategy}-guarded": per_image for strategy, per_image in negatives.items()}


def _guard_stats(sample: Sample, space: SearchSpace, guarded: Guarded, false: FalseDescriptions) -> dict[str, GuardStats]:
    """How many candidates each guard removed, and how many of the distractors that would have been asked about without guards."""
    if not guarded.removed:
        return {}
    wanted = _unguarded(sample, space, guarded, false)

    def displaced(guard: str, row: int, one: Distractor) -> bool:
        if one.description is not None:
            return guard == "review" and false.rejects(row, one.description)
        return bool(guarded.removed[guard][row, space.column[one.name]])

    described = any(base_strategy(split) in DESCRIPTION_STRATEGIES for split in space.spec.strategies)
    return {
        name: GuardStats(
            removed=int(mask.sum()) + (false.rejected() if name == "review" and described else 0),
            displaced={split: sum(displaced(name, row, one) for row, one in picks) for split, picks in wanted.items()},
        )
        for name, mask in guarded.removed.items()
    }


def _unguarded(
    sample: Sample, space: SearchSpace, guarded: Guarded, false: FalseDescriptions
) -> dict[str, list[tuple[int, Distractor]]]:
    """What every guarded split would ask about without guards: rows of the search space with their distractors."""
    row_of = {image: row for row, image in enumerate(space.images)}
    rankings = Rankings(space, guarded.absent, false.unreviewed())
    wanted: dict[str, list[tuple[int, Distractor]]] = {}
    for split in space.spec.strategies:
        base = base_strategy(split)
        if is_balanced(split) or base == "hard-positives":
            continue  # without guards, everything else would be asked otherwise, too
        if base.endswith("-guarded"):
            rows = zip(sample.images, sample.pope[base.removesuffix("-guarded")], strict=True)
            wanted[split] = [(row_of[image], Distractor(one)) for image, names in rows if image in row_of for one in names or ()]
        elif STRATEGY_KINDS[base] != "pope":
            wanted[split] = [(row, one) for row, chosen in enumerate(rankings.of(split)) for one in chosen]
    return wanted
