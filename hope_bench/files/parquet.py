"""Parquet files from outside, read in batches that fit into memory: some hundred bytes can hold gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hope_bench.files.reading import check_size, pointer

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch
    from pyarrow.parquet import ParquetFile

_AT_ONCE = 2**30
"""Bytes that a batch may take. Every row may name the longest value of its group's dictionary, which is stored once."""
_A_NUMBER = 8
"""Bytes that a value counts at least: a million equal ones take none in the file."""


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetFile]:
    """A Parquet file, open to be read by `read_batches`. Raises HopeBenchError for one that unpacks to far more than anybody's
    table, and pyarrow's errors for one that is damaged."""
    from pyarrow import parquet

    if (error := pointer(path)) is not None:
        raise error
    with parquet.ParquetFile(path) as opened:
        check_size(path, sum(max(one.total_uncompressed_size, _A_NUMBER * one.num_values) for one in _chunks(opened)))
        yield opened


def read_batches(path: Path, opened: ParquetFile, rows: int, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
    """An open file's batches of at most `rows` rows, with the columns named (None: all). Raises HopeBenchError where what they
    hold besides pictures, which nobody keeps, is far more than anybody's table."""
    longest: dict[int, int] = {}
    for group in range(opened.metadata.num_row_groups):
        for chunk in _chunks(opened, group):
            name = chunk.path_in_schema
            asked = columns is None or any(name == one or name.startswith(f"{one}.") for one in columns)
            if asked and chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page:
                longest[group] = longest.get(group, 0) + chunk.total_uncompressed_size
    rows = max(1, min(rows, _AT_ONCE // max(longest.values(), default=1)))
    total = 0
    for batch in opened.iter_batches(batch_size=rows, columns=columns):
        total += sum(column.nbytes for column in batch.columns if not is_image(column.type))
        check_size(path, total)
        yield batch


def is_image(kind: DataType) -> bool:
    """Whether an Arrow type is that of an image column: a struct of bytes and path, or of the path alone."""
    import pyarrow

    return pyarrow.types.is_struct(kind) and {kind.field(index).name for index in range(kind.num_fields)} in (
        {"bytes", "path"},
        {"path"},
    )


def _chunks(opened: ParquetFile, group: int | None = None) -> Iterator[Any]:
    """What the file's end says of each column of a group, or of all."""
    for one in range(opened.metadata.num_row_groups) if group is None else [group]:
        part = opened.metadata.row_group(one)
        yield from map(part.column, range(part.num_columns))
