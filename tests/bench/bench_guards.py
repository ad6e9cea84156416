"""What each guard saves and costs where labels are missing: the drawn world, where presence is known exactly.

10% and 30% of the annotations are deleted at random. Some of `content`'s distractors are then in the picture after all (wrong
"absent" labels). For each guard at each of its settings, and for all together: the share of those wrong labels that it keeps
out, against the share of the precision drop that is lost with it, both on truly absent distractors only. The scenes are a set
on which nothing was tuned.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.annotations import read_annotations
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import demo_card, demo_spec
from hope_bench.demo.world import SECOND_EVALUATION_SEEDS
from hope_bench.files.spec import CalibratedSpec, GuardsSpec
from hope_bench.images import hash_images
from hope_bench.scoring.parsing import parse_strict
from hope_bench.search import guards
from hope_bench.search.encoder_session import EncoderSession, Pictures
from hope_bench.search.guards import Guarded, clip_cosines, guard
from hope_bench.search.pope import pope_negatives
from hope_bench.search.risk import FOLDS, labelled_probability, lookalikes, risk_of_presence
from hope_bench.search.space import SearchSpace
from hope_bench.search.strategies import ranked
from hope_bench.wording import existence_question

FOLDER = Path("build/bench/guards")
SCENES = 500
MOST_RISK = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05)
SAME_NAME = (0.9, 0.7, 0.5, 0.3)
VERIFIED_SHARES = (0.75, 0.5, 0.25)
"""Of the absent categories of an image, the share that somebody looked for."""
REVIEWED_SHARES = (0.05, 0.1, 0.2, 0.4, 1.0)
"""Of `content`'s distractors, the share that a perfect reviewer sees, those of highest risk first."""
REVIEWED = 0.1
"""The share reviewed where all guards act together."""
GIVEN = {"auc_0.90": 1.8124, "auc_0.98": 2.9044}
"""Evidence that a user brings (`guards.evidence`): normal scores so far apart that they tell present from absent this well."""
RESAMPLES = 1_000
_AT_ONCE = 128

Mask = np.ndarray
Cells = list[tuple[int, int]]
"""(image, category) pairs."""


def bench_guards() -> dict[str, Any]:
    """Every guard's removal-cost curve at 10% and 30% deleted annotations, and predicted risk against the true rate."""
    world = FOLDER / "world"
    if not (world / "captions.json").is_file():
        write_world(world, SCENES, SECOND_EVALUATION_SEEDS.start)
    whole = _inputs(world, world / "instances.json")
    affirmed = _affirmed(world, whole.names)
    report: dict[str, Any] = {}
    for share in (0.1, 0.3):
        case = _Case(_searched(world, _delete(world, share), 1 - share), whole.present_mask, affirmed)
        report[f"deleted_{share:.0%}"] = case.report(1 - share)
    return report


def _inputs(world: Path, instances: Path) -> SearchSpace:
    annotations = read_annotations(instances, captions=world / "captions.json")
    return SearchSpace(demo_spec(world, SCENES), annotations, tuple(range(len(annotations.images))), {})


def _delete(world: Path, share: float) -> Path:
    """The instances file without a random share of its annotations."""
    data = json.loads((world / "instances.json").read_text())
    rng = random.Random(0)
    data["annotations"] = [row for row in data["annotations"] if rng.random() >= share]
    path = FOLDER / f"instances-{share}.json"
    path.write_text(json.dumps(data))
    return path


def _affirmed(world: Path, names: tuple[str, ...]) -> Mask:
    """Whether the LVLM affirms each category in each scene, [N, C]; asked once and kept."""
    model = TransformersModel(demo_card())
    kept = FOLDER / f"affirmed-{model.info.weights_sha256}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept))
    model.load()
    files = sorted((world / "images").glob("*.png"))
    pairs = [(file, name) for file in files for name in names]
    said: list[bool] = []
    for start in range(0, len(pairs), _AT_ONCE):
        batch = [(Image.open(file).convert("RGB"), existence_question(name)) for file, name in pairs[start : start + _AT_ONCE]]
        said += [parse_strict(answer.text) == "yes" for answer in model.answer(batch)]
    made = np.array(said).reshape(len(files), len(names))
    np.save(kept, made)
    return made


def _searched(world: Path, instances: Path, completeness: float) -> SearchSpace:
    """The deleted annotations with what the demo's CLIP sees, all guards on, none of them dropping anything by risk."""
    bare = _inputs(world, instances)
    calibrated = CalibratedSpec(completeness=completeness, most_risk=1.0)
    spec = bare.spec.model_copy(
        update={"guards": GuardsSpec(known_synonyms=False, same_name=SAME_NAME[0], calibrated=calibrated)}
    )
    assert spec.clip is not None
    folder = world / "images"
    pictures = Pictures(folder, bare.images, tuple(str(one) for one in hash_images([folder / file for file in bare.files])))
    session = EncoderSession(spec.clip, FOLDER / "cache")
    encoded = session.encode(pictures, bare.annotations, tiles=True, crops=None)
    session.close()
    return replace(bare, spec=spec, encoded={"": encoded})


@dataclass(frozen=True)
class _Case:
    """One set of incomplete annotations: what is really there (`truth` [N, C]) and what the LVLM affirms (`affirmed` [N, C])."""

    inputs: SearchSpace
    truth: Mask
    affirmed: Mask

    def report(self, completeness: float) -> dict[str, Any]:
        """Every guard's curve."""
        guarded = guard(self.inputs)
        assert guarded.risk is not None
        absent, risk = guarded.absent, guarded.risk
        plain = self._asked(absent)
        unnamed = absent & ~guarded.removed["ontology"] & ~guarded.removed["captions"]
        settings: dict[str, dict[str, Mask]] = {
            "verified": {f"{share:.0%}_looked_for": self._verified(share) for share in VERIFIED_SHARES},
            "ontology": {f"same_name_{value}": absent & ~self._ontology(value) for value in SAME_NAME},
            "captions": {"on": absent & ~guarded.removed["captions"]},
            "calibrated": {f"most_risk_{value}": absent & (risk <= value) for value in MOST_RISK},
            **{f"calibrated_given_{name}": self._given(absent, apart) for name, apart in GIVEN.items()},
            "review": {f"riskiest_{share:.0%}": self._reviewed(absent, risk, share) for share in REVIEWED_SHARES},
            "all_but_verified": {
                f"most_risk_{value}": self._reviewed(unnamed & (risk <= value), risk, REVIEWED) for value in MOST_RISK
            },
            "all": {f"most_risk_{value}": self._reviewed(unnamed & (risk <= value) & self._verified(0.5), risk, REVIEWED)
                    for value in MOST_RISK[3:4]},
        }  # fmt: skip
        curves = {name: self._curve(plain, points) for name, points in settings.items()}
        lost = {name: _lost_at_half(self._curve(plain, self._by_quantile(absent, one))) for name, one in self._ablations(
            guarded, completeness).items()}  # fmt: skip
        wrong = sum(bool(self.truth[cell]) for cell in plain)
        return {"wrong_labels": wrong, "distractors": len(plain), "drop": self._drop(plain), "curves": curves,
                "drop_lost_where_half_is_removed": lost, "risk_bins": _bins(risk[absent], self.truth[absent])}  # fmt: skip

    def _asked(self, allowed: Mask) -> Cells:
        chosen = ranked("content", "", self.inputs, allowed, 3)
        return [(row, self.inputs.column[one.name]) for row, few in enumerate(chosen) for one in few]

    def _reviewed(self, allowed: Mask, risk: Mask, share: float) -> Mask:
        """What may be asked once a perfect reviewer has seen a share of what would be asked, the riskiest first."""
        claims = sorted(self._asked(allowed), key=lambda cell: -risk[cell])
        rejected = np.zeros_like(self.truth)
        for cell in claims[: round(share * len(claims))]:
            rejected[cell] = self.truth[cell]
        return allowed & ~rejected

    def _given(self, absent: Mask, apart: float) -> dict[str, Mask]:
        """What the calibrated guard allows that also knows a detector's scores, of known quality."""
        seen = apart * self.truth + np.random.default_rng(1).normal(size=self.truth.shape)
        risk = guard(replace(self.inputs, seen=seen)).risk
        assert risk is not None
        return {f"most_risk_{value}": absent & (risk <= value) for value in MOST_RISK}

    def _verified(self, share: float) -> Mask:
        """What may be asked where people looked for a random share of each image's absent categories."""
        looked = np.random.default_rng(0).random(self.truth.shape) < share
        absent = {row: frozenset(np.flatnonzero(looked[row] & ~self.truth[row]).tolist()) for row in self.inputs.images}
        annotations = replace(self.inputs.annotations, verified_absent=absent)
        return ~guards.verified(annotations, self.inputs.images) & ~self.inputs.present_mask

    def _ontology(self, same_name: float) -> Mask:
        alike = guards.centred_similarity(self.inputs.encoded[""].categories)
        return guards.ontology(self.inputs.annotations.categories, self.inputs.present_mask, alike, same_name)

    def _ablations(self, guarded: Guarded, completeness: float) -> Mapping[str, Mask]:
        """The risk as estimated from less evidence."""
        assert guarded.risk is not None
        labelled, cosines = self.inputs.present_mask, clip_cosines(self.inputs)
        alike = guards.centred_similarity(self.inputs.encoded[""].categories).astype(np.float64)
        others = lookalikes(labelled.astype(np.float64), alike)[..., None]
        fold_of = np.random.default_rng(self.inputs.spec.seed).permutation(len(labelled)) % FOLDS

        def estimated(*evidence: Mask) -> Mask:
            r = labelled_probability(np.concatenate(evidence, axis=2), labelled, fold_of)
            return risk_of_presence(r, completeness)

        return {
            "whole_image": estimated(cosines[..., :1]),
            "whole_image_and_best_tile": estimated(cosines),
            "with_labelled_lookalikes": estimated(cosines, others),
            "with_all_lookalikes": guarded.risk,
        }

    def _by_quantile(self, absent: Mask, risk: Mask) -> dict[str, Mask]:
        """Thresholds that drop ever more of the distractors asked about without guards."""
        risks = [risk[cell] for cell in self._asked(absent)]
        return {f"{share:.2f}": absent & (risk <= np.quantile(risks, share)) for share in np.linspace(1.0, 0.5, 26)}

    def _drop(self, asked: Cells) -> float:
        return float(self._drops(self._counts(asked), np.ones((1, len(self.truth))))[0])

    def _counts(self, asked: Cells) -> Mask:
        """Per image [N, 3]: truly absent distractors, those the LVLM affirms, and wrong labels."""
        counts = np.zeros((len(self.truth), 3))
        for cell in asked:
            counts[cell[0]] += (0, 0, 1) if self.truth[cell] else (1, self.affirmed[cell], 0)
        return counts

    def _drops(self, counts: Mask, weights: Mask) -> Mask:
        """The precision drop of distractors against `adversarial`, with as many no- as yes-questions: [B] for weights [B, N]."""
        present = self.inputs.present
        adversarial = pope_negatives(random.Random(0), present, 3)["adversarial"]
        column = self.inputs.column
        pope = self._counts([(row, column[name]) for row, names in enumerate(adversarial) for name in names or ()])
        yes = np.array([[len(names[:3]), sum(self.affirmed[row, column[name]] for name in names[:3])]
                        for row, names in enumerate(present)])  # fmt: skip

        def precision(negatives: Mask) -> Mask:
            asked, affirmed = (weights @ yes).T
            absent, wrongly = (weights @ negatives[:, :2]).T
            return (affirmed / asked) / (affirmed / asked + wrongly / absent)

        return precision(pope) - precision(counts)

    def _curve(self, plain: Cells, settings: Mapping[str, Mask]) -> dict[str, dict[str, Any]]:
        """At each setting (a mask of what may be asked) what is removed and what is lost, with 95% intervals over images."""
        weights = np.random.default_rng(0).multinomial(len(self.truth), np.full(len(self.truth), 1 / len(self.truth)), RESAMPLES)
        weights = np.concatenate([np.ones((1, len(self.truth)), dtype=weights.dtype), weights])
        before = self._counts(plain)
        whole_drop, all_wrong = self._drops(before, weights), weights @ before[:, 2]
        curve: dict[str, dict[str, Any]] = {}
        for name, allowed in settings.items():
            after = self._counts(self._asked(allowed))
            removed, lost = 1 - weights @ after[:, 2] / all_wrong, 1 - self._drops(after, weights) / whole_drop
            curve[name] = {"wrong_removed": float(removed[0]), "wrong_removed_interval": _interval(removed[1:]),
                           "drop_lost": float(lost[0]), "drop_lost_interval": _interval(lost[1:])}  # fmt: skip
        return curve


def _interval(values: Mask) -> list[float]:
    return [float(value) for value in np.quantile(values, (0.025, 0.975))]


def _lost_at_half(curve: Mapping[str, Mapping[str, Any]]) -> float:
    points: Iterable[tuple[float, float]] = sorted((one["wrong_removed"], one["drop_lost"]) for one in curve.values())
    removed, lost = zip(*points, strict=True)
    return float(np.interp(0.5, removed, lost))


def _bins(risk: Mask, present: Mask) -> dict[str, Any]:
    """Predicted risk against the true rate of presence among unlabelled categories."""
    edges = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 1.01)
    found = {}
    for low, high in pairwise(edges):
        inside = (risk >= low) & (risk < high)
        if inside.any():
            found[f"{low}-{min(high, 1)}"] = {
                "candidates": int(inside.sum()), "predicted": float(risk[inside].mean()), "true": float(present[inside].mean()),
            }  # fmt: skip
    return found
