"""A benchmark's sheet (leaderboard/benchmarks/NAME-HASH.json): what its own page tells, where only its results are at hand.

The sheet is written from the generated benchmark (`hope-bench leaderboard describe`) and committed beside the results, with the
images that the site may show and all questions in a folder of the same name.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Balance, Benchmark, ClipInfo, GuardStats, SourceFile
from hope_bench.files.card import slug
from hope_bench.files.result_file import read_result
from hope_bench.files.spec import Kind
from hope_bench.files.validation import Strict, validate
from hope_bench.images import UnreadableImageError, decode_rgb, read_image_bytes
from hope_bench.provenance import locked, short_hash, write_bytes, write_text
from hope_bench.records import Question
from hope_bench.reviewing.noise import NoiseEstimate, read_label_noise
from hope_bench.site import question_file
from hope_bench.site.question_file import Questions, questions_of, read_questions_file, write_questions
from hope_bench.site.safety import lies_within, read_bounded, text_problem
from hope_bench.site.wrong import Wrong, noted

EXAMPLES = 4
"""Example questions of a split, each about another image."""

MOST_PICTURES = 1000
LARGEST_PICTURE = 512
"""Pixels of the longer side of a picture on the site."""

LARGEST_PICTURE_FILE = 2**19
"""Bytes of a picture."""


class Example(Strict):
    """A question whose answer is no."""

    image: str
    question: str
    risk: float | None = Field(default=None, ge=0, le=1)


class RiskSummary(Strict):
    """The estimated risk that a no-question's distractor is there, over the `known` questions that have one: its mean, and how
    many questions lie in each tenth of [0, 1]."""

    known: int = Field(ge=1)
    mean: float = Field(ge=0, le=1)
    tenths: tuple[int, ...] = Field(min_length=10, max_length=10)

    @model_validator(mode="after")
    def _counts_fit(self) -> RiskSummary:
        if sum(self.tenths) != self.known or min(self.tenths) < 0:
            raise ValueError("tenths don't count the known questions")
        return self


class SheetSplit(Strict):
    """One split: its counts, the risk of its distractors (None where no guard estimated it) and a few of its questions."""

    kind: Kind
    yes: int = Field(ge=0)
    no: int = Field(ge=0)
    risk: RiskSummary | None = None
    examples: tuple[Example, ...] = ()


class Sheet(Strict):
    """What a benchmark says of itself: where its questions come from, what its guards did, and how sure its labels are.

    `pictures` maps an image of the benchmark to its file in the sheet's folder; it is empty unless `images_licence` says by which
    licence they may be shown. `skipped` counts images that got no questions.
    """

    schema_version: Literal[1] = 1
    name: str
    hash: str
    k: int | None = None
    seed: int | None = None
    sources: tuple[SourceFile, ...] = ()
    encoders: Mapping[str, ClipInfo] = {}
    guards: Mapping[str, GuardStats] = {}
    balance: Mapping[str, Balance] = {}
    splits: Mapping[str, SheetSplit]
    skipped: int = Field(default=0, ge=0)
    versions: Mapping[str, str] = {}
    commit: str | None = None
    label_noise: NoiseEstimate | None = None
    images_licence: str | None = Field(default=None, min_length=1, max_length=200)
    pictures: Mapping[str, str] = Field(default={}, max_length=MOST_PICTURES)

    @model_validator(mode="after")
    def _pictures_may_be_shown(self) -> Sheet:
        if self.pictures and self.images_licence is None:
            raise ValueError("pictures without images_licence: say by which licence they may be shown")
        return self


@dataclass(frozen=True, slots=True)
class Described:
    """A sheet as the site uses it: `pictures` maps a benchmark's image to the bytes of its picture, PNG or JPEG; `questions` are
    all of its questions, None where they aren't published."""

    sheet: Sheet
    pictures: Mapping[str, bytes]
    questions: Questions | None = None


def sheet_name(name: str, benchmark_hash: str) -> str:
    """How a benchmark's sheet, folder of pictures and pages are called."""
    return f"{slug(name)}-{short_hash(benchmark_hash)}"


def describe(benchmark: Benchmark) -> Sheet:
    """A benchmark's sheet without pictures, its published label noise included."""
    manifest = benchmark.manifest
    clips = {} if manifest.clip is None else {manifest.clip.model: manifest.clip}
    noise = read_label_noise(benchmark.folder, manifest.hash)
    return Sheet(
        name=manifest.name,
        hash=manifest.hash,
        k=manifest.k,
        seed=None if manifest.spec is None else manifest.spec.seed,
        sources=manifest.sources,
        encoders={**clips, **manifest.encoders},
        guards=manifest.guards,
        balance=manifest.balance,
        splits={name: _split(manifest.splits[name].kind, questions) for name, questions in benchmark.splits.items()},
        skipped=len(manifest.skipped),
        versions=manifest.versions,
        commit=manifest.commit,
        label_noise=None if noise is None else noise.model_copy(update={"reviewed": ()}),
    )


def _split(kind: Kind, questions: Sequence[Question]) -> SheetSplit:
    absent = [question for question in questions if question.label == "no"]
    first: dict[str, Example] = {}
    for question in absent:
        first.setdefault(question.image, Example(image=question.image, question=question.text, risk=question.risk))
    return SheetSplit(
        kind=kind, yes=len(questions) - len(absent), no=len(absent),
        risk=_risk([question.risk for question in absent if question.risk is not None]),
        examples=tuple(islice(first.values(), EXAMPLES)),
    )  # fmt: skip


def _risk(risks: Sequence[float]) -> RiskSummary | None:
    if not risks:
        return None
    tenths = [min(int(10 * risk), 9) for risk in risks]
    counts = tuple(tenths.count(tenth) for tenth in range(10))
    return RiskSummary(known=len(risks), mean=round(sum(risks) / len(risks), 6), tenths=counts)


def describe_benchmark(benchmark: Benchmark, results: Path, images: Path | None = None, licence: str = "") -> Path:
    """Write a benchmark's sheet and its questions beside the folder `results`; returns the sheet's file. With `images`, pictures
    go with it: of its examples, of these results' surest hallucinations, then of its other images, MOST_PICTURES in all. Raises
    HopeBenchError as `write_sheet` does."""
    shown: list[str] = []
    for path in sorted((results / slug(benchmark.manifest.name)).glob("*.json")):
        result = read_result(path)
        if result.benchmark.hash == benchmark.manifest.hash:
            shown += [one.image for one in result.worst or ()]
    shown += benchmark.manifest.images
    folder, described = results.absolute().parent / "benchmarks", describe(benchmark)
    with locked(folder):
        sheet = write_sheet(folder, described, images, shown, licence)
        write_questions(sheet.with_suffix(""), questions_of(benchmark))
    return sheet


def write_sheet(folder: Path, sheet: Sheet, images: Path | None = None, shown: Sequence[str] = (), licence: str = "") -> Path:
    """Write a sheet to `folder`, and with `images` (where the benchmark's image files lie) pictures of its examples and of the
    images `shown`; returns the sheet's file. The pictures lose their metadata and are at most 512 pixels wide and high.

    Raises HopeBenchError naming an image that can't be read, or where no `licence` says that they may be published.
    """
    name = sheet_name(sheet.name, sheet.hash)
    pictures: dict[str, str] = {}
    if images is not None:
        if not licence.strip():
            raise HopeBenchError("Pictures are published with the site: say by which licence they may be, with --licence.")
        wanted = dict.fromkeys([*(one.image for split in sheet.splits.values() for one in split.examples), *shown])
        for image in islice(wanted, MOST_PICTURES):
            suffix, data = _picture(images, image)
            pictures[image] = hashlib.sha256(image.encode()).hexdigest()[:16] + suffix
            write_bytes(folder / name / pictures[image], data)
    for stale in (folder / name).glob("*"):
        if stale.name not in {*pictures.values(), question_file.NAME} and not stale.is_dir():
            stale.unlink()
    update = {"pictures": pictures, "images_licence": licence.strip() if images is not None else None}
    write_text(folder / f"{name}.json", sheet.model_copy(update=update).model_dump_json(indent=1) + "\n")
    return folder / f"{name}.json"


def _picture(images: Path, name: str) -> tuple[str, bytes]:
    path = images / name
    if not lies_within(path, images):
        raise HopeBenchError(f"The image {name!r} lies outside {images}.")
    stream = io.BytesIO()
    try:
        data = read_image_bytes(path)
        plain = decode_rgb(data)
    except UnreadableImageError as error:
        raise HopeBenchError(f"{path} can't be shown: {error}. Pass the benchmark's images with --images.") from None
    plain.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    plain.save(stream, "JPEG", optimize=True, quality=85)
    return ".jpg", stream.getvalue()


def read_sheets(folder: Path, wrong: Wrong = None) -> dict[tuple[str, str], Described]:
    """Every sheet of a folder by benchmark name and hash, its pictures checked. Sheets come with pull requests, as results do.

    Raises HopeBenchError naming the file and key of anything invalid, or a picture that isn't one, or notes it in `wrong`.
    """
    found: list[Described] = []
    for path in sorted(folder.glob("*.json")):
        with noted(wrong):
            found.append(read_sheet(path))
    return {(one.sheet.name, one.sheet.hash): one for one in found}


def read_sheet(path: Path) -> Described:
    """One sheet with its pictures and questions, checked as `read_sheets` says."""
    folder = path.parent
    sheet = validate(read_bounded(path, folder, but=("pictures",)), Sheet, str(path))
    if problem := next(filter(None, map(text_problem, sheet.pictures)), None):
        raise HopeBenchError(f"{path}: an image of pictures {problem}")
    if path.stem != sheet_name(sheet.name, sheet.hash):
        raise HopeBenchError(f"{path} describes {sheet.name}: call it {sheet_name(sheet.name, sheet.hash)}.json.")
    pictures = {image: _checked(path.with_suffix("") / _plain(file), folder) for image, file in sheet.pictures.items()}
    asked = path.with_suffix("") / question_file.NAME
    if not lies_within(asked, folder):
        raise HopeBenchError(f"{asked} is a link that leads out of {folder}. Describe the benchmark again.")
    return Described(sheet, pictures, read_questions_file(asked, sheet.hash) if asked.exists() else None)


def _plain(file: str) -> str:
    """A picture's file name. Raises HopeBenchError for one that is no plain name."""
    stem, _, suffix = file.partition(".")
    if slug(stem) != stem or suffix not in ("png", "jpg"):
        raise HopeBenchError(f"A picture is called {file[:60]!r}: a name holds a-z, 0-9 and -, and ends with .png or .jpg.")
    return file


def _checked(path: Path, folder: Path) -> bytes:
    """A picture's bytes, which are a PNG's or a JPEG's as its name says."""
    if not lies_within(path, folder) or not path.is_file():
        raise HopeBenchError(f"{path} is missing, or a link that leads out of {folder}. Describe the benchmark again.")
    data = path.read_bytes() if path.stat().st_size <= LARGEST_PICTURE_FILE else b""
    if not data.startswith(b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"\xff\xd8\xff"):
        raise HopeBenchError(f"{path} is no {path.suffix[1:].upper()} picture of at most {LARGEST_PICTURE_FILE // 2**10} kB.")
    return data
