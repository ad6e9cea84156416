"""What lies in a folder or among some files: annotations, captions of the same images, and the folder of the images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hope_bench.annotations import detect_format, read_annotations
from hope_bench.annotations.fitting import fit_names
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.spec import BenchmarkSpec
from hope_bench.records import Annotations

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
_TEXTS = frozenset((".json", ".jsonl", ".ndjson", ".csv", ".parquet"))
_ENTRIES = 200_000
"""Files looked at before a folder is given up as too large to look through."""
_PEEK = 1 << 20
"""Bytes of a file's beginning and end by which its kind is told: COCO's keys stand at one of them."""
_PROBES = 200
"""Image names by which folders are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What there is to make a benchmark from: the `annotations` (read as `read`, images named as in `images`), a COCO `captions`
    file of the same images, and their folder; None for what isn't there. `also` are other annotation files."""

    annotations: Path
    read: Annotations
    captions: Path | None
    images: Path | None
    also: tuple[Path, ...]


def look(paths: Sequence[Path], images: Path | None = None, captions: Path | None = None) -> Found:
    """Look through files and folders for what a benchmark is made from.

    Raises HopeBenchError where something isn't there, no annotations are found, or several that nothing tells apart; and for
    annotations that can't be read.
    """
    for path in (*paths, images, captions):
        if path is not None and not path.exists():
            raise HopeBenchError(f"{path} does not exist.")
    if images is not None and not images.is_dir():
        raise HopeBenchError(f"The images folder {images} is not a folder.")
    named, spoken_files = _by_kind(paths)
    roots = [path for path in paths if path.is_dir()] or [path.parent for path in paths]
    chosen = _the_one(named, [images] if images is not None else roots)
    read = read_annotations(chosen)
    folder = images if images is not None else _images_of(read, chosen, roots)
    read = _named_as_in(folder, read)
    spoken = captions or _captions_of(chosen, spoken_files or _captions_beside(chosen))
    if spoken is not None:
        read = _named_as_in(folder, read_annotations(chosen, captions=spoken))
    return Found(chosen, read, spoken, folder, tuple(file for file in named if file != chosen))


def locate(paths: Sequence[Path]) -> Path | None:
    """The annotations that `look` would read; None where it finds none or several."""
    try:
        return _the_one(_by_kind(paths)[0], [path for path in paths if path.is_dir()])
    except (HopeBenchError, OSError):
        return None


def _by_kind(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The annotations and the captions files among paths. Raises HopeBenchError where there are no annotations."""
    files = dict.fromkeys(file for path in paths for file in _annotation_files(path))
    kinds = {file: "annotations" if file.is_dir() else _kind(file) for file in files}
    named, captions = ([file for file, kind in kinds.items() if kind == wanted] for wanted in ("annotations", "captions"))
    if not named and len(paths) == 1 and paths[0].is_file():
        return [paths[0]], []  # let its reader say what is wrong with it
    if not named:
        raise HopeBenchError(_nothing(paths))
    return named, captions


def found_of(spec: BenchmarkSpec) -> Found:
    """What a spec names, read as it says. Raises HopeBenchError where something is missing or can't be read."""
    data = spec.dataset
    if data.annotations is None:
        raise HopeBenchError(
            f"Spec {spec.name!r} names no annotations. Pass --annotations FILE, or set dataset.annotations in it."
        )
    path, captions = Path(data.annotations), None if data.captions is None else Path(data.captions)
    folder = None if data.images is None else Path(data.images)
    if folder is not None and not folder.is_dir():
        raise HopeBenchError(f"The images folder {folder} does not exist or is not a folder.")
    read = read_annotations(path, data.format, captions, data.files, data.columns)
    return Found(path, _named_as_in(folder, read), captions, folder, ())


def _annotation_files(path: Path) -> Iterator[Path]:
    """A file itself; a folder that is a dataset of a known format; else whatever may be annotations within it."""
    if path.is_file():
        yield path
        return
    try:
        detect_format(path)
    except HopeBenchError:
        for folder, files in _walk(path):
            yield from (folder / name for name in files if Path(name).suffix.lower() in _TEXTS)
    else:
        yield path


def _walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below one, with its files' names, sorted; hidden ones left out."""
    seen = 0
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(files)
        yield Path(folder), sorted(name for name in files if not name.startswith("."))
        if seen > _ENTRIES:
            return


def _kind(file: Path) -> Literal["annotations", "captions", "other"]:
    if file.suffix.lower() not in (".json", ""):
        try:
            return "annotations" if detect_format(file) in ("object-list", "open-images", "hf-dataset") else "other"
        except HopeBenchError:
            return "other"
    with file.open("rb") as stream:
        ends = stream.read(_PEEK)
        stream.seek(max(stream.tell(), file.stat().st_size - _PEEK))
        ends += stream.read(_PEEK)
    if b'"categories"' in ends and b'"annotations"' in ends:
        return "other" if b'"segments_info"' in ends or b'"keypoints"' in ends else "annotations"
    if b'"caption"' in ends and b'"image_id"' in ends:
        return "captions"
    if file.name == "objects.json" or b'"objects"' in ends[:10_000].split(b"\n", 1)[0]:
        return "annotations"
    return "other"


def _the_one(named: Sequence[Path], roots: Sequence[Path]) -> Path:
    """The only annotations, or the only ones whose name says which of the images' folders they are about ("val2017")."""
    if len(named) == 1:
        return named[0]
    folders = {part.lower() for root in roots for part in (root.name, *(path.name for path in root.iterdir() if path.is_dir()))}
    about = [path for path in named if any(folder in path.stem.lower() for folder in folders if len(folder) > 2)]
    if len(about) == 1:
        return about[0]
    listed = first_few((str(path) for path in named), 6)
    raise HopeBenchError(f"There are {len(named)} files of annotations: {listed}. Name one of them: hope-bench init {named[0]}")


def _images_of(annotations: Annotations, file: Path, roots: Sequence[Path]) -> Path | None:
    """The folder that holds most of the images, below `roots` or beside the annotations; the least deep of several."""
    every = annotations.images
    names = [image.file_name for image in every[:: max(1, len(every) // _PROBES)]]
    above = file.parent.parent if file.parent.name.lower() in ("annotations", "labels") else file.parent
    best: tuple[int, int, Path] | None = None
    for root in dict.fromkeys((*roots, file if file.is_dir() else file.parent, above)):
        holding = [folder for folder, files in _walk(root) if any(Path(name).suffix.lower() in PICTURES for name in files)]
        for folder in dict.fromkeys((root, *holding, *(one.parent for one in holding if one != root))):
            shown = _named_as_in(folder, annotations).images[:: max(1, len(every) // _PROBES)]
            hits = sum((folder / image.file_name).is_file() for image in shown[: len(names)])
            rank = (hits, -len(folder.parts), folder)
            if hits and (best is None or rank[:2] > best[:2]):
                best = rank
    return None if best is None else best[2]


def _captions_of(annotations: Path, captions: Sequence[Path]) -> Path | None:
    """The captions file that goes with the annotations: of the same subset by its name, or the only one."""
    subset = annotations.stem.rpartition("_")[2]
    same = [file for file in captions if file.stem.endswith(f"_{subset}")]
    return same[0] if len(same) == 1 else captions[0] if len(captions) == 1 else None


def _captions_beside(annotations: Path) -> list[Path]:
    """COCO's captions files lie beside its instances, by that name."""
    beside = sorted(annotations.parent.glob("captions_*.json")) if annotations.is_file() else []
    subset = annotations.stem.rpartition("_")[2]
    return [file for file in beside if file.stem.endswith(f"_{subset}") and _kind(file) == "captions"]


def _named_as_in(folder: Path | None, annotations: Annotations) -> Annotations:
    return annotations if folder is None else fit_names(annotations, lambda name: (folder / name).is_file())


def _nothing(paths: Sequence[Path]) -> str:
    where = ", ".join(map(str, paths))
    if len(paths) == 1 and paths[0].is_dir():
        try:
            detect_format(paths[0])
        except HopeBenchError as error:
            return str(error)
    return f"{where}: no annotations of a known format (docs/datasets.md). Convert them to COCO's, or name the right file."
