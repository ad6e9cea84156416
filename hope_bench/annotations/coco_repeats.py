"""What a COCO-format file lists more than once: read as one where it is the same thing, left out where nobody can tell which."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from hope_bench.annotations.coco_entries import BadEntries
from hope_bench.annotations.coco_rows import CategoryRow, ImageRow, image_name
from hope_bench.annotations.ids import Id, IdIndex, canonical, unique_index
from hope_bench.errors import counted, first_few

_MOST = 0.5
"""A file of which more of the images than this are repeats is no file with a few bad entries."""


def distinct_images(rows: Sequence[ImageRow | None], bad: BadEntries) -> Sequence[ImageRow | None]:
    """The images, each once: a repeated entry counts once; of several images with one id or one file name none is kept, since
    nothing tells whose the annotations are. Unchanged where these are most of the file, which its reader refuses."""
    kept = list(rows)
    seen: dict[Id, str] = {}
    for place, row in enumerate(rows):
        if row is None:
            continue
        if seen.get(row.id) == image_name(row):
            bad.add("listed before", place + 1)
            kept[place] = None
        seen.setdefault(row.id, image_name(row))
    there = [row for row in kept if row is not None]
    ids, names = Counter(row.id for row in there), Counter(image_name(row) for row in there)
    unclear = {
        place: "whose id another image has" if ids[row.id] > 1 else "whose file_name another image has"
        for place, row in enumerate(kept)
        if row is not None and (ids[row.id] > 1 or names[image_name(row)] > 1)
    }
    if len(unclear) > _MOST * len(there):
        return kept
    for place, reason in unclear.items():
        bad.add(reason, place + 1)
        kept[place] = None
    return kept


def distinct_categories(path: Path, rows: Sequence[CategoryRow]) -> tuple[list[CategoryRow], IdIndex, list[str]]:
    """The categories, their index by id (and by name, which some tools write in the place of ids), and what was done, in words.

    Categories of one name are one, and so is a supercategory with the one below it that is called the same but for capitals.
    Raises HopeBenchError where an id is that of categories of two names.
    """
    above = {_folded(row.supercategory or "") for row in rows}
    groups: Mapping[str, list[CategoryRow]] = defaultdict(list)
    spelled: dict[str, str] = {}
    for row in rows:
        folded = _folded(row.name)
        name = spelled.setdefault(folded, row.name) if folded in above else row.name
        groups[name].append(row)
    kept, told = [], []
    ids: dict[Id, int] = {}
    unique_index(path, "category id", [one for group in groups.values() for one in dict.fromkeys(row.id for row in group)])
    for position, group in enumerate(groups.values()):
        kept.append(group[-1])  # Roboflow's root comes first
        ids.update((row.id, position) for row in group)
        if len(group) > 1:
            told.append(f"{group[-1].name!r} (ids {first_few(dict.fromkeys(repr(row.id) for row in group))})")
    names = {row.name: position for position, row in enumerate(kept)}
    index = {name: place for name, place in names.items() if isinstance(canonical(name), str)} | ids
    if not told:
        return kept, IdIndex(index), []
    twice = counted(len(told), "category is", "categories are")
    return kept, IdIndex(index), [f"{path.name}: {twice} listed more than once, and read as one each: {first_few(told, 3)}."]


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
