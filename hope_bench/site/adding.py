"""Taking a result onto the leaderboard: everything that can be checked without the model is checked first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import slug
from hope_bench.files.result import Result
from hope_bench.files.result_file import write_result
from hope_bench.provenance import locked, short_hash
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
from hope_bench.scoring.restating import backed, restate, with_intervals
from hope_bench.site.blind import RESAMPLED_TOLERANCE, TOLERANCE, check_ways, differ
from hope_bench.site.question_file import check_asked_as_published
from hope_bench.site.reading import (
    Entry,
    check_asked,
    check_not_empty,
    check_numbers,
    check_same_questions,
    check_strict,
    read_groups,
)
from hope_bench.site.safety import read_untrusted
from hope_bench.site.sheet import Described, read_sheet, read_sheets, sheet_name
from hope_bench.site.wrong import noted, together


def add_result(source: Path, results: Path, *, new_version: bool = False, replace: bool = False, day: date | None = None) -> Path:
    """Check a result file and put it to RESULTS/BENCHMARK/RUN.json, `added` on `day` (today, UTC); returns where it went.

    Its benchmark's hash must be one that is already there, unless `new_version` says that its questions are new on purpose. Where
    a result for other questions has that file name, this one's is RUN-HASH.json. A result that is there already, but
    for its day, stays as it is; `replace` replaces the model's result for the same questions, never one for others.
    Raises HopeBenchError saying what to fix; nothing is written then.
    """
    _check_file(source)
    result = read_untrusted(source, source.parent)
    check_strict(result, source, results / slug(result.benchmark.name))
    check_numbers(result, str(source))
    result = with_intervals(result)
    if not results.is_dir():  # none is made for what doesn't hold
        check_asked(result, str(source))
        check_intervals(result, str(source))
    with locked(results):
        return _put(result, source, results, _How(new_version, replace, day or datetime.now(UTC).date()))


@dataclass(frozen=True, slots=True)
class _How:
    """What the user said of a result to be added, and its day."""

    new_version: bool
    replace: bool
    day: date


def _put(result: Result, source: Path, results: Path, how: _How) -> Path:
    """Put a checked result beside those that are there, while nobody else does; returns where it went."""
    entries = [entry for group in read_groups(results) for entry in group.entries]
    _check_version(result, source, entries, how.new_version)
    versions = {entry.source: _version(entry.result) for entry in entries}
    target = _target(result, results, versions)
    same = [entry for entry in entries if entry.source != target and entry.result.benchmark.hash == result.benchmark.hash]
    check_same_questions([*same, Entry(result, source, "")])
    check_asked(result, str(source))
    _check_described(result, source, _sheet(result, results))
    result = check_intervals(result, str(source))
    there = read_untrusted(target, results) if target.is_file() else None
    if there is not None and there.added is not None and _undated(there) == _undated(result):
        return target
    if there is not None and there.made_by != result.made_by:
        raise HopeBenchError(
            f"{target} is another model's result ({there.model.name}), of a run of the same name. Give run.name in "
            f"{source} another name: a result is called by it."
        )
    if there is not None and not how.replace and _undated(there) != _undated(result):
        raise HopeBenchError(
            f"{target} exists with other numbers. Give run.name in {source} another name if this "
            "is another run, or pass --replace."
        )
    write_result(target, result.model_copy(update={"added": how.day}))
    return target


def _check_file(source: Path) -> None:
    """Raise HopeBenchError for what is no file, a run above all."""
    if source.is_file():
        return
    expected = "such as leaderboard/results/BENCHMARK/RUN.json"
    if any((folder / "run.json").is_file() for folder in (source, Path("runs") / source)):
        raise HopeBenchError(
            f"{source} is a run, not a result file. Score it first (hope-bench score {shlex.quote(str(source))}), then add the "
            f"file that this writes, {expected}."
        )
    what = "is a folder, not a result file" if source.is_dir() else "does not exist"
    raise HopeBenchError(f"{source} {what}. Give a file that hope-bench score wrote, {expected}.")


def _target(result: Result, results: Path, versions: Mapping[Path, tuple[str, str]]) -> Path:
    """Where a result goes: RUN.json, or RUN-HASH.json where a result for other questions has that name."""
    folder, called, mine = results / slug(result.benchmark.name), result.called, _version(result)
    plain, apart = folder / f"{called}.json", folder / f"{called}-{short_hash(result.benchmark.hash)}.json"
    return apart if versions.get(apart) == mine or versions.get(plain, mine) != mine else plain


def _undated(result: Result) -> Result:
    return result.model_copy(update={"added": None})


def check_results(results: Path) -> int:
    """Every result of a folder, its intervals included, and the sheets beside it; returns how many results there are.

    Raises HopeBenchError saying what to fix in each file, also where there is no result.
    """
    check_not_empty(results)
    wrong: list[HopeBenchError] = []
    sheets = read_sheets(_sheets(results), wrong)
    entries = [entry for group in read_groups(results, wrong) for entry in group.entries]
    for entry in entries:
        benchmark, called = entry.result.benchmark, entry.result.called
        with noted(wrong):
            _check_described(entry.result, entry.source, sheets.get((benchmark.name, benchmark.hash)))
            check_intervals(entry.result, str(entry.source))
            if entry.source.stem not in (called, f"{called}-{short_hash(benchmark.hash)}"):
                raise HopeBenchError(f"{entry.source}: the run is called {called!r}, so call the file {called}.json.")
    if wrong:
        raise together(wrong)
    return len(entries)


def _sheets(results: Path) -> Path:
    return results.absolute().parent / "benchmarks"


def _sheet(result: Result, results: Path) -> Described | None:
    """The sheet of a result's benchmark, where it lies beside the results."""
    path = _sheets(results) / f"{sheet_name(result.benchmark.name, result.benchmark.hash)}.json"
    return read_sheet(path) if path.is_file() else None


def _check_described(result: Result, source: Path, described: Described | None) -> None:
    """Where the benchmark's sheet lies beside the results, the splits must be those that it describes, and the labels those of
    the published questions."""
    if described is None:
        return
    called = f"the sheet of {result.benchmark.name}"
    for name, split in result.splits.items():
        known = described.sheet.splits.get(name)
        if known is None or (known.kind, known.yes, known.no) != (split.kind, split.labels.count("y"), split.labels.count("n")):
            raise HopeBenchError(f"{source}: splits.{name} is of another kind or size than {called} says. Score the run again.")
    if described.questions is not None:
        check_asked_as_published(result, described.questions, str(source))


def _version(result: Result) -> tuple[str, str]:
    return slug(result.benchmark.name), result.benchmark.hash


def _check_version(result: Result, source: Path, entries: Sequence[Entry], new_version: bool) -> None:
    name = slug(result.benchmark.name)
    known = {entry.result.benchmark.hash for entry in entries if slug(entry.result.benchmark.name) == name}
    if known and result.benchmark.hash not in known and not new_version:
        listed = ", ".join(sorted(map(short_hash, known)))
        raise HopeBenchError(
            f"{source}: benchmark.hash is {short_hash(result.benchmark.hash)}, but the results of "
            f"{result.benchmark.name} here answered "
            f"the questions {listed}. Evaluate on the same benchmark, or pass --new-version if the questions are meant to be new "
            "and to be ranked apart."
        )


def check_intervals(result: Result, where: str) -> Result:
    """Count a result again from its packed strings, intervals included, and return what they give: the result without the numbers
    that nothing backs. Raises HopeBenchError naming the number that is off."""
    again, stated = restate(result), backed(result)
    for name, split in stated.splits.items():
        check_ways(split, f"{where}: splits.{name}")
        if unknown := split.part_of.keys() - split.breakdowns.keys():
            raise HopeBenchError(f"{where}: splits.{name}.part_of.{min(unknown)} is of no breakdown. Score the run again.")
        for field in type(split).model_fields:
            _check_same(f"{where}: splits.{name}.{field}", getattr(split, field), getattr(again.splits[name], field))
    for key in ("comparisons", "averages"):
        _check_same(f"{where}: {key}", getattr(stated, key), getattr(again, key))
    for key in ("seed", "confidence"):
        ours = getattr(DEFAULT_BOOTSTRAP, key)
        if getattr(result.bootstrap, key) != ours:
            raise HopeBenchError(f"{where}: bootstrap.{key} is not {ours}, as in all results here. Score the run again.")
    return again


_RESAMPLED = re.compile(r"[.](mcc|average_precision|brier|ece_null)[.](low|high|mean)$")
"""The numbers that come of random draws."""


def _check_same(key: str, stated: Any, expected: Any) -> None:
    """Hold a record against what it should be, number by number."""
    if isinstance(stated, BaseModel) and isinstance(expected, BaseModel):
        for field in type(stated).model_fields:
            _check_same(f"{key}.{field}", getattr(stated, field), getattr(expected, field))
    elif isinstance(stated, Mapping) and isinstance(expected, Mapping):
        for name in {**stated, **expected}:
            _check_same(f"{key}.{name}", stated.get(name), expected.get(name))
    elif isinstance(stated, tuple) and isinstance(expected, tuple) and len(stated) == len(expected):
        for index, (one, other) in enumerate(zip(stated, expected, strict=True)):
            _check_same(f"{key}.{index}", one, other)
    else:
        numbers = isinstance(stated, float) and isinstance(expected, float)
        tolerance = RESAMPLED_TOLERANCE if _RESAMPLED.search(key) else TOLERANCE
        if differ(stated, expected, tolerance) if numbers else stated != expected:
            raise HopeBenchError(
                f"{key} is {str(stated)[:60]}, but the result's own verdicts give {str(expected)[:60]}. Score the run again."
            )
