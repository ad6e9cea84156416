"""evalscope's output folders: predictions/MODEL/pope_SUBSET.jsonl, reviews/MODEL/... of the same names, reports/MODEL/pope.json.

A prediction's answer is its `model_output`; a review's is `sample_score.score.prediction`, beside the `target`. Where a folder
holds both, they must agree. Newer versions write a review's `input` as Markdown, the picture within: "![image](data:...)".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError
from hope_bench.files.validation import parse_json
from hope_bench.interchange.answer_field import answer_of, value_at
from hope_bench.interchange.chat import image_of, is_name, text_of
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

_PICTURE = re.compile(r"\n?!\[image\]\(([^)]*)\)")
_METRICS = ("accuracy", "precision", "recall", "f1", "yes_ratio")


def read(paths: Sequence[Path], answer: str | None) -> Iterable[Log | Refused]:
    """Every model's answers in the files and output folders. Raises HopeBenchError where there are none."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        files = [path] if path.is_file() else [one for one in sorted(path.rglob("*.jsonl")) if _is_log(one)]
        for file in files:
            found[file.resolve().parent.name].append(file)
    if not found:
        none_found("evalscope", paths, "they are in predictions/MODEL/pope_SUBSET.jsonl and reviews/MODEL/pope_SUBSET.jsonl")
    return per_model(found, lambda model, files: _log(model, files, answer))


def _is_log(path: Path) -> bool:
    return path.parent.parent.name in ("predictions", "reviews") and concerns_pope(path.name)


def _log(folder: str, files: Sequence[Path], answer: str | None) -> Log:
    held: dict[str, dict[str, Path]] = defaultdict(dict)
    lines: dict[Path, list[Line]] = {}
    for file in files:
        lines[file] = list(read_lines(file))
        kind = "reviews" if any("sample_score" in line.data for line in lines[file]) else "predictions"
        if kind in held[file.stem]:
            duplicate(folder, file.stem, held[file.stem][kind], file)
        held[file.stem][kind] = file
    parts = {}
    models = set()
    for stem, kinds in held.items():
        subset = stem.split("_", 1)[1] if "_" in stem else ""
        rows = {kind: [_row(line, subset, answer) for line in lines[file]] for kind, file in kinds.items()}
        models |= {str(line.data["model"]) for file in kinds.values() for line in lines[file] if line.data.get("model")}
        parts[stem] = tuple(_joined(rows.get("reviews"), rows.get("predictions")))
    if len(models) > 1:
        raise HopeBenchError(f"{folder} holds answers of several models: {', '.join(sorted(models))}. Import their files apart.")
    model = next(iter(models), folder)
    return Log(
        model=model,
        files=tuple(files),
        parts=parts,
        convention="evalscope",
        stated=tuple(_stated(files[0])),
        checkpoint=model if re.fullmatch(r"[\w.-]+/[\w.-]+", model) else None,
        source="evalscope",
    )


def _joined(reviews: Sequence[LogRow] | None, predictions: Sequence[LogRow] | None) -> Iterable[LogRow]:
    """The reviews' rows, which hold the label, with those that were never reviewed."""
    if not reviews or not predictions:
        return reviews or predictions or ()
    said = {row.place: row for row in reviews}
    for row in predictions:
        review = said.setdefault(row.place, row)
        if (review.text or "").strip() != (row.text or "").strip() and review.error is None and row.error is None:
            raise HopeBenchError(
                f"{review.where} reviews {(review.text or '')[:40]!r}, but {row.where} predicts {(row.text or '')[:40]!r}. "
                "Import the file that counts alone."
            )
    return [*reviews, *(row for row in predictions if said[row.place] is row)]


def _row(line: Line, subset: str, answer: str | None) -> LogRow:
    data = line.data
    about = value_at(data, "sample_score.sample_metadata") or data.get("metadata") or {}
    about = about if isinstance(about, dict) else {}
    error = value_at(data, "model_output.error")
    text = _said(line, answer) if not error else None
    asked = data.get("input") or data.get("messages")
    question = text_of(asked) if asked else None
    pictures = _PICTURE.findall(asked) if isinstance(asked, str) else []
    if question is None:
        raise HopeBenchError(f"{line.where}: no 'input' and no 'messages' that hold the question. Is it a log of evalscope?")
    number = about.get("question_id")
    split = about.get("category") if isinstance(about.get("category"), str) else subset
    return LogRow(
        where=line.where,
        question=_PICTURE.sub("", question).strip() if pictures else question,
        text=text,
        image=_image(about) or image_of(asked) or next((one for one in pictures if is_name(one)), None),
        number=None if number is None else str(number),
        place=place_of(data.get("index")),
        splits=(split,) if split and split != "default" else (),
        label=as_label(data.get("target", about.get("answer"))),
        error=None if text is not None else f"evalscope logged an error: {str(error)[:200]}",
    )


def _image(about: Mapping[str, Any]) -> str | None:
    return next((about[key] for key in ("image_source", "image_file", "image_path") if isinstance(about.get(key), str)), None)


def _said(line: Line, answer: str | None) -> str:
    if answer is not None:
        return answer_of(line, answer)
    if "sample_score" in line.data:
        return answer_of(line, "sample_score.score.prediction")
    choices = value_at(line.data, "model_output.choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    said = text_of([message]) if isinstance(message, dict) else None
    if said is None:
        raise HopeBenchError(
            f"{line.where}: no answer in 'model_output.choices'. Is it a prediction of evalscope? Else --answer FIELD."
        )
    return said


def _stated(file: Path) -> list[StatedScore]:
    """What reports/MODEL/pope.json states for every subset, to 4 digits."""
    folder = file.resolve().parent.parent.parent / "reports" / file.resolve().parent.name
    made = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        if not concerns_pope(path.stem):
            continue
        held = parse_json(path)
        for metric in held.get("metrics", ()) if isinstance(held, dict) else ():
            name = str(metric.get("name", "")).removeprefix("mean_")
            name = "f1" if name in ("f1_score", "f1") else name
            for category in metric.get("categories", ()):
                made += [
                    StatedScore(name, float(subset["score"]), split=str(subset.get("name")), digits=4)
                    for subset in category.get("subsets", ())
                    if name in _METRICS and isinstance(subset.get("score"), int | float)
                ]
    return made
