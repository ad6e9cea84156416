"""Result files on disk: where they lie, what older versions become, reading and writing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.card import slug
from hope_bench.files.places import RESULTS
from hope_bench.files.result import SCHEMA_VERSION, Result
from hope_bench.files.validation import parse_json, validate
from hope_bench.provenance import write_text


def _known_ways(split: Any) -> Any:
    """A split without the category prior that was learnt within the split itself, which older files hold: it isn't comparable."""
    if not isinstance(split, dict) or not isinstance(split.get("blind"), list):
        return split
    return {**split, "blind": [one for one in split["blind"] if not isinstance(one, dict) or one.get("name") != "category-prior"]}


def _from_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added `breakdowns`, `corrected`, `worst` and two keys of `run`; a file of version 1 can't tell any of them."""
    return {**data, "schema_version": 2}


def _from_version_2(data: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has other intervals, and corrects rates in another way: those of version 2, bootstrapped and by constant error
    rates, are dropped. `hope_bench.scoring.recount` computes the intervals again from the packed letters."""
    splits = data.get("splits")
    if isinstance(splits, dict):
        splits = {name: _without_intervals(_without(split, "corrected"), "breakdowns") for name, split in splits.items()}
        data = {**data, "splits": splits}
    for key in ("comparisons", "averages"):
        if key in data:
            data = {**data, key: _without_intervals(data[key])}
    return {**data, "schema_version": 3}


def _without(value: Any, key: str) -> Any:
    return {name: one for name, one in value.items() if name != key} if isinstance(value, dict) else value


def _without_intervals(value: Any, but: str | None = None) -> Any:
    """JSON with the ends of every Estimate in it null, but those under the key `but`."""
    if isinstance(value, list):
        return [_without_intervals(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"value", "low", "high"}:
        return {**value, "low": None, "high": None}
    return {name: one if name == but else _without_intervals(one) for name, one in value.items()}


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_version_1, 2: _from_version_2}
"""How a file of each older version becomes one of the next."""


def parse_result(data: Any, where: str) -> Result:
    """A validated result from a file's JSON, of this or an older version. Raises HopeBenchError naming the key that is wrong,
    or the version that can't be read."""
    if not isinstance(data, dict):
        return validate(data, Result, where)
    version = data.get("schema_version")
    if isinstance(data.get("splits"), dict):
        data = {**data, "splits": {name: _known_ways(split) for name, split in data["splits"].items()}}
    while isinstance(version, int) and not isinstance(version, bool) and version in _MIGRATIONS:
        data = _MIGRATIONS[version](data)
        version = data["schema_version"]
    if version != SCHEMA_VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise HopeBenchError(
            f"{where} has schema_version {'missing' if version is None else str(version)[:30]}; this hope-bench reads versions "
            f"{min(_MIGRATIONS)} to {SCHEMA_VERSION} (docs/result-schema.md). "
            + ("Update hope-bench." if newer else "Score the run again.")
        )
    return validate(data, Result, where)


def result_path(result: Result, results: Path = RESULTS) -> Path:
    """Where a result goes: RESULTS/BENCHMARK/RUN.json. What isn't ranked and other conventions than `strict` go to folders
    of their own below it, so that a quick look never takes the place of a full result."""
    folder = results / slug(result.benchmark.name)
    folder = folder if result.convention == "strict" else folder / result.convention
    return (folder if result.unranked is None else folder / "unranked") / f"{result.called}.json"


def other_path(result: Result, results: Path = RESULTS) -> Path:
    """Where the result would go if it weren't ranked, or if it were: an earlier one of its run may lie there."""
    return result_path(result.model_copy(update={"unranked": "not ranked" if result.unranked is None else None}), results)


def find_results(given: Sequence[str | Path], results: Path = RESULTS) -> list[Path]:
    """The result files that are meant, each once: files, BENCHMARK/RUN under `results`, or BENCHMARK for all of its ranked ones.

    Raises HopeBenchError naming the nearest known one.
    """
    found: dict[Path, None] = {}
    for name in given:
        if Path(name).is_file():
            found[Path(name)] = None
        elif (results / f"{name}.json").is_file():
            found[results / f"{name}.json"] = None
        elif files := sorted((results / name).glob("*.json")):
            found.update(dict.fromkeys(files))
        else:
            known = [str(path.relative_to(results).with_suffix("")) for path in results.glob("*/*.json")]
            raise HopeBenchError(
                f"No result {str(name)!r}: give a file, BENCHMARK/RUN or BENCHMARK. " + did_you_mean(str(name), known)
            )
    return list(found)


def read_result(path: Path) -> Result:
    """A validated result file. Raises HopeBenchError naming the file and key, or the schema version that can't be read."""
    return parse_result(parse_json(path), str(path))


def write_result(path: Path, result: Result) -> None:
    """Write a result file whole or not at all, a line for each split and comparison; the same result gives the same bytes."""
    fields = result.model_dump(mode="json").items()
    write_text(path, "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(value)}" for name, value in fields) + "\n}\n")


def _lines(value: Any) -> str:
    """JSON with a line for every entry of the outermost object or list."""

    def short(one: Any) -> str:
        return json.dumps(one, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    if value and isinstance(value, dict):
        return "{\n" + ",\n".join(f" {short(name)}: {short(one)}" for name, one in value.items()) + "\n}"
    if value and isinstance(value, list):
        return "[\n" + ",\n".join(f" {short(one)}" for one in value) + "\n]"
    return short(value)
