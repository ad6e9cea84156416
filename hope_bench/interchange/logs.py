"""What other evaluation tools logged, in one shape: a model's answers as rows, what the log says of them, and its own scores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.records import Label

Tool = Literal["lmms-eval", "vlmevalkit", "evalscope", "inspect"]
"""The tools whose logs are read."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One answer of a log: `text` is None where it failed (`error`). What tells its question is what the log has of `image` (a
    file name), `number` (the dataset's question_id), `place` (the row of the dataset, from wherever it counts) and `splits`."""

    where: str
    question: str
    text: str | None
    image: str | None = None
    number: str | None = None
    place: int | None = None
    splits: tuple[str, ...] = ()
    label: Label | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StatedScore:
    """A score that the tool itself states, in [0, 1], over the rows of `parts` (all of the log where empty) or of one split;
    under `convention` where it isn't the log's."""

    metric: str
    value: float
    parts: tuple[str, ...] = ()
    split: str | None = None
    digits: int = 6
    convention: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """One model's answers: `parts` are the files (or samples of one file) that each hold rows in the order of a dataset. `shown`
    says whether a row's question is the whole text that the model was given. `settings` are fields of the run."""

    model: str
    files: tuple[Path, ...]
    parts: Mapping[str, tuple[LogRow, ...]]
    convention: str
    stated: tuple[StatedScore, ...] = ()
    shown: bool = True
    checkpoint: str | None = None
    source: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A model of a folder whose answers can't be taken, and why."""

    model: str
    reason: str


def concerns_pope(name: str) -> bool:
    """Whether a task or dataset is POPE, by its name, or one that hope-bench exported; only these are read from a folder."""
    return re.search(r"pope|hope", name, re.IGNORECASE) is not None


def per_model(found: Mapping[str, Any], read: Callable[[str, Any], Log]) -> list[Log | Refused]:
    """Each model's log as `read` makes it; where one can't be read and there are others, the reason stands in its place."""
    made: list[Log | Refused] = []
    for model, files in found.items():
        try:
            log = read(model, files)
            if not any(log.parts.values()):
                raise HopeBenchError(f"{first_few(log.files, 3)}: no row of an answer. Is the file whole?")
            made.append(log)
        except HopeBenchError as error:
            if len(found) == 1:
                raise
            made.append(Refused(model, str(error)))
    return made


def as_label(value: object) -> Label | None:
    """A gold label as tools write it: "Yes", "no", True; None where it is neither."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    said = value.strip().lower() if isinstance(value, str) else None
    return "yes" if said == "yes" else "no" if said == "no" else None


def none_found(tool: str, paths: Sequence[Path], wanted: str) -> NoReturn:
    """Raise HopeBenchError: no such log there."""
    raise HopeBenchError(f"No {tool} log of POPE or of an export in {', '.join(map(str, paths))}: {wanted}.")


def place_of(value: object) -> int | None:
    """A row's number in its dataset, which some files write as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and math.isfinite(value) and value == int(value):
        return int(value)
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else None


def duplicate(model: str, what: str, one: Path, other: Path) -> NoReturn:
    """Raise HopeBenchError: two files hold the same model's answers to the same task."""
    raise HopeBenchError(f"{model} answered {what} twice: {one} and {other}. Give the file that counts.")
