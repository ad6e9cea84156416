"""docs/result-schema.md, written from the result's pydantic models: python -m hope_bench.scoring.schema_docs."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hope_bench.files.result import SCHEMA_VERSION, Result
from hope_bench.files.split_score import PACKED
from hope_bench.provenance import write_text

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "result-schema.md"

_OPENING = f"""# Result files

`hope-bench score` writes one JSON file per model and benchmark: RESULTS/BENCHMARK/RUN.json for the strict convention,
RESULTS/BENCHMARK/CONVENTION/RUN.json for another. This page is written from the code:
`python -m hope_bench.scoring.schema_docs`.

- The schema's version is {SCHEMA_VERSION}. Files of versions 1 and 2 are read as well: version 1 without `breakdowns` and
  `worst`, both without `corrected`, and with their intervals (bootstrapped then) computed again from the packed letters.
  The leaderboard leaves out parts and blind ways whose `part_of` and `levels` a file lacks. Any other version is
  refused: score the run again (older), or update hope-bench (newer).
- Unknown keys are refused. A number that can't be computed is null, never 0. Numbers are rounded to 6 digits.
- Letters of the packed strings: {", ".join(f"`{letter}` {name}" for name, letter in PACKED.items())}.
- Whoever reads a file can recompute its numbers and intervals from the packed strings, and compare models
  (docs/scoring.md). The leaderboard does so before it shows one.
"""


def schema_page() -> str:
    """The page's text: every model of a result, the outermost first, with its fields."""
    return "\n".join([_OPENING, *(_section(model) for model in _models(Result))])


def _models(start: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and all that its fields hold, in order of first mention."""
    found = [start]
    for model in found:
        for field in model.model_fields.values():
            found += [inner for inner in _inner(field.annotation) if inner not in found]
    return found


def _inner(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return list(dict.fromkeys(model for part in get_args(annotation) for model in _inner(part)))


def _section(model: type[BaseModel]) -> str:
    rows = "".join(
        f"| `{name}` | {_words(field.annotation)} | {_default(field)} |\n" for name, field in model.model_fields.items()
    )
    return f"## {model.__name__}\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n| field | type | default |\n|---|---|---|\n{rows}"


def _words(annotation: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin is tuple:
        return f"list of {_words(parts[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping) and get_origin(parts[0]) is Literal:
        return f"object of {_words(parts[1])} by {_words(parts[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object of {_words(parts[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {"str": "text", "float": "number", "int": "whole number", "bool": "true or false", "date": "day (YYYY-MM-DD)"}.get(
        annotation.__name__, str(annotation)
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "null" if value is None else "empty" if value in ((), {}, "") else f"`{value}`"


if __name__ == "__main__":
    write_text(PAGE, schema_page())
    print(f"Written: {PAGE}")
