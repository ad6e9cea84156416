"""Small benchmarks and runs, written as the real commands write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import RunRecord, write_run
from hope_bench.files.spec import STRATEGY_KINDS, base_strategy
from hope_bench.records import Answer, Label, Question, Verdict
from hope_bench.wording import existence_question

Row = tuple[str, str, Label]
"""(image, object, label) of one question."""


def make_benchmark(
    folder: Path, splits: Mapping[str, Sequence[Row]], risk: Callable[[Row], float | None] = lambda _: None, **manifest: Any
) -> Benchmark:
    """A benchmark of the given questions, written and read."""
    questions = {
        name: [
            Question(number, image, existence_question(object_), label, name, object_, risk=risk((image, object_, label)))
            for number, (image, object_, label) in enumerate(rows, 1)
        ]
        for name, rows in splits.items()
    }
    images = dict.fromkeys(row[0] for rows in splits.values() for row in rows)
    fields = {"name": "tiny", "title": "Tiny", "headline": list(splits)[-1], "prompt": "{question}", "k": None, "dataset": "none"}
    kinds = {name: STRATEGY_KINDS[base_strategy(name)] for name in splits}
    write_benchmark(folder, questions, kinds, **{**fields, "images": images, **manifest})
    return read_benchmark(folder)


def make_run(folder: Path, benchmark: Benchmark, said: Mapping[tuple[str, str], Verdict], **record: Any) -> Path:
    """A run with the given verdicts by (image, object)."""
    answers = [
        Answer(
            image,
            existence_question(object_),
            None if verdict == "error" else verdict,
            verdict,
            error="broke" if verdict == "error" else None,
        )
        for (image, object_), verdict in said.items()
    ]
    fields: dict[str, Any] = {
        "name": "run",
        "benchmark": benchmark.manifest.name,
        "benchmark_hash": benchmark.manifest.hash,
        "key": "k",
        "settings": {"model": "m"},
        "model": ModelInfo(name="Model"),
        "run": RunInfo(prompt=benchmark.manifest.prompt),
    }
    write_run(folder, RunRecord(**{**fields, **record}))
    write_answers(folder, answers)
    return folder


def write_answers(folder: Path, answers: Sequence[Answer]) -> None:
    """answers.jsonl of a run folder."""
    (folder / "answers.jsonl").write_bytes(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
