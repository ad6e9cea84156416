"""A checkpoint behind a server that hope-bench starts for it, and ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.adapters import lora
from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.checkpoint import find_checkpoint
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_asks import thinks
from hope_bench.adapters.endpoint_card import served_by, served_dtype
from hope_bench.adapters.runnable import read_config
from hope_bench.adapters.server import LONGEST_LOG, Server, command_line, free_port, plain_copy, served_name
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.language import AnswerWords
from hope_bench.provenance import write_text

if TYPE_CHECKING:
    from PIL.Image import Image

_NO_KEY = "HOPE_BENCH_SERVER_KEY"
"""No key of somebody's is sent to a server of our own."""


class Served:
    """The checkpoint of a card with `server`, as an `Adapter`: `load` starts the server, `close` ends it."""

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None) -> None:
        """Find (or download) the checkpoint, and the server's program. Raises HopeBenchError."""
        if int(os.environ.get("WORLD_SIZE") or 1) > 1:
            raise HopeBenchError(
                "--server starts one server, and torchrun several of these processes: start one process, and spread the server "
                'over the GPUs (--server-args "--data-parallel-size N" or "--tensor-parallel-size N").'
            )
        if card.server == "transformers" and card.chat_template is not None:
            raise HopeBenchError(
                f"transformers serve can't be given the chat template of the card {card.name}. Take another server, or none."
            )
        command_line(card, Path(), 0, None)  # before anything is downloaded
        self._card, self._say = card, say
        self._checkpoint = find_checkpoint(card, say, card.trust_remote_code, runs_here=card.server == "transformers")
        if self._checkpoint.adapter is not None:
            raise lora.served(self._checkpoint.adapter, str(card.server))
        self._server: Server | None = None
        self._endpoint: Endpoint | None = None
        self._files: tempfile.TemporaryDirectory[str] | None = None

    @property
    def info(self) -> AdapterInfo:
        """Which checkpoint, and which server."""
        found, kind = self._checkpoint, served_by(self._card)
        identity = found.identity + (" with its own code" if self._card.trust_remote_code else "")
        dtype, thinking = served_dtype(self._card), thinks(self._card)
        tower = vision_tower(read_config(found.folder))
        return AdapterInfo(
            kind, identity, found.revision, found.weights_sha256, dtype, kind, kind, thinks=thinking, vision_tower=tower
        )

    @property
    def report(self) -> AdapterReport:
        """The endpoint's: tokens, and what it had to be asked otherwise."""
        return AdapterReport() if self._endpoint is None else self._endpoint.report

    def load(self) -> None:
        """Start the server and wait until it is ready. Raises HopeBenchError with the end of its log where it isn't."""
        card, folder, template = self._card, self._checkpoint.folder.resolve(), None
        self._files = tempfile.TemporaryDirectory(prefix="hope-bench-server-")
        if card.chat_template is not None:
            template = Path(self._files.name, "template.jinja")
            write_text(template, card.chat_template)
        if card.server == "transformers":
            folder = plain_copy(folder, Path(self._files.name, folder.name))
        port = free_port()
        command = command_line(card, folder, port, template)
        self._say(f"Starting {card.server} for {card.checkpoint} on port {port} of this machine ...")
        self._server = Server(command, port)
        try:
            self._server.wait_until_ready(card.server_timeout, self._say)
        except HopeBenchError:
            self._end(keep_log=True)
            raise
        there = card.at(self._server.base_url, served_name(card, folder))
        endpoint = self._endpoint = Endpoint(there.model_copy(update={"api_key_env": _NO_KEY}), self._say)
        self._server.when_it_ends(lambda: endpoint.give_up("the server ended"))

    def read_words(self, language: AnswerWords | None) -> None:
        """As `base.ReadsWords` says."""
        assert self._endpoint is not None, "load first"
        self._endpoint.read_words(language)

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """As an endpoint does. Raises HopeBenchError where the server has ended: nothing more can be asked of it."""
        assert self._endpoint is not None, "load first"
        assert self._server is not None
        answers = self._endpoint.answer(batch, samples)
        if self._server.ended:
            words = self._server.last_words()
            self._end(keep_log=True)
            said = f"The server ended in the middle of the run; the same command goes on from here. {words}"
            raise HopeBenchError(said, LONGEST_LOG)
        return answers

    def close(self) -> None:
        """End the server."""
        self._end()

    def _end(self, keep_log: bool = False) -> None:
        server, self._server = self._server, None
        try:
            if server is not None:
                server.close(keep_log)
        finally:
            if self._endpoint is not None:
                self._endpoint.close()
            if self._files is not None:
                self._files.cleanup()
                self._files = None
