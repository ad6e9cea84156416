"""Several processes that encode together make the numbers of one, and hear of each other's failures. Threads stand for them."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hope_bench.clip import crew as crews
from hope_bench.clip.crew import EncoderCrew
from hope_bench.clip.embed import View, compute_views
from hope_bench.clip.encoder import BATCH, ClipEncoder, load_encoder
from hope_bench.errors import HopeBenchError
from hope_bench.processes import Processes
from tests.clips import save_tiny_clip


@dataclass(frozen=True)
class Threads(Processes):
    """Processes of one run that are threads: what `scatter` and `collect` mean, without torch.distributed."""

    told: tuple[queue.Queue[Any], ...] = ()
    answered: tuple[queue.Queue[Any], ...] = ()

    def scatter(self, items: Sequence[Any] | None = None) -> Any:
        for place, item in zip(self.told, items or (), strict=False):
            place.put(item)
        return self.told[self.rank].get(timeout=60)

    def collect(self, item: Any) -> list[Any]:
        self.answered[self.rank].put(item)
        return [one.get(timeout=60) for one in self.answered] if self.first else []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


def together(size: int, work: Callable[[EncoderCrew], Any]) -> tuple[Any, list[Future[None]]]:
    """What the first one makes or raises, and what became of the others."""
    told, answered = (tuple(queue.Queue[Any]() for _ in range(size)) for _ in range(2))
    first, *others = [EncoderCrew(Threads(rank, size, told=told, answered=answered)) for rank in range(size)]
    with ThreadPoolExecutor(size) as pool:
        following = [pool.submit(one.follow) for one in others]
        try:
            with first.lead():
                made = work(first)
        except HopeBenchError as error:
            made = error
    return made, following


@pytest.mark.parametrize("size", [2, 3])
def test_many_make_what_one_makes(size: int, clip: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path_of = {f"{index:02}": tmp_path / f"{index:02}.png" for index in range(50)}
    for path in path_of.values():
        Image.fromarray(rng.integers(0, 255, (24, 30, 3), dtype=np.uint8)).save(path)
    path_of["31"].write_bytes(b"no picture")
    # Of one picture alone there are more views than a batch has rows.
    views = {one: [View(one, (0.0, 0.0, 0.5, step / 64)) for step in range(1, 60 if one == "05" else 5)] for one in path_of}
    encoder = load_encoder(clip, "cpu")
    tokens = list(encoder.tokenizer([f"a cup number {index}" for index in range(5 * BATCH + 3)]))

    def work(crew: EncoderCrew) -> tuple[list[Any], list[Any]]:
        crew.load(clip, None)
        return list(crew.views((clip, None), path_of, views)), list(crew.texts((clip, None), tokens))

    (made, texts), following = together(size, work)
    assert not any(one.exception() for one in following)
    vectors = {view: vector for own, _ in made for view, vector in own.items()}
    alone = {view: vector for own, _ in compute_views(encoder, path_of, views) for view, vector in own.items()}
    assert vectors.keys() == alone.keys()
    for view, vector in alone.items():
        np.testing.assert_array_equal(vectors[view], vector)
    assert [reason for _, failed in made for reason in failed.items()] == [("31", "not an image, or of an unknown format")]
    np.testing.assert_array_equal(
        np.concatenate([one for one in texts if len(one)]), np.concatenate(list(encoder.compute_texts(tokens)))
    )


def test_one_that_computes_otherwise_is_named(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[ClipEncoder] = []

    def load(name: str, *, activation: Any) -> ClipEncoder:
        encoder = load_encoder(name, "cpu", activation)
        loaded.append(replace(encoder, sha256="other") if loaded else encoder)
        return loaded[-1]

    monkeypatch.setattr(crews, "load_encoder", load)
    raised, _ = together(2, lambda crew: crew.load(clip, None))
    assert str(raised).startswith("Process 1 (on ")
    assert "doesn't compute as the first one" in str(raised)


def test_a_failure_of_one_is_the_failure_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(crew: EncoderCrew, _: Any) -> Any:
        if crew.processes.rank == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return "numbers", "host"

    monkeypatch.setattr(EncoderCrew, "_answer", answer)
    raised, following = together(3, lambda crew: crew.load("ViT", None))
    assert str(raised) == "Process 2 of 3 failed: OutOfMemoryError: CUDA out of memory"
    assert [str(one.exception()) for one in following] == [str(raised)] * 2
