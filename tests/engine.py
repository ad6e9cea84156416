"""A model made of a function, and a small benchmark to ask it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.card import ModelCard
from hope_bench.inference.engine import EvaluateOptions
from hope_bench.processes import Processes
from hope_bench.provenance import file_sha256
from hope_bench.records import Question

T = TypeVar("T")

CARD = ModelCard(name="A model", checkpoint="org/it", batch_size=4)
Pair = tuple[Image.Image, str]


class Model:
    """An adapter whose answer to a batch is a function's."""

    def __init__(self, reply: Callable[[Sequence[Pair]], list[RawAnswer]], identity: str = "it@1") -> None:
        self._reply = reply
        self.info = AdapterInfo("function", identity, "1", None, "float32", "cpu", "cpu")
        self.batches: list[int] = []
        self.loads = 0
        self.report = AdapterReport()

    def prepare(self, batch: Sequence[Pair]) -> None:
        """Nothing to do ahead."""

    def load(self) -> None:
        self.loads += 1

    def answer(self, batch: Sequence[Pair]) -> list[RawAnswer]:
        self.batches.append(len(batch))
        return self._reply(batch)


def by_brightness(batch: Sequence[Pair]) -> list[RawAnswer]:
    """Yes to bright pictures: wrong pairing of images and answers shows."""
    return [RawAnswer(text="Yes." if image.getpixel((0, 0))[0] > 100 else "No.", p_yes=0.5, mass=1.0) for image, _ in batch]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Four pictures, dark and bright in turn, three questions each: 12 in 4 steps of 3."""
    images = tmp_path / "images"
    images.mkdir()
    hashes = {}
    for place in range(4):
        path = images / f"{place}.png"
        Image.new("RGB", (8, 8), (200, 0, 0) if place % 2 else (20, 0, 0)).save(path)
        hashes[path.name] = file_sha256(path)
    questions = [
        Question(i, f"{i // 3}.png", f"Is there a {'abc'[i % 3]}?", "no" if i % 2 else "yes", "random") for i in range(12)
    ]
    write_benchmark(
        tmp_path / "bench", {"random": questions, "content": questions[:6]}, {"random": "pope", "content": "hope"},
        name="tiny", title="Tiny", headline="content", prompt="Say yes or no. {question}", k=None, dataset="drawn", images=hashes,
    )  # fmt: skip
    return read_benchmark(tmp_path / "bench")


@pytest.fixture
def options(tmp_path: Path) -> EvaluateOptions:
    return EvaluateOptions(images=tmp_path / "images", runs=tmp_path / "runs")


def lines(options: EvaluateOptions, name: str = "a-model") -> list[dict[str, Any]]:
    text = (options.runs / "tiny" / name / "answers.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


class _Meeting:
    """Where threads wait for each other, each with something in its hand."""

    def __init__(self, size: int) -> None:
        self._items: list[Any] = [None] * size
        self._barrier = threading.Barrier(size)

    def gather(self, rank: int, item: T) -> list[T]:
        self._items[rank] = item
        self._barrier.wait(60)
        items = list(self._items)
        self._barrier.wait(60)
        return items

    def abort(self) -> None:
        self._barrier.abort()


@dataclass(frozen=True)
class Threads(Processes):
    """Processes of one run that are threads: what `gather` and `by_first` mean, without torch.distributed."""

    meeting: _Meeting = field(default_factory=lambda: _Meeting(1))

    def gather(self, item: T) -> list[T]:
        return self.meeting.gather(self.rank, item)

    def by_first(self, work: Callable[[], T]) -> T:
        told: list[Any] = [None, None]
        if self.first:
            try:
                told[0] = work()
            except HopeBenchError as error:
                told[1] = str(error)
        told = self.gather(told)[0]
        if told[1] is not None:
            raise HopeBenchError(told[1])
        made: T = told[0]
        return made


def together(size: int, work: Callable[[int], T], monkeypatch: pytest.MonkeyPatch) -> list[T | HopeBenchError]:
    """What each of `size` processes of one run makes of `work`, by its rank, or raises."""
    meeting, here = _Meeting(size), threading.local()

    @contextmanager
    def join(_: int | None) -> Iterator[Processes]:
        yield Threads(here.rank, size, meeting=meeting)

    def run(rank: int) -> T | HopeBenchError:
        here.rank = rank
        try:
            return work(rank)
        except HopeBenchError as error:
            return error
        except BaseException:
            meeting.abort()  # nobody waits for one that is gone
            raise

    monkeypatch.setattr("hope_bench.inference.engine.join_processes", join)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))
