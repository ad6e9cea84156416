"""Yes/no questions of others in: rows of any table or dataset become a benchmark, the pictures in them files, each once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.benchmark import Manifest, SourceFile, check_own, write_benchmark
from hope_bench.files.card import check_name, slug
from hope_bench.files.names import within_folder
from hope_bench.files.spec import STRATEGY_KINDS, Kind
from hope_bench.interchange.known_questions import KNOWN, Count, Known, Left
from hope_bench.interchange.question_columns import find_columns, label_of
from hope_bench.interchange.question_rows import QuestionRow, ending_of, find_source, picture_of, question_files, read_rows
from hope_bench.interchange.questions import given_prompt, read_question, refuse_two_labels, unshared_positives
from hope_bench.provenance import commit, file_sha256, versions, write_bytes
from hope_bench.records import Label, Question
from hope_bench.wording import existence_question


@dataclass(frozen=True, slots=True)
class QuestionSource:
    """What to import: `sources` are files, folders and ids of the Hub, `known` the name of a benchmark (KNOWN). `columns` names
    those that aren't found, `split` the one split that all rows are of, `images` the folder for the pictures that rows hold.
    `prompt`, `headline`, `title` and `dataset` are the benchmark's own."""

    sources: Sequence[str | Path]
    known: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    images: Path | None = None
    prompt: str | None = None
    headline: str | None = None
    title: str | None = None
    dataset: str | None = None


@dataclass(slots=True)
class _Read:
    """What was read so far: questions by split, each image's SHA-256 where a row held it, and what is worth a note."""

    splits: dict[str, dict[tuple[str, str], Question]] = field(default_factory=dict)
    images: dict[str, str | None] = field(default_factory=dict)
    templates: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    left: Counter[str] = field(default_factory=Counter)
    endings: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, set[int]] = field(default_factory=dict)
    pictures: int = 0
    absolute: dict[str, PurePosixPath] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Raw:
    """A row understood: `name` is its image's, perhaps without an ending."""

    where: str
    split: str
    number: int | None
    name: str
    text: str
    label: Label
    object: str | None


def import_questions(source: QuestionSource, name: str, out: Path) -> Manifest:
    """Write the benchmark folder `out`, and the pictures that rows hold to `source.images`, each once; returns the manifest.

    Questions are in the rows' order. Existence questions are worded as POPE words them, and what stands around them all is the
    prompt, so that the same questions have the same hash wherever they come from. A row that repeats another counts once. Raises
    HopeBenchError naming the row of anything malformed, contradicting or not certain; nothing is written then but pictures.
    """
    check_name(name, "A benchmark's name")
    check_own(out, imported=True)
    known = _known(source.known)
    files = [file for given in source.sources for file in question_files(find_source(given))]
    read = _Read()
    raws = _read(files, source, known, read)
    prompt, bare = _prompt(source.prompt, raws, kept=known is not None and known.reworded)
    for raw in raws:
        _add(raw, read, bare)
    splits = {split: list(questions.values()) for split, questions in read.splits.items()}
    if not splits:
        raise HopeBenchError(f"{', '.join(map(str, source.sources))}: no row asks a question.")
    refuse_two_labels(splits)
    kinds: dict[str, Kind] = {split: STRATEGY_KINDS.get(split, "other") for split in splits}
    headline = source.headline or ("adversarial" if "adversarial" in splits else list(splits)[-1])
    if headline not in splits:
        raise HopeBenchError(f"The headline split {headline!r} is not among the splits. " + did_you_mean(headline, splits))
    images = dict.fromkeys(question.image for questions in splits.values() for question in questions)
    return write_benchmark(
        out, splits, kinds,
        name=name, title=source.title or (known.title if known else name), headline=headline, prompt=prompt, k=None,
        dataset=source.dataset or (known.dataset if known else "unknown"),
        description="" if known is None else f"From {known.source}; licence: {known.licence or 'none stated'}.",
        images={image: read.images.get(image) for image in images},
        sources=tuple(SourceFile(file=path.name, sha256=file_sha256(path)) for path, _ in files if path.is_file()),
        notes=tuple(_notes(read, splits, known, source)), versions=versions(), commit=commit(),
    )  # fmt: skip


def _known(name: str | None) -> Known | None:
    if name is not None and name not in KNOWN:
        raise HopeBenchError(f"No benchmark {name!r} is known by name. " + did_you_mean(name, KNOWN) + " Others: --columns.")
    return None if name is None else KNOWN[name]


def _read(files: Sequence[tuple[Path, str]], source: QuestionSource, known: Known | None, read: _Read) -> list[_Raw]:
    found: dict[Path, dict[str, str]] = {}
    raws: list[_Raw] = []
    rows: Iterable[QuestionRow | Left] = read_rows(files)
    if known is not None:
        rows = known.read(_checked(read_rows(files), known))
    for row in rows:
        if isinstance(row, Left):
            read.left[row.reason] += 1
            continue
        if row.file not in found:
            wanted = {
                **({} if known is None else {key: one for key, one in known.columns.items() if one in row.data}),
                **source.columns,
            }
            found[row.file] = find_columns(row.data, wanted, row.where)
        raws.append(_understood(row, found[row.file], source, read, named=known is not None))
    return [replace(raw, name=_with_ending(raw.name, read)) for raw in raws]


def _checked(rows: Iterable[QuestionRow], known: Known) -> Iterable[QuestionRow]:
    """The rows, each of which must have the columns that the benchmark's own files have."""
    for row in rows:
        lacking = [column for column in known.needs if column not in row.data]
        if lacking and not {"truth", "type"} <= row.data.keys():
            raise HopeBenchError(
                f"{row.where} is no row of {known.title}: no {', '.join(map(repr, lacking))}. Is it from {known.source}? Read it "
                "without --as, and with --columns."
            )
        yield row


def _understood(row: QuestionRow, found: Mapping[str, str], source: QuestionSource, read: _Read, *, named: bool) -> _Raw:
    lacking = [name for key, name in found.items() if key in ("question", "label") and name not in row.data]
    if lacking:
        raise HopeBenchError(f"{row.where}: no {', '.join(map(repr, lacking))}, though earlier rows have it.")
    text = row.data[found["question"]]
    if not isinstance(text, str) or not text.strip():
        raise HopeBenchError(f"{row.where}: {found['question']!r} holds no question: {str(text)[:60]!r}.")
    split = source.split or _split(row, found, certain=named or "split" in source.columns)
    if slug(split) != split:
        raise HopeBenchError(
            f"{row.where}: a split can't be called {split!r}: lower-case letters, digits, . and - only. Give --split."
        )
    number = row.data.get(found.get("id", ""))
    number = int(number) if isinstance(number, str) and number.isdecimal() else number
    thing = row.data.get(found.get("object", ""))
    return _Raw(
        where=row.where,
        split=split,
        number=number if isinstance(number, int) and not isinstance(number, bool) else None,
        name=_image(row, found, source.images, read),
        text=text.strip(),
        label=label_of(row.data, found, {"label": found["label"], **source.columns} if named else source.columns, row.where),
        object=thing if isinstance(thing, str) else None,
    )


def _split(row: QuestionRow, found: Mapping[str, str], *, certain: bool) -> str:
    """The split that a row names. A column that is merely called so counts where it names strategies: "category" may be a dog."""
    value = row.data.get(found.get("split", ""))
    if isinstance(value, str) and value and (certain or value.lower() in STRATEGY_KINDS):
        return value.lower() if value.lower() in STRATEGY_KINDS else value
    return row.split.lower().replace("_", "-") or "questions"


def _image(row: QuestionRow, found: Mapping[str, str], folder: Path | None, read: _Read) -> str:
    """The name of a row's image; a picture that the row holds is written under it, once."""
    picture = picture_of(row.data.get(found.get("image", "")))
    named = row.data.get(found.get("file", ""))
    name = named if isinstance(named, str) and named else picture.name
    digest = None if picture.data is None else hashlib.sha256(picture.data).hexdigest()
    if name is None and digest is None:
        raise HopeBenchError(f"{row.where}: names no image and holds no picture{_held(row, found)}.")
    name = str(digest)[:16] if name is None else name
    name = _relative(name, row.where, read)
    if not within_folder(name):
        raise HopeBenchError(f"{row.where}: image must be a file name relative to the images folder, not {name!r}.")
    if picture.data is not None:
        if PurePosixPath(name).suffix.lower() not in _ENDINGS:
            ending = ending_of(picture.data)
            if not ending:
                raise HopeBenchError(f"{row.where}: what it holds as its image is no picture.")
            read.endings[name] = ending
            name += ending
        before = read.images.get(name)
        if before is not None and before != digest:
            raise HopeBenchError(
                f"{row.where}: another picture than before is called {name!r}. Name the column of its file: --columns file=."
            )
        if before is None and folder is not None:
            write_bytes(folder / name, picture.data)
        read.pictures += before is None
        read.images[name] = digest
    return name


def _held(row: QuestionRow, found: Mapping[str, str]) -> str:
    """What stands where an image should be, in words."""
    held = {name: row.data[name] for key in ("file", "image") if (name := found.get(key, "")) and row.data.get(name) is not None}
    for name, value in held.items():
        if isinstance(value, list):
            return f" ({name!r} holds {len(value)}, and a question is asked of one)"
        return f" ({name!r} is {str(value)[:60]}, which is neither)"
    return ""


def _relative(name: str, where: str, read: _Read) -> str:
    """An image's name relative to the folder of images: of another machine's path or an address, its last part."""
    try:
        windows = PureWindowsPath(urlsplit(name).path if "://" in name else name)
    except ValueError:
        raise HopeBenchError(f"{where}: {name} is no address of an image.") from None
    path = PurePosixPath(windows.as_posix())
    if not (path.is_absolute() or windows.drive or "://" in name):
        return path.as_posix()
    if read.absolute.setdefault(path.name, path) != path:
        raise HopeBenchError(
            f"{where}: {path} and {read.absolute[path.name]} are two images of one name. Name a column of names that differ: "
            "--columns file=COLUMN, or write the paths relative to a folder of images."
        )
    return path.name


_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def _with_ending(name: str, read: _Read) -> str:
    """COCO_val2014_000000310196 is a .jpg, as all of COCO's are; others end as the pictures that rows held did."""
    if PurePosixPath(name).suffix.lower() in _ENDINGS:
        return name
    return name + read.endings.get(name, ".jpg" if name.startswith("COCO_") else "")


def _prompt(given: str | None, raws: Sequence[_Raw], *, kept: bool) -> tuple[str, bool]:
    """The prompt, and whether the questions are freed of what stands around them: where all are existence questions.
    `kept` leaves them as they are."""
    templates = Counter(None if (one := read_question(raw.text)) is None else one.template for raw in raws)
    existence = not kept and None not in templates
    if given is not None:
        given_prompt(given)
    if given is not None or not existence or not templates:
        return given or "{question}", existence
    if len(templates) > 1:
        shown = ", ".join(repr(template) for template, _ in templates.most_common(3))
        raise HopeBenchError(f"The rows wrap their questions in {len(templates)} ways: {shown}. Choose one with --prompt.")
    return str(next(iter(templates))), True


def _add(raw: _Raw, read: _Read, bare: bool) -> None:
    worded = read_question(raw.text) if bare else None
    text, thing = raw.text, raw.object
    if worded is not None:
        text, thing = existence_question(worded.object), worded.object
        if worded.template.replace("{question}", text) != raw.text:
            read.repaired[raw.text] += 1
    questions = read.splits.setdefault(raw.split, {})
    earlier = questions.get((raw.name, text))
    if earlier is not None:
        if earlier.label != raw.label:
            raise HopeBenchError(
                f"{raw.where}: {raw.name}: {text!r} is labelled {raw.label}, and {earlier.label} in an earlier row."
            )
        read.repeated += 1
        return
    taken = read.numbers.setdefault(raw.split, set())
    number = raw.number if raw.number is not None and raw.number not in taken else len(questions) + 1
    while number in taken:
        number += 1
    taken.add(number)
    questions[raw.name, text] = Question(number, raw.name, text, raw.label, raw.split, thing)


def _notes(read: _Read, splits: Mapping[str, Sequence[Question]], known: Known | None, source: QuestionSource) -> list[str]:
    notes = [
        f"{counted(count, 'question was', 'questions were')} worded {text!r}; repaired."
        for text, count in sorted(read.repaired.items())[:20]
    ]
    notes += [f"{counted(count, 'row')} {reason} left out." for reason, count in read.left.items()]
    if read.repeated:
        notes.append(f"{counted(read.repeated, 'row repeats', 'rows repeat')} an earlier question of their split, counted once.")
    if read.pictures and source.images is None:
        notes.append(
            f"The rows hold {counted(read.pictures, 'picture')}, which "
            f"{'was' if read.pictures == 1 else 'were'} not written: import again with --images FOLDER."
        )
    if known is not None:
        differing = [one for split, count in known.published.items() for one in _differing(split, count, splits.get(split, ()))]
        notes += [f"Of the questions that {known.title} published, {first_few(differing)}."] if differing else []
    return notes + (unshared_positives(splits) if set(splits) <= set(STRATEGY_KINDS) else [])


def _differing(split: str, published: Count, questions: Sequence[Question]) -> list[str]:
    """What a split's counts say that isn't as published: how many questions, else how many of them are a yes."""
    if len(questions) != published.total:
        return [f"{split} has {len(questions):,} of {published.total:,}"]
    yes = sum(question.label == "yes" for question in questions)
    return [] if published.yes in (None, yes) else [f"{split} has {yes:,} yes where {published.yes:,} are"]


def columns_of(given: Sequence[str]) -> dict[str, str]:
    """`KEY=COLUMN` pairs as a mapping, several in one with commas. Raises HopeBenchError for anything else."""
    made: dict[str, str] = {}
    for pair in (part.strip() for one in given for part in one.split(",")):
        key, sign, column = pair.partition("=")
        if not sign or not key or not column or key in made:
            raise HopeBenchError(f"--columns {pair}: give KEY=COLUMN, such as question=query, each KEY once.")
        made[key] = column
    return made
