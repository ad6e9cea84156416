"""Whether an endpoint still answers at all, or one picture alone is what it fails on."""

from __future__ import annotations

import threading

from hope_bench.adapters.endpoint_failures import concerns_all

_PROOF = 2
"""Pictures that were answered before, and fail now: then it is no picture's fault."""


class Standing:
    """What the questions of each picture met. Failures in a row that every question might meet (a refused key, a server that is
    down) are counted, but for those of pictures that are known to be at fault: another one was answered meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered: set[str] = set()
        self._bad: set[str] = set()
        self._failing: set[str] = set()
        self.in_a_row = 0

    def answered(self, picture: str) -> None:
        """A question about the picture was answered."""
        with self._lock:
            self.in_a_row = 0
            self._failing.clear()
            self._bad.discard(picture)
            self._answered.add(picture)

    def failed(self, picture: str, error: BaseException) -> None:
        """A question about the picture failed, after all attempts."""
        with self._lock:
            if not concerns_all(error):
                self.in_a_row = 0
                self._failing.clear()
            elif picture not in self._bad:
                self.in_a_row += 1
                self._failing.add(picture)

    def blame_pictures(self) -> None:
        """Another picture was answered: those that fail are at fault."""
        with self._lock:
            self._bad |= self._failing
            self._failing.clear()
            self.in_a_row = 0

    def is_bad(self, picture: str) -> bool:
        """Whether the picture is known to be at fault."""
        with self._lock:
            return picture in self._bad

    @property
    def proven(self) -> bool:
        """Whether pictures fail that were answered before: so many that no picture is at fault."""
        with self._lock:
            return len(self._failing & self._answered) >= _PROOF
