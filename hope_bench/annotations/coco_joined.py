"""A COCO-format file from its rows: checked as a whole, its annotations in columns, what is left out counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hope_bench.annotations.coco_entries import BadEntries, Key, with_names
from hope_bench.annotations.coco_repeats import distinct_categories, distinct_images
from hope_bench.annotations.coco_rows import (
    DESCRIPTION,
    CategoryRow,
    ImageRow,
    InstanceRow,
    Instances,
    InstancesFile,
    image_table,
)
from hope_bench.annotations.ids import Id
from hope_bench.annotations.known_tools import tool_of
from hope_bench.errors import HopeBenchError, counted, first_few


def made_of(
    path: Path,
    categories: Sequence[CategoryRow | None],
    images: Sequence[ImageRow | None],
    batches: Iterable[Sequence[InstanceRow | None]],
    bad: Mapping[Key, BadEntries],
) -> InstancesFile:
    """A file of its rows, annotations in batches; None stands for entries that `bad` counts. Raises HopeBenchError."""
    check_some(path, categories, bad["categories"])
    images = with_names(images, bad["images"])
    check_some(path, images, bad["images"])
    images = distinct_images(images, bad["images"])
    named = [row for row in categories if row is not None and row.name.strip()]
    kept, category_index, repeated = distinct_categories(path, named)
    table = image_table(path, (row for row in images if row is not None))
    instances = Instances(path, table.index, category_index)
    for batch in batches:
        instances.add(batch)
    if not instances.kept:
        check_some(path, [None] * instances.seen, bad["annotations"])
    elif bad["annotations"].boxes == instances.seen:
        raise no_coco_file(path, f"of its {instances.seen} annotations none has a bbox of four numbers, [x, y, width, height]")
    nameless = []
    for place, row in enumerate(categories, 1):
        if row is not None and not row.name.strip():
            nameless.append(row.id)
            bad["categories"].add("without a name", place)
    _check_nameless(path, nameless, instances.unknown.get("category", ()), not named)
    rows = instances.columns()
    problems = [problem for one in bad.values() for problem in one.problems(path.name)]
    left_out = tuple(sorted(instances.left_out))
    return InstancesFile(
        path, kept, category_index, table, rows, instances.attributes, left_out, (*problems, *repeated, *instances.problems())
    )


def _check_nameless(path: Path, nameless: Sequence[Id], unknown: Sequence[Id], only: bool) -> None:
    """Raise HopeBenchError where categories without a name are annotated: their objects would be lost."""
    lost = [repr(one) for one in dict.fromkeys(nameless) if only or one in unknown]
    if lost:
        raise HopeBenchError(
            f"{path}: {counted(len(lost), 'category has', 'categories have')} no name (ids {first_few(lost)}). "
            "Give each its name."
        )


def check_some(path: Path, rows: Sequence[Any], bad: BadEntries) -> None:
    """Raise HopeBenchError where all entries of a list are bad."""
    if bad.counts and not any(row is not None for row in rows):
        reasons = "; ".join(f"{count} {reason}" for reason, count in bad.counts.items())
        raise no_coco_file(path, f"none of its {bad.key} can be used ({reasons})")


def no_coco_file(path: Path, why: str) -> HopeBenchError:
    tool = tool_of(path)
    named = "" if tool is None else f" It is {tool[0]}. {tool[1]}"
    return HopeBenchError(f"{path} is JSON, but not {DESCRIPTION}: {why}.{named}")
