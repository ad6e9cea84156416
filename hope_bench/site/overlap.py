"""Which models were trained on a dataset's images, as far as is published (leaderboard/overlap.json)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from hope_bench.files.result import Result
from hope_bench.files.validation import Strict, read_json


class PublishedTraining(Strict):
    """What is published of the training of the models whose name or checkpoint contains one of `models` (lower case)."""

    models: tuple[str, ...] = Field(min_length=1)
    what: str
    source: str = Field(min_length=1)


class DatasetOverlap(Strict):
    """The datasets whose name begins with `dataset`: what their images also occur in, and who was trained on those."""

    dataset: str
    about: str
    trained: tuple[PublishedTraining, ...]


class Overlap(Strict):
    """leaderboard/overlap.json."""

    datasets: tuple[DatasetOverlap, ...]


def read_overlap(path: Path) -> tuple[DatasetOverlap, ...]:
    """The datasets of overlap.json. Raises HopeBenchError naming the key that is off."""
    return read_json(path, Overlap).datasets


def dataset_overlap(known: Sequence[DatasetOverlap], dataset: str) -> DatasetOverlap | None:
    """What is known of a benchmark's dataset."""
    return next((one for one in known if dataset.lower().startswith(one.dataset.lower())), None)


def published_training(overlap: DatasetOverlap, result: Result) -> PublishedTraining | None:
    """What is published of a result's model; None where nothing is known here."""
    called = f"{result.model.name} {result.model.checkpoint or ''}".lower()
    return next((one for one in overlap.trained if any(name in called for name in one.models)), None)
