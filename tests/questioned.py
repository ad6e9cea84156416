"""A leaderboard whose questions are published: what three models answered to a benchmark with pictures, and one without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, ModelInfo
from hope_bench.files.result_file import write_result
from hope_bench.records import Answer
from hope_bench.scoring.score import score
from hope_bench.site.sheet import describe_benchmark
from hope_bench.wording import existence_question
from tests.runs import Row, make_benchmark, make_run, write_answers

IMAGES = tuple(f"{number}.jpg" for number in range(8))
LIKELY = {"Sure": 0, "Half": 4, "Fooled": 8}
"""Models, and in how many of the images each affirms the absent wolf."""

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)


def p_yes(model: str, image: str, thing: str) -> float:
    """A model's P(yes): the dog is there; all see a cat in the first image; wolves as LIKELY says, less surely in each image."""
    number = int(image.partition(".")[0].rpartition("_")[2])
    if thing == "dog":
        return 0.9
    if thing == "cat":
        return 0.8 if number == 0 else 0.1
    return (0.95 if number < LIKELY[model] else 0.2) - min(number, 9) / 100


def publish(folder: Path, name: str = "tiny", images: tuple[str, ...] = IMAGES, pictures: bool = True) -> Benchmark:
    """Write results, sheet, questions and, if they may be shown, pictures under `folder`/leaderboard."""
    splits: dict[str, list[Row]] = {
        split: [row for image in images for row in ((image, "dog", "yes"), (image, absent, "no"))]  # type: ignore[misc]
        for split, absent in (("adversarial", "cat"), ("content", "wolf"), ("hope", "wolf"))
    }
    benchmark = make_benchmark(folder / "made" / name, splits, name=name, title=name.title())
    results = folder / "leaderboard" / "results"
    for model in LIKELY:
        run = make_run(folder / "runs" / name / model, benchmark, {}, model=ModelInfo(name=model), name=model.lower())
        write_answers(run, answers(model, images))
        write_result(results / name / f"{model.lower()}.json", score(benchmark, run, FAST))
    if pictures:
        (folder / "images").mkdir(exist_ok=True)
        for number, image in enumerate(images):
            Image.new("RGB", (90, 60), (30 * number, 90, 120)).save(folder / "images" / image)
    describe_benchmark(benchmark, results, folder / "images" if pictures else None, "CC0" if pictures else "")
    return benchmark


def answers(model: str, images: tuple[str, ...]) -> list[Answer]:
    """A model's answers, each with its P(yes)."""
    found: Mapping[tuple[str, str], float] = {
        (image, thing): p_yes(model, image, thing) for image in images for thing in ("dog", "cat", "wolf")
    }
    return [
        Answer(image, existence_question(thing), said, said, p_yes=p)  # type: ignore[arg-type]
        for (image, thing), p in found.items()
        for said in ("yes" if p > 0.5 else "no",)
    ]
