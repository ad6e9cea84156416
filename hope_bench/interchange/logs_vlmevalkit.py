"""VLMEvalKit's records: MODEL_POPE.xlsx (or .tsv, .json), beside it MODEL_POPE_score.csv with its scores in percent.

`prediction` is what the model said, `answer` the label; `category` names the splits that ask the question, as POPE.tsv has each
(image, question) once. `question` is the dataset's: what a model's wrapper adds to it isn't in the file.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.interchange.answer_field import value_at
from hope_bench.interchange.logs import (
    Log,
    LogRow,
    Refused,
    StatedScore,
    as_label,
    duplicate,
    none_found,
    per_model,
    place_of,
)
from hope_bench.interchange.questions import Line
from hope_bench.interchange.tables import read_table, text_at
from hope_bench.provenance import file_sha256

_NAME = re.compile(r"(?P<model>.+)_(?P<dataset>POPE(?:_[a-z0-9.-]+)?)\.(?:xlsx|tsv|json)", re.IGNORECASE)
_MADE = ("_auxmatch", "_score", "_tmp", "_prev", "_checkpoint", "_extract", "_structs", "_openai")
"""What VLMEvalKit calls the files that it makes of a record."""
_FAILED = "failed to obtain answer"
"""How VLMEvalKit writes an answer that it never got."""
_METRICS = {"Overall": "f1", "acc": "accuracy", "precision": "precision", "recall": "recall"}


def read(paths: Sequence[Path], answer: str | None) -> Iterable[Log | Refused]:
    """Every model's record in the files and output folders. Raises HopeBenchError where there is none."""
    found: dict[str, dict[Path, Path]] = defaultdict(dict)
    for path in paths:
        files = [path] if path.is_file() else [one for one in sorted(path.rglob("*")) if one.is_file() and _is_record(one)]
        for file in sorted(files, key=lambda one: len(one.parts)):
            named = _NAME.fullmatch(file.name)
            found[named["model"] if named else file.stem].setdefault(file.resolve(), file)
    if not found:
        none_found("VLMEvalKit", paths, "it is called MODEL_POPE.xlsx")
    return per_model(found, lambda model, files: _log(model, list(files.values()), answer))


def _is_record(path: Path) -> bool:
    named = _NAME.fullmatch(path.name)
    return named is not None and not any(made in named["dataset"].lower() for made in _MADE)


def _log(model: str, files: Sequence[Path], answer: str | None) -> Log:
    alike: dict[str, Path] = {}
    for file in files:
        alike.setdefault(file_sha256(file), file)
    by_dataset: dict[str, Path] = {}
    for file in alike.values():
        named = _NAME.fullmatch(file.name)
        dataset = named["dataset"] if named else file.stem
        if dataset not in by_dataset:
            by_dataset[dataset] = file
        elif by_dataset[dataset].parent not in file.parent.parents:  # a model's folder links to the newest of the runs in it
            duplicate(model, dataset, by_dataset[dataset], file)
    parts = {
        dataset: tuple(_row(line, answer or "prediction") for line in read_table(file)) for dataset, file in by_dataset.items()
    }
    return Log(
        model=model,
        files=tuple(by_dataset.values()),
        parts=parts,
        convention="vlmevalkit",
        stated=tuple(score for dataset, file in by_dataset.items() for score in _stated(file, dataset)),
        shown=False,
        source="VLMEvalKit",
    )


def _row(line: Line, field: str) -> LogRow:
    data = line.data
    said = value_at(data, field)
    if said is None:
        raise HopeBenchError(
            f"{line.where}: no {field!r}. VLMEvalKit's records hold the model's answer there, and the label in 'answer'; name "
            "another field with --answer."
        )
    text = said if isinstance(said, str) else json.dumps(said)
    failed = text.lower().startswith(_FAILED)
    category = text_at(data, "category") or ""
    return LogRow(
        where=line.where,
        question=line.text("question"),
        text=None if failed else text,
        image=_image(data),
        place=place_of(text_at(data, "index")),
        splits=tuple(part.strip() for part in category.split(",") if part.strip()),
        label=as_label(data.get("answer")),
        error=text if failed else None,
    )


def _image(data: Mapping[str, object]) -> str | None:
    """The image's name, from our exports' `details`, or from a column that names a file; pictures themselves tell nothing."""
    details = text_at(data, "details")
    if details is not None:
        try:
            held = json.loads(details)
        except ValueError:
            held = None
        asked = (
            [one["image"] for one in held.values() if isinstance(one, dict) and "image" in one] if isinstance(held, dict) else []
        )
        if asked:
            return str(asked[0])
    for name in ("image_path", "image", "image_name", "image_file", "image_source"):
        value = text_at(data, name)
        if value is not None and not value.isdecimal() and len(value) < 500:
            return value
    return None


def _stated(file: Path, dataset: str) -> list[StatedScore]:
    beside = [one.with_name(f"{one.stem}_score.csv") for one in (file, file.resolve())]
    path = next((one for one in beside if one.is_file()), None)
    if path is None:
        return []
    made = []
    for line in read_table(path):
        split = text_at(line.data, "split")
        for column, metric in _METRICS.items():
            value = text_at(line.data, column)
            if split is None or value is None:
                continue
            try:
                share = float(value) / 100
            except ValueError:
                raise HopeBenchError(f"{line.where}: {column} is no number: {value!r}.") from None
            made.append(StatedScore(metric, share, (dataset,), None if split.lower() == "overall" else split))
    return made
