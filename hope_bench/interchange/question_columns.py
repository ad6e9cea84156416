"""Which columns of a table hold the question, its label and its image: by their usual names, certain, or named by the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.interchange.questions import read_question
from hope_bench.records import Label

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "text", "query", "problem", "prompt"),
    "label": ("label", "answer", "gt_answer", "truth", "solution", "ground_truth", "gt"),
    "image": ("image", "img", "picture", "images"),
    "file": ("image_source", "image_file", "image_path", "image_name", "file_name", "filename"),
    "id": ("question_id", "id", "index"),
    "split": ("category", "split", "strategy"),
    "object": ("object", "target_object"),
}
"""What is read, and the names it is usually found under; `image` is the picture or its name, `file` its name beside a picture."""

WORDS = {"yes": "yes", "no": "no", "true": "yes", "false": "no", "1": "yes", "0": "no"}
"""How labels are written, whatever their case."""


def find_columns(columns: Mapping[str, Any], wanted: Mapping[str, str], where: str) -> dict[str, str]:
    """The name of each column in a row's; `wanted` are those that the user names (and the words `yes` and `no`).

    Raises HopeBenchError where one that is named isn't there, question, label or image can't be found, or two could be the label.
    """
    for key, name in wanted.items():
        if key not in (*COLUMNS, "yes", "no"):
            raise HopeBenchError(
                f"--columns {key}={name}: {key} is nothing that is read. " + did_you_mean(key, [*COLUMNS, "yes", "no"])
            )
        if key in COLUMNS and name not in columns:
            raise HopeBenchError(f"{where}: no column {name!r} (--columns {key}={name}). " + did_you_mean(name, columns))
    found = {}
    called = {" ".join(name.lower().replace("_", " ").split()): name for name in reversed(list(columns))}
    for key, usual in COLUMNS.items():
        named_so = [one if one in columns else called.get(one.replace("_", " ")) for one in usual]
        held = [one for one in named_so if one is not None]
        if key == "question":  # a "text" beside a "prompt" may be a caption
            held.sort(key=lambda one: not _asks(columns[one]))
        named = wanted.get(key) or next(iter(held), None)
        if named is not None:
            found[key] = named
    for key in ("question", "label"):
        if key not in found:
            raise HopeBenchError(
                f"{where}: no column that is known to hold the {key} (it has {first_few(columns, 12)}). "
                f"Name it: --columns {key}=COLUMN."
            )
    if not {"image", "file"} & found.keys():
        raise HopeBenchError(
            f"{where}: no column that is known to hold the image (it has {first_few(columns, 12)}). "
            "Name it: --columns image=COLUMN."
        )
    return found


def _asks(value: Any) -> bool:
    return isinstance(value, str) and ("?" in value or read_question(value) is not None)


def label_of(data: Mapping[str, Any], found: Mapping[str, str], wanted: Mapping[str, str], where: str) -> Label:
    """A row's label. Raises HopeBenchError where it is none, and where another column holds another one."""
    words = dict(WORDS)
    words |= {wanted[word].lower(): word for word in ("yes", "no") if word in wanted}
    value = data[found["label"]]
    label = words.get(_plain(value))
    if label is None:
        raise HopeBenchError(
            f"{where}: {found['label']!r} is {value!r}, which is neither a yes nor a no. Name another column "
            "(--columns label=COLUMN), or say how labels are written (--columns yes=WORD --columns no=WORD)."
        )
    if "label" not in wanted:
        for name in data:
            other = words.get(_plain(data[name])) if name.lower().replace(" ", "_") in COLUMNS["label"] else None
            if other is not None and other != label:
                raise HopeBenchError(
                    f"{where}: {found['label']!r} says {label}, {name!r} says {other}. Which is it? --columns label=COLUMN."
                )
    return "yes" if label == "yes" else "no"


def _plain(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower().rstrip(".")
