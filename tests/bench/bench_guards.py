"""What the calibrated guard costs and saves where labels are missing: the drawn world, where presence is known exactly.

10% and 30% of the annotations are deleted at random. Some of `content`'s distractors are then in the picture after all (wrong
"absent" labels). At each risk threshold: the share of those wrong labels that the guard keeps out, against the share of the
drop that is lost, the drop being measured on truly absent distractors only.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
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
from hope_bench.images import hash_images
from hope_bench.scoring.parsing import parse_strict
from hope_bench.search.encode import EncoderSession, Pictures
from hope_bench.search.guarding import clip_evidence, guard
from hope_bench.search.inputs import Encoded, SearchInputs
from hope_bench.search.pope import pope_negatives
from hope_bench.search.risk import FOLDS, labelled_probability, risk_of_presence
from hope_bench.search.strategies import ranked
from hope_bench.spec import BenchmarkSpec, CalibratedSpec, GuardsSpec
from hope_bench.wording import existence_question

FOLDER = Path("build/bench/guards")
SCENES = 500
THRESHOLDS = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05)
_AT_ONCE = 128

Mask = np.ndarray


def bench_guards() -> dict[str, Any]:
    """The removal-cost curve at 10% and 30% deleted annotations, and predicted risk against the true rate."""
    world = FOLDER / "world"
    if not (world / "captions.json").is_file():
        write_world(world, SCENES, SECOND_EVALUATION_SEEDS.start)
    spec = demo_spec(world, SCENES)
    truth = _present(spec, world / "instances.json")
    affirmed = _affirmed(world, truth.names)
    report: dict[str, Any] = {}
    for share in (0.1, 0.3):
        report[f"deleted_{share:.0%}"] = _study(spec, _delete(world, share), truth, affirmed, 1 - share)
    return report


class _Present:
    """Presence [N, C] in file order, and the names of files and categories."""

    def __init__(self, inputs: SearchInputs) -> None:
        self.mask = inputs.present_mask()
        self.files, self.names = inputs.files, inputs.names
        self.present = inputs.present()


def _inputs(spec: BenchmarkSpec, path: Path, encoded: dict[str, Encoded] | None = None) -> SearchInputs:
    annotations = read_annotations(path)
    return SearchInputs(spec, annotations, tuple(range(len(annotations.images))), encoded or {})


def _present(spec: BenchmarkSpec, path: Path) -> _Present:
    return _Present(_inputs(spec, path))


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


def _study(spec: BenchmarkSpec, path: Path, truth: _Present, affirmed: Mask, completeness: float) -> dict[str, Any]:
    assert spec.clip is not None
    assert spec.dataset.images is not None
    guards = GuardsSpec(ontology=False, captions=False, calibrated=CalibratedSpec(completeness=completeness, most_risk=1.0))
    spec = spec.model_copy(update={"guards": guards})
    bare = _inputs(spec, path)
    folder = Path(spec.dataset.images)
    session = EncoderSession(spec.clip, FOLDER / "cache")
    pictures = Pictures(folder, bare.images, tuple(str(one) for one in hash_images([folder / file for file in bare.files])))
    encoded = session.encode(pictures, bare.annotations, spec, tiles=True, prototypes=False)
    session.close()
    inputs = _inputs(spec, path, {"": encoded})
    guarded = guard(inputs)
    assert guarded.risk is not None
    column = {name: place for place, name in enumerate(inputs.names)}

    def picks(allowed: Mask) -> list[tuple[int, int]]:
        return [(row, column[one.name]) for row, chosen in enumerate(ranked("content", "", inputs, allowed, 3)) for one in chosen]

    def rate(chosen: list[tuple[int, int]]) -> float:
        """The hallucination rate on the truly absent ones."""
        return float(np.mean([affirmed[place] for place in chosen if not truth.mask[place]]))

    def wrong(chosen: list[tuple[int, int]]) -> int:
        return sum(bool(truth.mask[place]) for place in chosen)

    adversarial = pope_negatives(random.Random(0), inputs.present(), 3)["adversarial"]
    pope = rate([(row, column[name]) for row, names in enumerate(adversarial) for name in names or ()])
    plain = picks(guarded.absent)
    rise = rate(plain) - pope
    curve = {}
    whole = _risk(inputs, completeness, lambda evidence: evidence[..., :1])
    for name, risk in (("whole_image_and_best_tile", guarded.risk), ("whole_image_only", whole)):
        for threshold in THRESHOLDS:
            chosen = picks(guarded.absent & (risk <= threshold))
            curve[f"{name}_{threshold}"] = {
                "wrong_removed": 1 - wrong(chosen) / max(wrong(plain), 1),
                "rise_lost": 1 - (rate(chosen) - pope) / rise,
            }
    return {"wrong_labels": wrong(plain), "distractors": len(plain), "rise": rise, "curve": curve,
            "risk_bins": _bins(guarded.risk[guarded.absent], truth.mask[guarded.absent])}  # fmt: skip


def _risk(inputs: SearchInputs, completeness: float, features: Callable[[Mask], Mask]) -> Mask:
    fold_of = np.random.default_rng(inputs.spec.seed).permutation(len(inputs.images)) % FOLDS
    r = labelled_probability(features(clip_evidence(inputs)), inputs.present_mask(), fold_of)
    return risk_of_presence(r, completeness)


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
