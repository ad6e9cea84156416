"""All that reads what comes from outside, by name: what the fuzzer feeds, and what docs/reliability.md lists."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.files import ANNOTATIONS, PACKED, TEXTS, Maker
from tests.fuzz.models import CHECKPOINTS, LOADED, REPLIES, SAID
from tests.fuzz.stages import PICTURES, STAGES

GROUPS: Mapping[str, Mapping[str, Maker]] = {
    "Annotations": ANNOTATIONS,
    "Specs, cards, benchmarks, runs, results, decisions": TEXTS,
    "Packed files": PACKED,
    "Whole stages": STAGES,
    "Pictures": PICTURES,
    "Checkpoints": CHECKPOINTS,
    "Checkpoints and encoders, loaded": LOADED,
    "Replies of servers": REPLIES,
    "Answers and questions": SAID,
}
READERS: Mapping[str, Maker] = {name: maker for group in GROUPS.values() for name, maker in group.items()}
