"""Tables as other tools write them, read as rows of text: xlsx, TSV, CSV, JSON and JSON lines."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.reading import HEAD, check_unpacked, no_text, open_bytes, reading, text_of
from hope_bench.files.validation import parse_json
from hope_bench.interchange.questions import Line, read_lines

SUFFIXES = (".xlsx", ".tsv", ".csv", ".json", ".jsonl")
"""What `read_table` reads."""


def read_table(path: Path) -> list[Line]:
    """The rows of a table, each with its place ("FILE, row N", from 1, without the heading). Of xlsx, TSV and CSV every value is
    text, "" where a cell is empty. Raises HopeBenchError for a file that can't be read, and where openpyxl is missing."""
    if path.suffix == ".jsonl":
        return list(read_lines(path))
    if path.suffix == ".json":
        rows = parse_json_rows(path)
    elif path.suffix in (".xlsx", ".tsv", ".csv"):
        rows = _cells(path)
    else:
        raise HopeBenchError(f"{path} is no table that is read: {', '.join(SUFFIXES)}.")
    return [Line(f"{path}, row {number}", row) for number, row in enumerate(rows, 1)]


def parse_json_rows(path: Path) -> list[dict[str, Any]]:
    """A JSON list of objects, alone or the one such list in an object ({"version": 1, "data": [...]}), or JSON lines under that
    name (as POPE's own files are). Raises HopeBenchError."""
    try:
        held = parse_json(path)
    except HopeBenchError:
        return [line.data for line in read_lines(path)]
    if isinstance(held, dict):
        within = [one for one in held.values() if isinstance(one, list) and one and all(isinstance(row, dict) for row in one)]
        row = {"question", "text", "prompt", "image"} & held.keys()
        held = within[0] if len(within) == 1 and not row else [held]
    if not isinstance(held, list) or not all(isinstance(row, dict) for row in held):
        raise HopeBenchError(f"{path} holds no list of rows.")
    return held


def _cells(path: Path) -> list[dict[str, Any]]:
    import pandas as pd

    plain: Mapping[str, Any] = {"dtype": str, "keep_default_na": False, "na_filter": False}
    if path.suffix == ".xlsx":
        check_unpacked(path)
    try:
        frame = pd.read_excel(path, **plain) if path.suffix == ".xlsx" else pd.read_csv(path, sep=_separator(path), **plain)
    except ImportError:
        raise HopeBenchError(f"{path}: Excel files are read by openpyxl: pip install 'hope-bench[xlsx]'.") from None
    except FileNotFoundError:
        raise HopeBenchError(f"{path} does not exist.") from None
    except HopeBenchError:
        raise
    except UnicodeDecodeError:
        with reading(path):
            raise
    except Exception as error:  # noqa: BLE001  # whatever openpyxl and pandas say of a broken file
        with open_bytes(path) as stream:
            other = None if zipfile.is_zipfile(path) else no_text(stream.read(HEAD), path)
        if path.suffix == ".xlsx" and other is None:
            other = HopeBenchError(
                f"{path} is no Excel workbook that can be read ({short_reason(error)}). Save it as one, or name it by what it is "
                f"({', '.join(SUFFIXES)})."
            )
        raise other or HopeBenchError(f"{path} can't be read: {short_reason(error)}.") from None
    if frame.columns.duplicated().any():
        raise HopeBenchError(f"{path} has two columns of one name.")
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict(orient="records")]


def _separator(path: Path) -> str:
    """What stands between a CSV file's columns, by its heading: a semicolon where commas are decimal marks. Raises HopeBenchError
    where the heading has more columns than anybody's table."""
    with path.open("rb") as stream:
        heading = text_of(stream.readline(_HEADING), path)
    found = "\t" if path.suffix == ".tsv" else max(",;\t", key=heading.count)
    if heading.count(found) >= _MOST_COLUMNS:
        raise HopeBenchError(f"{path} has more than {_MOST_COLUMNS:,} columns by its first line, so it is no table of questions.")
    return found


_HEADING = 1_000_000
"""No heading is longer, in bytes."""
_MOST_COLUMNS = 5_000
"""pandas takes time with the square of their number where they have one name: a second for 10,000."""


def text_at(data: Mapping[str, Any], name: str) -> str | None:
    """A cell's text, None where there is none."""
    value = data.get(name)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value)
