"""Answers given elsewhere become a run: answers.jsonl, and a run.json that says where they come from and what didn't match."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import ANSWERS, RunRecord, read_run, write_run
from hope_bench.interchange.matching import Given, ImportReport, match
from hope_bench.interchange.questions import escaped
from hope_bench.provenance import file_sha256, json_sha256, locked, write_bytes
from hope_bench.records import Answer


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where imported answers come from: the `files` that hold them, the `command` that imports them (files by name), and in words
    `source`. `prompt` is the template that the user says the model was asked with; where there is none, `shown` says whether the
    files show the whole text that the model was given. `settings` are further fields of the run, `notes` what else to say,
    `named` is whether the user named the field that holds the answers."""

    files: Sequence[Path]
    command: str
    model: ModelInfo
    source: str | None = None
    prompt: str | None = None
    shown: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    named: bool = False


def check_import(run: Path, prompt: str | None) -> None:
    """Before long work: raise HopeBenchError where a run that was evaluated here would be replaced, or a prompt asks nothing."""
    if prompt is not None and "{question}" not in prompt:
        raise HopeBenchError(f'The prompt {prompt!r} holds no "{{question}}", so it doesn\'t say where the question stood.')
    if (run / "run.json").is_file() and read_run(run).settings:
        raise HopeBenchError(f"{run} holds a run that was evaluated here; an import would replace it. Choose another --name.")


def write_import(
    given: Sequence[Given], benchmark: Benchmark, run: Path, origin: Provenance
) -> tuple[ImportReport, tuple[Answer, ...]]:
    """Match the answers with the benchmark's questions and write the run folder; returns what was found, and the answers.

    Raises HopeBenchError, and writes nothing, where none matches or two contradict each other.
    """
    answers, report = match(given, benchmark, run)
    if not answers:
        raise HopeBenchError(
            f"Of {counted(len(given), 'answer')}, none matches a question of benchmark {benchmark.manifest.name}. "
            f"The first: {first_few(report.unmatched, 2)}."
        )
    _refuse_other_labels(given, report)
    if not origin.named:
        _refuse_swapped(given, answers, benchmark, report)
    record = _record(benchmark, run.name, given, answers, report, origin)
    with locked(run, patience=1, instead=", or give this one another --name"):
        check_import(run, origin.prompt)  # by now another process may have written there
        write_bytes(run / ANSWERS, b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
        write_run(run, record)
    return report, tuple(answers)


_LEAST_AGREEING = 0.8
"""Corrections such as RePOPE's move a tenth of the labels; answers put to the wrong questions have half of them wrong."""


def _refuse_other_labels(given: Sequence[Given], report: ImportReport) -> None:
    matched = sum(line.label is not None for line in given) - len(report.unmatched)
    if matched >= 10 and report.relabelled > (1 - _LEAST_AGREEING) * matched:
        raise HopeBenchError(
            f"{given[0].where}: {report.relabelled:,} of {matched:,} labels are not the benchmark's. The questions have the "
            "same words and numbers, but seem to be asked of other images."
        )


_LEAST_RIGHT = 5
"""So many answers, all right beside labels that are wrong, are labels beside answers."""


def _refuse_swapped(given: Sequence[Given], answers: Sequence[Answer], benchmark: Benchmark, report: ImportReport) -> None:
    """What is taken for the answers must not be the labels, and what is taken for the labels the answers."""
    if report.relabelled and len(answers) >= _LEAST_RIGHT and all_right(answers, benchmark):
        raise HopeBenchError(
            f"{given[0].where}: what should be the answers says what the benchmark's labels say, every time, and what should be "
            f"the labels differs {report.relabelled:,} times: the two seem swapped. Name the field that holds the model's "
            "answers with --answer FIELD."
        )


def all_right(answers: Sequence[Answer], benchmark: Benchmark) -> bool:
    """Whether every answer says what the benchmark's labels say."""
    labels = benchmark.labels
    return all(labels[answer.image, answer.question] == answer.verdict for answer in answers)


def import_command(files: Sequence[str], options: Sequence[tuple[str, str | None]]) -> str:
    """The import as a command line, files by name, so that it says nothing about this machine; an option of None is left out."""
    given = [part for flag, value in options if value is not None for part in (flag, value)]
    return shlex.join(["hope-bench", "import", "answers", *files, *given])


def _record(
    benchmark: Benchmark, name: str, given: Sequence[Given], answers: Sequence[Answer], report: ImportReport, origin: Provenance
) -> RunRecord:
    hashes = {path: file_sha256(path) for path in origin.files}
    templates = report.templates
    shown = templates.most_common(1)[0][0] if templates else "{question}"
    prompt = origin.prompt or (shown if templates and (origin.shown or shown != "{question}") else None)
    files = ", ".join(f"{path.name} (sha256 {digest})" for path, digest in hashes.items())
    against = _unranked(prompt, templates, benchmark)
    report.doubts = _doubts(given, answers, benchmark, report)
    report.unranked = [*([] if against is None else [". ".join(against)]), *_missing(benchmark, report)]
    return RunRecord(
        name=name,
        benchmark=benchmark.manifest.name,
        benchmark_hash=benchmark.manifest.hash,
        key=json_sha256([[[path.name, digest] for path, digest in hashes.items()], prompt]),
        model=origin.model,
        run=RunInfo(
            prompt=prompt,
            source="; ".join(filter(None, [origin.source, f"imported from {files}"])),
            command=origin.command,
            **origin.settings,
        ),
        unranked=None if against is None else against[0],
        notes=(*_notes(given, report), *report.doubts, *origin.notes),
        questions=len(answers),
        errors=report.failed,
        complete=not any(report.unasked.values()),
    )


def _unranked(prompt: str | None, templates: Counter[str], benchmark: Benchmark) -> tuple[str, str] | None:
    """Why answers so asked are not ranked, and what to do; None where nothing stands against it."""
    if prompt is None:
        return "the answers file doesn't show the prompt the model was asked with", (
            "Import again with --prompt if you know it ('{question}' where the question was asked alone)."
        )
    if len(templates) > 1:
        return f"asked with {len(templates)} different prompts", "Import the answers to one of them only."
    if prompt != benchmark.manifest.prompt:
        return f"asked with another prompt than the benchmark's: {prompt!r}", (
            "Questions asked so are a benchmark of their own: make it with this prompt (hope-bench import pope --prompt "
            f"{shlex.quote(escaped(prompt))}, or `prompt` in a spec) and import the answers to that."
        )
    return None


def _missing(benchmark: Benchmark, report: ImportReport) -> list[str]:
    headline = benchmark.manifest.headline
    missing = report.unasked[headline]
    if not missing:
        return []
    without = counted(missing, "question has", "questions have")
    return [f"Of the headline split {headline}, {without} no answer. Import the files that hold them, too."]


_MANY = 100
"""So many answers without one that is wrong are worth a word."""


def _doubts(given: Sequence[Given], answers: Sequence[Answer], benchmark: Benchmark, report: ImportReport) -> list[str]:
    doubts = []
    if len(answers) >= _MANY and all_right(answers, benchmark):
        doubts.append(f"All {len(answers):,} answers say what the labels say: make sure that they are a model's.")
    if report.relabelled:
        doubts.append(f"{report.relabelled:,} of {len(given):,} questions have another label in the imported files.")
    return doubts


def _notes(given: Sequence[Given], report: ImportReport) -> tuple[str, ...]:
    notes = []
    if report.unmatched:
        notes.append(
            f"{len(report.unmatched):,} of {len(given):,} imported answers match no question: {first_few(report.unmatched, 3)}."
        )
    missing = [f"{count:,} of {split}" for split, count in report.unasked.items() if count]
    if missing:
        notes.append(f"The imported answers leave questions unasked: {', '.join(missing)}.")
    if report.reworded:
        count, example = len(report.reworded), report.reworded[0]
        notes.append(f"{count:,} of {len(given):,} questions were worded otherwise, such as {example!r}.")
    if report.collapsed:
        notes.append(f"{report.collapsed:,} repeated answers agree with the first and count once.")
    return tuple(notes)
