"""A million answers scored, and 500 models compared."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import measure

IMAGES, SPLITS, PER_IMAGE = 18_519, 9, 6
REPLICATES = 1_000
MODELS = 500

_MILLION = """
import numpy as np
from pathlib import Path
from hope_bench.files.benchmark import Benchmark, Manifest, SplitInfo
from hope_bench.records import Answer, Question
from hope_bench.files.result import Bootstrap
from hope_bench.scoring.numbers import Scored, score_splits
from hope_bench.scoring.verdicts import join
import scipy.sparse, scipy.stats  # imports are not the work

rng = np.random.default_rng(0)
names = ["random", "popular", "adversarial", "control-content", "category-cooccurrence", "category-similarity", "category",
         "content", "hope"]
kinds = ["pope"] * 3 + ["control"] + ["hope"] * 5
images = [f"{{number:012}}.jpg" for number in range({images})]
half = {per_image} // 2
splits = {{
    name: tuple(
        Question(1, image, f"yes {{place}}?" if place < half else f"{{name}} {{place}}?", "yes" if place < half else "no", name,
                 f"thing {{place if place < half else hash((name, place, image)) % 80}}")
        for image in images for place in range({per_image})
    )
    for name in names
}}
info = {{name: SplitInfo(strategy=name, kind=kind, questions=1, yes=1, no=1, sha256="") for name, kind in zip(names, kinds)}}
manifest = Manifest(name="b", title="b", hash="0", headline="hope", prompt="{{question}}", k=3, dataset="",
                    images=dict.fromkeys(images), splits=info)
benchmark = Benchmark(Path("b"), manifest, splits)
asked = {{(one.image, one.text): one for questions in splits.values() for one in questions}}
p_yes = np.round(rng.random(len(asked)), 6).tolist()
answers = [Answer(image, text, "yes", "yes" if p > 0.5 else "no", p_yes=p) for (image, text), p in zip(asked, p_yes)]
del asked
"""

_SCORE = """
joined = join(benchmark, answers)
found = score_splits(Scored(benchmark, joined.splits, Bootstrap(replicates={replicates}, seed=0, confidence=0.95)))
assert sum(len(split.verdicts) for split in found.splits.values()) >= 1_000_000
assert found.splits["hope"].precision.low is not None and found.splits["hope"].probabilities.auroc.low is not None
"""

_MODELS = """
import numpy as np
from rich.console import Console
from hope_bench.files.result import BenchmarkInfo, Bootstrap, ModelInfo, Result, RunInfo
from hope_bench.files.split_score import Estimate, SplitScore, VerdictCounts
from hope_bench.scoring.comparing import compare
from hope_bench.scoring.comparison_tables import pair_table
import scipy.stats

rng = np.random.default_rng(0)
labels = "yn" * 1500
nothing = dict.fromkeys(("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate",
                         "yes_ratio"), Estimate(value=None))
def result(number):
    right = rng.random(3000) < rng.uniform(0.6, 0.95)
    verdicts = "".join(label if one else "ny"[label == "n"] for label, one in zip(labels, right.tolist()))
    split = SplitScore(kind="hope", on_yes=VerdictCounts(), on_no=VerdictCounts(), **nothing, questions_per_image=(6,) * 500,
                       labels=labels, verdicts=verdicts)
    about = BenchmarkInfo(name="b", title="b", hash="0", headline="hope", dataset="", prompt="", images=500)
    return Result(model=ModelInfo(name=f"model {{number}}"), benchmark=about, run=RunInfo(), splits={{"hope": split}},
                  comparisons=(), bootstrap=Bootstrap(replicates=2000, seed=0, confidence=0.95))
results = [result(number) for number in range({models})]
"""

_COMPARE = """
found = compare(results, against="model 0")
with open("/dev/null", "w") as stream:
    console = Console(file=stream, width=140)
    found.summary().show(console)
    console.print(pair_table(found))
assert len(found.standings) == len(found.pairs) + 1 == {models}
"""


def bench_scoring() -> dict[str, Any]:
    """Seconds and added peak memory: a million answers over 9 splits with P(yes), joined, scored and bootstrapped 1,000 times
    over images; and 500 models ranked and tested against one on a 3,000-question split, 2,000 replicates."""
    sizes = {"images": IMAGES, "per_image": PER_IMAGE, "replicates": REPLICATES, "models": MODELS}
    million = measure(_MILLION.format(**sizes), _SCORE.format(**sizes))
    models = measure(_MODELS.format(**sizes), _COMPARE.format(**sizes))
    return {
        "questions": IMAGES * PER_IMAGE * SPLITS,
        "seconds_million": million.seconds,
        "peak_mb_million": million.peak_bytes / 1e6,
        "seconds_500_models": models.seconds,
        "peak_mb_500_models": models.peak_bytes / 1e6,
    }
