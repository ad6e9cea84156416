"""A generated benchmark on disk: manifest.json and splits/*.jsonl, written together and checked when read."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from hope_bench.errors import HopeBenchError, counted, did_you_mean
from hope_bench.files.language import AnswerWords
from hope_bench.files.names import check_images, check_names
from hope_bench.files.reading import decode, read_bytes
from hope_bench.files.spec import BenchmarkSpec, Kind
from hope_bench.files.validation import Strict, parse_json, read_json
from hope_bench.provenance import check_folder, holds_files, json_sha256, locked, short_hash, write_text
from hope_bench.records import Label, Prompt, Question

if TYPE_CHECKING:
    import pandas as pd

    from hope_bench.tables import Summary


class SourceFile(Strict):
    """A file the benchmark was made from, by name (never by path) and content."""

    file: str
    sha256: str


class ClipInfo(Strict):
    """The encoder that searched: its name, the SHA-256 of its weights, activation and preprocessing, and the activation of its
    towers: None in manifests written before it was recorded, when `ViT-L-14:openai` and 26 others ran with the wrong one."""

    model: str
    sha256: str
    templates: tuple[str, ...]
    activation: Literal["gelu", "quick_gelu"] | None = None


class PrototypeInfo(Strict):
    """What visual prototypes were made of: how many object crops, of how many pictures, and the SHA-256 over the canonical JSON
    of these pictures' names and SHA-256s."""

    crops: int
    pictures: int
    sha256: str


class SplitInfo(Strict):
    """One split: the strategy behind it, and its file's counts and SHA-256."""

    strategy: str
    kind: Kind
    questions: int
    yes: int
    no: int
    sha256: str


class SkippedImage(Strict):
    """A sampled image that got no questions, and why."""

    image: str
    reason: str


class GuardStats(Strict):
    """What one guard did: how many absent categories it removed, over all images; and per split how many distractors that it
    would have asked about were `displaced` by the next best."""

    removed: int
    displaced: Mapping[str, int]


class Balance(Strict):
    """How far a balanced split is from as many no- as yes-questions about each of its `claims`: the largest difference, and how
    many of its no-questions have no yes-question of the same claim over against them."""

    claims: int
    largest: int
    unbalanced: int


class OtherImages(Strict):
    """Questions about other images than the benchmark's, made in the same way: what blind answering is learnt from. `splits` maps
    a split to the SHA-256 of its file blind/SPLIT.jsonl."""

    images: int
    splits: Mapping[str, str]


class Manifest(Strict):
    """What a benchmark is and where it comes from. `language` is how answers are read, None in English. `hash` covers what
    is asked (`benchmark_hash`): results of different hashes never mix."""

    schema_version: Literal[1] = 1
    name: str
    title: str
    description: str = ""
    hash: str
    headline: str
    prompt: str
    language: AnswerWords | None = None
    k: int | None
    dataset: str
    images: Mapping[str, str | None]
    splits: Mapping[str, SplitInfo]
    skipped: tuple[SkippedImage, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    clip: ClipInfo | None = None
    encoders: Mapping[str, ClipInfo] = {}
    prototypes: PrototypeInfo | None = None
    guards: Mapping[str, GuardStats] = {}
    balance: Mapping[str, Balance] = {}
    blind: OtherImages | None = None
    spec: BenchmarkSpec | None = None
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = {}
    commit: str | None = None


_COLUMNS = {
    "split": "string", "question_id": "int64", "image": "string", "text": "string", "label": "string", "object": "string",
    "description": "string", "description_kind": "string", "distractor_score": "float64", "found_by": "string",
    "risk": "float64", "twin_of": "Int64",
}  # fmt: skip
"""Of a benchmark's frame, with their types."""


@dataclass(frozen=True, slots=True, repr=False)
class Benchmark:
    """A benchmark as read: `splits` maps a split's name to its questions in file order; `images` in the manifest maps each image
    file name to its SHA-256, None where the benchmark was made without the images. `others` are questions about other images, by
    split, empty where there are none."""

    folder: Path
    manifest: Manifest
    splits: Mapping[str, tuple[Question, ...]]
    others: Mapping[str, tuple[Question, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the benchmark is called."""
        return self.manifest.name

    @property
    def prompt(self) -> Prompt:
        """How this benchmark asks."""
        return Prompt(self.manifest.prompt)

    @property
    def labels(self) -> dict[tuple[str, str], Label]:
        """The label of each (image, question text)."""
        return {(one.image, one.text): one.label for questions in self.splits.values() for one in questions}

    def __repr__(self) -> str:
        """Short, as consoles and tracebacks show it."""
        return f"Benchmark({str(self.folder)!r})"

    def to_frame(self) -> pd.DataFrame:
        """A row a question of a split (docs/api.md lists the columns and their types)."""
        from hope_bench.files.frames import typed_frame

        rows = [
            (split, *(getattr(question, name) for name in list(_COLUMNS)[1:]))
            for split, questions in self.splits.items()
            for question in questions
        ]
        return typed_frame(rows, _COLUMNS)

    def summary(self) -> Summary:
        """What print and the command line show: what it is, and a line a split."""
        from rich.text import Text

        from hope_bench.tables import Summary, plain_table

        table = plain_table("", "split", "kind", ">questions", ">yes", ">no")
        for name, split in self.manifest.splits.items():
            table.add_row(Text(name), split.kind, f"{split.questions:,}", f"{split.yes:,}", f"{split.no:,}")
        images = counted(len(self.manifest.images), "image")
        return Summary((f"{self.manifest.title}: {images} (hash {short_hash(self.manifest.hash)})",), table)

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def select(self, names: Sequence[str]) -> Benchmark:
        """The same benchmark with only the named splits. Raises HopeBenchError for an unknown name."""
        for name in names:
            if name not in self.splits:
                raise HopeBenchError(f"Benchmark {self.manifest.name} has no split {name!r}. " + did_you_mean(name, self.splits))
        chosen = {name: self.splits[name] for name in self.splits if name in names}
        return Benchmark(self.folder, self.manifest, chosen, self.others)


def split_bytes(questions: Sequence[Question]) -> bytes:
    """A split file's bytes: one JSON object a line, POPE's four keys first, nothing that is None, UTF-8."""
    names = [one.name for one in fields(Question)]
    values_of = attrgetter(*names)
    rows = (
        {name: value for name, value in zip(names, values_of(question), strict=True) if value is not None}
        for question in questions
    )
    # Formatted on one line: a space after every comma and colon, as in POPE's own files.
    return b"".join(msgspec.json.format(msgspec.json.encode(row), indent=0) + b"\n" for row in rows)


_IDENTITY = ("question_id", "image", "text", "label", "strategy", "object", "description", "description_kind", "twin_of")
"""What makes a question the question it is; scores, risks and evidence are CLIP's numbers about it."""


def standing_of(questions: Sequence[Question]) -> list[float | None]:
    """How high each distractor's score stands among those of the same split and strategy: in (0, 1], None without a score.

    Scores of different strategies are probabilities or sums of z-scores, and can't be compared themselves.
    """
    scores: dict[str | None, list[float]] = {}
    for question in questions:
        if question.distractor_score is not None:
            scores.setdefault(question.found_by, []).append(question.distractor_score)
    for own in scores.values():
        own.sort()
    return [
        None
        if question.distractor_score is None
        else bisect_right(scores[question.found_by], question.distractor_score) / len(scores[question.found_by])
        for question in questions
    ]


def benchmark_hash(prompt: str, splits: Mapping[str, Sequence[Question]]) -> str:
    """The hash that identifies what a benchmark asks: SHA-256 over the prompt and every split's questions.

    Scores, risks and evidence are left out: their last digit depends on the kind of processor, the questions don't, and results
    of the same questions may be compared.
    """
    asked = {
        name: hashlib.sha256(
            msgspec.json.encode([[getattr(question, key) for key in _IDENTITY] for question in questions])
        ).hexdigest()
        for name, questions in splits.items()
    }
    return json_sha256({"prompt": prompt, "splits": asked})


def write_benchmark(
    folder: Path,
    splits: Mapping[str, Sequence[Question]],
    kinds: Mapping[str, Kind],
    others: Mapping[str, Sequence[Question]] | None = None,
    **manifest: Any,
) -> Manifest:
    """Write manifest.json, then splits/*.jsonl and of the `others` blind/*.jsonl, and return the manifest; `manifest` holds its
    other fields.

    The manifest comes first, so that an interrupted writing leaves a folder that can be told from others'. Split files that the
    earlier manifest lists and this one doesn't are removed. The folder is held meanwhile (`locked`). Raises HopeBenchError as
    `check_own` does.
    """
    check_own(folder, imported=manifest["k"] is None)
    _check_names(str(folder / "manifest.json"), manifest["name"], splits, others or {})
    lines = {name: split_bytes(questions) for name, questions in splits.items()}
    infos: dict[str, SplitInfo] = {}
    for name, questions in splits.items():
        yes = sum(question.label == "yes" for question in questions)
        infos[name] = SplitInfo(
            strategy=name, kind=kinds[name], questions=len(questions), yes=yes, no=len(questions) - yes,
            sha256=hashlib.sha256(lines[name]).hexdigest(),
        )  # fmt: skip
    blind = {name: split_bytes(questions) for name, questions in (others or {}).items()}
    if others:
        manifest["blind"] = OtherImages(
            images=len({one.image for questions in others.values() for one in questions}),
            splits={name: hashlib.sha256(data).hexdigest() for name, data in blind.items()},
        )
    written = Manifest(hash=benchmark_hash(manifest["prompt"], splits), splits=infos, **manifest)
    with locked(folder):
        check_own(folder, imported=manifest["k"] is None)  # by now another process may have written there
        _write(folder, written, lines, blind)
    return written


def _write(folder: Path, manifest: Manifest, splits: Mapping[str, bytes], blind: Mapping[str, bytes]) -> None:
    earlier = _earlier(folder / "manifest.json")
    known = set() if earlier is None else set(earlier["splits"])
    for path in [*(folder / "splits").glob("*.jsonl"), *(folder / "blind").glob("*.jsonl")]:
        if path.stem in known and path.stem not in (splits if path.parent.name == "splits" else blind):
            path.unlink()
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_text(folder / "manifest.json", text + "\n")
    for kind, files in (("splits", splits), ("blind", blind)):
        for name, data in files.items():
            write_text(folder / kind / f"{name}.jsonl", data.decode())


def check_own(folder: Path, *, imported: bool) -> None:
    """Before long work: raise HopeBenchError unless a folder is new, empty (but for hidden files) or a benchmark, whose files may
    be replaced. One that `generate` makes is not replaced by what is `imported`."""
    check_folder(folder)
    if not holds_files(folder):
        return
    spec, earlier = (folder / "spec.toml").is_file(), _earlier(folder / "manifest.json")
    if earlier is None and not spec:
        raise HopeBenchError(f"{folder} holds files, but no benchmark. Choose an empty or a new folder with --out.")
    generated = spec or (earlier is not None and earlier["k"] is not None)  # what is imported has no k
    if imported and generated:
        raise HopeBenchError(f"{folder} is a benchmark that hope-bench generate makes. Give another --name or --out.")


def _earlier(path: Path) -> Mapping[str, Any] | None:
    """What an earlier manifest holds, of whatever version; None where there is none. Raises HopeBenchError for other files."""
    if not path.is_file():
        return None
    try:
        found = parse_json(path)
    except HopeBenchError:
        found = None
    needed = {name for name, field in Manifest.model_fields.items() if field.is_required()}
    if not isinstance(found, dict) or not needed <= found.keys() or not isinstance(found["splits"], dict):
        raise HopeBenchError(
            f"{path} is no benchmark's manifest, and would be replaced. Choose an empty or a new folder with --out."
        )
    return found


def read_written(folder: Path) -> Benchmark:
    """`read_benchmark` of a folder that was just written to, once no other process writes to it. Raises HopeBenchError."""
    with locked(folder):
        return read_benchmark(folder)


def read_benchmark(folder: Path) -> Benchmark:
    """Read and check a benchmark folder: every split's SHA-256 and counts, and the hash of what is asked, must be the manifest's.

    Raises HopeBenchError naming the file and line of anything malformed, missing or changed since it was generated.
    """
    manifest = read_manifest(folder)
    blind = {} if manifest.blind is None else manifest.blind.splits
    splits = {name: _read(folder, "splits", name, info.sha256) for name, info in manifest.splits.items()}
    for name, questions in splits.items():
        info, yes = manifest.splits[name], sum(one.label == "yes" for one in questions)
        if (info.questions, info.yes, info.no) != (len(questions), yes, len(questions) - yes):
            raise HopeBenchError(
                f"{folder / 'manifest.json'}: splits.{name} doesn't count the questions of its file. Generate the benchmark "
                "again."
            )
    if benchmark_hash(manifest.prompt, splits) != manifest.hash:
        raise HopeBenchError(
            f"{folder / 'manifest.json'}: hash is not that of its prompt and questions, so one of them was changed after it was "
            "generated. Generate the benchmark again."
        )
    others = {name: _read(folder, "blind", name, sha256) for name, sha256 in blind.items()}
    asked = {question.image for one in (splits, others) for questions in one.values() for question in questions}
    check_images(str(folder / "manifest.json"), {*manifest.images, *asked})
    return Benchmark(folder, manifest, splits, others)


def _check_names(where: str, name: str, *splits: Iterable[str]) -> None:
    """Raise HopeBenchError for a name that no file may have: every path that is made of a benchmark is made of these and of the
    images' names."""
    check_names(where, "A benchmark's name", [name])
    for names in splits:
        check_names(where, "A split's name", names)


def read_manifest(folder: Path) -> Manifest:
    """A benchmark's manifest alone, its names checked. Raises HopeBenchError."""
    manifest = read_json(folder / "manifest.json", Manifest)
    blind = {} if manifest.blind is None else manifest.blind.splits
    _check_names(str(folder / "manifest.json"), manifest.name, manifest.splits, blind)
    check_images(str(folder / "manifest.json"), manifest.images)
    return manifest


def _read(folder: Path, kind: str, name: str, sha256: str) -> tuple[Question, ...]:
    """One file of questions, as the manifest knows it."""
    path = folder / kind / f"{name}.jsonl"
    if not path.is_file():
        raise HopeBenchError(f"{path} is missing, though {folder / 'manifest.json'} lists it. Generate the benchmark again.")
    data = read_bytes(path)
    questions = read_questions(data, str(path))
    if hashlib.sha256(data).hexdigest() != sha256:
        if hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest() == sha256:
            raise HopeBenchError(
                f"{path} got other line ends (CRLF), as git and editors write them on Windows. Put the old ones back: "
                "with dos2unix, or by a new checkout after git config core.autocrlf false."
            )
        raise HopeBenchError(
            f"{path} was changed after it was generated (its SHA-256 is not the manifest's). Generate the benchmark again."
        )
    return questions


def read_questions(data: bytes, where: str) -> tuple[Question, ...]:
    """The questions of a split file's bytes. Raises HopeBenchError naming the line."""
    questions = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            questions.append(decode(line, Question))
        except msgspec.DecodeError as error:
            raise HopeBenchError(f"{where}, line {number}: not a question ({error}).") from None
    return tuple(questions)
