"""A review in progress: the queue, what is decided, and what comes next. Knows nothing of the page."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock

from hope_bench.reviewing.claims import Claim
from hope_bench.reviewing.decisions import DecisionsFile, decide
from hope_bench.search.decisions import Verdict

LATEST = 20
"""How many of the latest decisions tell whether it is worth going on."""

_PAUSE, _LEAST_TIMED = 120.0, 3
"""Seconds without a decision that are a pause rather than a look; and how many looks tell how long one takes."""


class Session:
    """One reviewer's way through a queue of claims. Safe to use from several threads (two tabs of one page).

    A `blind` reviewer isn't told what the benchmark says, so that an estimate of its errors isn't biased towards it.
    """

    def __init__(
        self,
        queue: Sequence[Claim],
        file: DecisionsFile,
        reviewer: str,
        blind: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = tuple(queue)
        self.blind = blind
        self.file = file
        self.reviewer = reviewer
        self._place = {claim.key: place for place, claim in enumerate(self.queue)}
        self._lock = Lock()
        self._clock = clock
        self._decided_at = clock()
        self._looks: list[float] = []

    def next(self) -> int | None:
        """The place in the queue of the first claim without a decision; None where all have one."""
        return next((place for place, claim in enumerate(self.queue) if self.decision(claim) is None), None)

    def decision(self, claim: Claim) -> Verdict | None:
        """What is decided on a claim of the queue. In a sample only decisions on drawn claims count: one that was made because
        the claim looked wrong would be no random one, so the claim is looked at again."""
        found = self.file.decisions.get(claim.key)
        if found is None or (claim.inclusion is not None and found.inclusion is None):
            return None
        return found.decision

    def decide(self, place: int, verdict: Verdict) -> None:
        """Write the decision on the claim at a place of the queue; an earlier one is replaced."""
        with self._lock:
            self.file.add(decide(self.queue[place], verdict, self.reviewer))
            now = self._clock()
            if (took := now - self._decided_at) <= _PAUSE:
                self._looks.append(took)
            self._decided_at = now

    def undo(self) -> int | None:
        """Take back the latest decision on a claim of this queue and return its place; None where there is none.

        Decisions on claims outside the queue (of other splits, of an earlier version) are never touched.
        """
        with self._lock:
            latest = self.file.undo(self._place)
            return None if latest is None else self._place[latest.key]

    def counts(self) -> Counter[str]:
        """How many claims of the queue were decided as what."""
        return Counter(verdict for claim in self.queue if (verdict := self.decision(claim)) is not None)

    def seconds_left(self) -> float | None:
        """How long the claims left take, at the median look of this sitting, pauses aside; None before the third."""
        if len(self._looks) < _LEAST_TIMED:
            return None
        return statistics.median(self._looks) * (len(self.queue) - self.counts().total())

    def latest_wrong(self) -> tuple[int, int]:
        """Of the up to LATEST decided claims furthest down the queue: in how many the benchmark's label is wrong, and how many
        they are."""
        decided = [(claim, verdict) for claim in self.queue if (verdict := self.decision(claim)) is not None][-LATEST:]
        wrong = sum(verdict == ("present" if claim.label == "no" else "absent") for claim, verdict in decided)
        return wrong, len(decided)
