"""COCO-format instances files (COCO, LVIS, Objects365): decoded at once, or as a stream where they are large."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hope_bench.annotations.coco_rows import (
    DESCRIPTION,
    CategoryRow,
    ImageRow,
    InstanceRow,
    InstancesFile,
    image_table,
    index_categories,
    instance_rows,
)
from hope_bench.annotations.json_file import decode
from hope_bench.records import no_collector

STREAM_ABOVE = 2 << 30
"""Files of more bytes are read as a stream: slower by the row, but never in memory as a whole."""


class _WholeFile(msgspec.Struct):
    images: list[ImageRow]
    annotations: list[InstanceRow]
    categories: list[CategoryRow]


def load_instances(path: Path) -> InstancesFile:
    """Decode a COCO-format instances file, as a stream where it is larger than STREAM_ABOVE.

    Raises HopeBenchError where the file isn't JSON or isn't such a file, an id or name occurs twice, or an annotation names an
    unknown image or category.
    """
    if path.stat().st_size > STREAM_ABOVE:
        from hope_bench.annotations.coco_stream import stream_instances  # ijson, which few files need

        return stream_instances(path)
    with no_collector():
        file = decode(path, _WholeFile, DESCRIPTION)
        category_index = index_categories(path, file.categories)
        images = image_table(path, file.images)
        rows = instance_rows(path, file.annotations, images.index, category_index)
        attributes = {row: given.attributes for row, given in enumerate(file.annotations) if given.attributes}
        made = InstancesFile(path, file.categories, category_index, images, rows, attributes)
        del file  # before the collector is back and looks at each of its objects
    return made
