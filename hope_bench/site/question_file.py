"""A benchmark's questions beside its sheet (leaderboard/benchmarks/NAME-HASH/questions.json.gz), so that the site can show them
where only results are at hand."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, benchmark_hash
from hope_bench.files.names import within_folder
from hope_bench.files.reading import check_regular, decode
from hope_bench.files.result import Result
from hope_bench.files.split_score import PACKED
from hope_bench.provenance import short_hash, write_bytes
from hope_bench.records import Question
from hope_bench.reviewing.noise import read_label_noise
from hope_bench.scoring.reviewed import TRUTH, find_truth
from hope_bench.site.safety import LONGEST_NAME, text_problem

NAME = "questions.json.gz"
LARGEST = 2**23
"""Bytes of a file."""

LARGEST_UNPACKED = 2**28
_AGAIN = "Describe the benchmark again (hope-bench leaderboard describe)."


@dataclass(frozen=True, slots=True)
class Questions:
    """All that a benchmark asks: `images` in its order, and the questions of each split in the order of its file, without their
    evidence. `reviewed` holds what people found to be true of a split's questions, in packed order, as Corrected.truth does; of
    splits of which nothing was reviewed it holds nothing."""

    prompt: str
    images: tuple[str, ...]
    splits: Mapping[str, tuple[Question, ...]]
    reviewed: Mapping[str, str] = field(default_factory=dict)

    def in_packed_order(self, split: str) -> tuple[Question, ...]:
        """A split's questions in the order of a result's packed letters: by image, then as in the split's file."""
        place = {image: index for index, image in enumerate(self.images)}
        return tuple(sorted(self.splits[split], key=lambda one: place[one.image]))


def questions_of(benchmark: Benchmark) -> Questions:
    """The questions of a benchmark that is at hand, and what its published label noise (label_noise.json) rests on."""
    questions = Questions(benchmark.manifest.prompt, tuple(benchmark.manifest.images), benchmark.splits)
    if (noise := read_label_noise(benchmark.folder, benchmark.manifest.hash)) is None:
        return questions
    found = {name: find_truth(questions.in_packed_order(name), noise.reviewed) for name in questions.splits}
    return replace(questions, reviewed={name: truth[0] for name, truth in found.items() if truth is not None})


def write_questions(folder: Path, questions: Questions) -> Path:
    """Write the questions to `folder`; the same questions give the same bytes (of one zlib)."""
    splits = {
        name: [
            {key: value for key in Question.__slots__ if key != "evidence" and (value := getattr(one, key)) is not None}
            for one in asked
        ]
        for name, asked in questions.splits.items()
    }
    reviewed = {"reviewed": questions.reviewed} if questions.reviewed else {}
    data = msgspec.json.encode({"prompt": questions.prompt, "images": questions.images, "splits": splits, **reviewed})
    write_bytes(folder / NAME, gzip.compress(data, mtime=0))
    return folder / NAME


def read_questions_file(path: Path, hash: str) -> Questions:
    """The questions that `write_questions` wrote. They come with pull requests: their hash must be the benchmark's `hash`, which
    covers all but scores and risks, and what is shown is bounded.

    Raises HopeBenchError naming what is off.
    """
    try:
        check_regular(path)
        packed = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        unpacking = zlib.decompressobj(wbits=31)
        data = unpacking.decompress(packed, LARGEST_UNPACKED)
        found = decode(data, Questions) if unpacking.eof else None
    except (OSError, zlib.error, msgspec.DecodeError) as error:
        raise HopeBenchError(f"{path} holds no questions ({error}). {_AGAIN}") from None
    if found is None:
        raise HopeBenchError(f"{path} is cut off, or too large. {_AGAIN}")
    if benchmark_hash(found.prompt, found.splits) != hash:
        raise HopeBenchError(f"{path} doesn't hold the questions with the hash {short_hash(hash)}. {_AGAIN}")
    if problem := _problem(found):
        raise HopeBenchError(f"{path}: {problem}")
    return found


def check_asked_as_published(result: Result, questions: Questions, where: str) -> None:
    """A result's labels and numbers of questions by image must be the published questions'. Raises HopeBenchError."""
    for name, split in result.splits.items():
        asked = questions.in_packed_order(name) if name in questions.splits else ()
        counts = Counter(one.image for one in asked)
        if (
            "".join(PACKED[one.label] for one in asked) != split.labels
            or tuple(counts[image] for image in questions.images) != split.questions_per_image
        ):
            raise HopeBenchError(
                f"{where}: splits.{name} has other labels, or other questions by image, than the published questions of "
                f"{result.benchmark.name}. Score the run again on the same benchmark."
            )


def _problem(questions: Questions) -> str | None:
    """What is wrong with what would be shown, in words."""
    known = set(questions.images)
    texts = dict.fromkeys([*questions.splits, *questions.images])
    for asked in questions.splits.values():
        for one in asked:
            if one.image not in known:
                return f"a question is about {one.image[:LONGEST_NAME]!r}, which isn't among its images."
            if one.risk is not None and not 0 <= one.risk <= 1:
                return f"a risk is {one.risk}, not between 0 and 1."
            texts |= dict.fromkeys(filter(None, (one.text, one.object, one.description, one.description_kind, one.found_by)))
    for text in texts:
        if problem := text_problem(text):
            return f"{text[:LONGEST_NAME]!r} {problem}"
    for split, letters in questions.reviewed.items():
        if len(letters) != len(questions.splits.get(split, ())) or letters.strip("".join([*TRUTH.values(), "-"])):
            return f"reviewed holds something else than a letter for each question of {split[:LONGEST_NAME]!r}."
    return next((f"{one[:LONGEST_NAME]!r} is no file name." for one in known if not within_folder(one)), None)
