"""A Hugging Face `datasets` dataset on disk: a save_to_disk folder, a parquet file, or a folder of parquet files.

One row is one image: an image column, and an objects column that holds per object its category and perhaps its box (a list of
structs, or a struct of lists as in cppe-5), or just a list of names. Categories are text, or integers of a ClassLabel.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hope_bench.annotations.box_layout import settle_boxes
from hope_bench.annotations.columns import InstanceRows, assemble, single
from hope_bench.annotations.hf_source import Source, open_dataset, reading_dataset
from hope_bench.annotations.ids import unique_index
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.reading import normalized
from hope_bench.provenance import locked, write_bytes
from hope_bench.records import Annotations, BoxLayout, Category, Image

COLUMNS: dict[str, tuple[str, ...]] = {
    "image": ("image", "img"),
    "file_name": ("file_name", "filename", "image_path", "path"),
    "width": ("width",),
    "height": ("height",),
    "objects": ("objects", "annotations", "labels"),
    "category": ("category", "categories", "label", "labels", "category_id", "name", "class"),
    "box": ("bbox", "bboxes", "box", "boxes"),
    "area": ("area",),
    "crowd": ("iscrowd", "is_crowd", "crowd"),
}
"""What is read, and the column names it is found under; those from `category` on are fields of the objects column."""

BOX_FORMATS = ("xywh", "xyxy")


def read_hf_dataset(
    path: Path, columns: Mapping[str, str] | None = None, split: str = "", boxes: BoxLayout | None = None
) -> Annotations:
    """Read a dataset; `columns` names what isn't found under a usual name (COLUMNS), and box_format ("xywh" or "xyxy").

    `split` picks one of several. Boxes are read as box_format or `boxes` says, else as all of them tell. Image files are the
    file_name column or the image column's path, else the row number and .jpg, under which `export_images` writes them. Raises
    HopeBenchError where the dataset can't be read, a column is missing, a category has no name, or an image occurs twice.
    """
    source, wanted = open_dataset(path, split), dict(columns or {})
    box_format = wanted.pop("box_format", None)
    if box_format not in (None, *BOX_FORMATS):
        raise HopeBenchError(f"columns.box_format is {box_format!r}. {did_you_mean(box_format, BOX_FORMATS)}")
    found = _find_columns(source, wanted)
    vocabulary = _Vocabulary(source, found)
    images: list[Image] = []
    rows = _Rows(vocabulary)
    top = [found[key] for key in ("image", "file_name", "width", "height", "objects") if key in found]
    with reading_dataset(path):
        for batch in source.batches(top, False):
            for row in batch:
                images.append(_image(row, found, len(images)))
                rows.add(len(images) - 1, _objects(row[found["objects"]], found))
        collected = rows.columns("box" in found)
    unique_index(path, "image file name", [image.file_name for image in images])
    if not images:
        raise HopeBenchError(f"{path} holds no rows.")
    said: BoxLayout | None = box_format or boxes  # type: ignore[assignment]
    refuse = partial(_refuse_corners, path, len(rows.boxes))
    units, problems = settle_boxes(path, collected, images, said, refuse)
    annotations = assemble(path.name, tuple(images), vocabulary.categories(), collected, {}, units)
    if source.others:
        problems.append(f"{path.name}: {_told(source)}")
    if rows.unknown:
        problems.append(
            f"{path.name}: {counted(rows.unknown.total(), 'object')} without a known category left out "
            f"({first_few(rows.unknown)})."
        )
    return replace(annotations, problems=(*problems, *annotations.problems))


def _told(source: Source) -> str:
    others = ", ".join(source.others)
    return f"has several splits, of which {source.split} is read. files.split names another: {others}."


def _refuse_corners(path: Path, boxes: int, layout: BoxLayout) -> None:
    """A dataset's own documentation says what its boxes are, not a format that all have: whoever generates has read it."""
    if layout == "xyxy":
        raise HopeBenchError(
            f"{path}: many of {boxes:,} boxes reach beyond their image, but don't as corners (left, top, right, bottom). Are "
            'they corners? Then set columns.box_format = "xyxy"; if they are (x, y, width, height) all the same, "xywh".'
        )


@dataclass(frozen=True, slots=True)
class ExportedImages:
    """How many pictures were written, and of the rows that hold none and have no file yet, where they point."""

    written: int
    missing: tuple[str, ...]


def export_images(path: Path, folder: Path, columns: Mapping[str, str] | None = None, split: str = "") -> ExportedImages:
    """Write the images that the dataset holds as bytes into `folder`, under the names `read_hf_dataset` gives (those already
    there are left). Raises HopeBenchError where the dataset can't be read or has no rows, none of them holds a picture, or two
    would be one file (nothing is written then), and at a file that holds another picture, such as another split's."""
    with locked(folder):
        return _export_images(path, folder, columns, split)


def _export_images(path: Path, folder: Path, columns: Mapping[str, str] | None, split: str) -> ExportedImages:
    source = open_dataset(path, split)
    keys = ("image", "file_name")
    found = _find_columns(source, {key: name for key, name in (columns or {}).items() if key != "box_format"}, keys)
    if "image" not in found:
        raise HopeBenchError(f"{path} has no image column (its columns: {first_few(source.features, 20)}).")
    _check_distinct(source, found, folder)
    number = held = written = 0
    missing: list[str] = []
    for batch in source.batches([found[key] for key in keys if key in found], True):
        for row in batch:
            target = folder / _image(row, found, number).file_name
            number += 1
            value = row[found["image"]]
            data = value.get("bytes") if isinstance(value, dict) else None
            data = data if isinstance(data, bytes) else None
            if "\0" in target.name:
                raise HopeBenchError(f"{path}: row {number - 1} names its image {target}, as no file can be called.")
            inside = target.resolve().is_relative_to(folder.resolve())
            if data and not inside:
                raise HopeBenchError(f"{path}: row {number - 1} names its image {target}, which is outside {folder}.")
            held += bool(data)
            if inside and target.is_file():
                if data and target.read_bytes() != data:
                    raise HopeBenchError(
                        f"{target} is there already, and is not the picture of row {number - 1} of {path}. Give each dataset, "
                        "and each split of one, a folder of its own (--out)."
                    )
                continue
            if data:
                write_bytes(target, data)
                written += 1
            else:
                pointed = value.get("path") if isinstance(value, dict) else value
                missing.append(str(pointed or f"nowhere (row {number - 1})"))
    if not number:
        raise HopeBenchError(f"{path} holds no rows.")
    if missing and not held:
        raise HopeBenchError(
            f"{path}: no picture can be written to {folder}: {len(missing):,} of {counted(number, 'row')} hold "
            "no picture bytes, and no "
            f"row holds any. They point to {first_few(missing, 3)}. If those files are there, give their folder to hope-bench "
            "generate as --images; else save the dataset with the pictures in it."
        )
    return ExportedImages(written, tuple(missing))


def _check_distinct(source: Source, found: Mapping[str, str], folder: Path) -> None:
    """Raise HopeBenchError where two rows name one file; capitals tell files apart on some machines only."""
    rows: dict[str, list[int]] = {}
    number = 0
    for batch in source.batches([found[key] for key in ("image", "file_name") if key in found], False):
        for row in batch:
            name = os.path.normpath(_image(row, found, number).file_name)
            rows.setdefault(normalized(name, "NFC").casefold(), []).append(number)
            number += 1
    twice = [f"{name}: rows {first_few(own, 3)}" for name, own in rows.items() if len(own) > 1]
    if twice:
        raise HopeBenchError(
            f"{source.path}: {counted(len(twice), 'file')} of {folder} would hold the picture of more than one row "
            f"({first_few(twice, 3)}). Give each row its own file name, in a column that columns.file_name "
            "(--column file_name=NAME) names."
        )


def _fields(feature: Any) -> dict[str, Any]:
    """The fields of an objects column: of its struct of lists or list of structs; empty for a list of names."""
    inner = getattr(feature, "feature", feature)
    return {name: getattr(one, "feature", one) for name, one in inner.items()} if isinstance(inner, dict) else {}


def _check_listed(source: Source, name: str) -> None:
    """Raise HopeBenchError where the objects column holds one value a row: the letters of a text would be taken for names."""
    feature = source.features[name]
    if not isinstance(feature, dict) and not hasattr(feature, "feature"):
        kind = "one class" if hasattr(feature, "names") else "one value"
        raise HopeBenchError(
            f"{source.path}: its column {name!r} holds {kind} a picture, not a list of the objects in it, and what a picture "
            'doesn\'t show can\'t be told from that. Write lists (in metadata.jsonl: "objects": ["dog", "cat"], or '
            '{"bbox": [...], "categories": [...]}; a CSV file has none), or name another column as columns.objects.'
        )


def _find_columns(source: Source, wanted: Mapping[str, str], keys: Sequence[str] = tuple(COLUMNS)) -> dict[str, str]:
    """The dataset's name of each of `keys` (in the order of COLUMNS); those that aren't looked for need not exist."""
    for key in wanted:
        if key not in COLUMNS:
            raise HopeBenchError(f"columns.{key} is nothing that is read. {did_you_mean(key, [*COLUMNS, 'box_format'])}")
    found: dict[str, str] = {}
    objects: dict[str, Any] = {}
    for key in keys:
        usual = COLUMNS[key]
        known = objects if "objects" in found else source.features
        if key in wanted and wanted[key] not in known:
            raise HopeBenchError(
                f"{source.path} has no column {wanted[key]!r} (columns.{key}). {did_you_mean(wanted[key], known)}"
            )
        name = wanted.get(key) or next((one for one in usual if one in known), None)
        if name is not None:
            found[key] = name
        if key == "objects":
            if name is None:
                raise HopeBenchError(
                    f"{source.path} has no objects column; name it as columns.objects. {did_you_mean(key, known)}"
                )
            _check_listed(source, name)
            objects = _fields(source.features[name])
    if not {"image", "file_name"} & found.keys():
        raise HopeBenchError(
            f"{source.path} has no image column; name it as columns.image. {did_you_mean('image', source.features)}"
        )
    if objects and "category" not in found:
        raise HopeBenchError(
            f"{source.path}: the objects have no category; name the field as columns.category. "
            + did_you_mean("category", objects)
        )
    return found


class _Vocabulary:
    """Category index by a value of the dataset: a ClassLabel's integer, or text in first-seen order."""

    def __init__(self, source: Source, found: Mapping[str, str]) -> None:
        feature = source.features[found["objects"]]
        label = _fields(feature)[found["category"]] if "category" in found else getattr(feature, "feature", feature)
        self.classes: list[str] | None = [str(name) for name in label.names or ()] if hasattr(label, "names") else None
        if self.classes is None and getattr(label, "dtype", "") not in ("string", "large_string"):
            raise HopeBenchError(
                f"{source.path}: the categories are numbers without names. Write the names instead (in an imagefolder's "
                "metadata.jsonl), or make the column a ClassLabel (or text) and save again."
            )
        self._index: dict[str, int] = {}

    def index(self, value: Any) -> int:
        """The category's index, -1 where the value is no category."""
        if self.classes is not None:
            return value if isinstance(value, int) and 0 <= value < len(self.classes) else -1
        return self._index.setdefault(value.strip(), len(self._index)) if isinstance(value, str) and value.strip() else -1

    def categories(self) -> tuple[Category, ...]:
        """All of them, named as in the dataset."""
        names = list(self._index) if self.classes is None else self.classes
        spoken = spoken_names(names)
        return tuple(Category(name, spoken=one, synonyms=alternatives(name)) for name, one in zip(names, spoken, strict=True))


@dataclass(slots=True)
class _Rows:
    """Collects instances; objects of unknown category are left out and counted."""

    vocabulary: _Vocabulary
    image_of: list[int] = field(default_factory=list)
    category_of: list[int] = field(default_factory=list)
    boxes: list[Sequence[float]] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, image: int, objects: Iterator[dict[str, Any]]) -> None:
        """Add one image's objects, as dicts of category, box, area and crowd."""
        for one in objects:
            category = self.vocabulary.index(one["category"])
            if category < 0:
                self.unknown[repr(one["category"])] += 1
                continue
            box = one.get("box")
            self.boxes.append(box if box is not None and len(box) == 4 and None not in box else (np.nan,) * 4)
            self.image_of.append(image)
            self.category_of.append(category)
            area = one.get("area")
            self.areas.append(np.nan if area is None else area)
            self.crowd.append(bool(one.get("crowd")))

    def columns(self, with_boxes: bool) -> InstanceRows:
        """All of them as columns."""
        boxes = single(self.boxes).reshape(len(self.boxes), 4) if with_boxes else None
        return InstanceRows(
            np.array(self.image_of, dtype=np.int32),
            np.array(self.category_of, dtype=np.int32),
            boxes,
            single(self.areas) if with_boxes else None,
            np.array(self.crowd, dtype=np.bool_),
        )


def _image(row: Mapping[str, Any], found: Mapping[str, str], number: int) -> Image:
    """The row's image: named by its file_name column, else its path in the image column, else its number."""
    value = row.get(found.get("image", ""))
    said = row.get(found.get("file_name", "")) or (value.get("path") if isinstance(value, dict) else value)
    path = Path(said if isinstance(said, str) and said else f"{number:08}.jpg")
    name = path.name if path.is_absolute() else path.as_posix()
    width, height = (row.get(found.get(key, "")) for key in ("width", "height"))
    return Image(name, width if isinstance(width, int) else None, height if isinstance(height, int) else None)


def _objects(value: Any, found: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One image's objects as dicts of category, box, area, crowd, from a list of names or structs or a struct of lists."""
    keys = [key for key in ("category", "box", "area", "crowd") if key in found]
    if isinstance(value, dict):
        lists = [value[found[key]] or [] for key in keys]
        yield from (dict(zip(keys, parts, strict=True)) for parts in zip(*lists, strict=True))
    else:
        for one in value or ():
            yield {key: one[found[key]] for key in keys} if isinstance(one, dict) else {"category": one}
