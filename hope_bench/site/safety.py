"""Result files come from anybody: what they may hold is bounded before anything is computed from them or shown."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from hope_bench.errors import HopeBenchError, hidden
from hope_bench.files.card import MOST_SAMPLES, slug
from hope_bench.files.names import within_folder
from hope_bench.files.reading import read_text, reading
from hope_bench.files.result import Result
from hope_bench.files.result_file import parse_result
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.files.validation import LARGEST_NUMBER

LARGEST_FILE = 8 * 2**20
"""Bytes of one result file; 36,000 questions take about 130 KB."""

LONGEST_TEXT = 4000
"""Characters of any text but the packed strings."""

LONGEST_NAME = 100
"""Characters of a key: a split, a package."""

MOST_SPLITS = 64
MOST_QUESTIONS = 500_000
MOST_IMAGES = 100_000
MOST_ITEMS = 200
MOST_REPLICATES = 20_000
MOST_DRAWS = 500_000_000
"""Replicates times answers and images of all splits, which is what counting a result again takes: half a minute at most. 2,000
replicates, the default, allow 250,000."""

RESERVED = frozenset({"assets", "badges", "benchmarks", "data", "images"})
"""Folders of the site itself, which no benchmark may be called."""

_PACKED = frozenset({"labels", "verdicts", "further_verdicts", "questions_per_image", "packed", "repeated"})
_SHARES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "hallucination_rate", "yes_ratio",
    "paired_discrimination",
)  # fmt: skip
_SCHEME = re.compile(r"\b([a-z][a-z0-9+.-]*)://|\b(javascript|vbscript)\s*:|\b(data):[a-z]+/", re.IGNORECASE)
_SCHEMES = frozenset({"http", "https"})


def read_untrusted(path: Path, folder: Path) -> Result:
    """A result file within `folder`, its size, texts and numbers bounded. Raises HopeBenchError naming the file and the key.

    No text of it is ever made a link, so a link can only mislead by how it reads: its scheme must be http or https.
    """
    result = parse_result(read_bounded(path, folder, but=("splits",)), str(path))
    for problem in _implausible(result):
        raise HopeBenchError(f"{path}: {problem}")
    return result


def read_bounded(path: Path, folder: Path, but: Container[str] = ()) -> Any:
    """The JSON of a file within `folder`, its size, depth, texts and numbers bounded; keys in `but` are left to the caller.

    Raises HopeBenchError naming the file and key.
    """
    if not lies_within(path, folder):
        raise HopeBenchError(f"{path} is a link that leads out of {folder}. Copy the file there instead.")
    data = _load(path)
    if problem := _problem(data, but):
        raise HopeBenchError(f"{path}: {problem}")
    return data


def lies_within(path: Path, folder: Path) -> bool:
    """Whether a path leads to somewhere in a folder, links followed. Raises HopeBenchError where they lead in a circle, or to a
    pipe or a device."""
    with reading(path):
        return path.resolve().is_relative_to(folder.resolve())


def _load(path: Path) -> Any:
    with reading(path):
        size = path.stat().st_size
    if size > LARGEST_FILE:
        raise HopeBenchError(f"{path} is larger than {LARGEST_FILE // 2**20} MB. A result holds numbers, no answers or images.")
    text = read_text(path)
    if (data := _plain(text.encode())) is not None:
        return data
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_unique)
    except RecursionError:
        raise HopeBenchError(f"{path} is not a result: it is nested too deeply.") from None
    except ValueError as error:
        raise HopeBenchError(f"{path} is not JSON that a result may hold: {error}.") from None


def _plain(raw: bytes) -> Any:
    """The JSON, in a third of the time; None for what needs a closer look, which says what is wrong with it.

    msgspec keeps the last of two equal keys. What it read, written again, then has fewer colons than the file: each pair has one,
    and those in texts are the same in both, unless one is written as \\u003a.
    """
    try:
        data = msgspec.json.decode(raw)
        kept = msgspec.json.encode(data).count(b":")
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    return data if raw.count(b":") == kept and b"\\u003" not in raw else None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number; write null where a number can't be computed")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"a key stands twice among {', '.join(sorted({key for key, _ in pairs}))[:200]}")
    return made


def _problem(data: Any, but: Container[str] = (), key: str = "", depth: int = 0) -> str | None:
    """What is wrong with raw JSON, the first of all, by key; None where nothing is."""
    where = key or "the file"
    if depth > 8:
        return f"{where} is nested too deeply."
    if isinstance(data, str):
        problem = text_problem(data)
        return f"{where} {problem}" if problem else None
    if isinstance(data, int | float):
        return None if abs(data) <= LARGEST_NUMBER else f"{where} is {str(data)[:30]}, which is no number that a result can have."
    if isinstance(data, dict):
        if len(data) > MOST_ITEMS and key not in but:
            return f"{where} has more than {MOST_ITEMS} keys."
        for name, value in data.items():
            if len(name) > LONGEST_NAME and key not in but:
                return f"a key of {where} is longer than {LONGEST_NAME} characters: {name[:LONGEST_NAME]!r}..."
            if problem := _key_problem(name):
                return f"a key of {where} {problem}"
            if type(value) is float and abs(value) <= LARGEST_NUMBER:  # most of them
                continue
            if value is None or key in but:  # in a result's split, only the names of parts are free text (_implausible)
                continue
            if problem := _problem(value, but, f"{key}.{name}" if key else name, depth + 1):
                return problem
    if isinstance(data, list):
        if len(data) > MOST_SPLITS**2:
            return f"{where} has more than {MOST_SPLITS**2} items."
        for index, value in enumerate(data):
            if problem := _problem(value, but, f"{key}.{index}" if key else str(index), depth + 1):
                return problem
    return None


def text_problem(text: str) -> str | None:
    """What is wrong with a text that is to be shown, in words; None where nothing is."""
    if len(text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT:,} characters. Shorten it."
    if text.isascii() and text.isprintable() and ":" not in text:
        return None
    if found := hidden(text):
        return f"holds {found}, which can't be seen or changes how the text around it reads. Remove it."
    for match in _SCHEME.finditer(text):
        scheme = next(group for group in match.groups() if group).lower()
        if scheme not in _SCHEMES:
            return f"holds a link with {scheme}:. Links begin with https://."
    return None


_key_problem = lru_cache(1000)(text_problem)  # the same keys stand in every file


def _implausible(result: Result) -> Iterator[str]:
    benchmark, bootstrap = result.benchmark, result.bootstrap
    if not re.fullmatch("[0-9a-f]{64}", benchmark.hash):
        yield "benchmark.hash is not 64 hexadecimal digits. Score the run again."
    if slug(benchmark.name) in RESERVED:
        yield f"benchmark.name {benchmark.name!r} is a folder of the site itself. Rename the benchmark."
    if not result.model.name.strip() or not benchmark.title.strip() or len(benchmark.title) > LONGEST_NAME * 2:
        yield f"model.name or benchmark.title is blank, or the title longer than {LONGEST_NAME * 2} characters."
    if not 0 <= benchmark.images <= MOST_IMAGES:
        yield f"benchmark.images is {benchmark.images}, not between 0 and {MOST_IMAGES:,}."
    if not 1 <= bootstrap.replicates <= MOST_REPLICATES or not 0 < bootstrap.confidence < 1 or bootstrap.seed < 0:
        yield f"bootstrap: replicates lie in 1 to {MOST_REPLICATES:,}, confidence between 0 and 1, and a seed is at least 0."
    size = sum(len(one.labels) * len(one.all_verdicts) + len(one.questions_per_image) for one in result.splits.values())
    if size * bootstrap.replicates > MOST_DRAWS:
        yield (
            f"bootstrap.replicates is {bootstrap.replicates:,}; with {size:,} answers and images over all splits, at most "
            f"{MOST_DRAWS // size:,} are counted again. Score the run with fewer --replicates."
        )
    for field in ("input_tokens", "output_tokens", "cost_usd"):
        if (number := getattr(result.run, field)) is not None and number < 0:
            yield f"run.{field} is {number}; it is at least 0. Score the run again."
    for index, one in enumerate(result.worst or ()):
        if not within_folder(one.image):
            yield (
                f"worst.{index}.image {one.image[:LONGEST_NAME]!r} is no file name within a folder of images. Rename the image "
                "in the benchmark, and score the run again."
            )
    if len(result.splits) > MOST_SPLITS:
        yield f"splits: {len(result.splits)} are more than {MOST_SPLITS}."
    if (longest := max(result.splits, key=len, default="")) and len(longest) > LONGEST_NAME:
        yield f"splits: a key is longer than {LONGEST_NAME} characters: {longest[:LONGEST_NAME]!r}..."
    for name, split in result.splits.items():
        if min(split.questions_per_image, default=0) < 0 or len(split.labels) > MOST_QUESTIONS:
            yield f"splits.{name} has more than {MOST_QUESTIONS:,} questions, or fewer than none for an image."
        if len(split.all_verdicts) > MOST_SAMPLES:
            yield f"splits.{name} has more than {MOST_SAMPLES} samples of a question."
        for breakdown, parts in split.breakdowns.items():
            for part in parts:
                if part.name is not None and (problem := text_problem(part.name)):
                    yield f"splits.{name}.breakdowns.{breakdown}: a part's name {problem}"
                for field in ("recall", "hallucination_rate"):
                    if problem := _off(getattr(part, field), 0):
                        yield f"splits.{name}.breakdowns.{breakdown}.{part.name}.{field} {problem}"
        for field in (*_SHARES, "mcc"):
            if problem := _off(getattr(split, field), 0 if field in _SHARES else -1):
                yield f"splits.{name}.{field} {problem}"
        for field, estimate, least in _of_split(split):
            if problem := _off(estimate, least):
                yield f"splits.{name}.{field} {problem}"
    for index, pair in enumerate(result.comparisons):
        for field in ("precision_drop", "hallucination_rise", "auroc_drop"):
            if problem := _off(getattr(pair, field), -1):
                yield f"comparisons.{index}.{field} {problem}"


_MOST_DEVIATIONS = 20
"""Standard deviations: d' of a model that never errs on a million questions is 10."""


def _of_split(split: SplitScore) -> Iterator[tuple[str, Estimate | None, int]]:
    """The numbers that some splits have, with the least that each can be."""
    yield from (("d_prime", split.d_prime, -_MOST_DEVIATIONS), ("criterion", split.criterion, -_MOST_DEVIATIONS))
    yield from (("paired_discrimination", split.paired_discrimination, 0), ("forced_choice", split.forced_choice, 0))
    if split.corrected is not None:
        yield from ((f"corrected.{one}", getattr(split.corrected, one), 0) for one in ("recall", "hallucination_rate"))
    if (found := split.probabilities) is not None:
        for one in ("auroc", "average_precision", "brier", "fixed_balanced_accuracy"):
            yield f"probabilities.{one}", getattr(found, one), 0
        yield "probabilities.d_a", found.d_a, -_MOST_DEVIATIONS
        if (band := found.ece_null) is not None:
            yield "probabilities.ece_null", Estimate(value=band.mean, low=band.low, high=band.high), 0


def _off(estimate: Estimate | None, least: int) -> str | None:
    """What is wrong with an estimate; None where nothing is: its numbers lie in [least, 1] (in [least, -least] for standard
    deviations), and its interval's ends are in order, and both there or both missing."""
    if estimate is None:
        return None
    value, low, high, most = estimate.value, estimate.low, estimate.high, max(1, -least)
    if value is not None and low is not None and high is not None and least <= low <= high <= most and least <= value <= most:
        return None  # most of them
    for number in (value, low, high):
        if number is not None and not least <= number <= most:
            return f"is not between {least} and {most}."
    if low is None or high is None:
        return None if low is high else "has half an interval: low and high are both numbers or both null."
    return "has an interval whose ends are swapped." if low > high else None
