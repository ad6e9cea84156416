"""The leaderboard on 127.0.0.1, built again whenever a result or a template changes."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.registry import data_root
from hope_bench.site.build import build_site

ADDRESS = "127.0.0.1"

State = dict[Path, tuple[int, int]]
"""Every watched file's time and size."""


class _Server(ThreadingHTTPServer):
    """Says nothing of browsers that leave before a page is sent."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(SimpleHTTPRequestHandler):
    """Serves the site's files, never from a browser's cache, and says nothing of it."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: object) -> None:
        """A folder's list is no page of the site."""
        del path
        self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not worth a line."""


def start(out: Path, port: int) -> ThreadingHTTPServer:
    """Serve `out` on 127.0.0.1 in a thread of its own; port 0 takes a free one. Raises HopeBenchError where the port is taken."""
    try:
        server = _Server((ADDRESS, port), functools.partial(_Quiet, directory=str(out)))
    except (OSError, OverflowError) as error:
        raise HopeBenchError(f"Can't serve on {ADDRESS}:{port}: {error}. Choose another --port.") from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def watch(results: Path, out: Path, seen: State, say: Callable[[str], None], stop: threading.Event, seconds: float = 0.5) -> None:
    """Build again whenever a result, a sheet or a template is no longer as `seen` before the site was built, until `stop` is set;
    what is wrong with a file is said, and the last site stays."""
    while not stop.wait(seconds):
        now = state(results)
        if now == seen:
            continue
        seen = now
        try:
            say(f"Built again: {counted(len(build_site(results, out, say=say).results), 'result')}.")
        except HopeBenchError as error:
            say(str(error))


def state(results: Path) -> State:
    """What a site of these results is built from; a file that vanishes meanwhile is left out."""
    folder = data_root() / "leaderboard"
    found: State = {}
    sheets = results.absolute().parent / "benchmarks"
    ours = (*folder.glob("templates/*"), folder / "elsewhere.json", folder / "overlap.json")
    for path in (*results.glob("*/*.json"), *sheets.glob("*.json"), *ours):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found
