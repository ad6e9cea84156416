"""Annotation files in, `Annotations` out: one module per format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hope_bench.annotations.coco import read_coco
from hope_bench.annotations.coco_file import load_instances
from hope_bench.annotations.detect import detect_format
from hope_bench.annotations.hf_dataset import read_hf_dataset
from hope_bench.annotations.hf_source import dataset_files
from hope_bench.annotations.labelme import labelme_files, read_labelme
from hope_bench.annotations.lvis import read_lvis
from hope_bench.annotations.object_list import read_object_list
from hope_bench.annotations.open_images import find_open_images, read_open_images
from hope_bench.annotations.visual_genome import read_visual_genome, visual_genome_files
from hope_bench.annotations.voc import read_voc, voc_files
from hope_bench.annotations.wording import words
from hope_bench.annotations.yolo import find_split, read_yolo
from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.reading import reading
from hope_bench.files.spec import Format, NamedFormat
from hope_bench.records import Annotations, BoxLayout
from hope_bench.wording import bare

__all__ = ["annotation_files", "detect_format", "read_annotations"]

_FILE_KEYS: dict[NamedFormat, tuple[str, ...]] = {
    "open-images": ("boxes", "labels", "classes", "hierarchy"),
    "hf-dataset": ("split",),
    "yolo": ("split",),
}


def read_annotations(
    path: Path,
    format: Format = "auto",
    captions: Path | Sequence[Path] | None = None,
    files: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    boxes: BoxLayout | None = None,
) -> Annotations:
    """Read an annotation file or folder; "auto" tells the format from the files themselves.

    `captions` are COCO captions files (COCO and LVIS). `files` names what could be several files beside the annotations (Open
    Images: boxes, labels, classes, hierarchy) or a split (Hugging Face, YOLO: split); `columns` names the columns of a Hugging
    Face dataset. `boxes` is what the four numbers of a COCO or Hugging Face box are; None: as all of them tell. Raises
    HopeBenchError where a file is missing or isn't what it should be.
    """
    with reading(path):
        annotations = _read(path, format, _several(captions), files or {}, columns or {}, boxes)
    _check_said_apart(path, annotations)
    return annotations


def _check_said_apart(path: Path, annotations: Annotations) -> None:
    """Raise HopeBenchError where two categories make the same question but for case, spaces and an article: it would be asked of
    one image with both answers, "Is there a Dining Table?" yes and "Is there a dining table?" no."""
    said: dict[str, list[str]] = {}
    for category in annotations.categories:
        said.setdefault(bare(words(category.in_words)).casefold(), []).append(category.name)
    alike = [" and ".join(map(repr, names)) for names in said.values() if len(names) > 1]
    if alike:
        raise HopeBenchError(
            f"{path}: {counted(len(alike), 'category goes', 'categories go')} by more than one name that "
            f"questions say alike ({first_few(alike, 3)}). "
            "Give them one name, or different ones."
        )


def _several(captions: Path | Sequence[Path] | None) -> tuple[Path, ...]:
    return () if captions is None else (captions,) if isinstance(captions, Path) else tuple(captions)


def _read(
    path: Path,
    format: Format,
    captions: Sequence[Path],
    files: Mapping[str, str],
    columns: Mapping[str, str],
    boxes: BoxLayout | None,
) -> Annotations:
    named = _checked_format(path, format, captions, files, columns)
    if named == "object-list":
        return read_object_list(path)
    if named == "open-images":
        return read_open_images(path, files)
    if named == "visual-genome":
        return read_visual_genome(path)
    if named == "yolo":
        return read_yolo(path, files.get("split", ""))
    if named == "voc":
        return read_voc(path)
    if named == "labelme":
        return read_labelme(path)
    if named == "hf-dataset":
        return read_hf_dataset(path, columns, files.get("split", ""), boxes)
    file = load_instances(path)
    if named == "lvis" or (format == "auto" and file.images.negative is not None):  # LVIS shows in the images, once decoded
        return read_lvis(file, captions, boxes)
    return read_coco(file, captions, boxes)


def annotation_files(
    path: Path,
    format: Format = "auto",
    captions: Path | Sequence[Path] | None = None,
    files: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Every file that `read_annotations` would read, for a manifest. Raises HopeBenchError where one is missing."""
    with reading(path):
        return _files(path, _checked_format(path, format, _several(captions), files or {}, {}), _several(captions), files or {})


def _files(path: Path, named: NamedFormat, captions: Sequence[Path], files: Mapping[str, str]) -> tuple[Path, ...]:
    if named == "open-images":
        return find_open_images(path, files).paths
    if named == "visual-genome":
        return tuple(visual_genome_files(path).values())
    if named == "yolo":
        split = find_split(path, files.get("split", ""))
        return (split.yaml, *(file for _, file in split.labels if file.is_file()))
    if named == "voc":
        return voc_files(path)[1]
    if named == "labelme":
        return labelme_files(path)
    if named == "hf-dataset":
        return dataset_files(path, files.get("split", ""))
    return (path, *captions)


def _checked_format(
    path: Path, format: Format, captions: Sequence[Path], files: Mapping[str, str], columns: Mapping[str, str]
) -> NamedFormat:
    """The format, after refusing what is missing or would be ignored."""
    for file in captions:
        if not file.is_file():
            raise HopeBenchError(f"{file} does not exist or is not a file.")
    if not path.exists():
        raise HopeBenchError(f"{path} does not exist.")
    named = detect_format(path) if format == "auto" else format
    if path.is_dir() and named in ("coco", "lvis", "object-list"):
        raise HopeBenchError(f"{path} is a folder; name the annotation file in it (format {named!r}).")
    if named in ("voc", "labelme") and not path.is_dir():
        raise HopeBenchError(f"{path} is a file; name the folder that holds the annotations of all pictures (format {named!r}).")
    if captions and named not in ("coco", "lvis"):
        kind = "an object list" if named == "object-list" else named
        raise HopeBenchError(f"{captions[0]}: captions go with COCO annotations, but {path} is {kind}.")
    if columns and named != "hf-dataset":
        raise HopeBenchError(f"columns are those of a Hugging Face dataset, but {path} is {named}. Remove them.")
    for key in files:
        if key not in _FILE_KEYS.get(named, ()):
            known = did_you_mean(key, _FILE_KEYS.get(named, ()))
            raise HopeBenchError(f"files.{key} means nothing for {path}, which is {named}. {known}")
    return named
