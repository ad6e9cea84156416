"""A server of a checkpoint on this machine, started and ended by hope-bench: vLLM, SGLang or transformers serve."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from hope_bench.adapters import server_guard
from hope_bench.adapters.secrets import environment_secrets, without_secrets
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.validation import parse_json
from hope_bench.provenance import write_text

_OURS = (
    "--host", "--port", "--model", "--model-path", "--served-model-name", "--revision", "--api-key", "--admin-api-key",
    "--hf-token", "--dtype", "--chat-template", "--trust-remote-code", "--uds", "--ssl-keyfile", "--ssl-certfile", "--config",
)  # fmt: skip
"""Flags that hope-bench sets itself, or that would put a key into a file."""
_INSTALL = {
    "vllm": "pip install vllm (best into an environment of its own, whose bin folder is on the PATH)",
    "sglang": "pip install sglang (into the environment that hope-bench runs in)",
    "transformers": "pip install 'transformers[serving]'",
}
_LOG_LINES, _LOG_CHARACTERS = 25, 4000
"""What an error shows of a log's end."""
LONGEST_LOG = _LOG_CHARACTERS + 1000
"""Characters of such an error."""
_TO_CLOSE = 30.0
"""Seconds until a guard that doesn't end is killed, and its server with it."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


GENERATION = "generation_config.json"


def command_line(card: ModelCard, folder: Path, port: int, template: Path | None) -> list[str]:
    """What starts the card's `server` on 127.0.0.1 for the checkpoint in `folder`, known there as `served_name`, prefix caching
    on. `template` is a file of the card's chat template. Raises HopeBenchError where the server isn't installed, and for
    arguments that are hope-bench's own to set."""
    program = _program(card.server or "")
    at = ["--host", "127.0.0.1", "--port", str(port)]
    more = further_arguments(card.server_args)
    if card.dtype != "auto":
        at += ["--dtype", card.dtype]
    if card.trust_remote_code:
        at += ["--trust-remote-code"]
    if template is not None:
        at += ["--chat-template", str(template)]
    name = ["--served-model-name", served_name(card, folder)]
    # Answers are plain greedy ones: the checkpoint's own penalties and sampling are put aside (`plain_copy`).
    if card.server == "vllm":
        return [*program, str(folder), *at, *name, "--enable-prefix-caching", "--generation-config", "vllm", *more]
    if card.server == "sglang":  # its radix cache keeps prefixes unless --disable-radix-cache is given
        return [*program, "--model-path", str(folder), *at, *name, "--sampling-defaults", "openai", *more]
    device = [] if card.device == "auto" else ["--device", card.device]
    return [*program, str(folder), *at, *device, *more]


def served_name(card: ModelCard, folder: Path) -> str:
    """What the server calls the model: transformers serve has no other name than the folder's path."""
    return str(folder) if card.server == "transformers" else card.checkpoint


def plain_copy(folder: Path, into: Path) -> Path:
    """A folder of links to a checkpoint's files, but for its generation_config.json, of which only the special tokens are left:
    transformers serve mixes the rest (penalties, suppressed tokens, sampling) into every answer. The checkpoint itself where it
    has no such file."""
    if not (folder / GENERATION).is_file():
        return folder
    own = parse_json(folder / GENERATION)
    into.mkdir()
    for file in folder.iterdir():
        if file.name != GENERATION:
            (into / file.name).symlink_to(file.resolve())
    tokens = {name: value for name, value in own.items() if name.endswith("_token_id")} if isinstance(own, dict) else {}
    write_text(into / GENERATION, json.dumps(tokens))
    return into


def further_arguments(text: str) -> list[str]:
    """The words of `server_args`. Raises HopeBenchError for flags that are hope-bench's own to set."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise HopeBenchError(f"The server's arguments can't be read ({error}): {text!r}.") from None
    for word in words:
        flag = word.partition("=")[0].replace("_", "-")
        # Parsers take a flag's beginning for the flag.
        if len(flag) > 3 and any(ours.startswith(flag) for ours in _OURS):
            raise HopeBenchError(
                f"{flag} among the server's arguments: hope-bench sets that itself, from the card and its flags (--dtype, "
                "--revision, --trust-remote-code). Keys stay in the environment."
            )
    return words


def _program(kind: str) -> list[str]:
    """The beginning of the command. Raises HopeBenchError where it isn't installed."""
    beside = Path(sys.executable).parent / kind
    found = str(beside) if beside.is_file() else shutil.which(kind)
    if kind == "sglang" and importlib.util.find_spec("sglang") is not None:
        return [sys.executable, "-m", "sglang.launch_server"]
    if kind == "vllm" and found is not None:
        return [found, "serve"]
    serving = all(importlib.util.find_spec(name) is not None for name in ("fastapi", "uvicorn"))
    if kind == "transformers" and found is not None and serving:
        return [found, "serve"]
    raise HopeBenchError(f"--server {kind}: {kind} isn't installed here. Install it: {_INSTALL[kind]}.")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """One running server. It ends when it is closed, and when this process ends, in whichever way: a guard process sees to it."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        """Start it. Its output goes to a file of its own. Raises HopeBenchError where that is impossible."""
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self._health = f"http://127.0.0.1:{port}/health"
        handle, name = tempfile.mkstemp(prefix="hope-bench-server-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        guard = [sys.executable, "-I", server_guard.__file__, str(self.log), *command]
        pipe = subprocess.PIPE
        try:
            self._guard = subprocess.Popen(guard, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            raise HopeBenchError(f"The server can't be started: {error.strerror or error}.") from None
        assert self._guard.stdout is not None
        told = self._guard.stdout.readline().strip()
        self._pid = int(told) if told.isdigit() else None
        self._closing = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether the server is no more."""
        return self._guard.poll() is not None

    def wait_until_ready(self, seconds: float, say: Callable[[str], None]) -> None:
        """Wait until it says that it is healthy. Raises HopeBenchError with its log's end where it ends first or is too late."""
        until, tell_at = time.monotonic() + seconds, time.monotonic() + 60
        while not self._is_healthy():
            if self.ended:
                raise HopeBenchError(f"The server ended before it was ready. {self.last_words()}", LONGEST_LOG)
            if time.monotonic() > until:
                raise HopeBenchError(
                    f"The server was not ready after {seconds:,.0f} s (more time: --server-timeout). {self.last_words()}",
                    LONGEST_LOG,
                )
            if time.monotonic() > tell_at:
                say(f"Waiting for the server; its log: {self.log}")
                tell_at += 300
            time.sleep(0.2)

    def when_it_ends(self, work: Callable[[], None]) -> None:
        """Call `work`, in another thread, as soon as the server ends without having been closed."""

        def watch() -> None:
            self._guard.wait()
            if not self._closing.is_set():
                work()

        threading.Thread(target=watch, daemon=True).start()

    def last_words(self) -> str:
        """Its exit code, if it has ended, and the end of its log, without keys of the environment."""
        code = "" if self._guard.poll() is None else f"Exit code {self._guard.returncode}. "
        lines = _COLOURS.sub("", self.log.read_text(encoding="utf-8", errors="replace")).splitlines()
        end = "\n".join(lines[-_LOG_LINES:])
        end = without_secrets(end, environment_secrets())
        return f"{code}The end of its log ({self.log}):\n{end[-_LOG_CHARACTERS:] or '(nothing)'}"

    def close(self, keep_log: bool = False) -> None:
        """End it, with all its processes; returns once it has ended."""
        self._closing.set()
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()  # which the guard takes for our end
        try:
            self._guard.wait(_TO_CLOSE)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        finally:
            # A guard that was killed has ended nothing.
            if self._guard.returncode is None or self._guard.returncode < 0:
                self._guard.kill()
                if self._pid is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self._pid, 9)
        if self._guard.stdout is not None:
            self._guard.stdout.close()
        if not keep_log:
            self.log.unlink(missing_ok=True)

    def _is_healthy(self) -> bool:
        straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with straight.open(self._health, timeout=5) as reply:
                return int(reply.status) == 200
        except (OSError, http.client.HTTPException):
            return False
