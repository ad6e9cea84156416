"""lmms-eval's logs: DATE_samples_TASK.jsonl, and beside it DATE_results.json, which names the model and states the scores.
In early versions they were TASK.json (the samples as its `logs`, the model in its `args`) beside results.json.

A sample's answer is `filtered_resps`, what the task's filters left of `resps` and what was scored; `target` is the label. Its
metrics repeat both (`prediction`, `ground_truth`), which must agree. Most logs name no image: `doc_id` is the row of the dataset.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError
from hope_bench.files.validation import parse_json
from hope_bench.interchange.answer_field import value_at
from hope_bench.interchange.lmms_eval_task import METRICS
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
from hope_bench.interchange.questions import Line, read_lines
from hope_bench.scoring.parsing import parse_answer

_METRICS = {
    "pope_accuracy": "accuracy", "pope_precision": "precision", "pope_recall": "recall", "pope_f1_score": "f1",
    "pope_yes_ratio": "yes_ratio",
}  # fmt: skip
_OWN_METRICS = {f"hope_{metric}": metric for metric in METRICS}
"""Those of a task that hope-bench exported, which counts as `strict` does."""
_FIELD = "filtered_resps"


def read(paths: Sequence[Path], answer: str | None) -> Iterable[Log | Refused]:
    """Every model's log in the files and folders. Raises HopeBenchError where there is none."""
    found: dict[str, list[tuple[Path, Mapping[str, Any]]]] = defaultdict(list)
    for path in paths:
        for file in [path] if path.is_file() else _files(path):
            results = _results(file)
            found[_model(file, results)].append((file, results))
    if not found:
        none_found("lmms-eval", paths, "it is called DATE_samples_TASK.jsonl (run lmms-eval with --log_samples)")
    return per_model(found, lambda model, files: _log(model, files, answer))


def _files(folder: Path) -> list[Path]:
    """The samples of a folder, those of earlier versions included."""
    named = [one for one in sorted(folder.rglob("*_samples_*.jsonl")) if concerns_pope(_task(one))]
    return named + [one for one in sorted(folder.rglob("*.json")) if concerns_pope(one.stem) and _old(one) is not None]


def _old(path: Path) -> Mapping[str, Any] | None:
    """What a samples file of an earlier version holds; None for any other file."""
    if path.suffix != ".json":
        return None
    try:
        held = parse_json(path)
    except HopeBenchError:
        return None
    return held if isinstance(held, dict) and isinstance(held.get("logs"), list) and "args" in held else None


def _samples(path: Path) -> Iterable[Line]:
    old = _old(path)
    if old is None:
        yield from read_lines(path)
        return
    for number, data in enumerate(old["logs"], 1):
        if not isinstance(data, dict):
            raise HopeBenchError(f"{path}, log {number}: not a JSON object.")
        yield Line(f"{path}, log {number}", data)


def _task(path: Path) -> str:
    return path.stem.split("_samples_", 1)[-1]


def _results(samples: Path) -> Mapping[str, Any]:
    """What stands in the results file of the same run; empty where there is none."""
    old = _old(samples)
    if old is not None:
        path = samples.with_name("results.json")
        held = parse_json(path) if path.is_file() else {}
        configs = {samples.stem: old.get("model_configs", old.get("config"))}
        return {"config": old["args"], "configs": configs, **(held if isinstance(held, dict) else {})}
    path = samples.with_name(samples.name.split("_samples_", 1)[0] + "_results.json")
    if "_samples_" not in samples.name or not path.is_file():
        return {}
    held = parse_json(path)
    if not isinstance(held, dict):
        raise HopeBenchError(f"{path} is no results file of lmms-eval: it holds no object.")
    return held


def _model(file: Path, results: Mapping[str, Any]) -> str:
    named = results.get("model_name")
    if not named:
        arguments = value_at(results, "config.model_args")
        said = re.search(
            r"(?:pretrained|model|model_version|model_name)=([^,]+)", arguments if isinstance(arguments, str) else ""
        )
        named = said[1] if said else file.resolve().parent.name.replace("__", "/", 1)
    return str(named)


def _log(model: str, files: Sequence[tuple[Path, Mapping[str, Any]]], answer: str | None) -> Log:
    parts: dict[str, tuple[LogRow, ...]] = {}
    by_task: dict[str, Path] = {}
    stated: list[StatedScore] = []
    for file, results in files:
        task = _task(file)
        if task in by_task:
            duplicate(model, task, by_task[task], file)
        by_task[task] = file
        parts[task] = tuple(_row(line, answer) for line in _samples(file))
        stated += _stated(results, task)
    results = files[0][1]
    return Log(
        model=model,
        files=(*by_task.values(),),
        parts=parts,
        convention="lmms-eval",
        stated=tuple(stated),
        checkpoint=model if re.fullmatch(r"[\w.-]+/[\w.-]+", model) and results.get("model_name") else None,
        source=_source(results),
        settings=_settings(results, next(iter(by_task))),
    )


def _row(line: Line, answer: str | None) -> LogRow:
    data = line.data
    held = data.get("doc")
    doc: Mapping[str, Any] = held if isinstance(held, dict) else {}
    scores = [value for value in data.values() if isinstance(value, dict) and "question_id" in value]
    number = next((one["question_id"] for one in scores), doc.get("question_id"))
    said = _said(line, answer or _FIELD)
    if answer is None:
        beside = [("'resps'", _said(line, "resps"))] if "resps" in data else []
        beside += [("its 'prediction'", one["prediction"]) for one in scores if isinstance(one.get("prediction"), str)]
        _check_agreement(line, said, beside)
    return LogRow(
        where=line.where,
        question=_asked(line),
        text=said,
        image=next((str(doc[key]) for key in ("image_source", "image_file") if isinstance(doc.get(key), str)), None),
        number=None if number is None else str(number),
        place=place_of(data.get("doc_id")),
        splits=tuple(filter(None, [doc.get("category")])) if isinstance(doc.get("category"), str) else (),
        label=as_label(data.get("target")),
    )


def _check_agreement(line: Line, said: str, beside: Sequence[tuple[str, str]]) -> None:
    """What else the sample says of its answer must not be the opposite. Raises HopeBenchError, asking for the field."""
    question = _asked(line)
    verdict = parse_answer(said, question)
    for name, other in beside:
        if {verdict, parse_answer(other, question)} == {"yes", "no"}:
            raise HopeBenchError(
                f"{line.where}: {_FIELD!r} holds {said[:40]!r}, but {name} {other[:40]!r}. Name the field that holds the model's "
                "answers with --answer FIELD, such as pope_accuracy.prediction."
            )


def _said(line: Line, name: str) -> str:
    value = value_at(line.data, name)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    if isinstance(value, list):
        raise HopeBenchError(f"{line.where}: {name!r} holds {len(value)} answers. Ask each question once (repeats: 1).")
    if not isinstance(value, str):
        raise HopeBenchError(
            f"{line.where}: no {name!r} that is text. Is it a samples file of lmms-eval? Else name --answer FIELD."
        )
    return value


def _asked(line: Line) -> str:
    value = next((line.data[key] for key in ("input", "arguments") if key in line.data), value_at(line.data, "doc.question"))
    while isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        raise HopeBenchError(f"{line.where}: no 'input' that holds the question as text. Is it a samples file of lmms-eval?")
    return value


def _stated(results: Mapping[str, Any], task: str) -> list[StatedScore]:
    scores = value_at(results, "results") or {}
    own = scores.get(task) if isinstance(scores, dict) else None
    own = own if isinstance(own, dict) else {}
    stated = []
    for metrics, convention in ((_METRICS, None), (_OWN_METRICS, "strict")):
        for name, metric in metrics.items():
            value = own.get(f"{name},none", own.get(name))
            if isinstance(value, int | float) and not isinstance(value, bool):
                stated.append(StatedScore(metric, float(value), (task,), convention=convention))
    return stated


def _source(results: Mapping[str, Any]) -> str:
    version, date = results.get("lmms_eval_version"), results.get("date")
    known = version if isinstance(version, str) and "unknown" not in version else None
    return " ".join(filter(None, ["lmms-eval", known, f"({date})" if isinstance(date, str) else None]))


def _settings(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    asked = value_at(results, "configs") or {}
    settings = (
        asked.get(task, {}).get("generation_kwargs") if isinstance(asked, dict) and isinstance(asked.get(task), dict) else None
    )
    settings = settings if isinstance(settings, dict) else {}
    made: dict[str, Any] = {}
    if isinstance(settings.get("max_new_tokens"), int):
        made["max_new_tokens"] = settings["max_new_tokens"]
    if settings.get("do_sample") is False or settings.get("temperature") == 0:
        made["decoding"] = "greedy"
    elif isinstance(settings.get("temperature"), int | float):
        made["decoding"] = f"sampled: temperature {settings['temperature']:g}"
    arguments = value_at(results, "config.model_args")
    dtype = re.search(r"(?:^|,)dtype=(\w+)", arguments) if isinstance(arguments, str) else None
    if dtype:
        made["dtype"] = dtype[1]
    limit = value_at(results, "config.limit")
    if isinstance(limit, int | float) and limit >= 1:
        made["limit"] = int(limit)
    return made
