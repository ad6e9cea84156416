"""A run on disk: runs/BENCHMARK/NAME/answers.jsonl and run.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hope_bench.provenance import write_text
from hope_bench.result import ModelInfo, RunInfo
from hope_bench.validation import Strict, read_json


class RunRecord(Strict):
    """A run's provenance (run.json). `key` identifies everything the answers depend on, and `settings` spells it out (empty for
    imported answers). `complete` says that every question was put to the model, with
    `errors` failures; `seconds` is the time spent asking, over all sittings."""

    name: str
    benchmark: str
    benchmark_hash: str
    key: str
    settings: Mapping[str, str | int | None] = {}
    model: ModelInfo
    run: RunInfo
    unranked: str | None = None
    notes: tuple[str, ...] = ()
    questions: int = 0
    errors: int = 0
    complete: bool = False
    seconds: float = 0.0


def read_run(folder: Path) -> RunRecord:
    """The validated run.json of a run folder. Raises HopeBenchError."""
    return read_json(folder / "run.json", RunRecord)


def write_run(folder: Path, record: RunRecord) -> None:
    """Write run.json whole or not at all."""
    write_text(folder / "run.json", json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
