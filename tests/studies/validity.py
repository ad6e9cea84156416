"""What balance, positives and mixes do: the tables of docs/validity.md, on drawn scenes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hope_bench.api.asking import evaluate
from hope_bench.api.making import generate, load_benchmark
from hope_bench.api.numbers import score
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import OTHERS, demo_card, demo_spec
from hope_bench.demo.world import EVALUATION_SEED, OTHERS_SEED, SECOND_EVALUATION_SEEDS
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Blind, Result
from hope_bench.files.spec import BenchmarkSpec, is_balanced
from hope_bench.scoring.blind import above_blind, strongest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "validity.md"

FAMILY = (
    "random-balanced", "category-balanced", "content-balanced", "description-balanced", "hope-balanced", "control-balanced",
)  # fmt: skip
SPLITS = ("random", "popular", "adversarial", "category", "content", "description", "hope", "control-content", *FAMILY)

HEAD = """# What the splits are worth

The tables are made by `make studies` (`tests/studies/validity.py`, some minutes); the figures stand as they came out. Both sets
are {scenes} drawn scenes each ([demo.md](demo.md)), asked of the demo's LLaVA; blind answering learnt from {scenes} other scenes
([scoring.md](scoring.md)). In percent, with 95% intervals.
"""


def study(scenes: int = 500, sets: Sequence[tuple[str, int]] | None = None) -> str:
    """The page, as Markdown."""
    parts = [HEAD.format(scenes=scenes)]
    for title, seed in sets or (("The demo's scenes", EVALUATION_SEED), ("The second set", SECOND_EVALUATION_SEEDS.start)):
        with tempfile.TemporaryDirectory() as folder:
            parts.append(f"\n## {title}\n" + "\n".join(_of(Path(folder), seed, scenes)))
    return "".join(parts).rstrip() + "\n"


def _of(folder: Path, seed: int, scenes: int) -> Iterable[str]:
    world = folder / "world"
    write_world(world, scenes, seed)
    write_world(world / OTHERS, scenes, OTHERS_SEED)
    spec = demo_spec(world, scenes)
    benchmark, result = _measured(spec.model_copy(update={"strategies": SPLITS}), folder / "all", world)
    yield from _splits(benchmark, result)
    yield from _comparisons(result)
    yield from _positives(spec, folder, world)


def _measured(spec: BenchmarkSpec, folder: Path, world: Path) -> tuple[Benchmark, Result]:
    cache = world.parent / "cache"
    made = generate(spec, out=folder / "benchmark", cache=cache, progress="quiet")
    run = evaluate(demo_card(), made, images=world / "images", runs=folder / "runs", progress="quiet")
    return load_benchmark(made), score(run, benchmark=made, annotations=world / "instances.json", results=folder / "results")


def _splits(benchmark: Benchmark, result: Result) -> Iterable[str]:
    yield "\n### Without looking, and looking"
    yield "*Blind* is the best blind way, either way round; *above* is what the LLaVA's balanced accuracy holds above it.\n"
    yield "| split | by category | by words | with the other questions | unbalanced | hallucination rate | BA | AUROC | above |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, split in result.splits.items():
        ways = {one.name: one for one in split.blind}
        balance = benchmark.manifest.balance.get(name)
        off = "" if balance is None else f"{balance.unbalanced} of {len(split.labels) // 2}, at most {balance.largest}"
        left = above_blind(split.balanced_accuracy.value, split.blind)
        auroc = "-" if split.probabilities is None else split.probabilities.auroc.percent()
        cells = [
            f"`{name}`",
            *(_way(ways.get(way)) for way in ("category", "words", "words-and-others")),
            off,
            split.hallucination_rate.percent(),
            split.balanced_accuracy.percent(),
            auroc,
            "-" if left is None else f"{100 * left:.1f}",
        ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"
    within = [strongest(split.blind) for name, split in result.splits.items() if is_balanced(name)]
    highest = max(one.either_way.high or 0.0 for one in within if one is not None and one.either_way is not None)
    yield f"\nThe highest upper limit of a blind way on a balanced split is {100 * highest:.1f}.\n"


def _way(one: Blind | None) -> str:
    return "-" if one is None or one.either_way is None else one.either_way.percent()


def _comparisons(result: Result) -> Iterable[str]:
    yield "\n### What the search adds\n"
    yield "| split | minus | hallucination rate | AUROC drop |"
    yield "|---|---|---|---|"
    for one in result.comparisons:
        if is_balanced(one.split) or one.baseline == "control-content":
            drop = "-" if one.auroc_drop is None else one.auroc_drop.percent()
            yield f"| `{one.split}` | `{one.baseline}` | {one.hallucination_rise.percent()} | {drop} |"
    rates = {name: split.hallucination_rate.value or 0.0 for name, split in result.splits.items()}
    pairs = [
        f"`{name}` {100 * (rates[f'{name}-balanced'] - rates[name]):+.1f}"
        for name in ("category", "content", "description", "hope")
    ]
    yield "\nBalanced minus unbalanced search, in points of hallucination rate: " + ", ".join(pairs) + "."


def _positives(spec: BenchmarkSpec, folder: Path, world: Path) -> Iterable[str]:
    yield "\n### Which objects are asked about, and which descriptions\n"
    yield "| | recall | hallucination rate on `description` | on `hope` |"
    yield "|---|---|---|---|"
    changes: list[tuple[str, dict[str, object]]] = [
        (f'positives = "{one}"', {"positives": one}) for one in ("first", "random", "size-stratified", "hard")
    ]
    changes += [
        (f'descriptions.mix = "{mix}"', {"descriptions": spec.descriptions.model_copy(update={"mix": mix})})
        for mix in ("even", "likeliest")
    ]
    for number, (title, change) in enumerate(changes):
        own = {"strategies": ("description", "hope"), "blind": spec.blind.model_copy(update={"images": 0}), **change}
        _, result = _measured(spec.model_copy(update=own), folder / str(number), world)
        description, hope = result.splits["description"], result.splits["hope"]
        numbers = (hope.recall, description.hallucination_rate, hope.hallucination_rate)
        yield f"| {title} | " + " | ".join(one.percent() for one in numbers) + " |"
