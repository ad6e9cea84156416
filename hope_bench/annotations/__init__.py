"""Annotation files in, `Annotations` out: one module per format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hope_bench.annotations.coco import read_coco
from hope_bench.annotations.coco_file import load_instances
from hope_bench.annotations.detect import detect_format
from hope_bench.annotations.hf_dataset import read_hf_dataset
from hope_bench.annotations.hf_source import dataset_files
from hope_bench.annotations.lvis import read_lvis
from hope_bench.annotations.object_list import read_object_list
from hope_bench.annotations.open_images import find_open_images, read_open_images
from hope_bench.annotations.visual_genome import read_visual_genome, visual_genome_files
from hope_bench.annotations.wording import words
from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.spec import Format, NamedFormat
from hope_bench.records import Annotations
from hope_bench.wording import bare

__all__ = ["annotation_files", "detect_format", "read_annotations"]

_FILE_KEYS: dict[NamedFormat, tuple[str, ...]] = {
    "open-images": ("boxes", "labels", "classes", "hierarchy"),
    "hf-dataset": ("split",),
}


def read_annotations(
    path: Path,
    format: Format = "auto",
    captions: Path | None = None,
    files: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Annotations:
    """Read an annotation file or folder; "auto" tells the format from the files themselves.

    `captions` is a COCO captions file (COCO and LVIS). `files` names what could be several files beside the annotations (Open
    Images: boxes, labels, classes, hierarchy) or a split (Hugging Face: split); `columns` names the columns of a Hugging Face
    dataset. Raises HopeBenchError where a file is missing or isn't what it should be.
    """
    annotations = _read(path, format, captions, files or {}, columns or {})
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


def _read(path: Path, format: Format, captions: Path | None, files: Mapping[str, str], columns: Mapping[str, str]) -> Annotations:
    named = _checked_format(path, format, captions, files, columns)
    if named == "object-list":
        return read_object_list(path)
    if named == "open-images":
        return read_open_images(path, files)
    if named == "visual-genome":
        return read_visual_genome(path)
    if named == "hf-dataset":
        return read_hf_dataset(path, columns, files.get("split", ""))
    file = load_instances(path)
    if named == "lvis" or (format == "auto" and file.images.negative is not None):  # LVIS shows in the images, once decoded
        return read_lvis(file, captions)
    return read_coco(file, captions)


def annotation_files(
    path: Path, format: Format = "auto", captions: Path | None = None, files: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Every file that `read_annotations` would read, for a manifest. Raises HopeBenchError where one is missing."""
    named = _checked_format(path, format, captions, files or {}, {})
    if named == "open-images":
        return find_open_images(path, files or {}).paths
    if named == "visual-genome":
        return tuple(visual_genome_files(path).values())
    if named == "hf-dataset":
        return dataset_files(path, (files or {}).get("split", ""))
    return (path,) if captions is None else (path, captions)


def _checked_format(
    path: Path, format: Format, captions: Path | None, files: Mapping[str, str], columns: Mapping[str, str]
) -> NamedFormat:
    """The format, after refusing what is missing or would be ignored."""
    if captions is not None and not captions.is_file():
        raise HopeBenchError(f"{captions} does not exist or is not a file.")
    if not path.exists():
        raise HopeBenchError(f"{path} does not exist.")
    named = detect_format(path) if format == "auto" else format
    if path.is_dir() and named in ("coco", "lvis", "object-list"):
        raise HopeBenchError(f"{path} is a folder; name the annotation file in it (format {named!r}).")
    if captions is not None and named not in ("coco", "lvis"):
        kind = "an object list" if named == "object-list" else named
        raise HopeBenchError(f"{captions}: captions go with COCO annotations, but {path} is {kind}.")
    if columns and named != "hf-dataset":
        raise HopeBenchError(f"columns are those of a Hugging Face dataset, but {path} is {named}. Remove them.")
    for key in files:
        if key not in _FILE_KEYS.get(named, ()):
            known = did_you_mean(key, _FILE_KEYS.get(named, ()))
            raise HopeBenchError(f"files.{key} means nothing for {path}, which is {named}. {known}")
    return named
