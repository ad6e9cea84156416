"""Reading cards, specs, manifests and results: pydantic models with unknown keys forbidden, errors in words."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hope_bench.errors import HopeBenchError, did_you_mean


class Strict(BaseModel):
    """Base of every file schema: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


_LONGEST_KEY = 100
"""Characters of a key that an error repeats."""

Model = TypeVar("Model", bound=Strict)


def read_toml(path: Path, model: type[Model]) -> Model:
    """A validated TOML file. Raises HopeBenchError naming the file, the key and what to do."""
    try:
        data = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise HopeBenchError(f"{path} is not TOML: {error}.") from None
    return validate(data, model, str(path))


def read_json(path: Path, model: type[Model]) -> Model:
    """A validated JSON file. Raises HopeBenchError naming the file, the key and what to do."""
    return validate(parse_json(path), model, str(path))


def parse_json(path: Path) -> Any:
    """What a JSON file holds. Raises HopeBenchError naming the file."""
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise HopeBenchError(f"{path} is not JSON: {error}.") from None


def validate(data: Any, model: type[Model], where: str) -> Model:
    """`data` as a `model`. Raises HopeBenchError listing every wrong key; an unknown key gets the nearest known one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(_problem(detail, model) for detail in error.errors())
        raise HopeBenchError(f"{where} is not a valid {_words(model)}: {problems}.") from None


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> str:
    loc = [part if isinstance(part, int) else part[:_LONGEST_KEY] for part in detail["loc"]]
    *parents, last = loc or ("",)
    where = ".".join(map(str, loc))
    if detail["type"] == "extra_forbidden":
        return f"unknown key {where!r}. {did_you_mean(str(last), _fields_at(model, parents))}".rstrip(".")
    if detail["type"] == "missing":
        return f"key {where!r} is missing"
    return ": ".join(filter(None, (where, _wrong_value(detail).rstrip("."))))


def _wrong_value(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        choices = re.findall(r"'([^']*)'", str(detail["ctx"]["expected"]))
        return f"{detail['input']!r} is not known. {did_you_mean(detail['input'], choices)}"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "model_type":
        return f"holds {_kind(detail['input'])}, not keys and their values"
    return detail["msg"]


def _words(model: type[BaseModel]) -> str:
    """A schema's name in words: BenchmarkSpec -> "benchmark spec"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.lstrip("_")).lower()


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return {str: "text", bool: "true or false", type(None): "nothing"}.get(type(value), "a number")


def _fields_at(model: type[BaseModel], parents: list[int | str]) -> list[str]:
    current: type[BaseModel] = model
    for part in parents:
        field = current.model_fields.get(str(part))
        options = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not nested:
            return []
        current = nested[0]
    return list(current.model_fields)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows programs begin a file with a mark
    except FileNotFoundError:
        raise HopeBenchError(f"{path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None
