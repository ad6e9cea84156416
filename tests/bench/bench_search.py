"""Every strategy from stored embeddings: 5,000 images x 1,203 categories (and half the images, to see that cost is linear)."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import measure

CATEGORIES = 1_203
DIMENSIONS = 512

_SETUP = """
import random
import numpy as np
from hope_bench.files.benchmark import split_bytes
from hope_bench.records import no_collector
from hope_bench.records import Annotations, Category, Image
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guards import guard
from hope_bench.search.space import Encoded, SearchSpace
from hope_bench.search.pope import pope_negatives
from hope_bench.search.questions import split_questions, twin_questions
from hope_bench.search.selection import Distractor
from hope_bench.search.strategies import Rankings
from hope_bench.files.spec import BenchmarkSpec, ClipSpec, GuardsSpec
from hope_bench.wording import plural

plural("cup")  # imports inflect
rng = np.random.default_rng(0)
N, C, D = {images}, {categories}, {dimensions}

def unit(*shape):
    vectors = rng.standard_normal(shape, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

per_image = rng.integers(3, 14, N)
rows = int(per_image.sum())
boxes = np.concatenate([rng.uniform(0, 400, (rows, 2)), rng.uniform(20, 200, (rows, 2))], axis=1).astype(np.float32)
# Few categories are frequent and many are rare, as in LVIS.
weights = 1 / np.arange(1, C + 1)
annotations = Annotations(
    categories=tuple(Category(f"thing {{index}}") for index in range(C)),
    images=tuple(Image(f"{{index:06}}.jpg", 640, 480) for index in range(N)),
    starts=np.concatenate([[0], np.cumsum(per_image)]).astype(np.int64),
    category_of=rng.choice(C, rows, p=weights / weights.sum()).astype(np.int32),
    crowd=np.zeros(rows, dtype=np.bool_), boxes=boxes, areas=boxes[:, 2] * boxes[:, 3],
)
pool = unit(20_000, D)
strategies = ("category-cooccurrence", "category-similarity", "category", "content", "control-content", "description", "hope")
spec = BenchmarkSpec(name="x", clip=ClipSpec(model="local-dir:x"), strategies=strategies)
sampled = tuple(i for i in range(N) if len(annotations.present(i)) >= 3)
encoded = Encoded(
    unit(len(sampled), D), unit(C, D), unit(C, D), 100.0, lambda texts: pool[np.arange(len(texts)) % len(pool)]
)
inputs = SearchSpace(spec, annotations, sampled, {{"": encoded}})
"""

_WORK = """
present = inputs.present
pope = pope_negatives(random.Random(0), present, 3)
guarded = guard(inputs)
false = FalseDescriptions(inputs)
written = 0
for strategy, per_image in pope.items():
    chosen = {image: [Distractor(name) for name in names] for image, names in zip(sampled, per_image)}
    written += len(split_bytes(split_questions(strategy, sampled, chosen, inputs, guarded)))
with no_collector():
    rankings = Rankings(inputs, guarded.allowed, false)
    found = {name: dict(zip(sampled, rankings.of(name))) for name in strategies}
for strategy, chosen in found.items():
    good = [image for image in sampled if len(chosen[image]) == 3]
    questions = split_questions(strategy, good, chosen, inputs, guarded)
    written += len(split_bytes(questions))
    if strategy in ("description", "hope"):
        written += len(split_bytes(twin_questions(strategy, good, chosen, questions)))
"""


def bench_search() -> dict[str, Any]:
    """Seconds and added peak memory of all strategies, from embeddings in memory to the bytes of every split."""
    report: dict[str, Any] = {"categories": CATEGORIES}
    for images in (2_500, 5_000):
        setup = _SETUP.format(images=images, categories=CATEGORIES, dimensions=DIMENSIONS)
        found = measure(setup, _WORK)
        report[f"seconds_{images}_images"] = found.seconds
        report[f"cpu_seconds_{images}_images"] = found.cpu_seconds
        report[f"peak_mb_{images}_images"] = found.peak_bytes / 1e6
    report["cost_of_twice_the_images"] = report["cpu_seconds_5000_images"] / report["cpu_seconds_2500_images"]
    return report
