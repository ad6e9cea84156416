"""What lies in a folder or among some files: annotations, captions of the same images, and the folder of the images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hope_bench.annotations import detect_format
from hope_bench.annotations.fitting import fit_names
from hope_bench.annotations.image_files import files_within, lies_in
from hope_bench.annotations.of_spec import check_names, listed_images, read_dataset
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.reading import reading
from hope_bench.files.spec import BenchmarkSpec, DatasetSpec
from hope_bench.records import Annotations, Image

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
_TEXTS = frozenset((".json", ".jsonl", ".ndjson", ".csv", ".parquet"))
_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))
_ENTRIES = 200_000
"""Files looked at before a folder is given up as too large to look through."""
_PEEK = 1 << 20
"""Bytes of a file's beginning and end by which its kind is told: COCO's keys stand at one of them."""
_PROBES = 200
"""Image names by which folders are compared."""
_SPLIT = re.compile(r"(?:^|[^a-z])(train|test|val|valid|validation)(?:ing|\d{4})?(?:[^a-z\d]|$)")
_FIRST = ("val", "valid", "validation", "test", "train")
"""Of several splits the first of these is read: models are trained on the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What there is to make a benchmark from: the `annotations` (read as `read`, images named as in `images`), COCO `captions` of
    the same images, and their folder, None where none is found. `also` are other annotation files; `listed` the images that may
    be asked about, None: all."""

    annotations: tuple[Path, ...]
    read: Annotations
    captions: tuple[Path, ...]
    images: Path | None
    also: tuple[Path, ...]
    listed: frozenset[int] | None = None


def look(
    paths: Sequence[Path], images: Path | None = None, captions: Sequence[Path] = (), image_list: Path | None = None
) -> Found:
    """Look through files and folders for what a benchmark is made from; several files that are named are taken together, and so
    are the splits of an export (`_are_splits`).

    Raises HopeBenchError where something isn't there, no annotations are found, or several that nothing tells apart; and for
    annotations that can't be read.
    """
    for path in (*paths, *captions, *(() if images is None else (images,))):
        if not path.exists():
            raise HopeBenchError(f"{path} does not exist.")
    if images is not None and not images.is_dir():
        raise HopeBenchError(f"The images folder {images} is not a folder.")
    named, spoken = _by_kind(paths)
    roots = [path for path in paths if path.is_dir()] or [path.parent for path in paths]
    chosen = _chosen(paths, named, [images] if images is not None else roots)
    read = read_dataset(DatasetSpec(), chosen)
    folder = images if images is not None else _images_of(read, chosen[0], roots)
    said = tuple(captions) or _captions_of(chosen, spoken or [one for file in chosen for one in _captions_beside(file)])
    if said:
        read = read_dataset(DatasetSpec(captions=tuple(map(str, said))), chosen)
    fitted = _named_as_in(folder, check_names(read))
    listed = None if image_list is None else listed_images(image_list, fitted)[0]
    return Found(chosen, fitted, said, folder, tuple(file for file in named if file not in chosen), listed)


def locate(paths: Sequence[Path]) -> Path | None:
    """The annotations that `look` would read; None where it finds none or several."""
    try:
        return _chosen(paths, _by_kind(paths)[0], [path for path in paths if path.is_dir()])[0]
    except (HopeBenchError, OSError):
        return None


def _by_kind(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The annotations and the captions files among paths. Raises HopeBenchError where there are no annotations."""
    files = dict.fromkeys(file for path in paths for file in _annotation_files(path))
    kinds = {file: "annotations" if file.is_dir() else _kind(file) for file in files}
    named, captions = ([file for file, kind in kinds.items() if kind == wanted] for wanted in ("annotations", "captions"))
    named = named or [file for file, kind in kinds.items() if kind == "keypoints"]  # COCO's own lie beside its instances
    if not named and len(paths) == 1 and paths[0].is_file():
        return [paths[0]], []  # let its reader say what is wrong with it
    if not named:
        raise HopeBenchError(_nothing(paths))
    return named, captions


def found_of(spec: BenchmarkSpec) -> Found:
    """What a spec names, read as it says. Raises HopeBenchError where something is missing or can't be read."""
    data = spec.dataset
    if not data.annotation_paths:
        raise HopeBenchError(
            f"Spec {spec.name!r} names no annotation file. Pass --annotations FILE, or set dataset.annotations in it."
        )
    folder = None if data.images is None else Path(data.images)
    if folder is not None and not folder.is_dir():
        raise HopeBenchError(f"The images folder {folder} does not exist or is not a folder.")
    read = _named_as_in(folder, check_names(read_dataset(data)))
    listed = None if data.image_list is None else listed_images(Path(data.image_list), read)[0]
    return Found(data.annotation_paths, read, data.caption_paths, folder, (), listed)


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


def _kind(file: Path) -> Literal["annotations", "keypoints", "captions", "other"]:
    if file.suffix.lower() not in (".json", ""):
        try:
            return "annotations" if detect_format(file) in ("object-list", "open-images", "hf-dataset") else "other"
        except HopeBenchError:
            return "other"
    try:
        with reading(file), file.open("rb") as stream:
            ends = stream.read(_PEEK)
            stream.seek(max(stream.tell(), file.stat().st_size - _PEEK))
            ends += stream.read(_PEEK)
    except HopeBenchError:  # a broken link, say, among much else
        return "other"
    if b'"categories"' in ends and b'"annotations"' in ends:
        if b'"segments_info"' in ends:
            return "other"
        return "keypoints" if b'"keypoints"' in ends else "annotations"
    if b'"caption"' in ends and b'"image_id"' in ends:
        return "captions"
    if file.name == "objects.json" or b'"objects"' in ends[:10_000].split(b"\n", 1)[0]:
        return "annotations"
    return "other"


def _chosen(paths: Sequence[Path], named: Sequence[Path], roots: Sequence[Path]) -> tuple[Path, ...]:
    """The files that were named themselves; of what a folder holds the only annotations, the only ones whose name says which of
    the images' folders they are about ("val2017"), or the splits of one export."""
    if len(named) == 1 or all(path.is_file() for path in paths) or _are_splits(named):
        return tuple(named)
    folders = {part.lower() for root in roots for part in (root.name, *(path.name for path in root.iterdir() if path.is_dir()))}
    about = [path for path in named if any(folder in path.stem.lower() for folder in folders if len(folder) > 2)]
    if len(about) == 1:
        return (about[0],)
    splits = [_split_of(file) for file in named]
    if None not in splits and len(set(splits)) == len(splits):
        return (named[splits.index(next(split for split in _FIRST if split in splits))],)
    listed = first_few((str(path) for path in named), 6)
    raise HopeBenchError(
        f"There are {len(named)} files of annotations: {listed}. Name one of them, or those that belong together: "
        f"hope-bench init {named[0]}"
    )


def _split_of(file: Path) -> str | None:
    """The one split that a file's name, or else its folder's, says it is: val2017.json, valid/_annotations.coco.json."""
    for name in (file.stem.lower(), file.parent.name.lower()):
        if len(found := set(_SPLIT.findall(name))) == 1:
            return str(found.pop())
    return None


def _are_splits(files: Sequence[Path]) -> bool:
    """Whether files are one in each of a dataset's splits, as Roboflow writes them: train/_annotations.coco.json, valid/..."""
    beside = len({file.parent.parent for file in files}) == len({file.name for file in files}) == 1
    return beside and {file.parent.name.lower() for file in files} <= _SPLITS


def _images_of(annotations: Annotations, file: Path, roots: Sequence[Path]) -> Path | None:
    """The folder that holds most of the images, below `roots` or beside the annotations; the least deep of several."""
    own = file if file.is_dir() else file.parent
    above = own.parent if own.name.lower() in ("annotations", "labels", "xml", "json") else own  # what lies beside may be others'
    places = list(dict.fromkeys((*roots, own, above)))
    best: tuple[int, int, int, Path] | None = None
    within: list[Path] = []
    for place, root in enumerate(places):
        holding = [folder for folder, files in _walk(root) if any(Path(name).suffix.lower() in PICTURES for name in files)]
        within += holding
        for folder in dict.fromkeys((root, *holding, *(one.parent for one in holding if one != root))):
            fitted = fit_names(annotations, lambda name, folder=folder: _is_there(folder, name))  # type: ignore[misc]
            rank = (_there(fitted, folder), -place, -len(folder.parts), folder)
            if rank[0] and (best is None or rank[:3] > best[:3]):
                best = rank
    hits = 0 if best is None else best[0]
    if best is not None and hits == len(_few(annotations)):
        return best[3]
    together = Path(os.path.commonpath([root.absolute() for root in roots]))
    together = Path(os.path.relpath(together)) if not roots[0].is_absolute() else together
    deeper = {root: _there_somehow(annotations, root) for root in dict.fromkeys((together, *places, *within))}
    most = max(deeper, key=lambda root: deeper[root])
    return most if deeper[most] > hits else None if best is None else best[3]


def _there(annotations: Annotations, folder: Path) -> int:
    """How many of a few images are in a folder."""
    return sum(_is_there(folder, image.file_name) for image in _few(annotations))


def _is_there(folder: Path, name: str) -> bool:
    return os.path.isfile(folder / name)  # noqa: PTH113 (Path.is_file raises where a name is too long)


def _few(annotations: Annotations) -> Sequence[Image]:
    return annotations.images[:: max(1, len(annotations.images) // _PROBES)]


def _there_somehow(annotations: Annotations, folder: Path) -> int:
    """How many of a few images are in a folder by another ending, or deeper than they are named."""
    try:
        return _there(_named_as_in(folder, annotations), folder)
    except HopeBenchError:  # some could be several files
        return 0


def _captions_of(annotations: Sequence[Path], captions: Sequence[Path]) -> tuple[Path, ...]:
    """The captions files that go with the annotations: of the same subsets by their names, or the only one."""
    subsets = [file.stem.rpartition("_")[2] for file in annotations]
    same = tuple(file for file in captions if any(file.stem.endswith(f"_{subset}") for subset in subsets))
    return same or (tuple(captions) if len(captions) == 1 else ())


def _captions_beside(annotations: Path) -> list[Path]:
    """COCO's captions files lie beside its instances, by that name."""
    beside = sorted(annotations.parent.glob("captions_*.json")) if annotations.is_file() else []
    subset = annotations.stem.rpartition("_")[2]
    return [file for file in beside if file.stem.endswith(f"_{subset}") and _kind(file) == "captions"]


def _named_as_in(folder: Path | None, annotations: Annotations) -> Annotations:
    if folder is None:
        return annotations
    return fit_names(annotations, lambda name: lies_in(folder, name), lambda: files_within(folder))


def _nothing(paths: Sequence[Path]) -> str:
    where = ", ".join(map(str, paths))
    if len(paths) == 1 and paths[0].is_dir():
        try:
            detect_format(paths[0])
        except HopeBenchError as error:
            return str(error)
    return f"{where}: no annotations of a known format (docs/datasets.md). Convert them to COCO's, or name the right file."
