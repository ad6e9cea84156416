"""What balance, thresholds, positives and mixes do: docs/validity.md, on drawn scenes and on POPE's COCO questions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hope_bench.api.asking import evaluate
from hope_bench.api.making import generate, load_annotations, load_benchmark
from hope_bench.api.scoring import score
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import OTHERS, demo_card, demo_spec
from hope_bench.demo.world import EVALUATION_SEED, OTHERS_SEED, SECOND_EVALUATION_SEEDS
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Result
from hope_bench.files.spec import BenchmarkSpec, is_balanced
from hope_bench.inspection.sizes import sizes_asked
from hope_bench.scoring.blind import above_blind, strongest
from tests.studies import against_unbalanced, pope_coco, thresholds
from tests.studies.against_unbalanced import Said
from tests.studies.pairs import pairs_balanced_accuracy
from tests.studies.pope_coco import either_way

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "validity.md"

FAMILY = (
    "random-balanced", "category-balanced", "content-balanced", "description-balanced", "hope-balanced", "control-balanced",
)  # fmt: skip
SPLITS = ("random", "popular", "adversarial", "category", "content", "description", "hope", "control-content", *FAMILY)

HEAD = """# What the splits are worth

Made by `make studies` (`tests/studies/validity.py`, some minutes); the figures stand as they came out. Both sets of drawn scenes
([demo.md](demo.md)) are {scenes}, asked of the demo's LLaVA; blind answering learnt from {scenes} other scenes
([scoring.md](scoring.md)). In percent, with 95% intervals.

{reading}"""

READING = """To be read off them:

- The blind suite doesn't tell yes from no on the balanced splits, whatever it gets of the same searches without balance.
- Balance costs `content` next to nothing, and the others aren't made easier by it, but harder (only the control is easier).
  Most of that lies in which claims are asked about. Without balance a false description is chosen among all that are false,
  and often is one that hardly ever is true ("exactly three cups"), which is easy to deny; with balance it is true of another
  image. `category` without balance asks much about few, frequent categories.
- So the balanced splits don't all ask as the others do. `hope-balanced` was to become the demo's headline if each of them
  stayed within 2 points of hallucination rate of its search without balance; they don't, and `hope` stays it.
- What balance doesn't take away is which objects go together: whoever sees all questions of an image at once still learns
  something from pairs of them. A model that is asked one question at a time can't use that.
- A threshold moves the precision drop, the rise of the hallucination rate and d'; it doesn't move AUROC.
"""

NOT_HERE = """
## POPE's COCO questions
Not measured: the public files (`pope/` and `llava-v1.5-13b/`, in the folder that `HOPE_BENCH_REAL` names) were not there.
"""


WITHOUT_LOOKING = """Balanced accuracy of answering without looking, either way round: by the blind suite's three ways, and by
pairs of an image's questions (`tests/studies/pairs.py`). *Unbalanced* are no-questions without a yes-question of the same claim
over against them; *above* is what the LLaVA's balanced accuracy (BA) holds above the best of the suite.
"""

COLUMNS = (
    "split", "by category", "by words", "with the other questions", "by pairs", "unbalanced", "hallucination rate", "BA", "AUROC",
    "above",
)  # fmt: skip

SETS = (("The demo's scenes", EVALUATION_SEED), ("The second set", SECOND_EVALUATION_SEEDS.start))


def study(scenes: int = 500, sets: Sequence[tuple[str, int]] = SETS) -> str:
    """The page, as Markdown."""
    parts = [HEAD.format(scenes=scenes, reading=READING)]
    for title, seed in sets:
        with tempfile.TemporaryDirectory() as folder:
            parts.append(f"\n## {title}\n" + "\n".join(_of(Path(folder), seed, scenes)) + "\n")
    real = Path(os.environ.get("HOPE_BENCH_REAL", PAGE.parent.parent.parent / "shared" / "real"))
    if real.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            parts.append("\n".join(pope_coco.page(real, Path(folder))))
    else:
        parts.append(NOT_HERE)
    return "".join(parts).rstrip() + "\n"


def _of(folder: Path, seed: int, scenes: int) -> Iterable[str]:
    world = folder / "world"
    write_world(world, scenes, seed)
    write_world(world / OTHERS, scenes, OTHERS_SEED)
    spec = demo_spec(world, scenes)
    benchmark, result, said = measured(spec.model_copy(update={"strategies": SPLITS}), folder / "all", world)
    yield from splits_table(benchmark, result)
    yield from _comparisons(result)
    yield from against_unbalanced.table(benchmark, said)
    yield from thresholds.table(result)
    yield from _positives(spec, folder, world)


def measured(spec: BenchmarkSpec, folder: Path, world: Path) -> tuple[Benchmark, Result, Said]:
    """A benchmark on drawn scenes, the demo's LLaVA on it, and what it said."""
    cache = world.parent / "cache"
    made = generate(spec, out=folder / "benchmark", cache=cache, progress="quiet")
    run = evaluate(demo_card(), made, images=world / "images", runs=folder / "runs", progress="quiet")
    said = {(one.image, one.question): one.verdict == "yes" for one in run.answers().answers}
    return load_benchmark(made), score(run, benchmark=made, annotations=world / "instances.json"), said


def splits_table(benchmark: Benchmark, result: Result) -> Iterable[str]:
    yield "\n### Without looking, and looking"
    yield WITHOUT_LOOKING
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|" + "---|" * len(COLUMNS)
    for name, split in result.splits.items():
        ways = {one.name: one for one in split.blind}
        balance = benchmark.manifest.balance.get(name)
        off = "" if balance is None else f"{balance.unbalanced} of {len(split.labels) // 2}, at most {balance.largest}"
        left = above_blind(split.balanced_accuracy.value, split.blind)
        auroc = "-" if split.probabilities is None else split.probabilities.auroc.percent()
        cells = [
            f"`{name}`",
            *(either_way(ways.get(way)) for way in ("category", "words", "words-and-others")),
            f"{100 * pairs_balanced_accuracy(benchmark.others[name], benchmark.splits[name]):.1f}",
            off,
            split.hallucination_rate.percent(),
            split.balanced_accuracy.percent(),
            auroc,
            "-" if left is None else f"{100 * left:.1f}",
        ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"
    within = [strongest(split.blind) for name, split in result.splits.items() if is_balanced(name)]
    highest = max(one.either_way.high or 0.0 for one in within if one is not None and one.either_way is not None)
    yield f"\nThe highest upper limit of a blind way on a balanced split is {100 * highest:.1f} (the blind suite's)."


def _comparisons(result: Result) -> Iterable[str]:
    yield "\n### What the search adds\n"
    yield "| split | minus | hallucination rate | AUROC drop |"
    yield "|---|---|---|---|"
    for one in result.comparisons:
        if is_balanced(one.split) or one.baseline == "control-content":
            drop = "-" if one.auroc_drop is None else one.auroc_drop.percent()
            yield f"| `{one.split}` | `{one.baseline}` | {one.hallucination_rise.percent()} | {drop} |"


def _positives(spec: BenchmarkSpec, folder: Path, world: Path) -> Iterable[str]:
    """The four ways to choose yes-questions, then the two mixes of descriptions; other images are not needed here."""
    spec = spec.model_copy(update={"strategies": ("description", "hope"), "blind": spec.blind.model_copy(update={"images": 0})})
    annotations = load_annotations(world / "instances.json")
    yield "\n### Which objects are asked about"
    yield "Recall, and the median share of the image that an object takes that is asked about with yes, and that isn't.\n"
    yield "| `positives` | recall | BA on `hope` | size asked | not asked |"
    yield "|---|---|---|---|---|"
    first = None
    for how in ("first", "random", "size-stratified", "hard"):
        benchmark, result, _ = measured(spec.model_copy(update={"positives": how}), folder / how, world)
        first = first or result
        hope, size = result.splits["hope"], next(one for one in sizes_asked(benchmark, annotations) if one.split == "hope")
        shares = ["-" if one is None else f"{100 * one:.1f}" for one in (size.asked_share, size.unasked_share)]
        yield f"| {how} | {hope.recall.percent()} | {hope.balanced_accuracy.percent()} | {shares[0]} | {shares[1]} |"
    yield "\n### Which descriptions"
    yield "Hallucination rates by `descriptions.mix`.\n"
    yield "| mix | `description` | `hope` |"
    yield "|---|---|---|"
    mix = {"descriptions": spec.descriptions.model_copy(update={"mix": "likeliest"})}
    _, likeliest, _ = measured(spec.model_copy(update=mix), folder / "likeliest", world)
    for name, result in (("even", first), ("likeliest", likeliest)):
        assert result is not None
        rates = [result.splits[split].hallucination_rate.percent() for split in ("description", "hope")]
        yield f"| {name} | {rates[0]} | {rates[1]} |"
