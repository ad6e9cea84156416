"""A model behind a Python file that lies beside its card (`adapter = "my_model.py:MyAdapter"`)."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.checked import checked_answers
from hope_bench.adapters.checkpoint import content_sha256
from hope_bench.errors import HopeBenchError, did_you_mean, short_reason
from hope_bench.provenance import file_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.files.card import ModelCard

T = TypeVar("T")


class PythonFile:
    """The class that a card names, as an `Adapter`. Making one runs the file.

    The class is made with the card, and has `load()` and `answer(batch)`, which gives one `RawAnswer` or text for each (RGB
    image, prompt), in order; more of the `Adapter` protocol is not asked of it. An image's `info["file_name"]` is its name in
    the images folder.
    """

    def __init__(self, card: ModelCard) -> None:
        """Run the file and make the adapter. Raises HopeBenchError saying what is wrong, and in which line."""
        if card.adapter_file is None:
            raise ValueError(f"the card {card.name} names no Python file")
        self._file, self._name = card.adapter_file
        self._card = card
        self._sha256 = file_sha256(self._file)
        made = self._calling(lambda: self._class()(card), "can't be made from its card")
        for method in ("load", "answer"):
            if not callable(getattr(made, method, None)):
                raise HopeBenchError(f"{self._where} has no method {method}(). It needs load() and answer(batch).")
        self._adapter: Any = made

    @property
    def info(self) -> AdapterInfo:
        """The file with its hash, and the checkpoint with its own where it lies on this machine."""
        checkpoint = Path(self._card.checkpoint)
        weights = content_sha256(checkpoint) if checkpoint.is_dir() else file_sha256(checkpoint) if checkpoint.is_file() else None
        adapter = f"{self._file.name}:{self._name} (sha256 {self._sha256})"
        which = f"sha256:{weights}" if weights else f"{self._card.checkpoint}@{self._card.revision}"
        return AdapterInfo(
            adapter, f"{which} by {adapter}", self._card.revision, weights, self._card.dtype, self._card.device, self._card.device
        )

    @property
    def report(self) -> AdapterReport:
        """Nothing: the file has no way to say."""
        return AdapterReport()

    def load(self) -> None:
        """Raises HopeBenchError where the file's own load() fails."""
        self._calling(self._adapter.load, "failed in load()")

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """What the file answers, checked. Raises HopeBenchError for answers of the wrong kind or number, which is a bug in the
        file; an exception of the file's passes through, and the engine finds out which question it was."""
        return checked_answers(self._adapter, batch, self._where)

    @property
    def _where(self) -> str:
        return f"{self._file.name}:{self._name}"

    def _class(self) -> Callable[[ModelCard], object]:
        # Named by its hash, so that two files of one name don't meet; listed, so that what it defines can find its module.
        name = f"hope_bench_adapter_{self._sha256}"
        spec: Any = importlib.util.spec_from_file_location(name, self._file)  # whose name ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        found = getattr(module, self._name, None)
        if not isinstance(found, type):
            own = [key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == name]
            raise HopeBenchError(f"{self._file.name} defines no class {self._name!r}. {did_you_mean(self._name, own)}")
        return found

    def _calling(self, work: Callable[[], T], failed: str) -> T:
        try:
            return work()
        except HopeBenchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the file can raise anything
            raise HopeBenchError(f"{self._where} {failed}{_line(error, self._file)}: {short_reason(error)}.") from None


def _line(error: BaseException, file: Path) -> str:
    """Where in the file it happened, as part of a sentence."""
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f" (line {lines[-1]})" if lines else ""
