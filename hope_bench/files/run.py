"""A run on disk: runs/BENCHMARK/NAME/answers.jsonl and run.json."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.validation import Strict, read_json
from hope_bench.provenance import write_text


class RunRecord(Strict):
    """A run's provenance (run.json). `key` identifies everything the answers depend on, and `settings` spells it out (empty for
    imported answers). `complete` says that every question was put to the model, with `errors` failures; `seconds` is the time
    spent asking and `asked` the questions it was spent on, over all sittings; `addresses` are those of an endpoint."""

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
    asked: int = 0
    addresses: tuple[str, ...] = ()

    @property
    def step(self) -> int | None:
        """The training step of the model that was asked, if known."""
        return self.run.step


def read_run(folder: Path) -> RunRecord:
    """The validated run.json of a run folder. Raises HopeBenchError."""
    return read_json(folder / "run.json", RunRecord)


def write_run(folder: Path, record: RunRecord) -> None:
    """Write run.json whole or not at all."""
    write_text(folder / "run.json", json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def asked_otherwise(folder: Path) -> tuple[Path, ...]:
    """The finished runs beside a run that differ from it in nothing but the prompt, in order of name, one for each prompt."""

    def but_the_prompt(record: RunRecord) -> dict[str, str | int | None]:
        return {name: value for name, value in record.settings.items() if name not in ("prompt", "address")}

    own = read_run(folder)
    found: dict[str | None, Path] = {}
    for path in sorted(folder.parent.glob("*/run.json")):
        with contextlib.suppress(HopeBenchError):  # what another run's folder holds is no concern of this one's report
            other = read_run(path.parent)
            alike = other.benchmark_hash == own.benchmark_hash and but_the_prompt(other) == but_the_prompt(own)
            if alike and own.settings and other.complete and other.run.prompt != own.run.prompt:
                found.setdefault(other.run.prompt, path.parent)
    return tuple(found.values())
