"""Inspect's logs: .json, or .eval (a zip of header.json and samples/*.json).

A sample's answer is its `output`; `target` is the label. `metadata` may name image, question_id and split, as the task's
author chose.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.reading import check_regular, check_unpacked, json_of
from hope_bench.files.reading import text_of as bytes_as_text
from hope_bench.files.validation import parse_json
from hope_bench.interchange.answer_field import answer_of, value_at
from hope_bench.interchange.chat import image_of, text_of
from hope_bench.interchange.logs import (
    Log,
    LogRow,
    Refused,
    StatedScore,
    as_label,
    concerns_pope,
    duplicate,
    none_found,
    per_model,
    place_of,
)
from hope_bench.interchange.questions import Line


def read(paths: Sequence[Path], answer: str | None) -> Iterable[Log | Refused]:
    """Every model's log in the files and folders. Raises HopeBenchError where there is none."""
    found: dict[str, list[tuple[Path, Mapping[str, Any]]]] = defaultdict(list)
    for path in paths:
        named = path.is_file()
        for file in [path] if named else sorted([*path.rglob("*.eval"), *path.rglob("*.json")]):
            held = _read(file, required=named)
            if held is not None and (named or concerns_pope(_task(held))):
                found[str(value_at(held, "eval.model") or file.stem)].append((file, held))
    if not found:
        none_found("Inspect", paths, "it is a .eval or .json file of `inspect eval`")
    return per_model(found, lambda model, files: _log(model, files, answer))


def _task(log: Mapping[str, Any]) -> str:
    return f"{value_at(log, 'eval.task')} {value_at(log, 'eval.dataset.name')}"


def _read(path: Path, *, required: bool) -> Mapping[str, Any] | None:
    """A log with its samples; None for another file, where it isn't `required`."""
    try:
        check_regular(path)
        held = _unzipped(path) if zipfile.is_zipfile(path) else parse_json(path)
    except HopeBenchError:
        if required or path.suffix == ".eval":
            raise
        return None
    if isinstance(held, dict) and isinstance(held.get("eval"), dict) and isinstance(held.get("samples"), list):
        return held
    if required:
        raise HopeBenchError(f"{path} is no log of Inspect with samples: it has no 'eval' and 'samples'.")
    return None


def _unzipped(path: Path) -> dict[str, Any]:
    check_unpacked(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "header.json" not in names:
                raise HopeBenchError(
                    f"{path} has no header.json: it is no log of Inspect, or was not finished (inspect eval-retry)."
                )
            held, *samples = (
                json_of(bytes_as_text(archive.read(name), path), f"{path}, {name}")
                for name in ("header.json", *(name for name in names if re.fullmatch(r"samples/.+\.json", name)))
            )
    except NotImplementedError:
        raise HopeBenchError(
            f"{path} is compressed in a way that this Python can't read. Convert it: inspect log convert --to json "
            f"--output-dir logs {path.name}"
        ) from None
    except (OSError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise HopeBenchError(f"{path} can't be read: {short_reason(error)}.") from None
    return {**held, "samples": samples} if isinstance(held, dict) else {}


def _log(model: str, files: Sequence[tuple[Path, Mapping[str, Any]]], answer: str | None) -> Log:
    parts: dict[str, tuple[LogRow, ...]] = {}
    by_task: dict[str, Path] = {}
    stated = []
    for file, held in files:
        task = str(value_at(held, "eval.task") or file.stem)
        if task in by_task:
            duplicate(model, task, by_task[task], file)
        by_task[task] = file
        lines = [Line(f"{file}, sample {number}", one) for number, one in enumerate(held["samples"], 1) if isinstance(one, dict)]
        parts[task] = tuple(_row(line, answer) for line in lines)
        stated += _stated(held, task)
    name = model.split("/", 1)[-1] if model.split("/", 1)[0] in ("hf", "vllm", "sglang") else model
    version = value_at(files[0][1], "eval.packages.inspect_ai")
    return Log(
        model=model,
        files=tuple(by_task.values()),
        parts=parts,
        convention="strict",
        stated=tuple(stated),
        checkpoint=name if name != model else None,
        source=f"Inspect {version}" if isinstance(version, str) else "Inspect",
    )


_IMAGES = ("image", "image_file", "image_source", "image_path", "file_name")


def _row(line: Line, answer: str | None) -> LogRow:
    data = line.data
    held = data.get("metadata")
    about: Mapping[str, Any] = held if isinstance(held, dict) else {}
    failed = data.get("error")
    error = (failed.get("message") if isinstance(failed, dict) else failed) if failed else value_at(data, "output.error")
    question = text_of(data.get("input"))
    if question is None:
        raise HopeBenchError(f"{line.where}: no 'input' that holds the question. Is it a log of Inspect?")
    target = data.get("target")
    target = target[0] if isinstance(target, list) and len(target) == 1 else target
    image = next((about[key] for key in _IMAGES if _named(about, key)), None)
    number = about.get("question_id")
    split = next((about[key] for key in ("split", "category", "strategy") if isinstance(about.get(key), str)), None)
    return LogRow(
        where=line.where,
        question=question,
        text=None if error else _said(line, answer),
        image=image or image_of(data.get("input")),
        number=None if number is None else str(number),
        place=place_of(data.get("id")),
        splits=() if split is None else (split,),
        label=as_label(target),
        error=f"Inspect logged an error: {str(error)[:200]}" if error else None,
    )


def _named(about: Mapping[str, Any], key: str) -> bool:
    value = about.get(key)
    return isinstance(value, str) and 0 < len(value) < 500 and not value.startswith(("data:", "attachment:"))


def _said(line: Line, answer: str | None) -> str:
    if answer is not None:
        return answer_of(line, answer)
    choices = value_at(line.data, "output.choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    said = text_of([message]) if isinstance(message, dict) else value_at(line.data, "output.completion")
    if not isinstance(said, str):
        raise HopeBenchError(
            f"{line.where}: no answer in 'output'. Name the field that holds the model's answers with --answer FIELD."
        )
    return said


def _stated(log: Mapping[str, Any], task: str) -> list[StatedScore]:
    scores = value_at(log, "results.scores")
    made = []
    for score in scores if isinstance(scores, list) else ():
        value = value_at(score, "metrics.accuracy.value") if isinstance(score, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            made.append(StatedScore("accuracy", float(value), (task,)))
    return made
