"""Published figures (leaderboard/published.toml): what others report of a model, with all that it takes to compute it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.placeholders import check_prompt
from hope_bench.files.result import ConventionName
from hope_bench.files.validation import Strict, read_toml

SPLIT_MEAN = "split-mean"
"""Stands where a split would: the mean of the three POPE splits' numbers, as LLaVA averages."""
POPE_SPLITS = ("random", "popular", "adversarial")

Metric = Literal["accuracy", "precision", "recall", "f1", "yes_ratio"]
Place = Literal["random", "popular", "adversarial", "split-mean"]


class PublishedTable(Strict):
    """Figures of one source, all made in one way.

    `values` maps a model to its figures in percent, by split or `split-mean`, with `decimals` as the source gives. `prompt` is
    how the source asked, `convention` how it read and counted answers (docs/scoring.md). `questions` says how many each split
    held there, where known. `same_questions` says that they were POPE's official ones; else they are taken for another sample.
    """

    name: str
    source: str = Field(min_length=1)
    benchmark: str
    dataset: str
    metric: Metric
    decimals: int = Field(default=1, ge=0, le=4)
    prompt: str
    convention: ConventionName
    questions: Mapping[Place, int] = {}
    same_questions: bool
    note: str = ""
    values: Mapping[str, Mapping[Place, float]]

    @model_validator(mode="after")
    def _can_be_asked(self) -> PublishedTable:
        check_prompt(self.prompt)
        if any(not 0 <= value <= 100 for row in self.values.values() for value in row.values()):
            raise ValueError("values are in percent, from 0 to 100")
        return self


class Published(Strict):
    """leaderboard/published.toml. `checkpoints` lists the checkpoints that hold a model's weights."""

    checkpoints: Mapping[str, tuple[str, ...]] = {}
    table: tuple[PublishedTable, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number, in percent: of `model`, at `split` (or SPLIT_MEAN), in `table`."""

    table: PublishedTable
    model: str
    split: str
    value: float

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the number is computed from."""
        return POPE_SPLITS if self.split == SPLIT_MEAN else (self.split,)


def find_figures(path: Path, names: Collection[str | None]) -> tuple[Figure, ...]:
    """The figures of a file about the model that has one of the `names`: a card's name, or a checkpoint.

    Raises HopeBenchError where the file is malformed, or has none of that model: then it names those it has.
    """
    read = read_toml(path, Published)
    wanted = {name.lower() for name in names if name is not None}
    models = list(dict.fromkeys(model for table in read.table for model in table.values))
    chosen = [
        model for model in models if wanted & {model.lower(), *(known.lower() for known in read.checkpoints.get(model, ()))}
    ]
    if not chosen:
        asked = next((name for name in names if name), "")
        raise HopeBenchError(
            f"No published figure of {asked!r} is known in {path.name}. {did_you_mean(asked, models)} A copy of one of these "
            "under another name: say which with --as NAME. Figures of your own: --figures FILE."
        )
    return tuple(
        Figure(table, model, split, value)
        for table in read.table
        for model in chosen
        for split, value in table.values.get(model, {}).items()
    )
