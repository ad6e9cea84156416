"""Embeddings kept on disk: one SQLite file per encoder and way of computing, keyed by image file and box, or by text."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import platformdirs
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError

Embeddings = NDArray[np.float32]
"""[N, D] float32, each row of unit length."""


class Numbered(Protocol):
    """An encoder, as far as a store needs it: `numbers` identifies it and the way it computes (`ClipEncoder.numbers`)."""

    @property
    def numbers(self) -> str: ...


_AT_ONCE = 500
_PAGE_BYTES = 1 << 15


def default_cache() -> Path:
    """The user's cache folder for hope-bench."""
    return Path(platformdirs.user_cache_dir("hope-bench"))


class EmbeddingStore:
    """The embeddings of one encoder, computed in one way (`ClipEncoder.numbers`): reading one gives what computing it would.
    Safe to read and write from several processes; a batch is written whole or not at all."""

    def __init__(self, folder: Path, encoder: Numbered) -> None:
        """Open or create the store of one encoder under `folder`. Raises HopeBenchError where it can't be opened."""
        self.path = folder / "embeddings" / f"{encoder.numbers[:32]}.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=60)
            # Of a new file: an embedding of 512 to 1,024 numbers has 2 to 4 KB, and a page of SQLite's own 4 KB holds but one.
            self._connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            with self._connection as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise HopeBenchError(
                f"The embedding cache {self.path} can't be opened ({error}). Delete it, or choose another with --cache."
            ) from None

    def get(self, keys: Sequence[str]) -> dict[str, Embeddings]:
        """The stored [D] embeddings of those of `keys` (`View.key`, `text_key`) that are there."""
        found: dict[str, Embeddings] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", some)
            found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
        return found

    def put(self, embeddings: Mapping[str, Embeddings]) -> None:
        """Store [D] embeddings by their keys. Raises HopeBenchError where the disk won't take them."""
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in embeddings.items()]
        try:
            with self._connection as connection:
                connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise HopeBenchError(
                f"The embedding cache {self.path} can't be written ({error}). Free some space, or choose another with --cache."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
