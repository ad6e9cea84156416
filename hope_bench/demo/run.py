"""The whole path on the embedded world: draw, generate, evaluate, score, publish, through the functions users' data takes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hope_bench.api.asking import evaluate
from hope_bench.api.making import generate
from hope_bench.api.publishing import build_leaderboard, describe_benchmark
from hope_bench.api.scoring import score
from hope_bench.demo.dataset import drawn_scenes, write_world
from hope_bench.demo.world import EVALUATION_SEED, OTHERS_SEED
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, read_card
from hope_bench.files.registry import data_root
from hope_bench.files.result import Result
from hope_bench.files.spec import BenchmarkSpec, DatasetSpec, read_spec
from hope_bench.progress import Say, progress_bar, say_nothing
from hope_bench.provenance import PARTIAL, check_folder, holds_files, locked

OTHERS = "others"
"""The folder of a world that holds as many scenes which nothing is asked about."""


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """The demo's result, the ranking page, and how many answers failed."""

    result: Result
    page: Path
    errors: int


def run_demo(out: Path | None = None, scenes: int = 500, say: Say = say_nothing) -> DemoOutcome:
    """Run the demo on `scenes` newly drawn evaluation scenes, everything under `out` (default: a new temporary folder). The same
    call gives the same numbers.

    An interrupted demo goes on. Raises HopeBenchError, before anything is written, where `out` holds anything but a demo of as
    many scenes.
    """
    folder = Path(tempfile.mkdtemp(prefix="hope-bench-demo-")) if out is None else out
    world, results = folder / "world", folder / "leaderboard" / "results"
    _draw(folder, world, scenes)
    say(f"{scenes} scenes are drawn in {world}.")
    made = generate(demo_spec(world, scenes), out=folder / "benchmarks" / "demo", cache=folder / "cache", say=say)
    run = evaluate(demo_card(), made, images=world / "images", runs=folder / "runs", say=say)
    result = score(run, benchmark=made, annotations=world / "instances.json", results=results, say=say)
    describe_benchmark(made, results, images=world / "images", licence="drawn by hope-bench, Apache-2.0")
    return DemoOutcome(result, build_leaderboard(results, folder / "site"), run.errors)


def _draw(out: Path, world: Path, scenes: int) -> None:
    """Draw the scenes, unless they are there. They are drawn in a hidden folder beside `world`: one that is there is whole."""
    check_folder(out)
    with locked(out):
        if not _drawn(out, world, scenes):
            whole = world.with_name(f".{world.name}{PARTIAL}")
            shutil.rmtree(whole, ignore_errors=True)  # what a killed demo left
            try:
                with progress_bar("Drawing scenes", 2 * scenes) as advance:
                    write_world(whole, scenes, EVALUATION_SEED, advance)
                    write_world(whole / OTHERS, scenes, OTHERS_SEED, advance)
                whole.rename(world)
            finally:
                shutil.rmtree(whole, ignore_errors=True)


def _drawn(out: Path, world: Path, scenes: int) -> bool:
    """Whether the scenes are there. Raises HopeBenchError for a folder of anything else."""
    drawn = drawn_scenes(world, EVALUATION_SEED)
    if drawn is None and holds_files(out):
        raise HopeBenchError(f"{out} holds files, but no demo. Choose an empty or a new folder.")
    if drawn is not None and drawn != scenes:
        raise HopeBenchError(
            f"{out} holds a demo of {drawn} scenes, not of {scenes}. Ask for {drawn} (hope-bench demo --scenes {drawn}), "
            "or choose another folder."
        )
    return drawn is not None


def demo_spec(world: Path, scenes: int) -> BenchmarkSpec:
    """The shipped demo spec on a drawn world's files, asking about all of its scenes; blind answering learns from those in its
    folder of others, if it has one."""
    spec = read_spec(data_root() / "benchmarks" / "demo" / "spec.toml")
    files = {"annotations": world / "instances.json", "captions": world / "captions.json", "images": world / "images"}
    dataset = DatasetSpec(name=spec.dataset.name, **{key: str(path) for key, path in files.items()})
    others = world / OTHERS
    blind = spec.blind
    if others.is_dir():
        theirs = {"annotations": "instances.json", "captions": "captions.json", "images_folder": "images"}
        blind = blind.model_copy(update={key: str(others / name) for key, name in theirs.items()})
    return spec.model_copy(update={"dataset": dataset, "sample_images": scenes, "blind": blind})


def demo_card() -> ModelCard:
    """The shipped card of the demo's LVLM."""
    return read_card(data_root() / "models" / "demo-llava.toml")
