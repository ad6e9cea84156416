"""What is wrong with several files, one error for each: checked on, and told together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hope_bench.errors import HopeBenchError, counted

Wrong = list[HopeBenchError] | None
"""Where errors are noted; None: the first one is raised."""


@contextmanager
def noted(wrong: Wrong) -> Iterator[None]:
    """Note the HopeBenchError that comes meanwhile."""
    try:
        yield
    except HopeBenchError as error:
        if wrong is None:
            raise
        wrong.append(error)


def together(wrong: Sequence[HopeBenchError]) -> HopeBenchError:
    """All that was noted as one error, a line each; the first one itself where it is alone."""
    if len(wrong) == 1:
        return wrong[0]
    text = "\n".join((f"{counted(len(wrong), 'thing')} to mend:", *map(str, wrong)))
    return HopeBenchError(text, longest=len(text))
