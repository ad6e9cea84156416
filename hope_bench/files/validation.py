"""What comes from outside, checked, errors in words: files by pydantic models, a call's arguments by their annotations."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import ErrorDetails

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files import reading


class Strict(BaseModel):
    """Base of every file schema: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


LARGEST_NUMBER = 10**15
"""No number that a result can have is larger: 8-byte floats, which JavaScript has alone, still tell such numbers apart."""


class Declared(Strict):
    """Base of what people write, and what a run and its result repeat: no number is larger than LARGEST_NUMBER."""

    @field_validator("*")
    @classmethod
    def _no_larger(cls, value: Any) -> Any:
        if isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
            raise ValueError(_TOO_LARGE)
        return value


_TOO_LARGE = f"no number here can be larger than {LARGEST_NUMBER:,}"


def json_schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a file: of a pydantic model, or of a record or struct that msgspec reads a line as."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if issubclass(kind, BaseModel):
        return kind.model_json_schema(mode="validation") | draft
    import msgspec

    made: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.json.schema(kind)))  # its tuples as lists
    return made | draft


_LONGEST_KEY = 100
"""Characters of a key that an error repeats."""

Model = TypeVar("Model", bound=Strict)


def read_toml(path: Path, model: type[Model]) -> Model:
    """A validated TOML file. Raises HopeBenchError naming the file, the key and what to do."""
    return validate(reading.read_toml(path), model, str(path))


def read_json(path: Path, model: type[Model]) -> Model:
    """A validated JSON file. Raises HopeBenchError naming the file, the key and what to do."""
    return validate(parse_json(path), model, str(path))


def parse_json(path: Path) -> Any:
    """What a JSON file holds. Raises HopeBenchError naming the file."""
    return reading.json_of(reading.read_text(path), path)


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
    if detail["type"] in ("tuple_type", "list_type", "frozen_set_type"):
        return f"holds {_kind(detail['input'])}, not a list"
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


_LONGEST_PART = 255
"""Bytes of a file's name on the file systems there are."""

_LONGEST_VALUE = 60
"""Characters of a wrong argument that an error repeats."""

Count = Annotated[int, Ge(1)]
FromZero = Annotated[int, Ge(0)]
Port = Annotated[int, Ge(0), Le(65535)]
"""Whole numbers as arguments, bounded."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same function, but arguments that their annotations don't allow raise HopeBenchError, in words.

    Where a list is due, every other iterable (a generator, a dict's values) is made one, and text, whose letters nobody means, is
    refused; NumPy's whole numbers become Python's; True and False are no numbers. A path that begins with ~ is one in the user's
    home, and one that no file can have is refused. What is collected in **settings is left to who
    takes it.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:  # a missing argument, or one of no such name: Python's own words say which
            return function(*args, **kwargs)
        for name, annotation in _annotations(function).items():
            if name in given.arguments:
                given.arguments[name] = _allowed(given.arguments[name], annotation, name)
        return function(*given.args, **given.kwargs)

    return call


@functools.cache
def _annotations(function: Callable[..., object]) -> dict[str, Any]:
    """What each argument of a function may be; only these are looked up, as what it returns may be imported for mypy alone."""
    parameters = inspect.signature(function).parameters.values()
    kept = [one for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD]
    return {one.name: _looked_up(one.annotation, function) for one in kept if one.annotation is not Any}


def _looked_up(annotation: Any, function: Callable[..., object]) -> Any:
    names: dict[str, Any] = function.__globals__
    return eval(annotation, names) if isinstance(annotation, str) else annotation


def _allowed(value: Any, annotation: Any, name: str) -> Any:
    """`value`, where `annotation` allows it. Raises HopeBenchError naming the argument and what it takes."""
    value = _converted(value, annotation, name)
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise HopeBenchError(f"{name}: {_TOO_LARGE}.")
    if not _wrong(value, annotation):
        return value
    kinds = _kinds(annotation)
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if choices and isinstance(value, str) and all(kind is NoneType or get_origin(kind) is Literal for kind in kinds):
        raise HopeBenchError(f"No {name} {value!r}. " + did_you_mean(value, choices))
    shown = repr(value)
    shown = shown if len(shown) <= _LONGEST_VALUE else shown[:_LONGEST_VALUE] + "..."
    hint = f", such as [{shown}]" if isinstance(value, str | bytes) and _list_kind(annotation) is not None else ""
    raise HopeBenchError(f"{name} is {shown}. It takes {_in_words(kinds)}{hint}.")


def _converted(value: Any, annotation: Any, name: str) -> Any:
    """A list of what can be gone through, Python's numbers of NumPy's, paths of what stands for one; else the value itself."""
    plain = [_kind_and_bounds(kind)[0] for kind in _kinds(annotation)]
    if isinstance(value, str | PathLike):
        return _path(value, name) if any(get_origin(kind) is PathLike for kind in plain) else value
    inner = _list_kind(annotation)
    if inner is not None and isinstance(value, Iterable) and not isinstance(value, bytes | Mapping | BaseModel):
        items = value if isinstance(value, Sequence) else list(value)
        converted = [_converted(item, inner, name) for item in items]
        return items if all(one is other for one, other in zip(items, converted, strict=True)) else converted
    if int in plain and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return value


def _wrong(value: Any, annotation: Any) -> bool:
    from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

    kinds = [_kind_and_bounds(kind) for kind in _kinds(annotation)]
    plain = [kind for kind, _ in kinds]
    inner = _list_kind(annotation)
    if inner is not None and isinstance(value, str | bytes):
        return str not in plain or isinstance(value, bytes)
    if inner is not None and isinstance(value, Sequence):
        return any(_wrong(item, inner) for item in value)
    if isinstance(value, bool) and bool not in plain and not {int, float}.isdisjoint(plain):
        return True
    if isinstance(value, int) and not all(_within(value, bounds) for _, bounds in kinds):
        return True
    try:
        check_type(value, annotation, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return True
    return False


def _path(given: str | PathLike[str], name: str) -> str | PathLike[str]:
    """What a path means: of a class of its own, its text; ~ is the user's home. Raises HopeBenchError where no file can be so
    called."""
    text = os.fspath(given)
    if impossible := _impossible(text):
        raise HopeBenchError(f"{name} is no path, as it {impossible}: {text[:_LONGEST_VALUE]!r}.")
    if text.startswith("~"):
        return os.path.expanduser(text)  # noqa: PTH111 - a Hugging Face id or a name stays text
    return given if isinstance(given, str | Path) else text


def _impossible(path: str) -> str | None:
    """Why no file can have a path; None where one can."""
    try:
        parts = [os.fsencode(part) for part in Path(path).parts]
    except UnicodeEncodeError:
        return "holds half a character"
    if "\0" in path:
        return "holds a NUL"
    return "has a part too long for a file's name" if any(len(part) > _LONGEST_PART for part in parts) else None


def _list_kind(annotation: Any) -> Any:
    """What a list that `annotation` allows holds; None where it allows none."""
    found = [get_args(kind)[0] for kind in _kinds(annotation) if get_origin(kind) is Sequence]
    return found[0] if found else None


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The kinds of which an annotation allows any: int | None -> int, NoneType."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _kind_and_bounds(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return (kind.__origin__, kind.__metadata__) if get_origin(kind) is Annotated else (kind, ())


def _within(number: int, bounds: Iterable[Ge | Le]) -> bool:
    return all(number >= one.ge if isinstance(one, Ge) else number <= one.le for one in bounds)  # type: ignore[operator]


def _in_words(kinds: Iterable[Any]) -> str:
    """What an argument may be, for people: (str, PathLike[str], NoneType) -> "text, a path or None"."""
    *first, last = dict.fromkeys(map(_kind_in_words, kinds))
    return f"{', '.join(first)} or {last}" if first else last


def _kind_in_words(kind: Any) -> str:
    plain, bounds = _kind_and_bounds(kind)
    origin, inner = get_origin(plain) or plain, get_args(plain)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is Sequence:
        return f"a list (each {_in_words(_kinds(inner[0]))})"
    if origin is Mapping:
        return f"a dict ({' to '.join(_in_words(_kinds(one)) for one in inner)})"
    known: dict[Any, str] = {str: "text", PathLike: "a path", NoneType: "None", collections.abc.Callable: "a function"}
    known |= {int: "a whole number", float: "a number", bool: "True or False"}
    limits = " and ".join(f"{one.ge} or more" if isinstance(one, Ge) else f"{one.le} at most" for one in bounds)
    return (known.get(origin) or f"a {origin.__name__}") + (f" ({limits})" if limits else "")
