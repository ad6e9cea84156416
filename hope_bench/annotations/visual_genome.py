"""Visual Genome: objects, attributes and relationships, with the published alias files merged.

Layouts (homes.cs.washington.edu/~ranjay/visualgenome/api_readme.html): objects.json is a list of {image_id, objects: [{object_id,
names, x, y, w, h, merged_object_ids, synsets}]}, attributes.json of {image_id, attributes: [{object_id, attributes}]},
relationships.json of {image_id, relationships: [{predicate, subject, object}]}, image_data.json of {image_id, url, width,
height}; each line of object_alias.txt and relationship_alias.txt lists names of one thing, separated by commas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from hope_bench.annotations.columns import InstanceRows, assemble, by_image, single
from hope_bench.annotations.ids import unique_index
from hope_bench.annotations.json_file import decode
from hope_bench.annotations.wording import alternatives, spoken_names, words
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import Annotations, Category, Image, Relationships
from hope_bench.wording import bare

COMPANIONS = ("attributes.json", "relationships.json", "image_data.json", "object_alias.txt", "relationship_alias.txt")

_UNKNOWN = -1
"""The row or place of what isn't known."""

_Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Object(msgspec.Struct, gc=False):
    object_id: _Id
    x: float | None = None
    y: float | None = None
    w: float | None = None
    h: float | None = None
    names: list[str | None] | None = None
    merged_object_ids: list[_Id] = []


class _ImageObjects(msgspec.Struct, gc=False):
    image_id: _Id
    objects: list[_Object]


class _ObjectAttributes(msgspec.Struct, gc=False):
    object_id: _Id
    attributes: list[str | None] | None = None


class _ImageAttributes(msgspec.Struct, gc=False):
    attributes: list[_ObjectAttributes]


class _End(msgspec.Struct, gc=False):
    object_id: _Id


class _Relationship(msgspec.Struct, gc=False):
    predicate: str
    subject: _End
    object: _End


class _ImageRelationships(msgspec.Struct, gc=False):
    image_id: _Id
    relationships: list[_Relationship]


class _ImageData(msgspec.Struct, gc=False):
    image_id: _Id
    url: str = ""
    width: int | None = None
    height: int | None = None


def visual_genome_files(path: Path) -> dict[str, Path]:
    """The files of a Visual Genome folder (or beside an objects.json) by published name; objects.json must be there."""
    objects = path / "objects.json" if path.is_dir() else path
    if not objects.is_file():
        raise HopeBenchError(f"{objects} does not exist or is not a file. Visual Genome annotations need it.")
    beside = {name: objects.parent / name for name in COMPANIONS}
    return {"objects.json": objects} | {name: file for name, file in beside.items() if file.is_file()}


def read_visual_genome(path: Path) -> Annotations:
    """Read Visual Genome from its folder or objects.json; every other file is used where it lies beside.

    An object's category is its first name, lower-cased, without an article and replaced by the first name of its
    alias line; its other names count as present in the image. Attributes are {"attributes": (...)} of the instance. Image files
    are as extracted from the published archives (VG_100K/1.jpg), or ID.jpg without image_data.json. Raises HopeBenchError where a
    file isn't in its layout or an image occurs twice.
    """
    files = visual_genome_files(path)
    aliases = _read_aliases(files.get("object_alias.txt"), _noun)
    listed = decode(files["objects.json"], list[_ImageObjects], "Visual Genome's objects.json (image_id, objects)")
    image_index = unique_index(files["objects.json"], "image_id", [image.image_id for image in listed])
    images, problems = _images(files.get("image_data.json"), [image.image_id for image in listed])
    table = _objects(listed, aliases)
    del listed  # most of the memory, and the other files are as large
    if table.nameless:
        problems.append(f"objects.json: {counted(table.nameless, 'object')} without a name left out.")
    rows_of = _RowsOf(table.ids, table.id_rows)
    annotations = assemble(
        "objects.json", images, _categories(table.names, aliases), table.rows, _attributes(files, rows_of, problems)
    )
    relationships = _relationships(files, rows_of, image_index, problems)  # rows are grouped by image: assemble moves none
    return replace(
        annotations,
        also_present=by_image(*table.others, len(images), tuple),
        every_instance=False,
        relationships=relationships,
        problems=(*problems, *annotations.problems),
    )


def _clean(name: str) -> str:
    return words(name).lower()


def _noun(name: str) -> str:
    """An object's name: "the man" and "a  man" are "man"."""
    return bare(_clean(name))


def _read_aliases(path: Path | None, clean: Callable[[str], str]) -> dict[str, str]:
    """Canonical name by alias: the first name of a line stands for all of it; a name in several lines keeps its first."""
    canonical: dict[str, str] = {}
    if path is not None:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            names = [clean(name) for name in line.split(",") if name.strip()]
            for name in names:
                canonical.setdefault(name, canonical.get(names[0], names[0]))
    return canonical


def _images(path: Path | None, ids: Sequence[int]) -> tuple[tuple[Image, ...], list[str]]:
    if path is None:
        return tuple(Image(f"{one}.jpg") for one in ids), []
    data = {row.image_id: row for row in decode(path, list[_ImageData], "Visual Genome's image_data.json (image_id, url)")}
    unknown = [one for one in ids if one not in data]
    images = []
    for one in ids:
        row = data.get(one, _ImageData(one))
        images.append(Image("/".join(row.url.split("/")[-2:]) or f"{one}.jpg", row.width, row.height))
    problems = [f"{path.name} lacks {counted(len(unknown), 'image')} of objects.json ({first_few(unknown)})."] if unknown else []
    return tuple(images), problems


@dataclass(slots=True)
class _Objects:
    """Every object as columns; `ids` and `id_rows` int64 say at which row an object id (or one merged into it) is; `others` are
    (image, category) pairs of the objects' further names."""

    rows: InstanceRows
    names: dict[str, int]
    ids: NDArray[np.int64]
    id_rows: NDArray[np.int64]
    others: tuple[NDArray[np.int32], NDArray[np.int32]]
    nameless: int


def _objects(listed: Sequence[_ImageObjects], aliases: Mapping[str, str]) -> _Objects:
    names: dict[str, int] = {}
    image_of: list[int] = []
    category_of: list[int] = []
    boxes: list[tuple[float | None, ...]] = []
    ids: list[int] = []
    id_rows: list[int] = []
    other_images: list[int] = []
    other_categories: list[int] = []
    nameless = 0
    for image, entry in enumerate(listed):
        for one in entry.objects:
            cleaned = [_noun(name) for name in one.names or () if name and name.strip()]
            if not cleaned:
                nameless += 1
                continue
            first, *others = (names.setdefault(aliases.get(name, name), len(names)) for name in cleaned)
            for merged in (one.object_id, *one.merged_object_ids):
                ids.append(merged)
                id_rows.append(len(image_of))
            image_of.append(image)
            category_of.append(first)
            boxes.append((one.x, one.y, one.w, one.h))  # NaN where there is none: the object is present all the same
            other_images += [image] * len(others)
            other_categories += others
    rows = InstanceRows(
        np.array(image_of, dtype=np.int32),
        np.array(category_of, dtype=np.int32),
        single(boxes).reshape(len(boxes), 4),
        np.full(len(image_of), np.nan, dtype=np.float32),
        np.zeros(len(image_of), dtype=np.bool_),
    )
    others_of = np.array(other_images, dtype=np.int32), np.array(other_categories, dtype=np.int32)
    return _Objects(rows, names, np.array(ids, dtype=np.int64), np.array(id_rows, dtype=np.int64), others_of, nameless)


class _RowsOf:
    """Instance rows by object id, in sorted arrays: millions of ids as a dict would weigh ten times as much."""

    def __init__(self, ids: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        order = np.argsort(ids, kind="stable")
        self._ids, self._rows = ids[order], rows[order]

    def __call__(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """Row of each id, -1 for unknown ones."""
        wanted = np.fromiter(ids, dtype=np.int64)
        if not self._ids.size:
            return np.full(len(wanted), _UNKNOWN, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._ids, wanted), len(self._ids) - 1)
        return np.where(self._ids[place] == wanted, self._rows[place], _UNKNOWN)


def _categories(names: Mapping[str, int], aliases: Mapping[str, str]) -> tuple[Category, ...]:
    synonyms: dict[str, list[str]] = {}
    for alias, name in aliases.items():
        if alias != name:
            synonyms.setdefault(name, []).append(alias)
    spoken = zip(names, spoken_names(list(names)), strict=True)
    return tuple(Category(name, spoken=one, synonyms=(*alternatives(name), *synonyms.get(name, ()))) for name, one in spoken)


def _attributes(files: Mapping[str, Path], rows_of: _RowsOf, problems: list[str]) -> dict[int, dict[str, tuple[str, ...]]]:
    path = files.get("attributes.json")
    if path is None:
        return {}
    listed = decode(path, list[_ImageAttributes], "Visual Genome's attributes.json (image_id, attributes)")
    given = [one for image in listed for one in image.attributes if one.attributes]
    rows = rows_of(one.object_id for one in given)
    shared: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}  # the same few values occur on a million objects
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    for row, one in zip(rows.tolist(), given, strict=True):
        values = dict.fromkeys(_clean(value) for value in one.attributes or () if value and value.strip())
        if row >= 0 and values:
            both = tuple(dict.fromkeys((*found.get(row, {}).get("attributes", ()), *values)))  # merged objects bring several
            found[row] = shared.setdefault(both, {"attributes": both})
    unknown = int((rows < 0).sum())
    if unknown:
        problems.append(
            f"{path.name}: {counted(unknown, 'object is', 'objects are')} not in objects.json; their attributes are left out."
        )
    return found


def _relationships(
    files: Mapping[str, Path], rows_of: _RowsOf, image_index: Mapping[int | str, int], problems: list[str]
) -> Relationships | None:
    path = files.get("relationships.json")
    if path is None:
        return None
    aliases = _read_aliases(files.get("relationship_alias.txt"), _clean)
    listed = decode(path, list[_ImageRelationships], "Visual Genome's relationships.json (image_id, relationships)")
    pairs = [(image_index.get(entry.image_id, _UNKNOWN), one) for entry in listed for one in entry.relationships]
    subject, other = rows_of(one.subject.object_id for _, one in pairs), rows_of(one.object.object_id for _, one in pairs)
    image_of = np.array([image for image, _ in pairs], dtype=np.int64)
    predicates: dict[str, int] = {}
    cleaned = (_clean(one.predicate) for _, one in pairs)
    predicate_of = np.fromiter((predicates.setdefault(aliases.get(name, name), len(predicates)) for name in cleaned), np.int32)
    known = np.flatnonzero((subject >= 0) & (other >= 0) & (image_of >= 0) & (predicate_of != predicates.get("", _UNKNOWN)))
    if len(known) < len(pairs):
        problems.append(
            f"{path.name}: {counted(len(pairs) - len(known), 'relationship')} without a predicate, or of "
            "objects or images that are not "
            "in objects.json, left out."
        )
    order = known[np.argsort(image_of[known], kind="stable")]
    starts = np.searchsorted(image_of[order], np.arange(len(image_index) + 1)).astype(np.int64)
    return Relationships(tuple(predicates), starts, subject[order], predicate_of[order], other[order])
