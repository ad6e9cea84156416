"""Forty models with rates from 0.3 to 95%, as scoring writes them: long names, sizes, days, checkpoints, some with P(yes)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap, ModelInfo, Result, RunInfo
from hope_bench.files.result_file import write_result
from hope_bench.records import Answer, Question, Verdict
from hope_bench.scoring.score import score
from hope_bench.site.question_file import questions_of, write_questions
from hope_bench.site.sheet import describe, write_sheet
from tests.runs import make_run, write_answers

PICTURES = sorted((Path(__file__).resolve().parent.parent / "leaderboard" / "benchmarks").glob("demo-*/*.jpg"))[:20]
NAMES = ("Qwen2.5-VL-72B-Instruct", "LLaVA-v1.5", "A-very-long-name-that-somebody-gave-their-model-preview", "m")
MODELS, IMAGES = 40, 60
OBJECTS = ("chair", "fork", "dog", "traffic light", "wine glass", "cup")
KINDS: dict[str, Any] = {"adversarial": "pope", "content": "hope", "hope": "hope"}
FAST = Bootstrap(replicates=50, seed=0, confidence=0.95)
CHECKPOINTS = range(8, 13)
"""Models of these numbers are checkpoints of one run."""


def write_forty(folder: Path, models: int = MODELS) -> Path:
    """A leaderboard folder of these models: `results`, and the benchmark's sheet with pictures; returns the results."""
    rng = np.random.default_rng(0)
    benchmark = _benchmark(folder / "generated" / "pictures")
    results = folder / "leaderboard" / "results"
    # What answering blind gives isn't what these tests look at, and learning it is nine tenths of scoring.
    with patch("hope_bench.scoring.numbers.blind_scores", return_value=()):
        for number, rate in enumerate(np.geomspace(0.003, 0.95, models)):
            _add(results, number, score(benchmark, _run(folder / "runs", benchmark, number, float(rate), rng), FAST))
    images = folder / "images"
    images.mkdir()
    for number, picture in enumerate(PICTURES):
        (images / f"{number:03}.png").write_bytes(picture.read_bytes())
    shown = [f"{number:03}.png" for number in range(len(PICTURES))]
    sheet = describe(benchmark)
    splits = {name: one.model_copy(update={"examples": ()}) for name, one in sheet.splits.items()}
    plain = sheet.model_copy(update={"splits": splits})
    written = write_sheet(results.parent / "benchmarks", plain, images, shown, "drawn by hope-bench, Apache-2.0")
    write_questions(written.with_suffix(""), questions_of(benchmark))
    return results


def _add(results: Path, number: int, result: Result) -> None:
    day = date(2026, 1, 1) + timedelta(days=7 * (number * 11 % MODELS))
    write_result(results / "pictures" / f"{result.called}.json", result.model_copy(update={"added": day}))


def _benchmark(folder: Path) -> Benchmark:
    names = [f"{number:03}.png" for number in range(IMAGES)]
    splits = {split: _questions(split, names, number) for number, split in enumerate(KINDS)}
    write_benchmark(
        folder, splits, KINDS, name="pictures", title="Pictures", headline="hope", prompt="{question}", k=1,
        dataset="drawn scenes", images=dict.fromkeys(names),
    )  # fmt: skip
    return read_benchmark(folder)


def _questions(split: str, images: list[str], shift: int) -> list[Question]:
    made = []
    for image in images:
        for place, name in enumerate(OBJECTS):
            label = "yes" if place % 2 == 0 else "no"
            asked = name if label == "yes" else f"{('big', 'red', 'tall')[shift]} {name}"
            made.append(Question(len(made), image, f"Is there a {asked} in the image?", label, split, name))
    return [replace(one, question_id=number) for number, one in enumerate(made)]


def _run(folder: Path, benchmark: Benchmark, number: int, rate: float, rng: np.random.Generator) -> Path:
    """A model that affirms absent objects at this rate, at a third of it or more often when POPE asks, and misses a tenth."""
    own = {split: min(rate * (1 if kind == "hope" else 1.3 if number % 7 == 3 else 0.3), 0.97) for split, kind in KINDS.items()}
    answers: dict[tuple[str, str], Answer] = {}
    for split, questions in benchmark.splits.items():
        for one in questions:
            verdict: Verdict = "yes" if rng.random() < (0.9 if one.label == "yes" else own[split]) else "no"
            p_yes = float(rng.uniform(0.5, 1) if verdict == "yes" else rng.uniform(0, 0.5)) if number % 4 else None
            answers.setdefault((one.image, one.text), Answer(one.image, one.text, verdict, verdict, p_yes=p_yes))
    model, run = _model(number), RunInfo(prompt=benchmark.manifest.prompt)
    name = model.name
    if number in CHECKPOINTS:
        name, run = f"mine-{number}00", run.model_copy(update={"step": 100 * number})
    make_run(folder / name, benchmark, {}, model=model, run=run, name=name)
    write_answers(folder / name, list(answers.values()))
    return folder / name


def _model(number: int) -> ModelInfo:
    if number in CHECKPOINTS:
        return ModelInfo(name="mine", checkpoint=f"runs/mine/checkpoint-{number}00", parameters="2B")
    checkpoint = "openai/gpt-4o" if number % 2 else "liuhaotian/llava-v1.5-13b"
    return ModelInfo(name=f"{NAMES[number % len(NAMES)]}-{number}", checkpoint=checkpoint, parameters=f"{1 + number * 5 % 71}B")
