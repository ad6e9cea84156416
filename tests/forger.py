"""A forger of result files: every single change that a file's structure allows, one at a time, and the honest file they are
made from."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import numpy as np

STATED = (
    "languages", "languages.*", "model", "model.*", "notes", "notes.*", "unranked", "added",
    "benchmark.name", "benchmark.title", "benchmark.description", "benchmark.hash", "benchmark.dataset", "benchmark.clip",
    "benchmark.notes", "benchmark.notes.*", "benchmark.headline",
    "run.name", "run.step", "run.prompt_set", "run.prompt_name", "run.dtype", "run.device", "run.batch_size", "run.samples",
    "run.max_new_tokens", "run.thinking", "run.decoding", "run.adapter", "run.weights_sha256", "run.identity", "run.path",
    "run.self_checks", "run.self_checks.*", "run.processes", "run.input_tokens", "run.output_tokens", "run.cost_usd",
    "run.source", "run.command", "run.versions", "run.versions.*", "run.commit",
    "bootstrap.replicates",
    "worst.*.image", "worst.*.image_sha256", "worst.*.question", "worst.*.object", "worst.*.description", "worst.*.risk",
    "splits.*.breakdowns.*.name",
)  # fmt: skip
"""What only a person or the benchmark's questions can tell (docs/publishing.md)."""


def stated(path: tuple[str | int, ...]) -> bool:
    """Whether a key of a result is on the list of what can't be checked from the file alone."""
    return any(fnmatch(".".join(map(str, path)), pattern) for pattern in STATED)


@dataclass(frozen=True, slots=True)
class Forgery:
    """One change: where, which, and how to make it."""

    path: tuple[str | int, ...]
    how: str
    change: Callable[[Any], Any]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.how}"

    def of(self, honest: dict[str, Any]) -> dict[str, Any]:
        """The forged file."""
        forged = copy.copy(honest)
        place: Any = forged
        for key in self.path[:-1]:
            place[key] = copy.copy(place[key])
            place = place[key]
        place[self.path[-1]] = self.change(place[self.path[-1]])
        return forged


def forgeries(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Forgery]:
    """Every change of every leaf and every list of a result."""
    if path:
        yield from (Forgery(path, how, change) for how, change in _changes(value, path) if _changed(change(value), value))
    if isinstance(value, dict):
        for key, one in value.items():
            yield Forgery((*path, key), "deleted", lambda _: _GONE)
            yield from forgeries(one, (*path, key))
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from forgeries(one, (*path, index))


def _changed(one: Any, other: Any) -> bool:
    return type(one) is not type(other) or one != other


class _Gone:
    pass


_GONE = _Gone()


def without_gone(value: Any) -> Any:
    """JSON without the keys that a forgery took away."""
    if isinstance(value, dict):
        return {key: without_gone(one) for key, one in value.items() if one is not _GONE}
    return [without_gone(one) for one in value] if isinstance(value, list) else value


def _changes(value: Any, path: tuple[str | int, ...]) -> list[tuple[str, Callable[[Any], Any]]]:
    if value is None:
        return [("made a number", lambda _: 0.5), ("made text", lambda _: "forged")]
    if isinstance(value, bool):
        return [("turned", lambda one: not one)]
    if isinstance(value, int):
        return [("raised", lambda one: one + 1), ("lowered", lambda one: one - 1)]
    if isinstance(value, float):
        return [("raised", lambda one: round(one + 0.0007, 6)), ("nulled", lambda _: None)]
    if isinstance(value, str):
        return [_text(path)]
    if isinstance(value, list) and value:
        return [
            ("without its first", lambda one: one[1:]),
            ("with its first twice", lambda one: [one[0], *one]),
            ("turned round", lambda one: one[::-1]),
        ]
    return []


def _text(path: tuple[str | int, ...]) -> tuple[str, Callable[[Any], Any]]:
    name = str(path[-1] if path[-2:-1] != ("part_of",) else "part_of")
    if name in ("labels", "verdicts"):
        return "first letter turned", lambda one: ("n" if one[0] == "y" else "y") + one[1:]
    if name == "repeated":
        return "first letter turned", lambda one: ("." if one[0] == "r" else "r") + one[1:]
    if name == "packed":
        return "first P(yes) turned", lambda one: _bytes(one, "<u2", lambda value: 65534 - value)
    if name == "levels":
        return "first level turned", lambda one: _bytes(one, "u1", lambda value: 255 - value)
    if name == "part_of":
        return "first part turned", lambda one: _bytes(one, "u1", lambda value: 0 if value else 1)
    return "with a letter more", lambda one: one + "x"


def _bytes(packed: str, kind: str, change: Callable[[int], int]) -> str:
    values = np.frombuffer(base64.b64decode(packed), dtype=kind).copy()
    values[0] = change(int(values[0]))
    return base64.b64encode(values.tobytes()).decode("ascii")


def differing(one: Any, other: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where `one` says something that `other` doesn't; what it leaves out is no lie."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one:
            yield from differing(one[key], other.get(key), (*path, key))
    elif isinstance(one, list) and isinstance(other, list):
        for index, value in enumerate(one):
            yield from differing(value, other[index] if index < len(other) else None, (*path, index))
    elif one not in (other, None, [], {}):
        yield path
