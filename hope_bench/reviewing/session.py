"""A review in progress: the queue, what is decided, and what comes next. Knows nothing of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock

from hope_bench.reviewing.claims import Claim
from hope_bench.reviewing.decisions import DecisionsFile, decide
from hope_bench.search.decisions import Verdict


class Session:
    """One reviewer's way through a queue of claims. Safe to use from several threads (two tabs of one page).

    A `blind` reviewer isn't told what the benchmark says, so that an estimate of its errors isn't biased towards it.
    """

    def __init__(self, queue: Sequence[Claim], file: DecisionsFile, reviewer: str, blind: bool = False) -> None:
        self.queue = tuple(queue)
        self.blind = blind
        self.file = file
        self.reviewer = reviewer
        self._place = {claim.key: place for place, claim in enumerate(self.queue)}
        self._lock = Lock()

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

    def undo(self) -> int | None:
        """Take back the latest decision on a claim of this queue and return its place; None where there is none.

        Decisions on claims outside the queue (of other splits, of an earlier version) are never touched.
        """
        with self._lock:
            latest = self.file.latest()
            if latest is None or latest.key not in self._place:
                return None
            self.file.undo()
            return self._place[latest.key]

    def counts(self) -> Counter[str]:
        """How many claims of the queue were decided as what."""
        return Counter(verdict for claim in self.queue if (verdict := self.decision(claim)) is not None)
