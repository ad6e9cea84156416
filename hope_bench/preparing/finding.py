"""One thing that a look at somebody's data found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hope_bench.errors import first_few

Level = Literal["wrong", "doubtful", "note"]

SHOWN = 3
"""Examples of a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `key` names it for programs, `count` how often, `what` says it in words and `advice` what to do.
    "wrong" makes wrong or no questions, "doubtful" may, a "note" is good to know."""

    key: str
    level: Level
    count: int
    what: str
    advice: str = ""
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        rest = self.count - len(self.examples)
        shown = first_few(self.examples, SHOWN) + (f" and {rest:,} more" if rest else "")
        return f"{self.what}{f' ({shown})' if self.examples else ''}. {self.advice}".strip()
