"""Open Images V7: box CSVs, human-verified image labels, class descriptions and the class hierarchy.

Layouts: storage.googleapis.com/openimages/web/download_v7.html. Boxes are fractions of the image's width and height, and the
files give no image sizes, so `box_units` is "fractions": an image is 1 x 1. Image files are ImageID + ".jpg". IsGroupOf marks
crowds. Of the image labels, Confidence 1 says present, 0 verified absent; machine-made labels are not used.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.annotations.columns import InstanceRows, assemble, by_image, single
from hope_bench.annotations.csv_file import LeftOut, codes, csv_batches, csv_header, equals, is_true, keep, numbers, reading_csv
from hope_bench.annotations.json_file import decode
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import Annotations, Category, Image

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
_SUBSET = re.compile(r"(?:^|[-_])(train|val|test)(?:idation)?[-_]")
"""The subset in a published file's name: validation-annotations-bbox.csv, oidv7-val-annotations-human-imagelabels.csv."""


@dataclass(frozen=True, slots=True)
class OpenImagesFiles:
    """One subset's files; at least one of boxes and labels."""

    boxes: Path | None
    labels: Path | None
    classes: Path
    hierarchy: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files there are."""
        return tuple(path for path in (self.boxes, self.labels, self.classes, self.hierarchy) if path is not None)


def find_open_images(path: Path, files: Mapping[str, str]) -> OpenImagesFiles:
    """A subset's files from its folder or its box CSV; `files` names some of them (boxes, labels, classes, hierarchy).

    Box and label CSVs are known by their first line, the others by their published names. Raises HopeBenchError where a needed
    file is missing or several could be meant.
    """
    folder = path if path.is_dir() else path.parent
    named = {key: folder / name for key, name in files.items()}
    if not path.is_dir():
        named.setdefault("boxes" if set(BOX_COLUMNS).issubset(csv_header(path)) else "labels", path)
    tables = {file: set(csv_header(file)) for file in sorted(folder.glob("*.csv"))}
    for table, header in tables.items():
        if "annotations-bbox" in table.name and not set(BOX_COLUMNS) <= header and table not in named.values():
            raise HopeBenchError(
                f"{table} is called as Open Images' boxes are, but its first line lacks {', '.join(BOX_COLUMNS)}. Get it "
                "again, or remove it."
            )
    boxes = named.get("boxes") or _only(folder, "boxes", [file for file, header in tables.items() if set(BOX_COLUMNS) <= header])
    subset = _subset(boxes or path)
    labels = named.get("labels") or _only(
        folder,
        "labels",
        [
            file
            for file, header in tables.items()
            if set(LABEL_COLUMNS) <= header
            and "XMin" not in header
            and "machine" not in file.name
            and _subset(file) in ("", subset or _subset(file))
        ],
    )
    classes = named.get("classes") or _only(folder, "classes", sorted(folder.glob("*class-descriptions*.csv")))
    hierarchy = named.get("hierarchy") or _only(folder, "hierarchy", sorted(folder.glob("*hierarchy*.json")))
    if classes is None:
        raise HopeBenchError(
            f"{folder} has no class descriptions, without which labels such as /m/01g317 have no names. "
            "Put oidv7-class-descriptions-boxable.csv beside the annotations, or name it as files.classes."
        )
    for file in (boxes, labels, classes, hierarchy):
        if file is not None and not file.is_file():
            raise HopeBenchError(f"{file} does not exist or is not a file.")
    return OpenImagesFiles(boxes, labels, classes, hierarchy)


def _subset(file: Path) -> str:
    found = _SUBSET.search(file.name)
    return "" if found is None else found[1]


def _only(folder: Path, key: str, found: list[Path]) -> Path | None:
    """The one candidate; of several, the one for the classes with boxes."""
    best = [path for path in found if "boxable" in path.name] or found
    if len(best) > 1:
        raise HopeBenchError(
            f"{folder} holds several files that could be its {key} ({first_few(path.name for path in best)}). "
            f"Name the one meant as files.{key}, or one box CSV as the annotations."
        )
    return best[0] if best else None


def read_open_images(path: Path, files: Mapping[str, str] | None = None) -> Annotations:
    """Read one subset from its folder or box CSV. Malformed lines and rows are left out and listed in `problems`.

    The vocabulary is the class descriptions' (names as published, "Human face"; labels of equal name are one category).
    Raises HopeBenchError where a needed file or column is missing or nothing is left.
    """
    found = find_open_images(path, files or {})
    labels, names, problems = _read_classes(found.classes)
    image_index: dict[str, int] = {}
    rows = InstanceRows(*_no_rows())
    if found.boxes is not None:
        left_out = LeftOut(found.boxes.name)
        rows = _read_boxes(found.boxes, labels, image_index, left_out)
        problems += left_out.problems()
    verified: _Verified | None = None
    if found.labels is not None:
        left_out = LeftOut(found.labels.name)
        verified = _read_labels(found.labels, labels, image_index, left_out)
        problems += left_out.problems()
    if not image_index:
        raise HopeBenchError(f"{path} holds no readable box or human-verified image label. {first_few(problems, 3)}")
    images = tuple(Image(f"{name}.jpg") for name in image_index)
    categories = _categories(names, labels, found.hierarchy)
    annotations = assemble((found.boxes or path).name, images, categories, rows, {}, units="fractions")
    annotations = replace(annotations, problems=(*problems, *annotations.problems))
    return annotations if verified is None else _with_labels(annotations, verified)


def _read_classes(path: Path) -> tuple[dict[str, int], list[str], tuple[str, ...]]:
    """Category index by label, category names, problems. The published files have a header line or none."""
    labels: dict[str, int] = {}
    names: dict[str, int] = {}
    bad: list[str] = []
    with reading_csv(path), path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        for row in csv.reader(stream):
            if row in ([], ["LabelName", "DisplayName"]):
                continue
            if len(row) != 2 or not row[0] or not row[1].strip():
                bad.append(repr(",".join(row)))
                continue
            labels[row[0]] = names.setdefault(row[1].strip(), len(names))
    if not labels:
        raise HopeBenchError(f"{path} holds no class descriptions (lines such as /m/01g317,Person).")
    problems = [f"{path.name}: {counted(len(bad), 'malformed line')} left out ({first_few(bad, 3)})."] if bad else []
    if len(labels) > len(names):
        problems.append(
            f"{path.name}: {counted(len(labels) - len(names), 'label shares', 'labels share')} another's name; "
            "each name is one category."
        )
    return labels, list(names), tuple(problems)


def _no_rows() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    none = np.zeros(0, dtype=np.int32)
    return none, none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.bool_)


def _read_boxes(path: Path, labels: dict[str, int], image_index: dict[str, int], left_out: LeftOut) -> InstanceRows:
    grouped = "IsGroupOf" in csv_header(path)
    parts = [_no_rows()]
    for batch in csv_batches(path, (*BOX_COLUMNS, "IsGroupOf") if grouped else BOX_COLUMNS, left_out):
        category_of = codes(batch["LabelName"], labels)
        left, right, top, bottom = (numbers(batch[name]) for name in BOX_COLUMNS[2:])
        boxes = single(np.stack([left, top, right - left, bottom - top], axis=1))
        boxes[np.any(np.isnan(boxes), axis=1)] = np.nan  # present all the same, without a box
        good = category_of >= 0
        _explain(left_out, batch, np.zeros(len(boxes), dtype=np.bool_), category_of)
        crowd = is_true(batch["IsGroupOf"]) if grouped else np.zeros(len(boxes), dtype=np.bool_)
        image_of = codes(keep(batch["ImageID"], good), image_index, grow=True)
        parts.append((image_of, category_of[good], boxes[good], np.full(len(image_of), np.nan, np.float32), crowd[good]))
    image_of, category_of, boxes, areas, crowd = (np.concatenate(column) for column in zip(*parts, strict=True))
    return InstanceRows(image_of, category_of, boxes, areas, crowd)


@dataclass(slots=True)
class _Verified:
    """Image labels in columns: the pair (image, category) [P], and whether it is present."""

    image_of: NDArray[np.int32]
    category_of: NDArray[np.int32]
    present: NDArray[np.bool_]


def _read_labels(path: Path, labels: dict[str, int], image_index: dict[str, int], left_out: LeftOut) -> _Verified:
    parts = [(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.bool_))]
    for batch in csv_batches(path, LABEL_COLUMNS, left_out):
        confidence = numbers(batch["Confidence"])
        category_of = codes(batch["LabelName"], labels)
        broken = np.isnan(confidence)
        by_machine = ~broken & (equals(batch["Source"], "machine") | ~np.isin(confidence, (0, 1)))
        good = ~broken & ~by_machine & (category_of >= 0)
        left_out.add("machine-made", ["only what people verified is used"], int(by_machine.sum()))
        _explain(left_out, batch, broken, category_of)
        parts.append((codes(keep(batch["ImageID"], good), image_index, grow=True), category_of[good], confidence[good] == 1))
    return _Verified(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _explain(left_out: LeftOut, batch: Mapping[str, Any], broken: NDArray[np.bool_], category_of: NDArray[np.int32]) -> None:
    """Count the rows whose numbers are none, and those of labels without a description."""
    for reason, column, rows in (
        ("a field is no number", "ImageID", np.flatnonzero(broken)),
        ("their label has no class description", "LabelName", np.flatnonzero(~broken & (category_of < 0))),
    ):
        if rows.size:
            left_out.add(reason, batch[column].take(rows).to_pylist())


def _with_labels(annotations: Annotations, verified: _Verified) -> Annotations:
    """Add the image labels. A category that is present by a box or another label is not verified absent."""
    count, width = len(annotations.images), len(annotations.categories)

    def keys(image_of: NDArray[np.int32], category_of: NDArray[np.int32]) -> NDArray[np.intp]:
        return np.ravel_multi_index((image_of, category_of), (count, width))

    boxed_image = np.repeat(np.arange(count, dtype=np.int32), np.diff(annotations.starts))
    yes = verified.present
    boxed = keys(boxed_image, annotations.category_of)
    unboxed = yes & ~np.isin(keys(verified.image_of, verified.category_of), boxed)
    present = np.union1d(boxed, keys(verified.image_of[yes], verified.category_of[yes]))
    contradicted = ~yes & np.isin(keys(verified.image_of, verified.category_of), present)
    no = ~yes & ~contradicted
    problems = annotations.problems
    if contradicted.any():
        files = first_few(annotations.images[image].file_name for image in verified.image_of[contradicted].tolist())
        problems += (
            f"{counted(int(contradicted.sum()), 'image label says', 'image labels say')} absent where a box or "
            "another label says present, which is believed "
            f"({files}).",
        )
    return replace(
        annotations,
        also_present=by_image(verified.image_of[unboxed], verified.category_of[unboxed], count, tuple),
        verified_absent=by_image(verified.image_of[no], verified.category_of[no], count, frozenset),
        problems=problems,
    )


class _Node(msgspec.Struct):
    label: str = msgspec.field(name="LabelName")
    children: list[_Node] = msgspec.field(name="Subcategory", default=[])


def _categories(names: list[str], labels: Mapping[str, int], hierarchy: Path | None) -> tuple[Category, ...]:
    """The vocabulary with the parents each category has in the hierarchy (several are possible; the root is no category)."""
    parents: dict[int, dict[str, None]] = {}
    if hierarchy is not None:
        root = decode(hierarchy, _Node, "an Open Images class hierarchy (LabelName, Subcategory)")
        for parent, child in _edges([root]):
            if parent in labels and child in labels and labels[parent] != labels[child]:
                parents.setdefault(labels[child], {})[names[labels[parent]]] = None
    return tuple(
        Category(name, spoken=spoken, synonyms=alternatives(name), parents=tuple(parents.get(index, ())))
        for index, (name, spoken) in enumerate(zip(names, spoken_names(names), strict=True))
    )


def _edges(nodes: Iterable[_Node]) -> Iterable[tuple[str, str]]:
    for node in nodes:
        yield from ((node.label, child.label) for child in node.children)
        yield from _edges(node.children)
