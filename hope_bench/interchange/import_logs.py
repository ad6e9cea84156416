"""Logs of other tools in: each model becomes a run, and the tool's own scores are computed again under its convention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import slug
from hope_bench.files.result import ModelInfo
from hope_bench.interchange import logs_evalscope, logs_inspect, logs_lmms_eval, logs_vlmevalkit
from hope_bench.interchange.imported_run import Provenance, check_import, import_command, write_import
from hope_bench.interchange.log_places import given_of
from hope_bench.interchange.logs import Log, Refused, StatedScore, Tool
from hope_bench.interchange.matching import Given, ImportReport
from hope_bench.interchange.questions import escaped
from hope_bench.records import Answer
from hope_bench.scoring.conventions import CONVENTIONS, reader
from hope_bench.scoring.metrics import count_table, point_metrics
from hope_bench.scoring.verdicts import join

_READERS: dict[Tool, Callable[[Sequence[Path], str | None], Iterable[Log | Refused]]] = {
    "lmms-eval": logs_lmms_eval.read,
    "vlmevalkit": logs_vlmevalkit.read,
    "evalscope": logs_evalscope.read,
    "inspect": logs_inspect.read,
}


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which logs to import: of `tool`, from `files` and folders. `split` is the one split they answer, `prompt` how the model was
    asked, `answer` the field that holds the answers, where the logs don't say; `name`, `model_name`, `checkpoint` and
    `vision_tower` are for the logs of one model. `source` says in words where they come from."""

    tool: Tool
    files: Sequence[Path]
    split: str | None = None
    prompt: str | None = None
    answer: str | None = None
    name: str | None = None
    model_name: str | None = None
    checkpoint: str | None = None
    vision_tower: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ScoreCheck:
    """A score that a log states and what its answers give here under `convention`, both in [0, 1]; `split` is None where it is
    over all that the log answers. `ours` is None where it is undefined. `agrees` is within the digits that the log has."""

    convention: str
    split: str | None
    metric: str
    stated: float
    ours: float | None
    agrees: bool


@dataclass(frozen=True, slots=True)
class ImportedLog:
    """What became of one model's log: its run's `folder`, what matched and the tool's scores; or, where it was `refused`, why."""

    model: str
    folder: Path | None = None
    report: ImportReport | None = None
    scores: tuple[ScoreCheck, ...] = field(default=())
    refused: str | None = None


def import_logs(source: LogSource, benchmark: Benchmark, runs: Path) -> list[ImportedLog]:
    """Import every model's log to RUNS/BENCHMARK/NAME, NAME as the model (or `source.name`, where there is one).

    A model whose log can't be taken is refused in its place; the others are imported. Raises HopeBenchError where there is one
    model only, or no log at all.
    """
    logs = _logs(source)
    single = {"--name": source.name, "--model-name": source.model_name, "--checkpoint": source.checkpoint}
    single |= {"--vision-tower": source.vision_tower}
    given = [flag for flag, value in single.items() if value is not None]
    if len(logs) > 1 and given:
        models = ", ".join(log.model for log in logs[:4])
        raise HopeBenchError(
            f"{', '.join(given)} names one model, but these are the logs of {len(logs)}: {models}. Leave it out."
        )
    names = [source.name] if source.name is not None else run_names([log.model for log in logs])
    made = []
    for log, name in zip(logs, names, strict=True):
        if isinstance(log, Refused):
            made.append(ImportedLog(log.model, refused=log.reason))
            continue
        try:
            made.append(_import(log, source, benchmark, runs / slug(benchmark.name) / str(name)))
        except HopeBenchError as error:
            if len(logs) == 1:
                raise
            made.append(ImportedLog(log.model, refused=str(error)))
    return made


def _logs(source: LogSource) -> list[Log | Refused]:
    """Every model's log in the files and folders, in the order of their names."""
    for path in source.files:
        if not path.exists():
            raise HopeBenchError(f"{path} does not exist.")
    return sorted(_READERS[source.tool](source.files, source.answer), key=lambda log: log.model)


def run_names(models: Sequence[str]) -> list[str]:
    """What the runs of these models are called: after the model alone, with its organisation where two would be called alike."""
    short = [slug(model.rstrip("/").rsplit("/", 1)[-1]) for model in models]
    return [slug(model) if short.count(name) > 1 else name for model, name in zip(models, short, strict=True)]


def _import(log: Log, source: LogSource, benchmark: Benchmark, run: Path) -> ImportedLog:
    check_import(run, source.prompt)
    given = given_of(log, benchmark, source.split)
    model = ModelInfo(
        name=(source.model_name or log.model.rstrip("/").rsplit("/", 1)[-1])[:100],
        checkpoint=source.checkpoint or log.checkpoint,
        vision_tower=source.vision_tower,
    )
    origin = Provenance(
        files=log.files,
        command=_command(log, source, benchmark, run.name),
        model=model,
        source="; ".join(filter(None, [source.source, log.source])),
        prompt=source.prompt,
        shown=log.shown,
        settings=log.settings,
        named=source.answer is not None,
        notes=() if any(row.image for rows in log.parts.values() for row in rows) else (_BY_PLACE,),
    )
    report, answers = write_import(given, benchmark, run, origin)
    scores = tuple(_check(stated, log, benchmark, given, answers) for stated in log.stated)
    return ImportedLog(log.model, run, report, tuple(one for one in scores if one is not None))


_BY_PLACE = "The log names no image: its rows were found by their number and place, and each asks what the benchmark asks there."


def _command(log: Log, source: LogSource, benchmark: Benchmark, name: str) -> str:
    return import_command(
        [path.name for path in log.files],
        [
            ("--from", source.tool),
            ("--split", source.split),
            ("--benchmark", benchmark.name),
            ("--name", name),
            ("--prompt", None if source.prompt is None else escaped(source.prompt)),
            ("--answer", source.answer),
            ("--model-name", source.model_name),
            ("--checkpoint", source.checkpoint),
            ("--vision-tower", source.vision_tower),
        ],
    )


def _check(
    stated: StatedScore, log: Log, benchmark: Benchmark, given: Sequence[Given], answers: Sequence[Answer]
) -> ScoreCheck | None:
    """A stated score beside ours, over the splits that it is about; None where the benchmark has none of them."""
    convention = CONVENTIONS[stated.convention or log.convention]
    covered = _covered(stated, log, given, benchmark)
    if not covered:
        return None
    joined = join(benchmark, answers, reader(answers, convention, labels=benchmark.labels)).splits
    tables = [count_table(one.labels, one.verdicts, one.questions_per_image) for one in map(joined.__getitem__, covered)]
    ours = point_metrics(np.sum([table.sum(axis=0) for table in tables], axis=0), convention)[stated.metric]
    agrees = abs((ours or 0.0) - stated.value) <= 0.5 * 10**-stated.digits + 1e-6  # tools write 0 where it is undefined
    return ScoreCheck(convention.name, stated.split, stated.metric, stated.value, ours, agrees)


def _covered(stated: StatedScore, log: Log, given: Sequence[Given], benchmark: Benchmark) -> list[str]:
    if stated.split is not None:
        return [name for name in benchmark.splits if name == stated.split]
    parts = stated.parts or tuple(log.parts)
    where = {row.where for part in parts for row in log.parts[part]}
    found = {name for one in given if one.where in where for name in one.splits or benchmark.splits}
    return [name for name in benchmark.splits if name in found]
