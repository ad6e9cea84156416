"""Work on outside data tried in a process of its own first, which may take only so much memory and time."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY = 2**29
"""Bytes that a trial may take besides what the process has already; real chat templates take some hundred thousand."""
SECONDS = 10
"""Seconds of a processor's time that a trial may take; real chat templates take hundredths of one."""
_TOO_MUCH_MEMORY = 3


def found_too_costly(work: Callable[[], object]) -> str | None:
    """What `work` takes too much of, as words that end a sentence, or None. It runs in a fork of this process, on Linux only: no
    other system holds a process to its memory. Whatever it makes or raises is dropped, MemoryError excepted."""
    if sys.platform != "linux":
        return None
    child = os.fork()
    if child == 0:
        _try(work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        slow = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return f"it takes more than {SECONDS} seconds" if slow else "it ends the process that runs it"
    return f"it takes more than {MEMORY / 1e9:.1f} GB" if os.WEXITSTATUS(status) == _TOO_MUCH_MEMORY else None


def _try(work: Callable[[], object]) -> None:
    """In the fork: never returns, and runs nothing that this process would run at its end."""
    import resource

    code = 0
    try:
        gc.disable()  # what it would free may be on a GPU, which a fork must not touch
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, taken + MEMORY), (resource.RLIMIT_CPU, SECONDS))
        for limit, most in limits:
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        work()
    except MemoryError:
        code = _TOO_MUCH_MEMORY
    except BaseException:  # noqa: BLE001 - whatever else it is, it comes again where the work is done for good
        code = 0
    finally:
        os._exit(code)
