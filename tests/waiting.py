"""Waiting for a state, never for a time: what a test needs of another thread or process has come when this returns."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

_LONGEST = 300.0
"""Seconds after which it won't come any more, on however busy a machine: shorter than the suite lets a test hang."""
_PORTS = iter(range(10_000 + os.getpid() % 200 * 100, 32_000))


def wait_until(true: Callable[[], object], goes_on: Callable[[], bool] = lambda: True, said: Callable[[], object] = str) -> None:
    """Wait until it is true; fails, with what was `said`, where it never is, or nothing `goes_on` that could make it so."""
    until = time.monotonic() + _LONGEST
    while not true():
        alive = goes_on()
        assert alive or true(), said()  # it may have become true, and then have ended
        assert time.monotonic() < until, ("it took too long", said())
        time.sleep(0.005)


def free_port() -> int:
    """A port that nobody has, nor gets before it is used: below those that the system hands out to whoever asks for any, and
    another process's tests begin elsewhere."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")
