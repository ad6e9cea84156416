"""One or several processes that encode together: the first one asks, and the others encode their share of what it asks for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from hope_bench.clip.activation import Activation
from hope_bench.clip.embed import Made, View, batches_of, compute_views
from hope_bench.clip.encoder import BATCH, ClipEncoder, load_encoder
from hope_bench.clip.store import Embeddings
from hope_bench.errors import HopeBenchError
from hope_bench.processes import Processes, words

T = TypeVar("T")

_ROUND_SECONDS = 10.0
"""What a round grows to: between rounds the processes wait for the slowest, and the first one stores what they made."""

EncoderKey = tuple[str, Activation | None]
"""The encoder that `load_encoder` makes of a name and an activation."""


@dataclass(frozen=True, slots=True)
class _Load:
    """An encoder to be loaded."""

    encoder: EncoderKey


@dataclass(frozen=True, slots=True)
class _Views:
    """Some pictures' views, and the pictures' files, by SHA-256."""

    encoder: EncoderKey
    path_of: Mapping[str, Path]
    views: Mapping[str, Sequence[View]]


@dataclass(frozen=True, slots=True)
class _Texts:
    """Token ids [L] of some texts."""

    encoder: EncoderKey
    rows: Sequence[torch.Tensor]


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more is asked; `failure` says why, unless all is done."""

    failure: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncoderCrew:
    """Encoders that `processes` have loaded together, each on its own device. One process makes the same numbers as many: an
    embedding depends on nothing else in its batch (`ClipEncoder`).

    The first process is to `lead`: it alone reads annotations and searches, and reads and writes the store of embeddings. The
    others `follow`.
    """

    processes: Processes = field(default_factory=Processes)
    _encoders: dict[EncoderKey, ClipEncoder] = field(default_factory=dict)

    @contextmanager
    def lead(self) -> Iterator[None]:
        """While the first process works; then the others are let go, or fail as it does."""
        size = self.processes.size
        try:
            yield
        except Exception as error:
            with suppress(HopeBenchError):  # whoever is lost needn't be told
                self.processes.scatter([_End(words(error))] * size)
            raise
        self.processes.scatter([_End()] * size)

    def follow(self) -> None:
        """Encode what the first process asks for until it is done. Raises HopeBenchError where it fails, or is lost."""
        while True:
            asked: Any = self.processes.scatter()
            if isinstance(asked, _End):
                break
            made, failure = None, None
            try:
                made = self._answer(asked)
            except Exception as error:  # noqa: BLE001 - the first process tells it, and ends all
                failure = words(error)
            self.processes.collect((made, failure))
        if asked.failure is not None:
            raise HopeBenchError(asked.failure)

    def load(self, name: str, activation: Activation | None) -> ClipEncoder:
        """`load_encoder` in every process. Raises HopeBenchError also where they don't all compute alike."""
        key = (name, activation)
        found: list[tuple[str, str]] = self._each([_Load(key)] * self.processes.size)
        for rank, (numbers, host) in enumerate(found):
            if numbers != found[0][0]:
                raise HopeBenchError(
                    f"Process {rank} (on {host}) doesn't compute as the first one (on {found[0][1]}) does: its weights of "
                    f"{name}, its kind of device or its versions of torch, torchvision, timm, transformers or Pillow are others, "
                    "and so would be the last digits of its embeddings. Make them the same, or leave it out."
                )
        return self._encoders[key]

    def views(self, key: EncoderKey, path_of: Mapping[str, Path], todo: Mapping[str, Sequence[View]]) -> Iterator[Made]:
        """`compute_views`, shared."""
        if self.processes.size == 1:
            yield from compute_views(self._encoders[key], path_of, todo)
            return
        for shares in self._rounds(batches_of(todo)):
            yield from self._each(
                [_Views(key, {one: path_of[one] for one in share}, {one: todo[one] for one in share}) for share in shares]
            )

    def texts(self, key: EncoderKey, rows: Sequence[torch.Tensor]) -> Iterator[Embeddings]:
        """`ClipEncoder.compute_texts`, shared."""
        if self.processes.size == 1:
            yield from self._encoders[key].compute_texts(rows)
            return
        for shares in self._rounds([rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]):
            yield from self._each([_Texts(key, share) for share in shares])

    def _rounds(self, batches: Sequence[Sequence[T]]) -> Iterator[list[list[T]]]:
        """Batches as one share for each process, in order; as many a round as take `_ROUND_SECONDS` or so."""
        size, each, done = self.processes.size, 1, 0
        while done < len(batches):
            some = batches[done : done + each * size]
            done += len(some)
            edges = [len(some) * rank // size for rank in range(size + 1)]
            began = time.monotonic()
            yield [[one for batch in some[first:last] for one in batch] for first, last in pairwise(edges)]
            if time.monotonic() - began < _ROUND_SECONDS / 2:
                each *= 2

    def _each(self, asked: Sequence[Any]) -> list[Any]:
        """What each process answers to its own of `asked`. Raises HopeBenchError where one of them fails, and what this one
        raises."""
        mine = self.processes.scatter(asked)
        raised: Exception | None = None
        made, failure = None, None
        try:
            made = self._answer(mine)
        except Exception as error:  # noqa: BLE001 - raised below, when the others have answered
            raised, failure = error, words(error)
        answers = self.processes.collect((made, failure))
        if raised is not None:
            raise raised
        for rank, (_, reason) in enumerate(answers):
            if reason is not None:
                raise HopeBenchError(f"Process {rank} of {self.processes.size} failed: {reason}")
        return [answer for answer, _ in answers]

    def _answer(self, asked: _Load | _Views | _Texts) -> Any:
        if isinstance(asked, _Load):
            encoder = self._encoders[asked.encoder] = load_encoder(asked.encoder[0], activation=asked.encoder[1])
            return encoder.numbers, socket.gethostname()
        encoder = self._encoders[asked.encoder]
        if isinstance(asked, _Texts):
            if not asked.rows:  # in the last round there may not be something for everyone
                return np.empty((0, 0), np.float32)
            return np.concatenate(list(encoder.compute_texts(asked.rows)))
        made: dict[View, Embeddings] = {}
        failed: dict[str, str] = {}
        for vectors, reasons in compute_views(encoder, asked.path_of, asked.views):
            made |= vectors
            failed |= reasons
        return made, failed
