"""Which question a log's row answers: by the image it names, by question_id, or by its place in the dataset, checked row by row.

Most logs name no image. A row's question_id, or its place, then stands for a question of a split, and its words must be that
question's, for every row: a log of another split, or of another release, is refused, never matched by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import PurePosixPath, PureWindowsPath

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.benchmark import Benchmark
from hope_bench.interchange.export_lmms_eval import task_names
from hope_bench.interchange.logs import Log, LogRow
from hope_bench.interchange.matching import Given
from hope_bench.interchange.questions import question_key, wrapping
from hope_bench.records import Question

Numbers = Mapping[str, Mapping[int, Question]]
"""Each split's questions by their question_id."""

Asks = tuple[Question, tuple[str, ...]]
"""A question, and the splits that it is asked in."""


def given_of(log: Log, benchmark: Benchmark, split: str | None = None) -> list[Given]:
    """The log's rows as answers to the benchmark's questions; `split` is the one they answer, where the user says so.

    Raises HopeBenchError where rows name no image and can't be told by their number or place for certain.
    """
    if split is not None and split not in benchmark.splits:
        raise HopeBenchError(f"Benchmark {benchmark.name} has no split {split!r}. " + did_you_mean(split, benchmark.splits))
    images = Images(benchmark)
    exported = {task: name for name, task in task_names(benchmark).items()}
    made: list[Given] = []
    for part, rows in log.parts.items():
        only = exported.get(part) if split is None else split
        splits = [(only,) if only is not None else _splits(row, benchmark) for row in rows]
        found = [images.find(row.image) for row in rows]
        if any(image is not None for image in found):  # a row of another image answers none of the benchmark's questions
            made += [_given(row, image or row.image, said) for row, image, said in zip(rows, found, splits, strict=True)]
        elif all(row.number is not None and row.number.isdecimal() for row in rows):
            made += _by_number(part, rows, splits, benchmark)
        elif all(row.place is not None for row in rows):
            made += _by_place(part, rows, splits, benchmark)
        else:
            raise HopeBenchError(f"{rows[0].where}: names no image of the benchmark, no question_id and no place in the dataset.")
    return made


def _splits(row: LogRow, benchmark: Benchmark) -> tuple[str, ...] | None:
    """The benchmark's splits that a row says it answers; None where it says nothing of splits. Where it names splits of POPE's
    that the benchmark doesn't have, it answers none."""
    known = {_plain(name): name for name in benchmark.splits}
    named = [known[_plain(one)] for one in row.splits if _plain(one) in known]
    elsewhere = {"random", "popular", "adversarial"} & {one.lower() for one in row.splits}
    return tuple(named) if named or elsewhere else None


def _plain(name: str) -> str:
    """A split's name as datasets may write it: Hugging Face allows no "-"."""
    return name.lower().replace("-", "_")


def _given(row: LogRow, image: str | None, splits: tuple[str, ...] | None) -> Given:
    return Given(row.where, image or "an unknown image", row.question, row.text, splits, row.label, row.error)


class Images:
    """A benchmark's images by the names that logs have for them: with folders before, or without an ending."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._known: dict[str, set[str]] = {}
        for image in benchmark.manifest.images:
            path = PurePosixPath(image)
            for name in {image, path.name, path.stem}:
                self._known.setdefault(name, set()).add(image)

    def find(self, named: str | None) -> str | None:
        """The image of that name; None where none has it, or several."""
        if named is None:
            return None
        path = PureWindowsPath(named)  # takes both kinds of slashes
        for name in (named, path.name, path.stem):
            found = self._known.get(name, set())
            if len(found) == 1:
                return next(iter(found))
        return None


def asks_alike(asked: str, question: str) -> bool:
    """Whether a text asks a question of the benchmark."""
    return question_key(asked) == question_key(question) or wrapping(asked, question) is not None


def _mismatch(row: LogRow, split: str, question: Question) -> HopeBenchError:
    return HopeBenchError(
        f"{row.where}: asks {row.question!r}, but split {split} asks {question.text!r} there. The log answers another split, or "
        "another release of it: another benchmark."
    )


def _by_number(part: str, rows: Sequence[LogRow], splits: Sequence[tuple[str, ...] | None], benchmark: Benchmark) -> list[Given]:
    """By question_id within the split that rows name; where they name none, split by split in the order of the dataset."""
    numbers = {name: {question.question_id: question for question in asked} for name, asked in benchmark.splits.items()}
    if any(said is None for said in splits):
        return _by_blocks(part, rows, numbers)
    made = []
    for row, said in zip(rows, splits, strict=True):
        name = next((one for one in said or () if _number(row) in numbers[one]), None)
        if name is not None and not asks_alike(row.question, numbers[name][_number(row)].text):
            raise _mismatch(row, name, numbers[name][_number(row)])
        made.append(_numbered(row, name, numbers))
    return made


def _number(row: LogRow) -> int:
    return int(row.number or -1)


def _numbered(row: LogRow, split: str | None, numbers: Numbers) -> Given:
    """A row as the answer to a split's question of its number; as no question's answer where there is none."""
    question = None if split is None else numbers[split].get(_number(row))
    return _given(row, None if question is None else question.image, () if split is None else (split,))


def _by_blocks(part: str, rows: Sequence[LogRow], numbers: Numbers) -> list[Given]:
    """By question_id, split by split: where the numbers begin anew, another split begins, and its questions say which."""
    blocks: list[list[LogRow]] = []
    for row in sorted(rows, key=lambda row: -1 if row.place is None else row.place):
        if not blocks or _number(row) < _number(blocks[-1][-1]):
            blocks.append([])
        blocks[-1].append(row)
    fitting = [[name for name, questions in numbers.items() if _fits(block, questions)] for block in blocks]
    made: list[Given] = []
    for block, names in zip(blocks, fitting, strict=True):
        name = _choose(part, names, fitting)
        if not names and (_nearly(block, numbers) or not any(fitting)):
            raise _no_split(part, block, numbers)
        if name is None and names:
            raise HopeBenchError(
                f"{block[0].where}: {part} may answer any of {', '.join(names)}, which ask the same. Say which: --split NAME."
            )
        made += [_numbered(row, name, numbers) for row in block]
    return made


def _fits(block: Sequence[LogRow], questions: Mapping[int, Question]) -> bool:
    known = [(row, questions[_number(row)]) for row in block if _number(row) in questions]
    return bool(known) and all(asks_alike(row.question, question.text) for row, question in known)


def _choose(part: str, names: Sequence[str], fitting: Sequence[Sequence[str]]) -> str | None:
    """The one split that fits; of several, the one that no other block needs, or that the task is named after (pope_adv)."""
    if len(names) > 1:
        taken = {others[0] for others in fitting if len(others) == 1}
        names = [name for name in names if name not in taken]
    if len(names) > 1:
        words = [word for word in re.split(r"[^a-z0-9]+", part.lower()) if len(word) > 2]
        names = [name for name in names if any(name.startswith(word) for word in words)]
    return names[0] if len(names) == 1 else None


def _wrong(block: Sequence[LogRow], questions: Mapping[int, Question]) -> list[LogRow]:
    """The rows of a block that don't ask what a split asks under their number."""
    asked = [(row, questions.get(_number(row))) for row in block]
    return [row for row, question in asked if question is None or not asks_alike(row.question, question.text)]


def _nearly(block: Sequence[LogRow], numbers: Numbers) -> bool:
    """Whether a block is some split's but for a few rows: then the log is amiss, and not merely of a split that isn't here."""
    return any(10 * len(_wrong(block, questions)) < len(block) for questions in numbers.values())


def _no_split(part: str, block: Sequence[LogRow], numbers: Numbers) -> HopeBenchError:
    """What is wrong with a block that no split fits, told of the split that fits it best."""
    best = min(numbers, key=lambda name: len(_wrong(block, numbers[name])))
    first = _wrong(block, numbers[best])[0]
    if _number(first) in numbers[best]:
        return _mismatch(first, best, numbers[best][_number(first)])
    return HopeBenchError(
        f"{first.where}: {part} has question_id {_number(first)}, which no split asks. Is it of another benchmark?"
    )


def _by_place(part: str, rows: Sequence[LogRow], splits: Sequence[tuple[str, ...] | None], benchmark: Benchmark) -> list[Given]:
    """By the row's place in the dataset, in whatever order tools put the splits; one order must fit every row, and no other."""
    fits: dict[tuple[tuple[str, str], ...], list[Given]] = {}
    said = set(splits)
    (only,) = said if len(said) == 1 else (None,)
    for order in _orders(benchmark, only[0] if only and len(only) == 1 else None):
        for base in (0, 1):
            questions = _in_order(rows, splits, order, base)
            if questions is not None:
                found = [_given(row, question.image, asked) for row, (question, asked) in zip(rows, questions, strict=True)]
                fits.setdefault(tuple((question.image, question.text) for question, _ in questions), found)
    if len(fits) == 1:
        return next(iter(fits.values()))
    what = "in none of the orders that are known" if not fits else "in several orders"
    raise HopeBenchError(
        f"{rows[0].where}: {part} names no image of the benchmark, and its questions are the benchmark's {what}. Add a column "
        '"image_path" that names the image of each row, or say with --split which split it answers in order.'
    )


def _in_order(
    rows: Sequence[LogRow], splits: Sequence[tuple[str, ...] | None], order: Sequence[Asks], base: int
) -> list[Asks] | None:
    """The question of each row in an order whose first has the number `base`; None where a row asks another one."""
    found: list[Asks] = []
    for row, said in zip(rows, splits, strict=True):
        place = (row.place or 0) - base
        if not 0 <= place < len(order):
            return None
        question, asked_in = order[place]
        if not asks_alike(row.question, question.text) or not set(said or ()) <= set(asked_in):
            return None
        found.append((question, asked_in if said is None else said))
    return found


def _orders(benchmark: Benchmark, only: str | None) -> Iterator[Sequence[Asks]]:
    """The orders in which tools put a benchmark's questions: one split after the other, each question once or as often as it is
    asked, or image by image."""
    if only is not None:
        yield [(question, (only,)) for question in benchmark.splits[only]]
        return
    asked_in: dict[tuple[str, str], list[str]] = {}
    for name, questions in benchmark.splits.items():
        for question in questions:
            asked_in.setdefault((question.image, question.text), []).append(name)
    names = list(benchmark.splits)
    for order in permutations(names) if len(names) <= 3 else [tuple(names)]:
        every = [(question, (name,)) for name in order for question in benchmark.splits[name]]
        once = {(question.image, question.text): question for question, _ in reversed(every)}
        first = [(once[key], tuple(asked_in[key])) for key in dict.fromkeys((one.image, one.text) for one, _ in every)]
        place = {image: number for number, image in enumerate(dict.fromkeys(question.image for question, _ in every))}
        yield every
        yield first
        yield sorted(first, key=lambda ask: place[ask[0].image])
