"""Runs a server, and ends it with all its processes as soon as whoever wanted it is gone, however it went.

Run as a script, alone: it needs nothing but Python, and leaves the server its surroundings. Its arguments are a log file and the
server's command; it writes the server's process id to stdout, and takes the end of stdin for its owner's end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

_TO_END = 15.0
"""Seconds that a server has to end by itself."""
_OF_THE_REST = 2.0
"""Seconds that its own processes have once it has ended."""


def end_group(group: int, has_ended: threading.Event) -> None:
    """End a process group: first asked, then killed."""
    _signal(group, signal.SIGTERM)
    has_ended.wait(_TO_END)
    until = time.monotonic() + _OF_THE_REST
    while time.monotonic() < until and _signal(group, 0):
        time.sleep(0.05)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether there is such a group to be told."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def main(log: str, command: list[str]) -> int:
    """Run the command until it or this process's owner ends; its exit code."""
    done, has_ended = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with open(log, "ab") as file:  # noqa: PTH123 - nothing of pathlib's is needed here
        try:
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            file.write(f"{command[0]}: {error.strerror or error}\n".encode())
            return 127
    print(server.pid, flush=True)

    def owner() -> None:
        sys.stdin.buffer.read()
        done.set()

    def its_end() -> None:
        server.wait()
        has_ended.set()
        done.set()

    for work in (owner, its_end):
        threading.Thread(target=work, daemon=True).start()
    done.wait()
    by_itself = has_ended.is_set()
    end_group(server.pid, has_ended)
    return (server.returncode or 0) if by_itself else 0


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2:])
    os._exit(code if code >= 0 else 128 - code)
