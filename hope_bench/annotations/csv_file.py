"""Large CSV files read with pyarrow in batches: malformed lines are counted and shown, never fatal."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError, counted, short_reason
from hope_bench.files.reading import open_bytes, reading

_BLOCK_BYTES = 16 << 20
_SAMPLE_BYTES = 1 << 16
_EXAMPLES = 5
_LOOKED_AT = 1000
"""Values of one reason, of which some are shown."""


@dataclass(slots=True)
class LeftOut:
    """What was left out of a CSV file: lines with the wrong number of fields and rows by reason, counted, with a few examples."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, reason: str, values: Sequence[str], count: int | None = None) -> None:
        """Count what was left out for `reason` (as many as `values` unless told); `values` tell which."""
        self.counts[reason] += len(values) if count is None else count
        if not self.counts[reason]:
            del self.counts[reason]
            return
        shown = self.examples.setdefault(reason, {})
        if len(shown) <= _EXAMPLES:
            shown.update(dict.fromkeys(values[:_LOOKED_AT]))

    def problems(self) -> tuple[str, ...]:
        """In words, one sentence a reason."""
        return tuple(
            f"{self.name}: {counted(count, 'row')} left out, {reason} "
            f"({', '.join(list(self.examples[reason])[:_EXAMPLES])}, ...)."
            if len(self.examples[reason]) > _EXAMPLES
            else f"{self.name}: {counted(count, 'row')} left out, {reason} ({', '.join(self.examples[reason])})."
            for reason, count in self.counts.items()
        )


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a file separates and quotes its fields, and whether there are blanks around them."""

    header: tuple[str, ...]
    delimiter: str
    quoted: bool
    blanks: bool


def _dialect(path: Path) -> _Dialect:
    """As the file's beginning shows. Quotes count only where they stand around fields, in pairs: a stray one is part of its
    field, and mustn't swallow what follows."""
    with open_bytes(path) as stream:
        lines = stream.read(_SAMPLE_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    first = lines[0] if lines else ""
    delimiter = max(",;\t", key=first.count)
    inner = [field for line in lines for field in line.split(delimiter)]
    quoted = any(re.fullmatch(r'\s*".*"\s*', field) for field in inner) and not any(line.count('"') % 2 for line in lines[:-1])
    header = next(csv.reader([first], delimiter=delimiter, quotechar='"' if quoted else None, skipinitialspace=True), [])
    return _Dialect(tuple(name.strip() for name in header), delimiter, quoted, any(field != field.strip() for field in inner))


def csv_header(path: Path) -> list[str]:
    """The fields of the file's first line; some of no meaning where it is no text."""
    return list(_dialect(path).header)


def csv_batches(path: Path, columns: Sequence[str], left_out: LeftOut) -> Iterator[dict[str, Any]]:
    """Batches of the named columns as pyarrow string arrays; lines with too few or too many fields go to `left_out`.

    Raises HopeBenchError where a column is missing or the file isn't text.
    """
    import pyarrow
    from pyarrow import compute
    from pyarrow import csv as tables

    def leave_out(row: Any) -> str:
        left_out.add("with too few or too many fields", [f"line {row.number}: {row.text[:60]!r}"])
        return "skip"

    found = _dialect(path)
    missing = [column for column in columns if column not in found.header]
    if missing:
        raise HopeBenchError(f"{path} has no column {', '.join(missing)}. Its first line is {','.join(found.header)[:200]!r}.")
    with reading_csv(path):
        reader = tables.open_csv(
            _Text(path),
            read_options=tables.ReadOptions(
                block_size=_BLOCK_BYTES, column_names=found.header, skip_rows=1,
                use_threads=False,  # with several it doesn't know which line is which
            ),
            parse_options=tables.ParseOptions(
                delimiter=found.delimiter, quote_char='"' if found.quoted else False, invalid_row_handler=leave_out
            ),
            convert_options=tables.ConvertOptions(
                include_columns=list(columns), column_types=dict.fromkeys(columns, pyarrow.string())
            ),
        )  # fmt: skip
        for batch in reader:
            read = {name: batch.column(name) for name in columns}
            yield {name: compute.utf8_trim_whitespace(one) for name, one in read.items()} if found.blanks else read


@contextmanager
def reading_csv(path: Path) -> Iterator[None]:
    """What pyarrow's and Python's own reader raise meanwhile becomes a HopeBenchError that names the file."""
    import pyarrow

    try:
        yield
    except (csv.Error, pyarrow.ArrowException) as error:
        raise HopeBenchError(f"{path} can't be read as CSV: {short_reason(error)}. Is it complete?") from None


class _Text(io.RawIOBase):
    """A file's bytes, which are UTF-8: of a row with too many fields pyarrow would print a traceback where they aren't."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._file = path, open_bytes(path)
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises HopeBenchError where they are no UTF-8."""
        data = self._file.read(size)
        with reading(self._path):
            self._decoder.decode(data, final=not data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def is_true(column: Any) -> NDArray[np.bool_]:
    """Where a string column says yes, bool [N]: 1, or the word that programs write for it."""
    encoded = column.dictionary_encode()
    said = [str(value).lower() in ("1", "1.0", "true", "yes") for value in encoded.dictionary.to_pylist()]
    found: NDArray[np.bool_] = np.array(said, dtype=np.bool_)[np.asarray(encoded.indices)]
    return found


def numbers(column: Any) -> NDArray[np.float64]:
    """A string column as float64 [N], NaN where a field is no number."""
    import pandas
    import pyarrow
    from pyarrow import compute

    try:
        return np.asarray(compute.cast(column, pyarrow.float64()))
    except pyarrow.ArrowInvalid:  # some field is no number: the slow way finds which
        return np.asarray(pandas.to_numeric(column.to_pandas(), errors="coerce"), dtype=np.float64)


def codes(column: Any, index: dict[str, int], grow: bool = False) -> NDArray[np.int32]:
    """A string column as int32 [N] by `index`, -1 for strings not in it; with `grow`, new strings are added to it instead."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    if grow:
        for value in values:
            index.setdefault(value, len(index))
    table = np.array([index.get(value, -1) for value in values], dtype=np.int32)
    found: NDArray[np.int32] = table[np.asarray(encoded.indices)]
    return found


def equals(column: Any, text: str) -> NDArray[np.bool_]:
    """Where a string column is `text`, bool [N]."""
    from pyarrow import compute

    return np.asarray(compute.equal(column, text), dtype=np.bool_)


def keep(column: Any, rows: NDArray[np.bool_]) -> Any:
    """The column's values where `rows` is true."""
    import pyarrow

    return column.filter(pyarrow.array(rows))
