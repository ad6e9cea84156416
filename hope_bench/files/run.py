"""A run: a model's answers to a benchmark, in runs/BENCHMARK/NAME/answers.jsonl and run.json."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
from pydantic import Field

from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.names import check_names
from hope_bench.files.places import RUNS
from hope_bench.files.reading import decode, is_beginning, lines_of, read_bytes
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.validation import Declared, read_json
from hope_bench.provenance import write_text
from hope_bench.records import Answer, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from hope_bench.files.benchmark import Benchmark
    from hope_bench.tables import Summary

ANSWERS = "answers.jsonl"


class RunRecord(Declared):
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
    questions: int = Field(default=0, ge=0)
    errors: int = Field(default=0, ge=0)
    complete: bool = False
    seconds: float = Field(default=0.0, ge=0)
    asked: int = Field(default=0, ge=0)
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunAnswers:
    """The answers of an answers.jsonl, in its order.

    `truncated` says that its last line was cut off (an interrupted write), `reread` how many have since got another verdict than
    the file has (scoring.verdicts.reread).
    """

    answers: tuple[Answer, ...]
    truncated: bool
    reread: int = 0


_COLUMNS = {
    "image": "string", "question": "string", "text": "string", "verdict": "string", "p_yes": "float64", "mass": "float64",
    "error": "string", "sample": "int64",
}  # fmt: skip
"""Of a run's frame, with their types."""


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A model's answers to a benchmark, on disk: `folder` is RUNS/BENCHMARK/NAME, `record` its run.json, and `benchmark` what was
    asked, where the call that made it had it (of a run that is read, its name is in the record)."""

    folder: Path
    record: RunRecord
    benchmark: Benchmark | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The run's name, which its folder and its result are called by."""
        return self.folder.resolve().name

    @property
    def errors(self) -> int:
        """How many questions failed; the same `evaluate` asks them again."""
        return self.record.errors

    def answers(self) -> RunAnswers:
        """What the model said, in the order of the file. Raises HopeBenchError for a malformed line, and as `check_current`."""
        self.check_current()
        return read_answers(self.folder / ANSWERS)

    def check_current(self) -> None:
        """Raise HopeBenchError where the folder holds another run's answers by now: of another model, prompt, limit ..."""
        if read_run(self.folder).key != self.record.key:
            raise HopeBenchError(
                f"The answers of this run were replaced: {self.folder} holds those of another model, or to other questions, by "
                "now. Give each run a name of its own (name=), or load it again: hope_bench.load_run."
            )

    def to_frame(self) -> pd.DataFrame:
        """A row an answer (docs/api.md lists the columns and their types). Raises HopeBenchError as `answers` does."""
        from hope_bench.files.frames import typed_frame

        return typed_frame([tuple(getattr(answer, name) for name in _COLUMNS) for answer in self.answers().answers], _COLUMNS)

    def __repr__(self) -> str:
        """Short, as consoles and tracebacks show it."""
        return f"Run({str(self.folder)!r})"

    def summary(self) -> Summary:
        """What print shows: which run it is, how often it said what, and why it isn't ranked."""
        from hope_bench.tables import Summary, plain_table

        counts = Counter(answer.verdict for answer in self.answers().answers)
        table = plain_table("", "answer", ">questions")
        for verdict in get_args(Verdict):
            table.add_row(verdict, f"{counts[verdict]:,}")
        asked = counted(counts.total(), "question")
        title = f"Run {self.name}: {self.record.model.name} on {self.record.benchmark}, {asked} asked"
        return Summary((title,), table, () if self.record.unranked is None else (f"Not ranked: {self.record.unranked}.",))

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def read_run(folder: Path) -> RunRecord:
    """The validated run.json of a run folder. Raises HopeBenchError."""
    record = read_json(folder / "run.json", RunRecord)
    check_names(str(folder / "run.json"), "A run's name", [record.name])
    check_names(str(folder / "run.json"), "A benchmark's name", [record.benchmark])
    return record


def load_run(folder: Path) -> Run:
    """The run of a folder. Raises HopeBenchError."""
    return Run(folder, read_run(folder))


def find_run(run: str | Path, runs: Path = RUNS) -> Path:
    """The folder of a run: a path, or BENCHMARK/NAME under `runs`. Raises HopeBenchError naming the nearest known one."""
    for folder in (Path(run), runs / run):
        if (folder / "run.json").is_file():
            return folder
    known = [str(path.parent.relative_to(runs)) for path in runs.glob("*/*/run.json") if has_answers(path.parent)]
    raise HopeBenchError(
        f"No run {str(run)!r}: give its folder, or BENCHMARK/NAME under {runs}/. " + did_you_mean(str(run), known)
    )


def has_answers(folder: Path) -> bool:
    """Whether a run folder holds any answer; that of an evaluate which failed before the first one doesn't."""
    return any(file.is_file() and file.stat().st_size for file in folder.glob("answers*.jsonl"))


def read_answers(path: Path) -> RunAnswers:
    """The answers of a run. Raises HopeBenchError naming the line of anything malformed but a last line that was cut off."""
    if not path.is_file():
        raise HopeBenchError(f"{path} does not exist: this run has no answers yet. Evaluate or import it first.")
    data = read_bytes(path)
    lines = lines_of(data, path)
    answers: list[Answer] = []
    for number, line in enumerate(lines, 1):
        try:
            answers.append(decode(line, Answer))
        except msgspec.DecodeError as error:
            if number == len(lines) and not data.endswith(b"\n") and is_beginning(line):
                return RunAnswers(tuple(answers), truncated=True)
            raise HopeBenchError(f"{path}, line {number}: not an answer ({error}). Remove the line, or run again.") from None
    return RunAnswers(tuple(answers), truncated=False)


Pair = tuple[str, str]
"""(image, question)."""


def disagreeing(pairs: Iterable[Pair], answers: Sequence[Answer] = (), path: Path | None = None) -> HopeBenchError:
    """What is said where answers to the questions `pairs` disagree; with a `path`, `answers` are its lines."""
    lines: dict[Pair, list[int]] = {pair: [] for pair in sorted(pairs)}
    for number, answer in enumerate(answers if path is not None else (), 1):
        if (found := lines.get((answer.image, answer.question))) is not None:
            found.append(number)
    where = "" if path is None else f"{path}: "
    listed = (f"{image}: {text}" + (f" (lines {first_few(at)})" if at else "") for (image, text), at in lines.items())
    how = " (delete the other lines). Of an interrupted run, the same evaluate keeps the later answers."
    return HopeBenchError(
        f"{where}{counted(len(lines), 'question has', 'questions have')} answers that disagree: {first_few(listed, 3)}. "
        f"Keep one answer to each question{how if path is not None else '.'}"
    )


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
