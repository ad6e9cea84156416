"""One entry of a COCO-format file as annotation tools really write it, turned into its typed row, or the reason why it can't be.

Numbers may be text or floats, ids text here and numbers there, a box null, missing, empty or only a polygon's. Whoever reads a
file decodes well-formed entries straight into rows, and gives the others to `row_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Any, Literal, TypeVar

import msgspec

from hope_bench.annotations.coco_rows import CategoryRow, ImageRow, InstanceRow
from hope_bench.annotations.ids import Id
from hope_bench.annotations.segments import NO_BOX, Box, box_around, number

Key = Literal["categories", "images", "annotations"]
Row = TypeVar("Row", CategoryRow, ImageRow, InstanceRow)

KINDS: Mapping[Key, type[Any]] = {"categories": CategoryRow, "images": ImageRow, "annotations": InstanceRow}
"""The typed row of each of a file's lists."""

LISTS: Mapping[Key, type[list[Any]]] = {
    "categories": list[CategoryRow], "images": list[ImageRow], "annotations": list[InstanceRow],
}  # fmt: skip
"""The typed lists."""

_NAMES = ("file_name", "filename", "path")
_EXAMPLES = 5


class _UnusableError(Exception):
    """Why an entry can't be used."""


@dataclass(slots=True)
class BadEntries:
    """What was left out of one of a file's lists, counted by reason; `named` are the entries' places, from 1. `boxes` counts
    those whose bbox is something else than four numbers."""

    key: Key
    counts: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[int]] = field(default_factory=dict)
    boxes: int = 0

    def add(self, reason: str, place: int) -> None:
        """Count an entry."""
        self.counts[reason] += 1
        places = self.named.setdefault(reason, [])
        if len(places) < _EXAMPLES:
            places.append(place)

    def problems(self, name: str) -> list[str]:
        """In words, one sentence a reason."""
        return [
            f"{name}: {count} of its {self.key} left out, {reason} (number {self._listed(reason, count)}, in file order)."
            for reason, count in self.counts.items()
        ]

    def _listed(self, reason: str, count: int) -> str:
        shown = ", ".join(map(str, self.named[reason]))
        return shown if count <= _EXAMPLES else f"{shown} and {count - _EXAMPLES} more"


def row_of(key: Key, entry: Any, place: int, bad: BadEntries) -> Any:
    """The typed row of one decoded entry; None where it can't be used, which is counted in `bad`."""
    try:
        if not isinstance(entry, dict):
            raise _UnusableError("no JSON object")
        row = _MAKERS[key](entry)
    except _UnusableError as reason:
        bad.add(str(reason), place)
        return None
    if isinstance(row, InstanceRow) and any(map(isnan, row.bbox)) and entry.get("bbox") not in (None, [], [0, 0, 0, 0]):
        bad.boxes += 1
    return row


def rows_of(key: Key, entries: Iterable[Any], start: int, bad: BadEntries) -> list[Any]:
    """The rows of decoded entries, the first of which is number `start` (from 0); None for those that can't be used."""
    kind = KINDS[key]
    rows: list[Any] = []
    for place, entry in enumerate(entries, start + 1):
        try:
            row = msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            row = None
        if row is None or is_placeholder(row):
            row = row_of(key, entry, place, bad)
        rows.append(row)
    return rows


def with_names(rows: Sequence[ImageRow | None], bad: BadEntries) -> Sequence[ImageRow | None]:
    """Images; None for those that nothing names, too."""
    kept = list(rows)
    for place, row in enumerate(rows):
        if row is not None and is_placeholder(row):
            kept[place] = None
            bad.add("with neither file_name nor coco_url", place + 1)
    return kept


def is_placeholder(row: Any) -> bool:
    """Whether a well-formed row needs another look at its entry: an annotation whose box is four zeros, as tools write where
    there is only a polygon, or an image whose name isn't where COCO's is."""
    if isinstance(row, ImageRow):
        return not (row.file_name or row.coco_url)
    return isinstance(row, InstanceRow) and not any(row.bbox)


def _instance(entry: Mapping[str, Any]) -> InstanceRow:
    area, attributes = number(entry.get("area")), entry.get("attributes")
    if isinstance(attributes, list):
        attributes = _listed_attributes(attributes)
    return InstanceRow(
        image_id=_id(entry, "image_id"),
        category_id=_id(entry, "category_id"),
        bbox=_box(entry.get("bbox"), entry.get("segmentation")),
        area=area if isfinite(area) else None,
        iscrowd=_flag(entry.get("iscrowd")),
        attributes=attributes if isinstance(attributes, dict) else None,
    )


def _image(entry: Mapping[str, Any]) -> ImageRow:
    name = next((entry[key].strip() for key in _NAMES if isinstance(entry.get(key), str) and entry[key].strip()), None)
    url = entry.get("coco_url")
    return ImageRow(
        id=_id(entry, "id"),
        file_name=name,
        coco_url=url if isinstance(url, str) else None,
        width=_side(entry.get("width")),
        height=_side(entry.get("height")),
        neg_category_ids=_ids(entry.get("neg_category_ids")),
        not_exhaustive_category_ids=_ids(entry.get("not_exhaustive_category_ids")),
    )


def _category(entry: Mapping[str, Any]) -> CategoryRow:
    name, synonyms = entry.get("name"), entry.get("synonyms")
    supercategory, synset = entry.get("supercategory"), entry.get("synset")
    if isinstance(name, int | float) and not isinstance(name, bool):
        name = str(name)
    return CategoryRow(
        id=_id(entry, "id"),
        name=name if isinstance(name, str) else "",  # nameless ones are refused, since their objects would be lost
        supercategory=supercategory if isinstance(supercategory, str) else None,
        synset=synset if isinstance(synset, str) else None,
        synonyms=[one for one in synonyms if isinstance(one, str)] if isinstance(synonyms, list) else [],
    )


_MAKERS: Mapping[Key, Callable[[Mapping[str, Any]], CategoryRow | ImageRow | InstanceRow]] = {
    "categories": _category, "images": _image, "annotations": _instance,
}  # fmt: skip


def _id(entry: Mapping[str, Any], key: str) -> Id:
    found = _as_id(entry.get(key))
    if found is None:
        raise _UnusableError(f"without {'an' if key[0] in 'aeio' else 'a'} {key}")
    return found


def _as_id(value: Any) -> Id | None:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if float(value).is_integer() else None


def _ids(values: Any) -> list[Id] | None:
    if not isinstance(values, list):
        return None
    return [one for one in map(_as_id, values) if one is not None]


def _box(given: Any, segmentation: Any) -> Box:
    """The box as it stands, else the one around the segmentation; NO_BOX where neither is usable."""
    if isinstance(given, str):
        given = given.strip().strip("[]()").replace(",", " ").split()
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list):
        given = given[0]
    if isinstance(given, list) and len(given) == 4:
        first, second, third, fourth = (number(one) for one in given)
        if all(map(isfinite, (first, second, third, fourth))) and (first or second or third or fourth):
            return first, second, third, fourth
    return box_around(segmentation)


def _side(value: Any) -> int | None:
    length = number(value)
    return round(length) if isfinite(length) and length > 0 else None


def _flag(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("1", "1.0", "true", "yes")
    return value is True or (isinstance(value, int | float) and value != 0 and value == value)


def _listed_attributes(given: list[Any]) -> dict[str, Any] | None:
    """Attributes as a list, of words or of {name, value}."""
    named = {one["name"]: one.get("value") for one in given if isinstance(one, dict) and isinstance(one.get("name"), str)}
    words = [one for one in given if isinstance(one, str)]
    return named | ({"attributes": words} if words else {}) or None
