"""Figures that others published: shown with their source, apart from every ranking."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from hope_bench.errors import counted
from hope_bench.files.validation import Strict, read_json


class ReportedRow(Strict):
    """A model's numbers, in percent, one a column; null where the source has none."""

    model: str = Field(min_length=1, max_length=100)
    values: tuple[float | None, ...]


class ReportedTable(Strict):
    """One published table, or a part of it. `source` says where it stands: authors, year, identifier, table; `decimals` are as
    many as it gives."""

    title: str
    metric: str
    columns: tuple[str, ...]
    rows: tuple[ReportedRow, ...]
    source: str = Field(min_length=1)
    note: str = ""
    decimals: int = Field(default=1, ge=0, le=4)

    @model_validator(mode="after")
    def _as_wide_as_its_head(self) -> ReportedTable:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f"{row.model} has {counted(len(row.values), 'value')} for {counted(len(self.columns), 'column')}"
                )
        return self


class Elsewhere(Strict):
    """leaderboard/elsewhere.json."""

    tables: tuple[ReportedTable, ...]


def read_elsewhere(path: Path) -> tuple[ReportedTable, ...]:
    """The tables of elsewhere.json. Raises HopeBenchError naming the key that is off."""
    return read_json(path, Elsewhere).tables
