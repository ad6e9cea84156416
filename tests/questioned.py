"""A leaderboard whose questions are published: what three models answered to a benchmark with pictures, and one without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap, ModelInfo
from hope_bench.files.result_file import write_result
from hope_bench.records import Answer
from hope_bench.reviewing.noise import LabelNoise, NoiseEstimate, ReviewedClaim, share, write_label_noise
from hope_bench.scoring.breakdown import SIZES
from hope_bench.scoring.score import Known as ScoringKnown
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
        return 0.91
    if thing == "cat":
        return 0.82 if number == 0 else 0.12
    return (0.953 if number < LIKELY[model] else 0.223) - min(number, 9) / 100


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


def publish_known(folder: Path) -> Benchmark:
    """A benchmark of which all is known that questions can be chosen by: objects' sizes, estimated risks, reviewed labels, and a
    model whose answers can't all be read, with its P(yes)."""
    images = tuple(f"{number}.jpg" for number in range(24))
    number = {image: place for place, image in enumerate(images)}
    splits: dict[str, list[Row]] = {
        split: [row for image in images for row in ((image, "dog", "yes"), (image, absent, "no"))]  # type: ignore[misc]
        for split, absent in (("adversarial", "cat"), ("hope", "wolf"))
    }
    splits["adversarial"] += [(image, "cat", "yes") for image in images[:3]]  # so that no category gives its answer away
    splits["adversarial"] = [row for row in splits["adversarial"] if row[0] not in images[:3] or row[1:] != ("cat", "no")]

    def risk(row: Row) -> float | None:
        return number[row[0]] / 24 if row[1:] == ("wolf", "no") else None

    benchmark = make_benchmark(folder / "made" / "known", splits, risk, name="known", title="Known", dataset="COCO")
    found: tuple[Literal["present", "absent", "unsure"], ...] = ("present", "absent", "absent", "unsure")
    reviewed = tuple(
        ReviewedClaim(image=image, object=thing, decision=found[(number[image] + len(thing)) % 4], inclusion=0.5)
        for image in images[:14]
        for thing in ("dog", "wolf")
    )
    estimates = tuple(
        LabelNoise(split="hope", label=label, sampled=14, wrong=share(3, 14), unsure=share(3, 14))
        for label in ("no", "yes")  # type: ignore[misc]
    )
    noise = NoiseEstimate(benchmark="known", hash=benchmark.manifest.hash, sample=28, seed=0, reviewers=("Ada",),
                          estimates=estimates, reviewed=reviewed)  # fmt: skip
    write_label_noise(benchmark.folder, noise)
    sizes = {(image, "dog"): SIZES[number[image] % 3] for image in images[1:]}
    results = folder / "leaderboard" / "results"
    for model in ("Half", "Odd"):
        run = make_run(folder / "runs" / "known" / model, benchmark, {}, model=ModelInfo(name=model), name=model.lower())
        said = answers("Half", images)
        if model == "Odd":
            changes: list[dict[str, Any]] = [{}, {}, {"text": "Perhaps", "verdict": "unparsed"}, {},
                                             {"text": None, "verdict": "error", "error": "broke", "p_yes": None}]  # fmt: skip
            said = [replace(one, **changes[place % 5]) for place, one in enumerate(said) if place % 7]
        write_answers(run, said)
        result = score(benchmark, run, FAST, known=ScoringKnown(sizes, reviewed))
        write_result(results / "known" / f"{model.lower()}.json", result)
    describe_benchmark(benchmark, results)
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
